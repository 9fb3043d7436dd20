//! Shared Signals: the transmitter's endpoints (OpenID SSF 1.0) for receivers that are workloads, and the door for events of
//! trusted issuers (RFC 8935). What is done is in `provost_control::signal`.

use crate::{app::App, asked::bearer, door::RequestId, strict};
use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{FromRequestParts, Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use provost_control::{Op, Operator, session, signal, signal::SignalError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The routes. They speak a protocol of their own and so are not in the OpenAPI document.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/.well-known/ssf-configuration", get(configuration))
        .route("/ssf/stream", get(read).post(create).patch(change).put(replace).delete(remove))
        .route("/ssf/status", get(status).post(set_status))
        .route("/ssf/subjects/add", post(add_subject))
        .route("/ssf/subjects/remove", post(remove_subject))
        .route("/ssf/verify", post(verify))
        .route("/ssf/poll/{id}", post(poll))
        .route("/ssf/receive", post(receive))
}

/// A workload that asks.
struct Receiver(Op);

struct Refused(SignalError);

#[derive(Deserialize)]
struct Which {
    stream_id: Option<String>,
}

impl FromRequestParts<App> for Receiver {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let unknown = || {
            let mut answer = told(StatusCode::UNAUTHORIZED, "access_denied", "nobody has this token");
            answer
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"provost\""));
            answer
        };
        let token = bearer(&parts.headers).map_err(|_none| unknown())?;
        let subject = session::resolve(&app.plane, token).await;
        let subject = subject.map_err(|_failed| StatusCode::SERVICE_UNAVAILABLE.into_response())?;
        let subject = subject.ok_or_else(unknown)?;
        if !matches!(subject, Operator::Workload(_)) {
            return Err(told(StatusCode::FORBIDDEN, "access_denied", "signals are received by workloads"));
        }
        let id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        Ok(Self(Op { subject, request_id: id, plane: Arc::clone(&app.plane) }))
    }
}

async fn configuration(State(app): State<App>) -> Json<Value> {
    Json(signal::metadata(&app.plane))
}

async fn create(State(app): State<App>, Receiver(op): Receiver, body: Bytes) -> Result<Response, Refused> {
    let made = signal::create(&op, &json_of(&app, &body)?).await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

async fn read(Receiver(op): Receiver, Query(which): Query<Which>) -> Result<Json<Value>, Refused> {
    Ok(Json(signal::read(&op, which.stream_id.as_deref())?))
}

async fn change(State(app): State<App>, Receiver(op): Receiver, body: Bytes) -> Result<Json<Value>, Refused> {
    Ok(Json(signal::update(&op, &json_of(&app, &body)?, false).await?))
}

async fn replace(
    State(app): State<App>,
    Receiver(op): Receiver,
    body: Bytes,
) -> Result<Json<Value>, Refused> {
    Ok(Json(signal::update(&op, &json_of(&app, &body)?, true).await?))
}

async fn remove(Receiver(op): Receiver, Query(which): Query<Which>) -> Result<StatusCode, Refused> {
    signal::remove(&op, &which.named()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn status(Receiver(op): Receiver, Query(which): Query<Which>) -> Result<Json<Value>, Refused> {
    Ok(Json(signal::status(&op, &which.named()?)?))
}

async fn set_status(
    State(app): State<App>,
    Receiver(op): Receiver,
    body: Bytes,
) -> Result<Json<Value>, Refused> {
    Ok(Json(signal::set_status(&op, &json_of(&app, &body)?).await?))
}

async fn add_subject(
    State(app): State<App>,
    Receiver(op): Receiver,
    body: Bytes,
) -> Result<StatusCode, Refused> {
    signal::add_subject(&op, &json_of(&app, &body)?).await?;
    Ok(StatusCode::OK)
}

async fn remove_subject(
    State(app): State<App>,
    Receiver(op): Receiver,
    body: Bytes,
) -> Result<StatusCode, Refused> {
    signal::remove_subject(&op, &json_of(&app, &body)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn verify(State(app): State<App>, Receiver(op): Receiver, body: Bytes) -> Result<StatusCode, Refused> {
    signal::verify(&op, &json_of(&app, &body)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn poll(
    State(app): State<App>,
    Receiver(op): Receiver,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refused> {
    Ok(Json(signal::poll(&op, &id, &json_of(&app, &body)?).await?))
}

/// One event of somebody else. Its signature says who sends it; nothing else is asked of whoever posts it.
async fn receive(
    State(app): State<App>,
    Extension(_id): Extension<RequestId>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(SET_MEDIA_TYPE) {
        return told(StatusCode::BAD_REQUEST, "invalid_request", "send it as application/secevent+jwt");
    }
    let Ok(token) = std::str::from_utf8(&body) else {
        return told(StatusCode::BAD_REQUEST, "invalid_request", "it is no security event token");
    };
    match signal::receive::take(&app.plane, token.trim()).await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(not) => match not.err {
            Some(err) => told(StatusCode::BAD_REQUEST, err, &not.why),
            None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        },
    }
}

impl Which {
    fn named(self) -> Result<String, Refused> {
        let missing = SignalError { status: 400, why: "`stream_id` is missing".to_owned() };
        self.stream_id.ok_or(Refused(missing))
    }
}

impl From<SignalError> for Refused {
    fn from(error: SignalError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        told(status, "invalid_request", &self.0.why)
    }
}

fn told(status: StatusCode, err: &str, description: &str) -> Response {
    (status, Json(json!({ "err": err, "description": description }))).into_response()
}

/// A body that reads one way only; nothing is an empty object.
fn json_of(app: &App, body: &Bytes) -> Result<Value, Refused> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    let wrong =
        |error: serde_json::Error| Refused(SignalError { status: 400, why: format!("the body: {error}") });
    strict::check(text, &app.plane.limits).map_err(wrong)?;
    serde_json::from_slice(text).map_err(wrong)
}

const SET_MEDIA_TYPE: &str = "application/secevent+jwt";
