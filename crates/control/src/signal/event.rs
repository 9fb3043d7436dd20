//! From a change to events: what receivers hear when an agent is stopped, started, restricted or gone, a task ends, a key changes,
//! a person's session ends. CAEP 1.0 and RISC 1.0 types; subjects by RFC 9493.

use crate::{ControlError, plane::Plane};
use provost_domain::{
    Agent, AgentStatus, Containment, Delivery, Directory, DurationMs, Object, ObjectKey, Proof, Restraint,
    Seq, Session, Stream, Task, Timestamp,
    containment::ContainmentStatus,
    delivery::{DeliveryState, delivery_id},
    stream::StreamStatus,
    task::TaskStatus,
};
use provost_notify::text::clean;
use provost_store::ChangeRecord;
use serde_json::{Map, Value, json};

/// One event, before it is addressed to a stream.
pub(crate) struct Told {
    pub(crate) event: &'static str,
    pub(crate) data: Map<String, Value>,
    pub(crate) subject: Value,
    pub(crate) title: String,
}

/// What a change owes the streams.
///
/// # Errors
/// When the store fails.
pub(crate) async fn owed(
    plane: &Plane,
    record: &ChangeRecord,
    directory: &Directory,
) -> Result<Vec<Delivery>, ControlError> {
    if directory.streams.is_empty() {
        return Ok(Vec::new());
    }
    let (told, about) = match &record.after {
        Some(Object::Agent(row)) => {
            let before = before(plane, record).await?;
            (agent(plane, before.as_ref(), row, directory), Some(record.key.clone()))
        }
        Some(Object::Task(row)) if row.status == TaskStatus::Ended && row.trial.is_none() => {
            (vec![task(plane, row)], Some(record.key.clone()))
        }
        Some(Object::Containment(row)) => return Ok(order(plane, record, row, directory)),
        // A session's key is the digest of what the browser has: nobody needs it.
        Some(Object::Session(row)) if row.ended => (vec![session(plane, row, directory)], None),
        _ => return Ok(Vec::new()),
    };
    let common = common(record);
    let now = plane.now();
    let mut owed = Vec::new();
    for told in told {
        let mut data = common.clone();
        data.extend(told.data.clone());
        let told = Told { data, ..told };
        for stream in directory.streams.values().filter(|stream| hears(stream, &told)) {
            let cause = format!("{} {} {}", told.event, record.key, record.seq);
            let txn = Some(format!("change {}", record.seq));
            let made = delivery(stream, &told, (&cause, record.seq.0), txn, now);
            owed.push(bounded(Delivery { about: about.clone(), ..made }, directory, now));
        }
    }
    Ok(owed)
}

/// What an order owes the streams: when it is given, one event or two for each agent it is about, and one when it is lifted for
/// each that may act again. Events of an order do not count among those that may wait for one receiver.
fn order(plane: &Plane, record: &ChangeRecord, row: &Containment, directory: &Directory) -> Vec<Delivery> {
    let lifted = matches!(row.status, ContainmentStatus::Lifted { .. });
    if row.drill || !row.scope.is_about_agents() || !(lifted || record.version == 1) {
        return Vec::new();
    }
    let (common, now) = (common(record), plane.now());
    let txn = Some(format!("change {}", record.seq));
    let organisation = directory.organisation.as_deref();
    let agents = directory.agents.values().filter(|agent| row.scope.has_agent(agent, organisation));
    let mut owed = Vec::new();
    for agent in agents.filter(|agent| agent.status != AgentStatus::Decommissioned) {
        for told in ordered(plane, row, agent, (lifted, directory.acts(agent))) {
            let mut data = common.clone();
            data.extend(told.data.clone());
            let told = Told { data, ..told };
            // Once for an order, however often it is written down.
            let cause = format!("{} {} {} {lifted}", told.event, row.id, agent.name);
            for stream in directory.streams.values().filter(|stream| hears(stream, &told)) {
                let made = delivery(stream, &told, (&cause, record.seq.0), txn.clone(), now);
                let about = Some(ObjectKey::containment(&row.id));
                // It stays known while the order is in force: what became of it is shown with the order.
                owed.push(Delivery { about, followed: !lifted, ..made });
            }
        }
    }
    owed
}

