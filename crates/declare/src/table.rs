//! Small typed readers over the spanned TOML tree. Each gives a value, or a fault with place and cure and nothing.
//! A table knows which keys it was asked for, so that what is left over is unknown.

use crate::{
    desk::Desk,
    limits::{LIST_MAX, SENTENCE_CHARS_MAX, TEXT_CHARS_MAX},
};
use jiff::civil::Date;
use provost_domain::{Decimal, Digest, DurationMs, Name, Timestamp, ToolName};
use std::{collections::BTreeSet, ops::Range, str::FromStr};
use toml::de::{DeTable, DeValue};

/// A table being read.
pub(crate) struct Table<'t> {
    entries: &'t DeTable<'t>,
    /// Where its header stands.
    pub(crate) at: Range<usize>,
    /// How it is called in messages: `[agent]`.
    pub(crate) what: String,
    asked: BTreeSet<&'static str>,
}

/// A value under a key, or in a list.
#[derive(Clone)]
pub(crate) struct Item<'t> {
    pub(crate) value: &'t DeValue<'t>,
    /// Where the value stands.
    pub(crate) at: Range<usize>,
    /// How it is called in messages: `purpose`.
    pub(crate) what: String,
}

impl<'t> Table<'t> {
    pub(crate) fn new(entries: &'t DeTable<'t>, at: Range<usize>, what: impl Into<String>) -> Self {
        Self { entries, at, what: what.into(), asked: BTreeSet::new() }
    }

    /// The value under this key, if it is there.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<Item<'t>> {
        self.asked.insert(key);
        let value = self.entries.get(key)?;
        Some(Item { value: value.get_ref(), at: value.span(), what: key.to_owned() })
    }

    /// The value under this key; a fault when it is not there.
    pub(crate) fn need(&mut self, desk: &mut Desk<'_>, key: &'static str, cure: &str) -> Option<Item<'t>> {
        let item = self.get(key);
        if item.is_none() {
            desk.missing(&self.at, format!("{} has no `{key}`", self.what), cure);
        }
        item
    }

    /// Every entry, under names the file chose: key, where the key stands, value.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'t str, Range<usize>, Item<'t>)> + use<'t> {
        self.entries.iter().map(|(key, value)| {
            let text = key.get_ref().as_ref();
            (text, key.span(), Item { value: value.get_ref(), at: value.span(), what: text.to_owned() })
        })
    }

    /// A fault for every key nobody asked for.
    pub(crate) fn finish(self, desk: &mut Desk<'_>) {
        for (key, value) in self.entries.iter() {
            let name = key.get_ref().as_ref();
            if self.asked.contains(name) {
                continue;
            }
            let at = if key.span().is_empty() { value.span() } else { key.span() };
            // Below a header that could not be read, keys stand in the wrong table.
            if desk.is_below_broken(&at) {
                continue;
            }
            desk.error(
                &at,
                format!("unknown key `{}` in {}", clip(name), self.what),
                did_you_mean(name, &self.asked),
            );
        }
    }

    /// A sentence that must be there.
    pub(crate) fn sentence(&mut self, desk: &mut Desk<'_>, key: &'static str, cure: &str) -> Option<String> {
        self.need(desk, key, cure)?.sentence(desk)
    }

    /// A duration, if there.
    pub(crate) fn duration(&mut self, desk: &mut Desk<'_>, key: &'static str) -> Option<DurationMs> {
        self.get(key)?.duration(desk)
    }

    /// True or false, if there.
    pub(crate) fn boolean(&mut self, desk: &mut Desk<'_>, key: &'static str) -> Option<bool> {
        self.get(key)?.boolean(desk)
    }
}

impl<'t> Item<'t> {
    /// A fault that says what kind of value was wanted and what is there.
    fn wrong(&self, desk: &mut Desk<'_>, wanted: &str, example: &str) {
        let found = kind(self.value);
        desk.error(
            &self.at,
            format!("`{}` must be {wanted}, not {found}", clip(&self.what)),
            format!("write {example}"),
        );
    }

