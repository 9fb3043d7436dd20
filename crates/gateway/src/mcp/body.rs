//! The body of a POST, in bounds. It is read only once it is known who sends it.

use crate::refusal::Refusal;
use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use provost_mcp::RpcError;
use std::time::Duration;

/// Reads a body of JSON.
///
/// # Errors
/// When it is said to be something else (a page of another origin can send text without being asked, never JSON), when
/// it is too long, or when it does not come.
pub async fn read(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    let kind = super::answer::header_text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let text = "the body must be JSON: send `Content-Type: application/json`";
        return Err(RpcError::invalid_request(text).with_status(415).into());
    }
    let reading = Limited::new(body, bytes_max).collect();
    match tokio::time::timeout(READ_MAX, reading).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::Limit {
            limit: "body_bytes_max",
            value: bytes_max.try_into().unwrap_or(u64::MAX),
            cure: "send a smaller request",
        }),
        Ok(Err(_broken)) => Err(RpcError::invalid_request("the body ended early").into()),
        Err(_late) => Err(RpcError::invalid_request("the body did not come in time").with_status(408).into()),
    }
}

const READ_MAX: Duration = Duration::from_secs(30);
