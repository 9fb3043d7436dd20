//! The request an operation of an HTTP API is asked with: `GET /orders/{id}?status`. What a rule does not say has no
//! place in a request, so whatever an agent sends is either an argument that policies see, or refused.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// How an operation of an HTTP API is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRule {
    /// Method, path and query.
    pub line: RequestLine,
    /// What its body is to policies.
    #[serde(default, skip_serializing_if = "BodyForm::is_members")]
    pub body: BodyForm,
}

/// Method, path and the names in the query. Each `{name}` is one whole segment of the path and an argument.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestLine {
    /// The method.
    pub method: Method,
    /// The segments, decoded.
    pub segments: Vec<Segment>,
    /// Whether the path ends with a slash behind its last segment.
    pub ends_in_slash: bool,
    /// The arguments that stand in the query.
    pub query: BTreeSet<String>,
}

/// One segment of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Exactly this text.
    Literal(String),
    /// The argument of this name.
    Param(String),
}

/// The methods an operation may have (RFC 9110 section 9.3, RFC 5789).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the method of that name")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

/// What the body of a request is to policies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyForm {
    /// A JSON object; its members are arguments.
    #[default]
    Members,
    /// Any JSON; it is the one argument [`BODY`].
    Json,
    /// Any bytes; policies see only [`BODY_DIGEST`] and [`BODY_SIZE`].
    Opaque,
}

/// Where an argument stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgPlace {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In the body.
    Body,
}

impl RequestRule {
    /// Where an argument of this name stands.
    #[must_use]
    pub fn place(&self, arg: &str) -> ArgPlace {
        if self.line.params().any(|name| name == arg) {
            ArgPlace::Path
        } else if self.line.query.contains(arg) {
            ArgPlace::Query
        } else {
            ArgPlace::Body
        }
    }
}

impl RequestLine {
    /// The arguments in the path, from left to right.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Param(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// What the arguments in the path are when these decoded segments are asked for; nothing when the path is another.
    #[must_use]
    pub fn captures<'p>(
        &self,
        method: Method,
        segments: &'p [String],
        ends_in_slash: bool,
    ) -> Option<Vec<(&str, &'p str)>> {
        let fits = self.method == method
            && self.segments.len() == segments.len()
            && self.ends_in_slash == ends_in_slash;
        if !fits {
            return None;
        }
        let mut captured = Vec::new();
        for (wanted, found) in self.segments.iter().zip(segments) {
            match wanted {
                Segment::Literal(text) if text == found => {}
                Segment::Literal(_) => return None,
                Segment::Param(name) => captured.push((name.as_str(), found.as_str())),
            }
        }
        Some(captured)
    }

    /// Which of two rules that fit one path is meant: the one with a literal where they first differ, which is the
    /// greater. Equal for rules that cannot be told apart.
    #[must_use]
    pub fn precedence(&self) -> Vec<bool> {
        self.segments.iter().map(|segment| matches!(segment, Segment::Literal(_))).collect()
    }

    /// Whether both would be meant by the same requests, so that nobody could say which.
    #[must_use]
    pub fn collides(&self, other: &Self) -> bool {
        let same = |pair: (&Segment, &Segment)| match pair {
            (Segment::Literal(a), Segment::Literal(b)) => a == b,
            (Segment::Param(_), Segment::Param(_)) => true,
            (Segment::Literal(_), Segment::Param(_)) | (Segment::Param(_), Segment::Literal(_)) => false,
        };
        self.method == other.method
            && self.ends_in_slash == other.ends_in_slash
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(same)
    }
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// As a request writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Back from that word, which is in capitals (RFC 9110 section 9.1: methods are case-sensitive).
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == word)
    }

    /// Whether it promises to change nothing (RFC 9110 section 9.2.1).
    #[must_use]
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }

    /// Whether a request of it may have a body here. For `GET` and `HEAD` a body means nothing, and is dropped by some
    /// (RFC 9110 section 9.3.1).
    #[must_use]
    pub const fn has_body(self) -> bool {
        !self.is_safe()
    }
}

