//! `[[grant]]` with its limits on arguments, and `[[budget]]`.

use crate::{
    desk::Desk,
    limits::{RECORD_DEPTH_MAX, TEXT_CHARS_MAX},
    table::{Item, Table, clip},
};
use provost_domain::{
    Decimal, Name, ToolName,
    charter::{ArgRule, Budget, BudgetScope, BudgetSum, Grant, Scalar},
};
use std::collections::{BTreeMap, BTreeSet};
use toml::de::DeValue;

/// Every `[[grant]]` of an agent.
pub(crate) fn grants(item: &Item<'_>, prefix: &str, desk: &mut Desk<'_>) -> Vec<Grant> {
    desk.mark("grants", &item.at);
    let items = item.list(desk).unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(grant) = grant(index, item, prefix, desk) else { continue };
        // All limits on a tool stand in one place, so that a reader sees them together.
        for tool in grant.tools.iter() {
            if !seen.insert((grant.system.clone(), tool.clone())) {
                let message = format!("{}/{tool} is granted twice", grant.system);
                desk.error(&item.at, message, "grant each tool once, with all its limits in one [[grant]]");
            }
        }
        out.push(grant);
    }
    out
}

fn grant(index: usize, item: &Item<'_>, prefix: &str, desk: &mut Desk<'_>) -> Option<Grant> {
    let here = format!("grants.{index}");
    desk.mark(here.clone(), &item.at);
    let mut table = item.table(desk, format!("[[{prefix}grant]]"))?;
    let (system, tools) = reach(&mut table, &here, desk);
    let reach = system.as_ref().map(|system| (system, tools.as_slice()));
    let mut args = BTreeMap::new();
    if let Some(item) = table.get("args") {
        desk.mark(format!("{here}.args"), &item.at);
        let limits = Limits { here: format!("{here}.args"), reach };
        limits.group("", &item, 0, &mut args, desk);
    }
    table.finish(desk);
    Some(Grant { system: system?, tools: tools.into(), args: args.into_iter().collect() })
}

/// The system and tools of a grant or budget.
fn reach(table: &mut Table<'_>, here: &str, desk: &mut Desk<'_>) -> (Option<Name>, Vec<ToolName>) {
    let system_item = table.need(desk, "system", "name the system its tools belong to");
    let system = system_item.and_then(|item| {
        desk.mark(format!("{here}.system"), &item.at);
        let name = item.name(desk)?;
        desk.mention(provost_domain::Kind::System, &name, "system", &item.at);
        Some(name)
    });
    let tools_item = table.need(desk, "tools", "name tools: tools = [\"list_accounts\"]");
    let tools = tools_item.map_or_else(Vec::new, |item| {
        desk.mark(format!("{here}.tools"), &item.at);
        if matches!(item.value, DeValue::Array(tools) if tools.is_empty()) {
            desk.error(&item.at, "`tools` is empty", "name a tool, or take the whole table out");
        }
        let tools = item.distinct(desk, Item::tool_name);
        for (index, (tool, at)) in tools.iter().enumerate() {
            desk.mark(format!("{here}.tools.{index}"), at);
            if let Some(system) = &system {
                desk.mention_tool(system, tool, at);
            }
        }
        tools.into_iter().map(|(tool, _)| tool).collect()
    });
    (system, tools)
}

/// The limits of one grant being read.
struct Limits<'a> {
    here: String,
    reach: Option<(&'a Name, &'a [ToolName])>,
}

impl Limits<'_> {
    /// `args` is a tree: a table whose every value is a table is a group (`args.recipient.iban = { … }`), any other
    /// is the limit of one argument.
    fn group(
        &self,
        path: &str,
        item: &Item<'_>,
        depth: usize,
        out: &mut BTreeMap<String, ArgRule>,
        desk: &mut Desk<'_>,
    ) {
        let what = if path.is_empty() { "args".to_owned() } else { format!("args.{path}") };
        let Some(table) = item.table(desk, what) else { return };
        if depth > RECORD_DEPTH_MAX {
            let message = format!("limits are nested deeper than {RECORD_DEPTH_MAX}");
            desk.error(&item.at, message, "limit a member nearer to the top");
            return;
        }
        for (key, at, value) in table.entries() {
            let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            let is_group = matches!(value.value, DeValue::Table(members) if !members.is_empty()
                && members.values().all(|member| matches!(member.get_ref(), DeValue::Table(_))));
            if is_group {
                self.group(&path, &value, depth + 1, out, desk);
                continue;
            }
            let part = format!("{}.{path}", self.here);
            desk.mark(part.clone(), &at);
            let number = matches!(value.value, DeValue::Table(rule)
                if rule.contains_key("min") || rule.contains_key("max"));
            if let Some(reach) = self.reach {
                desk.mention_arg(reach, &path, number, &at);
            }
            if let Some(rule) = rule(&path, &part, &value, desk)
                && out.insert(path.clone(), rule).is_some()
            {
                desk.error(&at, format!("argument `{}` is limited twice", clip(&path)), "keep one");
            }
        }
    }
}

