//! Who carries what, by its lane.

use super::{callback, route::Lane, scim};
use crate::{ControlError, plane::Plane};
use provost_connect::Secret;
use provost_domain::{Channel, Delivery, Directory, Stream};
use provost_lifecycle::delivery::Came;
use provost_notify::{Notice, Parcel, carry};

/// One attempt.
///
/// # Errors
/// When the store or the sealing key fails; nothing was sent then.
pub(super) async fn attempt(
    plane: &Plane,
    directory: &Directory,
    delivery: &Delivery,
) -> Result<Came, ControlError> {
    if let Some(id) = Stream::of_lane(&delivery.lane) {
        return match directory.streams.get(id) {
            Some(stream) => crate::signal::push(plane, stream, delivery).await,
            None => Ok(refused("the stream is gone")),
        };
    }
    if let Some(workload) = callback::workload(&delivery.lane) {
        return callback::attempt(plane, directory, delivery, workload).await;
    }
    if let Some(system) = scim::of_lane(&delivery.lane) {
        return scim::attempt(plane, directory, delivery, system).await;
    }
    match Lane::read(&delivery.lane) {
        Some(lane) => message(plane, directory, delivery, &lane).await,
        None => Ok(refused("nobody carries what is on this lane")),
    }
}

async fn message(
    plane: &Plane,
    directory: &Directory,
    delivery: &Delivery,
    lane: &Lane,
) -> Result<Came, ControlError> {
    let Some(channel) = directory.channels.get(&lane.channel) else {
        return Ok(refused("the channel is gone"));
    };
    let to = match &lane.person {
        None => None,
        Some(person) => {
            match directory.people.get(person).filter(|row| row.active).and_then(|row| row.email.clone()) {
                Some(address) => Some(address),
                None => return Ok(refused("the person has left, or has no mail address")),
            }
        }
    };
    let payload = serde_json::Value::Object(delivery.payload.clone());
    let Ok(notice) = serde_json::from_value::<Notice>(payload) else {
        return Ok(refused("what is to be said cannot be read"));
    };
    let opened = opened(plane, channel).await?;
    let parcel = Parcel { id: &delivery.id, notice: &notice, to: to.as_deref(), now: plane.now() };
    Ok(carry(&plane.upstreams, channel, &opened, parcel).await)
}

/// The channel's secrets, as many as are set.
async fn opened(plane: &Plane, channel: &Channel) -> Result<Vec<Secret>, ControlError> {
    let mut opened = Vec::new();
    for name in channel.way.sealed_names() {
        let sealed = plane.store.sealed(name).await?.filter(|sealed| !sealed.is_empty());
        let Some(sealed) = sealed else { break };
        let secret = plane.sealing_key.open(name.as_str(), &sealed);
        opened
            .push(secret.map_err(|error| ControlError::us("a secret of a channel cannot be opened", error))?);
    }
    Ok(opened)
}

fn refused(why: &str) -> Came {
    Came::Refused { why: why.to_owned() }
}
