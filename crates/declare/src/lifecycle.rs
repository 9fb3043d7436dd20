//! `lifecycle = { attested = "90d", idle = "60d", … }` in `[organisation]`: what becomes of agents by itself.

use crate::{Declared, Severity, desk::Desk, desk::Found, table::Item};
use provost_domain::{DurationMs, ObjectKey, upkeep::UpkeepRules};

/// The rules; what is left out is as it is without it.
pub(crate) fn lifecycle(item: &Item<'_>, desk: &mut Desk<'_>) -> UpkeepRules {
    let mut rules = UpkeepRules::default();
    desk.mark("lifecycle", &item.at);
    let Some(mut table) = item.table(desk, "lifecycle") else { return rules };
    rules.warned = table.duration(desk, "warned").unwrap_or(rules.warned);
    rules.grace = table.duration(desk, "grace").unwrap_or(rules.grace);
    rules.accepted = table.duration(desk, "accepted").unwrap_or(rules.accepted);
    rules.swept = table.duration(desk, "swept").unwrap_or(rules.swept);
    rules.idle = table.duration(desk, "idle");
    rules.attested = table.duration(desk, "attested");
    if let Some(heirs) = table.get("heirs") {
        desk.mark("lifecycle.heirs", &heirs.at);
        rules.heirs = heirs.name(desk);
    }
    table.finish(desk);
    let lengths = [
        ("warned", Some(rules.warned)),
        ("grace", Some(rules.grace)),
        ("accepted", Some(rules.accepted)),
        ("swept", Some(rules.swept)),
        ("idle", rules.idle),
        ("attested", rules.attested),
    ];
    for (key, length) in lengths {
        if length.is_some_and(|length| length.0 == 0 || length > LENGTH_MAX) {
            desk.error(&item.at, format!("`{key}` must be from one second to three years"), LIFECYCLE_CURE);
        }
    }
    rules
}

/// A group that is to follow has to be there, or nobody would.
pub(crate) fn check(declared: &Declared, found: &mut Found) {
    let heirs = declared.organisation.as_ref().and_then(|row| row.lifecycle.heirs.as_ref());
    let Some(group) = heirs.filter(|group| !declared.groups.contains_key(*group)) else { return };
    let message = format!("`heirs` names {group}, and no file declares [group.{group}]");
    let cure = format!("declare [group.{group}] with its members, or leave `heirs` out");
    let key = (ObjectKey::organisation(), "lifecycle.heirs".to_owned());
    let fault = match found.parts.get(&key).cloned() {
        Some(place) => declared.fault_at(place, Severity::Error, message, cure),
        None => declared.fault_in((&key.0, "lifecycle"), Severity::Error, message, cure),
    };
    found.faults.push(fault);
}

const LENGTH_MAX: DurationMs = DurationMs::from_mins(3 * 366 * 24 * 60);
const LIFECYCLE_CURE: &str = "write lifecycle = { warned = \"14d\", idle = \"60d\", attested = \"90d\", grace = \"14d\", accepted = \"3d\", heirs = \"GROUP\", swept = \"7d\" }";
