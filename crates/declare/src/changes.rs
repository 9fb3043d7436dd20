//! `changes = { production = ["owner", "security"], … }` in `[organisation]`: who must agree to a change.

use crate::{
    Declared, Severity,
    desk::{Desk, Found},
    table::{Item, Table},
};
use provost_domain::{
    DurationMs, ObjectKey,
    organisation::{Agree, ChangeRules},
};
use std::collections::BTreeSet;
use toml::de::DeValue;

/// The rules; what is left out is as it is without it.
pub(crate) fn changes(item: &Item<'_>, desk: &mut Desk<'_>) -> ChangeRules {
    let mut rules = ChangeRules::default();
    desk.mark("changes", &item.at);
    let Some(mut table) = item.table(desk, "changes") else { return rules };
    rules.sandbox = words(&mut table, "sandbox", desk).unwrap_or(rules.sandbox);
    rules.staging = words(&mut table, "staging", desk).unwrap_or(rules.staging);
    rules.production = words(&mut table, "production", desk).unwrap_or(rules.production);
    rules.rules = words(&mut table, "rules", desk).unwrap_or(rules.rules);
    rules.wait = table.duration(desk, "wait").unwrap_or(rules.wait);
    rules.review = table.duration(desk, "review").unwrap_or(rules.review);
    for (key, needed) in [("production", &rules.production), ("rules", &rules.rules)] {
        if needed.is_empty() {
            let message = format!("`{key}` cannot be direct: somebody other than the author has to agree");
            desk.error(&item.at, message, CHANGES_CURE);
        }
    }
    if rules.rules.contains(&Agree::Owner) {
        let message = "what holds everywhere has no owner, so `rules` cannot ask one";
        desk.error(&item.at, message, "name administrators, or a group");
    }
    for (key, length) in [("wait", rules.wait), ("review", rules.review)] {
        if length.0 == 0 || length > WAIT_MAX {
            desk.error(&item.at, format!("`{key}` must be from one second to 90 days"), CHANGES_CURE);
        }
    }
    table.finish(desk);
    rules
}

/// `"direct"`, one word, or several.
fn words(table: &mut Table<'_>, key: &'static str, desk: &mut Desk<'_>) -> Option<BTreeSet<Agree>> {
    let item = table.get(key)?;
    desk.mark(format!("changes.{key}"), &item.at);
    let one = |item: &Item<'_>, desk: &mut Desk<'_>| item.parsed::<Agree>(desk, CHANGES_CURE);
    match item.value {
        DeValue::String(text) if text.as_ref() == DIRECT => Some(BTreeSet::new()),
        DeValue::String(_) => Some([one(&item, desk)?].into()),
        _ => {
            let words = item.distinct(desk, one);
            if words.is_empty() {
                let message = format!("`{key}` names nobody");
                desk.error(&item.at, message, "name who must agree, or write \"direct\"");
            }
            Some(words.into_iter().map(|(word, _)| word).collect())
        }
    }
}

/// A group that is to agree has to be there, or nothing would ever be agreed to.
pub(crate) fn check(declared: &Declared, found: &mut Found) {
    let Some(organisation) = &declared.organisation else { return };
    let rules = &organisation.changes;
    let sets = [
        ("sandbox", &rules.sandbox),
        ("staging", &rules.staging),
        ("production", &rules.production),
        ("rules", &rules.rules),
    ];
    for (key, words) in sets {
        for word in words {
            let Agree::Group(group) = word else { continue };
            if declared.groups.contains_key(group) {
                continue;
            }
            let part = format!("changes.{key}");
            let place = found.parts.get(&(ObjectKey::organisation(), part)).cloned();
            let message = format!("`{key}` asks {group}, and no file declares [group.{group}]");
            let cure = format!("declare [group.{group}] with its members, or write owner or administrators");
            let fault = match place {
                Some(place) => declared.fault_at(place, Severity::Error, message, cure),
                None => {
                    declared.fault_in((&ObjectKey::organisation(), "changes"), Severity::Error, message, cure)
                }
            };
            found.faults.push(fault);
        }
    }
}

const DIRECT: &str = "direct";
const WAIT_MAX: DurationMs = DurationMs::from_mins(90 * 24 * 60);
const CHANGES_CURE: &str = "write changes = { sandbox = \"direct\", staging = \"owner\", production = [\"owner\", \"security\"], rules = \"administrators\", wait = \"7d\", review = \"3d\" }";
