//! The one question: what is this system shown on behalf of this caller?

use crate::{
    BrokerError, OauthClient, Signer, Whom, account, aws,
    held::{HELD_MAX, Hands, Held, Key, Slot},
    minted::Kept,
    oauth::Form,
    postgres,
    subject::{ASSERTION_LIFETIME, Pen, Towards},
    whom::is_over,
};
use futures::FutureExt as _;
use moka::sync::Cache;
use provost_connect::{SealingKey, Secret, Shown, Upstreams};
use provost_domain::{
    Clock, DurationMs, Name, NodeId, System, Timestamp,
    credential::{CredentialSource, CredentialSubject, TokenSource},
    system::CredentialUse,
};
use provost_replica::Replica;
use provost_store::Store;
use std::{sync::Arc, time::Duration};

/// What a broker works with.
pub struct BrokerParts {
    /// Sealed secrets, and the rows of what is minted.
    pub store: Arc<dyn Store>,
    /// Tasks, people, accounts, rows.
    pub replica: Arc<Replica>,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Opens and seals.
    pub sealing: Arc<SealingKey>,
    /// Reaches authorization servers, and ends the connections of tasks that ended.
    pub upstreams: Upstreams,
    /// This node; the same after a restart.
    pub node: NodeId,
    /// The plane's address, `iss` of what it signs.
    pub issuer: String,
    /// The plane's keys.
    pub signer: Arc<dyn Signer>,
}

/// Obtains, keeps and takes back what systems are shown. One for each node.
pub struct Broker {
    pub(crate) parts: BrokerParts,
    /// Opened secrets, for less than the lease, so that a changed one is picked up within it.
    secrets: Cache<Name, Secret>,
    pub(crate) hands: Hands,
}

impl Broker {
    /// One with empty hands.
    #[must_use]
    pub fn new(parts: BrokerParts) -> Arc<Self> {
        let secrets = Cache::builder().max_capacity(SECRETS_OPEN_MAX).time_to_live(SECRET_OPEN_MAX).build();
        Arc::new(Self { parts, secrets, hands: Hands::default() })
    }

    /// What a system is shown; `None` when it wants nothing, or the sealed secret it wants is not set. `whom` is asked only
    /// where it matters.
    ///
    /// # Errors
    /// [`BrokerError`]; nothing was sent to the system then.
    pub async fn shown(
        &self,
        system: &System,
        whom: impl FnOnce() -> Whom,
    ) -> Result<Option<Shown>, BrokerError> {
        let Some(used) = &system.credential else { return Ok(None) };
        if used.source.is_sealed() {
            return Ok(self.sealed(&used.name).await?.map(Shown::from));
        }
        // Boxed: what is only ever opened need not carry the room for what is obtained.
        let whom = whom();
        self.obtained(system, used, &whom).boxed().await.map(Some)
    }

    /// The system did not accept what it was shown (HTTP 401): the next call is made with something new. This call is not
    /// made again.
    pub fn refused(&self, system: &System, whom: impl FnOnce() -> Whom) {
        if let Some(used) = system.credential.as_ref().filter(|used| !used.source.is_sealed())
            && let Ok(key) = self.key(system, used, &whom())
        {
            self.hands.refused(&key);
        }
    }

    /// The secret sealed under this name, if there is one. One that is set anew is used within a second.
    ///
    /// # Errors
    /// When it cannot be read or opened.
    pub(crate) async fn sealed(&self, name: &Name) -> Result<Option<Secret>, BrokerError> {
        if let Some(open) = self.secrets.get(name) {
            return Ok(Some(open));
        }
        let sealed = self.parts.store.sealed(name).await?;
        // A deleted credential is kept as no bytes.
        let Some(sealed) = sealed.filter(|sealed| !sealed.is_empty()) else { return Ok(None) };
        let opened = self.parts.sealing.open(name.as_str(), &sealed)?;
        self.secrets.insert(name.clone(), opened.clone());
        Ok(Some(opened))
    }

    /// Seals what is to be kept for somebody under this name, with the key that lives outside the database.
    ///
    /// # Errors
    /// When it is empty or longer than `bytes_max`.
    pub fn seal(&self, name: &str, plain: &[u8], bytes_max: usize) -> Result<Vec<u8>, BrokerError> {
        Ok(self.parts.sealing.seal_within(name, plain, bytes_max)?)
    }

    /// Opens what [`Broker::seal`] sealed under the same name.
    ///
    /// # Errors
    /// When it was sealed under another name or key, or altered.
    pub fn unseal(&self, name: &str, sealed: &[u8]) -> Result<Secret, BrokerError> {
        Ok(self.parts.sealing.open(name, sealed)?)
    }

