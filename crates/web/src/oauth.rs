//! The authorization server's endpoints: bodies and headers in, OAuth's own answers out. What is granted is decided in
//! `provost_control::oauth`.

use crate::{
    app::{Answer, App, Proposed},
    asked::{Asked, bearer},
    door::RequestId,
    input::{Asking, At, Said},
    problem::Problems,
};
use axum::{
    Extension, Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use provost_api::{
    Because,
    oauth::KeySet,
    proof::{KeyAdd, ProofView},
    proposal::ProposalView,
};
use provost_control::{Operator, oauth, proof, session, token_keys};
use provost_domain::Name;
use provost_token::{OauthCode, OauthError};
use serde::Serialize;

/// Authorization server metadata (RFC 8414): only what exists.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    tag = "issuer",
    responses((status = 200, content_type = "application/json", description = "RFC 8414 metadata"))
)]
pub(crate) async fn issuer_metadata(State(app): State<App>) -> Response {
    Json(oauth::metadata(&app.plane)).into_response()
}

/// The same, for verifiers that look for keys where OpenID providers have them (OpenID Connect Discovery 1.0 section 4): clouds
/// that take web identity tokens, among others. The plane gives no ID tokens to anybody.
#[utoipa::path(
    get,
    path = "/.well-known/openid-configuration",
    tag = "issuer",
    responses((status = 200, content_type = "application/json", description = "Where the keys are"))
)]
pub(crate) async fn openid_configuration(State(app): State<App>) -> Response {
    let metadata = serde_json::to_value(oauth::metadata(&app.plane));
    let Ok(serde_json::Value::Object(mut metadata)) = metadata else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    metadata.insert("subject_types_supported".to_owned(), serde_json::json!(["public"]));
    metadata
        .insert("id_token_signing_alg_values_supported".to_owned(), serde_json::json!(["ES256", "EdDSA"]));
    Json(metadata).into_response()
}

/// The keys task tokens are signed with (RFC 7517): the present one, and earlier ones whose tokens are still good.
#[utoipa::path(get, path = "/oauth/jwks", tag = "issuer", responses((status = 200, body = KeySet)))]
pub(crate) async fn jwks(State(app): State<App>) -> Json<KeySet> {
    Json(key_set(&app.plane.token_keys.jwks(app.plane.now())))
}

/// A token for a task (RFC 6749 section 3.2): `client_credentials` and token exchange, by agents that prove themselves with
/// `private_key_jwt`.
#[utoipa::path(
    post,
    path = "/oauth/token",
    tag = "issuer",
    request_body(content_type = "application/x-www-form-urlencoded", content = String),
    responses(
        (status = 200, content_type = "application/json", description = "RFC 6749 section 5.1"),
        (status = 400, content_type = "application/json", description = "RFC 6749 section 5.2"),
        (status = 401, content_type = "application/json", description = "The client did not prove itself")
    )
)]
pub(crate) async fn token(
    State(app): State<App>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let granted = async {
        check_form(&headers)?;
        let proof = one_proof(&headers)?;
        oauth::token(&app.plane, &id.0, &body, proof).await
    };
    told(granted.await)
}

/// Takes a token back (RFC 7009).
#[utoipa::path(
    post,
    path = "/oauth/revoke",
    tag = "issuer",
    request_body(content_type = "application/x-www-form-urlencoded", content = String),
    responses(
        (status = 200, description = "The token is not good any more, or never was"),
        (status = 400, content_type = "application/json", description = "RFC 7009 section 2.2.1"),
        (status = 401, content_type = "application/json", description = "The client did not prove itself")
    )
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let revoked = async {
        check_form(&headers)?;
        oauth::revoke(&app.plane, &id.0, &body).await
    };
    match revoked.await {
        Ok(()) => no_store(StatusCode::OK.into_response()),
        Err(error) => refused(&error),
    }
}

