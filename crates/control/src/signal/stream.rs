//! A receiver manages its stream (OpenID SSF 1.0 section 8). A workload has one at most, and sees no other.

use super::{POLL, PUSH, SignalError, audience, event, opaque, own, receiver};
use crate::{
    Action, ControlError, Op, Plane,
    access::Authorised,
    change::{Change, Draft},
    outbox::put,
};
use provost_domain::{
    Delivery, DurationMs, Kind, Name, Object, ObjectKey, Stream,
    stream::{StreamMethod, StreamStatus},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a receiver may say of its stream. What the plane says of it may be repeated, if it is the same.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    stream_id: Option<String>,
    iss: Option<String>,
    aud: Option<Value>,
    events_requested: Option<Vec<String>>,
    description: Option<String>,
    delivery: Option<WantedDelivery>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WantedDelivery {
    method: String,
    endpoint_url: Option<String>,
    authorization_header: Option<String>,
}

/// Transmitter metadata (OpenID SSF 1.0 section 7.1).
#[must_use]
pub fn metadata(plane: &Plane) -> Value {
    let at = |path: &str| format!("{}{path}", plane.issuer);
    json!({
        "spec_version": "1_0",
        "issuer": plane.issuer,
        "jwks_uri": at("/oauth/jwks"),
        "delivery_methods_supported": [PUSH, POLL],
        "configuration_endpoint": at("/ssf/stream"),
        "status_endpoint": at("/ssf/status"),
        "add_subject_endpoint": at("/ssf/subjects/add"),
        "remove_subject_endpoint": at("/ssf/subjects/remove"),
        "verification_endpoint": at("/ssf/verify"),
        "authorization_schemes": [{ "spec_urn": "urn:ietf:rfc:6750" }],
        "default_subjects": "ALL",
        "critical_subject_members": [],
    })
}

/// Makes the receiver's stream.
///
/// # Errors
/// When it has one, may have none, or wants what there is not.
pub async fn create(op: &Op, body: &Value) -> Result<Value, SignalError> {
    let authorised = op.authorize(Action::SignalReceive)?;
    let receiver = receiver(op)?;
    let audience = audience(op, &receiver)?;
    let wanted = read_wanted(body)?;
    let id = format!("stream-{}", hex::encode(op.plane.random::<12>()));
    let delivery =
        wanted.delivery.unwrap_or_else(|| WantedDelivery { method: POLL.to_owned(), ..Default::default() });
    let (method, header) = method(delivery)?;
    seal(op, &id, header.as_deref()).await?;
    let stream = Stream {
        id: id.clone(),
        receiver: receiver.clone(),
        audience,
        description: wanted.description,
        requested: requested(wanted.events_requested)?,
        method,
        without: Vec::new(),
        status: StreamStatus::Enabled,
        reason: None,
        created: op.plane.now(),
        verified: None,
    };
    let shown = shown(&op.plane, &stream);
    authorised
        .change(&[key(&id)], "the receiver asked for it", |seen| {
            if seen.directory.streams.values().any(|stream| stream.receiver == receiver) {
                return Err(ControlError::conflict(format!("workload {receiver} has a stream already")));
            }
            let drafts = vec![Draft::Put(Object::Stream(stream.clone()))];
            Ok(Change { drafts, what: format!("{id} of {receiver}"), answer: () })
        })
        .await?;
    Ok(shown)
}

/// One stream, or all of the receiver's.
///
/// # Errors
/// When it has no such stream.
pub fn read(op: &Op, id: Option<&str>) -> Result<Value, SignalError> {
    op.authorize(Action::SignalReceive)?;
    let receiver = receiver(op)?;
    if let Some(id) = id {
        return Ok(shown(&op.plane, own(op, &receiver, id)?.as_ref()));
    }
    let view = op.plane.replica.latest();
    let streams = view.directory.streams.values().filter(|stream| stream.receiver == receiver);
    Ok(streams.map(|stream| shown(&op.plane, stream)).collect())
}

/// Changes what the body names (`PATCH`), or all that a receiver says (`PUT`: what is missing is gone).
///
/// # Errors
/// When it has no such stream, or wants what there is not.
pub async fn update(op: &Op, body: &Value, whole: bool) -> Result<Value, SignalError> {
    let authorised = op.authorize(Action::SignalReceive)?;
    let receiver = receiver(op)?;
    let wanted = read_wanted(body)?;
    let id = wanted.stream_id.clone().ok_or_else(|| SignalError::wrong("`stream_id` is missing"))?;
    let before = own(op, &receiver, &id)?;
    let theirs = |name: &str, ours: &str| match (name, &wanted.iss, &wanted.aud) {
        ("iss", Some(said), _) => said == ours,
        ("aud", _, Some(said)) => *said == json!(ours) || *said == json!([ours]),
        _ => true,
    };
    if !theirs("iss", &op.plane.issuer) || !theirs("aud", &before.audience) {
        return Err(SignalError::wrong("`iss` and `aud` are the transmitter's to say"));
    }
    let mut next = before.as_ref().clone();
    if whole || wanted.events_requested.is_some() {
        next.requested = requested(wanted.events_requested)?;
    }
    if whole || wanted.description.is_some() {
        next.description = wanted.description;
    }
    match wanted.delivery {
        Some(delivery) => {
            let (method, header) = method(delivery)?;
            seal(op, &id, header.as_deref()).await?;
            next.method = method;
        }
        None if whole => next.method = StreamMethod::Poll,
        None => {}
    }
    put_stream(&authorised, next, "its receiver changed it").await
}

/// Removes a stream, and with it what was on its way.
///
/// # Errors
/// When it has no such stream.
pub async fn remove(op: &Op, id: &str) -> Result<(), SignalError> {
    let authorised = op.authorize(Action::SignalReceive)?;
    own(op, &receiver(op)?, id)?;
    authorised
        .change(&[key(id)], "its receiver removed it", |seen| {
            let drafts = seen.directory.streams.get(id).map(|_there| Draft::Remove(key(id)));
            Ok(Change { drafts: drafts.into_iter().collect(), what: format!("{id} removed"), answer: () })
        })
        .await?;
    seal(op, id, None).await
}

/// Whether a stream runs.
///
/// # Errors
/// When it has no such stream.
pub fn status(op: &Op, id: &str) -> Result<Value, SignalError> {
    op.authorize(Action::SignalReceive)?;
    Ok(status_of(own(op, &receiver(op)?, id)?.as_ref()))
}

/// Says whether a stream is to run.
///
/// # Errors
/// When it has no such stream, or the status is none.
pub async fn set_status(op: &Op, body: &Value) -> Result<Value, SignalError> {
    #[derive(Deserialize)]
    struct Said {
        stream_id: String,
        status: StreamStatus,
        reason: Option<String>,
    }
    let authorised = op.authorize(Action::SignalReceive)?;
    let said: Said =
        serde_json::from_value(body.clone()).map_err(|error| SignalError::wrong(error.to_string()))?;
    let before = own(op, &receiver(op)?, &said.stream_id)?;
    let reason = said.reason.map(|reason| provost_notify::text::clean(&reason, TEXT_CHARS_MAX));
    let next = Stream { status: said.status, reason, ..before.as_ref().clone() };
    let answer = status_of(&next);
    if next.status == before.status {
        put_stream(&authorised, next, "its receiver says so").await?;
        return Ok(answer);
    }
    let owed = updated(op, &next);
    let id = next.id.clone();
    authorised
        .change(&[key(&id), ObjectKey::delivery(&owed.id)], "its receiver says so", |seen| {
            if !seen.directory.streams.contains_key(&id) {
                return Err(ControlError::unknown("stream", &id));
            }
            let drafts = vec![Draft::Put(Object::Stream(next.clone())), put(owed.clone())];
            Ok(Change { drafts, what: format!("{id} is {}", next.status.as_str()), answer: () })
        })
        .await?;
    Ok(answer)
}

/// Says how the stream stands from now on (OpenID SSF 1.0 section 8.1.5).
fn updated(op: &Op, stream: &Stream) -> Delivery {
    let mut data = serde_json::Map::new();
    data.insert("status".to_owned(), json!(stream.status.as_str()));
    if let Some(reason) = &stream.reason {
        data.insert("reason".to_owned(), json!(reason));
    }
    let told = event::Told {
        event: event::STREAM_UPDATED,
        data,
        subject: opaque(&stream.id),
        title: format!("the stream is {}", stream.status.as_str()),
    };
    let cause = format!("updated {}", hex::encode(op.plane.random::<8>()));
    event::delivery(stream, &told, (&cause, op.plane.replica.latest().directory.seq.0), None, op.plane.now())
}

/// Everybody is a subject at first; one that was removed is one again.
///
/// # Errors
/// When it has no such stream, or the subject is none.
pub async fn add_subject(op: &Op, body: &Value) -> Result<(), SignalError> {
    subject(op, body, |without, subject| without.retain(|known| known != subject)).await
}

/// Events about this subject are not sent any more.
///
/// # Errors
/// As [`add_subject`]; when more are left out than can be remembered.
pub async fn remove_subject(op: &Op, body: &Value) -> Result<(), SignalError> {
    subject(op, body, |without, subject| {
        if !without.contains(subject) {
            without.push(subject.clone());
        }
    })
    .await
}

async fn subject(op: &Op, body: &Value, change: impl Fn(&mut Vec<Value>, &Value)) -> Result<(), SignalError> {
    let authorised = op.authorize(Action::SignalReceive)?;
    let id = body.get("stream_id").and_then(Value::as_str);
    let id = id.ok_or_else(|| SignalError::wrong("`stream_id` is missing"))?;
    let before = own(op, &receiver(op)?, id)?;
    let subject = body.get("subject").filter(|subject| event::is_subject(subject));
    let subject =
        subject.ok_or_else(|| SignalError::wrong("`subject` is no subject identifier (RFC 9493)"))?;
    let mut next = before.as_ref().clone();
    change(&mut next.without, subject);
    if next.without.len() > SUBJECTS_MAX {
        return Err(SignalError::new(429, format!("more than {SUBJECTS_MAX} subjects are left out")));
    }
    put_stream(&authorised, next, "its receiver says whom it is about").await.map(drop)
}

/// Owes the stream a verification event.
///
/// # Errors
/// When it has no such stream, or asked for one a moment ago.
pub async fn verify(op: &Op, body: &Value) -> Result<(), SignalError> {
    let authorised = op.authorize(Action::SignalReceive)?;
    let id = body.get("stream_id").and_then(Value::as_str);
    let id = id.ok_or_else(|| SignalError::wrong("`stream_id` is missing"))?;
    let before = own(op, &receiver(op)?, id)?;
    let now = op.plane.now();
    if before.verified.is_some_and(|at| now.since(at) < VERIFIED_EVERY_MIN) {
        return Err(SignalError::new(429, "a verification was asked for a moment ago"));
    }
    let mut data = serde_json::Map::new();
    if let Some(state) = body.get("state").and_then(Value::as_str) {
        data.insert("state".to_owned(), json!(state.chars().take(TEXT_CHARS_MAX).collect::<String>()));
    }
    let next = Stream { verified: Some(now), ..before.as_ref().clone() };
    let told = event::Told {
        event: event::VERIFICATION,
        data,
        subject: opaque(id),
        title: "verification".to_owned(),
    };
    let cause = format!("verification {}", hex::encode(op.plane.random::<8>()));
    let head = op.plane.replica.latest().directory.seq.0;
    let owed = event::delivery(&next, &told, (&cause, head), None, now);
    let keys = [key(id), ObjectKey::delivery(&owed.id)];
    authorised
        .change(&keys, "its receiver asked for it", |_seen| {
            let drafts = vec![Draft::Put(Object::Stream(next.clone())), put(owed.clone())];
            Ok(Change { drafts, what: format!("{id} is verified"), answer: () })
        })
        .await?;
    Ok(())
}

/// Every stream, for people who look.
///
/// # Errors
/// When the operator may not.
pub fn list_all(op: &Op) -> Result<Vec<provost_api::delivery::StreamView>, ControlError> {
    op.authorize(Action::DeliveryRead)?;
    let view = op.plane.replica.latest();
    let due = |stream: &Stream| {
        let lane = stream.lane();
        view.directory.deliveries.values().filter(|row| row.is_due() && row.lane == lane).count()
    };
    let of = |stream: &Stream| provost_api::delivery::StreamView {
        id: stream.id.clone(),
        receiver: stream.receiver.clone(),
        audience: stream.audience.clone(),
        events: event::ALL.iter().filter(|uri| stream.wants(uri)).map(|uri| (*uri).to_owned()).collect(),
        method: match &stream.method {
            StreamMethod::Push { url, .. } => {
                format!("push to {}", url.split(['?', '#']).next().unwrap_or_default())
            }
            StreamMethod::Poll => "poll".to_owned(),
        },
        status: stream.status.as_str().to_owned(),
        created: stream.created.into(),
        due: due(stream),
    };
    Ok(view.directory.streams.values().map(|stream| of(stream)).collect())
}

async fn put_stream(authorised: &Authorised<'_>, next: Stream, why: &str) -> Result<Value, SignalError> {
    let plane = &authorised.op.plane;
    let answer = shown(plane, &next);
    let id = next.id.clone();
    authorised
        .change(&[key(&id)], why, |seen| {
            if !seen.directory.streams.contains_key(&id) {
                return Err(ControlError::unknown("stream", &id));
            }
            let drafts = vec![Draft::Put(Object::Stream(next.clone()))];
            Ok(Change { drafts, what: format!("{id} changed"), answer: () })
        })
        .await?;
    Ok(answer)
}

/// A stream as its receiver sees it.
fn shown(plane: &Plane, stream: &Stream) -> Value {
    let delivery = match &stream.method {
        StreamMethod::Push { url, .. } => json!({ "method": PUSH, "endpoint_url": url }),
        StreamMethod::Poll => {
            json!({ "method": POLL, "endpoint_url": format!("{}/ssf/poll/{}", plane.issuer, stream.id) })
        }
    };
    let delivered: Vec<&str> = event::ALL.into_iter().filter(|uri| stream.wants(uri)).collect();
    let mut shown = json!({
        "stream_id": stream.id,
        "iss": plane.issuer,
        "aud": stream.audience,
        "events_supported": event::ALL,
        "events_delivered": delivered,
        "delivery": delivery,
        "min_verification_interval": VERIFIED_EVERY_MIN.0 / 1_000,
    });
    if let Some(members) = shown.as_object_mut() {
        if !stream.requested.is_empty() {
            members.insert("events_requested".to_owned(), json!(stream.requested));
        }
        if let Some(description) = &stream.description {
            members.insert("description".to_owned(), json!(description));
        }
    }
    shown
}

fn status_of(stream: &Stream) -> Value {
    let mut shown = json!({ "stream_id": stream.id, "status": stream.status.as_str() });
    if let (Some(reason), Some(members)) = (&stream.reason, shown.as_object_mut()) {
        members.insert("reason".to_owned(), json!(reason));
    }
    shown
}

fn read_wanted(body: &Value) -> Result<Wanted, SignalError> {
    let mut wanted: Wanted =
        serde_json::from_value(body.clone()).map_err(|error| SignalError::wrong(error.to_string()))?;
    wanted.description = wanted.description.map(|text| provost_notify::text::clean(&text, TEXT_CHARS_MAX));
    Ok(wanted)
}

/// Types nobody here knows are left out (section 8.1.1).
fn requested(said: Option<Vec<String>>) -> Result<BTreeSet<String>, SignalError> {
    let Some(said) = said else { return Ok(BTreeSet::new()) };
    let known: BTreeSet<String> = said.into_iter().filter(|uri| event::ALL.contains(&uri.as_str())).collect();
    if known.is_empty() {
        return Err(SignalError::wrong("`events_requested` names no type of event that is told here"));
    }
    Ok(known)
}

fn method(said: WantedDelivery) -> Result<(StreamMethod, Option<String>), SignalError> {
    match (said.method.as_str(), said.endpoint_url) {
        (PUSH, Some(url)) => {
            let parsed = url::Url::parse(&url).ok();
            let host = parsed.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
            let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
            let scheme = parsed.as_ref().map(url::Url::scheme).unwrap_or_default();
            if url.len() > URL_BYTES_MAX || !(scheme == "https" || (scheme == "http" && local)) {
                return Err(SignalError::wrong("`endpoint_url` is no https address"));
            }
            let header = said.authorization_header.filter(|text| !text.is_empty());
            if header
                .as_ref()
                .is_some_and(|text| text.len() > HEADER_BYTES_MAX || text.bytes().any(|b| b < 0x20))
            {
                return Err(SignalError::wrong("`authorization_header` is no header value"));
            }
            Ok((StreamMethod::Push { url, authorization: header.is_some() }, header))
        }
        (PUSH, None) => Err(SignalError::wrong("`endpoint_url` is missing")),
        (POLL, _) => Ok((StreamMethod::Poll, None)),
        _ => Err(SignalError::wrong("`method` is neither push (RFC 8935) nor poll (RFC 8936)")),
    }
}

/// Keeps the header that goes along, sealed under the stream's id; nothing, if there is none.
async fn seal(op: &Op, id: &str, header: Option<&str>) -> Result<(), SignalError> {
    let name: Name = id.parse().map_err(|_other| SignalError::unknown())?;
    let sealed = match header {
        Some(header) => op.plane.sealing_key.seal(id, header.as_bytes()),
        None => Ok(Vec::new()),
    };
    let sealed = sealed.map_err(|error| ControlError::us("the header could not be sealed", error))?;
    op.plane.store.put_sealed(&name, &sealed).await.map_err(ControlError::from)?;
    Ok(())
}

fn key(id: &str) -> ObjectKey {
    ObjectKey::new(Kind::Stream, id)
}

const VERIFIED_EVERY_MIN: DurationMs = DurationMs::from_secs(60);
const SUBJECTS_MAX: usize = 1_000;
const TEXT_CHARS_MAX: usize = 300;
const URL_BYTES_MAX: usize = 2_048;
const HEADER_BYTES_MAX: usize = 4_096;
