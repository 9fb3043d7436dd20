//! Each steering argument to its origin.
//!
//! The rules, and why each:
//! 1. What stands in the requester's words is the **requester's**, even if untrusted content names it too: a stranger gains
//!    nothing by repeating what was asked for.
//! 2. What a trusted source returned as a whole value is **trusted**, even if untrusted content names it too: it can then be
//!    nothing but something that exists. A short value (`13`) that untrusted content names as well is **contested**: the
//!    stranger may have picked it.
//! 3. What earlier runs of the same kind of task used at the same place is **usual**.
//! 4. What stands in untrusted content is **untrusted**; **named**, if it stands in a source that the requester named.
//!    Untrusted comes before insider: worst wins among contents.
//! 5. What stands in insiders' content is **insider**.
//! 6. Of a URL, the host decides if the whole is not found; of a text with addresses in it, the worst address.
//! 7. What is found nowhere is **unknown** once the task has read anything a stranger could have written (it may have been
//!    told in riddles), and **derived** before. Numbers and dates found nowhere are derived: agents reckon.
//! 8. The worst of several values is the argument's.

use crate::{
    flow,
    gist::{self, Day},
    memory::{Chunk, Memory},
    words::{self, Phrase},
};
use provost_domain::{ArgsFrom, Origin, Tool};
use serde_json::{Map, Value};
use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

/// What is known of the arguments of a call that is about to be made. `usual` says what earlier runs of the kind of task used:
/// an argument and a value.
#[must_use]
pub fn trace(
    memory: &Memory,
    tool: &Tool,
    args: &Map<String, Value>,
    usual: &dyn Fn(&str, &str) -> bool,
) -> ArgsFrom {
    let mut known = ArgsFrom { past: memory.past(), ..ArgsFrom::default() };
    for path in &tool.steering.steers {
        for value in values(args, path) {
            let (origin, where_from) = memory.origin(&value, &|text| usual(path, text));
            note(&mut known, path, origin, &where_from);
        }
    }
    for path in &tool.steering.carries {
        for value in values(args, path) {
            for link in flow::links(&value.text).take(LINKS_TRACED_MAX) {
                let (origin, where_from) = memory.origin_of_link(link, &|text| usual(path, text));
                if matches!(origin, Origin::Untrusted | Origin::Unknown) {
                    note(&mut known, path, origin, &format!("a link in it {where_from}"));
                }
            }
        }
    }
    known.carries = flow::carried(memory, tool, args);
    known
}

/// The values that steer a call, each with its argument: what a baseline marks.
#[must_use]
pub fn steering_values(tool: &Tool, args: &Map<String, Value>) -> Vec<(String, String)> {
    let steers = tool
        .steering
        .steers
        .iter()
        .flat_map(|path| values(args, path).into_iter().map(|value| (path.clone(), value.text)));
    let links = tool.steering.carries.iter().flat_map(|path| {
        let texts = values(args, path);
        let links = texts.iter().flat_map(|value| flow::links(&value.text).take(LINKS_TRACED_MAX));
        links.map(|link| (path.clone(), link.to_owned())).collect::<Vec<_>>()
    });
    steers.chain(links).take(VALUES_TRACED_MAX * 2).collect()
}

fn note(known: &mut ArgsFrom, path: &str, origin: Origin, where_from: &str) {
    known.steered.insert(origin);
    let before = known.from.get(path).copied();
    if before.is_none_or(|before| origin > before) {
        known.from.insert(path.to_owned(), origin);
        known.why.retain(|line| !line.starts_with(&format!("{path}: ")));
        known.why.push(format!("{path}: {origin}, {where_from}"));
    }
}

/// A value of an argument.
pub(crate) struct Found {
    pub(crate) text: String,
    shape: Shape,
}

enum Shape {
    /// Names something: an account, an address, a path, a person.
    Name,
    Number,
    Days(BTreeSet<Day>),
}

impl Memory {
    /// Where a value was first seen, and how that is known.
    fn origin(&self, value: &Found, usual: &dyn Fn(&str) -> bool) -> (Origin, String) {
        match &value.shape {
            Shape::Name => self.origin_of_name(&value.text, usual),
            Shape::Number => self.origin_of_number(&value.text, usual),
            Shape::Days(days) => self.origin_of_days(days, || usual(&value.text)),
        }
    }

    pub(crate) fn origin_of_text(&self, text: &str) -> (Origin, String) {
        self.origin(&found(&Value::String(text.to_owned())), &|_| false)
    }

