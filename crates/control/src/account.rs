//! The accounts people have at systems, connected to the plane once (OAuth 2.1, authorization code with PKCE): agents that
//! act for a person use that person's account, and no agent sees what it is used with.

use crate::{
    Action, ControlError, Op, Operator, carried,
    change::{Change, Draft},
    plane::Plane,
    sign_in::Callback,
    trusted,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use provost_broker::{OauthClient, account};
use provost_connect::Secret;
use provost_domain::{
    Account, Digest, Directory, DurationMs, Name, Object, ObjectKey, System, Timestamp,
    credential::{CredentialSource, TokenSource},
    system::CredentialUse,
};
use provost_token::Challenge;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use url::Url;
use zeroize::Zeroizing;

/// A system where people can connect an account, as one person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The system.
    pub system: Name,
    /// What it is, in a sentence.
    pub description: String,
    /// Who asks the person to agree: the authorization server's own name.
    pub server: String,
    /// What is asked for.
    pub scope: Option<String>,
    /// Since when this person's account is connected, if it is.
    pub connected: Option<Timestamp>,
}

/// What became of an account that was disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnected {
    /// Whether the system confirmed that what the plane had is worth nothing any more. If not, the person should take it back
    /// there, too.
    pub revoked: bool,
}

#[derive(Serialize, Deserialize)]
struct State {
    system: Name,
    person: Name,
    verifier: String,
}

/// The systems where people can connect an account, in order of their names.
///
/// # Errors
/// When this is no person.
pub fn offers(op: &Op) -> Result<Vec<Offer>, ControlError> {
    op.authorize(Action::AccountConnect)?;
    let person = person(op)?;
    let view = op.plane.replica.latest();
    let offer = |system: &Arc<System>| {
        let (_used, source) = source(system)?;
        let account = view.directory.accounts.get(&(system.name.clone(), person.clone()));
        Some(Offer {
            system: system.name.clone(),
            description: system.description.clone(),
            server: source.server.issuer.clone(),
            scope: source.scope.clone(),
            connected: account.map(|account| account.connected),
        })
    };
    Ok(view.directory.systems.values().filter_map(offer).collect())
}

/// Where the person's browser goes to agree (RFC 6749 section 4.1.1, RFC 7636). Nothing is kept here; what has to come back
/// is sealed in `state`.
///
/// # Errors
/// When this is no person, or there is no account to connect at this system.
pub async fn begin(op: &Op, system: &Name) -> Result<String, ControlError> {
    op.authorize(Action::AccountConnect)?;
    let (plane, person) = (&op.plane, person(op)?);
    let view = plane.replica.fresh(plane.limits.staleness_max)?;
    let row = known(&view.directory, system)?;
    let (_used, source) = source(&row).ok_or_else(|| no_account(system))?;
    let place = source.server.authorization_endpoint.as_deref().and_then(|place| Url::parse(place).ok());
    let mut place = place.ok_or_else(|| no_account(system))?;
    let verifier = URL_SAFE_NO_PAD.encode(plane.random::<32>());
    let challenge = Challenge::of(&verifier).to_stored().to_string();
    let state = State { system: system.clone(), person: person.clone(), verifier };
    let state = carried::seal(plane, PURPOSE, &state, STATE_GOOD_FOR)
        .ok_or_else(|| ControlError::unavailable("the way back could not be sealed"))?;
    place
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &source.server.client_id)
        .append_pair("redirect_uri", &redirect_uri(plane))
        .append_pair("state", &state)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .extend_pairs(source.scope.as_deref().map(|scope| ("scope", scope)))
        .extend_pairs(source.resource.as_deref().map(|resource| ("resource", resource)));
    Ok(place.into())
}

