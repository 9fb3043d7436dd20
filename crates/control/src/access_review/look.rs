//! What an agent is granted beside what it did, read from the records. **Bounded:** the newest [`DECISIONS_MAX`] decisions.

use super::AccessReview;
use crate::{ControlError, Op};
use provost_domain::{
    Agent, Decision, Directory, DurationMs, Name, Timestamp, ToolName, Verdict,
    access_review::{Choice, Peers, Rehearsed, ReviewLine, ReviewStatus, Risk},
    charter::ArgRule,
};
use provost_lifecycle::access_review::{Counted, narrowed, proposed};
use provost_policy::{Pdp, rehearse};
use provost_store::DecisionFilter;
use std::collections::BTreeMap;

type Used = BTreeMap<(Name, String), Counted>;

/// A review as it would be opened now.
pub(super) async fn look(
    op: &Op,
    name: &Name,
    because: &str,
    (since, due): (DurationMs, DurationMs),
) -> Result<AccessReview, ControlError> {
    let plane = &op.plane;
    let now = plane.now();
    let since = now.minus(since);
    let mut used = Used::new();
    let (calls, decisions, whole) = read(op, name, since, &mut used).await?;
    let directory = plane.replica.latest().directory.clone();
    let agent = directory.agents.get(name).cloned();
    let agent = agent.ok_or_else(|| ControlError::unknown("agent", name.as_str()))?;
    let row = AccessReview {
        id: format!("review_{}", hex::encode(plane.random::<12>())),
        agent: name.clone(),
        because: because.to_owned(),
        opened: now,
        since,
        due: now.plus(due),
        revision: agent.revision,
        decisions,
        whole,
        lines: lines(&directory, &agent, &used),
        effect: Rehearsed::default(),
        status: ReviewStatus::Open,
        filed: false,
    };
    rehearsed(directory, agent.as_ref().clone(), calls, row).await
}

/// Counts what each tool was asked for; gives the calls that were let through or held, for trying the proposal on them.
async fn read(
    op: &Op,
    name: &Name,
    since: Timestamp,
    used: &mut Used,
) -> Result<(Vec<Decision>, u64, bool), ControlError> {
    let mut filter =
        DecisionFilter { agent: Some(name.clone()), since: Some(since), max: PAGE, ..Default::default() };
    let (mut calls, mut count) = (Vec::new(), 0_u64);
    loop {
        let page = op.plane.store.decisions(&filter).await?;
        for stored in page.decisions {
            let decision = stored.decision;
            let own = decision.tool.strip_prefix(&format!("{}/", decision.system)).unwrap_or(&decision.tool);
            used.entry((decision.system.clone(), own.to_owned())).or_default().take(&decision);
            count = count.saturating_add(1);
            if !matches!(decision.verdict, Verdict::Deny { .. }) {
                calls.push(decision);
            }
        }
        filter.cursor = page.next;
        if filter.cursor.is_none() || count >= DECISIONS_MAX {
            return Ok((calls, count, filter.cursor.is_none()));
        }
    }
}

fn lines(directory: &Directory, agent: &Agent, used: &Used) -> Vec<ReviewLine> {
    let peers: Vec<_> = directory
        .agents
        .values()
        .filter(|other| {
            other.name != agent.name
                && other.charter.environment == agent.charter.environment
                && !other.charter.systems().is_disjoint(&agent.charter.systems())
        })
        .take(PEERS_MAX)
        .collect();
    let granted =
        agent.charter.grants.iter().flat_map(|grant| grant.tools.iter().map(move |tool| (grant, tool)));
    let line = |(grant, tool): (&provost_domain::charter::Grant, &ToolName)| {
        let nothing = Counted::default();
        let counted = used.get(&(grant.system.clone(), tool.to_string())).unwrap_or(&nothing);
        let effects =
            directory.tools.get(&(grant.system.clone(), tool.clone())).map(|tool| tool.effects.clone());
        let effects = effects.unwrap_or_default();
        let rules: Vec<(&str, &ArgRule)> = grant.args.iter().collect();
        let with = peers.iter().filter(|other| other.charter.grants_tool(&grant.system, tool)).count();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        ReviewLine {
            system: grant.system.clone(),
            tool: tool.clone(),
            risk: Risk::of(&effects),
            effects,
            used: counted.used,
            held: counted.held,
            denied: counted.denied,
            first: counted.first,
            last: counted.last,
            tasks: counted.tasks.clone(),
            peers: Peers { with: number(with), of: number(peers.len()) },
            limits: counted.limits(&rules),
            proposed: proposed(counted),
            answer: None,
        }
    };
    granted.take(LINES_MAX).map(line).collect()
}

/// Tries the proposal on the calls on record, beside the threads that serve: each is decided with the charter as it is, and with what
/// is proposed, on the organisation as it stands; what comes out otherwise counts.
async fn rehearsed(
    directory: Directory,
    agent: Agent,
    calls: Vec<Decision>,
    row: AccessReview,
) -> Result<AccessReview, ControlError> {
    let then = Agent { charter: narrowed(&agent.charter, &row), ..agent.clone() };
    if row.lines.iter().all(|line| line.proposed == Choice::Keep) {
        let calls = u64::try_from(calls.len()).unwrap_or(u64::MAX);
        return Ok(AccessReview { effect: Rehearsed { calls, changed: 0 }, ..row });
    }
    let effect = tokio::task::spawn_blocking(move || {
        // One for each charter: what is prepared for one is kept while the other is asked.
        let (before, after) = (Pdp::new(directory.clone()), Pdp::new(directory));
        let mut effect = Rehearsed::default();
        for call in &calls {
            let (Some(was), Some(is)) = (rehearse(&before, &agent, call), rehearse(&after, &then, call))
            else {
                continue;
            };
            effect.calls = effect.calls.saturating_add(1);
            effect.changed = effect.changed.saturating_add(u64::from(was.as_str() != is.as_str()));
        }
        effect
    });
    let effect =
        effect.await.map_err(|stopped| ControlError::us("calls could not be decided again", stopped))?;
    Ok(AccessReview { effect, ..row })
}

const PAGE: usize = 500;
const DECISIONS_MAX: u64 = 5_000;
const LINES_MAX: usize = 500;
const PEERS_MAX: usize = 10_000;
