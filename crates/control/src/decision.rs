//! Decisions, and why they were what they were.

use crate::{Action, ControlError, Op, weight, why};
use provost_api::{
    Page,
    decision::{DecisionQuery, DecisionSummary, DecisionView, ReasonView, WhyView},
};
use provost_domain::{DecisionId, Directory, Name, Verdict, approval::approval_id};
use provost_store::{DecisionFilter, StoredDecision};

/// Decisions, newest first.
///
/// # Errors
/// When the operator may not, or the store fails.
pub async fn list(op: &Op, query: DecisionQuery) -> Result<Page<DecisionSummary>, ControlError> {
    match &query.agent {
        Some(agent) => op.authorize_on(Action::DecisionRead, agent)?,
        None => op.authorize(Action::DecisionRead)?,
    };
    let most = op.plane.limits.page_size_max;
    let limit = query.limit.unwrap_or(most).clamp(1, most.max(1));
    let system = match &query.tool {
        // The operation says its system, by which the store finds it.
        Some(tool) => Some(system_of(tool, query.system.as_ref())?),
        None => None,
    };
    let filter = DecisionFilter {
        agent: query.agent,
        task: query.task,
        system: query.system.or(system),
        verdict: query.verdict.map(|verdict| verdict.as_str().to_owned()),
        since: query.since.map(|moment| moment.0),
        cursor: query.cursor,
        max: limit,
        ..DecisionFilter::default()
    };
    let directory = op.plane.replica.latest().directory.clone();
    let fits = |row: &DecisionSummary| {
        query.tool.as_ref().is_none_or(|tool| row.tool == *tool)
            && query.severity.is_none_or(|least| row.severity >= least)
    };
    if query.tool.is_none() && query.severity.is_none() {
        let found = op.plane.store.decisions(&filter).await?;
        let items = found.decisions.iter().map(|stored| summary(stored, &directory)).collect();
        return Ok(Page { items, next: found.next });
    }
    sifted(op, filter, limit, &directory, fits).await
}

/// What the store has no index for is looked for in what it found by the others: through so many at most, after which the page
/// says where to go on, also with nothing on it.
async fn sifted(
    op: &Op,
    mut filter: DecisionFilter,
    limit: usize,
    directory: &Directory,
    fits: impl Fn(&DecisionSummary) -> bool,
) -> Result<Page<DecisionSummary>, ControlError> {
    let (mut items, mut looked) = (Vec::new(), 0_usize);
    filter.max = SIFTED_AT_ONCE;
    loop {
        let found = op.plane.store.decisions(&filter).await?;
        looked = looked.saturating_add(found.decisions.len());
        let rows = found.decisions.iter().map(|stored| summary(stored, directory)).enumerate();
        let mut fitting: Vec<(usize, DecisionSummary)> = rows.filter(|(_, row)| fits(row)).collect();
        let room = limit.saturating_sub(items.len());
        let last = room.checked_sub(1).and_then(|nth| fitting.get(nth)).map(|(place, _)| *place);
        fitting.truncate(room);
        items.extend(fitting.into_iter().map(|(_, row)| row));
        if let Some(place) = last {
            // Full: the next page begins after the last that is on this one.
            let ends = place.saturating_add(1);
            if ends < found.decisions.len() {
                let same = DecisionFilter { max: ends, ..filter };
                return Ok(Page { items, next: op.plane.store.decisions(&same).await?.next });
            }
            return Ok(Page { items, next: found.next });
        }
        if found.next.is_none() || looked >= SIFTED_MAX {
            return Ok(Page { items, next: found.next });
        }
        filter.cursor = found.next;
    }
}

/// The system of an operation, which another one that is asked for too can only contradict: nothing would ever be found.
fn system_of(tool: &str, asked: Option<&Name>) -> Result<Name, ControlError> {
    let system = tool.split_once('/').and_then(|(system, _)| system.parse::<Name>().ok());
    let system = system.ok_or_else(|| {
        ControlError::caller("`tool` is no operation")
            .cure("write it as `system/tool`, such as bank/transfer")
    })?;
    match asked.filter(|asked| **asked != system) {
        None => Ok(system),
        Some(other) => Err(ControlError::caller(format!(
            "`tool` is an operation of {system}, and `system` is {other}: no decision is about both"
        ))
        .cure("leave `system` out, or name an operation of that system")),
    }
}

