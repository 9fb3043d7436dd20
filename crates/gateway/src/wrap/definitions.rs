//! What wrappers say the tools of their servers are.

use moka::sync::Cache;
use provost_domain::{Digest, Name, TaskId, Timestamp, ToolName};
use provost_mcp::tools::ToolDefinition;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Pins of the definitions that passed by lately, by task and system. They count for that task only: a wrapper runs
/// on the agent's machine, and what one says must not speak for another.
pub(super) struct Definitions(Cache<(TaskId, Name), Arc<Mutex<Seen>>>);

/// By the tool's name: every pin seen, and when last.
type Seen = HashMap<String, Vec<(Digest, Timestamp)>>;

impl Default for Definitions {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(TASKS_MAX)
            .time_to_idle(std::time::Duration::from_millis(AGE_MAX_MS));
        Self(cache.build())
    }
}

impl Definitions {
    /// Takes note of definitions in a listing.
    pub(super) fn saw(&self, task: TaskId, system: &Name, definitions: &[ToolDefinition], now: Timestamp) {
        let seen = self.0.get_with((task, system.clone()), Arc::default);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        for pins in seen.values_mut() {
            pins.retain(|(_pin, at)| is_recent(*at, now));
        }
        seen.retain(|_name, pins| !pins.is_empty());
        for definition in definitions {
            if seen.len() >= NAMES_MAX && !seen.contains_key(&definition.name) {
                continue; // not noted, so not pinned: its calls are denied
            }
            let pins = seen.entry(definition.name.clone()).or_default();
            let pin = definition.pin();
            pins.retain(|(known, _at)| *known != pin);
            if pins.len() >= PINS_MAX {
                pins.remove(0);
            }
            pins.push((pin, now));
        }
    }

    /// Whether the server defines a tool as it was reviewed: every definition of it seen lately must be that one, so
    /// that neither two tools of one name nor a change back and forth passes. `None` when none was seen lately.
    pub(super) fn are(
        &self,
        task: TaskId,
        system: &Name,
        tool: &ToolName,
        pin: Digest,
        now: Timestamp,
    ) -> Option<bool> {
        let seen = self.0.get(&(task, system.clone()))?;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let pins = seen.get(tool.as_str())?;
        let mut recent = pins.iter().filter(|(_pin, at)| is_recent(*at, now)).peekable();
        recent.peek()?;
        Some(recent.all(|(known, _at)| *known == pin))
    }
}

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.since(at).0 <= AGE_MAX_MS
}

/// A server that changes a tool without saying so is found out within this time, as in the MCP face.
const AGE_MAX_MS: u64 = 30_000;
const TASKS_MAX: u64 = 10_000;
const NAMES_MAX: usize = 4_096;
const PINS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use provost_mcp::{Limits, Raw};

    fn definition(description: &str) -> ToolDefinition {
        let text =
            format!(r#"{{"name":"t","description":"{description}","inputSchema":{{"type":"object"}}}}"#);
        ToolDefinition::read(Raw::trusted(&text), &Limits::default()).unwrap()
    }

    #[test]
    fn a_tool_is_pinned_only_if_every_recent_definition_is_the_reviewed_one() {
        let (good, bad) = (definition("good"), definition("bad"));
        let (task, other) = (TaskId::from_bytes([1; 16]), TaskId::from_bytes([2; 16]));
        let (system, tool): (Name, ToolName) = ("files".parse().unwrap(), "t".parse().unwrap());
        let at = Timestamp::from_millis;
        type Row<'a> = (&'a [(&'a ToolDefinition, i64)], i64, Option<bool>);
        let table: [Row<'_>; 6] = [
            (&[], 0, None),
            (&[(&good, 0)], 30_000, Some(true)),
            (&[(&good, 0)], 30_001, None),
            (&[(&good, 0), (&bad, 1)], 2, Some(false)),
            (&[(&bad, 0), (&good, 1)], 2, Some(false)),
            (&[(&bad, 0), (&good, 100)], 30_050, Some(true)),
        ];
        for (listings, now, wanted) in table {
            let definitions = Definitions::default();
            for (definition, when) in listings {
                definitions.saw(task, &system, std::slice::from_ref(*definition), at(*when));
            }
            assert_eq!(definitions.are(task, &system, &tool, good.pin(), at(now)), wanted, "{now}");
            assert_eq!(definitions.are(other, &system, &tool, good.pin(), at(now)), None);
        }
    }
}