fn rule(path: &str, part: &str, item: &Item<'_>, desk: &mut Desk<'_>) -> Option<ArgRule> {
    let DeValue::Table(_) = item.value else {
        let message = format!("the limit of `{}` is not a table", clip(path));
        desk.error(&item.at, message, "write it like { max = 500.00 } or { one_of = [\"a\", \"b\"] }");
        return None;
    };
    let mut table = item.table(desk, format!("args.{}", clip(path)))?;
    let faults_before = desk.found.faults.len();
    let one_of = scalars(&mut table, "one_of", part, desk);
    let none_of = scalars(&mut table, "none_of", part, desk);
    let like = pattern(&mut table, "like", part, desk);
    let not_like = pattern(&mut table, "not_like", part, desk);
    let min_item = table.get("min");
    let min = min_item.as_ref().and_then(|item| number(item, part, desk));
    let max_item = table.get("max");
    let max = max_item.as_ref().and_then(|item| number(item, part, desk));
    let optional = table.boolean(desk, "optional").unwrap_or(false);
    let absent = table.boolean(desk, "absent").unwrap_or(false);
    let at = item.at.clone();
    table.finish(desk);
    let (one_of, none_of) = (one_of.unwrap_or_default(), none_of.unwrap_or_default());
    if let (Some(low), Some(high), Some(max_item)) = (min, max, &max_item)
        && low > high
    {
        let message = format!("`{}` can never be given: min {low} is above max {high}", clip(path));
        desk.error(&max_item.at, message, "let min be at most max");
    }
    if let Some(both) = one_of.iter().find(|value| none_of.contains(value)) {
        let message = format!("`{}` both must and must not be {}", clip(path), scalar_words(both));
        desk.error(&at, message, "take it out of one_of or of none_of");
    }
    let rule = ArgRule { one_of, none_of, like, not_like, min, max, optional, absent };
    if desk.found.faults.len() > faults_before {
        return None;
    }
    if absent && rule != (ArgRule { absent, ..ArgRule::default() }) {
        let message = format!("`{}` must be absent and is limited as well", clip(path));
        desk.error(&at, message, "write only { absent = true }, or leave absent out");
    } else if rule == ArgRule::default() {
        let message = format!("the limit of `{}` says nothing", clip(path));
        let cure = "use min, max, one_of, none_of, like, not_like, optional or absent, or take it out: an argument \
                    without limits may be anything";
        desk.error(&at, message, cure);
    }
    Some(rule)
}

fn number(item: &Item<'_>, part: &str, desk: &mut Desk<'_>) -> Option<Decimal> {
    desk.mark(format!("{part}.{}", item.what), &item.at);
    item.decimal(desk)
}

fn scalars(
    table: &mut Table<'_>,
    key: &'static str,
    part: &str,
    desk: &mut Desk<'_>,
) -> Option<Box<[Scalar]>> {
    let item = table.get(key)?;
    desk.mark(format!("{part}.{key}"), &item.at);
    if matches!(item.value, DeValue::Array(items) if items.is_empty()) {
        let message = match key {
            "one_of" => "`one_of` is empty: nothing could ever be given",
            _ => "`none_of` is empty and says nothing",
        };
        desk.error(&item.at, message, "name a value, or take it out");
        return None;
    }
    let mut out = Vec::new();
    for item in item.list(desk)? {
        if let Some(value) = scalar(&item, desk) {
            if out.contains(&value) {
                desk.error(&item.at, format!("`{key}` says `{}` twice", scalar_words(&value)), "keep one");
            }
            out.push(value);
        }
    }
    Some(out.into())
}

