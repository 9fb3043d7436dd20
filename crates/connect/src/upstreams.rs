//! The pool: which connection belongs to which caller; when it is opened, replaced and ended.

use provost_domain::limits::Limits;
use provost_domain::system::Connection;
use provost_domain::{DurationMs, Name, System, TaskId};
use provost_mcp::Era;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::credential::Credential;
use crate::error::{NotSent, UpstreamError};
use crate::seal::Secret;
use crate::shared::{Bounds, Shared};
use crate::shown::Shown;
use crate::upstream::{Link, Upstream};

/// All outward MCP connections of a node. Cheap to clone. Must be made inside a tokio runtime.
#[derive(Clone)]
pub struct Upstreams(Arc<Pool>);

/// What the pool is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The bounds of the plane. Of these `upstream_message_bytes_max`, `upstream_idle_max`, `call_duration_max`,
    /// `json_depth_max`, `tools_per_system_max` and `list_pages_max` count here.
    pub limits: Limits,
    /// Which addresses may be reached.
    pub hosts: HostPolicy,
    /// The HTTP proxy to go through, if any. The environment's is never used.
    pub proxy: Option<String>,
    /// How long name resolution, TCP and TLS may take.
    pub connect_max: DurationMs,
    /// How long the opening conversation may take.
    pub handshake_max: DurationMs,
    /// How long a child may be silent to `server/discover` before it is taken for a legacy server.
    pub probe_max: DurationMs,
    /// How long a connection without requests and listeners is kept.
    pub connection_idle_max: DurationMs,
    /// How long a child has between SIGTERM and SIGKILL.
    pub child_grace_max: DurationMs,
    /// Connections at once.
    pub connections_max: usize,
    /// Children at once.
    pub children_max: usize,
}

/// Which addresses systems may have.
#[derive(Clone, Debug)]
pub struct HostPolicy {
    /// The only hosts (names or addresses, without port) that may be reached; all, if `None`.
    pub only: Option<BTreeSet<String>>,
    /// Whether a credential may travel over plain `http` to a host other than this machine.
    pub clear_text_credentials: bool,
    /// The hosts (names or addresses, in small letters, without port) that may be inside a network: at private,
    /// link-local, loopback or other special addresses. All others may not, whatever a name server says.
    pub private: BTreeSet<String>,
    /// Whether `localhost` and literal loopback addresses may be reached, as development needs.
    pub loopback: bool,
}

impl Default for HostPolicy {
    fn default() -> Self {
        Self { only: None, clear_text_credentials: false, private: BTreeSet::new(), loopback: true }
    }
}

/// Whose connection it is. Sessions and children are never shared between callers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallerKey {
    /// The agent.
    pub agent: Name,
    /// The task.
    pub task: TaskId,
}

/// What is told to legacy servers about the client behind the gateway. Connections of one caller with different
/// profiles are different connections.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientProfile {
    /// The client capabilities that the gateway mediates (`roots`, `sampling`, `elicitation`); an object.
    pub capabilities: Value,
    /// `name` and `version`, at least; an object.
    pub client_info: Value,
}

/// Why a pool cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The proxy's address.
    #[error("the proxy address is not a url; write it as http://host:port")]
    Proxy,
    /// The HTTP client.
    #[error("the http client could not be made: {0}")]
    Client(String),
}

impl Config {
    /// The defaults around these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            hosts: HostPolicy::default(),
            proxy: None,
            connect_max: DurationMs::from_secs(10),
            handshake_max: DurationMs::from_secs(30),
            probe_max: DurationMs::from_secs(5),
            connection_idle_max: DurationMs::from_mins(15),
            child_grace_max: DurationMs::from_secs(3),
            connections_max: 10_000,
            children_max: 256,
        }
    }
}