/// Takes the browser that comes back: redeems the code, seals the refresh token, connects the account.
///
/// # Errors
/// When it is not the person who left, somebody else answers (RFC 9207), it comes a second time, or the server refuses.
pub async fn finish(op: &Op, came: &Callback) -> Result<Account, ControlError> {
    let authorised = op.authorize(Action::AccountConnect)?;
    let (plane, person) = (&op.plane, person(op)?);
    let text = came.state.as_deref().ok_or_else(not_ours)?;
    let state: State = carried::open(plane, PURPOSE, text).ok_or_else(not_ours)?;
    // Whoever left must come back: otherwise one could have another connect an account that is not theirs.
    if state.person != *person {
        return Err(not_ours());
    }
    let view = plane.replica.fresh(plane.limits.staleness_max)?;
    let row = known(&view.directory, &state.system)?;
    let (used, source) = source(&row).ok_or_else(|| no_account(&row.name))?;
    check_issuer(plane, &view.directory, source, came.iss.as_deref()).await?;
    let now = plane.now();
    let word = Digest::of(format!("{PURPOSE} {text}").as_bytes());
    if !plane.store.remember(word, now.plus(STATE_GOOD_FOR), now).await? {
        return Err(not_ours());
    }
    if let Some(error) = &came.error {
        let word: String = error.chars().filter(char::is_ascii_graphic).take(ERROR_CHARS_MAX).collect();
        return Err(ControlError::refused(format!("{} did not connect the account: {word}", row.name)));
    }
    let code = came.code.as_deref().ok_or_else(not_ours)?;
    let client = client(plane, &row.name, used, source).await?;
    let redirect_uri = redirect_uri(plane);
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri.as_str()),
        ("code_verifier", &state.verifier),
    ];
    form.extend(source.resource.as_deref().map(|resource| ("resource", resource)));
    let answer = client.ask(&form).await?;
    let refresh = answer.refresh.ok_or_else(|| {
        ControlError::refused(format!(
            "{} gave no refresh token, so the account could be used only once",
            row.name
        ))
        .cure("ask for one in `scope` (often `offline_access`), or allow the plane's client to have them")
    })?;
    // Sealed first: a row always has what it speaks of.
    let sealed = sealed_name(plane)?;
    let bytes = account::seal_refresh(&plane.sealing_key, &sealed, &refresh)
        .map_err(|error| ControlError::us("the account could not be sealed", error))?;
    plane.store.put_sealed(&sealed, &bytes).await?;
    let account = Account {
        system: row.name.clone(),
        person: person.clone(),
        sealed,
        scope: answer.scope.or_else(|| source.scope.clone()),
        connected: now,
    };
    let what = format!("{person} connected an account at {}", row.name);
    let (_seq, before) = authorised
        .change(&[ObjectKey::account(&row.name, person)], "agreed there", |seen| {
            let key = (account.system.clone(), account.person.clone());
            Ok(Change {
                drafts: vec![Draft::Put(Object::Account(account.clone()))],
                what: what.clone(),
                answer: seen.directory.accounts.get(&key).map(|before| before.sealed.clone()),
            })
        })
        .await?;
    if let Some(before) = before {
        plane.store.put_sealed(&before, &[]).await?;
    }
    Ok(account)
}

/// Disconnects an account: the plane uses it no more, what it had is revoked there (RFC 7009), and forgotten. A person does
/// so with their own, an administrator with anybody's.
///
/// # Errors
/// When there is none, it is somebody else's, or the store fails. A system that does not answer is none.
pub async fn disconnect(
    op: &Op,
    system: &Name,
    person: &Name,
    why: &str,
) -> Result<Disconnected, ControlError> {
    let authorised = op.authorize(Action::AccountDisconnect)?;
    if matches!(&op.subject, Operator::Person(own, roles) if own != person && !roles.contains(&provost_domain::Role::Administrator))
    {
        return Err(ControlError::refused("an account is its person's, and this one is somebody else's"));
    }
    let plane = &op.plane;
    let key = ObjectKey::account(system, person);
    let (_seq, account) = authorised
        .change(std::slice::from_ref(&key), why, |seen| {
            let account = seen.directory.accounts.get(&(system.clone(), person.clone()));
            let account = account.ok_or_else(|| {
                ControlError::NotFound(format!("{person} has connected no account at {system}").into())
            })?;
            Ok(Change {
                drafts: vec![Draft::Remove(key.clone())],
                what: format!("{person}'s account at {system} was disconnected"),
                answer: Arc::clone(account),
            })
        })
        .await?;
    Ok(Disconnected { revoked: forget(plane, &account).await? })
}

/// Makes an account worthless that nobody uses any more. Gives whether the system took it back.
pub(crate) async fn forget(plane: &Plane, account: &Account) -> Result<bool, ControlError> {
    let revoked = match revoke(plane, account).await {
        Ok(revoked) => revoked,
        Err(error) => {
            let (system, person) = (&account.system, &account.person);
            tracing::warn!(%system, %person, %error, "a disconnected account could not be revoked there");
            false
        }
    };
    plane.store.put_sealed(&account.sealed, &[]).await?;
    Ok(revoked)
}

