//! Listings that show only what would not be denied. What is held is shown: a person may still say yes.

use super::front::Front;
use crate::{identify::Caller, refusal::Refusal};
use provost_domain::{System, TaskState, Timestamp, Tool, ToolName, Verdict, tool::BuiltIn};
use provost_mcp::{
    Limits, Object, Revision, strict,
    tools::{Keep, ListKind, ToolDefinition, filter},
};
use provost_policy::Question;
use provost_replica::View;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Who looks at which list.
pub struct Listing {
    /// Which list.
    pub kind: ListKind,
    /// What the node knew when it was asked for.
    pub view: Arc<View>,
    /// Who looks.
    pub caller: Caller,
    /// What the caller's task has read.
    pub state: TaskState,
    /// Whose list it is.
    pub system: Arc<System>,
    /// When.
    pub now: Timestamp,
}

impl Listing {
    /// The result with only what the caller may see.
    ///
    /// # Errors
    /// When the result is not such a list.
    pub fn show(&self, result: &str, revision: Revision, front: &Front) -> Result<String, Refusal> {
        let (shown, seen) = self.sift(result, revision, front.upstream_limits())?;
        front.connections.saw(&self.system.name, seen);
        Ok(shown)
    }

    /// The result with only what the caller may see, and every definition that was in it.
    ///
    /// # Errors
    /// When the result is not such a list.
    pub fn sift(
        &self,
        result: &str,
        revision: Revision,
        limits: &Limits,
    ) -> Result<(String, Vec<ToolDefinition>), Refusal> {
        let unreadable = |why: String| Refusal::Upstream(format!("the system's list cannot be read: {why}"));
        let raw = strict::check(result.as_bytes(), limits).map_err(|error| unreadable(error.to_string()))?;
        let object = raw.as_object().ok_or_else(|| unreadable("it is not an object".to_owned()))?;
        let mut seen = Vec::new();
        let shown = filter(&object, self.kind, revision, |element| match self.kind {
            ListKind::Tools => match ToolDefinition::read(element.raw(), limits) {
                Ok(definition) => {
                    let keep = self.shows_tool(&definition);
                    seen.push(definition);
                    keep
                }
                Err(_unusable) => Keep::No,
            },
            ListKind::Prompts => self.shows_builtin(BuiltIn::Prompts, "name", element),
            ListKind::Resources => self.shows_builtin(BuiltIn::Resources, "uri", element),
            // A template names no resource yet: what it leads to is decided when it is read.
            ListKind::ResourceTemplates => keep_if(self.could(BuiltIn::Resources)),
        });
        Ok((shown.map_err(|error| unreadable(error.to_string()))?, seen))
    }

    /// A tool is shown if it is reviewed, unchanged, and some call of it would not be denied.
    pub fn shows_tool(&self, definition: &ToolDefinition) -> Keep {
        let name = definition.name.parse::<ToolName>().ok();
        let tool = name.and_then(|name| self.view.directory.tools.get(&(self.system.name.clone(), name)));
        keep_if(tool.is_some_and(|tool| self.could_call(tool, definition.pin() == tool.pin)))
    }

    fn could_call(&self, tool: &Tool, pinned: bool) -> bool {
        let could = |agent, task| {
            self.view.pdp.could_allow(agent, task, &self.state, &self.system, tool, pinned, self.now)
        };
        let Caller { agent, task, chain } = &self.caller;
        could(agent, task) && chain.iter().all(|link| could(&link.agent, &link.task))
    }

    fn could(&self, builtin: BuiltIn) -> bool {
        builtin.tool(&self.system).is_ok_and(|tool| self.could_call(&tool, true))
    }

    fn shows_builtin(&self, builtin: BuiltIn, argument: &str, element: &Object<'_>) -> Keep {
        let Some(named) = element.string(argument) else { return Keep::No };
        let Ok(tool) = builtin.tool(&self.system) else { return Keep::No };
        let args = Map::from_iter([(argument.to_owned(), Value::from(named.as_ref()))]);
        let evaluation = self.view.pdp.decide(&Question {
            agent: &self.caller.agent,
            task: &self.caller.task,
            state: &self.state,
            system: &self.system,
            tool: &tool,
            pinned: true,
            args: &args,
            approvals: &[],
            exhausted: &[],
            args_from: &provost_domain::origin::NOTHING,
            chain: &self.caller.links(),
            now: self.now,
        });
        keep_if(!matches!(evaluation.verdict, Verdict::Deny { .. }))
    }
}

fn keep_if(shown: bool) -> Keep {
    if shown { Keep::AsIs } else { Keep::No }
}
