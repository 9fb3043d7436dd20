//! `/scim/v2`: the SCIM 2.0 server (RFC 7644). It speaks a protocol of its own, errors included, and so is not in the OpenAPI
//! document. What is done is in `provost_control::scim`.

use crate::{app::App, asked::bearer, door::RequestId, strict};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use provost_control::{
    Op, Operator,
    scim::{self, Answer, If},
    session,
};
use provost_domain::Name;
use provost_scim::{
    Fault, MEDIA_TYPE,
    envelope::{self, Asked},
    schema::{SCHEMAS, TYPES},
};
use serde_json::Value;
use std::sync::Arc;

/// The routes.
pub(crate) fn routes() -> Router<App> {
    let ours = Router::new()
        .route("/ServiceProviderConfig", get(service_provider))
        .route("/ResourceTypes", get(resource_types))
        .route("/ResourceTypes/{name}", get(resource_type))
        .route("/Schemas", get(schemas))
        .route("/Schemas/{id}", get(schema))
        .route("/Users", get(list_users).post(create_user))
        .route("/Users/.search", post(search_users))
        .route("/Users/{id}", get(read_user).put(replace_user).patch(patch_user).delete(remove_user))
        .route("/Groups", get(list_groups).post(create_group))
        .route("/Groups/.search", post(search_groups))
        .route("/Groups/{id}", get(read_group).put(replace_group).patch(patch_group).delete(remove_group))
        .route("/.search", any(absent))
        .route("/Bulk", any(absent))
        .route("/Me", any(absent))
        .fallback(nowhere)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    Router::new().nest("/scim/v2", ours)
}

/// A connector that asks something, and what of the resources it wants to see, and when.
struct Call {
    op: Op,
    connector: Name,
    what: String,
    asked: Result<Asked, Fault>,
    when: If,
}

/// A body that reads one way only.
struct Said(Result<Value, Fault>);

/// What is answered instead.
struct Refused(Fault);

type Answered = Result<Response, Refused>;

impl FromRequestParts<App> for Call {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let unknown = || Refused(Fault::new(401, "nobody has this token, or it is over"));
        let token = bearer(&parts.headers).map_err(|_none| unknown())?;
        let connector = session::connector_of(&app.plane, token).await;
        let connector = connector.map_err(|_failed| Refused(Fault::new(503, "not just now")))?;
        let connector = connector.ok_or_else(unknown)?;
        let id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        let query = parts.uri.query().unwrap_or_default();
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let asked = Asked::from_pairs(pairs.iter().map(|(name, text)| (name.as_ref(), text.as_ref())));
        let header = |name: HeaderName| Some(parts.headers.get(name)?.to_str().ok()?.to_owned());
        let when = If { version: header(header::IF_MATCH), other_than: header(header::IF_NONE_MATCH) };
        Ok(Self {
            op: Op {
                subject: Operator::Connector(connector.clone()),
                request_id: id,
                plane: Arc::clone(&app.plane),
            },
            connector,
            what: format!("{} {}", parts.method, parts.uri.path()),
            asked,
            when,
        })
    }
}

impl FromRequest<App> for Said {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refused> {
        let media = media_type(request.headers());
        let good = ["application/scim+json", "application/json"].contains(&media.as_str());
        let bytes = Bytes::from_request(request, app).await;
        let bytes = bytes.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Refused(Fault::new(413, format!("a body has at most {BODY_BYTES_MAX} bytes")))
            }
            _ => Refused(Fault::syntax("the body ended early")),
        })?;
        if !good {
            return Ok(Self(Err(Fault::new(415, format!("send the body as {MEDIA_TYPE}")))));
        }
        Ok(Self(json_of(app, &bytes)))
    }
}

fn json_of(app: &App, bytes: &Bytes) -> Result<Value, Fault> {
    let wrong =
        |error: serde_json::Error| Fault::syntax(format!("the body is not JSON as it should be: {error}"));
    let limits =
        provost_domain::limits::Limits { json_nodes_max: JSON_NODES_MAX, ..app.plane.limits.clone() };
    strict::check(bytes, &limits).map_err(wrong)?;
    serde_json::from_slice(bytes).map_err(wrong)
}

