//! What ends with a person who leaves, whoever says so: an identity provider's signal, a connector. In the change that says that
//! the person left, or as long as there is more of it in those right after: their sessions, the links they were given, the tasks
//! they asked for and everything below these, what they had agreed to, the envelopes they granted, their accounts at systems.
//! Their agents are handed on by [`crate::upkeep`]. Nothing of this comes back when the person does.

use crate::{
    ControlError,
    access::Authorised,
    account,
    change::{Change, Draft, Seen},
};
use provost_domain::{
    Account, Directory, Envelope, Invite, Name, Object, ObjectKey, Passkey, Session, TaskId, Timestamp,
    approval::EnvelopeStatus, passkey::Removed,
};
use provost_lifecycle::{approval, proposal, task};
use std::{collections::BTreeSet, sync::Arc};

/// The rows that end, at most so many at once.
pub(crate) fn keys(directory: &Directory, name: &Name, for_ever: bool) -> Vec<ObjectKey> {
    rows(directory, name, for_ever).into_iter().take(AT_ONCE).collect()
}

fn rows(directory: &Directory, name: &Name, for_ever: bool) -> Vec<ObjectKey> {
    let mut keys: Vec<ObjectKey> = Vec::new();
    let sessions = directory.sessions.values().filter(|row| row.person == *name);
    keys.extend(sessions.map(|row| ObjectKey::session(&row.id)));
    let invites = directory.invites.values().filter(|row| row.person.as_ref() == Some(name));
    keys.extend(invites.map(|row| ObjectKey::invite(&row.id)));
    keys.extend(tasks(directory, name).into_iter().map(ObjectKey::task));
    let moment = Timestamp::from_millis(0);
    let approvals = directory.approvals.values().filter(|row| approval::left(row, name, moment).is_some());
    keys.extend(approvals.map(|row| ObjectKey::approval(&row.id)));
    let proposals = directory.proposals.values().filter(|row| proposal::left(row, name).is_some());
    keys.extend(proposals.map(|row| ObjectKey::proposal(&row.id)));
    let envelopes = directory.envelopes.values().filter(|row| is_of(row, name));
    keys.extend(envelopes.map(|row| ObjectKey::envelope(&row.agent, &row.id)));
    let accounts = directory.accounts.values().filter(|row| row.person == *name);
    keys.extend(accounts.map(|row| ObjectKey::account(&row.system, &row.person)));
    if for_ever {
        keys.extend(directory.passkeys_of(name).map(|row| ObjectKey::passkey(&row.person, &row.id)));
    }
    keys
}

/// What becomes of these rows, of those whose versions were seen.
pub(crate) fn drafts(seen: &Seen<'_>, name: &Name, by: &str, now: Timestamp) -> Vec<Draft> {
    let directory = seen.directory;
    let known = |key: &ObjectKey| seen.versions.contains_key(key);
    let left = format!("{name} has left");
    let ended = |key: ObjectKey| -> Option<Draft> {
        let object = directory.get(&key)?;
        Some(Draft::Put(match object {
            Object::Session(row) => Object::Session(Session { ended: true, ..row }),
            Object::Invite(row) => Object::Invite(Invite { used: Some(now), ..row }),
            Object::Task(row) => Object::Task(task::end(&row)),
            Object::Approval(row) => Object::Approval(Box::new(approval::left(&row, name, now)?)),
            Object::Proposal(row) => Object::Proposal(Box::new(proposal::left(&row, name)?)),
            Object::Envelope(row) => {
                let status = EnvelopeStatus::Revoked { at: now, by: by.to_owned(), why: left.clone() };
                Object::Envelope(Box::new(Envelope { status, ..*row }))
            }
            Object::Passkey(row) => {
                let removed = Some(Removed { at: now, by: by.to_owned() });
                Object::Passkey(Box::new(Passkey { removed, ..*row }))
            }
            Object::Account(_) => return Some(Draft::Remove(key)),
            _ => return None,
        }))
    };
    rows(directory, name, true).into_iter().filter(known).filter_map(ended).collect()
}

/// The accounts the person had, to be made worthless after the change ([`forget`]).
pub(crate) fn accounts(directory: &Directory, name: &Name) -> Vec<Arc<Account>> {
    directory.accounts.values().filter(|row| row.person == *name).map(Arc::clone).collect()
}

/// What did not fit into the change, or began meanwhile; and what the systems gave is forgotten.
///
/// # Errors
/// When the store fails; the person has left all the same, and what is theirs is refused.
pub(crate) async fn rest(
    authorised: &Authorised<'_>,
    name: &Name,
    accounts: Vec<Arc<Account>>,
    why: &str,
) -> Result<(), ControlError> {
    let plane = &authorised.op.plane;
    let by = authorised.op.subject.to_string();
    for _round in 0..ROUNDS_MAX {
        let keys = keys(&plane.replica.latest().directory, name, false);
        if keys.is_empty() {
            break;
        }
        let now = plane.now();
        authorised
            .change(&keys, why, |seen| {
                let drafts = drafts(seen, name, &by, now);
                Ok(Change { drafts, what: format!("{name} leaves: what they had ends"), answer: () })
            })
            .await?;
    }
    for account in accounts {
        account::forget(plane, &account).await?;
    }
    Ok(())
}

/// The tasks the person asked for, and all below them.
fn tasks(directory: &Directory, name: &Name) -> BTreeSet<TaskId> {
    let asked: Vec<TaskId> =
        directory.tasks.values().filter(|task| task.requester == *name).map(|task| task.id).collect();
    let below = asked.iter().flat_map(|id| crate::task::below(directory, *id));
    let all: BTreeSet<TaskId> = below.collect();
    all.into_iter().chain(asked).collect()
}

fn is_of(row: &Envelope, name: &Name) -> bool {
    row.by == *name || row.on_behalf_of.as_ref() == Some(name)
}

const AT_ONCE: usize = 2_000;
const ROUNDS_MAX: usize = 100;