    fn origin_of_name(&self, text: &str, usual: &dyn Fn(&str) -> bool) -> (Origin, String) {
        let run = self.key.phrase(text);
        if let Some(seen) = self.seen(run, || usual(text)) {
            return seen;
        }
        for inner in words::encoded(text) {
            if let Some((origin @ (Origin::Untrusted | Origin::Named | Origin::Insider), how)) =
                self.seen(self.key.phrase(&inner), || false)
            {
                return (origin, format!("encoded: {how}"));
            }
        }
        let plain = words::plain(text);
        let inner: Vec<&str> = flow::links(&plain).take(LINKS_TRACED_MAX).collect();
        match inner.as_slice() {
            [] => self.nowhere(),
            [link] if link.len() == plain.trim().len() => self.origin_of_link(link, usual),
            several => several
                .iter()
                .map(|link| self.origin_of_link(link, usual))
                .max()
                .unwrap_or_else(|| self.nowhere()),
        }
    }

    /// A URL or address: whole, or by its host.
    pub(crate) fn origin_of_link(&self, link: &str, usual: &dyn Fn(&str) -> bool) -> (Origin, String) {
        let link = &*words::plain(link);
        let bare = flow::without_scheme(link);
        for form in [link, bare] {
            if let Some(seen) = self.seen(self.key.phrase(form), || usual(form)) {
                return seen;
            }
        }
        match flow::host(link).map(|host| self.seen(self.key.phrase(host), || usual(host))) {
            Some(Some((origin, how))) => (origin, format!("by its host: {how}")),
            Some(None) | None => self.nowhere(),
        }
    }

    /// Rules 1 to 5.
    fn seen(&self, run: Phrase, usual: impl Fn() -> bool) -> Option<(Origin, String)> {
        if run.bytes == 0 {
            return None;
        }
        if self.asked.field_of(&self.key, run).is_some() {
            return Some((Origin::Requester, "in the requester's words".to_owned()));
        }
        let vouched = self.chunks.values().find(|chunk| chunk.vouched.contains(&run));
        if let Some(chunk) = vouched.filter(|_| run.bytes >= SHORT_BYTES || !self.in_untrusted(run)) {
            return Some((Origin::Trusted, format!("a value that {} returned", chunk.tool)));
        }
        if usual() {
            return Some((Origin::Usual, "as in earlier runs of this kind of task".to_owned()));
        }
        if let Some(chunk) = vouched {
            let how = format!("a value that {} returned, and untrusted content names it too", chunk.tool);
            return Some((Origin::Contested, how));
        }
        self.content(run)
    }

    fn content(&self, run: Phrase) -> Option<(Origin, String)> {
        let untrusted = |chunk: &Arc<Chunk>| {
            let field = chunk.untrusted.field_of(&self.key, run)?;
            Some((chunk.named, place("untrusted content", &chunk.tool, field)))
        };
        let seen: Vec<(bool, String)> = self.chunks.values().filter_map(untrusted).collect();
        if let Some((_, how)) = seen.iter().find(|(named, _)| *named) {
            return Some((Origin::Named, format!("{how}, which the requester named")));
        }
        if let Some((_, how)) = seen.into_iter().next() {
            return Some((Origin::Untrusted, how));
        }
        self.chunks.values().find_map(|chunk| {
            let field = chunk.insider.field_of(&self.key, run)?;
            Some((Origin::Insider, place("what insiders wrote", &chunk.tool, field)))
        })
    }

    fn in_untrusted(&self, run: Phrase) -> bool {
        self.chunks.values().any(|chunk| chunk.untrusted.field_of(&self.key, run).is_some())
    }

    fn origin_of_number(&self, text: &str, usual: &dyn Fn(&str) -> bool) -> (Origin, String) {
        let Some(number) = gist::canonical(text) else { return self.nowhere() };
        let print = self.key.phrase(&number).print;
        let within = |numbers: &BTreeSet<u64>| numbers.contains(&print);
        if within(&self.asked.numbers) {
            return (Origin::Requester, "in the requester's words".to_owned());
        }
        if let Some(chunk) = self.chunks.values().find(|chunk| within(&chunk.reckoned.numbers)) {
            return (Origin::Trusted, format!("a value that {} returned", chunk.tool));
        }
        if usual(text) {
            return (Origin::Usual, "as in earlier runs of this kind of task".to_owned());
        }
        self.reckoned(|gist| within(&gist.numbers))
    }

    fn origin_of_days(&self, days: &BTreeSet<Day>, usual: impl Fn() -> bool) -> (Origin, String) {
        if days.iter().all(|day| self.asked.names(*day)) {
            return (Origin::Requester, "in the requester's words".to_owned());
        }
        let vouched = |chunk: &&Arc<Chunk>| days.iter().all(|day| chunk.reckoned.names(*day));
        if let Some(chunk) = self.chunks.values().find(vouched) {
            return (Origin::Trusted, format!("a value that {} returned", chunk.tool));
        }
        if usual() {
            return (Origin::Usual, "as in earlier runs of this kind of task".to_owned());
        }
        self.reckoned(|gist| days.iter().all(|day| gist.names(*day)))
    }

