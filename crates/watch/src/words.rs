//! Text in a form in which light rewriting does not matter, and fingerprints of it that can be put together.
//!
//! A word is a run of letters and digits after compatibility decomposition (Unicode NFKD), without marks and in lower
//! case; everything else only separates. `GB29 NWBK 6016`, `gb29-nwbk-6016` and `GB29NWBK6016` are three, three and one
//! words, and the same **run**: what is compared is always a run of whole words, put together.
//!
//! A word's fingerprint is a polynomial over its bytes modulo 2⁶¹ − 1, so the fingerprint of a run follows from those of its
//! words, however it was split. The point it is taken at is the [`Key`] of the task: two tasks share no fingerprints, and a
//! text that was written before the task began cannot aim at one. Fingerprints are no secrecy: a word that can be guessed can
//! be tried.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use provost_domain::Digest;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::Arc};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// The point fingerprints of one task are taken at, and its powers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(Arc<[u64]>);

/// One word: its fingerprint and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word {
    pub(crate) print: u64,
    pub(crate) bytes: u8,
}

/// The fingerprint of a run of words, and how long it is altogether.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "(u64, u32)", from = "(u64, u32)")]
pub struct Phrase {
    pub(crate) print: u64,
    pub(crate) bytes: u32,
}

impl Key {
    /// The key for something that has a name nobody else has: the id of a task, the name of an agent.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let digest = Digest::of(name.as_bytes());
        let bytes = digest.as_bytes().first_chunk().copied().unwrap_or_default();
        // Neither a tiny point nor one beyond the modulus.
        let point = u64::from_le_bytes(bytes) % (MODULUS - (1 << 32)) + (1 << 31);
        Self(std::iter::successors(Some(1), |power| Some(mul(*power, point))).take(POWERS).collect())
    }

    /// Its words, in order, at most so many.
    #[must_use]
    pub fn words(&self, text: &str, words_max: usize) -> Vec<Word> {
        let mut scan = Scan { key: self, open: Word::EMPTY, words: Vec::new(), words_max };
        scan.text(&plain(text));
        scan.words
    }

    /// A text as one run.
    #[must_use]
    pub fn phrase(&self, text: &str) -> Phrase {
        self.join(&self.words(text, RUN_WORDS_MAX))
    }

    /// Words put together.
    #[must_use]
    pub fn join(&self, words: &[Word]) -> Phrase {
        words.iter().fold(Phrase { print: 0, bytes: 0 }, |run, word| Phrase {
            print: add(mul(run.print, self.power(u32::from(word.bytes))), word.print),
            bytes: run.bytes.saturating_add(u32::from(word.bytes)),
        })
    }

    /// Where this run stands among the words, if it does: the index of its first word. It begins and ends where words do.
    #[must_use]
    pub fn find(&self, run: Phrase, words: &[Word]) -> Option<usize> {
        self.find_any(run.bytes, words, |print| print == run.print)
    }

    /// As [`Key::find`], for every fingerprint of runs of one length.
    pub(crate) fn find_any(
        &self,
        bytes: u32,
        words: &[Word],
        mut wanted: impl FnMut(u64) -> bool,
    ) -> Option<usize> {
        if bytes == 0 {
            return None;
        }
        let mut window = Phrase { print: 0, bytes: 0 };
        let mut first = 0;
        for (index, word) in words.iter().enumerate() {
            window = Phrase {
                print: add(mul(window.print, self.power(u32::from(word.bytes))), word.print),
                bytes: window.bytes + u32::from(word.bytes),
            };
            while window.bytes > bytes
                && let Some(left) = words.get(first)
            {
                let rest = window.bytes - u32::from(left.bytes);
                window = Phrase { print: sub(window.print, mul(left.print, self.power(rest))), bytes: rest };
                first += 1;
            }
            if window.bytes == bytes && first <= index && wanted(window.print) {
                return Some(first);
            }
        }
        None
    }

    fn power(&self, exponent: u32) -> u64 {
        let exponent = usize::try_from(exponent).unwrap_or(usize::MAX);
        if let Some(power) = self.0.get(exponent) {
            return *power;
        }
        let (half, rest) = (exponent / 2, exponent % 2);
        let half = self.power(u32::try_from(half).unwrap_or(0));
        let point = if rest == 1 { self.power(1) } else { 1 };
        mul(mul(half, half), point)
    }
}

impl From<Phrase> for (u64, u32) {
    fn from(run: Phrase) -> Self {
        (run.print, run.bytes)
    }
}

impl From<(u64, u32)> for Phrase {
    fn from((print, bytes): (u64, u32)) -> Self {
        Self { print: print % MODULUS, bytes }
    }
}

impl Word {
    const EMPTY: Self = Self { print: 0, bytes: 0 };
    /// Stands between texts that do not belong together: no run that was asked for contains it.
    pub(crate) const BREAK: Self = Self { print: MODULUS - 1, bytes: u8::MAX };
}

struct Scan<'a> {
    key: &'a Key,
    open: Word,
    words: Vec<Word>,
    words_max: usize,
}

