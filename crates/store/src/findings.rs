//! The seam for whoever has something that a person should know: with the store and the rows they have already, any room
//! raises a finding.

use crate::{Attribution, ChangeSet, CommitError, Store, StoreError, Write};
use provost_domain::{
    Directory, Finding, Name, Object, ObjectKey, Sighting, Timestamp, finding::FindingState,
};
use provost_lifecycle::finding as life;

/// Puts on record what was seen: a new finding, or the known one seen again. Any number of nodes may see the same at once.
/// `None` when it says nothing new. Nothing that is decided waits for it.
///
/// # Errors
/// When the store fails, or the row keeps changing.
pub async fn raise_finding(
    store: &dyn Store,
    directory: &Directory,
    sighting: &Sighting,
    now: Timestamp,
) -> Result<Option<Finding>, CommitError> {
    let id = life::id(sighting);
    let owner = owner(directory, sighting);
    for round in 1.. {
        let known = finding(store, &id).await?;
        let before = known.as_ref().map(|(_version, row)| row);
        let Some(after) = life::seen(before, sighting, owner, now) else { return Ok(None) };
        let opens = after.state == FindingState::Open
            && before.is_none_or(|row| matches!(row.state, FindingState::Closed { .. }));
        let (after, folded) =
            if opens { life::make_room(directory, after, now) } else { (after, Vec::new()) };
        let why = format!("{}: {}", after.kind, after.what);
        let expected = known.as_ref().map_or(0, |(version, _row)| *version);
        let mut writes = vec![Write::Put { object: Object::Finding(Box::new(after.clone())), expected }];
        for row in folded {
            let expected = store.version(&ObjectKey::finding(&row.id)).await?;
            writes.push(Write::Put { object: Object::Finding(Box::new(row)), expected });
        }
        let by = Attribution { actor: PLANE.to_owned(), why };
        match store.commit(ChangeSet { by, at: now, writes }).await {
            Ok(_receipt) => return Ok(Some(after)),
            // Somebody saw it too, or answered it: theirs is read.
            Err(CommitError::Conflict { .. }) if round < ROUNDS_MAX => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// A finding with the version its row stands at, filed ones too.
///
/// # Errors
/// When the store cannot be read.
pub async fn finding(store: &dyn Store, id: &str) -> Result<Option<(u64, Finding)>, StoreError> {
    let history = store.history(&ObjectKey::finding(id), 1).await?;
    Ok(history.into_iter().find_map(|record| match record.after {
        Some(Object::Finding(row)) => Some((record.version, *row)),
        _ => None,
    }))
}

/// Who answers for what it is about.
fn owner<'d>(directory: &'d Directory, sighting: &Sighting) -> Option<&'d Name> {
    let agent = sighting.about.agent.as_ref().and_then(|name| directory.agents.get(name))?;
    Some(agent.answers())
}

const PLANE: &str = "plane";
const ROUNDS_MAX: u32 = 16;
