//! What a change makes reachable that was not: tool by tool, agent by agent, and how long each outlives an order to stop it,
//! before and afterwards (REQUIREMENTS.md B2, C4, H5).

use super::answer::rows;
use crate::{Op, bound::Links, plan::applied};
use provost_api::proposal::{ReachView, ReachedTool};
use provost_domain::{
    Agent, AgentStatus, Charter, Directory, Kind, Name, Object, Proposal, Tool, ToolName,
    proposal::ProposedWrite,
};
use std::collections::BTreeSet;

/// Agents whose charter changes, and those that are granted a system or tool that does.
pub(super) fn reach(
    op: &Op,
    row: &Proposal,
    before: &[Option<Object>],
    directory: &Directory,
) -> Vec<ReachView> {
    let links = Links::of(&op.plane);
    let drafts = rows(row, directory);
    let after = applied(directory, &drafts);
    let mut views = Vec::new();
    for (write, was) in row.writes.iter().zip(before) {
        let was = match was {
            Some(Object::Agent(row)) => Some(row),
            _ => None,
        };
        let is = match write.after() {
            Some(Object::Agent(row)) => Some(row),
            _ => None,
        };
        if was.is_some() || is.is_some() {
            views.push(of(links, (was, directory), (is, &after)));
        }
    }
    if !row.is_over() {
        let touched = touched(row);
        let mut others: Vec<&Name> =
            directory.agents.values().filter(|agent| grants(agent, &touched)).map(|row| &row.name).collect();
        others.sort();
        for name in others.into_iter().take(AGENTS_MAX) {
            if views.iter().any(|view| view.agent == name.as_str()) {
                continue;
            }
            let (was, is) = (directory.agents.get(name), after.agents.get(name));
            let view = of(links, (was.map(AsRef::as_ref), directory), (is.map(AsRef::as_ref), &after));
            views.push(ReachView { itself: false, ..view });
        }
    }
    views
}

type Reached = BTreeSet<(Name, ToolName)>;

fn of(links: Links, was: (Option<&Agent>, &Directory), is: (Option<&Agent>, &Directory)) -> ReachView {
    let (before, after) = (reached(was), reached(is));
    let gains: Vec<&(Name, ToolName)> = after.difference(&before).collect();
    let systems_before: BTreeSet<&Name> = before.iter().map(|(system, _tool)| system).collect();
    let systems: BTreeSet<&Name> =
        gains.iter().map(|(system, _tool)| system).filter(|name| !systems_before.contains(name)).collect();
    let data = |of: Option<&Agent>| -> BTreeSet<String> {
        of.iter().flat_map(|row| row.charter.data.iter().map(ToString::to_string)).collect()
    };
    let bound = |(row, directory): (Option<&Agent>, &Directory)| {
        let charter = row.filter(|row| row.status != AgentStatus::Decommissioned).map(|row| &row.charter);
        charter.map(|charter: &Charter| links.worst(charter, directory).into())
    };
    ReachView {
        agent: is.0.or(was.0).map(|row| row.name.to_string()).unwrap_or_default(),
        itself: true,
        gains: gains.iter().map(|tool| shown(tool, is.1)).collect(),
        loses: before.difference(&after).map(|(system, tool)| format!("{system}/{tool}")).collect(),
        systems: systems.into_iter().map(ToString::to_string).collect(),
        data: data(is.0).difference(&data(was.0)).cloned().collect(),
        bound_before: bound(was),
        bound_after: bound(is),
    }
}

/// The tools that an agent can call: granted, and pinned. Operations that every server has are there with it.
fn reached((row, directory): (Option<&Agent>, &Directory)) -> Reached {
    let Some(row) = row.filter(|row| row.status != AgentStatus::Decommissioned) else {
        return Reached::new();
    };
    let granted = row.charter.grants.iter();
    let granted =
        granted.flat_map(|grant| grant.tools.iter().map(|tool| (grant.system.clone(), tool.clone())));
    let there = |(system, tool): &(Name, ToolName)| {
        directory.tools.contains_key(&(system.clone(), tool.clone()))
            || (tool.as_str().starts_with('@') && directory.systems.contains_key(system))
    };
    granted.filter(there).collect()
}

fn shown((system, tool): &(Name, ToolName), directory: &Directory) -> ReachedTool {
    let row: Option<&Tool> = directory.tools.get(&(system.clone(), tool.clone())).map(AsRef::as_ref);
    ReachedTool {
        tool: format!("{system}/{tool}"),
        effects: match row {
            Some(row) => row.effects_or_worst().iter().map(ToString::to_string).collect(),
            None => vec!["read".to_owned()],
        },
        returns: row.iter().flat_map(|row| row.labels()).map(ToString::to_string).collect(),
        sends_out: row.is_some_and(|row| row.sends_out),
    }
}

/// Systems that change, themselves or in one of their tools.
fn touched(row: &Proposal) -> BTreeSet<String> {
    let keys = row.writes.iter().map(ProposedWrite::key);
    let system = |key: provost_domain::ObjectKey| match key.kind {
        Kind::System => Some(key.key),
        Kind::Tool => key.key.split_once('/').map(|(system, _tool)| system.to_owned()),
        _ => None,
    };
    keys.filter_map(system).collect()
}

fn grants(agent: &Agent, systems: &BTreeSet<String>) -> bool {
    agent.status != AgentStatus::Decommissioned
        && agent.charter.grants.iter().any(|grant| systems.contains(grant.system.as_str()))
}

/// Agents that are shown because of a system; the steps of the plan say the rest.
const AGENTS_MAX: usize = 100;
