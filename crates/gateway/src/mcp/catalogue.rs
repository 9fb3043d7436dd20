//! What systems say their tools are. A catalogue is believed for a short time, and only as long as the system does not
//! say that it changed: a modern system is listened to for as long as its catalogue is believed.

use super::session::lock;
use futures::StreamExt as _;
use provost_connect::Upstream;
use provost_domain::{Name, Timestamp};
use provost_mcp::{
    Era, Limits, Message, Revision, strict,
    tools::ToolDefinition,
    translate::{
        Listening,
        to_modern::{self, LegacyClient},
    },
};
use serde_json::json;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::oneshot;

/// What one system says its tools are.
#[derive(Debug, Default, Clone)]
pub struct Catalogue {
    /// By name.
    pub tools: HashMap<String, Arc<ToolDefinition>>,
    /// When it was asked.
    pub read_at: Timestamp,
}

/// Those of all systems.
#[derive(Default)]
pub struct Catalogues {
    known: Mutex<HashMap<Name, Arc<Catalogue>>>,
    /// Systems that are listened to.
    heard: Mutex<HashSet<Name>>,
    /// Raised whenever one is forgotten: what was being read meanwhile may be old.
    changes: AtomicU64,
}

impl Catalogues {
    /// What is believed of a system now.
    pub fn of(&self, system: &Name, now: Timestamp) -> Option<Arc<Catalogue>> {
        let known = lock(&self.known).get(system).cloned();
        known.filter(|known| u128::from(now.since(known.read_at).0) <= AGE_MAX.as_millis())
    }

    /// The number of changes so far, for [`Catalogues::put`].
    pub fn change(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Believes a catalogue that was read after `change`, unless there was one since.
    pub fn put(&self, system: &Name, catalogue: Catalogue, change: u64) {
        let mut known = lock(&self.known);
        if self.change() == change {
            known.insert(system.clone(), Arc::new(catalogue));
        }
    }

    /// Adds definitions that were just seen.
    pub fn add(&self, system: &Name, definitions: Vec<ToolDefinition>) {
        let mut known = lock(&self.known);
        let Some(catalogue) = known.get_mut(system) else { return };
        let tools = definitions.into_iter().map(|tool| (tool.name.clone(), Arc::new(tool)));
        Arc::make_mut(catalogue).tools.extend(tools);
    }

    /// Believes nothing of a system any more.
    pub fn forget(&self, system: &Name) {
        let mut known = lock(&self.known);
        self.changes.fetch_add(1, Ordering::SeqCst);
        known.remove(system);
    }

    /// Listens to a modern system that says it tells of changes; returns when it has begun to.
    pub async fn watch(self: &Arc<Self>, upstream: &Arc<Upstream>, limits: &Limits) {
        let system = upstream.system().clone();
        if !tells_of_changes(upstream, limits) || !lock(&self.heard).insert(system.clone()) {
            return;
        }
        let (begun, heard) = oneshot::channel();
        let (catalogues, upstream, limits) = (Arc::clone(self), Arc::clone(upstream), limits.clone());
        tokio::spawn(async move {
            let _over = Over { catalogues: Arc::clone(&catalogues), system };
            let listening = catalogues.hear(&upstream, &limits, begun);
            drop(tokio::time::timeout(AGE_MAX, listening).await);
        });
        drop(tokio::time::timeout(BEGUN_MAX, heard).await);
    }

    async fn hear(&self, upstream: &Arc<Upstream>, limits: &Limits, begun: oneshot::Sender<()>) {
        let nobody = LegacyClient {
            revision: Revision::NEWEST_LEGACY,
            capabilities: json!({}),
            client_info: json!({"name": "provost", "version": env!("CARGO_PKG_VERSION")}),
            log_level: None,
        };
        let wanted = Listening { tools: true, ..Listening::default() };
        let request = to_modern::listen(&upstream.fresh_id(), &wanted, &nobody);
        let mut messages = crate::act::ask(Arc::clone(upstream), request.into(), Vec::new());
        let mut begun = Some(begun);
        while let Some(Ok(message)) = messages.next().await {
            if let Some(begun) = begun.take() {
                let _nobody_waits = begun.send(());
            }
            if let Ok(Message::Notification(notification)) = Message::parse(&message, limits)
                && notification.method == "notifications/tools/list_changed"
            {
                self.forget(upstream.system());
            }
        }
    }
}

/// The end of listening to a system: what is believed of it must be asked again.
struct Over {
    catalogues: Arc<Catalogues>,
    system: Name,
}

impl Drop for Over {
    fn drop(&mut self) {
        lock(&self.catalogues.heard).remove(&self.system);
        self.catalogues.forget(&self.system);
    }
}

fn tells_of_changes(upstream: &Upstream, limits: &Limits) -> bool {
    let handshake = upstream.handshake();
    let result = handshake.result.as_ref().filter(|_| handshake.era() == Era::Modern);
    let result = result.and_then(|raw| strict::check(raw, limits).ok()).and_then(|raw| raw.as_object());
    let tools = result.and_then(|result| result.object("capabilities")).and_then(|all| all.object("tools"));
    tools.and_then(|tools| tools.get("listChanged")).and_then(|told| told.as_bool()).unwrap_or(false)
}

/// A system that changes a tool without saying so is found out within this time.
pub const AGE_MAX: Duration = Duration::from_secs(30);
const BEGUN_MAX: Duration = Duration::from_secs(2);
