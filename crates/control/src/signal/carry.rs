//! One event to one receiver: posted by the plane (RFC 8935), or fetched and acknowledged by the receiver (RFC 8936).

use super::{SignalError, own, receiver};
use crate::{Action, ControlError, Op, outbox::put, plane::Plane};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use provost_connect::Ask;
use provost_domain::{
    Delivery, Directory, Name, ObjectKey, Stream,
    stream::{StreamMethod, StreamStatus},
};
use provost_lifecycle::delivery::{Came, attempted};
use provost_store::CommitError;
use provost_token::set::SecurityEvent;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Whether a delivery takes no turn: its receiver fetches it, or wants nothing just now.
pub(crate) fn rests(directory: &Directory, delivery: &Delivery) -> bool {
    let stream = Stream::of_lane(&delivery.lane).and_then(|id| directory.streams.get(id));
    stream.is_some_and(|stream| {
        let runs = stream.status == StreamStatus::Enabled || delivery.kind == UPDATED;
        stream.method == StreamMethod::Poll || !runs
    })
}

/// One attempt to post an event.
///
/// # Errors
/// When the store or the keys fail; nothing was sent then.
pub(crate) async fn push(plane: &Plane, stream: &Stream, delivery: &Delivery) -> Result<Came, ControlError> {
    let StreamMethod::Push { url, authorization } = &stream.method else {
        return Ok(Came::Failed { why: "its receiver fetches it".to_owned(), wait: None });
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/secevent+jwt"));
    if *authorization {
        match sealed(plane, stream).await? {
            Some(value) => drop(headers.insert(header::AUTHORIZATION, value)),
            None => {
                return Ok(Came::Failed {
                    why: "its authorization header is not there".to_owned(),
                    wait: None,
                });
            }
        }
    }
    let body = Bytes::from(signed(plane, stream, delivery)?);
    let ask = Ask { headers, body: Some((Method::POST, body)), ..Ask::default() };
    Ok(match plane.upstreams.fetch(url, ask, ANSWER_BYTES_MAX).await {
        Ok(answer) if answer.status.is_success() => {
            Came::Arrived { receipt: answer.status.as_u16().to_string() }
        }
        // RFC 8935 section 2.3: it was read and is not wanted; the same again would not be either.
        Ok(answer) if answer.status.as_u16() == 400 => Came::Refused { why: said(&answer.body) },
        Ok(answer) => Came::Failed { why: format!("it answered {}", answer.status), wait: None },
        Err(error) => Came::Failed { why: error.why, wait: None },
    })
}

/// What a receiver fetches, and what it says of what it fetched before.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Fetch {
    max_events: Option<usize>,
    return_immediately: bool,
    ack: Vec<String>,
    set_errs: BTreeMap<String, Value>,
}

/// Hands out what is due, in order, after marking what is acknowledged.
///
/// # Errors
/// When it has no such stream, the request cannot be read, or the store fails.
pub async fn poll(op: &Op, id: &str, body: &Value) -> Result<Value, SignalError> {
    let receiver = receiver(op)?;
    op.authorize(Action::SignalReceive)?;
    let fetch: Fetch =
        serde_json::from_value(body.clone()).map_err(|error| SignalError::wrong(error.to_string()))?;
    let stream = own(op, &receiver, id)?;
    if stream.method != StreamMethod::Poll {
        return Err(SignalError::wrong("this stream is pushed"));
    }
    if fetch.ack.len().saturating_add(fetch.set_errs.len()) > ACKS_MAX {
        return Err(SignalError::wrong(format!("more than {ACKS_MAX} at once")));
    }
    for jti in &fetch.ack {
        mark(op, &stream, jti, Came::Arrived { receipt: "acknowledged".to_owned() }).await?;
    }
    for (jti, error) in &fetch.set_errs {
        let error = error.get("err").and_then(Value::as_str).unwrap_or("no reason");
        mark(op, &stream, jti, Came::Refused { why: error.to_owned() }).await?;
    }
    let max = fetch.max_events.unwrap_or(EVENTS_MAX).min(EVENTS_MAX);
    let mut moves = op.plane.replica.moves();
    let wait =
        tokio::time::sleep(if fetch.return_immediately || max == 0 { Duration::ZERO } else { POLL_MAX });
    tokio::pin!(wait);
    loop {
        moves.mark_unchanged();
        op.plane.replica.catch_up().await.map_err(ControlError::from)?;
        let stream = own(op, &receiver, id)?;
        let found = due(op, &stream, max)?;
        if found.get("sets").and_then(Value::as_object).is_some_and(|sets| !sets.is_empty()) {
            return Ok(found);
        }
        tokio::select! {
            () = &mut wait => return Ok(found),
            moved = moves.changed() => if moved.is_err() { return Ok(found) },
        }
    }
}