impl BodyForm {
    /// The word used in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::Json => "json",
            Self::Opaque => "opaque",
        }
    }

    fn is_members(&self) -> bool {
        *self == Self::Members
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.method.as_str())?;
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Param(name) => write!(f, "/{{{name}}}")?,
            }
        }
        if self.segments.is_empty() || self.ends_in_slash {
            f.write_str("/")?;
        }
        for (at, name) in self.query.iter().enumerate() {
            write!(f, "{}{name}", if at == 0 { "?" } else { "&" })?;
        }
        Ok(())
    }
}

impl FromStr for RequestLine {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, RequestError> {
        if text.len() > LINE_BYTES_MAX {
            return Err(RequestError::TooLong);
        }
        let (word, target) = text.split_once(' ').ok_or(RequestError::Shape)?;
        let method = Method::from_word(word).ok_or_else(|| RequestError::Method(clip(word)))?;
        let (path, names) = match target.split_once('?') {
            Some((path, names)) => (path, Some(names)),
            None => (target, None),
        };
        let rest = path.strip_prefix('/').ok_or(RequestError::Shape)?;
        let (inner, ends_in_slash) = match rest.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (rest, false),
        };
        let segments = match (rest, inner) {
            ("", _) => Vec::new(),
            (_, inner) => inner.split('/').map(segment).collect::<Result<Vec<_>, _>>()?,
        };
        if segments.len() > SEGMENTS_MAX {
            return Err(RequestError::TooLong);
        }
        let mut line = Self { method, segments, ends_in_slash, query: BTreeSet::new() };
        let mut seen = BTreeSet::new();
        for name in line.params() {
            if !seen.insert(name) {
                return Err(RequestError::Twice(clip(name)));
            }
        }
        let mut query = BTreeSet::new();
        for name in names.into_iter().flat_map(|names| names.split('&')) {
            if !is_name(name) || name.contains('=') {
                return Err(RequestError::Query(clip(name)));
            }
            if seen.contains(name) || !query.insert(name.to_owned()) {
                return Err(RequestError::Twice(clip(name)));
            }
        }
        line.query = query;
        Ok(line)
    }
}

fn segment(text: &str) -> Result<Segment, RequestError> {
    if let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return match is_name(name) && !name.contains(['{', '}']) {
            true => Ok(Segment::Param(name.to_owned())),
            false => Err(RequestError::Segment(clip(text))),
        };
    }
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !FORBIDDEN_IN_LITERALS.contains(&c);
    let dots = text.chars().all(|c| c == '.'); // also true of the empty text
    match !dots && text.chars().all(plain) {
        true => Ok(Segment::Literal(text.to_owned())),
        false => Err(RequestError::Segment(clip(text))),
    }
}

/// A name that a path template or a query may give an argument.
fn is_name(name: &str) -> bool {
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '&' | '#' | '?' | '%' | '+');
    (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && name.chars().all(plain)
}

/// A text that is not a request rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not `METHOD /path`.
    #[error("a request reads `METHOD /path`, such as `GET /orders/{{id}}?status`")]
    Shape,
    /// No method we send.
    #[error("`{0}` is not a method an operation may have: use GET, HEAD, POST, PUT, PATCH or DELETE")]
    Method(String),
    /// A part of the path that could be read in two ways.
    #[error(
        "`{0}` cannot be a part of a path: write it decoded, without dots alone, `;`, `%` or backslash; `{{name}}` stands for a whole part"
    )]
    Segment(String),
    /// A name in the query.
    #[error("`{0}` cannot be a name in the query: write ?name&other, without values")]
    Query(String),
    /// An argument with two places.
    #[error("`{0}` stands in the request twice")]
    Twice(String),
    /// Out of bounds.
    #[error("a request has at most {LINE_BYTES_MAX} bytes and {SEGMENTS_MAX} parts in its path")]
    TooLong,
}

