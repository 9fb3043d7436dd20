//! How far what an order leads to outside has got: accounts at systems, receivers of signals, channels. All of it are deliveries
//! of the outbox, which stay known while the order is in force; here they are counted.

use crate::{ControlError, outbox::scim, plane::Plane};
use provost_domain::{
    Agent, AgentStatus, Containment, Delivery, Directory, Object, ObjectKey, System, containment::Reached,
    delivery::DeliveryState,
};
use std::{collections::BTreeMap, sync::Arc};

/// What became of the accounts of these agents at a system, under this order. What is not on record yet is owed all the same.
///
/// # Errors
/// When the store fails.
pub(super) async fn accounts(
    plane: &Plane,
    order: &Containment,
    agents: &[Arc<Agent>],
    system: &System,
    directory: &Directory,
) -> Result<Reached, ControlError> {
    let mut reached = Reached::default();
    if !scim::leads_outward(order) || !order.scope.has_call(&system.name, None) {
        return Ok(reached);
    }
    let mut looks = LOOKS_MAX;
    for agent in agents.iter().filter(|agent| agent.charter.systems().contains(&system.name)) {
        let Some(id) = scim::owed_by(order, &agent.name, system) else { continue };
        reached.owed = reached.owed.saturating_add(1);
        match directory.deliveries.get(&id) {
            Some(row) => count(&mut reached, &row.state),
            // Nothing follows what was owed for somebody who never acts again, so it is not kept in mind.
            None if agent.status == AgentStatus::Decommissioned && looks > 0 => {
                looks = looks.saturating_sub(1);
                let last = plane.store.history(&ObjectKey::delivery(&id), 1).await?.pop();
                if let Some(Object::Delivery(row)) = last.and_then(|record| record.after) {
                    count(&mut reached, &row.state);
                }
            }
            None => {}
        }
    }
    Ok(reached)
}

/// Who outside was told of an order, by lane.
pub(super) fn told(order: &Containment, directory: &Directory) -> BTreeMap<String, Reached> {
    let key = ObjectKey::containment(&order.id);
    let mut told: BTreeMap<String, Reached> = BTreeMap::new();
    let about = |row: &&Arc<Delivery>| row.followed && row.about.as_ref() == Some(&key);
    for row in directory.deliveries.values().filter(about) {
        let reached = told.entry(row.lane.clone()).or_default();
        reached.owed = reached.owed.saturating_add(1);
        count(reached, &row.state);
    }
    told
}

/// In words, for people: who receives on a lane.
pub(super) fn who(lane: &str, directory: &Directory) -> String {
    let stream = provost_domain::Stream::of_lane(lane).and_then(|id| directory.streams.get(id));
    match stream {
        Some(stream) => format!("workload {}", stream.receiver),
        None => lane.replacen('/', " ", 1),
    }
}

fn count(reached: &mut Reached, state: &DeliveryState) {
    match state {
        DeliveryState::Due { .. } => {}
        DeliveryState::Delivered { .. } => reached.done = reached.done.saturating_add(1),
        // Nobody needed it any more, and nobody looked.
        DeliveryState::GivenUp { .. } | DeliveryState::Withdrawn { .. } => {
            reached.given_up = reached.given_up.saturating_add(1);
        }
    }
}

/// Rows of decommissioned agents looked up in the store in one look; more are not known.
const LOOKS_MAX: usize = 1_000;
