//! Accounts that agents have at systems themselves: made inactive there when the agent may not act any more, and looked at
//! afterwards. Nothing is made active again: who may have an account says whoever runs that system.

use crate::{ControlError, plane::Plane};
use provost_connect::scim::{ScimAccount, ScimFault, ScimSeen};
use provost_domain::{
    Agent, AgentStatus, Delivery, Directory, Level, Name, Object, ObjectKey, System, Timestamp,
    delivery::{DeliveryState, delivery_id},
};
use provost_lifecycle::delivery::{AGE_MAX, Came};
use provost_store::ChangeRecord;
use serde_json::{Map, json};

/// What a change of an agent owes the systems it has accounts at.
pub(super) fn owed(record: &ChangeRecord, directory: &Directory, now: Timestamp) -> Vec<Delivery> {
    let Some(Object::Agent(agent)) = &record.after else { return Vec::new() };
    if runs(agent) {
        return Vec::new();
    }
    let cause = format!("{} {}", record.key, record.seq);
    let systems = agent.charter.systems().into_iter().filter_map(|name| directory.systems.get(name));
    systems.filter_map(|system| deactivation(&agent.name, system, (&cause, record.seq.0), now)).collect()
}

/// The order to make an agent's account at a system inactive; `None` where it has none. The same cause orders once.
pub(crate) fn deactivation(
    agent: &Name,
    system: &System,
    (cause, order): (&str, u64),
    now: Timestamp,
) -> Option<Delivery> {
    let account = system.scim.as_ref()?;
    let lane = format!("{LANE}{}", system.name);
    let mut payload = Map::new();
    payload.insert(
        "title".to_owned(),
        json!(format!("the account of {agent} at {} is made inactive", system.name)),
    );
    payload.insert("agent".to_owned(), json!(agent));
    payload.insert("user".to_owned(), json!(account.user_of(agent)));
    Some(Delivery {
        id: delivery_id(&format!("{KIND} {cause} {agent}"), &lane),
        lane,
        order,
        kind: KIND.to_owned(),
        about: Some(ObjectKey::new(provost_domain::Kind::Agent, agent.as_str())),
        payload,
        only_while_waiting: true,
        followed: false,
        created: now,
        until: now.plus(AGE_MAX),
        attempts: 0,
        last: None,
        state: DeliveryState::Due { next: now },
    })
}

/// The system that a lane leads to.
pub(super) fn of_lane(lane: &str) -> Option<&str> {
    lane.strip_prefix(LANE)
}

/// Whether the agent may act, so that its accounts are left alone.
pub(super) fn runs(agent: &Agent) -> bool {
    agent.status == AgentStatus::Active && agent.level != Level::Off
}

/// One attempt. Done is what was read back.
///
/// # Errors
/// When the store or the sealing key fails; nothing was sent then.
pub(super) async fn attempt(
    plane: &Plane,
    directory: &Directory,
    delivery: &Delivery,
    system: &str,
) -> Result<Came, ControlError> {
    let account = directory.systems.get(system).and_then(|system| system.scim.clone());
    let Some(account) = account else {
        return Ok(Came::Refused { why: "the system has no `scim` any more".to_owned() });
    };
    let user = delivery.payload.get("user").and_then(|user| user.as_str()).unwrap_or_default();
    let token = match &account.credential {
        None => None,
        Some(name) => match plane.store.sealed(name).await?.filter(|sealed| !sealed.is_empty()) {
            Some(sealed) => {
                let opened = plane.sealing_key.open(name.as_str(), &sealed);
                Some(opened.map_err(|error| ControlError::us("a token cannot be opened", error))?)
            }
            None => {
                let why = format!("its token is not set; run `provost credential set {name}`");
                return Ok(Came::Failed { why, wait: None });
            }
        },
    };
    let asked = ScimAccount { url: &account.url, user, token: token.as_ref() };
    Ok(match plane.upstreams.deactivate(&asked).await {
        Ok(ScimSeen::Inactive { id }) => {
            let id = provost_notify::text::clean(&id, ID_CHARS_MAX);
            Came::Arrived { receipt: format!("read back: {id} is not active") }
        }
        Ok(ScimSeen::Absent) => Came::Arrived { receipt: "there is no such account".to_owned() },
        Err(ScimFault::Later(why)) => Came::Failed { why, wait: None },
        Err(ScimFault::Never(why)) => Came::Refused { why },
    })
}

const LANE: &str = "scim/";
const KIND: &str = "scim-deactivate";
const ID_CHARS_MAX: usize = 80;
