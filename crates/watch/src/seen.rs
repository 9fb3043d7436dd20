//! One result, as far as memory needs it: which part of it may be trusted for what.
//!
//! A tool says what its results are ([`provost_domain::tool::Returns`]): `untrusted` or `insider` for all of it, or field by
//! field. What is left is trusted, **as whole values**: a field that holds an account number vouches for that number, not for
//! everything that could be read out of it. A text where a value should stand (long, of several lines, a link among words) is
//! content like any other. So a list of channel names vouches for the names in it, and an order that somebody put into a
//! channel's name is untrusted content.
//!
//! An error, a result of a tool nobody classified, and a result without structure where labels are bound to fields are
//! untrusted altogether.

use crate::trace::leaves;
use provost_domain::{Label, Tool};
use serde_json::Value;
use std::borrow::Cow;

/// What a system answered.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// A structured result.
    Structured(&'a Value),
    /// A text; JSON in it is read as structure.
    Text(&'a str),
    /// An error's text.
    Error(&'a str),
    /// An answer that nobody looked into, such as one that streams by.
    Unseen,
}

/// How far one piece of a result is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// As a whole value.
    Value,
    /// Written by people of the organisation.
    Insider,
    /// Could be anybody's words.
    Stranger,
}

/// One piece of a result.
pub(crate) struct Piece<'a> {
    pub(crate) field: String,
    pub(crate) text: Cow<'a, str>,
    pub(crate) trust: Trust,
}

/// The pieces of a result, and the labels of each that say what the data is.
pub(crate) fn pieces<'a>(tool: &Tool, content: Content<'a>) -> Vec<Piece<'a>> {
    let text = match content {
        Content::Error(text) => return vec![stranger(text)],
        Content::Unseen => return Vec::new(),
        Content::Structured(value) => return structured(tool, Cow::Borrowed(value)),
        Content::Text(text) => text,
    };
    if let Some(value) = json(text) {
        return structured(tool, Cow::Owned(value));
    }
    match whole(tool) {
        Trust::Value if !tool.returns.iter().any(|r| r.field.is_some() && r.label.is_integrity()) => {
            if text.len() > LIST_BYTES_MAX {
                return vec![stranger(text)];
            }
            lines(text).map(|line| piece(String::new(), Cow::Borrowed(line), Trust::Value)).collect()
        }
        Trust::Insider => vec![piece(String::new(), Cow::Borrowed(text), Trust::Insider)],
        Trust::Value | Trust::Stranger => vec![stranger(text)],
    }
}

/// Whether content of it could be untrusted.
pub(crate) fn may_be_untrusted(tool: &Tool) -> bool {
    tool.effects.is_empty() || tool.returns.iter().any(|returns| returns.label.is_integrity())
}

/// Text that is JSON of a shape with fields.
fn json(text: &str) -> Option<Value> {
    let text = text.trim();
    (text.starts_with(['{', '[']) && text.len() <= JSON_BYTES_MAX)
        .then(|| serde_json::from_str(text).ok())
        .flatten()
}

fn structured<'a>(tool: &Tool, value: Cow<'a, Value>) -> Vec<Piece<'a>> {
    let all = whole(tool);
    let mut pieces = Vec::new();
    let mut take = |path: &str, text: Cow<'a, str>, is_key: bool| {
        let trust = match all {
            Trust::Value => field(tool, path),
            all => all,
        };
        // What a record is called is content where content is not trusted, and vouches for nothing.
        if !is_key || trust != Trust::Value || !is_value(&text) {
            pieces.push(piece(path.to_owned(), text, trust));
        }
    };
    match value {
        Cow::Borrowed(value) => leaves(value, "", &mut |path, text, key| take(path, text, key)),
        Cow::Owned(value) => {
            leaves(&value, "", &mut |path, text, key| take(path, Cow::Owned(text.into_owned()), key));
        }
    }
    pieces
}

/// How far a result is trusted where no field says otherwise.
fn whole(tool: &Tool) -> Trust {
    let says = |of: fn(&Label) -> bool| {
        tool.returns.iter().any(|returns| returns.field.is_none() && of(&returns.label))
    };
    if tool.effects.is_empty() || says(Label::is_untrusted) {
        Trust::Stranger
    } else if says(Label::is_integrity) {
        Trust::Insider
    } else {
        Trust::Value
    }
}

fn field(tool: &Tool, path: &str) -> Trust {
    let says = |of: fn(&Label) -> bool| {
        tool.returns.iter().any(|r| of(&r.label) && r.field.as_ref().is_some_and(|f| is_under(path, f)))
    };
    if says(Label::is_untrusted) {
        Trust::Stranger
    } else if says(Label::is_integrity) {
        Trust::Insider
    } else {
        Trust::Value
    }
}

/// Labels that say what the data at a path is.
pub(crate) fn labels<'a>(tool: &'a Tool, path: &str) -> impl Iterator<Item = &'a Label> {
    let labelled = tool.returns.iter().filter(|returns| !returns.label.is_integrity());
    let path = path.to_owned();
    labelled.filter(move |r| r.field.as_ref().is_none_or(|f| is_under(&path, f))).map(|r| &r.label)
}

pub(crate) fn is_under(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn piece(field: String, text: Cow<'_, str>, trust: Trust) -> Piece<'_> {
    let trust = if trust == Trust::Value && !is_value(&text) { Trust::Stranger } else { trust };
    Piece { field, text, trust }
}

fn stranger(text: &str) -> Piece<'_> {
    piece(String::new(), Cow::Borrowed(text), Trust::Stranger)
}

/// Whether a text can be a value: short, on one line, and no link among other words.
fn is_value(text: &str) -> bool {
    let text = text.trim();
    if text.contains(['\n', '\r']) {
        return false;
    }
    let spaced = text.split_whitespace().count() > 1;
    let bytes_max = if spaced { VALUE_BYTES_MAX } else { WORD_BYTES_MAX };
    text.len() <= bytes_max && !(spaced && crate::flow::links(text).next().is_some())
}

/// The lines of a plain list, each whole and by its parts: `Hotels in Paris: Ritz, Montmartre`.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| {
            let after = line.split_once(": ").map(|(_, after)| after);
            std::iter::once(line)
                .chain(after)
                .chain(after.unwrap_or(line).split(", "))
                .chain(line.strip_prefix("- "))
        })
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take(LINES_MAX)
}

const VALUE_BYTES_MAX: usize = 64;
const WORD_BYTES_MAX: usize = 256;
const JSON_BYTES_MAX: usize = 1 << 20;
const LIST_BYTES_MAX: usize = 1 << 16;
const LINES_MAX: usize = 4_096;
