//! The keys that sign task tokens. A rotation needs no restart and breaks no token: a new key signs, and the one before
//! verifies until the longest token it signed has expired. Every node takes up a rotation within [`LOOK_EVERY`].
//!
//! Each state of the ring has a number and is written once: of two rotations at a time, one is refused.

use crate::{
    Action, ControlError, Op,
    keys::{self, KeysError},
    plane::{Plane, Random},
    reason::reason,
};
use arc_swap::ArcSwap;
use provost_connect::SealingKey;
use provost_domain::{Digest, DurationMs, Timestamp, decision::Refused};
use provost_store::Store;
use provost_token::{Algorithm, JwksDocument, KeyRing, SigningKey, Verifier};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// The ring of this node as it stands, and who verifies with it.
pub struct TokenKeys {
    issuer: String,
    access: Algorithm,
    signals: Algorithm,
    current: ArcSwap<Current>,
}

struct Current {
    number: u64,
    state: State,
    ring: KeyRing,
    verifier: Arc<Verifier>,
}

/// One state of the ring, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// The name of the seed of the key that signs.
    signing: String,
    /// Keys before it.
    earlier: Vec<Earlier>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Earlier {
    seed: String,
    until: Timestamp,
}

impl TokenKeys {
    /// Loads the newest ring; draws the first key, if there is none.
    ///
    /// # Errors
    /// When the store fails, or a stored seed does not open under this sealing key.
    pub async fn load(
        store: &dyn Store,
        sealing: &SealingKey,
        random: &dyn Random,
        issuer: &str,
    ) -> Result<Self, KeysError> {
        let first = State { signing: keys::TOKEN_SEED.to_owned(), earlier: Vec::new() };
        let signals = Algorithm::Es256;
        let current = open((store, sealing, random), (issuer, signals), 0, first).await?;
        let keys = Self {
            issuer: issuer.to_owned(),
            access: Algorithm::EdDsa,
            signals,
            current: ArcSwap::from_pointee(current),
        };
        while keys.look(store, sealing, random).await? {}
        Ok(keys)
    }

    /// Signs security events with this algorithm from now on: ES256, unless said otherwise, EdDSA, or RS256, whose key is drawn
    /// when it is first wanted.
    ///
    /// # Errors
    /// As [`TokenKeys::load`].
    pub async fn signalling_with(
        mut self,
        signals: Algorithm,
        store: &dyn Store,
        sealing: &SealingKey,
        random: &dyn Random,
    ) -> Result<Self, KeysError> {
        self.signals = signals;
        let (number, state) = {
            let current = self.current.load();
            (current.number, current.state.clone())
        };
        let current = open((store, sealing, random), (&self.issuer, signals), number, state).await?;
        self.current.store(Arc::new(current));
        Ok(self)
    }

    /// Signs access tokens with this algorithm from now on: EdDSA, unless said otherwise, or ES256.
    #[must_use]
    pub fn signing_with(mut self, access: Algorithm) -> Self {
        self.access = access;
        self
    }

    /// Signs an access token with the present key.
    ///
    /// # Errors
    /// When there is none, which there is.
    pub fn with_signing<T>(&self, sign: impl FnOnce(&SigningKey) -> T) -> Result<T, ControlError> {
        self.with_key(self.access, sign)
    }

    /// Signs something for others, who understand ES256 everywhere and EdDSA not yet.
    ///
    /// # Errors
    /// As [`TokenKeys::with_signing`].
    pub fn with_outward<T>(&self, sign: impl FnOnce(&SigningKey) -> T) -> Result<T, ControlError> {
        self.with_key(Algorithm::Es256, sign)
    }

    /// Signs a security event, as receivers here understand it.
    ///
    /// # Errors
    /// As [`TokenKeys::with_signing`].
    pub fn with_signals<T>(&self, sign: impl FnOnce(&SigningKey) -> T) -> Result<T, ControlError> {
        self.with_key(self.signals, sign)
    }

    fn with_key<T>(&self, alg: Algorithm, sign: impl FnOnce(&SigningKey) -> T) -> Result<T, ControlError> {
        let current = self.current.load();
        let key = current.ring.signing(alg);
        key.map(sign).ok_or_else(|| ControlError::unavailable("there is no key to sign tokens with"))
    }

    /// Verifies with every key that is still good.
    #[must_use]
    pub fn verifier(&self) -> Arc<Verifier> {
        Arc::clone(&self.current.load().verifier)
    }

    /// What others verify with (RFC 7517).
    #[must_use]
    pub fn jwks(&self, now: Timestamp) -> JwksDocument {
        self.current.load().ring.jwks(now)
    }

    /// The id of the key that signs.
    ///
    /// # Errors
    /// As [`TokenKeys::with_signing`].
    pub fn kid(&self) -> Result<String, ControlError> {
        self.with_signing(|key| key.verifying().kid().to_owned())
    }