impl Upstreams {
    /// An empty pool.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let client = crate::http::client(&config)?;
        let pool = Arc::new(Pool { config, client, slots: Mutex::default(), eras: Mutex::default() });
        tokio::spawn(sweep(Arc::downgrade(&pool)));
        Ok(Self(pool))
    }

    /// The caller's connection to a system, opened now if there is none, if it ended, or if system or secret changed.
    /// Callers who ask for the same one at once get the same one.
    ///
    /// # Errors
    /// [`UpstreamError::NotSent`] or [`UpstreamError::Refused`]: none that leaves an outcome unknown.
    pub async fn get(
        &self,
        system: &System,
        caller: &CallerKey,
        profile: &ClientProfile,
        secret: Option<&Secret>,
    ) -> Result<Arc<Upstream>, UpstreamError> {
        let shown = secret.cloned().map(Shown::from);
        self.get_with(system, caller, profile, shown.as_ref()).await
    }

    /// As [`Upstreams::get`], whatever the system is shown.
    ///
    /// # Errors
    /// As [`Upstreams::get`].
    pub async fn get_with(
        &self,
        system: &System,
        caller: &CallerKey,
        profile: &ClientProfile,
        shown: Option<&Shown>,
    ) -> Result<Arc<Upstream>, UpstreamError> {
        let credential = Credential::of(system, shown)?;
        let key = Key::new(&system.name, caller, profile);
        let slot = self.0.slot(key, system)?;
        tokio::select! {
            biased;
            () = slot.ended.cancelled() => Err(not_sent(&system.name, NotSent::Closed)),
            got = self.0.find_or_open(&slot, system, profile, credential) => got,
        }
    }

    /// What requests to HTTP APIs are made with.
    pub(crate) fn http(&self) -> (&Config, &reqwest::Client) {
        (&self.0.config, &self.0.client)
    }

    /// Ends all connections of a task: its requests in flight end with an error at once, its children within the grace.
    pub async fn end_task(&self, task: TaskId) {
        self.0.end(|key| key.caller.task == task).await;
    }

    /// Whose connections there are.
    #[must_use]
    pub fn callers(&self) -> HashSet<CallerKey> {
        lock(&self.0.slots).keys().map(|key| key.caller.clone()).collect()
    }

    /// Ends all connections to a system and forgets what was learned about it.
    pub async fn forget_system(&self, name: &Name) {
        self.0.end(|key| key.system == *name).await;
        lock(&self.0.eras).remove(name);
    }

    /// Ends everything.
    pub async fn shutdown(&self) {
        self.0.end(|_| true).await;
    }

    /// How many connections there are, opening ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.0.slots).len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the clones of [`Upstreams`] share.
struct Pool {
    config: Config,
    client: reqwest::Client,
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
    /// The era each system was last seen to speak, with the connection it was seen on.
    eras: Mutex<HashMap<Name, (Connection, Era)>>,
}

/// What makes two requests share a connection.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    system: Name,
    caller: CallerKey,
    profile: Arc<str>,
}

/// The place of one connection. Its lock is held while the connection is opened, so that it is opened once.
struct Slot {
    /// Whether this is a child process.
    child: bool,
    /// Cancelled when it was taken out of the pool: whoever still waits for its lock must not open it again.
    ended: CancellationToken,
    state: tokio::sync::Mutex<SlotState>,
}

#[derive(Default)]
struct SlotState {
    open: Option<Open>,
    /// Times in a row that it ended by itself soon after it was opened, or could not be opened.
    failures: u32,
    not_before: Option<Instant>,
}

struct Open {
    upstream: Arc<Upstream>,
    /// As it was when opened; another system or secret wants another connection.
    system: System,
    opened_at: Instant,
}

impl Pool {
    /// The place for this key, made if there is none.
    fn slot(&self, key: Key, system: &System) -> Result<Arc<Slot>, UpstreamError> {
        let child = matches!(system.connection, Connection::McpStdio { .. });
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.get(&key) {
            return Ok(Arc::clone(slot));
        }
        let too_many = |limit, max| Err(not_sent(&system.name, NotSent::TooMany { limit, max }));
        if slots.len() >= self.config.connections_max {
            return too_many("connections_max", self.config.connections_max);
        }
        if child && slots.values().filter(|slot| slot.child).count() >= self.config.children_max {
            return too_many("children_max", self.config.children_max);
        }
        let slot =
            Arc::new(Slot { child, ended: CancellationToken::new(), state: tokio::sync::Mutex::default() });
        slots.insert(key, Arc::clone(&slot));
        Ok(slot)
    }

