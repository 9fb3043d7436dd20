//! JSON text that has passed [`crate::strict::check`], and its members, without copying or changing a byte.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;

/// One JSON value as it was received: a slice of a text that was read strictly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

/// The kinds of JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{...}`
    Object,
    /// `[...]`
    Array,
    /// `"..."`
    String,
    /// `-1.5e3`
    Number,
    /// `true` or `false`
    Boolean,
    /// `null`
    Null,
}

impl<'a> Raw<'a> {
    /// A text that needs no scan. INVARIANT: `text` was accepted by [`crate::strict`], is a value inside such
    /// a text, or was written by this crate; bytes from outside never come in here.
    pub fn trusted(text: &'a str) -> Raw<'a> {
        Raw(text.trim_matches([' ', '\n', '\r', '\t']))
    }

    /// The value's text, byte for byte, without whitespace around it.
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// What kind of value this is.
    pub fn kind(&self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// The value, read.
    ///
    /// Errors: only for text nested deeper than 127 levels, which `depth_max` keeps out.
    pub fn to_value(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_str(self.0)
    }

    /// The value, read into `T`.
    pub fn read<T: Deserialize<'a>>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0)
    }

    /// A string's content, unescaped; `None` for anything else. Borrows where there is no escape.
    pub fn as_string(&self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            return serde_json::from_str(self.0).ok().map(Cow::Owned);
        }
        Some(Cow::Borrowed(inner))
    }

    /// A boolean, `None` for anything else.
    pub fn as_bool(&self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// An integer written without fraction or exponent, `None` for anything else.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// The members of an object in their order; `None` for anything else.
    pub fn as_object(&self) -> Option<Object<'a>> {
        Object::split(*self)
    }

    /// The elements of an array in their order; `None` for anything else.
    pub fn as_array(&self) -> Option<Vec<Raw<'a>>> {
        elements(self.0).map(|spans| spans.into_iter().filter_map(|span| self.slice(span)).collect())
    }

    /// Where the elements of an array stand in [`Raw::as_str`]; `None` for anything else.
    pub(crate) fn element_spans(&self) -> Option<Vec<Range<usize>>> {
        elements(self.0)
    }

    pub(crate) fn slice(&self, span: Range<usize>) -> Option<Raw<'a>> {
        self.0.get(span).map(Raw)
    }
}

/// An object split into its members, one level deep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object<'a> {
    raw: Raw<'a>,
    members: Vec<Member<'a>>,
}

/// One member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name, unescaped.
    pub key: Cow<'a, str>,
    /// The value as received.
    pub value: Raw<'a>,
    /// From the name's opening quote to the end of the value, in the object's text.
    pub(crate) span: Range<usize>,
    /// Where the value begins in the object's text.
    pub(crate) value_start: usize,
}

impl<'a> Object<'a> {
    /// The object's own text.
    pub fn raw(&self) -> Raw<'a> {
        self.raw
    }

    /// All members in the order received.
    pub fn members(&self) -> &[Member<'a>] {
        &self.members
    }

    /// The value of the member with exactly this name.
    pub fn get(&self, key: &str) -> Option<Raw<'a>> {
        self.members.iter().find(|m| m.key == key).map(|m| m.value)
    }

    /// The string at this name; `None` when absent or not a string.
    pub fn string(&self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key)?.as_string()
    }

    /// The object at this name; `None` when absent or not an object.
    pub fn object(&self, key: &str) -> Option<Object<'a>> {
        self.get(key)?.as_object()
    }

    /// A member whose name equals one of `names` except for case. Readers that ignore case (Go's standard one
    /// does) would take it for the real one, so callers refuse it.
    pub fn lookalike(&self, names: &[&'static str]) -> Option<&'static str> {
        let mistaken = |key: &str, name: &str| match key.is_ascii() {
            true => key != name && key.eq_ignore_ascii_case(name),
            false => folded(key) == folded(name),
        };
        self.members.iter().find_map(|m| names.iter().copied().find(|name| mistaken(&m.key, name)))
    }

    fn split(raw: Raw<'a>) -> Option<Object<'a>> {
        let text = raw.as_str();
        let mut walk = Walk { bytes: text.as_bytes(), pos: 0 };
        let mut members = Vec::with_capacity(8);
        walk.take(b'{')?;
        if walk.take(b'}').is_some() {
            return Some(Object { raw, members });
        }
        loop {
            walk.whitespace();
            let key_start = walk.pos;
            walk.string()?;
            let key = Raw(text.get(key_start..walk.pos)?).as_string()?;
            walk.take(b':')?;
            walk.whitespace();
            let value_start = walk.pos;
            walk.value()?;
            let value = raw.slice(value_start..walk.pos)?;
            members.push(Member { key, value, span: key_start..walk.pos, value_start });
            if walk.take(b',').is_none() {
                walk.take(b'}')?;
                return Some(Object { raw, members });
            }
        }
    }
}

/// Whether a name is ASCII without capitals, so that folding leaves it as it is.
pub(crate) fn is_folded(key: &str) -> bool {
    key.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase())
}

/// A name with case differences removed, as case-ignoring JSON readers compare them (Unicode simple folding).
pub(crate) fn folded(key: &str) -> Cow<'_, str> {
    if is_folded(key) {
        return Cow::Borrowed(key);
    }
    // Through upper case first: the long s and the Kelvin sign fold to s and k only that way.
    Cow::Owned(key.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect())
}