/// What is told of one agent because of an order.
fn ordered(plane: &Plane, row: &Containment, agent: &Agent, (lifted, acts): (bool, bool)) -> Vec<Told> {
    let name = &agent.name;
    let told = |event, data: Value, title: String| Told {
        event,
        data: data.as_object().cloned().unwrap_or_default(),
        subject: subject(plane, agent),
        title,
    };
    match (&row.level, lifted) {
        (Restraint::Off, false) => vec![
            told(SESSION_REVOKED, json!({}), format!("{name} is contained")),
            told(ACCOUNT_DISABLED, json!({}), format!("{name} is contained")),
        ],
        (Restraint::Off, true) if acts => {
            vec![told(ACCOUNT_ENABLED, json!({}), format!("{name} may act again"))]
        }
        // Another order, or its own state, stops it still.
        (Restraint::Off, true) | (Restraint::Observe, _) => Vec::new(),
        (level, false) => {
            let claims = json!({ "claims": { "level": level.as_str() } });
            vec![told(TOKEN_CLAIMS_CHANGE, claims, format!("{name} is contained at level {level}"))]
        }
        (_less, true) => {
            let claims = json!({ "claims": { "level": agent.level } });
            vec![told(TOKEN_CLAIMS_CHANGE, claims, format!("what {name} may do has changed"))]
        }
    }
}

fn subject(plane: &Plane, agent: &Agent) -> Value {
    json!({ "format": "iss_sub", "iss": plane.issuer, "sub": agent.name })
}

/// An event on its way to a stream.
pub(crate) fn delivery(
    stream: &Stream,
    told: &Told,
    (cause, order): (&str, u64),
    txn: Option<String>,
    now: Timestamp,
) -> Delivery {
    let lane = stream.lane();
    let mut payload = Map::new();
    payload.insert("title".to_owned(), json!(told.title));
    payload.insert("event".to_owned(), json!(told.event));
    payload.insert("data".to_owned(), Value::Object(told.data.clone()));
    payload.insert("sub_id".to_owned(), told.subject.clone());
    if let Some(txn) = txn {
        payload.insert("txn".to_owned(), json!(txn));
    }
    Delivery {
        id: delivery_id(cause, &lane),
        lane,
        order,
        kind: told.event.rsplit('/').next().unwrap_or_default().to_owned(),
        about: None,
        payload,
        only_while_waiting: false,
        followed: false,
        created: now,
        until: now.plus(KEPT_MAX),
        attempts: 0,
        last: None,
        state: DeliveryState::Due { next: now },
    }
}

/// A receiver that fetches nothing does not fill the store; what it misses is on record.
fn bounded(delivery: Delivery, directory: &Directory, now: Timestamp) -> Delivery {
    let due = directory.deliveries.values().filter(|row| row.is_due() && row.lane == delivery.lane).count();
    if due < QUEUE_MAX {
        return delivery;
    }
    let why = format!("{QUEUE_MAX} events wait for this receiver already");
    Delivery { state: DeliveryState::GivenUp { at: now, why }, ..delivery }
}

fn hears(stream: &Stream, told: &Told) -> bool {
    stream.status != StreamStatus::Disabled
        && stream.wants(told.event)
        && !stream.without.iter().any(|without| covers(without, &told.subject))
}

/// Whether a subject that is left out covers one that is told of (OpenID SSF 1.0 section 8.1.3.1): equal, or, where both are
/// complex, equal in every member that both have.
fn covers(without: &Value, told: &Value) -> bool {
    let is_complex = |subject: &Value| subject.get("format") == Some(&json!("complex"));
    if !(is_complex(without) && is_complex(told)) {
        return without == told;
    }
    let (Some(without), Some(told)) = (without.as_object(), told.as_object()) else { return false };
    let both = without.iter().filter(|(name, _)| *name != "format");
    both.clone().any(|(name, _)| told.contains_key(name))
        && both.into_iter().all(|(name, value)| told.get(name).is_none_or(|other| other == value))
}

