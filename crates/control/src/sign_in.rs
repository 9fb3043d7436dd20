//! People sign in with their organisation's identity provider (OpenID Connect Core 1.0, authorization code with PKCE). What
//! has to be remembered between leaving and coming back is carried, sealed, by the browser.

use crate::{
    Action, ControlError, Op, Operator, browser, carried,
    change::{Change, Draft},
    plane::Plane,
};
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, header};
use provost_connect::Ask;
use provost_domain::{
    Directory, DurationMs, Issuer, Kind, Name, Object, ObjectKey, Person,
    issuer::{LinkBy, Provider},
    person::{Login, Role},
};
use provost_token::{Challenge, IdToken, IdTokenRules, OutwardClientAssertion, verify_id_token};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};
use url::Url;
use zeroize::Zeroizing;

/// A provider that people can sign in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Names it.
    pub issuer: Name,
    /// What it is.
    pub description: String,
}

/// Where the browser goes, and what it carries.
pub struct Leaving {
    /// The provider's page.
    pub location: String,
    /// To be brought back.
    pub carried: Zeroizing<String>,
}

/// What the provider sent the browser back with.
#[derive(Debug, Deserialize)]
pub struct Callback {
    /// The code, if all went well.
    pub code: Option<String>,
    /// What was sent along.
    pub state: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

/// A person who signed in, and where they wanted to go.
pub struct SignedIn {
    /// The session.
    pub session: browser::Started,
    /// The path they came for.
    pub to: String,
}

#[derive(Serialize, Deserialize)]
struct State {
    issuer: Name,
    state: String,
    nonce: String,
    verifier: String,
    to: String,
}

/// The providers people can sign in with, in order of their names.
#[must_use]
pub fn choices(plane: &Plane) -> Vec<Choice> {
    let view = plane.replica.latest();
    let offers = view.directory.issuers.values().filter(|issuer| provider(issuer).is_some());
    offers
        .map(|issuer| Choice { issuer: issuer.name.clone(), description: issuer.description.clone() })
        .collect()
}

/// Sends a browser to a provider; `to` is the path here that the person came for. `again`: the provider is to ask who it is,
/// also if it knows already.
///
/// # Errors
/// When nobody signs in with this provider, or it does not say where.
pub async fn begin(plane: &Plane, issuer: &Name, to: &str, again: bool) -> Result<Leaving, ControlError> {
    let view = plane.replica.fresh(plane.limits.staleness_max)?;
    let (row, provider) = known(&view.directory, issuer)?;
    let metadata = plane.trusted.metadata(plane, &row).await.map_err(|error| unreachable(issuer, &error))?;
    let place = metadata.authorization_endpoint.as_deref().and_then(|place| Url::parse(place).ok());
    let mut place = place.ok_or_else(|| {
        ControlError::unavailable(format!(
            "{issuer} does not say where people sign in (authorization_endpoint)"
        ))
    })?;
    let random = || URL_SAFE_NO_PAD.encode(plane.random::<32>());
    let state = State {
        issuer: issuer.clone(),
        state: random(),
        nonce: random(),
        verifier: random(),
        to: own_path(to).to_owned(),
    };
    let scope = if provider.link == LinkBy::Email { "openid email" } else { "openid" };
    place
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &provider.client_id)
        .append_pair("redirect_uri", &redirect_uri(plane))
        .append_pair("scope", scope)
        .append_pair("state", &state.state)
        .append_pair("nonce", &state.nonce)
        .append_pair("code_challenge", &Challenge::of(&state.verifier).to_stored().to_string())
        .append_pair("code_challenge_method", "S256");
    if again {
        place.query_pairs_mut().append_pair("prompt", "login");
    }
    // A cookie that browsers drop would end in a riddle.
    let carried = carried::seal(plane, PURPOSE, &state, CARRIED_MAX);
    let carried = carried.filter(|carried| carried.len() <= COOKIE_BYTES_MAX).ok_or_else(|| {
        ControlError::caller("the request is too long to come back to after signing in")
            .cure("sign in first, at /signin, and begin again")
    })?;
    Ok(Leaving { location: place.into(), carried: Zeroizing::new(carried) })
}