    /// Text, not empty, without control characters, at most [`TEXT_CHARS_MAX`].
    pub(crate) fn text(&self, desk: &mut Desk<'_>) -> Option<&'t str> {
        self.bounded_text(desk, TEXT_CHARS_MAX)
    }

    /// Text for people: at most [`SENTENCE_CHARS_MAX`].
    pub(crate) fn sentence(&self, desk: &mut Desk<'_>) -> Option<String> {
        self.bounded_text(desk, SENTENCE_CHARS_MAX).map(|text| text.trim().to_owned())
    }

    fn bounded_text(&self, desk: &mut Desk<'_>, max: usize) -> Option<&'t str> {
        let DeValue::String(text) = self.value else {
            self.wrong(desk, "text", &format!("it in quotes: {} = \"…\"", bare(&self.what)));
            return None;
        };
        let chars = text.chars().count();
        if text.trim().is_empty() {
            desk.error(
                &self.at,
                format!("`{}` is empty", clip(&self.what)),
                "say something, or leave the key out",
            );
            None
        } else if chars > max {
            desk.error(
                &self.at,
                format!("`{}` has {chars} characters, more than {max}", clip(&self.what)),
                "shorten it",
            );
            None
        } else if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            desk.error(
                &self.at,
                format!("`{}` has control characters", clip(&self.what)),
                "take them out; only tab and newline may stand in a text",
            );
            None
        } else {
            Some(text)
        }
    }

    /// Any text up to so many characters, also empty.
    pub(crate) fn raw_text(&self, desk: &mut Desk<'_>, chars_max: usize) -> Option<&'t str> {
        match self.value {
            DeValue::String(text) if text.chars().count() <= chars_max => Some(text),
            DeValue::String(_) => {
                let message = format!("`{}` is longer than {chars_max} characters", clip(&self.what));
                desk.error(&self.at, message, "shorten it");
                None
            }
            _ => {
                self.wrong(desk, "text", &format!("it in quotes: {} = \"…\"", bare(&self.what)));
                None
            }
        }
    }

    /// A value that is read from text: a name, a digest, a label.
    pub(crate) fn parsed<T: FromStr<Err: std::fmt::Display>>(
        &self,
        desk: &mut Desk<'_>,
        cure: &str,
    ) -> Option<T> {
        let text = self.text(desk)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                desk.error(&self.at, format!("`{}`: {error}", clip(&self.what)), cure);
                None
            }
        }
    }

    /// The name of an identity, a system, a budget.
    pub(crate) fn name(&self, desk: &mut Desk<'_>) -> Option<Name> {
        self.parsed(desk, NAME_CURE)
    }

    /// The name of a tool.
    pub(crate) fn tool_name(&self, desk: &mut Desk<'_>) -> Option<ToolName> {
        self.parsed(desk, "write the tool's name exactly as its system gives it")
    }

    /// A digest.
    pub(crate) fn digest(&self, desk: &mut Desk<'_>) -> Option<Digest> {
        self.parsed(
            desk,
            "run `provost system import` and copy the pin it writes; a pin is never made by hand",
        )
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(&self, desk: &mut Desk<'_>, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(desk)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let message = format!("`{}` cannot be `{}`", clip(&self.what), clip(text));
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            desk.error(&self.at, message, did_you_mean_word(text, &known));
        }
        found
    }

    pub(crate) fn boolean(&self, desk: &mut Desk<'_>) -> Option<bool> {
        match self.value {
            DeValue::Boolean(value) => Some(*value),
            _ => {
                self.wrong(desk, "true or false", &format!("{} = true or {0} = false", bare(&self.what)));
                None
            }
        }
    }