    /// A number or date: in content, or reckoned.
    fn reckoned(&self, within: impl Fn(&gist::Gist) -> bool) -> (Origin, String) {
        let untrusted: Vec<&Arc<Chunk>> =
            self.chunks.values().filter(|chunk| within(&chunk.untrusted)).collect();
        if let Some(chunk) = untrusted.iter().find(|chunk| chunk.named) {
            let how = place("untrusted content", &chunk.tool, "");
            return (Origin::Named, format!("{how}, which the requester named"));
        }
        if let Some(chunk) = untrusted.first() {
            return (Origin::Untrusted, place("untrusted content", &chunk.tool, ""));
        }
        if let Some(chunk) = self.chunks.values().find(|chunk| within(&chunk.insider)) {
            return (Origin::Insider, place("what insiders wrote", &chunk.tool, ""));
        }
        (Origin::Derived, "found nowhere: reckoned".to_owned())
    }

    fn nowhere(&self) -> (Origin, String) {
        if self.is_blind() {
            (Origin::Untrusted, "the task has read more than can be remembered".to_owned())
        } else if self.has_untrusted() {
            (Origin::Unknown, "found nowhere, and the task has read untrusted content".to_owned())
        } else {
            (Origin::Derived, "found nowhere, and the task has read nothing untrusted".to_owned())
        }
    }
}

fn place(what: &str, tool: &str, field: &str) -> String {
    // A system's own names of fields are plain; a stranger who may name one writes no words for the person who is asked.
    let plain =
        |field: &str| field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if field.is_empty() || !plain(field) {
        format!("first seen in {what}: {tool}")
    } else {
        format!("first seen in {what}: {field} of {tool}")
    }
}

/// The values at a dotted path of the arguments; arrays are walked, and everything below counts. More than
/// [`VALUES_TRACED_MAX`] are refused by counting as one value that is found nowhere.
pub(crate) fn values(args: &Map<String, Value>, path: &str) -> Vec<Found> {
    let mut values = Vec::new();
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    if let Some(value) = args.get(first) {
        below(value, rest, &mut values);
    }
    if values.len() > VALUES_TRACED_MAX {
        values.truncate(VALUES_TRACED_MAX);
        let beyond = "more values than are traced".to_owned();
        values.push(Found { text: beyond, shape: Shape::Name });
    }
    values
}

fn below(value: &Value, path: Option<&str>, values: &mut Vec<Found>) {
    if values.len() > VALUES_TRACED_MAX {
        return;
    }
    match (value, path) {
        (Value::Array(members), _) => members.iter().for_each(|member| below(member, path, values)),
        (Value::Object(members), Some(path)) => {
            let (first, rest) =
                path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
            if let Some(value) = members.get(first) {
                below(value, rest, values);
            }
        }
        (Value::Object(members), None) => {
            members.values().for_each(|member| below(member, None, values));
        }
        (Value::Null | Value::Bool(_), _) | (_, Some(_)) => {}
        (Value::String(text), None) if !text.chars().any(char::is_alphanumeric) => {}
        (scalar, None) => values.push(found(scalar)),
    }
}

fn found(scalar: &Value) -> Found {
    match scalar {
        Value::String(text) => Found { shape: shape(text), text: text.clone() },
        other => Found { text: other.to_string(), shape: Shape::Number },
    }
}

fn shape(text: &str) -> Shape {
    let date = text.len() <= DATE_BYTES_MAX && text.contains(|char: char| !char.is_alphanumeric());
    let only_date = |text: &str| {
        text.chars().all(|char| char.is_ascii_digit() || "-/.: TZ+,".contains(char))
            || text.split_whitespace().count() <= 4 && text.chars().all(|char| char != '@' && char != '/')
    };
    if date && only_date(text) {
        let days = gist::days(text);
        if !days.is_empty() {
            return Shape::Days(days);
        }
    }
    Shape::Name
}

/// Every scalar of a JSON value with its dotted path, and every name of a member.
pub(crate) fn leaves<'a>(value: &'a Value, path: &str, take: &mut dyn FnMut(&str, Cow<'a, str>, bool)) {
    match value {
        Value::Null => {}
        Value::String(text) => take(path, Cow::Borrowed(text), false),
        Value::Bool(_) | Value::Number(_) => take(path, Cow::Owned(value.to_string()), false),
        Value::Array(members) => members.iter().for_each(|member| leaves(member, path, take)),
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                take(&path, Cow::Borrowed(name), true);
                leaves(member, &path, take);
            }
        }
    }
}

/// Values of one argument that are traced.
pub const VALUES_TRACED_MAX: usize = 64;
const LINKS_TRACED_MAX: usize = 32;
/// Shorter values are easily picked rather than found.
const SHORT_BYTES: u32 = 6;
const DATE_BYTES_MAX: usize = 40;