impl Serialize for RequestLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for RequestLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The argument that a body of [`BodyForm::Json`] is.
pub const BODY: &str = "body";
/// The argument that names the bytes of an opaque body: `sha256:` and 64 hexadecimal digits.
pub const BODY_DIGEST: &str = "body_digest";
/// The argument that counts the bytes of an opaque body.
pub const BODY_SIZE: &str = "body_size";
/// Parts of a path.
pub const SEGMENTS_MAX: usize = 64;
const FORBIDDEN_IN_LITERALS: [char; 8] = ['\\', ';', '%', '?', '#', '{', '}', '/'];
const LINE_BYTES_MAX: usize = 4_096;
const NAME_CHARS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> RequestLine {
        text.parse().unwrap()
    }

    #[test]
    fn a_rule_is_written_as_it_is_read() {
        for text in [
            "GET /",
            "GET /orders",
            "GET /orders/",
            "GET /orders/{id}?page&status",
            "POST /v1/users/me:archive",
            "DELETE /a/{b}/c/{d}",
            "PUT /ä/{x-y}",
        ] {
            assert_eq!(line(text).to_string(), text);
            let json = serde_json::to_string(&line(text)).unwrap();
            assert_eq!(serde_json::from_str::<RequestLine>(&json).unwrap(), line(text));
        }
        assert_eq!(line("GET /a?z&b").to_string(), "GET /a?b&z");
    }

    #[test]
    fn a_rule_that_could_be_read_in_two_ways_is_refused() {
        for text in [
            "",
            "GET",
            "GET orders",
            "get /orders",
            "TRACE /orders",
            "CONNECT /orders",
            "GET //",
            "GET /a//b",
            "GET /a/../b",
            "GET /./b",
            "GET /a;b=1",
            "GET /a%2Fb",
            "GET /a\\b",
            "GET /a b",
            "GET /a#b",
            "GET /{id}.json",
            "GET /{}",
            "GET /{a{b}}",
            "GET /{id}/{id}",
            "GET /{id}?id",
            "GET /a?b&b",
            "GET /a?",
            "GET /a?b=1",
            "GET /a?b&&c",
        ] {
            assert!(text.parse::<RequestLine>().is_err(), "{text}");
        }
        let long = format!("GET {}", "/a".repeat(SEGMENTS_MAX + 1));
        assert_eq!(long.parse::<RequestLine>(), Err(RequestError::TooLong));
    }

    #[test]
    fn a_path_fits_a_rule_by_whole_segments_only() {
        let segments = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        let rule = line("GET /orders/{id}");
        let asked = segments("orders/7");
        assert_eq!(rule.captures(Method::Get, &asked, false), Some(vec![("id", "7")]));
        assert_eq!(rule.captures(Method::Post, &asked, false), None);
        assert_eq!(rule.captures(Method::Get, &asked, true), None);
        assert_eq!(rule.captures(Method::Get, &segments("orders/7/lines"), false), None);
        assert_eq!(rule.captures(Method::Get, &segments("Orders/7"), false), None);
    }

    #[test]
    fn a_literal_goes_before_an_argument_and_equal_rules_are_named() {
        assert!(line("GET /a/{x}").precedence() < line("GET /a/b").precedence());
        assert!(line("GET /{x}/b").precedence() < line("GET /a/{y}").precedence());
        assert!(line("GET /a/{x}").collides(&line("GET /a/{y}?z")));
        assert!(!line("GET /a/{x}").collides(&line("POST /a/{x}")));
        assert!(!line("GET /a/{x}").collides(&line("GET /a/b")));
    }

    #[test]
    fn an_argument_has_one_place() {
        let rule = RequestRule { line: line("POST /orders/{id}?dry_run"), body: BodyForm::Members };
        assert_eq!(
            ["id", "dry_run", "amount"].map(|arg| rule.place(arg)),
            [ArgPlace::Path, ArgPlace::Query, ArgPlace::Body]
        );
        assert_eq!(serde_json::to_string(&rule).unwrap(), r#"{"line":"POST /orders/{id}?dry_run"}"#);
    }
}
