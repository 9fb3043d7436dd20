//! What is on record about an agent since it has its grade.

use crate::{ControlError, Op};
use provost_domain::{
    Agent, Directory, DurationMs, Name, Timestamp, Verdict,
    finding::{Finding, FindingState},
};
use provost_lifecycle::{
    autonomy::{Evidence, is_drift, is_incident},
    quality::Which,
};
use provost_store::DecisionFilter;

/// How much was looked through.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Decisions.
    pub(super) decisions: u64,
    /// All there are.
    pub(super) whole: bool,
}

/// The evidence. **Bounded:** of the newest [`DECISIONS_MAX`] decisions of at most [`BACK_MAX`].
pub(super) async fn of(op: &Op, agent: &Agent) -> Result<(Evidence, Looked), ControlError> {
    let plane = &op.plane;
    let since = agent.graded();
    let mut evidence = Evidence { since, ..Evidence::default() };
    let looked = decisions(op, &agent.name, since.max(plane.now().minus(BACK_MAX)), &mut evidence).await?;
    let which = Which { since: Some(since), person: None, tool: None };
    let measured = crate::quality::with(plane, |window| window.measure(&which)).await?;
    if let Some(asked) = measured.agents.get(&agent.name) {
        let sum = |parts: &[usize]| {
            parts.iter().fold(0_u64, |sum, part| sum.saturating_add(u64::try_from(*part).unwrap_or(u64::MAX)))
        };
        evidence.answered = sum(&[asked.granted, asked.refused, asked.edited]);
        evidence.refused = sum(&[asked.refused, asked.edited]);
    }
    let view = plane.replica.latest();
    findings(&view.directory, &agent.name, &mut evidence);
    let passed = view.directory.drills.values().filter(|drill| drill.agent == agent.name);
    evidence.drilled = passed.filter(|drill| drill.passed() == Some(true)).map(|drill| drill.at).max();
    let mut orders = view.directory.containments.about(agent, view.directory.organisation.as_deref());
    evidence.contained = agent.level != provost_domain::Level::Normal
        || orders.any(|order| order.level != provost_domain::Restraint::Observe);
    Ok((evidence, looked))
}

async fn decisions(
    op: &Op,
    agent: &Name,
    since: Timestamp,
    evidence: &mut Evidence,
) -> Result<Looked, ControlError> {
    let mut looked = Looked::default();
    let mut filter =
        DecisionFilter { agent: Some(agent.clone()), since: Some(since), max: PAGE, ..Default::default() };
    loop {
        let page = op.plane.store.decisions(&filter).await?;
        for stored in &page.decisions {
            let count = match stored.decision.verdict {
                Verdict::Allow { .. } => &mut evidence.allowed,
                Verdict::Hold { .. } => &mut evidence.held,
                Verdict::Deny { .. } => &mut evidence.denied,
            };
            *count = count.saturating_add(1);
            looked.decisions = looked.decisions.saturating_add(1);
        }
        filter.cursor = page.next;
        if filter.cursor.is_none() || looked.decisions >= DECISIONS_MAX {
            looked.whole = filter.cursor.is_none();
            return Ok(looked);
        }
    }
}

/// Findings that people closed count as long as they are listed: that somebody dealt with it does not undo it.
fn findings(directory: &Directory, agent: &Name, evidence: &mut Evidence) {
    let about = directory.findings.values().filter(|row| row.about.agent.as_ref() == Some(agent));
    for row in about.filter(|row| !taken_back(row)) {
        if is_drift(row) {
            evidence.drifted = evidence.drifted.max(Some(row.last));
        }
        if is_incident(row) {
            evidence.grave = evidence.grave.max(Some(row.last));
        }
    }
}

/// Folded away by the plane, since there were too many: it says nothing that the others do not.
fn taken_back(row: &Finding) -> bool {
    matches!(&row.state, FindingState::Closed { by, .. } if by == "plane")
}

const PAGE: usize = 500;
const DECISIONS_MAX: u64 = 10_000;
const BACK_MAX: DurationMs = DurationMs::from_mins(366 * 24 * 60);
