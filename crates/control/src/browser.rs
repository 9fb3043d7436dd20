//! Sessions of people in their browsers. The browser has 32 random bytes; the row has their SHA-256.

use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Draft},
    page::page,
    plane::Plane,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use provost_api::{
    Page,
    passkey::{SessionQuery, SessionView},
};
use provost_domain::{
    Digest, DurationMs, Name, Object, ObjectKey, Passkey, Person, Session, Timestamp, person::Role,
};
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
    /// What the person's own row and groups of connectors give.
    pub own: BTreeSet<Role>,
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

    /// What the person may do here: what their row and their groups say, and what their provider said at sign-in.
    #[must_use]
    pub fn roles(&self) -> BTreeSet<Role> {
        self.own.union(&self.session.roles).copied().collect()
    }
}

/// How somebody proved who they are.
pub(crate) struct Way {
    /// `issuer acme`, `passkey laptop`.
    pub(crate) by: String,
    /// The passkey, if it was one: the session ends with it.
    pub(crate) passkey: Option<Passkey>,
    /// What an identity provider made of the person.
    pub(crate) roles: BTreeSet<Role>,
}

/// Starts a session of a person who proved who they are.
///
/// # Errors
/// When the store fails.
pub(crate) async fn start(
    plane: &Arc<Plane>,
    request_id: &str,
    person: &Name,
    way: Way,
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
        roles: way.roles,
        by: way.by,
        passkey: way.passkey.map(|row| row.id),
        started,
        seen: None,
        expires: started.plus(SESSION_MAX),
        ended: false,
    };
    let (id, expires) = (row.id, row.expires);
    authorised
        .change(&[ObjectKey::session(&id)], "signed in", |_seen| {
            let what = format!("session of {person} by {}", row.by);
            Ok(Change { drafts: vec![Draft::Put(Object::Session(row.clone()))], what, answer: () })
        })
        .await?;
    Ok(Started { secret, expires, person: person.clone() })
}

/// Notes that a session is used, at most once in some minutes. What fails here fails nobody.
pub async fn touch(visitor: &Visitor, plane: &Arc<Plane>, request_id: &str) {
    let now = plane.now();
    if now.since(visitor.session.last_seen()) < TOUCH_EVERY {
        return;
    }
    let op = visitor.op(plane, request_id);
    let Ok(authorised) = op.authorize(Action::SessionStart) else { return };
    let id = visitor.session.id;
    let touched = authorised
        .change(&[ObjectKey::session(&id)], "the person goes on", |seen| {
            let row = seen.directory.sessions.get(&id).filter(|row| row.is_live(now));
            let row = row.filter(|row| now.since(row.last_seen()) >= TOUCH_EVERY);
            let draft = row.map(|row| Session { seen: Some(now), ..row.as_ref().clone() });
            Ok(Change {
                drafts: draft.into_iter().map(|row| Draft::Put(Object::Session(row))).collect(),
                what: format!("session of {} used", visitor.person.name),
                answer: (),
            })
        })
        .await;
    if let Err(error) = touched {
        tracing::debug!(%error, "a session's use was not noted");
    }
}

/// Sessions that are good, newest first: one's own, and for administrators everybody's.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
pub fn list(op: &Op, query: SessionQuery) -> Result<Page<SessionView>, ControlError> {
    op.authorize(Action::SessionRead)?;
    let whose = match (&op.subject, query.person) {
        (Operator::Person(person, _), None) => Some(person.clone()),
        (_, Some(person)) => {
            crate::passkey::theirs(op, &person)?;
            Some(person)
        }
        (_, None) => None,
    };
    let (view, now) = (op.plane.replica.latest(), op.plane.now());
    let wanted =
        |row: &Session| row.is_live(now) && whose.as_ref().is_none_or(|person| row.person == *person);
    let rows = view.directory.sessions.values().filter(|row| wanted(row));
    // Newest first, by a key that sorts so and is nobody's secret.
    let key = |row: &Session| format!("{:020}-{}", i64::MAX - row.started.as_millis(), row.id);
    let rows = rows.map(|row| (key(row), row)).collect();
    page(rows, query.cursor.as_deref(), query.limit, op.plane.limits.page_size_max, |row| view_of(row))
}

/// Ends a session: one's own, or as an administrator anybody's.
///
/// # Errors
/// When the operator may not, or nobody has such a session.
pub async fn end_other(op: &Op, id: &str, why: &str) -> Result<SessionView, ControlError> {
    op.authorize(Action::SessionEnd)?;
    let unknown = || ControlError::unknown("session", &id.chars().take(80).collect::<String>());
    let digest: Digest = id.parse().map_err(|_no_id| unknown())?;
    op.plane.replica.catch_up().await?;
    let view = op.plane.replica.latest();
    let row = view.directory.sessions.get(&digest).ok_or_else(unknown)?;
    // Who may not know of it is told that there is none.
    crate::passkey::theirs(op, &row.person).map_err(|_refused| unknown())?;
    end_for(op, row, why).await?;
    Ok(view_of(row))
}

fn view_of(row: &Session) -> SessionView {
    SessionView {
        id: row.id.to_string(),
        person: row.person.clone(),
        by: row.by.clone(),
        roles: row.roles.iter().map(|role| role.as_str().to_owned()).collect(),
        started: row.started.into(),
        seen: row.last_seen().into(),
        expires: row.expires.into(),
    }
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
    Ok(person.map(|person| Visitor {
        session: Arc::clone(session),
        person: Arc::clone(person),
        own: view.directory.roles_of(person),
    }))
}

/// Signs out.
///
/// # Errors
/// When the store fails.
pub async fn end(op: &Op, session: &Session) -> Result<(), ControlError> {
    end_for(op, session, "signed out").await
}

async fn end_for(op: &Op, session: &Session, why: &str) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::SessionEnd)?;
    authorised
        .change(&[ObjectKey::session(&session.id)], why, |seen| {
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
const TOUCH_EVERY: DurationMs = DurationMs::from_mins(5);
const COOKIE_BYTES_MAX: usize = 128;
