//! The accounts people connected: what is kept of them, and what is asked for with it.
//!
//! A refresh token may be good once only (RFC 9700 section 4.14.2). So it is spent by one node at a time, and what comes in
//! its place is sealed before the access token that came with it is used.

use crate::{Broker, BrokerError, Whom, held::Held};
use provost_connect::{SealError, SealingKey, Secret};
use provost_domain::{
    Account, Digest, DurationMs, Name, System, credential::TokenSource, system::CredentialUse,
};
use provost_store::Store;
use std::{sync::Arc, time::Duration};

/// Where a person connects an account at a system.
#[must_use]
pub fn connect_url(issuer: &str, system: &Name) -> String {
    format!("{issuer}/accounts/{system}")
}

/// Seals a refresh token, to be kept under the account's name.
///
/// # Errors
/// As [`SealingKey::seal`].
pub fn seal_refresh(sealing: &SealingKey, name: &Name, token: &Secret) -> Result<Vec<u8>, SealError> {
    sealing.seal(&sealed_as(name), token.dangerous_expose())
}

/// Opens what [`seal_refresh`] sealed.
///
/// # Errors
/// As [`SealingKey::open`].
pub fn open_refresh(sealing: &SealingKey, name: &Name, sealed: &[u8]) -> Result<Secret, SealError> {
    sealing.open(&sealed_as(name), sealed)
}

/// Not a name: a person's token opens as no credential that a file could mention.
fn sealed_as(name: &Name) -> String {
    format!("account:{name}")
}

/// The account of the person behind the task.
pub(crate) fn connected(broker: &Broker, system: &System, whom: &Whom) -> Result<Arc<Account>, BrokerError> {
    let person = whom.person().ok_or_else(|| BrokerError::Nobody { system: system.name.clone() })?;
    let view = broker.parts.replica.latest();
    let account = view.directory.accounts.get(&(system.name.clone(), person.clone()));
    account.map(Arc::clone).ok_or_else(|| BrokerError::NotConnected {
        system: system.name.clone(),
        person: person.clone(),
        at: connect_url(&broker.parts.issuer, &system.name),
    })
}

/// An access token for the account (RFC 6749 section 6).
pub(crate) async fn refreshed(
    broker: &Broker,
    system: &System,
    used: &CredentialUse,
    source: &TokenSource,
    whom: &Whom,
) -> Result<Held, BrokerError> {
    let account = connected(broker, system, whom)?;
    let client = broker.client(&system.name, used, source).await?;
    let refresh = turn(broker, system, &account).await?;
    let text = std::str::from_utf8(refresh.dangerous_expose()).unwrap_or_default();
    let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", text)];
    form.extend(source.resource.as_deref().map(|resource| ("resource", resource)));
    let asked_at = broker.now();
    let answer = client.ask(&form).await.map_err(|error| disconnected(error, broker, system, &account))?;
    // Sealed anew also where it stayed the same: whoever waits for its turn sees that this one is over.
    keep(broker, &account, answer.refresh.as_ref().unwrap_or(&refresh)).await?;
    if connected(broker, system, whom)?.sealed != account.sealed {
        return Err(BrokerError::Over);
    }
    let expires = asked_at.plus(answer.lifetime(&system.name, source)?);
    Ok(broker.held(used, answer.access.into(), expires))
}

/// The refresh token, once it is this node's turn to spend it.
async fn turn(broker: &Broker, system: &System, account: &Account) -> Result<Secret, BrokerError> {
    let store = broker.parts.store.as_ref();
    for _look in 0..LOOKS_MAX {
        let sealed = stored(store, account).await?.ok_or_else(|| lost(broker, system, account))?;
        let word = Digest::of(&[b"account refresh ".as_slice(), &sealed].concat());
        let now = broker.now();
        if store.remember(word, now.plus(TURN_MAX), now).await? {
            return Ok(open_refresh(&broker.parts.sealing, &account.sealed, &sealed)?);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(BrokerError::unusable(
        &system.name,
        "another node asks for a token for this account and does not finish; try again",
    ))
}

async fn stored(store: &dyn Store, account: &Account) -> Result<Option<Vec<u8>>, BrokerError> {
    Ok(store.sealed(&account.sealed).await?.filter(|sealed| !sealed.is_empty()))
}

/// Seals what is good from now on in place of what may be good no more; tries hard, since losing it disconnects the person.
async fn keep(broker: &Broker, account: &Account, refresh: &Secret) -> Result<(), BrokerError> {
    let sealed = seal_refresh(&broker.parts.sealing, &account.sealed, refresh)?;
    let mut tries = 0;
    loop {
        match broker.parts.store.put_sealed(&account.sealed, &sealed).await {
            Ok(()) => return Ok(()),
            Err(error) if tries >= TRIES_MAX => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, system = %account.system, "a new refresh token could not be kept; it is tried again")
            }
        }
        tries += 1;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// `invalid_grant`: the person took it back there, or it was used by somebody else.
fn disconnected(error: BrokerError, broker: &Broker, system: &System, account: &Account) -> BrokerError {
    match &error {
        BrokerError::Refused { code: Some(code), .. } if code == "invalid_grant" => {
            lost(broker, system, account)
        }
        _ => error,
    }
}

fn lost(broker: &Broker, system: &System, account: &Account) -> BrokerError {
    BrokerError::NotConnected {
        system: system.name.clone(),
        person: account.person.clone(),
        at: connect_url(&broker.parts.issuer, &system.name),
    }
}

/// How long one node may take to spend a refresh token.
const TURN_MAX: DurationMs = DurationMs::from_secs(15);
const LOOKS_MAX: u32 = 180;
const LOOK_EVERY: Duration = Duration::from_millis(100);
const TRIES_MAX: u32 = 5;
