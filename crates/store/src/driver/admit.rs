//! Whether a set of writes may be made: every version as expected, every claim free. Writes nothing.

use crate::{ChangeRecord, ChangeSet, CommitError, StoreError, Write};
use provost_domain::{Object, ObjectKey, Seq};
use std::collections::HashMap;

/// Where a row stands, gone or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The version of its newest change.
    pub version: u64,
    /// Whether that change removed it.
    pub removed: bool,
}

/// What a row is after a change, as the tables say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowState {
    /// Stands.
    Live,
    /// A task, session, minted credential, approval or envelope that is over.
    Ended,
    /// Gone.
    Removed,
}

impl RowState {
    /// Of a row after its change.
    #[must_use]
    pub fn of(after: Option<&Object>) -> Self {
        match after {
            None => Self::Removed,
            Some(over) if over.is_over() => Self::Ended,
            Some(_) => Self::Live,
        }
    }

    /// The word in the tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ended => "ended",
            Self::Removed => "removed",
        }
    }
}

/// Goes through the writes in their order, each on what the ones before left, and makes their records, numbered from
/// the one after `head`.
///
/// # Errors
/// [`CommitError::Conflict`] and [`CommitError::Taken`] for the first write that may not be; the errors of the look-ups.
pub fn admit(
    set: &ChangeSet,
    head: Seq,
    mut standing: impl FnMut(&ObjectKey) -> Result<Option<Standing>, StoreError>,
    mut holder: impl FnMut(&str) -> Result<Option<ObjectKey>, StoreError>,
) -> Result<Vec<ChangeRecord>, CommitError> {
    let mut moved: HashMap<ObjectKey, Standing> = HashMap::new();
    let mut claimed: HashMap<String, ObjectKey> = HashMap::new();
    let mut records = Vec::with_capacity(set.writes.len());
    let mut next = head.0;
    for write in &set.writes {
        let key = write.key();
        let stands = match moved.get(&key) {
            Some(stands) => Some(*stands),
            None => standing(&key)?,
        };
        let found = stands.filter(|stands| !stands.removed).map_or(0, |stands| stands.version);
        let (expected, after) = match write {
            Write::Put { object, expected } => (*expected, Some(object)),
            Write::Remove { expected, .. } => (*expected, None),
            Write::Keep { expected, .. } if found == *expected => continue,
            Write::Keep { expected, .. } => {
                return Err(CommitError::Conflict { key, found, expected: *expected });
            }
        };
        // There is nothing to remove where nothing stands, whatever was expected.
        if found != expected || (after.is_none() && found == 0) {
            return Err(CommitError::Conflict { key, found, expected });
        }
        for claim in after.iter().flat_map(|object| object.claims()) {
            let by = match claimed.get(&claim) {
                Some(by) => Some(by.clone()),
                None => holder(&claim)?,
            };
            if let Some(by) = by.filter(|by| *by != key) {
                return Err(CommitError::Taken { claim, by });
            }
            claimed.insert(claim, key.clone());
        }
        let version = stands.map_or(0, |stands| stands.version).saturating_add(1);
        moved.insert(key.clone(), Standing { version, removed: after.is_none() });
        let (by, after) = (set.by.clone(), after.cloned());
        next = next.saturating_add(1);
        records.push(ChangeRecord { v: 1, seq: Seq(next), at: set.at, by, key, version, after });
    }
    Ok(records)
}
