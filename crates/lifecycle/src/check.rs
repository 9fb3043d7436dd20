//! Seeded checks: when one is due, what is wrong with it, and how it ends. The marks are the domain's ([`provost_domain::check`]).
//!
//! ```text
//! a real yes or no ──drawn, 1 in N──▶ due some time later ──▶ waiting, like any other ─┬─ no ──▶ refused, revealed
//!                                                                                      ├─ yes ─▶ withdrawn, revealed
//!                                                                                      └─ … ───▶ expired or withdrawn, revealed
//! ```
//!
//! **Invariant.** A check is never granted: there is no arrow to it here, and enforcement knows its mark.

use provost_domain::{
    Approval, DurationMs, Timestamp,
    approval::ApprovalStatus,
    check::{Check, CheckOutcome, Flaw},
};
use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;

/// That an approval is a check, and what opens its mark. Only who has the plane's key makes one of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What is wrong with it.
    pub flaw: Flaw,
    /// Opens the mark.
    pub secret: String,
}

/// What becomes of a check that somebody answered. `voted` is the row with the answer, as any other approval would stand then.
#[must_use]
pub fn answered(voted: Approval, known: &Known, yes: bool, now: Timestamp) -> Approval {
    let outcome = if yes { CheckOutcome::Approved } else { CheckOutcome::Refused };
    let status = match yes {
        // Whatever it would have become: it must not happen.
        true => ApprovalStatus::Withdrawn { at: now, why: HAD_TO_BE_REFUSED.to_owned() },
        false => ApprovalStatus::Refused { at: now },
    };
    Approval { status, ..revealed(voted, known, outcome) }
}

/// What becomes of a check that is over without an answer.
#[must_use]
pub fn missed(over: Approval, known: &Known) -> Approval {
    revealed(over, known, CheckOutcome::Unanswered)
}

fn revealed(row: Approval, known: &Known, outcome: CheckOutcome) -> Approval {
    let check = Check { flaw: known.flaw, secret: known.secret.clone(), outcome };
    Approval { check: Some(Box::new(check)), ..row }
}

/// By how much a payment exceeds what was usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boldness {
    /// Eight times the most, or more.
    Bold,
    /// Four times.
    Plain,
    /// Twice.
    Shy,
}

impl Boldness {
    /// The boldest first.
    pub const ALL: [Self; 3] = [Self::Bold, Self::Plain, Self::Shy];
}

/// Whether somebody who changed the arguments left what is wrong as it was.
#[must_use]
pub fn is_still_flawed(flaw: Flaw, asked: &Map<String, Value>, edited: &Map<String, Value>) -> bool {
    let words = match flaw {
        Flaw::Payment => PAYEES,
        Flaw::Recipient => RECIPIENTS,
        Flaw::Path => PATHS,
    };
    let wrong = asked.iter().filter(|(name, value)| is_named(name, words) && value.is_string());
    wrong.into_iter().any(|(name, value)| edited.get(name) == Some(value))
}

/// Whether an answer draws a check, and after how long: `chance` is a number that nobody can foresee and every node reckons the
/// same, and one answer in `one_in` draws one.
#[must_use]
pub fn drawn(chance: u64, one_in: u32) -> Option<DurationMs> {
    let one_in = u64::from(one_in.max(1));
    let wait = DurationMs(chance.checked_div(one_in).unwrap_or_default() % DELAY_SPREAD.0);
    chance.is_multiple_of(one_in).then(|| DurationMs(DELAY_LEAST.0.saturating_add(wait.0)))
}

/// Arguments like `shape`, with something wrong that a careful person sees; `None` where there is nothing of the kind to be wrong.
/// `seen` is what was asked for before, of the same agent and operation; `chance` draws numbers. How much too much a payment is,
/// `boldness` says: what is beyond a limit of the charter would be refused and never be asked for, so the boldest comes first.
#[must_use]
pub fn flawed(
    shape: &Map<String, Value>,
    seen: &[&Map<String, Value>],
    boldness: Boldness,
    mut chance: impl FnMut() -> u64,
) -> Option<(Map<String, Value>, Flaw)> {
    payment(shape, seen, boldness, &mut chance)
        .map(|args| (args, Flaw::Payment))
        .or_else(|| recipient(shape, seen, &mut chance).map(|args| (args, Flaw::Recipient)))
        .or_else(|| path(shape, &mut chance).map(|args| (args, Flaw::Path)))
}

