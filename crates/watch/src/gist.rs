//! The gist of a text: its words in order, the dates and the numbers in it.

use crate::words::{Key, Phrase, Word, encoded};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a text leaves behind: fingerprints, no text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gist {
    #[serde(default, with = "packed", skip_serializing_if = "Vec::is_empty")]
    pub(crate) words: Vec<Word>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) days: BTreeSet<Day>,
    /// Fingerprints of numbers in one form.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) numbers: BTreeSet<u64>,
    /// Where the texts of fields begin: index of the first word, and the field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<(u32, String)>,
    /// There was more than there is room for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) cut: bool,
}

/// A day; year 0 where none was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(pub u16, pub u8, pub u8);

impl Gist {
    /// Takes in a text that stood in this field.
    pub(crate) fn add(&mut self, key: &Key, field: &str, text: &str, words_max: usize) {
        if self.words.len() >= words_max || self.fields.len() >= FIELDS_MAX {
            self.cut |= !text.trim().is_empty();
            return;
        }
        if self.fields.last().is_none_or(|(_, last)| last != field) {
            let at = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
            self.fields.push((at, field.chars().take(FIELD_CHARS_MAX).collect()));
        }
        let before = self.words.len();
        self.text(key, text, words_max);
        for inner in encoded(text) {
            self.text(key, &inner, words_max);
        }
        if self.words.len() == before {
            self.fields.retain(|(at, _)| usize::try_from(*at).is_ok_and(|at| at < before));
        }
    }

    fn text(&mut self, key: &Key, text: &str, words_max: usize) {
        let room = words_max.saturating_sub(self.words.len());
        let words = key.words(text, room.saturating_add(1));
        if !self.words.is_empty() && !words.is_empty() {
            self.words.push(Word::BREAK);
        }
        self.cut |= words.len() > room;
        self.words.extend(words.into_iter().take(room));
        let plain = crate::words::plain(text);
        self.days.extend(days(&plain).into_iter().take(VALUES_MAX.saturating_sub(self.days.len())));
        let left = VALUES_MAX.saturating_sub(self.numbers.len());
        self.numbers.extend(numbers(&plain).take(left).map(|number| key.phrase(&number).print));
    }

    /// Takes in the dates and numbers of a value, not its words.
    pub(crate) fn reckon(&mut self, key: &Key, text: &str) {
        let room = VALUES_MAX.saturating_sub(self.days.len());
        self.days.extend(days(text).into_iter().take(room));
        let whole = canonical(text.trim()).filter(|_| self.numbers.len() < VALUES_MAX);
        self.numbers.extend(whole.map(|number| key.phrase(&number).print));
    }

    /// Whether a run of words stands in it, and in which field.
    pub(crate) fn field_of(&self, key: &Key, run: Phrase) -> Option<&str> {
        let at = key.find(run, &self.words)?;
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let before = self.fields.iter().rev().find(|(from, _)| *from <= at.saturating_add(1));
        Some(before.map_or("", |(_, field)| field))
    }

    /// Whether it names this day. A year counts only where both say one.
    pub(crate) fn names(&self, day: Day) -> bool {
        self.days
            .iter()
            .any(|own| own.1 == day.1 && own.2 == day.2 && (own.0 == 0 || day.0 == 0 || own.0 == day.0))
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && !self.cut
    }
}

/// The days a text names: `2024-05-30`, `May 30th, 2024`, `30 May`, `30.05.2024`, `5/30/2024` (both readings).
#[must_use]
pub fn days(text: &str) -> BTreeSet<Day> {
    let parts: Vec<&str> = text
        .split(|char: char| !char.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .take(DATE_WORDS_MAX)
        .collect();
    let mut days = BTreeSet::new();
    for window in parts.windows(3).chain(parts.windows(2).rev().take(1)) {
        let (first, second, third) = (window.first(), window.get(1), window.get(2));
        let (Some(first), Some(second)) = (first, second) else { continue };
        // Whatever the form, a number is among the first two.
        let digit = |part: &str| part.as_bytes().first().is_some_and(u8::is_ascii_digit);
        if !digit(first) && !digit(second) {
            continue;
        }
        let year = third.and_then(|part| part.parse().ok()).filter(|year| (1900..2200).contains(year));
        // A time may stand against the day: `2024-05-30T10:20`.
        let clean = |part: &str| -> Option<u8> { number(part.split(['T', 't']).next().unwrap_or(part)) };
        if let (Some(year), Some(month), Some(day)) = (
            first.parse().ok().filter(|year| (1900..2200).contains(year) && first.len() == 4),
            number(second),
            third.and_then(|part| clean(part)),
        ) {
            put(&mut days, year, month, day);
        } else if let Some(month) = month(first) {
            if let Some(day) = number(second) {
                put(&mut days, year.unwrap_or(0), month, day);
            }
        } else if let (Some(day), Some(month)) = (number(first), month(second)) {
            put(&mut days, year.unwrap_or(0), month, day);
        } else if let (Some(day), "of", Some(month)) =
            (number(first), *second, third.and_then(|part| month(part)))
        {
            put(&mut days, 0, month, day);
        } else if let (Some(one), Some(two), Some(year)) = (number(first), number(second), year) {
            put(&mut days, year, one, two);
            put(&mut days, year, two, one);
        }
        if days.len() >= VALUES_MAX {
            break;
        }
    }
    days
}

fn put(days: &mut BTreeSet<Day>, year: u16, month: u8, day: u8) {
    if (1..=12).contains(&month) && (1..=31).contains(&day) {
        days.insert(Day(year, month, day));
    }
}

/// A day or month, with or without `st`, `nd`, `rd`, `th`.
fn number(part: &str) -> Option<u8> {
    let digits = part.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let suffix = part.get(digits.len()..).unwrap_or_default();
    let fits =
        suffix.is_empty() || ["st", "nd", "rd", "th"].iter().any(|one| suffix.eq_ignore_ascii_case(one));
    if fits && digits.len() <= 2 { digits.parse().ok() } else { None }
}

fn month(part: &str) -> Option<u8> {
    if part.len() < 3 {
        return None;
    }
    let begins = |month: &str| month.get(..part.len()).is_some_and(|start| start.eq_ignore_ascii_case(part));
    MONTHS.iter().position(|month| begins(month)).and_then(|at| u8::try_from(at + 1).ok())
}

/// The numbers of a text in one form: digits, a point, no trailing zeros. Where a separator can be read two ways, both.
pub fn numbers(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|char: char| !(char.is_ascii_digit() || ".,'’_".contains(char)))
        .map(|piece| piece.trim_matches(|char: char| !char.is_ascii_digit()))
        .filter(|piece| !piece.is_empty() && piece.len() <= NUMBER_CHARS_MAX)
        .flat_map(readings)
}

