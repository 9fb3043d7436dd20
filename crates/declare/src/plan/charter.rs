//! Differences between charters, in words.

use crate::{
    grant::scalar_words,
    plan::{
        Reach,
        words::{Said, both_ways, lasting, more},
    },
    table::{clip, join},
};
use provost_domain::{
    Charter, Decimal, Name, TextMap, Timestamp, ToolName,
    charter::{ArgRule, Budget, BudgetScope, Hours, Scalar},
};
use std::collections::{BTreeMap, BTreeSet};

type Rules = TextMap<ArgRule>;

/// What an agent that is new may do.
pub(crate) fn added(charter: &Charter) -> Said {
    let mut said = Said::default();
    said.neutral(format!("is added: {}", charter.purpose));
    let deputies = match charter.deputies.as_ref() {
        [] => String::new(),
        deputies => format!(", then by {}", join(deputies)),
    };
    let (environment, autonomy) = (charter.environment, charter.autonomy);
    said.neutral(format!("is owned by {}{deputies}; {environment}, {autonomy}", charter.owner));
    if !charter.users.is_empty() {
        said.wider(format!("may act for {} when they sign in", join(charter.users.iter())));
    }
    for grant in charter.grants.iter() {
        said.wider(format!("gains {}{}", tools_words(&grant.system, grant.tools.iter()), with(&grant.args)));
    }
    for label in charter.data.iter() {
        said.wider(format!("may read {label} data"));
    }
    for budget in charter.budgets.iter() {
        said.narrower(format!("budget {}: {}", budget.name, budget_words(budget)));
    }
    if let Some(hours) = &charter.hours {
        said.narrower(format!("may act {}", hours_words(hours)));
    }
    if charter.delegation.depth_max > 0 {
        said.wider(delegation_words(charter));
    }
    if let Some(expires) = charter.retirement.expires {
        said.narrower(format!("expires {}", moment(expires)));
    }
    if let Some(days) = charter.retirement.idle_days_max {
        said.narrower(format!("retires after {days} idle days"));
    }
    said
}

/// What changes. Says something whenever the charters differ.
pub(crate) fn changed(from: &Charter, to: &Charter) -> Said {
    let mut said = Said::default();
    if from == to {
        return said;
    }
    standing(&mut said, from, to);
    grants(&mut said, &granted(from), &granted(to));
    both_ways((from.data.iter().collect(), to.data.iter().collect()), |gained, label| {
        if gained {
            said.wider(format!("may read {label} data"));
        } else {
            said.narrower(format!("may no longer read {label} data"));
        }
    });
    budgets(&mut said, from, to);
    hours(&mut said, from.hours.as_deref(), to.hours.as_deref());
    delegation(&mut said, from, to);
    manifest(&mut said, from, to);
    retirement(&mut said, from, to);
    if said.is_empty() {
        said.wider("its charter is written in another order");
    }
    said
}

/// The rules of each granted tool.
pub(crate) fn granted(charter: &Charter) -> BTreeMap<(&Name, &ToolName), &Rules> {
    let grants = charter.grants.iter();
    grants.flat_map(|grant| grant.tools.iter().map(|tool| ((&grant.system, tool), &grant.args))).collect()
}

fn standing(said: &mut Said, from: &Charter, to: &Charter) {
    said.moved(Reach::Neutral, "purpose", &from.purpose, &to.purpose);
    said.moved(Reach::Neutral, "owner", &from.owner, &to.owner);
    let names = |names: &[Name]| if names.is_empty() { "nobody".to_owned() } else { join(names) };
    said.moved(Reach::Neutral, "deputies", &names(&from.deputies), &names(&to.deputies));
    let reach =
        if to.users.iter().all(|user| from.users.contains(user)) { Reach::Narrows } else { Reach::Widens };
    said.moved(reach, "people it may act for", &names(&from.users), &names(&to.users));
    said.moved(Reach::Widens, "environment", &from.environment, &to.environment);
    let reach = if to.autonomy > from.autonomy { Reach::Widens } else { Reach::Narrows };
    said.moved(reach, "autonomy", &from.autonomy, &to.autonomy);
    let reach = if to.task_duration_max > from.task_duration_max { Reach::Widens } else { Reach::Narrows };
    said.moved(reach, "longest task", &lasting(from.task_duration_max), &lasting(to.task_duration_max));
}

type Granted<'a> = BTreeMap<(&'a Name, &'a ToolName), &'a Rules>;