/// Takes a browser that comes back: judges what the provider says, and starts a session.
///
/// # Errors
/// When it is not the browser that left, the provider does not vouch for anybody, or the person is nobody here.
pub async fn finish(
    plane: &Arc<Plane>,
    request_id: &str,
    came: &Callback,
    carried: &str,
) -> Result<SignedIn, ControlError> {
    let state: State = carried::open(plane, PURPOSE, carried).ok_or_else(not_ours)?;
    let same = came.state.as_deref().is_some_and(|given| {
        aws_lc_rs::constant_time::verify_slices_are_equal(given.as_bytes(), state.state.as_bytes()).is_ok()
    });
    if !same {
        return Err(not_ours());
    }
    let view = plane.replica.fresh(plane.limits.staleness_max)?;
    let (row, provider) = known(&view.directory, &state.issuer)?;
    let metadata =
        plane.trusted.metadata(plane, &row).await.map_err(|error| unreachable(&row.name, &error))?;
    // RFC 9207 section 2.4: of two providers, one could pass the other's answer off as its own.
    let named = came.iss.as_deref().map(|iss| iss == row.issuer);
    if named.unwrap_or(metadata.authorization_response_iss_parameter_supported) != named.is_some() {
        return Err(not_ours());
    }
    if let Some(error) = &came.error {
        let word: String = error.chars().filter(|c| c.is_ascii_graphic()).take(ERROR_CHARS_MAX).collect();
        return Err(ControlError::refused(format!("{} did not let you in: {word}", row.name)));
    }
    let code = came.code.as_deref().ok_or_else(not_ours)?;
    let token_endpoint = metadata.token_endpoint.as_deref().ok_or_else(|| {
        ControlError::unavailable(format!("{} names no token_endpoint in its metadata", row.name))
    })?;
    let answered = redeem(plane, &row, &provider, token_endpoint, code, &state.verifier).await?;
    let rules = IdTokenRules {
        issuer: &row.issuer,
        client_id: &provider.client_id,
        nonce: &state.nonce,
        max_age_seconds: None,
    };
    let now = plane.now();
    let judged =
        plane.trusted.judged(plane, &row, |keys| verify_id_token(&answered, keys, &rules, now)).await;
    let token = judged.map_err(|error| unreachable(&row.name, &error))?.map_err(|fault| {
        ControlError::refused(format!("what {} says of you cannot be believed", row.name))
            .because(fault.to_string())
    })?;
    let person = person(plane, request_id, &row, &provider, &token).await?;
    let roles = roles(&provider, &token);
    let way = browser::Way { by: format!("issuer {}", row.name), passkey: None, roles };
    let session = browser::start(plane, request_id, &person, way).await?;
    Ok(SignedIn { session, to: state.to })
}

/// A path of this plane, or the start page: an address that leads elsewhere is not followed.
#[must_use]
pub fn own_path(to: &str) -> &str {
    let plain = to.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let ours = to.starts_with('/') && !to.starts_with("//");
    if plain && ours && to.len() <= PATH_BYTES_MAX { to } else { "/" }
}

