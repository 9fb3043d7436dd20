//! One request to an HTTP API, and its answer as it comes.
//!
//! What is sent is built here from parsed pieces, below the address in the system's own row, with the system's own
//! credential. Redirects are not followed. The answer is bounded, timed, and without the credential, also where the
//! system echoes it across two chunks.

mod build;
mod location;
mod mask;

pub use location::Location;

use bytes::Bytes;
use futures::{Stream, stream};
use http::{HeaderMap, HeaderValue, header};
use provost_domain::System;
use provost_domain::request::Method;
use provost_domain::system::Connection;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

use crate::credential::Credential;
use crate::error::{Lie, UpstreamError};
use crate::http::{Endpoint, chain};
use crate::seal::Secret;
use crate::shared::{Bounds, Shared};
use crate::shown::Shown;
use crate::upstreams::Upstreams;
use mask::Mask;

/// A request in its parsed pieces.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// The segments of the path below the system's address, decoded. Each becomes exactly one segment.
    pub segments: Vec<String>,
    /// Whether a slash follows the last segment.
    pub ends_in_slash: bool,
    /// Names and values of the query, decoded.
    pub query: Vec<(String, String)>,
    /// The headers that go along besides the credential.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<Bytes>,
}

/// The head of an answer, and its body to come.
pub struct ApiAnswer {
    /// The status, 200 to 599.
    pub status: u16,
    /// All headers as they came, the credential masked.
    pub headers: HeaderMap,
    /// Where its `Location` leads, if it has one.
    pub location: Option<Location>,
    /// The body. After an error nothing more comes.
    pub body: ApiBody,
}

/// The chunks of a body as they come.
pub type ApiBody = Pin<Box<dyn Stream<Item = Result<Bytes, UpstreamError>> + Send>>;

impl Upstreams {
    /// Sends one request to an HTTP API, and returns when the head of the answer is there. Dropping the future or the
    /// body ends the request.
    ///
    /// # Errors
    /// Any [`UpstreamError`]; [`UpstreamError::may_have_acted`] says whether the system can have seen the request. A 401
    /// or 407 is an error too: it is about the plane's credential and must not be taken for one about the agent's.
    pub async fn ask(
        &self,
        system: &System,
        secret: Option<&Secret>,
        request: ApiRequest,
    ) -> Result<ApiAnswer, UpstreamError> {
        let (config, client) = self.http();
        let shown = secret.cloned().map(Shown::from);
        let credential = Credential::of(system, shown.as_ref())?;
        let shared = Arc::new(Shared::new(system.name.clone(), Bounds::of(config), credential));
        let Connection::HttpApi { url } = &system.connection else {
            return Err(shared.misuse("it is no http api"));
        };
        let endpoint = Endpoint::new(&shared, client, &config.hosts, url)?;
        let url = build::url(endpoint.url(), &request);
        let method = http::Method::from_bytes(request.method.as_str().as_bytes())
            .map_err(|error| shared.misuse(error.to_string()))?;
        let mut headers = request.headers;
        // Encoded text could not be searched for the credential.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let limits = Timing {
            idle_max: shared.bounds.idle_max.to_std(),
            ends: Instant::now() + shared.bounds.call_max.to_std(),
        };
        let sending = endpoint.send_to(url.clone(), method, headers, request.body);
        let response = limits.within(&shared, sending).await??;
        let status = response.status().as_u16();
        match status {
            401 | 407 => return Err(endpoint.refused_with(status, &[])),
            ..200 | 600.. => {
                return Err(shared.lied(Lie::OutOfPlace("it answered with a status that ends no request")));
            }
            _ => {}
        }
        let may_have_body = request.method != Method::Head && !matches!(status, 204 | 304);
        if may_have_body && is_encoded(response.headers()) {
            return Err(shared.lied(Lie::OutOfPlace("it encoded its answer although it was asked not to")));
        }
        let mask = Mask::new(secret);
        let headers = masked(&mask, response.headers());
        let location = headers.get(header::LOCATION);
        let location = location.map(|value| Location::of(endpoint.url(), &url, value));
        let bytes_max = config.limits.proxy_response_bytes_max;
        let body = Reading { shared, response, mask, limits, bytes: 0, bytes_max, over: false };
        let body: ApiBody = Box::pin(stream::try_unfold(body, Reading::next));
        Ok(ApiAnswer { status, headers, location, body })
    }
}

/// How long is waited.
struct Timing {
    /// For the next thing.
    idle_max: Duration,
    /// For everything.
    ends: Instant,
}

impl Timing {
    async fn within<T>(&self, shared: &Shared, next: impl Future<Output = T>) -> Result<T, UpstreamError> {
        let idle = Instant::now() + self.idle_max;
        let (until, limit, after) = match idle < self.ends {
            true => (idle, "upstream_idle_max", shared.bounds.idle_max),
            false => (self.ends, "call_duration_max", shared.bounds.call_max),
        };
        tokio::time::timeout_at(until, next).await.map_err(|_late| shared.timed_out(limit, after))
    }
}

/// A body being read.
struct Reading {
    shared: Arc<Shared>,
    response: reqwest::Response,
    mask: Mask,
    limits: Timing,
    bytes: usize,
    bytes_max: usize,
    over: bool,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, UpstreamError> {
        while !self.over {
            let chunk = self.limits.within(&self.shared, self.response.chunk()).await?;
            let chunk = chunk.map_err(|error| {
                self.shared.lied(Lie::EndedEarly(self.shared.masked_text(chain(&error.without_url()))))
            })?;
            let shown = match chunk {
                Some(chunk) => {
                    self.bytes = self.bytes.saturating_add(chunk.len());
                    if self.bytes > self.bytes_max {
                        return Err(UpstreamError::TooLarge {
                            system: self.shared.system.clone(),
                            limit: "proxy_response_bytes_max",
                            bytes_max: self.bytes_max,
                        });
                    }
                    self.mask.push(chunk)
                }
                None => {
                    self.over = true;
                    self.mask.end()
                }
            };
            if !shown.is_empty() {
                return Ok(Some((shown, self)));
            }
        }
        Ok(None)
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    encodings.any(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

fn masked(mask: &Mask, headers: &HeaderMap) -> HeaderMap {
    let mut shown = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let whole = mask.whole(value.as_bytes());
        if let Ok(value) = HeaderValue::from_bytes(&whole) {
            shown.append(name.clone(), value);
        }
    }
    shown
}