fn due(op: &Op, stream: &Stream, max: usize) -> Result<Value, SignalError> {
    let view = op.plane.replica.latest();
    let lane = stream.lane();
    let waiting = |row: &&Arc<Delivery>| row.is_due() && row.lane == lane;
    let mut rows: Vec<&Arc<Delivery>> = view.directory.deliveries.values().filter(waiting).collect();
    if stream.status != StreamStatus::Enabled {
        rows.retain(|row| row.kind == UPDATED);
    }
    rows.sort_by(|a, b| (a.order, &a.id).cmp(&(b.order, &b.id)));
    let mut sets = Map::new();
    for row in rows.iter().take(max) {
        sets.insert(row.id.clone(), json!(signed(&op.plane, stream, row)?));
    }
    let more = rows.len() > sets.len();
    Ok(json!({ "sets": sets, "moreAvailable": more }))
}

/// Marks one event as its receiver says. One that is over already stays so.
async fn mark(op: &Op, stream: &Stream, jti: &str, came: Came) -> Result<(), SignalError> {
    let authorised = op.authorize(Action::SignalReceive)?;
    let plane = &op.plane;
    let key = ObjectKey::delivery(jti);
    let versions = authorised.versions(std::slice::from_ref(&key)).await?;
    plane.replica.catch_up().await.map_err(ControlError::from)?;
    let view = plane.replica.latest();
    let row = view.directory.deliveries.get(jti).filter(|row| row.lane == stream.lane());
    let Some(next) = row.and_then(|row| attempted(row, came, plane.now(), 0)) else { return Ok(()) };
    plane.metrics.attempted(&next.state);
    let what = format!("{} to {}: {}", next.kind, next.lane, next.state.as_str());
    match authorised.commit(vec![put(next)], &versions, &what, "its receiver says so").await {
        Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
        Err(error) => Err(ControlError::from(error).into()),
    }
}

/// The event as it goes out: signed when it is sent, under the same `jti` each time.
fn signed(plane: &Plane, stream: &Stream, delivery: &Delivery) -> Result<String, ControlError> {
    let text = |name: &str| delivery.payload.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut events = Map::new();
    let data = delivery.payload.get("data").cloned().unwrap_or_else(|| json!({}));
    events.insert(text("event").unwrap_or_default(), data);
    let event = SecurityEvent {
        iss: plane.issuer.clone(),
        aud: stream.audience.clone(),
        iat: delivery.created.as_seconds(),
        jti: delivery.id.clone(),
        sub_id: delivery.payload.get("sub_id").cloned().unwrap_or_default(),
        events,
        txn: text("txn"),
    };
    let signed = plane.token_keys.with_signals(|key| event.issue(key))?;
    signed.map_err(|error| ControlError::us("an event could not be signed", error))
}

async fn sealed(plane: &Plane, stream: &Stream) -> Result<Option<HeaderValue>, ControlError> {
    let Ok(name) = stream.id.parse::<Name>() else { return Ok(None) };
    let sealed = plane.store.sealed(&name).await?.filter(|sealed| !sealed.is_empty());
    let Some(sealed) = sealed else { return Ok(None) };
    let opened = plane.sealing_key.open(name.as_str(), &sealed);
    let opened =
        opened.map_err(|error| ControlError::us("the header of a stream cannot be opened", error))?;
    let mut value = HeaderValue::from_bytes(opened.dangerous_expose()).ok();
    if let Some(value) = &mut value {
        value.set_sensitive(true);
    }
    Ok(value)
}

/// `err` of a refusal, if it is one of the protocol's words.
fn said(body: &[u8]) -> String {
    let err = serde_json::from_slice::<Value>(body).ok();
    let err = err.as_ref().and_then(|body| body.get("err")).and_then(Value::as_str).unwrap_or("no reason");
    provost_notify::text::clean(err, ERR_CHARS_MAX)
}

/// The kind of delivery that says how a stream stands: it goes out also while nothing else does.
const UPDATED: &str = "stream-updated";
const ANSWER_BYTES_MAX: usize = 64 * 1_024;
const EVENTS_MAX: usize = 100;
const ACKS_MAX: usize = 200;
const ERR_CHARS_MAX: usize = 60;
/// How long a receiver is kept waiting for something to happen.
const POLL_MAX: Duration = Duration::from_secs(25);
