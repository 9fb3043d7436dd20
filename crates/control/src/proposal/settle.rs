//! What housekeeping does: proposals that nobody answered in time, and those whose rows have moved. Nothing here is needed
//! for a refusal: whoever answers one finds the same.

use crate::{
    Action, ControlError, Op,
    change::{Change, Draft},
};
use provost_domain::{Object, ObjectKey, Proposal};
use provost_lifecycle::proposal as life;
use std::collections::BTreeMap;

/// Does it once.
pub(crate) async fn settle(op: &Op) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::ProposalSettle)?;
    let view = op.plane.replica.latest();
    for row in view.directory.proposals.values() {
        let Some((next, why)) = settled(op, row).await? else { continue };
        let id = row.id.as_str();
        authorised
            .change(&[ObjectKey::proposal(id)], &why, |seen| {
                let same = seen.directory.proposals.get(id).is_some_and(|known| known == row);
                let draft = same.then(|| Draft::Put(Object::Proposal(Box::new(next.clone()))));
                Ok(Change { drafts: draft.into_iter().collect(), what: format!("{id} settled"), answer: () })
            })
            .await?;
    }
    Ok(())
}

async fn settled(op: &Op, row: &Proposal) -> Result<Option<(Proposal, String)>, ControlError> {
    let now = op.plane.now();
    if let Some(next) = life::expire(row, now) {
        return Ok(Some((next, "not everybody answered in time".to_owned())));
    }
    let moved = super::view::moved(op, row).await?;
    let Some(first) = moved.first() else { return Ok(None) };
    let why = format!("{first} has changed since it was made");
    Ok(life::stale(row, &why, now).map(|next| (next, why)))
}

/// The versions that the rows of a proposal stand at now.
pub(super) async fn versions(op: &Op, row: &Proposal) -> Result<BTreeMap<ObjectKey, u64>, ControlError> {
    let mut versions = BTreeMap::new();
    for (key, _base) in row.bases() {
        let version = op.plane.store.version(&key).await?;
        versions.insert(key, version);
    }
    Ok(versions)
}
