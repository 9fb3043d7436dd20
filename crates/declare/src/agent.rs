//! An agent: `agents/NAME.toml` with `[agent]`, `[[grant]]`, `[[budget]]`, `[hours]`, `[delegation]`, or
//! `[agent.NAME]` with the same tables inside it in any other file.

use crate::{
    Declared, DeclaredAgent,
    desk::Desk,
    grant,
    organisation::{Named, owner},
    system::{environment, labels},
    table::{Item, Table, clip},
};
use provost_domain::{
    Autonomy, Charter, Kind, Name, ObjectKey,
    charter::{Delegation, Hours, Retirement, Weekday},
};
use std::collections::{BTreeMap, BTreeSet};

/// `agents/NAME.toml`.
pub(crate) fn own_file(name: Name, root: &mut Table<'_>, desk: &mut Desk<'_>, declared: &mut Declared) {
    let parts = Parts::of(root, "");
    let cure = "write [agent], and under it purpose, owner, environment, autonomy and task_duration_max";
    let Some(item) = root.need(desk, "agent", cure) else { return };
    let Some(mut table) = item.table(desk, "[agent]") else { return };
    agent((name, item.at), &mut table, parts, desk, declared);
    table.finish(desk);
}

/// `[agent.NAME]`.
pub(crate) fn named(named: Named, item: &Item<'_>, desk: &mut Desk<'_>, declared: &mut Declared) {
    let header = format!("agent.{}", named.0);
    let Some(mut table) = item.table(desk, format!("[{header}]")) else { return };
    let parts = Parts::of(&mut table, &format!("{header}."));
    agent(named, &mut table, parts, desk, declared);
    table.finish(desk);
}

/// The tables of an agent that stand beside `[agent]` in a file of its own, and inside it elsewhere.
struct Parts<'t> {
    grants: Option<Item<'t>>,
    budgets: Option<Item<'t>>,
    hours: Option<Item<'t>>,
    delegation: Option<Item<'t>>,
    /// What stands before their names in a header: `agent.NAME.`.
    prefix: String,
}

impl<'t> Parts<'t> {
    fn of(table: &mut Table<'t>, prefix: &str) -> Self {
        Self {
            grants: table.get("grant"),
            budgets: table.get("budget"),
            hours: table.get("hours"),
            delegation: table.get("delegation"),
            prefix: prefix.to_owned(),
        }
    }
}

fn agent(
    (name, at): Named,
    table: &mut Table<'_>,
    parts: Parts<'_>,
    desk: &mut Desk<'_>,
    declared: &mut Declared,
) {
    let fresh = desk.declare(ObjectKey::new(Kind::Agent, name.as_str()), &at);
    let purpose = table.sentence(desk, "purpose", "say in a sentence a stranger understands what it is for");
    let owner = owner(table.need(desk, "owner", "name the one accountable person"), desk);
    let deputies = table.get("deputies").map_or_else(Vec::new, |item| deputies(&item, owner.as_ref(), desk));
    let users = table.get("users").map_or_else(Vec::new, |item| people(&item, "users", "user", desk));
    let environment = environment(table, desk);
    let autonomy = autonomy(table, desk);
    let task_duration_max = task_duration_max(table, desk);
    let data = table.get("data").map_or_else(BTreeSet::new, |item| {
        desk.mark("data", &item.at);
        labels(&item, desk)
    });
    let manifest = table.get("manifest").map_or_else(BTreeMap::new, |item| manifest(&item, desk));
    let retirement = retirement(table, desk);
    let suspended = table.boolean(desk, "suspended").unwrap_or(false);

    let prefix = &parts.prefix;
    let grants = parts.grants.map_or_else(Vec::new, |item| grant::grants(&item, prefix, desk));
    let budgets = parts.budgets.map_or_else(Vec::new, |item| grant::budgets(&item, prefix, desk));
    let hours = parts.hours.and_then(|item| hours(&item, prefix, desk));
    let delegation =
        parts.delegation.map_or_else(Delegation::default, |item| delegation(&item, prefix, desk));

    // What could not be read left a fault behind, and nothing is applied while there is one.
    if let (Some(purpose), Some(owner), Some(environment), Some(autonomy), Some(task_duration_max), true) =
        (purpose, owner, environment, autonomy, task_duration_max, fresh)
    {
        let charter = Charter {
            purpose: purpose.into(),
            owner,
            deputies: deputies.into(),
            users: users.into(),
            environment,
            autonomy,
            grants: grants.into(),
            data: data.into(),
            budgets: budgets.into(),
            hours: hours.map(Into::into),
            delegation,
            manifest: manifest.into_iter().collect(),
            retirement,
            task_duration_max,
        };
        declared.agents.insert(name.clone(), DeclaredAgent { name, charter, suspended });
    }
}

