//! A charter in words: what a plan would say if it were given now.

use provost_declare::{Declared, DeclaredAgent, Planning, plan};
use provost_domain::{Agent, Directory, Timestamp, ids::AgentId};

/// The charter, a sentence each.
pub(crate) fn charter(agent: &Agent, now: Timestamp) -> Vec<String> {
    let mut declared = Declared::default();
    let stated = DeclaredAgent { name: agent.name.clone(), charter: agent.charter.clone(), suspended: false };
    declared.agents.insert(agent.name.clone(), stated);
    let nobody = Directory::default();
    let planning = Planning { current: &nobody, versions: &|_key| 0, now, actor: "", prune: false };
    let steps = plan(&declared, &planning, &mut || AgentId::from_bytes([0; 16])).steps;
    steps.into_iter().flat_map(|step| step.words).map(|words| words.text).collect()
}