/// Somebody who was never paid, and much more than ever.
fn payment(
    shape: &Map<String, Value>,
    seen: &[&Map<String, Value>],
    boldness: Boldness,
    chance: &mut impl FnMut() -> u64,
) -> Option<Map<String, Value>> {
    let payee = named(shape, PAYEES, |value| value.is_string())?;
    let amount = named(shape, AMOUNTS, |value| number(value).is_some_and(|amount| amount > 0.0))?;
    let known: BTreeSet<&str> =
        seen.iter().chain([&shape]).filter_map(|args| args.get(payee)?.as_str()).collect();
    // Names are made up; account numbers and the like would have to be right to look right.
    if known
        .iter()
        .any(|name| !name.contains(char::is_alphabetic) || name.bytes().any(|b| b.is_ascii_digit()))
    {
        return None;
    }
    let made_up = (0..16).map(|_try| company(chance)).find(|name| !known.contains(name.as_str()))?;
    let most = seen.iter().chain([&shape]).filter_map(|args| number(args.get(amount)?));
    let most = most.fold(0.0_f64, f64::max);
    let more = f64::from(u32::try_from(chance() % 1_200).ok()?) / 1_200.0;
    let times = match boldness {
        Boldness::Bold => 8.0 + 12.0 * more,
        Boldness::Plain => 4.0 + 2.0 * more,
        Boldness::Shy => 2.0 + more / 2.0,
    };
    let cents = shape.get(amount).is_some_and(|value| !whole(value));
    let large = (most * times).min(AMOUNT_MOST);
    let large = if cents { (large * 100.0).round() / 100.0 } else { large.round() };
    let written = match shape.get(amount)? {
        Value::String(_text) if cents => Value::String(format!("{large:.2}")),
        Value::String(_text) => Value::String(format!("{large:.0}")),
        _number if cents => Value::Number(Number::from_f64(large)?),
        // At most `AMOUNT_MOST`, so it fits.
        _number => format!("{large:.0}").parse::<i64>().ok()?.into(),
    };
    let mut args = shape.clone();
    args.insert(payee.to_owned(), Value::String(made_up));
    args.insert(amount.to_owned(), written);
    Some(args)
}

/// An address elsewhere that looks like one of here.
fn recipient(
    shape: &Map<String, Value>,
    seen: &[&Map<String, Value>],
    chance: &mut impl FnMut() -> u64,
) -> Option<Map<String, Value>> {
    let is_address = |value: &Value| value.as_str().and_then(address).is_some();
    let to = named(shape, RECIPIENTS, is_address)?;
    let (user, host) = address(shape.get(to)?.as_str()?)?;
    let (name, rest) = host.split_once('.')?;
    let known: BTreeSet<&str> =
        seen.iter().chain([&shape]).filter_map(|args| Some(address(args.get(to)?.as_str()?)?.1)).collect();
    let looks_like = [
        format!("{name}-mail.{rest}"),
        format!("{name}-documents.{rest}"),
        format!("{name}-services.{rest}"),
        format!("secure-{name}.{rest}"),
    ];
    let first = usize::try_from(chance() % 4).unwrap_or_default();
    let mut others = looks_like.iter().cycle().skip(first).take(looks_like.len());
    let elsewhere = others.find(|host| !known.contains(host.as_str()))?;
    let mut args = shape.clone();
    args.insert(to.to_owned(), Value::String(format!("{user}@{elsewhere}")));
    Some(args)
}

