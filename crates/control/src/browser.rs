//! Sessions of people in their browsers. The browser has 32 random bytes; the row has their SHA-256.

use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Draft},
    plane::Plane,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use provost_domain::{Digest, DurationMs, Name, Object, ObjectKey, Person, Session, Timestamp, person::Role};
use std::{collections::BTreeSet, sync::Arc};
use zeroize::Zeroizing;

/// A session that just began.
pub struct Started {
    /// For the browser's cookie.
    pub secret: Zeroizing<String>,
    /// From then on it is no longer good.
    pub expires: Timestamp,
    /// Who.
    pub person: Name,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// The session.
    pub session: Arc<Session>,
    /// Who.
    pub person: Arc<Person>,
}

impl Visitor {
    /// What this person does, from now on in this request.
    #[must_use]
    pub fn op(&self, plane: &Arc<Plane>, request_id: &str) -> Op {
        Op {
            subject: Operator::Person(self.person.name.clone(), self.roles()),
            request_id: request_id.to_owned(),
            plane: Arc::clone(plane),
        }
    }

    /// What the person may do here: what their row says, and what their provider said at sign-in.
    #[must_use]
    pub fn roles(&self) -> BTreeSet<Role> {
        self.person.roles.union(&self.session.roles).copied().collect()
    }
}

/// Starts a session of a person who proved who they are.
///
/// # Errors
/// When the store fails.
pub(crate) async fn start(
    plane: &Arc<Plane>,
    request_id: &str,
    person: &Name,
    roles: BTreeSet<Role>,
    by: &str,
) -> Result<Started, ControlError> {
    let op = Op {
        subject: Operator::Person(person.clone(), BTreeSet::new()),
        request_id: request_id.to_owned(),
        plane: Arc::clone(plane),
    };
    let authorised = op.authorize(Action::SessionStart)?;
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(plane.random::<32>()));
    let started = plane.now();
    let row = Session {
        id: Digest::of(secret.as_bytes()),
        person: person.clone(),
        roles,
        by: by.to_owned(),
        started,
        expires: started.plus(SESSION_MAX),
        ended: false,
    };
    let (id, expires) = (row.id, row.expires);
    let draft = Draft::Put(Object::Session(row));
    authorised
        .change(&[ObjectKey::session(&id)], "signed in", |_seen| {
            let what = format!("session of {person} by {by}");
            Ok(Change { drafts: vec![draft.clone()], what, answer: () })
        })
        .await?;
    Ok(Started { secret, expires, person: person.clone() })
}

/// Whose session a cookie is; nobody's, if it is over, or the person left.
///
/// # Errors
/// When this node knows too little.
pub fn visitor(plane: &Plane, cookie: &str) -> Result<Option<Visitor>, ControlError> {
    if cookie.len() > COOKIE_BYTES_MAX {
        return Ok(None);
    }
    let view = plane.replica.fresh(plane.limits.staleness_max)?;
    let session = view.directory.sessions.get(&Digest::of(cookie.as_bytes()));
    let Some(session) = session.filter(|session| session.is_live(plane.now())) else { return Ok(None) };
    let person = view.directory.people.get(&session.person).filter(|person| person.active);
    Ok(person.map(|person| Visitor { session: Arc::clone(session), person: Arc::clone(person) }))
}

/// Signs out.
///
/// # Errors
/// When the store fails.
pub async fn end(op: &Op, session: &Session) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::SessionEnd)?;
    authorised
        .change(&[ObjectKey::session(&session.id)], "signed out", |seen| {
            let row = seen.directory.sessions.get(&session.id);
            let over =
                row.map(|row| Draft::Put(Object::Session(Session { ended: true, ..row.as_ref().clone() })));
            Ok(Change {
                drafts: over.into_iter().collect(),
                what: format!("session of {} ended", session.person),
                answer: (),
            })
        })
        .await
        .map(drop)
}

/// A working day. What is serious asks for a fresh proof anyway.
const SESSION_MAX: DurationMs = DurationMs::from_mins(8 * 60);
const COOKIE_BYTES_MAX: usize = 128;