/// The ID token that the provider gives for a code.
async fn redeem(
    plane: &Plane,
    row: &Issuer,
    provider: &Provider,
    token_endpoint: &str,
    code: &str,
    verifier: &str,
) -> Result<Zeroizing<String>, ControlError> {
    let redirect_uri = redirect_uri(plane);
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", verifier),
        ("client_id", &provider.client_id),
    ];
    let mut ask = Ask::default();
    let assertion;
    match &provider.secret {
        Some(name) => {
            let mut value = HeaderValue::from_str(&basic(plane, name, &provider.client_id).await?)
                .map_err(|error| ControlError::us("the client secret cannot be sent", error))?;
            value.set_sensitive(true);
            ask.headers.insert(header::AUTHORIZATION, value);
        }
        None => {
            assertion = self::assertion(plane, row, provider)?;
            form.push(("client_assertion_type", provost_token::assertion::CLIENT_ASSERTION_TYPE));
            form.push(("client_assertion", &assertion));
        }
    }
    ask.form = Some(&form);
    let answer = plane
        .upstreams
        .fetch(token_endpoint, ask, ANSWER_BYTES_MAX)
        .await
        .map_err(|error| unreachable(&row.name, &error))?;
    #[derive(Deserialize)]
    struct Granted {
        id_token: String,
    }
    if answer.status.as_u16() != 200 {
        let error: Option<String> = serde_json::from_slice::<serde_json::Value>(&answer.body)
            .ok()
            .and_then(|body| body.get("error").and_then(|error| error.as_str()).map(str::to_owned));
        let word = error.unwrap_or_else(|| answer.status.to_string());
        return Err(ControlError::refused(format!("{} did not take the code it gave", row.name))
            .because(word.chars().filter(|c| !c.is_control()).take(ERROR_CHARS_MAX).collect::<String>())
            .cure("sign in again; if it stays so, the plane's registration there is wrong"));
    }
    let granted: Granted = serde_json::from_slice(&answer.body).map_err(|_error| {
        ControlError::refused(format!("{} answered without an ID token", row.name))
            .cure("register the plane there as an OpenID Connect client")
    })?;
    Ok(Zeroizing::new(granted.id_token))
}

/// RFC 6749 section 2.3.1.
async fn basic(plane: &Plane, name: &Name, client_id: &str) -> Result<Zeroizing<String>, ControlError> {
    let sealed = plane.store.sealed(name).await?.filter(|sealed| !sealed.is_empty()).ok_or_else(|| {
        ControlError::unavailable(format!("the client secret `{name}` is not set"))
            .cure(format!("run `provost credential set {name}`"))
    })?;
    let opened = plane.sealing_key.open(name.as_str(), &sealed);
    let opened = opened.map_err(|error| ControlError::us("the client secret does not open", error))?;
    let encode = |bytes: &[u8]| url::form_urlencoded::byte_serialize(bytes).collect::<String>();
    let pair = Zeroizing::new(format!(
        "{}:{}",
        encode(client_id.as_bytes()),
        *Zeroizing::new(encode(opened.dangerous_expose()))
    ));
    Ok(Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes()))))
}

fn assertion(plane: &Plane, row: &Issuer, provider: &Provider) -> Result<String, ControlError> {
    let now = plane.now().as_seconds();
    let assertion = OutwardClientAssertion {
        iss: provider.client_id.clone(),
        sub: provider.client_id.clone(),
        aud: row.issuer.clone(),
        iat: now,
        exp: now.saturating_add(60),
        jti: hex::encode(plane.random::<16>()),
    };
    let signed = plane.token_keys.with_outward(|key| assertion.issue(key))?;
    signed.map_err(|error| ControlError::us("the plane cannot sign as a client", error))
}

/// Who it is here: the person whose row names the subject, or, if the provider's row says so, the one with the same verified
/// mail address.
async fn person(
    plane: &Arc<Plane>,
    request_id: &str,
    row: &Issuer,
    provider: &Provider,
    token: &IdToken,
) -> Result<Name, ControlError> {
    let view = plane.replica.fresh(plane.limits.staleness_max)?;
    if let Some(person) = view.directory.person_of(&row.name, &token.subject) {
        return here(person).map(|person| person.name.clone());
    }
    let email = token.verified_email.as_deref().filter(|_email| provider.link == LinkBy::Email);
    let email = email.ok_or_else(|| stranger(row))?;
    let person = of_email(&view.directory, &row.name, email).ok_or_else(|| stranger(row))?;
    let person = here(&person)?.name.clone();
    link(plane, request_id, row, &person, &token.subject).await?;
    Ok(person)
}

