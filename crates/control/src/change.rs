//! From a decision about rows to a change that binds: read, decide, commit, catch up. The one place that commits.

use crate::{ControlError, access::Authorised, reason::reason};
use provost_domain::{Directory, Object, ObjectKey, Seq};
use provost_store::{Attribution, ChangeSet, CommitError, Write};
use std::collections::BTreeMap;

/// What an operation decided.
pub(crate) struct Change<T> {
    /// The rows afterwards; none, when all is already as wanted.
    pub(crate) drafts: Vec<Draft>,
    /// What was done, a few words for the record.
    pub(crate) what: String,
    /// What to answer.
    pub(crate) answer: T,
}

/// A row that is to stand, or to go.
#[derive(Debug, Clone)]
pub(crate) enum Draft {
    Put(Object),
    Remove(ObjectKey),
    /// Not written: the others are decided on it, and it must still stand where it was seen.
    Keep(ObjectKey),
}

impl Draft {
    pub(crate) fn key(&self) -> ObjectKey {
        match self {
            Self::Put(object) => object.key(),
            Self::Remove(key) | Self::Keep(key) => key.clone(),
        }
    }
}

/// What an operation decides on: the newest rows, and the versions of those it may write.
pub(crate) struct Seen<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) versions: &'a BTreeMap<ObjectKey, u64>,
}

impl Seen<'_> {
    /// The version a row stood at before the directory was read: a change in between ends in a conflict, never in a
    /// lost update.
    pub(crate) fn version(&self, key: &ObjectKey) -> u64 {
        self.versions.get(key).copied().unwrap_or(0)
    }

    /// Refuses when the caller saw another version.
    pub(crate) fn expect(&self, key: &ObjectKey, wanted: Option<u64>) -> Result<(), ControlError> {
        let found = self.version(key);
        match wanted {
            Some(wanted) if wanted != found => Err(ControlError::conflict(format!(
                "{key} stands at version {found}, not {wanted}: somebody changed it meanwhile"
            ))
            .cure("read it again, then decide again")),
            _ => Ok(()),
        }
    }
}

impl Authorised<'_> {
    /// Changes rows under these keys. `decide` is called again, on newer rows, when somebody else was faster.
    ///
    /// # Errors
    /// What `decide` refuses; a conflict that does not go away; whatever the store says.
    pub(crate) async fn change<T>(
        &self,
        keys: &[ObjectKey],
        why: &str,
        decide: impl Fn(&Seen<'_>) -> Result<Change<T>, ControlError>,
    ) -> Result<(Seq, T), ControlError> {
        let why = reason(why)?;
        for attempt in 1.. {
            // Versions first, rows after: a row that moves in between is newer than its version, and conflicts.
            let versions = self.versions(keys).await?;
            let seq = self.op.plane.replica.catch_up().await?;
            let view = self.op.plane.replica.latest();
            let change = decide(&Seen { directory: &view.directory, versions: &versions })?;
            if change.drafts.is_empty() {
                return Ok((seq, change.answer));
            }
            match self.commit(change.drafts, &versions, &change.what, why).await {
                Ok(seq) => {
                    self.bind(seq).await?;
                    return Ok((seq, change.answer));
                }
                Err(CommitError::Conflict { .. }) if attempt < ATTEMPTS_MAX => {}
                Err(error) => return Err(error.into()),
            }
            self.op.plane.metrics.conflict();
        }
        Err(ControlError::conflict("the rows keep changing"))
    }

    /// The versions of these rows now.
    pub(crate) async fn versions(
        &self,
        keys: &[ObjectKey],
    ) -> Result<BTreeMap<ObjectKey, u64>, ControlError> {
        let mut versions = BTreeMap::new();
        for key in keys {
            versions.insert(key.clone(), self.op.plane.store.version(key).await?);
        }
        Ok(versions)
    }

    /// Commits rows at the versions they were seen at. A crash after it loses the answer only: the change stands, and
    /// its record says who and why.
    pub(crate) async fn commit(
        &self,
        drafts: Vec<Draft>,
        versions: &BTreeMap<ObjectKey, u64>,
        what: &str,
        why: &str,
    ) -> Result<Seq, CommitError> {
        let plane = &self.op.plane;
        let expected = |key: &ObjectKey| versions.get(key).copied().unwrap_or(0);
        let writes = drafts
            .into_iter()
            .map(|draft| match draft {
                Draft::Put(object) => Write::Put { expected: expected(&object.key()), object },
                Draft::Remove(key) => Write::Remove { expected: expected(&key), key },
                Draft::Keep(key) => Write::Keep { expected: expected(&key), key },
            })
            .collect();
        let by = Attribution { actor: self.op.subject.to_string(), why: format!("{what}: {why}") };
        let receipt = plane.store.commit(ChangeSet { by, at: plane.now(), writes }).await?;
        plane.metrics.change();
        tracing::info!(
            request = %self.op.request_id, subject = %self.op.subject, action = self.action.as_str(),
            seq = %receipt.seq, what, "changed"
        );
        Ok(receipt.seq)
    }

    /// Waits until this node decides on the change. Every other node reads it, or stops deciding when its lease ends.
    pub(crate) async fn bind(&self, seq: Seq) -> Result<(), ControlError> {
        match self.op.plane.replica.catch_up().await {
            Ok(reached) if reached >= seq => Ok(()),
            Ok(reached) => Err(not_binding(seq, &format!("the store showed changes up to {reached} only"))),
            Err(error) => Err(not_binding(seq, &error.to_string())),
        }
    }
}

fn not_binding(seq: Seq, because: &str) -> ControlError {
    ControlError::unavailable(format!(
        "the change was made, at position {seq}, but this node could not read it back"
    ))
    .because(because)
    .cure("do not repeat it; it binds as soon as the store answers, and until then calls are refused")
}

const ATTEMPTS_MAX: u32 = 8;
