//! Whom and what an order is about, now: what a dry run shows, and what is left to end.

use crate::{ControlError, bound::Links, plane::Plane};
use provost_api::containment::{ContainmentHits, HitSystem};
use provost_domain::{
    Agent, Decision, Directory, DurationMs, Name, TaskId, Timestamp, containment::Scope, decision::Subject,
};
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

/// What this scope hits.
///
/// # Errors
/// When the store cannot say which calls are under way.
pub(super) async fn of(plane: &Plane, scope: &Scope) -> Result<ContainmentHits, ControlError> {
    let view = plane.replica.latest();
    let (directory, now) = (&view.directory, plane.now());
    let agents: Vec<&Arc<Agent>> =
        directory.agents.values().filter(|agent| hit(scope, agent, directory)).collect();
    let hit_names: HashSet<&Name> = agents.iter().map(|agent| &agent.name).collect();
    let (mut tasks, mut people) = (0, BTreeSet::new());
    for task in directory.tasks.values().filter(|task| task.is_live(now) && hit_names.contains(&task.agent)) {
        tasks += 1;
        people.insert(task.requester.clone());
    }
    people.extend(agents.iter().map(|agent| agent.charter.owner.clone()));
    let on = |system: &Name| scope.system.as_ref().is_none_or(|wanted| wanted == system);
    let held = directory.approvals.values().filter(|row| {
        hit_names.contains(&row.agent) && on(&row.system) && scope.has_call(&row.system, Some(&row.tool))
    });
    let envelopes = directory
        .envelopes
        .values()
        .filter(|row| hit_names.contains(&row.agent) && scope.has_call(&row.system, Some(&row.tool)));
    let minted = directory.minted.values().filter(|row| hit_names.contains(&row.agent) && on(&row.system));
    let links = Links::of(plane);
    let reached: BTreeSet<&Name> =
        agents.iter().flat_map(|agent| agent.charter.systems()).filter(|system| on(system)).collect();
    let systems: Vec<HitSystem> = reached
        .into_iter()
        .filter_map(|name| directory.systems.get(name))
        .map(|system| {
            let takes = system.credential_bound();
            HitSystem {
                system: system.name.clone(),
                at_most: takes.at_most.into(),
                because: takes.because.to_owned(),
            }
        })
        .collect();
    let slowest = systems.iter().map(|system| system.at_most.0).max().unwrap_or_default();
    let own = links.staleness_max.0.saturating_add(links.token_lifetime_max.0);
    let mut names: Vec<Name> = agents.iter().map(|agent| agent.name.clone()).collect();
    names.sort_unstable();
    names.truncate(NAMES_MAX);
    Ok(ContainmentHits {
        agents: agents.len(),
        names,
        tasks,
        calls: calls(plane, scope, directory, now).await?,
        held: held.count(),
        envelopes: envelopes.count(),
        minted: minted.count(),
        systems,
        people: people.into_iter().take(NAMES_MAX).collect(),
        worst: DurationMs(own.saturating_add(slowest.0)).into(),
    })
}

/// Whether some call of this agent is one that the scope is about.
fn hit(scope: &Scope, agent: &Agent, directory: &Directory) -> bool {
    let reaches = || match (&scope.system, &scope.tool) {
        (None, _) => true,
        (Some(system), None) => agent.charter.systems().contains(system),
        (Some(system), Some(tool)) => agent.charter.grants_tool(system, tool),
    };
    scope.has_agent(agent, directory.organisation.as_deref()) && reaches()
}

/// Calls that were allowed and are not over, as far as they are on record.
async fn calls(
    plane: &Plane,
    scope: &Scope,
    directory: &Directory,
    now: Timestamp,
) -> Result<usize, ControlError> {
    let open = plane.store.unfinished(None, now, CALLS_LOOKED_AT_MAX).await?;
    let mut calls = 0;
    for id in open {
        let Some(stored) = plane.store.decision(id).await? else { continue };
        calls += usize::from(is_about(scope, &stored.decision, directory));
    }
    Ok(calls)
}

/// Whether a recorded decision is of a call that the scope is about: the agent's own, or one above it.
pub(super) fn is_about(scope: &Scope, decision: &Decision, directory: &Directory) -> bool {
    let Subject { kind, id, .. } = &decision.subject;
    let tool = decision.tool.split_once('/').and_then(|(_system, tool)| tool.parse().ok());
    if kind != "agent" || !scope.has_call(&decision.system, tool.as_ref()) {
        return false;
    }
    let has = |name: &str| {
        let agent = name.parse::<Name>().ok().and_then(|name| directory.agents.get(&name));
        agent.is_some_and(|agent| scope.has_agent(agent, directory.organisation.as_deref()))
    };
    let chain = decision.input.get("chain").and_then(serde_json::Value::as_array);
    let above = chain.into_iter().flatten().filter_map(|link| link.get("agent")?.as_str());
    std::iter::once(id.as_str()).chain(above).any(has)
}

/// The running tasks that may do nothing any more by an order at level `off`: those of the agents it is about, and all below
/// them; each with the order.
pub(super) fn stopped_tasks(directory: &Directory) -> Vec<(TaskId, String)> {
    if directory.containments.is_empty() {
        return Vec::new();
    }
    let order = |agent: &Name| {
        let agent = directory.agents.get(agent)?;
        directory.order_off(agent).map(|order| order.id.clone())
    };
    let mut stopped = Vec::new();
    for task in directory.tasks.values() {
        let mut next = Some(Arc::clone(task));
        for _link in 0..CHAIN_MAX {
            let Some(link) = next else { break };
            if let Some(id) = order(&link.agent) {
                stopped.push((task.id, id));
                break;
            }
            next = link.parent.and_then(|parent| directory.tasks.get(&parent)).cloned();
        }
    }
    stopped
}

const NAMES_MAX: usize = 100;
const CALLS_LOOKED_AT_MAX: usize = 1_000;
const CHAIN_MAX: usize = 32;
