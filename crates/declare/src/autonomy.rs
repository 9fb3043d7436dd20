//! `autonomy = "graduated"` in `[organisation]`, or a table with what is asked before each grade: how agents earn trust.

use crate::{desk::Desk, table::Item};
use provost_domain::{
    DurationMs,
    autonomy::{AutonomyRules, Gates},
};
use toml::de::DeValue;

/// The rules; what is left out is as it is without it.
pub(crate) fn autonomy(item: &Item<'_>, desk: &mut Desk<'_>) -> AutonomyRules {
    let mut rules = AutonomyRules::default();
    desk.mark("autonomy", &item.at);
    if let DeValue::String(_) = item.value {
        rules.graduated = item.word(desk, &WORDS).unwrap_or(true);
        return rules;
    }
    let Some(mut table) = item.table(desk, "autonomy") else { return rules };
    rules.graduated =
        table.need(desk, "trust", AUTONOMY_CURE).and_then(|item| item.word(desk, &WORDS)).unwrap_or(true);
    for (key, part) in [("supervised", &mut rules.supervised), ("bounded", &mut rules.bounded)] {
        if let Some(item) = table.get(key) {
            gates(&item, part, desk);
        }
    }
    table.finish(desk);
    rules
}

fn gates(item: &Item<'_>, gates: &mut Gates, desk: &mut Desk<'_>) {
    let Some(mut table) = item.table(desk, "what is asked before a grade") else { return };
    gates.time = table.duration(desk, "time").unwrap_or(gates.time);
    gates.quiet = table.duration(desk, "quiet").unwrap_or(gates.quiet);
    if let Some(actions) = table.get("actions").and_then(|item| item.whole(desk, 0..=ACTIONS_MAX)) {
        gates.actions = u32::try_from(actions).unwrap_or(gates.actions);
    }
    let percents = [
        ("denied_percent_max", &mut gates.denied_percent_max),
        ("refused_percent_max", &mut gates.refused_percent_max),
    ];
    for (key, part) in percents {
        if let Some(percent) = table.get(key).and_then(|item| item.whole(desk, 0..=100)) {
            *part = u8::try_from(percent).unwrap_or(*part);
        }
    }
    if let Some(drilled) = table.get("drilled") {
        let never = drilled.text(desk) == Some(NEVER);
        gates.drilled = if never { None } else { drilled.duration(desk).or(gates.drilled) };
    }
    table.finish(desk);
    for (key, length) in [("time", gates.time), ("quiet", gates.quiet)] {
        if length > TIME_MAX {
            desk.error(&item.at, format!("`{key}` may be a year at most"), AUTONOMY_CURE);
        }
    }
}

const WORDS: [(&str, bool); 2] = [("declared", false), ("graduated", true)];
const NEVER: &str = "never";
/// As many as are looked through for evidence.
const ACTIONS_MAX: i64 = 10_000;
const TIME_MAX: DurationMs = DurationMs::from_mins(366 * 24 * 60);
const AUTONOMY_CURE: &str = "write autonomy = \"graduated\", or autonomy = { trust = \"graduated\", supervised = { time = \"7d\", actions = 50, denied_percent_max = 10, refused_percent_max = 20, quiet = \"7d\", drilled = \"never\" } }";
