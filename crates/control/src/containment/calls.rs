//! Calls that an order cut half-way. They may have happened: their outcome is `unknown` until a person has looked.

use super::hits::is_about;
use crate::{ControlError, plane::Plane};
use provost_api::containment::UnknownCall;
use provost_domain::{Containment, DurationMs, Outcome};
use provost_store::{DecisionFilter, StoredDecision};

/// Those that this order cut, newest first; at most 1,000.
///
/// # Errors
/// When the store cannot be read.
pub(super) async fn cut(plane: &Plane, order: &Containment) -> Result<Vec<UnknownCall>, ControlError> {
    // A call lasts no longer than it may, so none that was cut began before this.
    let since = order.at.minus(DurationMs(plane.limits.call_duration_max.0.saturating_add(MARGIN_MS)));
    let view = plane.replica.latest();
    let mut filter = DecisionFilter {
        agent: order.scope.agent.clone(),
        system: order.scope.system.clone(),
        verdict: Some("allow".to_owned()),
        since: Some(since),
        max: PAGE,
        ..DecisionFilter::default()
    };
    let mut found = Vec::new();
    for _page in 0..PAGES_MAX {
        let page = plane.store.decisions(&filter).await?;
        let cut =
            page.decisions.iter().filter(|stored| is_about(&order.scope, &stored.decision, &view.directory));
        found.extend(cut.filter_map(|stored| unknown(stored, order)));
        match page.next {
            Some(next) if found.len() < FOUND_MAX => filter.cursor = Some(next),
            _ => break,
        }
    }
    found.truncate(FOUND_MAX);
    Ok(found)
}

fn unknown(stored: &StoredDecision, order: &Containment) -> Option<UnknownCall> {
    let completion = stored.completion.as_ref()?;
    let Outcome::Unknown { error } = &completion.outcome else { return None };
    // The order is named in what the call was cut with; what a dying node left behind names none, and counts from the order on.
    let named = error.contains(&order.id);
    let lost = error == crate::unfinished::NODE_STOPPED && completion.at >= order.at;
    if !named && !lost {
        return None;
    }
    let settled = order.settled.get(&stored.decision.id);
    Some(UnknownCall {
        decision: stored.decision.id,
        agent: stored.decision.subject.id.clone(),
        tool: stored.decision.tool.clone(),
        cut: completion.at.into(),
        seen: error.clone(),
        found: settled.map(|settled| settled.found.clone()),
        by: settled.map(|settled| settled.by.to_string()),
    })
}

const MARGIN_MS: u64 = 60_000;
const PAGE: usize = 500;
const PAGES_MAX: usize = 40;
const FOUND_MAX: usize = 1_000;