fn media_type(headers: &HeaderMap) -> String {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

impl Call {
    /// What is asked of resources.
    fn asked(&self) -> Result<&Asked, Fault> {
        self.asked.as_ref().map_err(Clone::clone)
    }

    /// The answer, noted for people who look.
    fn answer(&self, status: StatusCode, done: Result<Answer, Fault>) -> Answered {
        self.note(done.as_ref().err());
        let answer = done.map_err(Refused)?;
        let mut response = json(status, &answer.body);
        for (name, text) in [(header::ETAG, answer.version), (header::LOCATION, answer.location)] {
            let wanted = name != header::LOCATION || status == StatusCode::CREATED;
            if let Some(value) = text.filter(|_text| wanted).and_then(|text| HeaderValue::try_from(text).ok())
            {
                response.headers_mut().insert(name, value);
            }
        }
        Ok(response)
    }

    fn gone(&self, done: Result<(), Fault>) -> Answered {
        self.note(done.as_ref().err());
        done.map_err(Refused)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    fn note(&self, fault: Option<&Fault>) {
        // That nothing changed is no trouble, and neither is looking for somebody who is not there.
        let trouble =
            fault.filter(|fault| fault.status != 304).map(|fault| (fault.status, fault.detail.as_str()));
        let plane = &self.op.plane;
        plane.connectors.note(&self.connector, &self.what, trouble, plane.now());
    }
}

async fn create_user(call: Call, Said(said): Said) -> Answered {
    let done = async { scim::create_user(&call.op, &said?, call.asked()?).await }.await;
    call.answer(StatusCode::CREATED, done)
}

async fn list_users(call: Call) -> Answered {
    let done = async { scim::list_users(&call.op, call.asked()?).await }.await;
    call.answer(StatusCode::OK, done)
}

async fn search_users(call: Call, Said(said): Said) -> Answered {
    let done = async { scim::list_users(&call.op, &Asked::from_body(&said?)?).await }.await;
    call.answer(StatusCode::OK, done)
}

async fn read_user(call: Call, Path(id): Path<String>) -> Answered {
    let done = async { scim::read_user(&call.op, &id, &call.when, call.asked()?).await }.await;
    call.answer(StatusCode::OK, done)
}

async fn replace_user(call: Call, Path(id): Path<String>, Said(said): Said) -> Answered {
    let done = async { scim::replace_user(&call.op, &id, &said?, &call.when, call.asked()?).await }.await;
    call.answer(StatusCode::OK, done)
}

async fn patch_user(call: Call, Path(id): Path<String>, Said(said): Said) -> Answered {
    let done = async { scim::patch_user(&call.op, &id, &said?, &call.when, call.asked()?).await }.await;
    call.answer(StatusCode::OK, done)
}

async fn remove_user(call: Call, Path(id): Path<String>) -> Answered {
    call.gone(scim::remove_user(&call.op, &id, &call.when).await)
}

async fn create_group(call: Call, Said(said): Said) -> Answered {
    let done = async { scim::create_group(&call.op, &said?, call.asked()?).await }.await;
    call.answer(StatusCode::CREATED, done)
}

async fn list_groups(call: Call) -> Answered {
    let done = async { scim::list_groups(&call.op, call.asked()?).await }.await;
    call.answer(StatusCode::OK, done)
}

async fn search_groups(call: Call, Said(said): Said) -> Answered {
    let done = async { scim::list_groups(&call.op, &Asked::from_body(&said?)?).await }.await;
    call.answer(StatusCode::OK, done)
}

async fn read_group(call: Call, Path(id): Path<String>) -> Answered {
    let done = async { scim::read_group(&call.op, &id, &call.when, call.asked()?).await }.await;
    call.answer(StatusCode::OK, done)
}

async fn replace_group(call: Call, Path(id): Path<String>, Said(said): Said) -> Answered {
    let done = async { scim::replace_group(&call.op, &id, &said?, &call.when, call.asked()?).await }.await;
    call.answer(StatusCode::OK, done)
}

async fn patch_group(call: Call, Path(id): Path<String>, Said(said): Said) -> Answered {
    let done = async { scim::patch_group(&call.op, &id, &said?, &call.when, call.asked()?).await }.await;
    call.answer(StatusCode::OK, done)
}

async fn remove_group(call: Call, Path(id): Path<String>) -> Answered {
    call.gone(scim::remove_group(&call.op, &id, &call.when).await)
}

/// What the server can is no secret: some providers look before they have a token (RFC 7644 section 4).
async fn service_provider(State(app): State<App>) -> Response {
    let at = scim::base(&app.plane);
    json(StatusCode::OK, &envelope::service_provider(&at, DOCUMENTATION))
}

async fn resource_types(State(app): State<App>, request: Request) -> Answered {
    unfiltered(&request)?;
    Ok(json(StatusCode::OK, &envelope::resource_types(&scim::base(&app.plane))))
}

async fn resource_type(State(app): State<App>, Path(name): Path<String>) -> Answered {
    let found =
        TYPES.iter().find(|kind| kind.name == name).ok_or_else(|| Refused(Fault::not_found(&name)))?;
    Ok(json(StatusCode::OK, &found.document(&scim::base(&app.plane))))
}

async fn schemas(State(app): State<App>, request: Request) -> Answered {
    unfiltered(&request)?;
    Ok(json(StatusCode::OK, &envelope::schemas(&scim::base(&app.plane))))
}

async fn schema(State(app): State<App>, Path(id): Path<String>) -> Answered {
    let found = SCHEMAS.iter().find(|schema| schema.id.eq_ignore_ascii_case(&id));
    let found = found.ok_or_else(|| Refused(Fault::not_found(&id)))?;
    Ok(json(StatusCode::OK, &found.document(&scim::base(&app.plane))))
}

/// RFC 7644 section 4: these are not filtered.
fn unfiltered(request: &Request) -> Result<(), Refused> {
    let query = request.uri().query().unwrap_or_default();
    let filters = url::form_urlencoded::parse(query.as_bytes()).any(|(name, _text)| name == "filter");
    if filters { Err(Refused(Fault::new(403, "these are not filtered"))) } else { Ok(()) }
}

/// What the standard knows and this server does not do.
async fn absent(method: Method) -> Refused {
    Refused(Fault::new(501, format!("{method} of this is not there; ask for /Users or /Groups")))
}

async fn nowhere() -> Refused {
    Refused(Fault::new(404, "there is no such endpoint"))
}

async fn no_method() -> Refused {
    Refused(Fault::new(405, "this endpoint has no such method"))
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status == StatusCode::NOT_MODIFIED {
            return status.into_response();
        }
        let mut response = json(status, &self.0.body());
        match status {
            StatusCode::UNAUTHORIZED => {
                let value = HeaderValue::from_static("Bearer realm=\"provost\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

fn json(status: StatusCode, body: &Value) -> Response {
    let media = HeaderValue::from_static(MEDIA_TYPE);
    (status, [(header::CONTENT_TYPE, media)], body.to_string()).into_response()
}

/// Bytes of one request: a group of many thousands, whole.
const BODY_BYTES_MAX: usize = 8 << 20;
const JSON_NODES_MAX: usize = 400_000;
const DOCUMENTATION: &str = "https://www.rfc-editor.org/info/rfc7644";
