//! Two limits on one argument, both in force: the one that allows what both allow.

use provost_domain::charter::{ArgRule, Scalar};
use provost_domain::pattern;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The rule that holds exactly when both hold. `None` when no value could keep to both, or when one rule cannot say it
/// (two patterns of which neither includes the other); in doubt it is `None`, never a rule that allows more.
#[must_use]
pub fn both(a: &ArgRule, b: &ArgRule) -> Option<ArgRule> {
    if a.absent || b.absent {
        // A rule that is not `optional` wants the argument; one that is `absent` wants it left out.
        let may_be_left_out = |rule: &ArgRule| rule.absent || rule.optional;
        return (may_be_left_out(a) && may_be_left_out(b))
            .then(|| ArgRule { absent: true, ..ArgRule::default() });
    }
    let one_of = match (a.one_of.is_empty(), b.one_of.is_empty()) {
        (true, _) => b.one_of.clone(),
        (_, true) => a.one_of.clone(),
        (false, false) => {
            let common: Vec<Scalar> = a.one_of.iter().filter(|v| b.one_of.contains(v)).cloned().collect();
            if common.is_empty() {
                return None;
            }
            common.into()
        }
    };
    let none_of: BTreeSet<Scalar> = a.none_of.iter().chain(&b.none_of).cloned().collect();
    let merged = ArgRule {
        one_of,
        none_of: none_of.into_iter().collect(),
        like: narrower(&a.like, &b.like)?,
        not_like: wider(&a.not_like, &b.not_like)?,
        min: a.min.max(b.min),
        max: match (a.max, b.max) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        },
        optional: a.optional && b.optional,
        absent: false,
    };
    let possible = !matches!((merged.min, merged.max), (Some(min), Some(max)) if min > max);
    possible.then_some(merged)
}

/// Reads a rule. Members it does not know are refused: a limit that is misspelt must not be no limit.
pub(crate) fn read(value: &Value) -> Option<ArgRule> {
    let members = value.as_object()?;
    let rule: ArgRule = serde_json::from_value(value.clone()).ok()?;
    let known = |members: &Map<String, Value>| members.keys().all(|name| MEMBERS.contains(&name.as_str()));
    let lists_ok = [&rule.one_of, &rule.none_of].iter().all(|list| list.len() <= LIST_MAX);
    let no_empty_list = ["one_of", "none_of"].iter().all(|name| {
        members.get(*name).is_none_or(|list| list.as_array().is_some_and(|list| !list.is_empty()))
    });
    let patterns_ok = [&rule.like, &rule.not_like]
        .iter()
        .all(|text| text.as_ref().is_none_or(|t| t.len() <= PATTERN_BYTES_MAX));
    let alone = !rule.absent || rule == ArgRule { absent: true, ..ArgRule::default() };
    let possible = !matches!((rule.min, rule.max), (Some(min), Some(max)) if min > max);
    let says_something = rule != ArgRule::default();
    (known(members) && lists_ok && no_empty_list && patterns_ok && alone && possible && says_something)
        .then_some(rule)
}

/// Of two patterns that must both match, the one that is enough; the outer `None` when neither is.
fn narrower(a: &Option<Box<str>>, b: &Option<Box<str>>) -> Option<Option<Box<str>>> {
    match (a, b) {
        (Some(a), Some(b)) if pattern::includes(a, b) => Some(Some(b.clone())),
        (Some(a), Some(b)) => pattern::includes(b, a).then(|| Some(a.clone())),
        (a, b) => Some(a.clone().or_else(|| b.clone())),
    }
}

/// Of two patterns that must both not match, the one that is enough; the outer `None` when neither is.
fn wider(a: &Option<Box<str>>, b: &Option<Box<str>>) -> Option<Option<Box<str>>> {
    match (a, b) {
        (Some(a), Some(b)) if pattern::includes(a, b) => Some(Some(a.clone())),
        (Some(a), Some(b)) => pattern::includes(b, a).then(|| Some(b.clone())),
        (a, b) => Some(a.clone().or_else(|| b.clone())),
    }
}

const MEMBERS: &[&str] = &["one_of", "none_of", "like", "not_like", "min", "max", "optional", "absent"];
const LIST_MAX: usize = 64;
const PATTERN_BYTES_MAX: usize = 512;

#[cfg(test)]
pub(crate) mod tests;