async fn revoke(plane: &Plane, account: &Account) -> Result<bool, ControlError> {
    let view = plane.replica.latest();
    let Some(row) = view.directory.systems.get(&account.system) else { return Ok(false) };
    let Some((used, source)) = source(row) else { return Ok(false) };
    let sealed = plane.store.sealed(&account.sealed).await?.filter(|sealed| !sealed.is_empty());
    let (Some(sealed), true) = (sealed, source.server.revocation_endpoint.is_some()) else {
        return Ok(false);
    };
    let token = account::open_refresh(&plane.sealing_key, &account.sealed, &sealed)
        .map_err(|error| ControlError::us("the account cannot be opened", error))?;
    client(plane, &row.name, used, source).await?.revoke(&token, "refresh_token").await?;
    Ok(true)
}

/// That the answer is of the server that was asked (RFC 9207 section 2.4). One that does not say who it is could be another's
/// answer passed on, where there are others.
async fn check_issuer(
    plane: &Plane,
    directory: &Directory,
    asked: &TokenSource,
    iss: Option<&str>,
) -> Result<(), ControlError> {
    let others = || {
        let mut sources = directory.systems.values().filter_map(source);
        sources.any(|(_used, source)| source.server.issuer != asked.server.issuer)
    };
    match iss {
        Some(iss) if iss == asked.server.issuer => Ok(()),
        None if !others() && !trusted::announces_iss(plane, &asked.server.issuer).await => Ok(()),
        Some(_) => Err(not_ours()),
        None => Err(not_ours().because(
            "the answer does not say who gives it (`iss`, RFC 9207), though the server announces that its answers do, or \
             people connect accounts at other servers, too",
        )),
    }
}

async fn client<'a>(
    plane: &'a Plane,
    system: &'a Name,
    used: &CredentialUse,
    source: &'a TokenSource,
) -> Result<OauthClient<'a>, ControlError> {
    let secret = match source.server.authentication.needs_secret() {
        true => Some(client_secret(plane, &used.name).await?),
        false => None,
    };
    Ok(OauthClient {
        upstreams: &plane.upstreams,
        signer: plane.token_keys.as_ref(),
        now: plane.now(),
        system,
        server: &source.server,
        secret,
    })
}

async fn client_secret(plane: &Plane, name: &Name) -> Result<Secret, ControlError> {
    let sealed = plane.store.sealed(name).await?.filter(|sealed| !sealed.is_empty());
    let sealed = sealed.ok_or_else(|| {
        ControlError::refused(format!("credential `{name}` is not set"))
            .cure(format!("run `provost credential set {name}`"))
    })?;
    let opened = plane.sealing_key.open(name.as_str(), &sealed);
    opened.map_err(|error| ControlError::us("the credential cannot be opened", error))
}

fn person(op: &Op) -> Result<&Name, ControlError> {
    match &op.subject {
        Operator::Person(person, _roles) => Ok(person),
        _ => Err(ControlError::refused("only the person whose account it is can connect it")
            .cure("sign in as that person")),
    }
}

fn known(directory: &Directory, system: &Name) -> Result<Arc<System>, ControlError> {
    let found = directory.systems.get(system).map(Arc::clone);
    found.ok_or_else(|| ControlError::unknown("system", system.as_str()))
}

fn source(system: &Arc<System>) -> Option<(&CredentialUse, &TokenSource)> {
    let used = system.credential.as_ref()?;
    match &used.source {
        CredentialSource::Account(source) => Some((used, source)),
        _ => None,
    }
}

fn redirect_uri(plane: &Plane) -> String {
    format!("{}{CALLBACK}", plane.issuer)
}

fn sealed_name(plane: &Plane) -> Result<Name, ControlError> {
    let digits = Zeroizing::new(hex::encode(plane.random::<16>()));
    format!("account_{}", digits.as_str())
        .parse()
        .map_err(|error| ControlError::us("an account has no name to be sealed under", error))
}

fn no_account(system: &Name) -> ControlError {
    ControlError::refused(format!("people connect no accounts at {system}"))
        .because("its credential is not of the kind `account`")
}

fn not_ours() -> ControlError {
    ControlError::refused("this is not the answer to a question that you asked here")
        .cure("begin again, in one browser, and finish within ten minutes")
}

/// The path that people's browsers come back to.
pub const CALLBACK: &str = "/oauth/accounts/callback";
const PURPOSE: &str = "connect-account";
const STATE_GOOD_FOR: DurationMs = DurationMs::from_mins(10);
const ERROR_CHARS_MAX: usize = 64;
