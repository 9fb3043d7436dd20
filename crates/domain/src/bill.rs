//! An agent's bill of materials (REQUIREMENTS.md A6): what its runtime says that it is made of, part by part, each a digest or a
//! name. What a part means is the runtime's business; here the same text is the same part, and any other text is another one.

use crate::{Name, TextMap, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A bill, bounded and plain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bill(TextMap<str>);

/// A bill as it was presented when a task was to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presented {
    /// What was said.
    pub bill: Bill,
    /// By whose word.
    pub by: Word,
    /// When.
    pub at: Timestamp,
}

/// By whose word an agent is made of what its bill says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// Whoever asked for the task said so.
    Observed,
    /// The agent's own key signed it.
    Key,
    /// The platform it runs on signed it, inside the token that says which agent it is.
    Platform,
}

impl Bill {
    /// Reads a bill.
    ///
    /// # Errors
    /// When it is empty, has too many parts, or a part that is not plain.
    pub fn of<K: AsRef<str>, V: AsRef<str>>(
        parts: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, BillError> {
        let mut read = BTreeMap::new();
        for (part, made_of) in parts {
            let (part, made_of) = (part.as_ref(), made_of.as_ref());
            if part.parse::<Name>().map_or(true, |name| name.as_str() != part) {
                return Err(BillError::Part(part.chars().filter(|c| !c.is_control()).take(64).collect()));
            }
            let plain = made_of.chars().all(|c| c.is_ascii_graphic() || c == ' ');
            if made_of.trim().is_empty() || made_of.len() > TEXT_BYTES_MAX || !plain {
                return Err(BillError::Text(part.to_owned()));
            }
            read.insert(part.to_owned(), made_of.to_owned());
            if read.len() > PARTS_MAX {
                return Err(BillError::Many);
            }
        }
        if read.is_empty() { Err(BillError::Empty) } else { Ok(Self(read.into_iter().collect())) }
    }

    /// Every part with what it is, in order.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter()
    }

    /// What a part is.
    #[must_use]
    pub fn get(&self, part: &str) -> Option<&str> {
        self.0.get(part)
    }

    /// Whether there is no part.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same without some parts.
    #[must_use]
    pub fn without(&self, gone: impl Fn(&str) -> bool) -> Self {
        Self(self.parts().filter(|(part, _)| !gone(part)).collect())
    }
}

impl Word {
    /// The word used in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Key => "key",
            Self::Platform => "platform",
        }
    }
}

/// Why a bill is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// It says nothing.
    #[error("a bill of materials names at least one part, such as model, prompt, tools or image")]
    Empty,
    /// It says too much.
    #[error("a bill of materials has at most {PARTS_MAX} parts")]
    Many,
    /// A part has no name.
    #[error("`{0}` is not the name of a part: write it like model, prompt, tools or image")]
    Part(String),
    /// What it is, is not plain.
    #[error("part `{0}` is a digest or a name of 1 to {TEXT_BYTES_MAX} plain characters")]
    Text(String),
}

const PARTS_MAX: usize = 16;
const TEXT_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_is_a_few_named_plain_parts() {
        let bill = Bill::of([("prompt", "sha256:ab"), ("model", "example-3 of May")]).unwrap();
        assert_eq!(
            bill.parts().collect::<Vec<_>>(),
            [("model", "example-3 of May"), ("prompt", "sha256:ab")]
        );
        let long = "x".repeat(257);
        let many: Vec<(String, &str)> = (0..17).map(|n| (format!("p{n}"), "x")).collect();
        assert_eq!(Bill::of(many), Err(BillError::Many));
        assert_eq!(Bill::of::<&str, &str>([]), Err(BillError::Empty));
        for (part, text) in [("", "x"), ("Model", "x"), ("a b", "x"), ("a\u{1b}[2J", "x")] {
            assert!(matches!(Bill::of([(part, text)]), Err(BillError::Part(_))), "{part:?}");
        }
        for text in ["", "  ", "a\nb", "é", long.as_str()] {
            assert!(matches!(Bill::of([("model", text)]), Err(BillError::Text(_))), "{text:?}");
        }
    }
}
