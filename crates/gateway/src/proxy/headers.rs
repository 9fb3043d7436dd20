//! Which headers pass. Towards a system only those that cannot change what is asked for; towards the agent all but
//! those that are about this one connection, about other people's browsers, or about who may see what.

use super::bad;
use crate::refusal::Refusal;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::collections::BTreeSet;

/// The headers of the agent's request that go along. Everything else stays here: its authorization and proofs, cookies,
/// who it says forwarded it, and whatever policies cannot see.
///
/// # Errors
/// For headers that would make a request into another one.
pub(super) fn towards_system(headers: &HeaderMap) -> Result<HeaderMap, Refusal> {
    if let Some(name) = OVERRIDES.iter().find(|name| headers.contains_key(**name)) {
        return Err(bad(
            400,
            format!("the header `{name}` would make this another request; send that one instead"),
        ));
    }
    let named = connection_named(headers);
    let mut passed = HeaderMap::new();
    for (name, value) in headers {
        if PASSED.contains(&name.as_str()) && !named.contains(name.as_str()) {
            passed.append(name.clone(), value.clone());
        }
    }
    Ok(passed)
}

/// The headers of the system's answer that the agent gets. `keeps_length` says whether the body is as long as the system
/// says.
pub(super) fn towards_agent(headers: &HeaderMap, keeps_length: bool) -> HeaderMap {
    let named = connection_named(headers);
    let mut passed = HeaderMap::new();
    for (name, value) in headers {
        let text = name.as_str();
        let kept = !HOP_BY_HOP.contains(&text)
            && !WITHHELD.contains(&text)
            && !WITHHELD_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
            && !named.contains(text)
            && (keeps_length || *name != header::CONTENT_LENGTH);
        if kept {
            passed.append(name.clone(), value.clone());
        }
    }
    // An answer out of a cache would be an action without a decision.
    passed.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Whatever a system sends is shown under the plane's own origin; no browser may run it there.
    passed.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    passed.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    passed
}

/// Headers that `Connection` says are about this connection only (RFC 9110 section 7.6.1).
fn connection_named(headers: &HeaderMap) -> BTreeSet<String> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// The header that names the decision behind an answer.
pub(super) const DECISION: HeaderName = HeaderName::from_static("provost-decision");

/// What an agent may say beside the request itself: in which form it wants the answer, and under which condition.
const PASSED: [&str; 11] = [
    "accept",
    "accept-language",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
    "traceparent",
    "tracestate",
];
const OVERRIDES: [&str; 6] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-method",
    "x-original-url",
    "x-rewrite-url",
];
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
const WITHHELD: [&str; 33] = [
    // Credentials and sessions of the plane's.
    "authorization",
    "authentication-info",
    "cookie",
    "dpop",
    "dpop-nonce",
    "set-cookie",
    "set-cookie2",
    "www-authenticate",
    // Where to go instead; `location` is written anew.
    "alt-svc",
    "content-location",
    "location",
    "refresh",
    "service-worker-allowed",
    // What caches are told.
    "age",
    "cache-control",
    "cdn-cache-control",
    "expires",
    "pragma",
    "surrogate-control",
    "warning",
    // What browsers are told about an origin that is not the system's.
    "clear-site-data",
    "content-security-policy",
    "content-security-policy-report-only",
    "nel",
    "origin-agent-cluster",
    "permissions-policy",
    "public-key-pins",
    "report-to",
    "reporting-endpoints",
    "strict-transport-security",
    "x-frame-options",
    // Who is where inside.
    "forwarded",
    "via",
];
const WITHHELD_PREFIXES: [&str; 6] =
    ["access-control-", "cross-origin-", "mcp-", "provost-", "x-accel-", "x-forwarded-"];

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn nothing_of_the_agents_own_goes_to_a_system() {
        let headers = map(&[
            ("authorization", "Bearer x"),
            ("proxy-authorization", "Basic x"),
            ("dpop", "x"),
            ("cookie", "a=b"),
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "evil"),
            ("x-real-ip", "1.2.3.4"),
            ("host", "evil"),
            ("connection", "close, If-Match"),
            ("keep-alive", "x"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("expect", "100-continue"),
            ("content-length", "5"),
            ("accept-encoding", "gzip"),
            ("x-api-key", "mine"),
            ("x-tenant", "other"),
            ("accept", "application/json"),
            ("if-match", "\"1\""),
            ("if-none-match", "\"2\""),
        ]);
        assert_eq!(names(&towards_system(&headers).unwrap()), ["accept", "if-none-match"]);
    }

    #[test]
    fn a_header_that_makes_another_request_of_it_is_refused() {
        for name in OVERRIDES {
            let error = towards_system(&map(&[(name, "DELETE")])).unwrap_err();
            assert_eq!(error.http_status(), 400, "{name}");
        }
    }

    #[test]
    fn an_answer_brings_no_session_no_redirect_and_no_word_to_caches_or_browsers() {
        let headers = map(&[
            ("set-cookie", "sid=1"),
            ("www-authenticate", "Bearer"),
            ("connection", "x-internal"),
            ("x-internal", "1"),
            ("keep-alive", "x"),
            ("transfer-encoding", "chunked"),
            ("access-control-allow-origin", "*"),
            ("cache-control", "public, max-age=1000"),
            ("location", "https://evil.example/"),
            ("clear-site-data", "*"),
            ("provost-decision", "forged"),
            ("content-length", "3"),
            ("content-type", "text/html"),
            ("etag", "\"1\""),
            ("x-total-count", "9"),
        ]);
        let passed = towards_agent(&headers, false);
        let wanted = [
            "cache-control",
            "content-security-policy",
            "content-type",
            "etag",
            "x-content-type-options",
            "x-total-count",
        ];
        assert_eq!(names(&passed), wanted);
        assert_eq!(passed.get("cache-control").unwrap(), "no-store");
        assert!(towards_agent(&headers, true).contains_key("content-length"));
    }
}
