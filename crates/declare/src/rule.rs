//! `[rule.NAME]`: what orders containment by itself, and how often at most.

use crate::{Declared, desk::Desk, organisation::Named, table::Item};
use provost_domain::{
    DurationMs, Effect, Restraint, Severity,
    rule::{Rule, Stops},
};
use std::collections::BTreeSet;

/// Rules belong to the organisation's row, which may stand in another file: they are put in at the end.
pub(crate) fn named((name, at): Named, item: &Item<'_>, desk: &mut Desk<'_>, declared: &mut Declared) {
    let Some(mut table) = item.table(desk, format!("[rule.{name}]")) else { return };
    let finding = table.sentence(desk, "finding", "name the kind of finding: finding = \"drift\"");
    let severities = Severity::ALL.map(|severity| (severity.as_str(), severity));
    let severity = table.get("severity").map_or(Some(Severity::High), |item| item.word(desk, &severities));
    let level = level(table.get("level").as_ref(), table.get("effects").as_ref(), &at, desk);
    let stops = table.get("stops").map_or(Some(Stops::Agent), |item| item.word(desk, &Stops::ALL));
    let at_most = table.need(desk, "at_most", AT_MOST_CURE).and_then(|item| {
        let limit = item.text(desk).and_then(limit);
        if limit.is_none() {
            desk.error(&item.at, "`at_most` does not say how often at most", AT_MOST_CURE);
        }
        limit
    });
    table.finish(desk);
    let (Some(finding), Some(severity), Some(level), Some(stops), Some((at_most, within))) =
        (finding, severity, level, stops, at_most)
    else {
        return;
    };
    if finding.starts_with("rule-") || finding.starts_with('*') {
        desk.error(&at, "a rule must not hear what rules say", "name the kind of finding, such as drift");
        return;
    }
    let rule = Rule { finding, severity, level, stops, at_most, within };
    if declared.rules.insert(name.clone(), rule).is_some() {
        desk.error(&at, format!("rule {name} is declared twice"), "keep one of the two");
    }
}

fn level(
    level: Option<&Item<'_>>,
    effects: Option<&Item<'_>>,
    at: &std::ops::Range<usize>,
    desk: &mut Desk<'_>,
) -> Option<Restraint> {
    let effects =
        effects.map(|item| item.distinct(desk, |item, desk| item.parsed::<Effect>(desk, EFFECTS_CURE)));
    let effects: Option<BTreeSet<Effect>> =
        effects.map(|all| all.into_iter().map(|(effect, _)| effect).collect());
    let words = ["observe", "approvals-only", "read-only", "off", "without"].map(|word| (word, word));
    let word = match level {
        Some(item) => item.word(desk, &words)?,
        None => "read-only",
    };
    match (word, effects) {
        ("without", Some(effects)) if !effects.is_empty() => Some(Restraint::Without { effects }),
        ("without", _) | (_, Some(_)) => {
            desk.error(at, "`effects` and level `without` go together", EFFECTS_CURE);
            None
        }
        ("observe", None) => Some(Restraint::Observe),
        ("approvals-only", None) => Some(Restraint::ApprovalsOnly),
        ("off", None) => Some(Restraint::Off),
        _ => Some(Restraint::ReadOnly),
    }
}

/// `3 in 1h`.
fn limit(text: &str) -> Option<(u32, DurationMs)> {
    let (times, within) = text.split_once(" in ")?;
    let times: u32 = times.trim().parse().ok()?;
    let within = DurationMs::parse(within.trim()).ok()?;
    ((1..=AT_MOST_MAX).contains(&times) && within.0 > 0).then_some((times, within))
}

const AT_MOST_MAX: u32 = 1_000;
const AT_MOST_CURE: &str = "write at_most = \"3 in 1h\", so that a bad rule cannot stop everybody unnoticed";
const EFFECTS_CURE: &str = "write level = \"without\" and effects = [\"financial\", \"delete\"]";
