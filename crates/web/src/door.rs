//! What every request passes: it gets a name, and has to come for this plane. A browser that was made to believe that
//! another site's name lives at this address (DNS rebinding) sends that name as `Host`, and is turned away.

use crate::problem::{Edge, Refusal};
use crate::rest::ReadToEnd;
use axum::{
    Router,
    body::HttpBody as _,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Uri,
        header::{CACHE_CONTROL, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
        uri::Authority,
    },
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Instant};
use tracing::Instrument as _;

/// The names this plane goes by, without ports.
#[derive(Debug, Clone)]
pub struct Hosts(Arc<BTreeSet<String>>);

/// The name of a request: the caller's `X-Request-ID`, if it is a plain one, else one of ours.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

impl Hosts {
    /// The names of a plane that listens here and is also known by these public names (`provost.example.com`).
    #[must_use]
    pub fn new(listen: SocketAddr, public: impl IntoIterator<Item = String>) -> Self {
        let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).into();
        if !listen.ip().is_unspecified() {
            names.insert(match listen.ip() {
                std::net::IpAddr::V4(ip) => ip.to_string(),
                std::net::IpAddr::V6(ip) => format!("[{ip}]"),
            });
        }
        names.extend(public.into_iter().map(|name| name.to_ascii_lowercase()));
        Self(Arc::new(names))
    }

    fn know(&self, authority: &str) -> bool {
        let host = authority.parse::<Authority>().map(|authority| authority.host().to_ascii_lowercase());
        host.is_ok_and(|host| self.0.contains(&host))
    }
}

/// Puts the door before a router.
pub fn door(router: Router, hosts: Hosts) -> Router {
    router.layer(from_fn_with_state(hosts, pass))
}

async fn pass(State(hosts): State<Hosts>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let span =
        tracing::debug_span!("request", id = %id.0, method = %request.method(), path = request.uri().path());
    if !request.body().is_end_stream() {
        request = request.map(ReadToEnd::of);
    }
    let answer = async {
        let started = started();
        let mut response = match check(&hosts, &request) {
            Ok(()) => {
                request.extensions_mut().insert(id.clone());
                next.run(request).await
            }
            Err(refusal) => refusal.into_response(),
        };
        finish(response.headers_mut(), &id);
        tracing::debug!(status = response.status().as_u16(), took_ms = took_ms(started), "answered");
        response
    };
    answer.instrument(span).await
}

fn check(hosts: &Hosts, request: &Request) -> Result<(), Refusal> {
    // Probes of an orchestrator come under an address; they learn nothing.
    if matches!(request.uri().path(), "/healthz" | "/readyz") {
        return Ok(());
    }
    let headers = request.headers();
    let mut named = headers.get_all(HOST).iter();
    let host = match (named.next(), named.next(), request.uri().authority()) {
        (Some(host), None, _) => host.to_str().unwrap_or_default(),
        (None, _, Some(authority)) => authority.as_str(),
        _ => "",
    };
    if !hosts.know(host) {
        return Err(Refusal::edge(Edge::Misdirected, "the request is for another host")
            .because("it could come from a web page that was made to believe its own name lives here")
            .cure("use an address of this plane, or add the name to `public_names` in its configuration"));
    }
    match headers.get(ORIGIN) {
        Some(origin) if !is_ours(hosts, origin) => {
            Err(Refusal::edge(Edge::Forbidden, "the request comes from a page of another site"))
        }
        _ => Ok(()),
    }
}

fn is_ours(hosts: &Hosts, origin: &HeaderValue) -> bool {
    let uri = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
    let web = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https"));
    uri.filter(web).is_some_and(|uri| uri.authority().is_some_and(|authority| hosts.know(authority.as_str())))
}

fn request_id(headers: &HeaderMap) -> RequestId {
    let plain = |text: &&str| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
    };
    let given = headers.get(&X_REQUEST_ID).and_then(|value| value.to_str().ok()).filter(plain);
    RequestId(given.map_or_else(|| format!("{:032x}", rand::random::<u128>()), str::to_owned))
}

fn finish(headers: &mut HeaderMap, id: &RequestId) {
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(X_REQUEST_ID, value);
    }
    headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

fn started() -> Instant {
    Instant::now()
}

fn took_ms(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_knows_its_own_names_with_any_port_and_no_others() {
        let hosts = Hosts::new("10.1.2.3:7070".parse().unwrap(), ["Provost.Example.com".to_owned()]);
        for ours in
            ["localhost", "LOCALHOST:7070", "127.0.0.1:7070", "[::1]:1", "10.1.2.3", "provost.example.com"]
        {
            assert!(hosts.know(ours), "{ours}");
        }
        for other in
            ["", "evil.example", "localhost.evil.example:7070", "10.1.2.4", "a b", "127.0.0.1@evil.example"]
        {
            assert!(!hosts.know(other), "{other}");
        }
    }

    #[test]
    fn a_page_of_another_site_is_known_by_its_origin() {
        let hosts = Hosts::new("127.0.0.1:7070".parse().unwrap(), []);
        for (origin, ours) in [
            ("http://localhost:7070", true),
            ("https://127.0.0.1", true),
            ("null", false),
            ("https://evil.example", false),
            ("file://localhost", false),
        ] {
            assert_eq!(is_ours(&hosts, &HeaderValue::from_static(origin)), ours, "{origin}");
        }
    }
}
