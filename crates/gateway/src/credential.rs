//! What systems are shown on behalf of a caller: asked of the broker.

use crate::{identify::Caller, pipeline::Pipeline, refusal::Refusal};
use provost_broker::{BrokerError, Whom};
use provost_connect::{Shown, UpstreamError};
use provost_domain::System;
use std::sync::Arc;

impl Pipeline {
    /// What a system is shown on behalf of a caller; `None` when it wants nothing, or there is nothing.
    ///
    /// # Errors
    /// When it cannot be had; nothing was sent to the system.
    pub(crate) async fn shown(&self, system: &System, caller: &Caller) -> Result<Option<Shown>, Refusal> {
        self.broker.shown(system, || whom(caller)).await.map_err(refusal)
    }

    /// Takes note when a system refused what it was shown: the next call is made with something new.
    pub(crate) fn note_refused(&self, system: &System, caller: &Caller, error: &UpstreamError) {
        if error.refused_credential() {
            self.broker.refused(system, || whom(caller));
        }
    }
}

fn whom(caller: &Caller) -> Whom {
    Whom {
        agent: caller.agent.name.clone(),
        task: Arc::clone(&caller.task),
        above: caller.chain.iter().map(|link| (link.agent.name.clone(), Arc::clone(&link.task))).collect(),
    }
}

fn refusal(error: BrokerError) -> Refusal {
    match error {
        BrokerError::Over => Refusal::Cut("the task has ended".to_owned()),
        BrokerError::Seal(error) => Refusal::internal(error.to_string()),
        other => match other.into_store() {
            Ok(error) => Refusal::Store(error),
            Err(other) => Refusal::Upstream(other.to_string()),
        },
    }
}
