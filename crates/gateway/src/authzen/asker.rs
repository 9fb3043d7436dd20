//! Who asks. An enforcement point proves who it is before it is told anything, and is told only about what it enforces.

use crate::refusal::Refusal;
use async_trait::async_trait;
use http::HeaderMap;
use provost_domain::{Name, Workload};
use std::sync::Arc;

/// Who asks.
#[derive(Debug, Clone)]
pub enum Asker {
    /// The administrator of this plane: about everything.
    Administrator,
    /// A workload: about the applications its row names; `agent` there stands for the plane's own agents.
    Workload(Arc<Workload>),
}

/// Knows who is behind the headers of a request. Implemented where tokens of workloads are kept.
#[async_trait]
pub trait Askers: Send + Sync + 'static {
    /// Who asks.
    ///
    /// # Errors
    /// When nobody the plane knows does.
    async fn who(&self, headers: &HeaderMap) -> Result<Asker, Refusal>;
}

impl Asker {
    /// Who it is: the same for every instance of it, and for every token it shows.
    #[must_use]
    pub(super) fn id(&self) -> String {
        match self {
            Self::Administrator => "administrator".to_owned(),
            Self::Workload(workload) => format!("workload {}", workload.name),
        }
    }

    /// Whether it may ask about this application.
    #[must_use]
    pub(super) fn may_ask_about(&self, application: &Name) -> bool {
        match self {
            Self::Administrator => true,
            Self::Workload(workload) => workload.active && workload.applications.contains(application),
        }
    }

    /// Whether it may ask about the plane's own agents.
    #[must_use]
    pub(super) fn may_ask_about_agents(&self) -> bool {
        match self {
            Self::Administrator => true,
            Self::Workload(workload) => {
                workload.active && workload.applications.iter().any(|name| name.as_str() == AGENTS)
            }
        }
    }
}

/// The subject type of the plane's own agents; no application may be called so.
pub(super) const AGENTS: &str = "agent";