/// What a token is (RFC 7662): for the agents it names, for workloads that enforce, and for administrators.
#[utoipa::path(
    post,
    path = "/oauth/introspect",
    tag = "issuer",
    request_body(content_type = "application/x-www-form-urlencoded", content = String),
    responses(
        (status = 200, content_type = "application/json", description = "RFC 7662 section 2.2"),
        (status = 401, content_type = "application/json", description = "Whoever asks did not prove themselves")
    )
)]
pub(crate) async fn introspect(
    State(app): State<App>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = async {
        check_form(&headers)?;
        if !headers.contains_key(header::AUTHORIZATION) {
            return oauth::introspect(&app.plane, &id.0, &body).await;
        }
        let unknown =
            || OauthError::new(OauthCode::InvalidToken, "nobody has this token, or it was replaced");
        let token = bearer(&headers).map_err(|_refusal| unknown())?;
        let store_failed =
            |_error| OauthError::new(OauthCode::TemporarilyUnavailable, "the plane's store does not answer");
        match session::resolve(&app.plane, token).await.map_err(store_failed)? {
            Some(Operator::Workload(_) | Operator::LocalAdministrator) => {
                oauth::introspect_any(&app.plane, &body)
            }
            Some(Operator::Agent(_) | Operator::Connector(_) | Operator::Person(..) | Operator::Plane)
            | None => Err(unknown()),
        }
    };
    told(answer.await)
}

/// Makes a new key sign tokens; tokens of the one before live out their minutes.
#[utoipa::path(
    post,
    path = "/keys/rotate",
    tag = "issuer",
    security(("token" = [])),
    request_body = Because,
    responses((status = 200, body = KeySet), Problems)
)]
pub(crate) async fn keys_rotate(Asked(op): Asked, Said(why): Said<Because>) -> Answer<KeySet> {
    Ok(Json(key_set(&token_keys::rotate(&op, &why.reason).await?)))
}

/// Registers a public key of an agent, with which it proves itself at the token endpoint.
#[utoipa::path(
    post,
    path = "/agents/{name}/keys",
    tag = "agents",
    security(("token" = [])),
    params(("name" = String, Path, description = "The agent")),
    request_body = KeyAdd,
    responses(
        (status = 200, body = ProofView),
        (status = 202, description = "Nothing has changed: this waits for those who must agree", body = ProposalView),
        Problems
    )
)]
pub(crate) async fn agent_key_add(
    Asked(op): Asked,
    At(name): At<Name>,
    Said(wanted): Said<KeyAdd>,
) -> Proposed<ProofView> {
    Ok(proof::add_key(&op, &name, &wanted).await?.into())
}

/// Takes a key from an agent.
#[utoipa::path(
    delete,
    path = "/agents/{name}/keys/{id}",
    tag = "agents",
    security(("token" = [])),
    params(
        ("name" = String, Path, description = "The agent"),
        ("id" = String, Path, description = "The key's thumbprint"),
        Because
    ),
    responses((status = 200, body = ProofView), Problems)
)]
pub(crate) async fn agent_key_remove(
    Asked(op): Asked,
    At((name, id)): At<(Name, String)>,
    Asking(why): Asking<Because>,
) -> Answer<ProofView> {
    Ok(Json(proof::remove(&op, &name, &id, &why.reason).await?))
}

fn key_set(document: &provost_token::JwksDocument) -> KeySet {
    let keys = document.keys.iter().filter_map(|key| serde_json::to_value(key).ok());
    KeySet { keys: keys.collect() }
}

/// RFC 6749 section 3.2: parameters come in a form body, never in the query.
fn check_form(headers: &HeaderMap) -> Result<(), OauthError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = kind.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(());
    }
    let text = "send the parameters as application/x-www-form-urlencoded in the body";
    Err(OauthError::new(OauthCode::InvalidRequest, text))
}

/// RFC 9449 section 4.3: not more than one.
fn one_proof(headers: &HeaderMap) -> Result<Option<&str>, OauthError> {
    let mut proofs = headers.get_all(HeaderName::from_static("dpop")).iter();
    let bad = || OauthError::new(OauthCode::InvalidDpopProof, "send one DPoP header, with one proof");
    match (proofs.next(), proofs.next()) {
        (None, _) => Ok(None),
        (Some(proof), None) => proof.to_str().map(Some).map_err(|_not_text| bad()),
        (Some(_), Some(_)) => Err(bad()),
    }
}

fn told<T: Serialize>(answer: Result<T, OauthError>) -> Response {
    match answer {
        Ok(answer) => no_store(Json(answer).into_response()),
        Err(error) => refused(&error),
    }
}

fn refused(error: &OauthError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(error)).into_response();
    if error.code() == OauthCode::InvalidToken {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
    }
    no_store(response)
}

/// RFC 6749 section 5.1.
fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
