//! The body of a request, in bounds and read strictly. It is read only once it is known who sends it and what for.

use super::bad;
use crate::refusal::Refusal;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use provost_domain::{Digest, RequestRule, limits::Limits as OfPlane, request::BodyForm};
use provost_mcp::{Limits, strict};
use serde_json::Value;
use std::time::Duration;

/// A body, read.
#[derive(Debug)]
pub(super) enum Read {
    /// None came.
    Nothing,
    /// JSON under this media type.
    Json(Value, HeaderValue),
    /// Bytes nobody looks into, under the media type the caller gave.
    Opaque(Bytes, Option<HeaderValue>),
}

/// Reads the body of a request by what its rule says of it.
///
/// # Errors
/// When it is too long, late, of another kind, or could be read in two ways.
pub(super) async fn read(
    rule: &RequestRule,
    headers: &HeaderMap,
    body: Body,
    plane: &OfPlane,
) -> Result<Read, Refusal> {
    let method = rule.line.method;
    if !method.has_body() {
        collected(body, 0, "").await.map_err(|refusal| match refusal {
            Refusal::Limit { .. } => bad(400, format!("a {} has no body", method.as_str())),
            other => other,
        })?;
        return Ok(Read::Nothing);
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(bad(415, "the body is encoded, so nobody could see what is in it; send it plain"));
    }
    let kind = media_type(headers)?;
    if rule.body == BodyForm::Opaque {
        let bytes = collected(body, plane.proxy_upload_bytes_max, "proxy_upload_bytes_max").await?;
        return Ok(Read::Opaque(bytes, kind));
    }
    let bytes = collected(body, plane.body_bytes_max, "body_bytes_max").await?;
    if bytes.is_empty() {
        return Ok(Read::Nothing);
    }
    let kind = kind
        .as_ref()
        .and_then(json_type)
        .ok_or_else(|| bad(415, "the body must be JSON: send `Content-Type: application/json`"))?;
    let limits = Limits { message_bytes_max: plane.body_bytes_max, ..crate::bounds::of_clients(plane) };
    let value = strict::parse(&bytes, &limits)
        .map_err(|error| bad(400, format!("the body cannot be read: {error}")))?;
    if rule.body == BodyForm::Members && !value.is_object() {
        return Err(bad(400, "the body must be a JSON object: its members are the arguments"));
    }
    Ok(Read::Json(value, kind))
}

/// What policies see of bytes nobody looks into.
pub(super) fn digest_and_size(bytes: &Bytes) -> (String, u64) {
    (Digest::of(bytes).to_string(), u64::try_from(bytes.len()).unwrap_or(u64::MAX))
}

async fn collected(body: Body, bytes_max: usize, limit: &'static str) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(READ_MAX, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::Limit {
            limit,
            value: u64::try_from(bytes_max).unwrap_or(u64::MAX),
            cure: "send a smaller body",
        }),
        Ok(Err(_broken)) => Err(bad(400, "the body ended early")),
        Err(_late) => Err(bad(408, "the body did not come in time")),
    }
}

fn media_type(headers: &HeaderMap) -> Result<Option<HeaderValue>, Refusal> {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    match (kinds.next(), kinds.next()) {
        (kind, None) => Ok(kind.cloned()),
        (_, Some(_)) => Err(bad(400, "`Content-Type` is there twice")),
    }
}

/// `application/json` or `application/<something>+json` (RFC 6839 section 3.1), without parameters: the text is UTF-8
/// whatever they say (RFC 8259 section 8.1).
fn json_type(kind: &HeaderValue) -> Option<HeaderValue> {
    let essence = kind.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
    let sub = essence.strip_prefix("application/")?;
    let token =
        !sub.is_empty() && sub.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b));
    (token && (sub == "json" || sub.ends_with("+json"))).then(|| HeaderValue::from_str(&essence).ok())?
}