/// A subject identifier: an object with a format.
pub(super) fn is_subject(subject: &Value) -> bool {
    let format = subject.get("format").and_then(Value::as_str);
    format.is_some_and(|format| FORMATS.contains(&format)) && subject.to_string().len() <= SUBJECT_BYTES_MAX
}

fn agent(plane: &Plane, before: Option<&Agent>, now: &Agent, directory: &Directory) -> Vec<Told> {
    let Some(before) = before else { return Vec::new() };
    let subject = subject(plane, now);
    let told = |event, data: Value, title: String| Told {
        event,
        data: data.as_object().cloned().unwrap_or_default(),
        subject: subject.clone(),
        title,
    };
    let name = &now.name;
    let mut all = Vec::new();
    let gone = |row: &Agent| row.status == AgentStatus::Decommissioned;
    match (directory.acts(before), directory.acts(now)) {
        _ if gone(now) && !gone(before) => {
            all.push(told(SESSION_REVOKED, json!({}), format!("{name} is decommissioned")));
            all.push(told(ACCOUNT_PURGED, json!({}), format!("{name} is decommissioned")));
        }
        (true, false) => {
            all.push(told(SESSION_REVOKED, json!({}), format!("{name} is stopped")));
            all.push(told(ACCOUNT_DISABLED, json!({}), format!("{name} is stopped")));
        }
        (false, true) => all.push(told(ACCOUNT_ENABLED, json!({}), format!("{name} may act again"))),
        _ => {}
    }
    if before.level != now.level || before.revision != now.revision {
        let claims = json!({ "claims": { "level": now.level, "charter_revision": now.revision } });
        all.push(told(TOKEN_CLAIMS_CHANGE, claims, format!("what {name} may do has changed")));
    }
    let has = |row: &Agent, proof: &Proof| row.proofs.iter().any(|known| known.id() == proof.id());
    let changes = [("create", now, before), ("delete", before, now)];
    for (change, with, without) in changes {
        for proof in with.proofs.iter().filter(|proof| !has(without, proof)) {
            let kind = match proof {
                Proof::Key { .. } => "jwk",
                Proof::Subject { .. } => "federated-subject",
                Proof::Client { .. } => "client-id",
            };
            let friendly = clean(&proof.id(), TEXT_CHARS_MAX);
            let data = json!({ "credential_type": kind, "change_type": change, "friendly_name": friendly });
            all.push(told(CREDENTIAL_CHANGE, data, format!("a credential of {name}: {change}")));
        }
    }
    all
}

fn task(plane: &Plane, row: &Task) -> Told {
    let mut subject = json!({
        "format": "complex",
        "application": { "format": "iss_sub", "iss": plane.issuer, "sub": row.agent },
        "session": { "format": "opaque", "id": row.id },
    });
    if row.for_person
        && let Some(members) = subject.as_object_mut()
    {
        members.insert(
            "user".to_owned(),
            json!({ "format": "iss_sub", "iss": plane.issuer, "sub": row.requester }),
        );
    }
    let title = format!("a task of {} has ended", row.agent);
    Told { event: SESSION_REVOKED, data: Map::new(), subject, title }
}

fn session(plane: &Plane, row: &Session, directory: &Directory) -> Told {
    let email = directory.people.get(&row.person).and_then(|person| person.email.clone());
    let subject = match email {
        Some(email) => json!({ "format": "email", "email": email }),
        None => json!({ "format": "iss_sub", "iss": plane.issuer, "sub": row.person }),
    };
    let title = format!("a session of {} has ended", row.person);
    Told { event: SESSION_REVOKED, data: Map::new(), subject, title }
}

