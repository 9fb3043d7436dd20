//! What a legacy client's session remembers (2025-06-18 and 2025-11-25, Streamable HTTP: Session Management). A session
//! id is no credential: every request is identified by its token, and a session belongs to one task.

use super::replay::Tracks;
use moka::sync::Cache;
use provost_connect::{ClientProfile, Upstream};
use provost_domain::TaskId;
use provost_mcp::{RequestId, translate::to_modern::LegacyClient};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, oneshot};

/// One legacy client.
pub struct Session {
    /// Shown to the client.
    pub id: String,
    /// The task it belongs to.
    pub task: TaskId,
    /// The system it was opened for; `None` at the address of all systems.
    pub system: Option<String>,
    client: Mutex<LegacyClient>,
    /// Questions put to the client, by the id they were put under.
    open: Mutex<HashMap<RequestId, Reply>>,
    /// Requests of the client under way, by their id.
    running: Mutex<HashMap<RequestId, Arc<Notify>>>,
    /// Resources it subscribed to, where the system has no such request.
    pub subscribed: Mutex<BTreeSet<String>>,
    /// Tells the listener that `subscribed` changed.
    pub resubscribe: Notify,
    /// The streams of its requests under way.
    pub tracks: Tracks,
    next_question: AtomicI64,
    /// The approvals whose page it was sent to, and has not been told the end of.
    sent_to: Mutex<BTreeSet<String>>,
}

/// Where the client's answer to a question goes.
pub enum Reply {
    /// To the system that asked, under its own id.
    System(Arc<Upstream>, RequestId),
    /// To the exchange that waits for it, as the whole response.
    Exchange(oneshot::Sender<String>),
}

impl Reply {
    /// Whether somebody still waits for it, as far as can be told.
    fn is_wanted(&self) -> bool {
        match self {
            Self::System(upstream, _id) => upstream.is_open(),
            Self::Exchange(waiting) => !waiting.is_closed(),
        }
    }
}

impl Session {
    /// A session for a client that has just said `initialize`.
    #[must_use]
    pub fn new(id: String, task: TaskId, system: Option<String>, client: LegacyClient) -> Arc<Self> {
        Arc::new(Self {
            id,
            task,
            system,
            client: Mutex::new(client),
            open: Mutex::default(),
            running: Mutex::default(),
            subscribed: Mutex::default(),
            resubscribe: Notify::new(),
            tracks: Tracks::default(),
            next_question: AtomicI64::new(1),
            sent_to: Mutex::default(),
        })
    }

    /// What the client said of itself.
    #[must_use]
    pub fn client(&self) -> LegacyClient {
        lock(&self.client).clone()
    }

    /// `logging/setLevel`.
    pub fn set_log_level(&self, level: String) {
        lock(&self.client).log_level = Some(level);
    }

    /// What systems are told of the client.
    #[must_use]
    pub fn profile(&self) -> ClientProfile {
        let client = lock(&self.client);
        ClientProfile { capabilities: client.capabilities.clone(), client_info: client.client_info.clone() }
    }

    /// A new id for a question, and a note of where the answer goes; `None` when too many are open.
    pub fn ask(&self, reply: Reply) -> Option<RequestId> {
        let mut open = lock(&self.open);
        if open.len() >= QUESTIONS_OPEN_MAX {
            open.retain(|_id, reply| reply.is_wanted());
        }
        if open.len() >= QUESTIONS_OPEN_MAX {
            return None;
        }
        let id = RequestId::Integer(self.next_question.fetch_add(1, Ordering::Relaxed));
        open.insert(id.clone(), reply);
        Some(id)
    }

    /// Where the answer under this id goes, once.
    pub fn answered(&self, id: &RequestId) -> Option<Reply> {
        lock(&self.open).remove(id)
    }

    /// The client was sent to the page of this approval.
    pub fn sent_to(&self, approval: &str) {
        let mut sent = lock(&self.sent_to);
        if sent.len() < QUESTIONS_OPEN_MAX {
            sent.insert(approval.to_owned());
        }
    }

    /// Those of the approvals it was sent to for which this holds; they are told once.
    pub fn done_with(&self, is_over: impl Fn(&str) -> bool) -> Vec<String> {
        let mut sent = lock(&self.sent_to);
        let over: Vec<String> = sent.iter().filter(|approval| is_over(approval)).cloned().collect();
        sent.retain(|approval| !over.contains(approval));
        over
    }

    /// Notes a request under way. `None` when the client already uses the id for another one.
    pub fn start(&self, id: &RequestId) -> Option<Arc<Notify>> {
        let mut running = lock(&self.running);
        if running.contains_key(id) {
            return None;
        }
        let cancelled = Arc::new(Notify::new());
        running.insert(id.clone(), Arc::clone(&cancelled));
        Some(cancelled)
    }

    /// The request is over.
    pub fn end(&self, id: &RequestId) {
        lock(&self.running).remove(id);
    }

    /// `notifications/cancelled`.
    pub fn cancel(&self, id: &RequestId) {
        if let Some(cancelled) = lock(&self.running).get(id) {
            cancelled.notify_one();
        }
    }
}

/// The sessions of a node.
pub struct Sessions(Cache<String, Arc<Session>>);

impl Sessions {
    /// At most `sessions_max`; the longest unused leave first, and any after a day unused.
    #[must_use]
    pub fn new(sessions_max: usize) -> Self {
        let cache = Cache::builder().max_capacity(u64::try_from(sessions_max).unwrap_or(u64::MAX));
        Self(cache.time_to_idle(SESSION_IDLE_MAX).build())
    }

    /// Keeps a session.
    pub fn put(&self, session: Arc<Session>) {
        self.0.insert(session.id.clone(), session);
    }

    /// The session under an id, if it is this task's and was opened at this address; anything else is as if there
    /// were none.
    #[must_use]
    pub fn get(&self, id: &str, task: TaskId, system: Option<&str>) -> Option<Arc<Session>> {
        self.0.get(id).filter(|session| session.task == task && session.system.as_deref() == system)
    }

    /// Ends a session.
    pub fn remove(&self, id: &str) {
        self.0.invalidate(id);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const QUESTIONS_OPEN_MAX: usize = 64;
const SESSION_IDLE_MAX: Duration = Duration::from_secs(24 * 3_600);