    pub(crate) async fn needed(&self, system: &Name, name: &Name) -> Result<Secret, BrokerError> {
        let missing = || BrokerError::Missing { system: system.clone(), name: name.clone() };
        self.sealed(name).await?.ok_or_else(missing)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Whether the task may act no more, as far as this node knows.
    pub(crate) fn is_over(&self, whom: &Whom) -> bool {
        is_over(&self.parts.replica.latest().directory, &whom.agent, whom.task.id, self.now())
    }

    async fn obtained(
        &self,
        system: &System,
        used: &CredentialUse,
        whom: &Whom,
    ) -> Result<Shown, BrokerError> {
        if used.source.is_personal() {
            let view = self.parts.replica.latest();
            let person = whom.person().and_then(|person| view.directory.people.get(person));
            if !person.is_some_and(|person| person.active) {
                return Err(BrokerError::Nobody { system: system.name.clone() });
            }
        }
        let key = self.key(system, used, whom)?;
        let full = || BrokerError::Full {
            system: system.name.clone(),
            limit: "credentials_held_max",
            max: HELD_MAX,
        };
        let slot = self.hands.slot(&key).ok_or_else(full)?;
        self.find_or_obtain(&slot, system, used, whom).await
    }

    /// What it is kept under. An account that was disconnected has no key, so what is in hand of it is not used once more.
    fn key(&self, system: &System, used: &CredentialUse, whom: &Whom) -> Result<Key, BrokerError> {
        let name = system.name.clone();
        if let CredentialSource::Account(_) = &used.source {
            let account = account::connected(self, system, whom)?;
            return Ok(Key::Person {
                system: name,
                person: account.person.clone(),
                sealed: account.sealed.clone(),
            });
        }
        Ok(Key::Task { system: name, agent: whom.agent.clone(), task: whom.task.id })
    }

    /// Holds the slot's lock: those who ask for the same at once wait for one answer.
    async fn find_or_obtain(
        &self,
        slot: &Slot,
        system: &System,
        used: &CredentialUse,
        whom: &Whom,
    ) -> Result<Shown, BrokerError> {
        let mut state = slot.state.lock().await;
        let now = self.now();
        if slot.was_refused() || state.as_ref().is_some_and(|held| held.used != *used || held.expires <= now)
        {
            *state = None;
        }
        if let Some(held) = state.as_mut() {
            if now < held.renew_at {
                return Ok(held.shown.clone());
            }
            // It will do until it expires; another one is due.
            match self.renewed(system, used, whom, held).await {
                Ok(Some(new)) => *held = new,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(system = %system.name, task = %whom.task.id, %error, "a credential could not be renewed; the present one is used until it expires");
                    held.renew_at = now.plus(RENEW_AGAIN);
                }
            }
            return Ok(held.shown.clone());
        }
        let held = self.obtain(system, used, whom).await?;
        if self.is_over(whom) {
            return Err(BrokerError::Over);
        }
        let shown = held.shown.clone();
        *state = Some(held);
        Ok(shown)
    }

    /// Another one in place of one in hand; `None` when that one was made to last longer.
    async fn renewed(
        &self,
        system: &System,
        used: &CredentialUse,
        whom: &Whom,
        held: &mut Held,
    ) -> Result<Option<Held>, BrokerError> {
        match &used.source {
            CredentialSource::PostgresRole { lifetime, .. } => {
                postgres::extend(self, system, used, whom, *lifetime, held).await.map(|()| None)
            }
            _ => self.obtain(system, used, whom).await.map(Some),
        }
    }

    async fn obtain(&self, system: &System, used: &CredentialUse, whom: &Whom) -> Result<Held, BrokerError> {
        match &used.source {
            CredentialSource::Sealed => {
                Err(BrokerError::unusable(&system.name, "a sealed secret is not obtained"))
            }
            CredentialSource::ClientCredentials(token) => {
                self.token(system, used, token, whom, vec![("grant_type", "client_credentials".to_owned())])
                    .await
            }
            CredentialSource::TokenExchange { token, subject } => {
                let form = self.exchange(system, token, *subject, whom)?;
                self.token(system, used, token, whom, form).await
            }
            CredentialSource::IdJag(token) => {
                let assertion = self.id_jag(system, token, whom)?;
                let grant = provost_token::JWT_BEARER_GRANT.to_owned();
                self.token(system, used, token, whom, vec![("grant_type", grant), ("assertion", assertion)])
                    .await
            }
            CredentialSource::Account(token) => account::refreshed(self, system, used, token, whom).await,
            CredentialSource::Signed { audience, lifetime, subject } => {
                let pen = self.pen();
                let towards = Towards::new(audience, *lifetime);
                let grant = pen.grant(&system.name, whom, *subject, &towards)?;
                let signed = pen.sign(&system.name, &grant)?;
                let expires = Timestamp::from_millis(grant.exp.saturating_mul(1_000));
                Ok(self.held(used, Secret::new(signed.into_bytes()).into(), expires))
            }
            CredentialSource::PostgresRole { member_of, lifetime } => {
                postgres::mint(self, system, used, whom, member_of, *lifetime).await
            }
            CredentialSource::AwsRole { role, audience, endpoint, lifetime } => {
                let wanted = aws::Wanted { role, audience, endpoint, lifetime: *lifetime };
                let session = aws::assume(self, &system.name, whom, &wanted).await?;
                Ok(self.held(used, session.shown, session.expires))
            }
        }
    }