    /// Holds the slot's lock: those who ask for the same connection at once wait for one opening.
    async fn find_or_open(
        &self,
        slot: &Slot,
        system: &System,
        profile: &ClientProfile,
        credential: Option<Credential>,
    ) -> Result<Arc<Upstream>, UpstreamError> {
        let mut state = slot.state.lock().await;
        if let Some(open) = state.usable(system, credential.as_ref()) {
            open.shared.touch();
            return Ok(open);
        }
        state.replace(self.config.limits.call_duration_max).await;
        state.wait_for_restart(&system.name).await?;
        let opened = self.open(system, profile, credential).await;
        state.opened(system, opened)
    }

    async fn open(
        &self,
        system: &System,
        profile: &ClientProfile,
        credential: Option<Credential>,
    ) -> Result<Upstream, UpstreamError> {
        let known = self.known_era(system);
        let shared = Arc::new(Shared::new(system.name.clone(), Bounds::of(&self.config), credential));
        let limit = self.config.handshake_max;
        let opening = async {
            match &system.connection {
                Connection::McpHttp { url } => {
                    let endpoint =
                        crate::http::Endpoint::new(&shared, &self.client, &self.config.hosts, url)?;
                    let (link, handshake) = crate::http::open(endpoint, profile, known).await?;
                    Ok((Link::Http(link), handshake))
                }
                Connection::McpStdio { command, env } => {
                    let link = crate::stdio::StdioLink::start(&shared, command, env)?;
                    let handshake = crate::stdio::open(&link, profile, known).await?;
                    Ok((Link::Stdio(link), handshake))
                }
                Connection::McpLocal => Err(not_sent(&system.name, NotSent::Local)),
                Connection::HttpApi { .. } => Err(not_sent(&system.name, NotSent::Api)),
            }
        };
        // Closes what was half opened, however this ends, unless it is opened whole.
        let guard = shared.closed.clone().drop_guard();
        let opened = tokio::time::timeout(limit.to_std(), opening).await;
        let (link, handshake) = opened
            .unwrap_or_else(|_| Err(shared.timed_out("handshake_max", limit)))
            .map_err(UpstreamError::while_opening)?;
        guard.disarm();
        lock(&self.eras).insert(system.name.clone(), (system.connection.clone(), handshake.era()));
        tracing::debug!(system = %system.name, revision = %handshake.revision, "connection opened");
        Ok(Upstream { shared, handshake, link })
    }

    fn known_era(&self, system: &System) -> Option<Era> {
        let eras = lock(&self.eras);
        let (connection, era) = eras.get(&system.name)?;
        (*connection == system.connection).then_some(*era)
    }

    /// Takes out and closes every connection whose key fits, those being opened included.
    async fn end(&self, fits: impl Fn(&Key) -> bool) {
        let taken: Vec<Arc<Slot>> =
            lock(&self.slots).extract_if(|key, _| fits(key)).map(|(_, slot)| slot).collect();
        futures::future::join_all(taken.into_iter().map(|slot| async move { slot.end().await })).await;
    }

    /// Takes out the connections that nobody needs any more.
    async fn sweep(&self) {
        let idle_max = self.config.connection_idle_max.to_std();
        let mut taken = Vec::new();
        lock(&self.slots).retain(|_, slot| {
            // Locked means in use. A place that somebody else holds is not idle either.
            let idle = slot.state.try_lock().is_ok_and(|state| state.idle(idle_max));
            let unneeded = idle && Arc::strong_count(slot) == 1;
            if unneeded {
                taken.push(Arc::clone(slot));
            }
            !unneeded
        });
        futures::future::join_all(taken.into_iter().map(|slot| async move { slot.end().await })).await;
    }
}

impl Slot {
    async fn end(&self) {
        self.ended.cancel();
        self.state.lock().await.retire().await;
    }
}

impl SlotState {
    /// The open connection, if it is the one wanted.
    fn usable(&self, system: &System, credential: Option<&Credential>) -> Option<Arc<Upstream>> {
        let open = self.open.as_ref()?;
        let same = open.system == *system && open.upstream.shared.credential.as_ref() == credential;
        (same && open.upstream.is_open()).then(|| Arc::clone(&open.upstream))
    }

