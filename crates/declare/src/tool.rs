//! `[tool.NAME]`: a tool as a person reviewed it.

use crate::{
    Declared,
    desk::Desk,
    limits::{RECORD_DEPTH_MAX, TOOL_DESCRIPTION_CHARS_MAX},
    request::{self, Requests},
    table::{Item, Table, clip},
};
use provost_domain::{
    Effect, Kind, Label, Name, ObjectKey, Tool, ToolName,
    limits::Limits,
    system::Connection,
    tool::{ArgShape, ArgType, Returns, Steering},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};
use toml::de::DeValue;

/// Every tool of a system.
pub(crate) fn all(
    system: &Name,
    group: Option<Item<'_>>,
    header: &str,
    desk: &mut Desk<'_>,
    declared: &mut Declared,
) {
    let Some(table) = group.and_then(|group| group.table(desk, format!("[{header}]"))) else { return };
    let connection = declared.systems.get(system).map(|system| system.connection.clone());
    let mut group = Group { system, header, connection, requests: Requests::default() };
    for (count, (key, at, item)) in table.entries().enumerate() {
        if count >= Limits::default().tools_per_system_max {
            let message = format!("system {system} has more than {count} tools (tools_per_system_max)");
            desk.error(&at, message, "declare the ones that agents use");
            break;
        }
        match key.parse::<ToolName>() {
            Ok(name) => tool(&mut group, (name, at), &item, desk, declared),
            Err(error) => {
                desk.error(&at, error.to_string(), "write the tool's name exactly as its system gives it")
            }
        }
    }
}

/// What the tools of one system share.
struct Group<'a> {
    system: &'a Name,
    header: &'a str,
    /// Absent when the system has faults of its own.
    connection: Option<Connection>,
    requests: Requests,
}

fn tool(
    group: &mut Group<'_>,
    (name, at): (ToolName, Range<usize>),
    item: &Item<'_>,
    desk: &mut Desk<'_>,
    declared: &mut Declared,
) {
    let (system, header) = (group.system, group.header);
    if !matches!(item.value, DeValue::Table(_)) {
        let message = format!("`{}` in [{header}] is not a table of its own", clip(name.as_str()));
        desk.error(
            &at,
            message,
            format!("write [{header}.NAME] above it; a name with dots or slashes in quotes"),
        );
        return;
    }
    let Some(mut table) = item.table(desk, format!("[{header}.{}]", header_key(name.as_str()))) else {
        return;
    };
    let fresh = desk.declare(ObjectKey::new(Kind::Tool, format!("{system}/{name}")), &at);
    let description = table
        .get("description")
        .map(|item| item.raw_text(desk, TOOL_DESCRIPTION_CHARS_MAX))
        .unwrap_or(Some(""));
    let asked = request::read(&mut table, group.connection.as_ref(), &at, desk);
    let pin = match (table.get("pin"), &asked.rule) {
        (None, Some(_)) => None,
        (None, None) if asked.broken => None,
        _ => table
            .need(desk, "pin", "run `provost system import`: it looks at the tool and writes its pin")
            .and_then(|item| item.digest(desk)),
    };
    let effects = table.get("effects").map_or_else(BTreeSet::new, |item| {
        let read = |item: &Item<'_>, desk: &mut Desk<'_>| {
            let words: Vec<_> = Effect::ALL.map(|effect| (effect.as_str(), effect)).to_vec();
            item.word(desk, &words)
        };
        desk.mark("effects", &item.at);
        item.distinct(desk, read).into_iter().map(|(effect, _)| effect).collect()
    });
    let args_item = table.get("args");
    let args = args_item.as_ref().map_or_else(
        || Some(BTreeMap::new()),
        |item| {
            desk.mark("args", &item.at);
            members(item, desk, 0).map(|(members, _)| members)
        },
    );
    let returns = table.get("returns").map_or_else(Vec::new, |item| {
        desk.mark("returns", &item.at);
        returns(&item, desk)
    });
    let sends_out = table.boolean(desk, "sends_out").unwrap_or(false);
    let steering = Steering {
        steers: arguments(&mut table, "steers", args.as_ref(), desk),
        carries: arguments(&mut table, "carries", args.as_ref(), desk),
    };
    let has_pin = table.get("pin").is_some();
    table.finish(desk);
    let Some(mut args) = args else { return };
    let settled = asked.settle(&mut args, args_item.as_ref(), desk);
    let whole = fresh && settled && asked.alone(&mut group.requests, &name, desk);
    // A rule without a pin is its own definition; a pin that does not read is a fault and not made anew.
    let pin = if has_pin { pin } else { pin.or_else(|| asked.pin(system, &args)) };
    if let (Some(description), Some(pin), true) = (description, pin, whole) {
        let description = description.to_owned();
        let tool = Tool {
            system: system.clone(),
            name: name.clone(),
            description,
            pin,
            effects,
            args,
            returns,
            sends_out,
            steering,
            request: asked.rule,
        };
        declared.tools.insert((system.clone(), name), tool);
    }
}

/// `steers` or `carries`: arguments of this tool, by dotted path. One that the tool does not have would guard nothing.
fn arguments(
    table: &mut Table<'_>,
    key: &'static str,
    args: Option<&BTreeMap<String, ArgType>>,
    desk: &mut Desk<'_>,
) -> BTreeSet<String> {
    let Some(item) = table.get(key) else { return BTreeSet::new() };
    desk.mark(key, &item.at);
    let read = |item: &Item<'_>, desk: &mut Desk<'_>| {
        let path = item.raw_text(desk, ARG_NAME_CHARS_MAX * 4)?.to_owned();
        if args.is_some_and(|args| !has_argument(args, &path)) {
            let message = format!("the tool has no argument `{}`", clip(&path));
            desk.error(&item.at, message, "name an argument of `args`; of a record, `recipient.iban`");
            return None;
        }
        Some(path)
    };
    item.distinct(desk, read).into_iter().map(|(path, _)| path).collect()
}

