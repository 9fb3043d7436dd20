//! Scopes: words between spaces (RFC 6749 section 3.3).

use crate::{OauthCode, OauthError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// A set of scope words, printed in order with single spaces. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(BTreeSet<String>);

impl Scope {
    /// The words.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether every word is among those of `other`.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The words that both have; nothing, if there is none.
    #[must_use]
    pub fn and(&self, other: &Self) -> Option<Self> {
        let both: BTreeSet<String> = self.0.intersection(&other.0).cloned().collect();
        (!both.is_empty()).then_some(Self(both))
    }
}

impl FromStr for Scope {
    type Err = OauthError;

    fn from_str(text: &str) -> Result<Self, OauthError> {
        let allowed = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        let words: BTreeSet<String> = text.split(' ').map(str::to_owned).collect();
        let good = |word: &String| !word.is_empty() && word.bytes().all(allowed);
        if text.len() <= SCOPE_BYTES_MAX && words.len() <= WORDS_MAX && words.iter().all(good) {
            return Ok(Self(words));
        }
        let text =
            "scope must be words of printable ASCII between single spaces, at most 64 words and 2048 bytes";
        Err(OauthError::new(OauthCode::InvalidScope, text))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{word}")?;
        }
        Ok(())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

const SCOPE_BYTES_MAX: usize = 2_048;
const WORDS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_strictly_and_compares_as_a_set() {
        let scope = |text: &str| text.parse::<Scope>().unwrap();
        assert_eq!(scope("b a a").to_string(), "a b");
        assert!(scope("a").is_within(&scope("a b")) && !scope("a c").is_within(&scope("a b")));
        assert_eq!(scope("a c").and(&scope("a b")), Some(scope("a")));
        assert_eq!(scope("c").and(&scope("a b")), None);
        for bad in ["", " ", "a  b", " a", "a\tb", "a\"", "a\\", "\u{e4}", &"a".repeat(2_049)] {
            assert_eq!(bad.parse::<Scope>().unwrap_err().code(), OauthCode::InvalidScope, "{bad}");
        }
    }
}
