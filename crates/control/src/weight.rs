//! How much a decision wants to be looked at: a refusal more than what was let through, and what moves money, rights or machines
//! more than what reads. Said by the same words as for findings, so that one filter serves both.

use provost_domain::{Directory, Effect, Severity};
use provost_store::StoredDecision;

/// The weight of a decision. Where nobody knows the operation's effects any more, it counts as the worst.
pub(crate) fn of(stored: &StoredDecision, directory: &Directory) -> Severity {
    let decision = &stored.decision;
    let outcome = stored.completion.as_ref().map(|completion| completion.outcome.as_str());
    weigh(decision.verdict.as_str(), outcome, is_high_impact(&decision.tool, directory))
}

fn weigh(verdict: &str, outcome: Option<&str>, high_impact: bool) -> Severity {
    match (verdict, outcome, high_impact) {
        (_, Some("unknown"), _) => Severity::Critical,
        ("allow", _, false) => Severity::Info,
        ("allow", _, true) => Severity::Low,
        ("hold", _, false) => Severity::Low,
        ("hold", _, true) => Severity::Medium,
        (_, _, false) => Severity::Medium,
        (_, _, true) => Severity::High,
    }
}

fn is_high_impact(path: &str, directory: &Directory) -> bool {
    let parts =
        path.split_once('/').and_then(|(system, tool)| Some((system.parse().ok()?, tool.parse().ok()?)));
    let Some(tool) = parts.and_then(|parts| directory.tools.get(&parts)) else { return true };
    let light = [Effect::Read, Effect::Write, Effect::Communicate];
    tool.effects_or_worst().iter().any(|effect| !light.contains(effect))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_weighs_more_than_a_hold_that_more_than_a_yes_and_what_nobody_knows_most() {
        use Severity::{Critical, High, Info, Low, Medium};
        for (verdict, outcome, light, heavy) in [
            ("allow", None, Info, Low),
            ("allow", Some("success"), Info, Low),
            ("hold", None, Low, Medium),
            ("deny", None, Medium, High),
            ("allow", Some("unknown"), Critical, Critical),
        ] {
            assert_eq!(
                (weigh(verdict, outcome, false), weigh(verdict, outcome, true)),
                (light, heavy),
                "{verdict}"
            );
        }
    }

    #[test]
    fn what_is_not_known_any_more_counts_as_the_worst() {
        assert!(is_high_impact("bank/transfer", &Directory::default()));
        assert!(is_high_impact("nothing", &Directory::default()));
    }
}