const READ_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    async fn said(
        line: &str,
        form: BodyForm,
        headers: &[(header::HeaderName, &'static str)],
        body: &'static [u8],
    ) -> Result<String, u16> {
        let rule = RequestRule { line: line.parse().unwrap(), body: form };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_static(value));
        }
        let plane = OfPlane { body_bytes_max: 64, proxy_upload_bytes_max: 80, ..OfPlane::default() };
        match read(&rule, &map, Body::from(body), &plane).await {
            Ok(Read::Nothing) => Ok("nothing".to_owned()),
            Ok(Read::Json(value, kind)) => Ok(format!("{} {value}", kind.to_str().unwrap())),
            Ok(Read::Opaque(bytes, kind)) => Ok(format!("{kind:?} {}", bytes.len())),
            Err(refusal) => Err(refusal.http_status()),
        }
    }

    #[tokio::test]
    async fn a_json_body_reads_one_way_or_is_refused() {
        use header::{CONTENT_ENCODING, CONTENT_TYPE};
        const JSON: (header::HeaderName, &str) = (CONTENT_TYPE, "application/json; charset=utf-16");
        let post = "POST /a";
        async fn ok(
            headers: &[(header::HeaderName, &'static str)],
            body: &'static [u8],
        ) -> Result<String, u16> {
            said("POST /a", BodyForm::Members, headers, body).await
        }
        assert_eq!(ok(&[JSON], br#"{"a": 1}"#).await, Ok(r#"application/json {"a":1}"#.to_owned()));
        let patch = (CONTENT_TYPE, "application/Merge-Patch+json");
        assert_eq!(ok(&[patch], b"{}").await, Ok("application/merge-patch+json {}".to_owned()));
        assert_eq!(ok(&[], b"").await, Ok("nothing".to_owned()));
        for (headers, body, status) in [
            (&[][..], &b"{}"[..], 415),
            (&[(CONTENT_TYPE, "text/plain")], b"{}", 415),
            (&[(CONTENT_TYPE, "application/x-www-form-urlencoded")], b"a=1", 415),
            (&[(CONTENT_TYPE, "application/jsonx")], b"{}", 415),
            (&[(CONTENT_TYPE, "application/json, text/plain")], b"{}", 415),
            (&[JSON, JSON], b"{}", 400),
            (&[JSON, (CONTENT_ENCODING, "gzip")], b"{}", 415),
            (&[JSON], br#"{"a":1,"a":2}"#, 400),
            (&[JSON], br#"{"a":1} {}"#, 400),
            (&[JSON], br#"{"a":1e999}"#, 400),
            (&[JSON], b"{\"a\":\"\xff\"}", 400),
            (&[JSON], br#"{"a":"\ud800"}"#, 400),
            (&[JSON], br#"{a:1}"#, 400),
            (&[JSON], b"[1]", 400),
            (&[JSON], &[b' '; 65], 413),
        ] {
            assert_eq!(ok(headers, body).await, Err(status), "{headers:?} {body:?}");
        }
        assert_eq!(said(post, BodyForm::Json, &[JSON], b"[1]").await, Ok("application/json [1]".to_owned()));
        assert_eq!(said(post, BodyForm::Json, &[JSON], b"[1,]").await, Err(400));
    }

    #[tokio::test]
    async fn a_get_has_no_body_and_an_opaque_one_is_bounded() {
        assert_eq!(said("GET /a", BodyForm::Members, &[], b"").await, Ok("nothing".to_owned()));
        assert_eq!(said("GET /a", BodyForm::Members, &[], b"x").await, Err(400));
        assert_eq!(said("HEAD /a", BodyForm::Members, &[], b"x").await, Err(400));
        assert_eq!(said("PUT /a", BodyForm::Opaque, &[], &[0; 80]).await, Ok("None 80".to_owned()));
        assert_eq!(said("PUT /a", BodyForm::Opaque, &[], &[0; 81]).await, Err(413));
    }
}