/// CAEP 1.0 section 2: when, by whom and why.
fn common(record: &ChangeRecord) -> Map<String, Value> {
    let by = if record.by.actor == "plane" { "system" } else { "admin" };
    let common = json!({
        "event_timestamp": record.at.as_seconds(),
        "initiating_entity": by,
        "reason_admin": { "en": clean(&record.by.why, TEXT_CHARS_MAX) },
    });
    common.as_object().cloned().unwrap_or_default()
}

async fn before(plane: &Plane, record: &ChangeRecord) -> Result<Option<Agent>, ControlError> {
    let earlier = Seq(record.seq.0.saturating_sub(1));
    let rows = plane.store.load_at(earlier, std::slice::from_ref::<ObjectKey>(&record.key)).await?;
    Ok(rows.into_iter().find_map(|row| match row {
        Object::Agent(row) => Some(row),
        _ => None,
    }))
}

pub(crate) const SESSION_REVOKED: &str =
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
pub(crate) const TOKEN_CLAIMS_CHANGE: &str =
    "https://schemas.openid.net/secevent/caep/event-type/token-claims-change";
pub(crate) const CREDENTIAL_CHANGE: &str =
    "https://schemas.openid.net/secevent/caep/event-type/credential-change";
pub(crate) const ACCOUNT_DISABLED: &str =
    "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
pub(crate) const ACCOUNT_ENABLED: &str =
    "https://schemas.openid.net/secevent/risc/event-type/account-enabled";
pub(crate) const ACCOUNT_PURGED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-purged";
pub(crate) const CREDENTIAL_COMPROMISE: &str =
    "https://schemas.openid.net/secevent/risc/event-type/credential-compromise";
pub(crate) const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";
pub(crate) const STREAM_UPDATED: &str = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated";
/// What a receiver can ask for. A verification, and that the stream has changed, come whether or not it does.
pub(crate) const ALL: [&str; 6] = [
    SESSION_REVOKED,
    TOKEN_CLAIMS_CHANGE,
    CREDENTIAL_CHANGE,
    ACCOUNT_DISABLED,
    ACCOUNT_ENABLED,
    ACCOUNT_PURGED,
];
const FORMATS: [&str; 11] = [
    "account",
    "email",
    "iss_sub",
    "opaque",
    "phone_number",
    "did",
    "uri",
    "aliases",
    "jwt_id",
    "saml_assertion_id",
    "complex",
];
const KEPT_MAX: DurationMs = DurationMs::from_mins(7 * 24 * 60);
/// Events that wait for one receiver at once.
const QUEUE_MAX: usize = 2_000;
const TEXT_CHARS_MAX: usize = 300;
const SUBJECT_BYTES_MAX: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_that_is_left_out_is_left_out_whole_and_nobody_else_is() {
        let clerk = json!({"format": "iss_sub", "iss": "i", "sub": "clerk"});
        let of = |agent: &str, task: &str| {
            json!({"format": "complex", "application": {"format": "iss_sub", "iss": "i", "sub": agent},
                "session": {"format": "opaque", "id": task}})
        };
        let any_of =
            json!({"format": "complex", "application": {"format": "iss_sub", "iss": "i", "sub": "clerk"}});
        let table = [
            (&clerk, &clerk, true),
            (&clerk, &json!({"format": "iss_sub", "iss": "i", "sub": "other"}), false),
            (&clerk, &of("clerk", "t"), false),
            (&any_of, &of("clerk", "t"), true),
            (&any_of, &of("other", "t"), false),
            (&of("clerk", "t"), &of("clerk", "u"), false),
            (
                &json!({"format": "complex", "tenant": {"format": "opaque", "id": "x"}}),
                &of("clerk", "t"),
                false,
            ),
        ];
        for (without, told, wanted) in table {
            assert_eq!(covers(without, told), wanted, "{without} {told}");
        }
        for bad in [json!("x"), json!({}), json!({"format": "invented"})] {
            assert!(!is_subject(&bad), "{bad}");
        }
    }
}
