//! What the agent gets: the system's answer as it comes, or why there is none, as problem details (RFC 9457).

use super::headers::{DECISION, towards_agent};
use crate::{act::Running, held, mcp::verdict_of, metadata, pipeline::Pipeline, refusal::Refusal};
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use futures::stream;
use provost_connect::{ApiAnswer, ApiBody, Location};
use provost_domain::{DecisionId, Name};
use serde_json::{Map, Value, json};

/// A system's answer, its body as it comes. The call stays under way, and can be cut, until the last byte.
pub(super) fn released(
    running: Running,
    answer: ApiAnswer,
    system: &Name,
    keeps_length: bool,
) -> Response<Body> {
    let decision = running.decision();
    let redirects = (300..400).contains(&answer.status) && answer.status != 304;
    let location = match &answer.location {
        Some(Location::Inside(tail)) => HeaderValue::from_str(&format!("/proxy/{system}{tail}")).ok(),
        Some(Location::Outside) if redirects => return led_away(system, decision),
        Some(Location::Outside) | None => None,
    };
    let mut headers = towards_agent(&answer.headers, keeps_length);
    if let Some(location) = location {
        headers.insert(header::LOCATION, location);
    }
    let mut response = Response::new(Body::from_stream(chunks(running, answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = headers;
    named(response, decision)
}

/// Why there is no answer. A held call names its approval, where the agent asks after it, and whether and when the same
/// request is worth making again; a client without a token, where it reads how to get one (RFC 9728 section 5.1).
pub(super) fn refused(refusal: &Refusal, pipeline: &Pipeline, system: &str) -> Response<Body> {
    let status = refusal.http_status();
    let mut members = Map::from_iter([
        ("type".to_owned(), Value::from(format!("urn:provost:problem:{}", refusal.code()))),
        ("title".to_owned(), Value::from(title(refusal))),
        ("status".to_owned(), Value::from(status)),
        ("detail".to_owned(), Value::from(refusal.to_string())),
    ]);
    let mut decision = None;
    let told = match refusal {
        Refusal::Verdict(denied) => Some(denied),
        Refusal::Held(held) => Some(&held.decision),
        _ => None,
    };
    if let Some(told) = told {
        decision = Some(told.id);
        members.extend(of_verdict(refusal));
    }
    if let Refusal::Held(held) = refusal {
        members.extend(held::members(held));
        members.insert("status_url".to_owned(), json!(held::status_url(pipeline, &held.approval.id)));
        // `status` is the member of problem details here; where the approval stands has a name of its own.
        members.insert("approval_status".to_owned(), json!(held.approval.status.as_str()));
        members.insert("status".to_owned(), json!(status));
    }
    let mut response = problem(status, &Value::Object(members));
    if status == 401
        && let Some(value) =
            refusal.challenge(&metadata::url_of(pipeline.identifier.resource(), Some(system)))
    {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    if let Refusal::Held(held) = refusal
        && let Some(seconds) = held::retry_after(&held.approval)
    {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    match decision {
        Some(id) => named(response, id),
        None => response,
    }
}

/// Decision, reasons, what would make it possible, and under which id a held call can be asked for.
fn of_verdict(refusal: &Refusal) -> Map<String, Value> {
    let mut members = match verdict_of(refusal).map(|told| told.structured()) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    members.insert("detail".to_owned(), Value::from(refusal.to_string()));
    members
}

fn title(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Held(_) => "Held for approval; the call was not made",
        Refusal::Verdict(_) => "Denied; the call was not made",
        Refusal::Cut(_) => "The call was cut",
        Refusal::Upstream(_) | Refusal::Late(_) => "The system did not do its part",
        Refusal::Protocol(_) | Refusal::Limit { .. } => "The request cannot be accepted",
        Refusal::UnknownSystem(_) => "There is no such system",
        Refusal::Origin(_) => "The request is for another host",
        Refusal::Stale(_) | Refusal::NotRecorded(_) | Refusal::Store(_) | Refusal::Internal(_) => {
            "The plane cannot make calls just now"
        }
        _ => "The token is not accepted",
    }
}

fn led_away(system: &Name, decision: DecisionId) -> Response<Body> {
    let text = format!(
        "{system} answered with a redirect to somewhere else; redirects are followed by nobody here, and this one would \
         lead past the plane"
    );
    let body = json!({
        "type": "urn:provost:problem:redirect", "title": "The system did not do its part", "status": 502,
        "detail": text, "decision_id": decision.to_string(),
    });
    named(problem(502, &body), decision)
}

fn problem(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn named(mut response: Response<Body>, decision: DecisionId) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(&decision.to_string()) {
        response.headers_mut().insert(DECISION, value);
    }
    response
}

/// The body. An error ends the connection, so that no client takes a part for the whole.
fn chunks(
    running: Running,
    body: ApiBody,
) -> impl futures::Stream<Item = Result<bytes::Bytes, Refusal>> + Send {
    stream::unfold(Some((running, body)), |state| async move {
        let (mut running, mut body) = state?;
        match running.chunk(&mut body).await? {
            Ok(chunk) => Some((Ok(chunk), Some((running, body)))),
            Err(refusal) => {
                tracing::info!(%refusal, decision = %running.decision(), "an answer ended before it was whole");
                Some((Err(refusal), None))
            }
        }
    })
}
