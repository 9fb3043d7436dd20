//! One attempt over one channel, and what came of it.

use crate::{
    Notice, mail, slack, teams,
    webhook::{self, signatures},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use provost_connect::{Answer, Ask, Secret, Upstreams};
use provost_domain::{Channel, DurationMs, Timestamp, channel::Way};
use provost_lifecycle::delivery::Came;
use serde_json::Value;

/// What is to be carried.
#[derive(Debug, Clone, Copy)]
pub struct Parcel<'a> {
    /// Names it: the same each time it is sent.
    pub id: &'a str,
    /// What is said.
    pub notice: &'a Notice,
    /// The mail address of the person it is for, where it is for one.
    pub to: Option<&'a str>,
    /// The present moment.
    pub now: Timestamp,
}

/// Sends a parcel once. `opened` are the channel's secrets, in the order of [`Way::sealed_names`].
pub async fn carry(upstreams: &Upstreams, channel: &Channel, opened: &[Secret], parcel: Parcel<'_>) -> Came {
    if opened.len() < channel.way.sealed_names().len() {
        return failed("a secret of this channel is not set; run `provost credential set`".to_owned());
    }
    match &channel.way {
        Way::Webhook { url, .. } => {
            let body = webhook::body(parcel.notice).to_string();
            signed(upstreams, url, opened, (parcel.id, parcel.now), body).await
        }
        Way::Slack { .. } => sealed(upstreams, opened, &slack::body(parcel.notice)).await,
        Way::Teams { .. } => sealed(upstreams, opened, &teams::body(parcel.notice)).await,
        Way::Email { host, port, tls, from, user, .. } => {
            let Some(to) = parcel.to else {
                return Came::Refused { why: "the person has no mail address".to_owned() };
            };
            let user = user.as_deref().map(|user| (user, opened.first()));
            let server = mail::Server { host, port: *port, tls: *tls, from, user };
            mail::send(upstreams, &server, to, parcel.id, parcel.notice).await
        }
    }
}

/// Posts a body once, signed with each secret (Standard Webhooks) under the id of its delivery.
pub async fn signed(
    upstreams: &Upstreams,
    url: &str,
    secrets: &[Secret],
    (id, now): (&str, Timestamp),
    body: String,
) -> Came {
    let signed = match signatures(secrets, id, now, body.as_bytes()) {
        Ok(signed) => signed,
        Err(why) => return failed(why.to_owned()),
    };
    let at = now.as_seconds().to_string();
    let mut headers = HeaderMap::new();
    for (name, text) in [("webhook-id", id), ("webhook-timestamp", &at), ("webhook-signature", &signed)] {
        let Ok(value) = HeaderValue::from_str(text) else {
            return failed("a header is no header".to_owned());
        };
        headers.insert(HeaderName::from_static(name), value);
    }
    post(upstreams, url, headers, body, &[StatusCode::GONE]).await
}

/// To an address that is itself a secret.
async fn sealed(upstreams: &Upstreams, opened: &[Secret], body: &Value) -> Came {
    let address = opened.first().and_then(|secret| std::str::from_utf8(secret.dangerous_expose()).ok());
    let Some(address) = address else { return failed("its address is not set".to_owned()) };
    // What is gone there does not come back under this address.
    post(
        upstreams,
        address.trim(),
        HeaderMap::new(),
        body.to_string(),
        &[StatusCode::GONE, StatusCode::NOT_FOUND],
    )
    .await
}

async fn post(
    upstreams: &Upstreams,
    url: &str,
    mut headers: HeaderMap,
    body: String,
    for_good: &[StatusCode],
) -> Came {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let ask = Ask { headers, body: Some((Method::POST, Bytes::from(body))), ..Ask::default() };
    match upstreams.fetch(url, ask, ANSWER_BYTES_MAX).await {
        Ok(answer) => heard(&answer, for_good),
        // Without the address, which may be a secret.
        Err(error) => failed(error.why),
    }
}

/// What an answer means. The body says nothing to us: some put what was sent into it.
fn heard(answer: &Answer, for_good: &[StatusCode]) -> Came {
    let status = answer.status;
    if status.is_success() {
        return Came::Arrived { receipt: status.as_u16().to_string() };
    }
    let why = format!("it answered {status}");
    if for_good.contains(&status) {
        return Came::Refused { why };
    }
    Came::Failed { why, wait: retry_after(&answer.headers) }
}

/// `Retry-After` in seconds (RFC 9110 section 10.2.3). A date is no better than our own patience: clocks differ.
fn retry_after(headers: &HeaderMap) -> Option<DurationMs> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(DurationMs::from_secs(seconds))
}

fn failed(why: String) -> Came {
    Came::Failed { why, wait: None }
}

/// Nobody has much to say to a message.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;
