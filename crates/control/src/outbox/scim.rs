//! Accounts that agents have at systems themselves: made inactive there when the agent may not act any more, and looked at
//! afterwards. Made active again is only what an order made inactive, once the agent may act again: who may have an account
//! says whoever runs that system.

use crate::{ControlError, plane::Plane};
use provost_connect::{
    Secret,
    scim::{ScimAccount, ScimFault, ScimSeen},
};
use provost_domain::{
    Agent, AgentStatus, Containment, Delivery, Digest, Directory, DurationMs, Name, Object, ObjectKey,
    Restraint, System, Timestamp,
    delivery::{DeliveryState, delivery_id},
    system::ScimUse,
};
use provost_lifecycle::delivery::{AGE_MAX, Came};
use provost_store::ChangeRecord;
use serde_json::{Map, json};

/// What a change owes the systems that agents have accounts at: when an agent stops acting by itself, and when an order at level
/// `off` is given, or comes to hit an agent or a system that was not there before.
pub(super) fn owed(record: &ChangeRecord, directory: &Directory, now: Timestamp) -> Vec<Delivery> {
    let seq = record.seq.0;
    let by_orders = |agent: &Agent, system: &System| -> Vec<Delivery> {
        let orders = directory.orders_off_at(agent, &system.name).filter(|order| !order.drill);
        orders.filter_map(|order| by_order(order, agent, system, (seq, now))).collect()
    };
    match &record.after {
        Some(Object::Agent(agent)) => {
            let mut owed: Vec<Delivery> =
                systems(agent, directory).flat_map(|system| by_orders(agent, system)).collect();
            if !agent.acts() {
                let cause = (format!("{} {}", record.key, record.seq), record.seq.0);
                let own = systems(agent, directory)
                    .filter_map(|system| deactivation(&agent.name, system, (&cause.0, cause.1), now));
                owed.extend(own);
            }
            owed
        }
        Some(Object::Containment(order)) if record.version == 1 && leads_outward(order) => {
            let organisation = directory.organisation.as_deref();
            let agents = directory.agents.values().filter(|agent| order.scope.has_agent(agent, organisation));
            let pairs = agents.flat_map(|agent| systems(agent, directory).map(move |system| (agent, system)));
            let hit = pairs.filter(|(_agent, system)| order.scope.has_call(&system.name, None));
            hit.filter_map(|(agent, system)| by_order(order, agent, system, (seq, now))).collect()
        }
        Some(Object::System(system)) if system.scim.is_some() && !directory.containments.is_empty() => {
            let agents = directory.agents.values();
            let theirs = agents.filter(|agent| agent.charter.systems().contains(&system.name));
            theirs.flat_map(|agent| by_orders(agent, system)).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether an order is told and carried outside: one that leaves nothing, and is meant.
pub(crate) fn leads_outward(order: &Containment) -> bool {
    order.level == Restraint::Off && !order.drill
}

fn systems<'d>(agent: &'d Agent, directory: &'d Directory) -> impl Iterator<Item = &'d System> {
    agent.charter.systems().into_iter().filter_map(|name| directory.systems.get(name)).map(AsRef::as_ref)
}

/// What an order owes the account of one agent at one system. It stays known after it was carried out, until the agent may act
/// there again: then what the order made inactive is made active ([`back`]).
fn by_order(
    order: &Containment,
    agent: &Agent,
    system: &System,
    (seq, now): (u64, Timestamp),
) -> Option<Delivery> {
    let mut made = deactivation(&agent.name, system, (&order.id, seq), now)?;
    made.payload.insert(ORDER.to_owned(), json!(order.id));
    // Who is decommissioned never acts again.
    made.followed = agent.status != AgentStatus::Decommissioned;
    Some(made)
}

/// The id of what an order owes the account of an agent at a system; `None` where it has none.
pub(crate) fn owed_by(order: &Containment, agent: &Name, system: &System) -> Option<String> {
    system.scim.as_ref().map(|_account| id_of(&order.id, agent, system))
}

fn id_of(cause: &str, agent: &Name, system: &System) -> String {
    delivery_id(&format!("{KIND} {cause} {agent}"), &place(system.name.as_str()))
}

/// All accounts of a system.
pub(super) fn place(system: &str) -> String {
    format!("{LANE}{system}")
}

/// Each account has a lane of its own: one that cannot be changed keeps no other waiting.
fn lane_of(system: &System, agent: &Name) -> String {
    format!("{}/{agent}", place(system.name.as_str()))
}

/// The order to make an agent's account at a system inactive; `None` where it has none. The same cause orders once.
fn deactivation(
    agent: &Name,
    system: &System,
    (cause, order): (&str, u64),
    now: Timestamp,
) -> Option<Delivery> {
    let account = system.scim.as_ref()?;
    let title = format!("the account of {agent} at {} is made inactive", system.name);
    let user = account.user_of(agent);
    let place = (lane_of(system, agent), order);
    Some(wanted((KIND, &title), id_of(cause, agent, system), place, (agent, &user), now))
}

fn wanted(
    (kind, title): (&str, &str),
    id: String,
    (lane, order): (String, u64),
    (agent, user): (&Name, &str),
    now: Timestamp,
) -> Delivery {
    let mut payload = Map::new();
    payload.insert("title".to_owned(), json!(title));
    payload.insert("agent".to_owned(), json!(agent));
    payload.insert("user".to_owned(), json!(user));
    Delivery {
        id,
        lane,
        order,
        kind: kind.to_owned(),
        about: Some(ObjectKey::new(provost_domain::Kind::Agent, agent.as_str())),
        payload,
        only_while_waiting: true,
        followed: false,
        created: now,
        until: now.plus(AGE_MAX),
        attempts: 0,
        last: None,
        state: DeliveryState::Due { next: now },
    }
}

/// Whether what was ordered of an account is still wanted: the agent may not act there, or may again.
pub(super) fn is_wanted(delivery: &Delivery, agent: &Agent, directory: &Directory) -> bool {
    let system = of_lane(&delivery.lane).and_then(|system| system.parse::<Name>().ok());
    let acts = match &system {
        Some(system) => directory.acts_at(agent, system),
        None => directory.acts(agent),
    };
    acts == (delivery.kind == BACK)
}

/// What follows a deactivation that an order wanted, once the agent may act again.
pub(super) enum Back {
    /// The order made it inactive: it is made active.
    Owed(Box<Delivery>),
    /// Nobody knows whether the order did: a person has to look.
    Unclear,
    /// It was not active before, there is none, or nothing was sent.
    Nothing,
}

/// See [`Back`].
pub(super) fn back(row: &Delivery, directory: &Directory, now: Timestamp) -> Back {
    let names = row.payload.get("agent").and_then(|agent| agent.as_str()).zip(of_lane(&row.lane));
    let parsed =
        names.and_then(|(agent, system)| agent.parse::<Name>().ok().zip(system.parse::<Name>().ok()));
    let Some((agent, system)) = parsed else { return Back::Nothing };
    match &row.state {
        DeliveryState::Delivered { receipt, .. } if receipt.ends_with(WAS_ACTIVE) => {
            let user = row.payload.get("user").and_then(|user| user.as_str()).unwrap_or_default();
            let title = format!("the account of {agent} at {system} is made active again");
            let id = delivery_id(&format!("{BACK} {}", row.id), &row.lane);
            let place = (row.lane.clone(), directory.seq.0.max(row.order));
            Back::Owed(Box::new(wanted((BACK, &title), id, place, (&agent, user), now)))
        }
        DeliveryState::Delivered { receipt, .. } if receipt.ends_with(UNCLEAR) => Back::Unclear,
        DeliveryState::Delivered { .. } => Back::Nothing,
        _ if row.attempts > 0 => Back::Unclear,
        _ => Back::Nothing,
    }
}

/// The system that a lane leads to; one from before accounts had lanes names nothing else.
pub(crate) fn of_lane(lane: &str) -> Option<&str> {
    let rest = lane.strip_prefix(LANE)?;
    Some(rest.split_once('/').map_or(rest, |(system, _agent)| system))
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
    let token = match token(plane, &account).await? {
        Ok(token) => token,
        Err(why) => return Ok(Came::Failed { why, wait: None }),
    };
    // A node that died in the middle of an attempt marked nothing on the row, and a person who wants it tried again begins anew.
    let (word, now) = (Digest::of(format!("scim {} begun", delivery.id).as_bytes()), plane.now());
    let first = plane.store.remember(word, now.plus(BEGUN_FOR), now).await?;
    let asked = ScimAccount { url: &account.url, user, token: token.as_ref() };
    let active = delivery.kind == BACK;
    Ok(match plane.upstreams.set_active(&asked, active).await {
        Ok(ScimSeen::AsWanted { id, before }) => {
            let id = provost_notify::text::clean(&id, ID_CHARS_MAX);
            let how = match (active, before) {
                (true, _) => "is active",
                (false, false) => WAS_ACTIVE,
                (false, true) if first => WAS_INACTIVE,
                // An attempt before this one may have done it.
                (false, true) => UNCLEAR,
            };
            Came::Arrived { receipt: format!("read back: {id} {how}") }
        }
        Ok(ScimSeen::Absent) => Came::Arrived { receipt: "there is no such account".to_owned() },
        Err(ScimFault::Later(why)) => Came::Failed { why, wait: None },
        Err(ScimFault::Never(why)) => Came::Refused { why },
    })
}

/// The token that a server of accounts wants, if it wants one; or why it is not there.
///
/// # Errors
/// When the store or the sealing key fails.
pub(crate) async fn token(
    plane: &Plane,
    account: &ScimUse,
) -> Result<Result<Option<Secret>, String>, ControlError> {
    let Some(name) = &account.credential else { return Ok(Ok(None)) };
    let Some(sealed) = plane.store.sealed(name).await?.filter(|sealed| !sealed.is_empty()) else {
        return Ok(Err(format!("its token is not set; run `provost credential set {name}`")));
    };
    let opened = plane.sealing_key.open(name.as_str(), &sealed);
    opened.map(|token| Ok(Some(token))).map_err(|error| ControlError::us("a token cannot be opened", error))
}

const LANE: &str = "scim/";
const KIND: &str = "scim-deactivate";
const BACK: &str = "scim-activate";
/// The order that wants it, in the payload.
const ORDER: &str = "order";
/// How receipts end: what is made active again follows from them.
const WAS_ACTIVE: &str = "is not active, and was before";
const WAS_INACTIVE: &str = "is not active, and was not before";
const UNCLEAR: &str = "is not active";
const ID_CHARS_MAX: usize = 80;
/// Longer than an attempt that was begun is of any interest.
const BEGUN_FOR: DurationMs = DurationMs::from_secs(90 * 24 * 3_600);