fn readings(piece: &str) -> Vec<String> {
    let mut readings = BTreeSet::new();
    for (point, thousands) in [('.', [',', '\'', '’', '_']), (',', ['.', '\'', '’', '_'])] {
        let bare: String = piece.chars().filter(|char| !thousands.contains(char)).collect();
        if bare.matches(point).count() <= 1 {
            readings.extend(canonical(&bare.replace(point, ".")));
        }
    }
    readings.into_iter().collect()
}

/// A decimal number in one form, if it is one.
#[must_use]
pub fn canonical(number: &str) -> Option<String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let sign = whole.strip_prefix('-').map_or("", |_| "-");
    let whole = whole.trim_start_matches('-').trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || !number.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "x" };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// Words as text: nine bytes each, base64.
mod packed {
    use super::Word;
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(words: &[Word], to: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(words.len() * 9);
        for word in words {
            bytes.extend_from_slice(&word.print.to_le_bytes());
            bytes.push(word.bytes);
        }
        to.serialize_str(&STANDARD_NO_PAD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Word>, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        let bytes = STANDARD_NO_PAD.decode(text.as_bytes()).map_err(D::Error::custom)?;
        let (words, rest) = bytes.as_chunks::<9>();
        if !rest.is_empty() {
            return Err(D::Error::custom("words are nine bytes each"));
        }
        let word = |[a, b, c, d, e, f, g, h, bytes]: &[u8; 9]| Word {
            print: u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
            bytes: *bytes,
        };
        if words.iter().any(|word| word.last() == Some(&0)) {
            return Err(D::Error::custom("no word is empty"));
        }
        let words: Vec<Word> = words.iter().map(word).collect();
        if words.iter().any(|word| word.print >= (1 << 61) - 1 && *word != Word::BREAK) {
            return Err(D::Error::custom("a fingerprint is below 2^61 - 1"));
        }
        Ok(words)
    }
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const FIELDS_MAX: usize = 512;
const FIELD_CHARS_MAX: usize = 64;
const VALUES_MAX: usize = 1_024;
const DATE_WORDS_MAX: usize = 16_384;
const NUMBER_CHARS_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_same_however_it_is_written() {
        let table = [
            ("from January 11th to January 15th 2025", vec![Day(2025, 1, 15), Day(0, 1, 11)]),
            ("2024-05-30 10:20", vec![Day(2024, 5, 30)]),
            ("on 2024-05-30T10:20", vec![Day(2024, 5, 30)]),
            ("the 13 of May", vec![Day(0, 5, 13)]),
            ("30.12.2024", vec![Day(2024, 12, 30)]),
            ("call 555 1234", vec![]),
        ];
        for (text, wanted) in table {
            assert_eq!(days(text), wanted.into_iter().collect(), "{text}");
        }
    }

    #[test]
    fn a_number_is_the_same_however_it_is_grouped() {
        let table = [
            ("1,200.00", "1200"),
            ("1.200,00", "1200"),
            ("98.70", "98x7"),
            ("30'000", "30000"),
            ("007", "7"),
        ];
        for (text, wanted) in table {
            assert!(numbers(text).any(|number| number == wanted), "{text}");
        }
        assert_eq!(canonical("1200.0"), Some("1200".to_owned()));
        assert_eq!(canonical("."), None);
    }

    #[test]
    fn a_gist_comes_back_from_its_text() {
        let mut gist = Gist::default();
        gist.add(&Key::of("task"), "body", "Pay 30 to GB29 NWBK on 1 May", 100);
        let text = serde_json::to_string(&gist).unwrap();
        assert_eq!(serde_json::from_str::<Gist>(&text).unwrap(), gist);
        assert!(!text.contains("NWBK"), "fingerprints, no text");
    }
}