impl Scan<'_> {
    fn text(&mut self, text: &str) {
        if text.is_ascii() {
            for byte in text.bytes() {
                self.char(byte.is_ascii_alphanumeric().then(|| byte.to_ascii_lowercase() as char));
            }
        } else {
            for char in text.nfkd().filter(|char| !is_combining_mark(*char)).flat_map(char::to_lowercase) {
                self.char(char.is_alphanumeric().then_some(char));
            }
        }
        self.close();
    }

    fn char(&mut self, char: Option<char>) {
        let Some(char) = char else { return self.close() };
        let mut bytes = [0; 4];
        for byte in char.encode_utf8(&mut bytes).bytes() {
            self.open.print = add(mul(self.open.print, self.key.power(1)), u64::from(byte) + 1);
            self.open.bytes += 1;
        }
        // A word without end is several; put together they are the same run.
        if self.open.bytes >= WORD_BYTES_MAX {
            self.close();
        }
    }

    fn close(&mut self) {
        let word = std::mem::replace(&mut self.open, Word::EMPTY);
        if word.bytes > 0 && self.words.len() < self.words_max {
            self.words.push(word);
        }
    }
}

/// The text with character references (HTML) and percent-encoding (RFC 3986 section 2.1) read.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    if text.contains('&') {
        text = Cow::Owned(references(&text));
    }
    if text.contains('%') {
        text = Cow::Owned(percent(&text));
    }
    text
}

fn references(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let name = after.split(';').next().filter(|name| name.len() <= REFERENCE_BYTES_MAX && *name != after);
        match name.and_then(|name| Some((reference(name)?, after.strip_prefix(name)?.strip_prefix(';')?))) {
            Some((char, left)) => {
                out.push(char);
                rest = left;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn reference(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return char::from_u32(code.ok()?);
    }
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" | "ensp" | "emsp" | "thinsp" | "shy" | "zwj" | "zwnj" => Some(' '),
        "period" => Some('.'),
        "commat" => Some('@'),
        "sol" => Some('/'),
        "colon" => Some(':'),
        _ => None,
    }
}

fn percent(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((first, rest)) = bytes.split_first() {
        bytes = rest;
        let digits = rest.first_chunk::<2>().filter(|_| *first == b'%');
        match digits.and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()) {
            Some(byte) if digits.is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit)) => {
                out.push(byte);
                bytes = rest.get(2..).unwrap_or_default();
            }
            _ => out.push(*first),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Texts that stand in it as base64 (RFC 4648 sections 4 and 5), at most a few.
#[must_use]
pub fn encoded(text: &str) -> Vec<String> {
    text.split(|char: char| !(char.is_ascii_alphanumeric() || "+/-_=".contains(char)))
        .map(|piece| piece.trim_end_matches('='))
        .filter(|piece| piece.len() >= BASE64_BYTES_MIN)
        .filter_map(decoded)
        .take(ENCODED_MAX)
        .collect()
}

fn decoded(piece: &str) -> Option<String> {
    let bytes = STANDARD.decode(piece).or_else(|_| URL_SAFE.decode(piece)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let readable = text.chars().filter(|char| !char.is_control() || char.is_whitespace()).count();
    (readable == text.chars().count()).then_some(text)
}

const fn lenient(alphabet: &alphabet::Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}

fn mul(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let (low, high) = (product & u128::from(MODULUS), product >> 61);
    let sum = u64::try_from(low + high).unwrap_or(0);
    if sum >= MODULUS { sum - MODULUS } else { sum }
}

fn add(a: u64, b: u64) -> u64 {
    let sum = a + b;
    if sum >= MODULUS { sum - MODULUS } else { sum }
}

fn sub(a: u64, b: u64) -> u64 {
    if a >= b { a - b } else { a + MODULUS - b }
}

const STANDARD: GeneralPurpose = lenient(&alphabet::STANDARD);
const URL_SAFE: GeneralPurpose = lenient(&alphabet::URL_SAFE);
const MODULUS: u64 = (1 << 61) - 1;
/// Longer words are cut into several.
const WORD_BYTES_MAX: u8 = 64;
/// Words of a value that is compared as one run; what is longer is text, not a value.
pub(crate) const RUN_WORDS_MAX: usize = 128;
/// Powers kept ready; runs are seldom longer.
const POWERS: usize = 256;
const REFERENCE_BYTES_MAX: usize = 10;
const BASE64_BYTES_MIN: usize = 12;
const ENCODED_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewriting_a_value_does_not_change_its_run() {
        let key = Key::of("task");
        let table = [
            ("GB29NWBK60161331926819", "gb29 nwbk 6016 1331 9268 19"),
            ("mark.black-2134@gmail.com", "<MARK.BLACK-2134@Gmail.Com>"),
            ("+33 1 23 45 67 89", "33123456789"),
            ("1,200.00", "1200.00"),
            ("https://evil.example/a", "https%3A%2F%2Fevil%2Eexample%2Fa"),
            ("evil.example", "ev\u{200b}il.example"),
            ("evil.example", "&#101;vil&period;example"),
            ("Café", "Cafe\u{301}"),
            ("ｅｖｉｌ．ｅｘａｍｐｌｅ", "evil.example"),
        ];
        for (one, other) in table {
            assert_eq!(key.phrase(one), key.phrase(other), "{one} {other}");
        }
    }

    #[test]
    fn a_run_is_found_only_between_ends_of_words() {
        let key = Key::of("task");
        let words = key.words("Please pay GB29 NWBK 6016 to Evelyn.", 100);
        let found = |text| key.find(key.phrase(text), &words);
        assert_eq!(found("GB29NWBK6016"), Some(2));
        assert_eq!(found("to evelyn"), Some(5));
        assert_eq!(found("Eve"), None);
        assert_eq!(found("NWBK601"), None);
        assert_eq!(found(""), None);
    }

    #[test]
    fn what_is_encoded_is_read() {
        assert_eq!(encoded("go to aHR0cHM6Ly9ldmlsLmV4YW1wbGU= now"), ["https://evil.example"]);
        assert!(encoded("internationalisation").is_empty(), "a long word is not an encoded text");
    }
}