    /// Closes what is there, and remembers whether it had ended by itself too soon.
    async fn retire(&mut self) {
        let Some(open) = self.open.take() else { return };
        if !open.upstream.is_open() {
            let soon = open.opened_at.elapsed() < STABLE_AFTER;
            self.failed_again(if soon { self.failures + 1 } else { 1 });
        }
        open.upstream.close().await;
    }

    /// Makes room for another connection. What is under way on the one before may end: a credential that is changed breaks no
    /// call.
    async fn replace(&mut self, call_max: DurationMs) {
        match self.open.take_if(|open| open.upstream.is_open() && open.upstream.shared.is_busy()) {
            Some(busy) => drop(tokio::spawn(close_when_idle(busy.upstream, call_max))),
            None => self.retire().await,
        }
    }

    fn opened(
        &mut self,
        system: &System,
        opened: Result<Upstream, UpstreamError>,
    ) -> Result<Arc<Upstream>, UpstreamError> {
        match opened {
            Ok(upstream) => {
                let upstream = Arc::new(upstream);
                let open = Open {
                    upstream: Arc::clone(&upstream),
                    system: system.clone(),
                    opened_at: Instant::now(),
                };
                self.open = Some(open);
                Ok(upstream)
            }
            Err(error) => {
                if matches!(system.connection, Connection::McpStdio { .. }) {
                    self.failed_again(self.failures + 1);
                }
                Err(error)
            }
        }
    }

    /// The first restart is immediate, the second after 200 ms, then twice as long each time, up to 30 s.
    fn failed_again(&mut self, failures: u32) {
        self.failures = failures;
        let wait = match failures {
            0 | 1 => Duration::ZERO,
            n => RESTART_FIRST.saturating_mul(1 << (n - 2).min(16)).min(RESTART_MAX),
        };
        self.not_before = Some(Instant::now() + wait);
    }

    /// Waits a short pause out; names a long one.
    async fn wait_for_restart(&self, system: &Name) -> Result<(), UpstreamError> {
        let wait =
            self.not_before.map(|then| then.saturating_duration_since(Instant::now())).unwrap_or_default();
        if wait > RESTART_WAITED_MAX {
            let wait = DurationMs(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            return Err(not_sent(system, NotSent::Restarting { times: self.failures, wait }));
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn idle(&self, idle_max: Duration) -> bool {
        match &self.open {
            Some(open) if open.upstream.is_open() => open.upstream.shared.idle_for(idle_max),
            // One that ended by itself is remembered for a while, so that its restarts are counted.
            Some(open) => open.upstream.shared.idle_for(idle_max.min(STABLE_AFTER)),
            None => self.not_before.is_none_or(|then| then.elapsed() > STABLE_AFTER),
        }
    }
}

impl Key {
    fn new(system: &Name, caller: &CallerKey, profile: &ClientProfile) -> Self {
        let profile = format!("{}\n{}", profile.capabilities, profile.client_info).into();
        Self { system: system.clone(), caller: caller.clone(), profile }
    }
}

/// Looks for idle connections as long as the pool lives.
async fn sweep(pool: Weak<Pool>) {
    loop {
        let Some(pause) = pool.upgrade().map(|pool| pool.config.connection_idle_max.to_std() / 4) else {
            return;
        };
        tokio::time::sleep(pause.clamp(SWEEP_MIN, SWEEP_MAX)).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.sweep().await;
    }
}

/// Closes a connection as soon as the calls under way on it have ended; no call lasts longer than this.
async fn close_when_idle(upstream: Arc<Upstream>, call_max: DurationMs) {
    let ends = Instant::now() + call_max.to_std();
    while upstream.is_open() && upstream.shared.is_busy() && Instant::now() < ends {
        tokio::time::sleep(SWEEP_MIN).await;
    }
    upstream.close().await;
}

fn not_sent(system: &Name, why: NotSent) -> UpstreamError {
    UpstreamError::NotSent { system: system.clone(), why }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection that lived so long did not fail at once.
const STABLE_AFTER: Duration = Duration::from_secs(60);
const RESTART_FIRST: Duration = Duration::from_millis(200);
const RESTART_MAX: Duration = Duration::from_secs(30);
const RESTART_WAITED_MAX: Duration = Duration::from_secs(1);
const SWEEP_MIN: Duration = Duration::from_millis(50);
const SWEEP_MAX: Duration = Duration::from_secs(30);
