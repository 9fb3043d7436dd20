//! One condition on a claim of a platform's token.

use crate::charter::Scalar;
use crate::pattern;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A condition on one claim. In files: `{"claim": "/kubernetes.io/namespace", "equals": "payments"}`, with exactly one of
/// `equals`, `one_of` and `like`.
///
/// The claim is named by a JSON Pointer (RFC 6901), so that names with dots need no escape: `/sub`,
/// `/kubernetes.io/serviceaccount/name`. In a name, `~1` stands for a slash and `~0` for a tilde. A claim that is missing,
/// or is an object or a list, fits nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct ClaimRule {
    pointer: String,
    test: ClaimTest,
}

/// What the claim must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimTest {
    /// Exactly this value, of this type: the text `1` is not the number 1.
    Equals(Scalar),
    /// Exactly one of these.
    OneOf(Vec<Scalar>),
    /// A text that fits this pattern, with `*` for any text. Mind what a stranger may choose: in
    /// `repo:acme/*`, everybody who can make a repository in `acme`.
    Like(String),
}

/// Why a condition is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimRuleFault {
    /// Not a JSON Pointer to a member.
    #[error(
        "a claim is named by a JSON Pointer: /sub, or /kubernetes.io/namespace; in a name, ~1 is `/` and ~0 is `~`"
    )]
    Pointer,
    /// None or several of the three.
    #[error("a claim rule has exactly one of equals, one_of and like")]
    Test,
    /// A list or pattern that says nothing.
    #[error(
        "an empty one_of fits nothing, and a pattern of only `*` fits everything: say what the claim must be"
    )]
    Vacuous,
}

impl ClaimRule {
    /// A condition on the claim at this JSON Pointer.
    ///
    /// # Errors
    /// [`ClaimRuleFault::Pointer`], [`ClaimRuleFault::Vacuous`].
    pub fn new(pointer: impl Into<String>, test: ClaimTest) -> Result<Self, ClaimRuleFault> {
        let pointer = pointer.into();
        let escapes_ok = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if !pointer.starts_with('/') || pointer.len() < 2 || pointer.len() > POINTER_BYTES_MAX || !escapes_ok
        {
            return Err(ClaimRuleFault::Pointer);
        }
        let vacuous = match &test {
            ClaimTest::Equals(_) => false,
            ClaimTest::OneOf(values) => values.is_empty(),
            ClaimTest::Like(like) => like.bytes().all(|byte| byte == b'*'),
        };
        if vacuous { Err(ClaimRuleFault::Vacuous) } else { Ok(Self { pointer, test }) }
    }

    /// Which claim it is about.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// What the claim must be.
    #[must_use]
    pub const fn test(&self) -> &ClaimTest {
        &self.test
    }

    /// Whether the claims fulfil it.
    #[must_use]
    pub fn fits(&self, claims: &Map<String, Value>) -> bool {
        let Some(value) = self.find(claims) else { return false };
        match &self.test {
            ClaimTest::Equals(wanted) => is(value, wanted),
            ClaimTest::OneOf(wanted) => wanted.iter().any(|wanted| is(value, wanted)),
            ClaimTest::Like(like) => value.as_str().is_some_and(|text| pattern::matches(like, text)),
        }
    }

    /// The claim itself. Objects only: an index into a list would make its order mean something.
    fn find<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        let mut names =
            self.pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"));
        let first = claims.get(&names.next()?)?;
        names.try_fold(first, |value, name| value.as_object()?.get(&name))
    }
}

fn is(value: &Value, wanted: &Scalar) -> bool {
    match wanted {
        Scalar::Bool(wanted) => value.as_bool() == Some(*wanted),
        Scalar::Long(wanted) => value.as_i64() == Some(*wanted),
        Scalar::Text(wanted) => value.as_str() == Some(wanted),
    }
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    claim: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    equals: Option<Scalar>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    one_of: Option<Vec<Scalar>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    like: Option<String>,
}

impl TryFrom<Wire> for ClaimRule {
    type Error = ClaimRuleFault;

    fn try_from(wire: Wire) -> Result<Self, ClaimRuleFault> {
        let test = match (wire.equals, wire.one_of, wire.like) {
            (Some(value), None, None) => ClaimTest::Equals(value),
            (None, Some(values), None) => ClaimTest::OneOf(values),
            (None, None, Some(like)) => ClaimTest::Like(like),
            _ => return Err(ClaimRuleFault::Test),
        };
        Self::new(wire.claim, test)
    }
}

impl From<ClaimRule> for Wire {
    fn from(rule: ClaimRule) -> Self {
        let mut wire = Self { claim: rule.pointer, equals: None, one_of: None, like: None };
        match rule.test {
            ClaimTest::Equals(value) => wire.equals = Some(value),
            ClaimTest::OneOf(values) => wire.one_of = Some(values),
            ClaimTest::Like(like) => wire.like = Some(like),
        }
        wire
    }
}

const POINTER_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests;
