//! Strict reading of small JSON: bounded in depth and size, and no member name twice. RFC 8725 section 2.4: readers that
//! disagree on which of two members counts are how one token comes to mean two things.

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::cell::Cell;
use std::fmt;

/// Why a text is not a JSON object we accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonFault {
    /// Not JSON, not an object, too deep or too large.
    Unreadable,
    /// A member name twice in one object.
    Duplicate,
}

/// The object that is the whole text.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, JsonFault> {
    match value(bytes)? {
        Value::Object(object) => Ok(object),
        _ => Err(JsonFault::Unreadable),
    }
}

/// The value that is the whole text.
pub(crate) fn value(bytes: &[u8]) -> Result<Value, JsonFault> {
    let budget = Budget { values: Cell::new(VALUES_MAX), duplicate: Cell::new(false) };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let fault = |_error| match budget.duplicate.get() {
        true => JsonFault::Duplicate,
        false => JsonFault::Unreadable,
    };
    let value = Strict { budget: &budget, depth: DEPTH_MAX }.deserialize(&mut reader).map_err(fault)?;
    reader.end().map_err(fault)?;
    Ok(value)
}

struct Budget {
    values: Cell<usize>,
    duplicate: Cell<bool>,
}

#[derive(Clone, Copy)]
struct Strict<'b> {
    budget: &'b Budget,
    depth: usize,
}

impl Strict<'_> {
    fn spend<E: serde::de::Error>(self) -> Result<(), E> {
        let left = self.budget.values.get().checked_sub(1).ok_or_else(|| E::custom("too many values"))?;
        self.budget.values.set(left);
        Ok(())
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.spend()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(seed)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if object.contains_key(&name) {
                self.budget.duplicate.set(true);
                return Err(A::Error::custom("a member name twice"));
            }
            let value = map.next_value_seed(seed)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

const DEPTH_MAX: usize = 32;
const VALUES_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_name_twice_is_refused_wherever_it_stands() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"x":[{"a":1,"\u0061":2}]}"#, r#"{"x":{"y":{"a":{},"a":{}}}}"#] {
            assert_eq!(object(text.as_bytes()), Err(JsonFault::Duplicate), "{text}");
        }
        assert!(object(br#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#).is_ok());
    }

    #[test]
    fn depth_size_and_what_follows_are_bounded() {
        let deep = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(object(deep(DEPTH_MAX - 1).as_bytes()).is_ok());
        assert_eq!(object(deep(DEPTH_MAX).as_bytes()), Err(JsonFault::Unreadable));
        let wide = |n: usize| format!("{{\"a\":[{}]}}", vec!["0"; n].join(","));
        assert!(object(wide(VALUES_MAX - 2).as_bytes()).is_ok());
        assert_eq!(object(wide(VALUES_MAX - 1).as_bytes()), Err(JsonFault::Unreadable));
        for text in ["{} {}", "[]", "1", "", "{\"a\":\"\\ud800\"}", "{\"a\":1e999}"] {
            assert_eq!(object(text.as_bytes()), Err(JsonFault::Unreadable), "{text}");
        }
    }
}