fn deputies(item: &Item<'_>, owner: Option<&Name>, desk: &mut Desk<'_>) -> Vec<Name> {
    let deputies = people(item, "deputies", "deputy", desk);
    if let Some(owner) = owner.filter(|owner| deputies.contains(owner)) {
        desk.error(&item.at, format!("{owner} is both owner and deputy"), "name somebody else, or nobody");
    }
    deputies
}

/// A list of people in this role.
fn people(item: &Item<'_>, part: &str, role: &'static str, desk: &mut Desk<'_>) -> Vec<Name> {
    desk.mark(part, &item.at);
    let names = item.distinct(desk, Item::name);
    for (index, (person, at)) in names.iter().enumerate() {
        desk.mark(format!("{part}.{index}"), at);
        desk.mention(Kind::Person, person, role, at);
    }
    names.into_iter().map(|(name, _)| name).collect()
}

fn autonomy(table: &mut Table<'_>, desk: &mut Desk<'_>) -> Option<Autonomy> {
    let cure = "write autonomy = \"probation\", \"supervised\" or \"bounded\"";
    let item = table.need(desk, "autonomy", cure)?;
    desk.mark("autonomy", &item.at);
    let words: Vec<_> = Autonomy::ALL.iter().map(|autonomy| (autonomy.as_str(), *autonomy)).collect();
    item.word(desk, &words)
}

fn task_duration_max(table: &mut Table<'_>, desk: &mut Desk<'_>) -> Option<provost_domain::DurationMs> {
    let cure = "write task_duration_max = \"60m\": how long a task of this agent may last at most";
    let item = table.need(desk, "task_duration_max", cure)?;
    desk.mark("task_duration_max", &item.at);
    item.duration(desk)
}

fn manifest(item: &Item<'_>, desk: &mut Desk<'_>) -> BTreeMap<String, String> {
    desk.mark("manifest", &item.at);
    let Some(table) = item.table(desk, "manifest") else { return BTreeMap::new() };
    let mut out = BTreeMap::new();
    for (key, at, value) in table.entries() {
        if key.parse::<Name>().is_err() {
            let message = format!("`{}` is not the name of a part of an agent", clip(key));
            desk.error(&at, message, "write it like model, prompt or image");
        } else if let Some(text) = value.text(desk) {
            desk.mark(format!("manifest.{key}"), &value.at);
            out.insert(key.to_owned(), text.to_owned());
        }
    }
    out
}

fn retirement(table: &mut Table<'_>, desk: &mut Desk<'_>) -> Retirement {
    let expires = table.get("expires").and_then(|item| {
        desk.mark("retirement", &item.at);
        desk.mark("retirement.expires", &item.at);
        item.moment(desk)
    });
    let idle_days_max = table.get("idle_days_max").and_then(|item| {
        desk.mark("retirement.idle_days_max", &item.at);
        item.whole(desk, 1..=i64::from(u16::MAX))
    });
    Retirement { expires, idle_days_max: idle_days_max.and_then(|days| u16::try_from(days).ok()) }
}