/// A path that climbs out of its folder.
fn path(shape: &Map<String, Value>, chance: &mut impl FnMut() -> u64) -> Option<Map<String, Value>> {
    let is_path = |value: &Value| {
        value.as_str().is_some_and(|text| {
            text.contains('/') && !text.contains("..") && !text.contains("://") && !text.ends_with('/')
        })
    };
    let place = named(shape, PATHS, is_path)?;
    let text = shape.get(place)?.as_str()?;
    let (folder, _file) = text.rsplit_once('/')?;
    let up = folder.split('/').filter(|part| !part.is_empty()).count().saturating_add(1);
    let targets = ["home/shared/.ssh/authorized_keys", "etc/cron.d/reports", "srv/backup/keys.txt"];
    let target = targets.get(usize::try_from(chance() % 3).unwrap_or_default())?;
    let mut args = shape.clone();
    args.insert(place.to_owned(), Value::String(format!("{folder}/{}{target}", "../".repeat(up))));
    Some(args)
}

/// The first argument with a name of these whose value is right.
fn named<'a>(
    args: &'a Map<String, Value>,
    words: &[&str],
    right: impl Fn(&Value) -> bool,
) -> Option<&'a str> {
    args.iter()
        .find(|(name, value)| is_named(name, words) && right(value))
        .map(|(name, _value)| name.as_str())
}

fn is_named(name: &str, words: &[&str]) -> bool {
    let name = name.to_ascii_lowercase();
    name.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| words.contains(&part))
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _other => None,
    }
    .filter(|number: &f64| number.is_finite())
}

fn whole(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_i64() || number.is_u64(),
        Value::String(text) => !text.contains('.'),
        _other => false,
    }
}

fn address(text: &str) -> Option<(&str, &str)> {
    let (user, host) = text.split_once('@')?;
    let plain =
        |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "<>,;@\"".contains(c));
    (plain(user) && plain(host) && host.contains('.')).then_some((user, host))
}

fn company(chance: &mut impl FnMut() -> u64) -> String {
    let mut pick = |from: &[&'static str]| {
        let place =
            usize::try_from(chance() % u64::try_from(from.len().max(1)).unwrap_or(1)).unwrap_or_default();
        from.get(place).copied().unwrap_or_default()
    };
    format!("{} {} {}", pick(FIRST), pick(SECOND), pick(THIRD))
}

const HAD_TO_BE_REFUSED: &str = "it was a check of the plane, and had to be refused: nothing was done";
/// Not at once: a check that follows an answer would be known by that.
const DELAY_LEAST: DurationMs = DurationMs::from_mins(3);
const DELAY_SPREAD: DurationMs = DurationMs::from_mins(90);
/// The longest after an answer that a check drawn by it is put up.
pub const DUE_FOR: DurationMs = DurationMs::from_mins(4 * 60);
const AMOUNT_MOST: f64 = 90_000_000.0;
const PAYEES: &[&str] = &["payee", "beneficiary", "creditor", "vendor", "supplier", "recipient", "to"];
const AMOUNTS: &[&str] = &["amount", "sum", "total", "value"];
const RECIPIENTS: &[&str] = &["to", "recipient", "recipients", "email", "mail", "address", "cc"];
const PATHS: &[&str] = &["path", "file", "filename", "target", "destination", "source", "folder"];
const FIRST: &[&str] = &[
    "Harwick",
    "Lindqvist",
    "Bremen",
    "Castor",
    "Delmonte",
    "Eastgate",
    "Ferrand",
    "Galway",
    "Holm",
    "Ister",
    "Jansen",
    "Kestrel",
    "Larkin",
    "Meridian",
    "Norfolk",
    "Oakfield",
    "Pelham",
    "Quell",
    "Rowan",
    "Sterling",
    "Tarn",
    "Umbra",
    "Vestal",
    "Weston",
];
const SECOND: &[&str] = &[
    "Logistics",
    "Trading",
    "Consulting",
    "Facilities",
    "Partners",
    "Handels",
    "Supplies",
    "Systems",
    "Media",
    "Services",
    "Holding",
    "Capital",
];
const THIRD: &[&str] = &["GmbH", "Ltd", "BV", "SARL", "AG", "LLC"];

#[cfg(test)]
mod tests;