    /// Takes up the next state, if there is one.
    async fn look(
        &self,
        store: &dyn Store,
        sealing: &SealingKey,
        random: &dyn Random,
    ) -> Result<bool, KeysError> {
        let number = self.current.load().number.saturating_add(1);
        let Some(text) = store.meta(&place(number)).await? else { return Ok(false) };
        let state = serde_json::from_slice(&text).map_err(|_damaged| KeysError::NotASeed { name: RING })?;
        let next = open((store, sealing, random), (&self.issuer, self.signals), number, state).await?;
        self.current.store(Arc::new(next));
        Ok(true)
    }
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKeys").field("state", &self.current.load().state).finish()
    }
}

/// Makes a new key sign. Tokens of the one before live out their minutes.
///
/// # Errors
/// When the operator may not, somebody else rotates at the same time, or the store fails.
pub async fn rotate(op: &Op, why: &str) -> Result<JwksDocument, ControlError> {
    op.authorize(Action::KeysRotate)?;
    let why = reason(why)?;
    let plane = &op.plane;
    follow_once(plane).await.map_err(unusable)?;
    let (number, before) = {
        let current = plane.token_keys.current.load();
        (current.number.saturating_add(1), current.state.clone())
    };
    let seed = format!("{}/{}", keys::TOKEN_SEED, hex::encode(plane.random::<8>()));
    let drawn = keys::seed(plane.store.as_ref(), &plane.sealing_key, plane.random.as_ref(), &seed);
    let key = SigningKey::from_seed(&*drawn.await.map_err(unusable)?)
        .map_err(|_refused| unusable(KeysError::NotASeed { name: RING }))?;
    let now = plane.now();
    // The record first: after a crash in between it says more than happened, never less.
    let kid = key.verifying().kid();
    let notice = Refused {
        v: 1,
        at: now,
        node: plane.node,
        face: "control".to_owned(),
        code: "keys".to_owned(),
        message: format!("{} says: the key that signs tokens is to be {kid}: {why}", op.subject),
        count: 1,
    };
    plane.store.refused(notice).await?;
    let until = now.plus(plane.token_lifetime_max).plus(SPARE);
    let kept = before.earlier.into_iter().filter(|earlier| now < earlier.until);
    let earlier = kept.chain([Earlier { seed: before.signing, until }]).collect();
    let text = serde_json::to_vec(&State { signing: seed, earlier })
        .map_err(|error| ControlError::us("the keys' new state cannot be written", error))?;
    if plane.store.put_meta_if_absent(&place(number), &text).await? != text {
        return Err(ControlError::conflict("somebody else rotates the keys at this moment")
            .cure("look, then try again"));
    }
    follow_once(plane).await.map_err(unusable)?;
    Ok(plane.token_keys.jwks(now))
}

/// Takes up rotations of other nodes for as long as this one lives.
pub async fn follow(plane: Arc<Plane>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = follow_once(&plane).await {
            tracing::warn!(%error, "the newest token keys could not be read; they are looked for again");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

async fn follow_once(plane: &Plane) -> Result<(), KeysError> {
    let (store, random) = (plane.store.as_ref(), plane.random.as_ref());
    while plane.token_keys.look(store, &plane.sealing_key, random).await? {}
    Ok(())
}

async fn open(
    (store, sealing, random): (&dyn Store, &SealingKey, &dyn Random),
    (issuer, signals): (&str, Algorithm),
    number: u64,
    state: State,
) -> Result<Current, KeysError> {
    let key = async |name: &str| {
        let seed = keys::seed(store, sealing, random, name).await?;
        SigningKey::from_seed(&seed).map_err(|_refused| KeysError::NotASeed { name: RING })
    };
    // Each state has a key for either algorithm: one named, the other named after it.
    let second = async |name: &str| {
        let seed = keys::seed(store, sealing, random, &format!("{name}/es256")).await?;
        // Not every 32 bytes are a scalar of the curve; the next ones are.
        SigningKey::es256_from_seed(&seed)
            .or_else(|_refused| SigningKey::es256_from_seed(Digest::of(&*seed).as_bytes()))
            .map_err(|_refused| KeysError::NotASeed { name: RING })
    };
    let mut ring = KeyRing::new(key(&state.signing).await?).with_signing(second(&state.signing).await?);
    for Earlier { seed, until } in &state.earlier {
        ring = ring
            .with_verifying(key(seed).await?.verifying().clone(), Some(*until))
            .with_verifying(second(seed).await?.verifying().clone(), Some(*until));
    }
    let verifier = Arc::new(Verifier::with_ring(issuer, &ring));
    // What signs events only verifies no token.
    let rsa = async |name: &str, draw| keys::rsa(store, sealing, (name, draw)).await;
    if signals == Algorithm::Rs256 {
        if let Some(key) = rsa(&state.signing, true).await? {
            ring = ring.with_signing(key);
        }
        for Earlier { seed, until } in &state.earlier {
            if let Some(key) = rsa(seed, false).await? {
                ring = ring.with_verifying(key.verifying().clone(), Some(*until));
            }
        }
    }
    Ok(Current { number, state, ring, verifier })
}

fn place(number: u64) -> String {
    format!("{RING}/{number}")
}

fn unusable(error: KeysError) -> ControlError {
    ControlError::us("the plane's keys cannot be used", error)
}

const RING: &str = "token-keys";
/// Clocks of nodes differ a little.
const SPARE: DurationMs = DurationMs::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_secs(1);
