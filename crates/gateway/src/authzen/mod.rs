//! The decision point for anybody who enforces: OpenID AuthZEN Authorization API 1.0, with the requestable denial of
//! its access request profile (ARAP, working-group draft 1) for what is held.
//!
//! | file | what it does |
//! |---|---|
//! | `read` | a body, strictly, or the 400 that says what is wrong with it |
//! | `access` | what was held, asked for: the task, its status, taking it back |
//! | `submit` | a submission, held against the denials it is based on |
//! | `ticket` | the handle of a request, kept until a day after it is over |
//! | `presented` | an approval that comes with an evaluation |
//! | `asker` | who asks, and about whom they may |
//! | `evaluate` | one question, about an application's types or about an agent of the plane |
//! | `batch` | several questions with defaults and short cuts |
//! | `search` | who, what or which would be allowed |
//! | `discover` | the metadata document |

mod access;
mod asker;
mod batch;
mod callback;
mod discover;
mod evaluate;
mod presented;
mod read;
mod search;
mod submit;
mod ticket;

pub use asker::{Asker, Askers};

use crate::{hosts::Hosts, pipeline::Pipeline, refusal::Refusal};
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
    routing::{get, post},
};
use bytes::Bytes;
use evaluate::Applications;
use serde_json::Value;
use std::sync::Arc;

/// The AuthZEN face of a node.
pub struct Authzen {
    pipeline: Arc<Pipeline>,
    askers: Arc<dyn Askers>,
    hosts: Arc<Hosts>,
    /// `https://…` of this plane: the policy decision point's identifier.
    public_url: String,
    applications: Applications,
}

/// What the face is built from.
pub struct AuthzenParts {
    /// Decides and records.
    pub pipeline: Arc<Pipeline>,
    /// Knows who asks.
    pub askers: Arc<dyn Askers>,
    /// The names this plane is served under.
    pub hosts: Arc<Hosts>,
    /// The plane's public URL, without a slash at its end.
    pub public_url: String,
}

impl Authzen {
    /// The face.
    #[must_use]
    pub fn new(parts: AuthzenParts) -> Arc<Self> {
        Arc::new(Self {
            pipeline: parts.pipeline,
            askers: parts.askers,
            hosts: parts.hosts,
            public_url: parts.public_url,
            applications: Applications::default(),
        })
    }

    /// The routes.
    pub fn router(self: &Arc<Self>) -> Router {
        let limit = DefaultBodyLimit::max(self.pipeline.limits.body_bytes_max);
        Router::new()
            .route("/access/v1/evaluation", post(on_evaluation))
            .route("/access/v1/evaluations", post(on_evaluations))
            .route("/access/v1/search/subject", post(on_search_subject))
            .route("/access/v1/search/resource", post(on_search_resource))
            .route("/access/v1/search/action", post(on_search_action))
            .route("/access/v1/requests", post(on_request))
            .route("/access/v1/requests/{id}", get(on_request_status))
            .route("/access/v1/requests/{id}/cancel", post(on_request_cancel))
            .route("/.well-known/authzen-configuration", get(on_discover))
            .layer(limit)
            .with_state(Arc::clone(self))
    }

    /// Who asks, and what they ask.
    async fn open(&self, headers: &HeaderMap, body: &[u8]) -> Result<(Asker, Value), Answer> {
        self.hosts.check(headers).map_err(|refusal| self.refused(&refusal))?;
        let asker = self.askers.who(headers).await.map_err(|refusal| self.refused(&refusal))?;
        let value = read::body(headers, body, &self.pipeline.limits).map_err(Answer::bad_request)?;
        Ok((asker, value))
    }

    fn refused(&self, refusal: &Refusal) -> Answer {
        self.pipeline.journal.refused(provost_domain::decision::AUTHZEN, refusal);
        self.pipeline.metrics.refused(refusal);
        Answer { status: refusal.http_status(), ..Answer::ok(Value::String(refusal.to_string())) }
    }
}

/// A status and a body. A decision is always 200, also when it is no; an error's body is a text (AuthZEN 1.0,
/// "Error Responses").
pub(crate) struct Answer {
    status: u16,
    body: Value,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Answer {
    fn ok(body: Value) -> Self {
        Self { status: 200, body, headers: Vec::new() }
    }

    fn bad_request(why: String) -> Self {
        Self { status: 400, ..Self::ok(Value::String(why)) }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn into_response(self, request: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body.to_string()));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        // Only the problems of access requests have a type of their own (RFC 9457).
        let media =
            if self.body.get("type").is_some() { "application/problem+json" } else { "application/json" };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        headers.extend(self.headers.into_iter().map(|(name, value)| (Some(name), value)).collect::<Vec<_>>());
        // AuthZEN 1.0, "Request Identification": it MUST be echoed.
        let request_id = HeaderName::from_static("x-request-id");
        if let Some(id) = request.get(&request_id) {
            headers.insert(request_id, id.clone());
        }
        response
    }
}

type On = State<Arc<Authzen>>;

async fn on_evaluation(State(face): On, headers: HeaderMap, body: Bytes) -> Response<Body> {
    face.evaluation(&headers, &body).await.into_response(&headers)
}

async fn on_evaluations(State(face): On, headers: HeaderMap, body: Bytes) -> Response<Body> {
    face.evaluations(&headers, &body).await.into_response(&headers)
}

async fn on_search_subject(State(face): On, headers: HeaderMap, body: Bytes) -> Response<Body> {
    face.search(&headers, &body, search::Wanted::Subject).await.into_response(&headers)
}

async fn on_search_resource(State(face): On, headers: HeaderMap, body: Bytes) -> Response<Body> {
    face.search(&headers, &body, search::Wanted::Resource).await.into_response(&headers)
}

async fn on_search_action(State(face): On, headers: HeaderMap, body: Bytes) -> Response<Body> {
    face.search(&headers, &body, search::Wanted::Action).await.into_response(&headers)
}

async fn on_request(State(face): On, headers: HeaderMap, body: Bytes) -> Response<Body> {
    face.request_access(&headers, &body).await.into_response(&headers)
}

async fn on_request_status(State(face): On, Path(id): Path<String>, headers: HeaderMap) -> Response<Body> {
    face.access_status(&headers, &id).await.into_response(&headers)
}

async fn on_request_cancel(
    State(face): On,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    face.cancel_access(&headers, &id, &body).await.into_response(&headers)
}

async fn on_discover(State(face): On, headers: HeaderMap) -> Response<Body> {
    face.discover(&headers).into_response(&headers)
}
