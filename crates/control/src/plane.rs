//! The plane as operations see it, and the operation itself.

use crate::{access::Operator, gone::Door, metrics::Metrics, token_keys::TokenKeys};
use provost_connect::{SealingKey, Upstreams};
use provost_domain::{Clock, DurationMs, Environment, Name, NodeId, TaskId, Timestamp, limits::Limits};
use provost_replica::Replica;
use provost_store::Store;
use rand::RngCore as _;
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

/// Everything an operation works with. Made once at start.
pub struct Plane {
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// What this node knows of it.
    pub replica: Arc<Replica>,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// Bounds.
    pub limits: Limits,
    /// This node; the same after a restart.
    pub node: NodeId,
    /// The plane's address without a final slash, such as `http://127.0.0.1:7070`: issuer of task tokens, and the
    /// start of every audience.
    pub issuer: String,
    /// The longest a task token is good for.
    pub token_lifetime_max: DurationMs,
    /// Signs task tokens.
    pub token_keys: Arc<TokenKeys>,
    /// What clients of people say of themselves.
    pub documents: crate::oauth::Documents,
    /// The keys of trusted issuers.
    pub trusted: crate::trusted::Trusted,
    /// Environments whose agents get tokens that are bound to a key only (RFC 9449).
    pub bound_tokens: BTreeSet<Environment>,
    /// Signs checkpoints.
    pub ledger_key: provost_ledger::SigningKey,
    /// Seals credentials.
    pub sealing_key: SealingKey,
    /// The systems, for looking at their tools.
    pub upstreams: Upstreams,
    /// The folder of the plane's files: `checkpoint`, `backups/`.
    pub data: PathBuf,
    /// Deliveries that are over, for people who look.
    pub outbox: crate::outbox::Recent,
    /// What this node has laid out of its agents, for those who search.
    pub inventory: crate::inventory::Inventory,
    /// Counters.
    pub metrics: Metrics,
    /// What this node has read of how approvals are answered.
    pub quality: crate::quality::Quality,
    /// What this node has read of orders that were lifted.
    pub lifted: crate::containment::Lifted,
    /// Who asks for checks.
    pub checks: crate::check::Checks,
    /// What connectors asked of this node.
    pub connectors: crate::connector::Recent,
    /// Where this node's own faces are, once it listens.
    pub door: OnceLock<Arc<Door>>,
}

/// One operation under way: who asked, and on which plane.
#[derive(Clone)]
pub struct Op {
    /// Who.
    pub subject: Operator,
    /// Names the request in logs and answers.
    pub request_id: String,
    /// Where.
    pub plane: Arc<Plane>,
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Op").field("subject", &self.subject).field("request", &self.request_id).finish()
    }
}

/// A source of random bytes fit for keys and tokens. The system's in production, a fixed one in tests.
pub trait Random: Send + Sync + 'static {
    /// Fills the bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// The random source of the operating system, through the thread's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

impl Plane {
    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// `N` random bytes.
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }

    /// A task id that nobody has.
    #[must_use]
    pub fn new_task_id(&self) -> TaskId {
        TaskId::new(self.now(), self.random())
    }

    /// The name this plane is served under, as clients send it in `Host`.
    pub(crate) fn host(&self) -> &str {
        let host = self.issuer.split_once("://").map_or(self.issuer.as_str(), |(_, rest)| rest);
        host.split('/').next().unwrap_or_default()
    }

    /// The resource a task token is for: one system, or all of them (RFC 8707 section 2, RFC 9728 section 1.2).
    #[must_use]
    pub fn resource(&self, system: Option<&Name>) -> String {
        match system {
            Some(system) => format!("{}/mcp/{system}", self.issuer),
            None => format!("{}/mcp", self.issuer),
        }
    }
}