    /// An access token. One that can be taken back is on record before it is asked for.
    async fn token(
        &self,
        system: &System,
        used: &CredentialUse,
        source: &TokenSource,
        whom: &Whom,
        form: Vec<(&'static str, String)>,
    ) -> Result<Held, BrokerError> {
        let client = self.client(&system.name, used, source).await?;
        let mine = match source.server.revocation_endpoint {
            None => None,
            Some(_) => {
                let row = self.row(system, whom, OAUTH_TOKEN, self.now().plus(source.lifetime_max));
                Some(self.order(row).await?)
            }
        };
        let asked_at = self.now();
        let mut asked: Form<'_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        asked.extend(source.scope.as_deref().map(|scope| ("scope", scope)));
        asked.extend(source.resource.as_deref().map(|resource| ("resource", resource)));
        let answer = client.ask(&asked).await?;
        if let Some(mine) = &mine {
            let kept = Kept::token(&source.server, &used.name, &answer.access);
            self.keep(&mine.id, &kept).await?;
        }
        // Judged after it is kept: one that is not used is taken back all the same.
        let expires = asked_at.plus(answer.lifetime(&system.name, source)?);
        Ok(Held { minted: mine, ..self.held(used, answer.access.into(), expires) })
    }

    /// The plane as this system's client.
    pub(crate) async fn client<'a>(
        &'a self,
        system: &'a Name,
        used: &CredentialUse,
        source: &'a TokenSource,
    ) -> Result<OauthClient<'a>, BrokerError> {
        let secret = match source.server.authentication.needs_secret() {
            true => Some(self.needed(system, &used.name).await?),
            false => None,
        };
        Ok(OauthClient {
            upstreams: &self.parts.upstreams,
            signer: self.parts.signer.as_ref(),
            now: self.now(),
            system,
            server: &source.server,
            secret,
        })
    }

    /// A statement of the plane about whom it is for, to be exchanged (RFC 8693 section 2.1).
    fn exchange(
        &self,
        system: &System,
        token: &TokenSource,
        subject: CredentialSubject,
        whom: &Whom,
    ) -> Result<Vec<(&'static str, String)>, BrokerError> {
        let pen = self.pen();
        let towards = Towards::new(&token.server.issuer, ASSERTION_LIFETIME);
        let statement = pen.sign(&system.name, &pen.grant(&system.name, whom, subject, &towards)?)?;
        let mut form = vec![
            ("grant_type", provost_token::TOKEN_EXCHANGE_GRANT.to_owned()),
            ("subject_token", statement),
            ("subject_token_type", JWT_TYPE.to_owned()),
            ("requested_token_type", ACCESS_TOKEN_TYPE.to_owned()),
        ];
        form.extend(token.audience.clone().map(|audience| ("audience", audience)));
        Ok(form)
    }

    fn id_jag(&self, system: &System, token: &TokenSource, whom: &Whom) -> Result<String, BrokerError> {
        let view = self.parts.replica.latest();
        let person = whom.person().and_then(|person| view.directory.people.get(person));
        let towards = Towards {
            client_id: Some(&token.server.client_id),
            resource: token.resource.as_deref(),
            scope: token.scope.as_deref(),
            email: person.and_then(|person| person.email.as_deref()),
            ..Towards::new(&token.server.issuer, ASSERTION_LIFETIME)
        };
        let pen = self.pen();
        let grant = pen.grant(&system.name, whom, CredentialSubject::Person, &towards)?;
        pen.sign_id_jag(&system.name, &grant)
    }

    pub(crate) fn pen(&self) -> Pen<'_> {
        Pen { signer: self.parts.signer.as_ref(), issuer: &self.parts.issuer, now: self.now() }
    }

    /// Something that is good from now until it expires.
    pub(crate) fn held(&self, used: &CredentialUse, shown: Shown, expires: Timestamp) -> Held {
        let now = self.now();
        Held { used: used.clone(), shown, renew_at: renew_at(now, expires), expires, minted: None }
    }
}

/// When something is to be renewed: a fifth of its life before its end, at most a minute.
pub(crate) fn renew_at(now: Timestamp, expires: Timestamp) -> Timestamp {
    expires.minus(DurationMs(expires.since(now).0 / 5).min(RENEW_BEFORE))
}

pub(crate) const OAUTH_TOKEN: &str = "oauth-token";
const JWT_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
const RENEW_BEFORE: DurationMs = DurationMs::from_secs(60);
const RENEW_AGAIN: DurationMs = DurationMs::from_secs(5);
const SECRETS_OPEN_MAX: u64 = 1_000;
const SECRET_OPEN_MAX: Duration = Duration::from_secs(1);