fn elements(text: &str) -> Option<Vec<Range<usize>>> {
    let mut walk = Walk { bytes: text.as_bytes(), pos: 0 };
    let mut spans = Vec::new();
    walk.take(b'[')?;
    if walk.take(b']').is_some() {
        return Some(spans);
    }
    loop {
        walk.whitespace();
        let start = walk.pos;
        walk.value()?;
        spans.push(start..walk.pos);
        if walk.take(b',').is_none() {
            walk.take(b']')?;
            return Some(spans);
        }
    }
}

/// Steps over values of a text already known to be well formed; on any other text it stops with `None`.
struct Walk<'t> {
    bytes: &'t [u8],
    pos: usize,
}

impl Walk<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    fn whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.pos += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.whitespace();
        (self.peek()? == byte).then(|| self.pos += 1)
    }

    fn string(&mut self) -> Option<()> {
        if self.peek()? != b'"' {
            return None;
        }
        self.pos += 1;
        loop {
            let rest = self.bytes.get(self.pos..)?;
            self.pos += rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
            match self.peek()? {
                b'"' => {
                    self.pos += 1;
                    return Some(());
                }
                _ => self.pos += 2,
            }
        }
    }

    fn value(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.pos += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.pos += 1;
                }
                b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' if depth > 0 => self.pos += 1,
                _ => self.word()?,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// A number or a literal.
    fn word(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.pos..)?;
        let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b':' | b'"' | b' ' | b'\n' | b'\r' | b'\t');
        let len = rest.iter().position(ends).unwrap_or(rest.len());
        self.pos += len;
        (len > 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, strict};

    #[test]
    fn members_keep_their_bytes_and_their_order() {
        let text = r#" { "b" : [1, {"x":"}"}] ,"a\u0041": "q\"]" , "n":-1.50e+3, "e":{} } "#;
        let object = strict::check(text.as_bytes(), &Limits::default()).unwrap().as_object().unwrap();
        let seen: Vec<(&str, &str)> =
            object.members().iter().map(|m| (m.key.as_ref(), m.value.as_str())).collect();
        let expected = [("b", r#"[1, {"x":"}"}]"#), ("aA", r#""q\"]""#), ("n", "-1.50e+3"), ("e", "{}")];
        assert_eq!(seen, expected);
        let b = object.get("b").unwrap().as_array().unwrap();
        assert_eq!(b.iter().map(Raw::as_str).collect::<Vec<_>>(), ["1", r#"{"x":"}"}"#]);
    }

    #[test]
    fn names_that_differ_only_in_case_are_lookalikes() {
        for (text, expected) in [
            (r#"{"method":1,"x":2}"#, None),
            (r#"{"method":1,"Method":2}"#, Some("method")),
            (r#"{"ME\u0054HOD":2}"#, Some("method")),
            (r#"{"para\u006d\u017f":2}"#, Some("params")),
        ] {
            let object = strict::check(text.as_bytes(), &Limits::default()).unwrap().as_object().unwrap();
            assert_eq!(object.lookalike(&["method", "params"]), expected, "{text}");
        }
    }
}