/// One decision.
///
/// # Errors
/// When the operator may not, nobody knows it, or the store fails.
pub async fn show(op: &Op, id: DecisionId) -> Result<DecisionView, ControlError> {
    view_of(op, &seen(op, id).await?).await
}

/// Makes a decision again, on the organisation as it stood then, and compares.
///
/// # Errors
/// When the operator may not, nobody knows it, or the store fails.
pub async fn why(op: &Op, id: DecisionId) -> Result<WhyView, ControlError> {
    let stored = seen(op, id).await?;
    why::again(op, &stored).await
}

/// A decision that the operator may look at: any, or one of an agent they answer for.
async fn seen(op: &Op, id: DecisionId) -> Result<StoredDecision, ControlError> {
    let found = find(op, id).await;
    let subject = found.as_ref().ok().map(|stored| &stored.decision.subject);
    match subject.filter(|subject| subject.kind == "agent").and_then(|subject| subject.id.parse().ok()) {
        Some(agent) => op.authorize_on(Action::DecisionRead, &agent)?,
        None => op.authorize(Action::DecisionRead)?,
    };
    found
}

pub(crate) async fn find(op: &Op, id: DecisionId) -> Result<StoredDecision, ControlError> {
    let stored = op.plane.store.decision(id).await?;
    stored.ok_or_else(|| ControlError::unknown("decision", &id.to_string()))
}

/// A decision as a listing shows it.
pub(crate) fn summary(stored: &StoredDecision, directory: &Directory) -> DecisionSummary {
    let decision = &stored.decision;
    let subject = &decision.subject;
    let reasons = decision.verdict.reasons().iter();
    DecisionSummary {
        id: decision.id,
        at: decision.at.into(),
        verdict: decision.verdict.as_str().to_owned(),
        subject: if subject.kind == "agent" {
            subject.id.clone()
        } else {
            format!("{}/{}", subject.kind, subject.id)
        },
        task: subject.task,
        tool: decision.tool.clone(),
        face: decision.face.clone(),
        severity: weight::of(stored, directory),
        reasons: reasons
            .map(|reason| ReasonView { policy: reason.policy.clone(), reason: reason.reason.clone() })
            .collect(),
        outcome: outcome(stored).to_owned(),
        labels: stored
            .completion
            .iter()
            .flat_map(|completion| completion.labels.iter().map(ToString::to_string))
            .collect(),
        leaf: stored.leaf,
    }
}

/// A decision, whole, and whether it was of a check that is over.
pub(crate) async fn view_of(op: &Op, stored: &StoredDecision) -> Result<DecisionView, ControlError> {
    let mut view = view(stored, &op.plane.replica.latest().directory);
    if matches!(stored.decision.verdict, Verdict::Hold { .. }) {
        let newest = provost_store::newest_approval(op.plane.store.as_ref(), &stored.decision.action).await?;
        // The agent may have made the very same call afterwards: its decision is another one.
        for nth in 0..newest.map_or(0, |newest| newest.nth.saturating_add(1)).min(ASKED_MAX) {
            let id = approval_id(&stored.decision.action, nth);
            let row = provost_store::approval(op.plane.store.as_ref(), &id).await?.map(|(_version, row)| row);
            if row.is_some_and(|row| row.check.is_some() && row.decision == stored.decision.id) {
                view.check = Some(id);
            }
        }
    }
    Ok(view)
}

fn view(stored: &StoredDecision, directory: &Directory) -> DecisionView {
    let (approvers, possible_if) = match &stored.decision.verdict {
        Verdict::Allow { .. } => (Vec::new(), Vec::new()),
        Verdict::Hold { approvers, .. } => (approvers.clone(), Vec::new()),
        Verdict::Deny { possible_if, .. } => (Vec::new(), possible_if.clone()),
    };
    DecisionView {
        summary: summary(stored, directory),
        approvers,
        possible_if,
        record: stored.decision.clone(),
        completion: stored.completion.clone(),
        check: None,
    }
}

const ASKED_MAX: u32 = 20;
/// Decisions that are sifted through for one page.
const SIFTED_MAX: usize = 2_000;
const SIFTED_AT_ONCE: usize = 250;

fn outcome(stored: &StoredDecision) -> &'static str {
    match &stored.completion {
        Some(completion) => completion.outcome.as_str(),
        // The face that only answers questions completes nothing.
        None if stored.decision.face == "authzen" => "answered",
        None if stored.decision.verdict.is_allow() => "under way",
        None => "refused",
    }
}