/// Whether a dotted path leads to an argument. What is below `json` is not declared, so anything may be there.
fn has_argument(args: &BTreeMap<String, ArgType>, path: &str) -> bool {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match (args.get(first).map(|arg| &arg.shape), rest) {
        (None, _) => args.contains_key(path),
        (Some(_), None) | (Some(ArgShape::Json), Some(_)) => true,
        (Some(ArgShape::Record { members }), Some(rest)) => has_argument(members, rest),
        (Some(_), Some(_)) => false,
    }
}

/// The members of a record and whether the record may be left out; nothing when one of them has a fault.
fn members(item: &Item<'_>, desk: &mut Desk<'_>, depth: usize) -> Option<(BTreeMap<String, ArgType>, bool)> {
    let table = item.table(desk, "args")?;
    if depth >= RECORD_DEPTH_MAX {
        let message = format!("records are nested deeper than {RECORD_DEPTH_MAX}");
        desk.error(&item.at, message, "type the deepest one as \"json\"");
        return None;
    }
    let mut out = BTreeMap::new();
    let mut whole = true;
    let mut optional = false;
    for (key, at, value) in table.entries() {
        if key == OPTIONAL_RECORD && depth > 0 {
            optional = value.boolean(desk).unwrap_or(false);
            continue;
        }
        if key.is_empty() || key.chars().count() > ARG_NAME_CHARS_MAX {
            let message = format!("the name of an argument has 1 to {ARG_NAME_CHARS_MAX} characters");
            desk.error(&at, message, "write it exactly as the system gives it");
            whole = false;
            continue;
        }
        let typed = match value.value {
            DeValue::Table(_) => members(&value, desk, depth + 1).map(|(members, optional)| ArgType {
                shape: ArgShape::Record { members },
                required: !optional,
            }),
            _ => arg_type(&value, desk),
        };
        match typed {
            Some(typed) => drop(out.insert(key.to_owned(), typed)),
            None => whole = false,
        }
    }
    whole.then_some((out, optional))
}

fn arg_type(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<ArgType> {
    let text = item.text(desk)?.trim();
    let (shape, required) = match text.strip_suffix('?') {
        Some(shape) => (shape, false),
        None => (text, true),
    };
    let shape = match shape.strip_prefix("set<").and_then(|rest| rest.strip_suffix('>')) {
        Some(of) => scalar(of).map(|of| ArgShape::Set { of: Box::new(of) }),
        None if shape == "json" => Some(ArgShape::Json),
        None => scalar(shape),
    };
    if shape.is_none() {
        let message = format!("`{}` is not the type of an argument", clip(text));
        desk.error(&item.at, message, TYPES);
    }
    shape.map(|shape| ArgType { shape, required })
}

fn scalar(word: &str) -> Option<ArgShape> {
    Some(match word {
        "string" => ArgShape::String,
        "long" => ArgShape::Long,
        "decimal" => ArgShape::Decimal,
        "bool" => ArgShape::Bool,
        _ => return None,
    })
}

fn returns(item: &Item<'_>, desk: &mut Desk<'_>) -> Vec<Returns> {
    let mut out: Vec<Returns> = Vec::new();
    for item in item.list(desk).unwrap_or_default() {
        let read = match item.value {
            DeValue::Table(_) => labelled_field(&item, desk),
            _ => item.parsed::<Label>(desk, RETURNS_CURE).map(|label| Returns { label, field: None }),
        };
        match read {
            Some(read) if out.contains(&read) => {
                desk.error(&item.at, format!("`returns` says `{}` twice", read.label), "keep one");
            }
            Some(read) => out.push(read),
            None => {}
        }
    }
    out
}

fn labelled_field(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<Returns> {
    let mut table = item.table(desk, "returns")?;
    let label =
        table.need(desk, "label", RETURNS_CURE).and_then(|item| item.parsed::<Label>(desk, RETURNS_CURE));
    let field_item = table.get("field");
    let field = field_item.as_ref().and_then(|item| {
        let text = item.text(desk)?;
        if text.split('.').any(str::is_empty) {
            desk.error(&item.at, "`field` is not a dotted path", "write field = \"lines.memo\"");
            return None;
        }
        Some(text.to_owned())
    });
    table.finish(desk);
    // Without its field the label would hold for the whole result: wider than what was meant, so a fault it is.
    if field_item.is_some() && field.is_none() { None } else { Some(Returns { label: label?, field }) }
}

/// A name as it stands in a header.
pub(crate) fn header_key(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(plain) { name.to_owned() } else { crate::import::quoted(name) }
}

/// Member of a record type that says the whole record may be left out: `recipient = { iban = "string", "?" = true }`.
pub(crate) const OPTIONAL_RECORD: &str = "?";
/// Characters of the name of an argument.
const ARG_NAME_CHARS_MAX: usize = 128;
const TYPES: &str = "use string, long, decimal, bool, json, set<string> (or of long, decimal, bool) or a record \
                     { member = \"string\" }; a `?` at the end means it may be left out";
const RETURNS_CURE: &str =
    "write returns = [\"confidential\"] or [{ label = \"untrusted\", field = \"lines.memo\" }]";