fn of_email(directory: &Directory, issuer: &Name, email: &str) -> Option<Arc<Person>> {
    let same = |person: &&Arc<Person>| {
        person.email.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(email))
            // Whoever has a login there is that subject, and no other that came by the address since.
            && !person.logins.iter().any(|login| login.issuer == *issuer)
    };
    let mut found = directory.people.values().filter(same);
    match (found.next(), found.next()) {
        (Some(one), None) => Some(Arc::clone(one)),
        _ => None,
    }
}

async fn link(
    plane: &Arc<Plane>,
    request_id: &str,
    row: &Issuer,
    name: &Name,
    subject: &str,
) -> Result<(), ControlError> {
    let op = Op { subject: Operator::Plane, request_id: request_id.to_owned(), plane: Arc::clone(plane) };
    let authorised = op.authorize(Action::PersonLink)?;
    let login = Login { issuer: row.name.clone(), subject: subject.to_owned(), added: plane.now() };
    let key = ObjectKey::new(Kind::Person, name.as_str());
    let why = format!("{} vouches for the mail address", row.name);
    authorised
        .change(&[key], &why, |seen| {
            let person = seen.directory.people.get(name).ok_or_else(|| stranger(row))?;
            let mut person = here(person)?.clone();
            person.logins.push(login.clone());
            Ok(Change {
                drafts: vec![Draft::Put(Object::Person(person))],
                what: format!("{name} is a subject of {}", row.name),
                answer: (),
            })
        })
        .await
        .map(drop)
}

fn here(person: &Arc<Person>) -> Result<&Person, ControlError> {
    if person.active {
        return Ok(person);
    }
    Err(ControlError::refused(format!("{} has left, and does not sign in any more", person.display)))
}

fn roles(provider: &Provider, token: &IdToken) -> BTreeSet<Role> {
    let Some(claim) = &provider.groups_claim else { return BTreeSet::new() };
    let groups = token.list(claim);
    groups.into_iter().filter_map(|group| provider.roles.get(group)).flatten().copied().collect()
}

fn known(directory: &Directory, issuer: &Name) -> Result<(Arc<Issuer>, Provider), ControlError> {
    let row = directory.issuers.get(issuer);
    let found = row.and_then(|row| provider(row).map(|provider| (Arc::clone(row), provider.clone())));
    found.ok_or_else(|| {
        ControlError::unknown("provider to sign in with", issuer.as_str())
            .cure("choose one of those at /signin")
    })
}

fn provider(issuer: &Issuer) -> Option<&Provider> {
    issuer.people.as_ref().filter(|people| people.sign_in)
}

fn redirect_uri(plane: &Plane) -> String {
    format!("{}/signin/callback", plane.issuer)
}

fn stranger(row: &Issuer) -> ControlError {
    ControlError::refused(format!("{} knows you, and this plane does not", row.name))
        .cure("ask an administrator to add you to the people of the organisation")
}

fn not_ours() -> ControlError {
    ControlError::refused("this sign-in did not begin here, or took too long")
        .because("somebody else's answer must not sign you in")
        .cure("begin again")
}

fn unreachable(issuer: &Name, error: &dyn std::fmt::Display) -> ControlError {
    ControlError::unavailable(format!("{issuer} could not be asked"))
        .because(error.to_string())
        .cure("try again")
}

const PURPOSE: &str = "sign-in";
/// Browsers keep 4,096 bytes with name and attributes (RFC 6265bis section 5.6).
const COOKIE_BYTES_MAX: usize = 3_800;
const CARRIED_MAX: DurationMs = DurationMs::from_mins(10);
const ANSWER_BYTES_MAX: usize = 65_536;
const ERROR_CHARS_MAX: usize = 100;
const PATH_BYTES_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_this_plane_is_come_back_to() {
        for ours in ["/", "/oauth/authorize?client_id=https%3A%2F%2Fa", "/a//b"] {
            assert_eq!(own_path(ours), ours);
        }
        for other in
            ["", "https://evil.example", "//evil.example", "/\\evil.example", "javascript:1", "/a b", "/a\nb"]
        {
            assert_eq!(own_path(other), "/", "{other}");
        }
    }
}