fn hours(item: &Item<'_>, prefix: &str, desk: &mut Desk<'_>) -> Option<Hours> {
    desk.mark("hours", &item.at);
    let mut table = item.table(desk, format!("[{prefix}hours]"))?;
    let days_item = table.need(desk, "days", "write days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"]");
    let days = days_item.map(|item| {
        desk.mark("hours.days", &item.at);
        let words: Vec<_> = Weekday::ALL.iter().map(|day| (day.as_str(), *day)).collect();
        let days = item.distinct(desk, |item, desk| item.word(desk, &words));
        if matches!(item.value, toml::de::DeValue::Array(days) if days.is_empty()) {
            desk.error(
                &item.at,
                "`days` is empty: the agent could never act",
                "name a day, or take [hours] out",
            );
        }
        days.into_iter().map(|(day, _)| day).collect::<BTreeSet<_>>()
    });
    let from_item = table.need(desk, "from", "write from = \"08:00\"");
    let from = from_item.and_then(|item| minute(&item, desk, "hours.from_minute"));
    let to_item = table.need(desk, "to", "write to = \"18:00\"; \"24:00\" is the end of the day");
    let to = to_item.as_ref().and_then(|item| minute(item, desk, "hours.to_minute"));
    let timezone = table.need(desk, "timezone", ZONE_CURE).and_then(|item| timezone(&item, desk));
    table.finish(desk);
    let (from_minute, to_minute) = (from?, to?);
    if from_minute >= to_minute {
        let at = to_item.map_or(item.at.clone(), |item| item.at);
        let cure = "let `from` come before `to`; a night is two agents, or no [hours] and a policy";
        desk.error(&at, "`from` is not before `to`: the agent could never act", cure);
        return None;
    }
    Some(Hours { days: days?, from_minute, to_minute, timezone: timezone? })
}

/// Minutes after midnight, from `08:00` to `24:00`.
fn minute(item: &Item<'_>, desk: &mut Desk<'_>, part: &str) -> Option<u16> {
    desk.mark(part, &item.at);
    let text = item.text(desk)?;
    let two = |text: &str| match text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()) {
        true => text.parse::<u16>().ok(),
        false => None,
    };
    let read = text
        .split_once(':')
        .and_then(|(hours, minutes)| Some((two(hours)?, two(minutes)?)))
        .filter(|(hours, minutes)| *minutes < 60 && (*hours < 24 || (*hours == 24 && *minutes == 0)))
        .map(|(hours, minutes)| hours * 60 + minutes);
    if read.is_none() {
        let message = format!("`{}` is not a time of day", clip(text));
        desk.error(&item.at, message, "write it as hours and minutes: \"08:00\"");
    }
    read
}

fn timezone(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<String> {
    desk.mark("hours.timezone", &item.at);
    let text = item.text(desk)?;
    match jiff::tz::TimeZone::get(text) {
        Ok(_) => Some(text.to_owned()),
        Err(_) => {
            desk.error(&item.at, format!("`{}` is not a time zone", clip(text)), ZONE_CURE);
            None
        }
    }
}

fn delegation(item: &Item<'_>, prefix: &str, desk: &mut Desk<'_>) -> Delegation {
    desk.mark("delegation", &item.at);
    let Some(mut table) = item.table(desk, format!("[{prefix}delegation]")) else {
        return Delegation::default();
    };
    let depth = table
        .need(desk, "depth_max", "write depth_max = 1; 0 forbids delegation")
        .and_then(|item| item.whole(desk, 0..=DEPTH_MAX));
    let children_item = table.get("children_max");
    let children = children_item.as_ref().and_then(|item| item.whole(desk, 0..=i64::from(u16::MAX)));
    let at = table.at.clone();
    table.finish(desk);
    if depth.is_some_and(|depth| depth > 0) && children_item.is_none() {
        desk.missing(
            &at,
            "delegation has no `children_max`",
            "say how many may be alive at once at each level",
        );
    } else if depth.is_some_and(|depth| (depth > 0) != children.is_some_and(|children| children > 0)) {
        let message = "`depth_max` and `children_max` disagree on whether the agent may delegate";
        desk.error(&at, message, "let both be above zero, or both be zero");
    }
    Delegation {
        depth_max: depth.and_then(|depth| u8::try_from(depth).ok()).unwrap_or(0),
        children_max: children.and_then(|children| u16::try_from(children).ok()).unwrap_or(0),
    }
}

const ZONE_CURE: &str = "write an IANA name, such as timezone = \"Europe/Berlin\" or \"UTC\"";
/// Levels of delegation at most.
const DEPTH_MAX: i64 = 16;
