//! `GET /events`: that something moved, as server-sent events. An event says how far the changes are and which decision is
//! the newest, nothing more: whoever wants to know what it was fetches the page again, under their own name.
//!
//! A stream ends with the session, with the role, and after a few minutes anyway: the browser comes back by itself. Streams
//! are bounded, for the node and for each session; the store is asked at most once a second, however many listen.

use super::look::Looker;
use axum::{
    http::{
        HeaderName, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
    },
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures::stream::{Stream, unfold};
use provost_api::decision::DecisionQuery;
use provost_control::{Action, Op, Operator, access::allows, decision};
use provost_domain::{DecisionId, Digest, DurationMs, Seq, Timestamp};
use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// What listeners share.
#[derive(Default)]
pub(crate) struct Live {
    listeners: Mutex<HashMap<Digest, usize>>,
    newest: tokio::sync::Mutex<Option<(Timestamp, Option<DecisionId>)>>,
}

/// A place among the listeners; free again when it is dropped.
struct Place {
    live: Arc<Live>,
    session: Digest,
}

struct Listener {
    place: Place,
    op: Op,
    moves: watch::Receiver<Seq>,
    until: Timestamp,
    /// When something was last sent.
    said: Timestamp,
    told: Option<(Seq, Option<DecisionId>)>,
    over: bool,
}

/// The stream.
pub(super) async fn events(looker: Looker) -> Response {
    if let Err(stopped) = looker.may(Action::DecisionRead) {
        return stopped.into_response();
    }
    let Some(place) = Live::place(&looker.app.live, looker.visitor.session.id) else {
        let headers = [(RETRY_AFTER, "30")];
        return (StatusCode::SERVICE_UNAVAILABLE, headers, "too many pages of this plane are open")
            .into_response();
    };
    let now = looker.plane().now();
    let listener = Listener {
        moves: looker.plane().replica.moves(),
        until: now.plus(STREAM_MAX).min(looker.visitor.session.expires),
        said: now,
        told: None,
        over: false,
        op: looker.op,
        place,
    };
    Sse::new(stream(listener)).into_response()
}

/// The module that listens.
pub(super) async fn module() -> impl IntoResponse {
    (SCRIPT, include_str!("../../../assets/live.js"))
}

/// The module it uses: keys, and buttons that copy.
pub(super) async fn keys() -> impl IntoResponse {
    (SCRIPT, include_str!("../../../assets/keys.js"))
}

fn stream(listener: Listener) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(listener, async |mut listener| {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    })
}

impl Listener {
    /// The next thing to say; nothing, when it is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.over {
                return None;
            }
            let plane = &self.op.plane;
            let now = plane.now();
            if !self.still() {
                self.over = true;
                return Some(Event::default().event("over").data("{}"));
            }
            if now >= self.until {
                return None;
            }
            let stands = (plane.replica.latest().directory.seq, self.place.live.newest(&self.op).await);
            if self.told != Some(stands) {
                let data =
                    serde_json::json!({ "seq": stands.0.0, "decision": stands.1.map(|id| id.to_string()) });
                (self.told, self.said) = (Some(stands), now);
                return Some(Event::default().event("moved").data(data.to_string()));
            }
            if now.since(self.said) > HEARTBEAT {
                self.said = now;
                return Some(Event::default().comment("still here"));
            }
            tokio::select! {
                moved = self.moves.changed() => if moved.is_err() { return None },
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Whether the person is still signed in and may still look.
    fn still(&self) -> bool {
        let plane = &self.op.plane;
        let view = plane.replica.latest();
        let session = view.directory.sessions.get(&self.place.session);
        let Some(session) = session.filter(|session| session.is_live(plane.now())) else { return false };
        let person = view.directory.people.get(&session.person).filter(|person| person.active);
        person.is_some_and(|person| {
            let roles = view.directory.roles_of(person).union(&session.roles).copied().collect();
            allows(&Operator::Person(person.name.clone(), roles), Action::DecisionRead)
        })
    }
}

impl Live {
    fn place(live: &Arc<Self>, session: Digest) -> Option<Place> {
        let mut listeners = live.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = listeners.values().sum();
        let own = listeners.get(&session).copied().unwrap_or_default();
        if all >= LISTENERS_MAX || own >= LISTENERS_PER_SESSION_MAX {
            return None;
        }
        listeners.insert(session, own.saturating_add(1));
        Some(Place { live: Arc::clone(live), session })
    }

    /// The newest decision, looked up at most once a second. What cannot be read now is read later.
    async fn newest(&self, op: &Op) -> Option<DecisionId> {
        let mut newest = self.newest.lock().await;
        let now = op.plane.now();
        if let Some((looked, id)) = *newest
            && now.since(looked) < LOOK_AGAIN
        {
            return id;
        }
        let query = DecisionQuery { limit: Some(1), ..DecisionQuery::default() };
        let before = newest.and_then(|(_, id)| id);
        let found = match decision::list(op, query).await {
            Ok(page) => page.items.first().map(|decision| decision.id),
            Err(_later) => before,
        };
        *newest = Some((now, found));
        found
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut listeners = self.live.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        match listeners.get_mut(&self.session) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(listeners.remove(&self.session)),
        }
    }
}

const SCRIPT: [(HeaderName, &str); 2] =
    [(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, "no-cache")];
const LISTENERS_MAX: usize = 256;
const LISTENERS_PER_SESSION_MAX: usize = 12;
const STREAM_MAX: DurationMs = DurationMs::from_mins(5);
const HEARTBEAT: DurationMs = DurationMs::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(1_000);
const LOOK_AGAIN: DurationMs = DurationMs(900);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_listen_than_there_are_places_and_a_place_is_free_again() {
        let live = Arc::new(Live::default());
        let one = Digest::of(b"one");
        let places: Vec<Place> = (0..20).filter_map(|_| Live::place(&live, one)).collect();
        assert_eq!(places.len(), LISTENERS_PER_SESSION_MAX);
        drop(places);
        assert!(live.listeners.lock().unwrap().is_empty());
        let many = (0_u32..1_000).filter_map(|n| Live::place(&live, Digest::of(&n.to_be_bytes())));
        assert_eq!(many.collect::<Vec<_>>().len(), LISTENERS_MAX);
    }
}
