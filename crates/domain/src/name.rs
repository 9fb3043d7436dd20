//! Names people give things. Parsed once at the edge; inside, a name is always good.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr, sync::Arc};

/// A name of an agent, person, workload, system, policy or budget: 1-64 of `a-z 0-9 - _`, starting with a letter
/// or digit. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub(crate) Arc<str>);

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let fits = (1..=NAME_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
            && !text.starts_with(['-', '_']);
        if fits { Ok(Self(text.into())) } else { Err(NameError::Name(clip(text))) }
    }
}

/// The name of a tool inside its system: 1-128 of `A-Z a-z 0-9 _ - . / @` (MCP recommends the first five; `@` starts
/// the operations every MCP server has, see [`crate::tool::BuiltIn`]).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolName(pub(crate) Arc<str>);

impl FromStr for ToolName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = (1..=TOOL_NAME_BYTES_MAX).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b'@'));
        if fits { Ok(Self(text.into())) } else { Err(NameError::Tool(clip(text))) }
    }
}

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a name of a thing.
    #[error(
        "`{0}` is not a name: use 1-64 lower-case letters, digits, `-` or `_`, starting with a letter or digit"
    )]
    Name(String),
    /// Not a name of a tool.
    #[error("`{0}` is not a tool name: use 1-128 letters, digits, `_`, `-`, `.` or `/`")]
    Tool(String),
}

macro_rules! text_like {
    ($($type:ident),*) => {$(
        impl $type {
            /// As text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::parsed::deserialize(deserializer)
            }
        }
    )*};
}
text_like!(Name, ToolName);

fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

const NAME_BYTES_MAX: usize = 64;
const TOOL_NAME_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_lower_case_short_and_starts_with_a_letter_or_digit() {
        for good in ["a", "invoice-clerk", "bank_2", "7up", &"a".repeat(64)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", " ", "-a", "_a", "Invoice", "a b", "a.b", "ä", "a/b", &"a".repeat(65)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
        assert_eq!(" maria ".parse::<Name>().unwrap().as_str(), "maria");
    }

    #[test]
    fn a_tool_name_is_what_mcp_allows() {
        for good in ["transfer", "read_file", "db.query", "admin/tools", "@resources", &"T".repeat(128)] {
            assert!(good.parse::<ToolName>().is_ok(), "{good}");
        }
        for bad in ["", "two words", "quote\"", "new\nline", &"T".repeat(129)] {
            assert!(bad.parse::<ToolName>().is_err(), "{bad}");
        }
    }
}