fn grants(said: &mut Said, from: &Granted<'_>, to: &Granted<'_>) {
    // Tools gained alike are said together.
    let mut gained: BTreeMap<(&Name, String), Vec<&ToolName>> = BTreeMap::new();
    for ((system, tool), rules) in to {
        match from.get(&(*system, *tool)) {
            None => gained.entry((*system, with(rules))).or_default().push(*tool),
            Some(before) => rules_changed(said, &format!("{system}/{tool}"), before, rules),
        }
    }
    for ((system, with), tools) in gained {
        said.wider(format!("gains {}{with}", tools_words(system, tools)));
    }
    for (system, tool) in from.keys().filter(|key| !to.contains_key(*key)) {
        said.narrower(format!("loses {system}/{tool}"));
    }
}

fn rules_changed(said: &mut Said, tool: &str, from: &Rules, to: &Rules) {
    for (arg, rule) in to.iter() {
        match from.get(arg) {
            None => said.marked(
                Reach::Narrows,
                &format!("{} of {tool} is now limited: {}", clip(arg), rule_words(rule)),
            ),
            Some(before) => rule_changed(said, &format!("{} of {tool}", clip(arg)), before, rule),
        }
    }
    for arg in from.keys().filter(|arg| !to.contains_key(arg)) {
        said.marked(Reach::Widens, &format!("{} of {tool} is no longer limited", clip(arg)));
    }
}

fn rule_changed(said: &mut Said, arg: &str, from: &ArgRule, to: &ArgRule) {
    bound(said, arg, "limit", (from.max, to.max), more(from.max, to.max));
    // A lower bound allows more when it falls: the order is turned round.
    let fell = match (from.min, to.min) {
        (Some(from), Some(to)) => to < from,
        (Some(_), None) => true,
        (None, _) => false,
    };
    bound(said, arg, "least", (from.min, to.min), fell);
    values(said, arg, from, to);
    for (name, before, after) in [("like", &from.like, &to.like), ("not like", &from.not_like, &to.not_like)]
    {
        match (before, after) {
            (None, Some(after)) => {
                said.marked(Reach::Narrows, &format!("{arg} is now {name} {}", clip(after)))
            }
            (Some(before), None) => {
                said.marked(Reach::Widens, &format!("{arg} no longer has to be {name} {}", clip(before)));
            }
            (Some(before), Some(after)) if before != after => {
                let text = format!("{arg}: {name} {} → {name} {}", clip(before), clip(after));
                said.marked(Reach::Widens, &text);
            }
            _ => {}
        }
    }
    match (from.optional, to.optional) {
        (false, true) => said.marked(Reach::Widens, &format!("{arg} may be left out")),
        (true, false) => said.marked(Reach::Narrows, &format!("{arg} may no longer be left out")),
        _ => {}
    }
    match (from.absent, to.absent) {
        (true, false) => said.marked(Reach::Widens, &format!("{arg} may be given")),
        // Where it had to be there, a call without it was refused until now.
        (false, true) if !from.optional => {
            said.marked(Reach::Widens, &format!("{arg} must be left out, and had to be there"));
        }
        (false, true) => said.marked(Reach::Narrows, &format!("{arg} must be left out")),
        _ => {}
    }
}

fn bound(
    said: &mut Said,
    arg: &str,
    what: &str,
    (from, to): (Option<Decimal>, Option<Decimal>),
    wider: bool,
) {
    let reach = if wider { Reach::Widens } else { Reach::Narrows };
    let text = match (from, to) {
        (Some(from), Some(to)) if to > from => format!("{what} on {arg} rises from {from} to {to}"),
        (Some(from), Some(to)) if to < from => format!("{what} on {arg} falls from {from} to {to}"),
        (Some(from), None) => format!("{what} on {arg} ({from}) goes away"),
        (None, Some(to)) => format!("{what} on {arg} is now {to}"),
        _ => return,
    };
    said.marked(reach, &text);
}

fn values(said: &mut Said, arg: &str, from: &ArgRule, to: &ArgRule) {
    match (from.one_of.is_empty(), to.one_of.is_empty()) {
        (true, false) => {
            said.marked(Reach::Narrows, &format!("{arg} is now {}", one_of_words("one of", &to.one_of)));
        }
        (false, true) => said.marked(
            Reach::Widens,
            &format!("{arg} may be anything, not only {}", one_of_words("one of", &from.one_of)),
        ),
        _ => both_ways((from.one_of.iter().collect(), to.one_of.iter().collect()), |gained, value| {
            let value = scalar_words(value);
            if gained {
                said.marked(Reach::Widens, &format!("{arg} may also be {value}"));
            } else {
                said.marked(Reach::Narrows, &format!("{arg} may no longer be {value}"));
            }
        }),
    }
    both_ways((from.none_of.iter().collect(), to.none_of.iter().collect()), |gained, value| {
        let value = scalar_words(value);
        if gained {
            said.marked(Reach::Narrows, &format!("{arg} must not be {value}"));
        } else {
            said.marked(Reach::Widens, &format!("{arg} may be {value}"));
        }
    });
}

