//! One table from what went wrong to what is answered (RFC 9457). Answers say what the caller may know; sources go
//! to the log.

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use provost_api::Problem;
use provost_control::{ControlError, error::Explained};
use std::{collections::BTreeMap, error::Error};
use utoipa::{
    IntoResponses, PartialSchema as _, ToSchema,
    openapi::{Content, Ref, RefOr, ResponseBuilder, response},
};

/// What is answered instead.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The operation was not done.
    Control(ControlError),
    /// The request did not get as far.
    Edge(Edge, Explained),
}

/// What can be wrong before an operation is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Malformed,
    Unauthenticated,
    Forbidden,
    NoSuchPath,
    NoSuchMethod,
    TooLarge,
    MediaType,
    Misdirected,
    Invalid,
}

/// The table: status, word, title.
const fn row(refusal: &Refusal) -> (StatusCode, &'static str, &'static str) {
    match refusal {
        Refusal::Control(error) => match error {
            ControlError::Caller(_) => INVALID,
            ControlError::NotFound(_) => NOT_FOUND,
            ControlError::Conflict(_) => {
                (StatusCode::CONFLICT, "conflict", "It stands otherwise than you think")
            }
            ControlError::Refused(_) => FORBIDDEN,
            ControlError::Upstream { .. } => {
                (StatusCode::BAD_GATEWAY, "upstream", "A system beyond the plane did not do its part")
            }
            ControlError::Unavailable { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not possible just now")
            }
            ControlError::Us { .. } => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", "The plane failed, and a person must look")
            }
        },
        Refusal::Edge(edge, _) => match edge {
            Edge::Malformed => (StatusCode::BAD_REQUEST, "malformed", "The request cannot be read"),
            Edge::Unauthenticated => {
                (StatusCode::UNAUTHORIZED, "unauthenticated", "Nobody is known by this token")
            }
            Edge::Forbidden => FORBIDDEN,
            Edge::NoSuchPath => NOT_FOUND,
            Edge::NoSuchMethod => (StatusCode::METHOD_NOT_ALLOWED, "method", "This path has no such method"),
            Edge::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large"),
            Edge::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "The body has to be JSON"),
            Edge::Misdirected => {
                (StatusCode::MISDIRECTED_REQUEST, "misdirected", "This plane is not known by that name")
            }
            Edge::Invalid => INVALID,
        },
    }
}

const INVALID: (StatusCode, &str, &str) =
    (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "What was sent is wrong");
const NOT_FOUND: (StatusCode, &str, &str) = (StatusCode::NOT_FOUND, "not-found", "There is no such thing");
const FORBIDDEN: (StatusCode, &str, &str) = (StatusCode::FORBIDDEN, "refused", "A rule says no");

impl Refusal {
    pub(crate) fn edge(edge: Edge, what: impl Into<String>) -> Self {
        Self::Edge(edge, what.into().into())
    }

    pub(crate) fn cure(mut self, cure: impl Into<String>) -> Self {
        if let Self::Edge(_, text) = &mut self {
            text.cure = Some(cure.into());
        }
        self
    }

    pub(crate) fn because(mut self, because: impl Into<String>) -> Self {
        if let Self::Edge(_, text) = &mut self {
            text.because = Some(because.into());
        }
        self
    }

    fn text(&self) -> &Explained {
        match self {
            Self::Control(error) => error.text(),
            Self::Edge(_, text) => text,
        }
    }
}

impl From<ControlError> for Refusal {
    fn from(error: ControlError) -> Self {
        Self::Control(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if let Self::Control(error) = &self {
            log(error);
        }
        let (status, word, title) = row(&self);
        let text = self.text();
        let body = Problem {
            kind: format!("urn:provost:problem:{word}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: text.what.clone(),
            because: text.because.clone(),
            cure: text.cure.clone(),
            faults: text.faults.clone(),
        };
        problem(status, body)
    }
}

/// A problem as a response.
#[must_use]
pub fn problem(status: StatusCode, body: Problem) -> Response {
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if status == StatusCode::UNAUTHORIZED {
        // RFC 6750 section 3.
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"provost\""));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

pub(crate) async fn no_such_path() -> Refusal {
    Refusal::edge(Edge::NoSuchPath, "there is nothing under this path").cure("see /api/v1/openapi.json")
}

pub(crate) async fn no_such_method() -> Refusal {
    Refusal::edge(Edge::NoSuchMethod, "this path has other methods only").cure("see /api/v1/openapi.json")
}

/// The whole chain, for whoever keeps the plane.
fn log(error: &ControlError) {
    let chain = || {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    };
    match error {
        ControlError::Us { .. } | ControlError::Unavailable { .. } => {
            tracing::error!(error = chain(), "failed")
        }
        ControlError::Upstream { .. } => tracing::warn!(error = chain(), "a system failed"),
        _the_callers => {}
    }
}

/// Every problem, as the OpenAPI document's `default` response.
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<response::Response>> {
        let schema = Ref::from_schema_name(Problem::name());
        let content = Content::new(Some(RefOr::Ref(schema)));
        let response = ResponseBuilder::new()
            .description("Why it was not done, and what to do about it (RFC 9457)")
            .content(PROBLEM_JSON, content)
            .build();
        BTreeMap::from([("default".to_owned(), RefOr::T(response))])
    }
}

/// The schema of a problem, for the document's components.
pub(crate) fn schemas() -> Vec<(String, RefOr<utoipa::openapi::Schema>)> {
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    schemas
}

const PROBLEM_JSON: &str = "application/problem+json";