fn scalar(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<Scalar> {
    Some(match item.value {
        DeValue::Boolean(value) => Scalar::Bool(*value),
        DeValue::Integer(_) => Scalar::Long(item.whole(desk, i64::MIN..=i64::MAX)?),
        DeValue::Float(_) => Scalar::Text(item.decimal(desk)?.to_string()),
        _ => Scalar::Text(item.raw_text(desk, TEXT_CHARS_MAX)?.to_owned()),
    })
}

fn pattern(table: &mut Table<'_>, key: &'static str, part: &str, desk: &mut Desk<'_>) -> Option<Box<str>> {
    let item = table.get(key)?;
    desk.mark(format!("{part}.{key}"), &item.at);
    item.text(desk).map(Box::from)
}

/// Every `[[budget]]` of an agent.
pub(crate) fn budgets(item: &Item<'_>, prefix: &str, desk: &mut Desk<'_>) -> Vec<Budget> {
    desk.mark("budgets", &item.at);
    let mut names = BTreeSet::new();
    let items = item.list(desk).unwrap_or_default();
    let read = |(index, item): (usize, &Item<'_>)| budget(index, item, prefix, &mut names, desk);
    items.iter().enumerate().filter_map(read).collect()
}

fn budget(
    index: usize,
    item: &Item<'_>,
    prefix: &str,
    names: &mut BTreeSet<Name>,
    desk: &mut Desk<'_>,
) -> Option<Budget> {
    let here = format!("budgets.{index}");
    desk.mark(here.clone(), &item.at);
    let mut table = item.table(desk, format!("[[{prefix}budget]]"))?;
    let name = table.need(desk, "name", "refusals name it: name = \"transfers-a-day\"").and_then(|item| {
        desk.mark(format!("{here}.name"), &item.at);
        let name = item.name(desk)?;
        if !names.insert(name.clone()) {
            desk.error(&item.at, format!("budget `{name}` is declared twice"), "give each a name of its own");
        }
        Some(name)
    });
    let (system, tools) = reach(&mut table, &here, desk);
    let window = table.need(desk, "window", "write window = \"24h\"").and_then(|item| {
        desk.mark(format!("{here}.window"), &item.at);
        item.duration(desk)
    });
    let per = table.get("per").map_or(Some(BudgetScope::Agent), |item| {
        desk.mark(format!("{here}.per"), &item.at);
        let words: Vec<_> = BudgetScope::ALL.iter().map(|scope| (scope.as_str(), *scope)).collect();
        item.word(desk, &words)
    });
    let count_item = table.get("count_max");
    let count_max = count_item.as_ref().and_then(|item| {
        desk.mark(format!("{here}.count_max"), &item.at);
        item.whole(desk, 1..=i64::from(u32::MAX))
    });
    let reach = system.as_ref().map(|system| (system, tools.as_slice()));
    let (sum, has_sum) = sum(&mut table, &here, reach, desk);
    let at = table.at.clone();
    table.finish(desk);
    if count_item.is_none() && !has_sum {
        desk.missing(
            &at,
            "a budget limits nothing",
            "say count_max = 3, or sum = \"amount\" with sum_max = 1000.00",
        );
    }
    let count_max = count_max.and_then(|count| u32::try_from(count).ok());
    let tools = tools.into();
    Some(Budget { name: name?, system: system?, tools, window: window?, per: per?, count_max, sum })
}

/// `sum` and `sum_max`, and whether either was given.
fn sum(
    table: &mut Table<'_>,
    here: &str,
    reach: Option<(&Name, &[ToolName])>,
    desk: &mut Desk<'_>,
) -> (Option<BudgetSum>, bool) {
    let (arg_item, max_item) = (table.get("sum"), table.get("sum_max"));
    let arg = arg_item.as_ref().and_then(|item| {
        desk.mark(format!("{here}.sum"), &item.at);
        desk.mark(format!("{here}.sum.arg"), &item.at);
        let arg = item.text(desk)?;
        if let Some(reach) = reach {
            desk.mention_arg(reach, arg, true, &item.at);
        }
        Some(arg.to_owned())
    });
    let max = max_item.as_ref().and_then(|item| {
        desk.mark(format!("{here}.sum.max"), &item.at);
        let max = item.decimal(desk)?;
        if max < Decimal::default() {
            desk.error(&item.at, format!("`sum_max` cannot be {max}"), "use a number above zero");
            return None;
        }
        Some(max)
    });
    match (&arg_item, &max_item) {
        (Some(item), None) => {
            desk.missing(&item.at, "`sum` has no `sum_max`", "write sum_max = 1000.00");
        }
        (None, Some(item)) => {
            desk.missing(
                &item.at,
                "`sum_max` has no `sum`",
                "write sum = \"amount\": the argument to add up",
            );
        }
        _ => {}
    }
    let given = arg_item.is_some() || max_item.is_some();
    (arg.zip(max).map(|(arg, max)| BudgetSum { arg, max }), given)
}

/// A value as it would be written.
pub(crate) fn scalar_words(value: &Scalar) -> String {
    match value {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Long(value) => value.to_string(),
        Scalar::Text(value) => clip(value),
    }
}