fn budgets(said: &mut Said, from: &Charter, to: &Charter) {
    for budget in to.budgets.iter() {
        match from.budgets.iter().find(|before| before.name == budget.name) {
            None => said.marked(Reach::Narrows, &format!("budget {}: {}", budget.name, budget_words(budget))),
            Some(before) if before != budget => budget_changed(said, before, budget),
            Some(_) => {}
        }
    }
    for budget in
        from.budgets.iter().filter(|before| to.budgets.iter().all(|budget| budget.name != before.name))
    {
        said.marked(Reach::Widens, &format!("budget {} goes away: {}", budget.name, budget_words(budget)));
    }
}

fn budget_changed(said: &mut Said, from: &Budget, to: &Budget) {
    let window = lasting(to.window);
    let mut move_ = |reach: Reach, text: String| said.marked(reach, &format!("budget {}: {text}", to.name));
    if from.count_max != to.count_max {
        let word = |count: Option<u32>| count.map_or("any number of".to_owned(), |count| count.to_string());
        let reach = if more(from.count_max, to.count_max) { Reach::Widens } else { Reach::Narrows };
        move_(reach, format!("{} → {} calls in {window}", word(from.count_max), word(to.count_max)));
    }
    match (&from.sum, &to.sum) {
        (None, Some(sum)) => {
            move_(Reach::Narrows, format!("now at most {} of {} in {window}", sum.max, clip(&sum.arg)))
        }
        (Some(sum), None) => {
            move_(Reach::Widens, format!("no longer at most {} of {}", sum.max, clip(&sum.arg)))
        }
        (Some(before), Some(after)) if before.arg != after.arg => {
            move_(Reach::Widens, format!("adds up {} instead of {}", clip(&after.arg), clip(&before.arg)));
        }
        _ => {}
    }
    if let (Some(before), Some(after)) = (&from.sum, &to.sum)
        && before.max != after.max
    {
        let reach = if after.max > before.max { Reach::Widens } else { Reach::Narrows };
        move_(reach, format!("{} → {} of {} in {window}", before.max, after.max, clip(&after.arg)));
    }
    if from.window != to.window {
        // The same count in less time is more.
        let reach = if to.window < from.window { Reach::Widens } else { Reach::Narrows };
        move_(reach, format!("window {} → {window}", lasting(from.window)));
    }
    match (from.per, to.per) {
        (BudgetScope::Agent, BudgetScope::Task) => {
            move_(Reach::Widens, "each task has its own balance".to_owned())
        }
        (BudgetScope::Task, BudgetScope::Agent) => {
            move_(Reach::Narrows, "all tasks share one balance".to_owned())
        }
        _ => {}
    }
    if from.system != to.system {
        move_(Reach::Widens, format!("counts {} instead of {}", to.system, from.system));
    }
    both_ways((from.tools.iter().collect(), to.tools.iter().collect()), |gained, tool| {
        if gained {
            move_(Reach::Narrows, format!("counts {tool} as well"));
        } else {
            move_(Reach::Widens, format!("no longer counts {tool}"));
        }
    });
}

fn hours(said: &mut Said, from: Option<&Hours>, to: Option<&Hours>) {
    match (from, to) {
        (None, Some(to)) => said.marked(Reach::Narrows, &format!("may act only {}", hours_words(to))),
        (Some(from), None) => {
            said.marked(Reach::Widens, &format!("may act at any time, not only {}", hours_words(from)))
        }
        (Some(from), Some(to)) if from != to => {
            let inside = to.days.is_subset(&from.days)
                && to.from_minute >= from.from_minute
                && to.to_minute <= from.to_minute
                && to.timezone == from.timezone;
            let reach = if inside { Reach::Narrows } else { Reach::Widens };
            said.marked(reach, &format!("hours: {} → {}", hours_words(from), hours_words(to)));
        }
        _ => {}
    }
}

fn delegation(said: &mut Said, from: &Charter, to: &Charter) {
    let (was, is) = (from.delegation, to.delegation);
    if was != is {
        let wider = is.depth_max > was.depth_max || is.children_max > was.children_max;
        let reach = if wider { Reach::Widens } else { Reach::Narrows };
        said.marked(reach, &delegation_words(to));
    }
}

