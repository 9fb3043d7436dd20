//! Sealed upstream credentials. What goes in here never comes out: not in an answer, a record, a log or an error.

use crate::{
    Action, ControlError, Op,
    access::Authorised,
    change::{Change, Draft},
    reason::reason,
};
use provost_api::credential::{CredentialView, CredentialWrite};
use provost_domain::{Directory, Name, Object, ObjectKey, System, decision::Refused};
use std::{collections::BTreeSet, sync::Arc};
use zeroize::Zeroizing;

/// Seals a credential under a name, in place of the one before. Its record comes first: after a crash in between it
/// says more than happened, and whoever set it, without an answer, sets it again.
///
/// # Errors
/// When the operator may not, the secret is empty, too long or cannot be a header value, or the store fails.
pub async fn set(op: &Op, name: &Name, wanted: CredentialWrite) -> Result<CredentialView, ControlError> {
    let authorised = op.authorize(Action::CredentialSet)?;
    let CredentialWrite { secret, reason } = wanted;
    let secret = Zeroizing::new(secret);
    check(&secret)?;
    let sealed = op.plane.sealing_key.seal(name.as_str(), secret.as_bytes());
    let sealed = sealed.map_err(|error| ControlError::us("the credential could not be sealed", error))?;
    note(&authorised, name, "was set", &reason).await?;
    op.plane.store.put_sealed(name, &sealed).await?;
    index(op, name, true).await?;
    Ok(view(&op.plane.replica.latest().directory, name, true))
}

/// Forgets a credential.
///
/// # Errors
/// When the operator may not, there is none, or the store fails.
pub async fn delete(op: &Op, name: &Name, why: &str) -> Result<CredentialView, ControlError> {
    let authorised = op.authorize(Action::CredentialDelete)?;
    if !is_set(op, name).await? {
        return Err(ControlError::unknown("credential", name.as_str()));
    }
    note(&authorised, name, "was deleted", why).await?;
    op.plane.store.put_sealed(name, &[]).await?;
    index(op, name, false).await?;
    Ok(view(&op.plane.replica.latest().directory, name, false))
}

/// Every credential that is set or that a system wants, in order of their names.
///
/// # Errors
/// When the operator may not, or the store fails.
pub async fn list(op: &Op) -> Result<Vec<CredentialView>, ControlError> {
    op.authorize(Action::CredentialRead)?;
    let view_now = op.plane.replica.latest();
    let mut names = indexed(op).await?;
    names.extend(wanted(&view_now.directory).map(|(name, _system)| name.clone()));
    let mut views = Vec::with_capacity(names.len());
    for name in names {
        views.push(view(&view_now.directory, &name, is_set(op, &name).await?));
    }
    Ok(views)
}

/// Whether there is a secret under a name. One that was deleted is kept as nothing.
pub(crate) async fn is_set(op: &Op, name: &Name) -> Result<bool, ControlError> {
    Ok(op.plane.store.sealed(name).await?.is_some_and(|sealed| !sealed.is_empty()))
}

/// Puts what happened on record: as a change of every system that uses the credential, or, when none does yet, as a
/// notice in the journal. Either is hashed into the ledger.
async fn note(authorised: &Authorised<'_>, name: &Name, what: &str, why: &str) -> Result<(), ControlError> {
    let why = reason(why)?;
    let plane = &authorised.op.plane;
    let users = users(&plane.replica.latest().directory, name);
    if users.is_empty() {
        let notice = Refused {
            v: 1,
            at: plane.now(),
            node: plane.node,
            face: "control".to_owned(),
            code: "credential".to_owned(),
            message: format!("{} says: credential {name} {what}: {why}", authorised.op.subject),
            count: 1,
        };
        return Ok(plane.store.refused(notice).await?);
    }
    let keys: Vec<ObjectKey> =
        users.iter().map(|system| Object::System(system.as_ref().clone()).key()).collect();
    let change = authorised.change(&keys, why, |seen| {
        let users = self::users(seen.directory, name);
        let known = users.iter().map(|system| Object::System(system.as_ref().clone()));
        let drafts: Vec<Draft> = known.filter(|row| keys.contains(&row.key())).map(Draft::Put).collect();
        if drafts.is_empty() {
            // Nothing would be on record.
            return Err(ControlError::conflict("the systems that use it changed meanwhile").cure("try again"));
        }
        Ok(Change { drafts, what: format!("credential {name} {what}"), answer: () })
    });
    change.await.map(|(_seq, ())| ())
}

fn check(secret: &str) -> Result<(), ControlError> {
    let fits = (1..=SECRET_BYTES_MAX).contains(&secret.len());
    // RFC 9110 section 5.5: what a header value may hold, and an environment variable too.
    if fits && !secret.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return Ok(());
    }
    Err(ControlError::caller("the secret is empty, too long, or has line breaks or control characters")
        .because("it goes into a header or an environment variable as it is")
        .cure(format!("give 1 to {SECRET_BYTES_MAX} bytes on one line")))
}

fn wanted(directory: &Directory) -> impl Iterator<Item = (&Name, &Arc<System>)> {
    directory.systems.values().filter_map(|system| system.sealed_name().map(|name| (name, system)))
}

fn users(directory: &Directory, name: &Name) -> Vec<Arc<System>> {
    wanted(directory).filter(|(used, _)| *used == name).map(|(_, system)| Arc::clone(system)).collect()
}

fn view(directory: &Directory, name: &Name, set: bool) -> CredentialView {
    let used_by = users(directory, name).iter().map(|system| system.name.clone()).collect();
    CredentialView { name: name.clone(), set, used_by }
}

/// Keeps the list of names. It is for listing only: whether a credential is there says the store.
async fn index(op: &Op, name: &Name, set: bool) -> Result<(), ControlError> {
    let _one_at_a_time = INDEX.lock().await;
    let mut names = indexed(op).await?;
    let moved = if set { names.insert(name.clone()) } else { names.remove(name) };
    if moved {
        let text = serde_json::to_vec(&names)
            .map_err(|error| ControlError::us("the names of credentials cannot be written", error))?;
        op.plane.store.put_meta(INDEX_KEY, &text).await?;
    }
    Ok(())
}

async fn indexed(op: &Op) -> Result<BTreeSet<Name>, ControlError> {
    let kept = op.plane.store.meta(INDEX_KEY).await?.unwrap_or_else(|| b"[]".to_vec());
    serde_json::from_slice(&kept)
        .map_err(|error| ControlError::us("the stored names of credentials cannot be read", error))
}

static INDEX: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
const INDEX_KEY: &str = "credential-names";
const SECRET_BYTES_MAX: usize = 8_192;