    /// A whole number between two bounds.
    pub(crate) fn whole(&self, desk: &mut Desk<'_>, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let DeValue::Integer(number) = self.value else {
            self.wrong(desk, "a whole number", &format!("{} = {}", bare(&self.what), range.start()));
            return None;
        };
        match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(value) if range.contains(&value) => Some(value),
            _ => {
                desk.error(
                    &self.at,
                    format!("`{}` cannot be {}", clip(&self.what), clip(number.as_str())),
                    format!("use a whole number from {} to {}", range.start(), range.end()),
                );
                None
            }
        }
    }

    /// A decimal number, exactly as it is written.
    pub(crate) fn decimal(&self, desk: &mut Desk<'_>) -> Option<Decimal> {
        let text = match self.value {
            DeValue::Float(number) => number.as_str(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            _ => {
                self.wrong(desk, "a number", &format!("{} = 500.00, without quotes", bare(&self.what)));
                return None;
            }
        };
        match text.strip_prefix('+').unwrap_or(text).parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let cure = "write it out with at most four fraction digits, such as 0.2500";
                desk.error(&self.at, format!("`{}`: {error}", clip(&self.what)), cure);
                None
            }
        }
    }

    pub(crate) fn duration(&self, desk: &mut Desk<'_>) -> Option<DurationMs> {
        let DeValue::String(text) = self.value else {
            self.wrong(desk, "a duration", &format!("{} = \"24h\"", bare(&self.what)));
            return None;
        };
        match DurationMs::parse(text) {
            Ok(value) => Some(value),
            Err(_) => {
                desk.error(
                    &self.at,
                    format!("`{}`: `{}` is not a duration", clip(&self.what), clip(text)),
                    "write a whole number above zero with a unit: 90s, 15m, 24h, 7d (at most 10 years)",
                );
                None
            }
        }
    }

    /// A day, meaning its first moment in UTC, or a moment with an offset.
    pub(crate) fn moment(&self, desk: &mut Desk<'_>) -> Option<Timestamp> {
        let DeValue::Datetime(written) = self.value else {
            self.wrong(desk, "a date", &format!("{} = 2027-06-30, without quotes", bare(&self.what)));
            return None;
        };
        let text = written.to_string();
        let read = match (written.date, written.time, written.offset) {
            (Some(_), None, None) => text
                .parse::<Date>()
                .ok()
                .and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok())
                .map(|moment| moment.timestamp()),
            (Some(_), Some(_), Some(_)) => text.parse::<jiff::Timestamp>().ok(),
            _ => None,
        };
        if read.is_none() {
            desk.error(
                &self.at,
                format!("`{}`: {text} does not name one moment", clip(&self.what)),
                "write a day (2027-06-30, from its first moment in UTC) or a moment with its offset \
                 (2027-06-30T18:00:00+02:00)",
            );
        }
        read.map(|moment| Timestamp::from_millis(moment.as_millisecond()))
    }

    /// A table.
    pub(crate) fn table(&self, desk: &mut Desk<'_>, what: impl Into<String>) -> Option<Table<'t>> {
        match self.value {
            DeValue::Table(entries) if entries.len() <= LIST_MAX => {
                Some(Table::new(entries, self.at.clone(), what))
            }
            DeValue::Table(entries) => {
                let message =
                    format!("`{}` has {} members, more than {LIST_MAX}", clip(&self.what), entries.len());
                desk.error(&self.at, message, "split it into several files");
                None
            }
            _ => {
                let name = bare(&self.what);
                self.wrong(desk, "a table", &format!("[{name}] on a line of its own, or {name} = {{ … }}"));
                None
            }
        }
    }

    /// A list; each item is called by the name of the list.
    pub(crate) fn list(&self, desk: &mut Desk<'_>) -> Option<Vec<Item<'t>>> {
        let DeValue::Array(items) = self.value else {
            let example = match self.value {
                DeValue::Table(_) => format!("[[{}]] with two brackets", bare(&self.what)),
                _ => format!("{} = [ … ]", bare(&self.what)),
            };
            self.wrong(desk, "a list", &example);
            return None;
        };
        if items.len() > LIST_MAX {
            let message = format!("`{}` has {} items, more than {LIST_MAX}", clip(&self.what), items.len());
            desk.error(&self.at, message, "split it");
            return None;
        }
        let item = |item: &'t toml::Spanned<DeValue<'t>>| Item {
            value: item.get_ref(),
            at: item.span(),
            what: self.what.clone(),
        };
        Some(items.iter().map(item).collect())
    }

    /// A list whose every item is read in the same way, none twice. Items with faults are left out.
    pub(crate) fn distinct<T: Clone + Ord + std::fmt::Display>(
        &self,
        desk: &mut Desk<'_>,
        read: impl Fn(&Item<'t>, &mut Desk<'_>) -> Option<T>,
    ) -> Vec<(T, Range<usize>)> {
        let mut seen = BTreeSet::new();
        let mut out = Vec::new();
        for item in self.list(desk).unwrap_or_default() {
            let Some(value) = read(&item, desk) else { continue };
            if seen.insert(value.clone()) {
                out.push((value, item.at));
            } else {
                desk.error(&item.at, format!("`{}` says `{value}` twice", clip(&self.what)), "keep one");
            }
        }
        out
    }
}

/// What an unknown word may have meant, or what is known.
pub(crate) fn did_you_mean(found: &str, known: &BTreeSet<&'static str>) -> String {
    nearest(found, known.iter().copied()).map_or_else(
        || format!("known keys: {}", join(known.iter().copied())),
        |near| format!("did you mean `{near}`?"),
    )
}

fn did_you_mean_word(found: &str, known: &[&str]) -> String {
    let all = join(known);
    nearest(found, known.iter().copied())
        .map_or_else(|| format!("use one of {all}"), |near| format!("did you mean `{near}`? (one of {all})"))
}

/// The known word that differs least, if it differs by no more than a third of its letters.
pub(crate) fn nearest<'k>(found: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if found.len() > WORD_BYTES_MAX {
        return None;
    }
    known
        .map(|word| (strsim::osa_distance(found, word), word))
        .filter(|(distance, word)| *distance <= 1.max(word.chars().count() / 3))
        .min()
        .map(|(_, word)| word)
}

/// Words with commas between.
pub(crate) fn join<T: std::fmt::Display>(words: impl IntoIterator<Item = T>) -> String {
    words.into_iter().map(|word| word.to_string()).collect::<Vec<_>>().join(", ")
}

/// A text from a file, short enough for a message and on one line.
pub(crate) fn clip(text: &str) -> String {
    let shown: String =
        text.chars().take(WORD_CHARS_SHOWN_MAX).map(|c| if c.is_control() { '·' } else { c }).collect();
    if shown.len() < text.len() && text.chars().count() > WORD_CHARS_SHOWN_MAX {
        format!("{shown}…")
    } else {
        shown
    }
}

/// A key as it would be written.
fn bare(key: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !key.is_empty() && key.bytes().all(plain) { clip(key) } else { format!("\"{}\"", clip(key)) }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The cure of a bad name.
pub(crate) const NAME_CURE: &str = "write it like invoice-clerk or bank_2";
/// Bytes of an unknown word beyond which no likeness is sought.
const WORD_BYTES_MAX: usize = 64;
/// Characters of a word from a file that a message repeats.
const WORD_CHARS_SHOWN_MAX: usize = 60;