fn manifest(said: &mut Said, from: &Charter, to: &Charter) {
    let parts: BTreeSet<&str> = from.manifest.keys().chain(to.manifest.keys()).collect();
    for part in parts {
        let word = |charter: &Charter| charter.manifest.get(part).unwrap_or("nothing").to_owned();
        said.moved(Reach::Neutral, &format!("made of {}", clip(part)), &word(from), &word(to));
    }
}

fn retirement(said: &mut Said, from: &Charter, to: &Charter) {
    let (was, is) = (from.retirement, to.retirement);
    let word = |expires: Option<Timestamp>| expires.map_or("never".to_owned(), moment);
    let reach = if more(was.expires, is.expires) { Reach::Widens } else { Reach::Narrows };
    said.moved(reach, "expires", &word(was.expires), &word(is.expires));
    let word = |days: Option<u16>| days.map_or("any number of".to_owned(), |days| days.to_string());
    let reach = if more(was.idle_days_max, is.idle_days_max) { Reach::Widens } else { Reach::Narrows };
    said.moved(reach, "idle days before it retires", &word(was.idle_days_max), &word(is.idle_days_max));
}

fn tools_words<'a>(system: &Name, tools: impl IntoIterator<Item = &'a ToolName>) -> String {
    join(tools.into_iter().map(|tool| format!("{system}/{tool}")))
}

fn with(rules: &Rules) -> String {
    let rules = rules.iter().map(|(arg, rule)| format!("{} {}", clip(arg), rule_words(rule)));
    let rules = join(rules);
    if rules.is_empty() { rules } else { format!(" with {rules}") }
}

/// A limit on an argument in words, after its name: `at most 500.0`.
#[must_use]
pub fn rule_words(rule: &ArgRule) -> String {
    let parts = [
        (!rule.one_of.is_empty()).then(|| one_of_words("one of", &rule.one_of)),
        (!rule.none_of.is_empty()).then(|| one_of_words("none of", &rule.none_of)),
        rule.like.as_ref().map(|like| format!("like {}", clip(like))),
        rule.not_like.as_ref().map(|like| format!("not like {}", clip(like))),
        rule.min.map(|min| format!("at least {min}")),
        rule.max.map(|max| format!("at most {max}")),
        rule.absent.then(|| "left out".to_owned()),
        rule.optional.then(|| "if given at all".to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "given".to_owned() } else { parts.join(" and ") }
}

fn one_of_words(word: &str, values: &[Scalar]) -> String {
    let shown = values.iter().take(VALUES_SHOWN_MAX).map(scalar_words);
    let more = values.len().saturating_sub(VALUES_SHOWN_MAX);
    let rest = (more > 0).then(|| format!("and {more} more"));
    format!("{word} {}", shown.chain(rest).collect::<Vec<_>>().join(" | "))
}

fn budget_words(budget: &Budget) -> String {
    let count = budget.count_max.map(|count| format!("{count} calls"));
    let sum = budget.sum.as_ref().map(|sum| format!("{} of {}", sum.max, clip(&sum.arg)));
    let most = [count, sum].into_iter().flatten().collect::<Vec<_>>().join(" and ");
    let per = match budget.per {
        BudgetScope::Agent => "",
        BudgetScope::Task => ", for each task",
    };
    format!(
        "at most {most} in {}{per}, of {}",
        lasting(budget.window),
        tools_words(&budget.system, budget.tools.iter())
    )
}

fn hours_words(hours: &Hours) -> String {
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let (from, to) = (clock(hours.from_minute), clock(hours.to_minute));
    format!("{} {from}-{to} {}", join(&hours.days), hours.timezone)
}

fn delegation_words(charter: &Charter) -> String {
    let delegation = charter.delegation;
    if delegation.depth_max == 0 {
        return "may not delegate".to_owned();
    }
    format!("may delegate {} levels down, to {} at once", delegation.depth_max, delegation.children_max)
}

/// A day when it is the first moment of one in UTC, else the moment.
pub(super) fn moment(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.as_millis()) {
        Ok(moment) if at.as_millis() % DAY_MS == 0 => {
            moment.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
        }
        Ok(moment) => moment.to_string(),
        Err(_) => format!("{} ms after 1970", at.as_millis()),
    }
}

const DAY_MS: i64 = 86_400_000;
/// Values of a list that are shown one by one.
const VALUES_SHOWN_MAX: usize = 10;
