//! Reads filters and paths from left to right (RFC 7644 figure 1). Nothing here looks at schemas.

use crate::Fault;
use serde_json::Value;

/// What has not been read yet.
pub(crate) struct Cursor<'t> {
    rest: &'t str,
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { rest: text.trim() }
    }

    /// Takes this character, if it is the next.
    pub(crate) fn take(&mut self, wanted: char) -> bool {
        let rest = self.rest.trim_start();
        match rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes this character without anything before it.
    pub(crate) fn take_at_once(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes a keyword, in any case, that ends where it ends.
    pub(crate) fn keyword(&mut self, wanted: &str) -> bool {
        let rest = self.rest.trim_start();
        let Some((head, tail)) = rest.split_at_checked(wanted.len()) else { return false };
        let ends = !tail.starts_with(|c: char| is_word(c));
        if head.eq_ignore_ascii_case(wanted) && ends {
            self.rest = tail;
            return true;
        }
        false
    }

    /// The name of an attribute, with its URN and member as far as they go.
    pub(crate) fn name(&mut self) -> Option<&'t str> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (name, tail) = rest.split_at_checked(end)?;
        self.rest = tail;
        (!name.is_empty()).then_some(name)
    }

    /// The literal after an operator: JSON, and the booleans as some write them.
    pub(crate) fn literal(&mut self) -> Result<Value, Fault> {
        let rest = self.rest.trim_start();
        let mut read = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        if let Some(Ok(value @ (Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null))) =
            read.next()
        {
            self.rest = rest.split_at_checked(read.byte_offset()).map_or("", |(_read, tail)| tail);
            return Ok(value);
        }
        for (word, value) in [("true", true), ("false", false)] {
            if self.keyword(word) {
                return Ok(Value::Bool(value));
            }
        }
        Err(Fault::filter("a value is missing after an operator: text stands in double quotes"))
    }

    /// Whether all is read.
    pub(crate) fn is_done(&self) -> bool {
        self.rest.trim_start().is_empty()
    }

    /// What is left, for an answer.
    pub(crate) fn rest(&self) -> &'t str {
        self.rest
    }
}

/// `ATTRNAME` with `:` and `.` between, and `$ref`.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.' | '$')
}
