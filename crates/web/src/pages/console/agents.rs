//! Agents, and one of them: its charter, what it has left, its life, its reach.

use super::{
    act::agent::{Offer, offers},
    asked::{self, Choice, Faults, Pager, ROWS},
    bits,
    graph::{self, Graph},
    look::{Frame, Looker, Shown},
};
use askama::Template;
use axum::extract::{Path, Query};
use provost_api::{
    agent::{AgentQuery, AgentSummary, AgentView},
    baseline::BaselineView,
    decision::{DecisionQuery, DecisionSummary},
    system::{ToolQuery, ToolView},
    task::BalanceView,
};
use provost_control::{Action, access::allows_on, agent, baseline, decision, system};
use provost_domain::{Name, ToolName};
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Form {
    q: String,
    status: String,
    owner: String,
    environment: String,
    system: String,
    cursor: String,
}

#[derive(Template)]
#[template(path = "console/agents.html")]
struct List {
    frame: Frame,
    form: Form,
    statuses: Vec<Choice>,
    environments: Vec<Choice>,
    faults: Vec<String>,
    agents: Vec<AgentSummary>,
    pager: Pager,
    /// Whether anything was asked for.
    narrowed: bool,
}

#[derive(Template)]
#[template(path = "console/agent.html")]
struct One {
    frame: Frame,
    agent: AgentView,
    balances: Vec<BalanceView>,
    decisions: Vec<DecisionSummary>,
    tools: Vec<ToolView>,
    graph: Graph,
    /// Whether who looks may look at tools; without it the reach is not shown, which is not none.
    sees_tools: bool,
    offers: Vec<Offer>,
    baselines: Vec<BaselineView>,
    /// Something about them waits for a person.
    waiting: bool,
    may_agree: bool,
}

/// Agents, searched here.
pub(super) async fn list(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::AgentRead)?;
    let mut faults = Faults::default();
    let query = AgentQuery {
        q: asked::cursor(form.q.trim()),
        status: faults.read("state", &form.status),
        owner: faults.read("name of a person", &form.owner),
        environment: faults.read("environment", &form.environment),
        system: faults.read("name of a system", &form.system),
        cursor: asked::cursor(&form.cursor),
        limit: Some(ROWS),
    };
    let page = agent::list(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
    let asked_for = [
        ("q", form.q.as_str()),
        ("status", &form.status),
        ("owner", &form.owner),
        ("environment", &form.environment),
        ("system", &form.system),
    ];
    let shown = List {
        frame: looker.frame("/console/agents"),
        statuses: asked::choices(&form.status, STATUSES),
        environments: asked::choices(&form.environment, ENVIRONMENTS),
        faults: faults.into_lines(),
        pager: Pager::new("/console/agents", &asked_for, &form.cursor, page.next.as_deref()),
        narrowed: asked_for.iter().any(|(_, value)| !value.trim().is_empty()),
        agents: page.items,
        form,
    };
    Ok(looker.page(&shown))
}

/// One agent.
pub(super) async fn show(looker: Looker, Path(name): Path<String>) -> Shown {
    let Ok(name) = name.parse::<Name>() else { return Err(looker.no_such("agent", &name)) };
    looker.may_on(Action::AgentRead, &name)?;
    let failed = |error| looker.failed(&error);
    let agent = agent::show(&looker.op, &name).await.map_err(failed)?;
    let balances = agent::balances(&looker.op, &name).await.map_err(failed)?;
    let query = DecisionQuery { agent: Some(name), limit: Some(DECISIONS), ..DecisionQuery::default() };
    let decisions = decision::list(&looker.op, query).await.map_err(failed)?.items;
    let tools = tools(&looker, &agent).await?;
    let graph = graph::of(&agent, &tools);
    let (frame, offers) = (looker.frame("/console/agents"), offers(&looker, &agent));
    let baselines = baseline::list(&looker.op, &agent.summary.name).map_err(failed)?;
    // What all agents with its purpose do waits for nobody.
    let mut own = baselines.iter().filter(|row| row.agent.is_some());
    let waiting = own.any(|row| row.waits.is_some() || row.aside.runs > 0);
    let may_agree =
        !baselines.is_empty() && allows_on(&looker.op, Action::BaselineAgree, &agent.summary.name);
    Ok(looker.page(&One {
        frame,
        agent,
        balances,
        decisions,
        tools,
        graph,
        sees_tools: looker.can(Action::SystemRead),
        offers,
        baselines,
        waiting,
        may_agree,
    }))
}

/// The tools its charter grants, as they were reviewed.
async fn tools(looker: &Looker, agent: &AgentView) -> Result<Vec<ToolView>, super::look::Stopped> {
    let mut found = Vec::new();
    if !looker.can(Action::SystemRead) {
        return Ok(found);
    }
    for name in agent.charter.systems() {
        let granted: BTreeSet<&ToolName> = agent
            .charter
            .grants
            .iter()
            .filter(|grant| grant.system == *name)
            .flat_map(|grant| grant.tools.iter())
            .collect();
        let query = ToolQuery { system: Some(name.clone()), ..ToolQuery::default() };
        let page = system::tools(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
        found.extend(page.items.into_iter().filter(|tool| granted.contains(&tool.name)));
    }
    Ok(found)
}

const DECISIONS: usize = 12;
const STATUSES: &[(&str, &str)] = &[
    ("", "any"),
    ("active", "active"),
    ("proposed", "proposed"),
    ("pending-reapproval", "pending reapproval"),
    ("suspended", "suspended"),
    ("unmanaged", "unmanaged"),
    ("decommissioned", "decommissioned"),
];
const ENVIRONMENTS: &[(&str, &str)] =
    &[("", "any"), ("production", "production"), ("staging", "staging"), ("sandbox", "sandbox")];
