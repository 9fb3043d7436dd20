//! What the plane asks by itself: a check that must be refused (`docs/approvals.md`). It is decided, recorded and asked for by the
//! same code as a call that an agent makes, so that nothing but its mark tells it from one.
//!
//! **Invariant.** Nothing here makes a permit: the decision is recorded as one that the plane does not act on, and if it is
//! anything but a hold it is not recorded at all.

use crate::{
    approval::Uses,
    decide::{self, Attempt, Moment},
    identify,
    pipeline::Pipeline,
    refusal::Refusal,
};
use provost_domain::{Digest, Name, TaskId, ToolName, Verdict};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What is to be asked for, as if an agent had called it.
#[derive(Debug, Clone, PartialEq)]
pub struct Planting {
    /// In which running task.
    pub task: TaskId,
    /// On which system.
    pub system: Name,
    /// By which operation.
    pub tool: ToolName,
    /// With which arguments.
    pub args: Map<String, Value>,
    /// Through which face it would have come: `mcp`, `wrap` or `proxy`.
    pub face: String,
    /// Says that it is a check, to who has the plane's key.
    pub mark: Digest,
}

impl Pipeline {
    /// Asks for it; `false` when such a call would not be held now, and nothing was written.
    ///
    /// # Errors
    /// When the node knows too little, or the store fails.
    pub async fn plant(&self, wanted: Planting) -> Result<bool, Refusal> {
        let Some(face) = FACES.into_iter().find(|face| *face == wanted.face) else { return Ok(false) };
        let view = self.replica.fresh(self.limits.staleness_max)?;
        let now = self.now();
        let Ok(caller) = identify::caller(&view, wanted.task, now) else { return Ok(false) };
        let directory = &view.directory;
        let tool = directory.tools.get(&(wanted.system.clone(), wanted.tool.clone())).cloned();
        let (Some(system), Some(tool)) = (directory.systems.get(&wanted.system).cloned(), tool) else {
            return Ok(false);
        };
        let attempt = Attempt {
            face,
            caller,
            system,
            name: wanted.tool,
            tool: Some(tool),
            pinned: true,
            args: wanted.args,
            uses: Uses::None,
            view,
        };
        let moment = Moment { state: self.task_state(wanted.task).await?, ..Moment::default() };
        let evaluation = decide::verdict(&attempt, &moment, now);
        if !matches!(evaluation.verdict, Verdict::Hold { .. }) {
            return Ok(false);
        }
        let decision = decide::decision(&attempt, (evaluation, None), self.new_id(now), self.node, now)
            .map_err(|error| Refusal::internal(error.to_string()))?;
        let decision = Arc::new(decision);
        self.journal.record_only(Arc::clone(&decision)).await.map_err(Refusal::NotRecorded)?;
        self.metrics.decided(&decision);
        let asked = self.ask_marked(&attempt, Arc::clone(&decision), "", wanted.mark).await;
        // As the faces count it.
        if face != MCP {
            self.metrics.refused(&asked);
        }
        Ok(matches!(asked, Refusal::Held(_)))
    }
}

const MCP: &str = "mcp";
const FACES: [&str; 3] = [MCP, "wrap", "proxy"];
