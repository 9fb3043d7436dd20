//! Which orders are behind what a guardrail about containment said: a refusal names who ordered it and why.

use crate::Question;
use provost_domain::{Directory, Reason, Verdict, containment::REASON_PREFIX};

/// The verdict, with the orders that had a part in it, and those that only look.
pub(crate) fn named(directory: &Directory, question: &Question<'_>, verdict: Verdict) -> Verdict {
    if directory.containments.is_empty() {
        return verdict;
    }
    let (system, tool) = (&question.system.name, Some(&question.tool.name));
    let organisation = directory.organisation.as_deref();
    let matching = directory.containments.matching(question.agent, organisation, system, tool);
    let said = |policy: &str| verdict.reasons().iter().any(|reason| reason.policy == policy);
    let with_a_part = matching.filter(|order| order.level.guardrail().is_none_or(said));
    let orders = with_a_part
        .map(|order| Reason { policy: format!("{REASON_PREFIX}{}", order.id), reason: order.words() });
    let mut orders: Vec<Reason> = orders.collect();
    orders.sort_unstable();
    with(verdict, orders)
}

fn with(verdict: Verdict, orders: Vec<Reason>) -> Verdict {
    let and = |mut reasons: Vec<Reason>| {
        reasons.extend(orders);
        reasons
    };
    match verdict {
        Verdict::Allow { reasons } => Verdict::Allow { reasons: and(reasons) },
        Verdict::Hold { approvers, reasons } => Verdict::Hold { approvers, reasons: and(reasons) },
        Verdict::Deny { reasons, possible_if } => Verdict::Deny { reasons: and(reasons), possible_if },
    }
}
