//! Canonical JSON (RFC 8785): one value, one text, so that a digest names an action and a record for ever.
//!
//! Every call that is decided is written in this form more than once, so it is written in one pass into one buffer: an
//! object's members as they come, put in order at its end only if they came in another. A test holds it against a library
//! that follows the RFC's own steps.

use serde::Serialize;
use serde_json::{
    Serializer,
    ser::{CharEscape, Formatter},
};
use std::{
    cmp::Ordering,
    io::{self, Write as _},
    ops::Range,
};

/// The canonical text of a value. A number that is not finite, which no JSON can hold, is written as `null`.
///
/// # Errors
/// When the value cannot be JSON: a map with keys that are not strings.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, CanonicalError> {
    let mut out = Vec::with_capacity(TEXT_BYTES_USUAL);
    let sheet = Sheet { out: &mut out, members: Vec::new(), objects: Vec::new() };
    let written = value.serialize(&mut Serializer::with_formatter(io::sink(), sheet));
    written.map_err(|source| CanonicalError { source: source.into() })?;
    String::from_utf8(out).map_err(|source| CanonicalError { source: source.into() })
}

/// A value that has no canonical JSON.
#[derive(Debug, thiserror::Error)]
#[error("the value has no canonical JSON form (RFC 8785)")]
pub struct CanonicalError {
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// What is written, and where in it the members of the objects begin that are not yet at their end. What the serializer
/// offers to write into is not used: what is written must be found again.
struct Sheet<'a> {
    out: &'a mut Vec<u8>,
    members: Vec<Member>,
    /// For each open object, how many of `members` are of objects around it.
    objects: Vec<usize>,
}

/// A member, as ranges of what is written.
struct Member {
    key: Range<usize>,
    end: usize,
}

impl Sheet<'_> {
    fn put(&mut self, text: &[u8]) -> io::Result<()> {
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn number(&mut self, number: f64) -> io::Result<()> {
        if !number.is_finite() {
            return self.put(b"null");
        }
        self.put(ryu_js::Buffer::new().format_finite(number).as_bytes())
    }

    /// A whole number is written as the double it is to the RFC (section 3.2.2.3); below 2^53 that is its digits.
    fn whole<N: Copy + TryInto<i64> + std::fmt::Display>(
        &mut self,
        number: N,
        double: f64,
    ) -> io::Result<()> {
        match number.try_into() {
            Ok(exact) if exact.unsigned_abs() <= EXACT_MAX => write!(self.out, "{exact}"),
            _ => self.number(double),
        }
    }

    /// Puts the members of the innermost object in order, if they are not.
    fn close(&mut self) -> io::Result<()> {
        let members = self.members.split_off(self.objects.pop().unwrap_or(0));
        let key = |member: &Member| self.out.get(member.key.clone()).unwrap_or_default();
        if members.is_sorted_by(|a, b| order(key(a), key(b)).is_le()) {
            return Ok(());
        }
        let Some(start) = members.first().map(|first| first.key.start) else { return Ok(()) };
        let mut sorted: Vec<&Member> = members.iter().collect();
        sorted.sort_by(|a, b| order(key(a), key(b)));
        let mut text = Vec::with_capacity(self.out.len() - start);
        for member in sorted {
            if !text.is_empty() {
                text.push(b',');
            }
            text.extend_from_slice(self.out.get(member.key.start..member.end).unwrap_or_default());
        }
        self.out.truncate(start);
        self.put(&text)
    }
}

/// By UTF-16 code units (RFC 8785 section 3.2.3). The keys are as written, with quotes and escapes.
fn order(a: &[u8], b: &[u8]) -> Ordering {
    let plain = |key: &[u8]| key.iter().all(|byte| byte.is_ascii() && *byte != b'\\');
    if plain(a) && plain(b) {
        // The closing quote would sort behind some characters: `a"` and `a!"`.
        let inner = |key: &'_ [u8]| key.len().saturating_sub(1);
        return a.get(..inner(a)).cmp(&b.get(..inner(b)));
    }
    let read = |key: &[u8]| serde_json::from_slice::<String>(key).unwrap_or_default();
    read(a).encode_utf16().cmp(read(b).encode_utf16())
}

impl Formatter for Sheet<'_> {
    fn write_null<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.put(b"null")
    }

    fn write_bool<W: ?Sized + io::Write>(&mut self, _: &mut W, value: bool) -> io::Result<()> {
        self.put(if value { b"true" } else { b"false" })
    }

    fn write_i8<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i8) -> io::Result<()> {
        self.whole(value, value.into())
    }

    fn write_i16<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i16) -> io::Result<()> {
        self.whole(value, value.into())
    }

    fn write_i32<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i32) -> io::Result<()> {
        self.whole(value, value.into())
    }

    fn write_i64<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i64) -> io::Result<()> {
        self.whole(value, value as f64)
    }

    fn write_i128<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i128) -> io::Result<()> {
        self.whole(value, value as f64)
    }

    fn write_u8<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u8) -> io::Result<()> {
        self.whole(value, value.into())
    }

    fn write_u16<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u16) -> io::Result<()> {
        self.whole(value, value.into())
    }

    fn write_u32<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u32) -> io::Result<()> {
        self.whole(value, value.into())
    }

    fn write_u64<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u64) -> io::Result<()> {
        self.whole(value, value as f64)
    }

    fn write_u128<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u128) -> io::Result<()> {
        self.whole(value, value as f64)
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, _: &mut W, value: f32) -> io::Result<()> {
        self.number(value.into())
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, _: &mut W, value: f64) -> io::Result<()> {
        self.number(value)
    }

    fn write_number_str<W: ?Sized + io::Write>(&mut self, _: &mut W, value: &str) -> io::Result<()> {
        self.number(value.parse().map_err(io::Error::other)?)
    }

    fn begin_string<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.put(b"\"")
    }

    fn end_string<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.put(b"\"")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, _: &mut W, fragment: &str) -> io::Result<()> {
        self.put(fragment.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, _: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::Quote => self.put(b"\\\""),
            CharEscape::ReverseSolidus => self.put(b"\\\\"),
            CharEscape::Solidus => self.put(b"/"),
            CharEscape::Backspace => self.put(b"\\b"),
            CharEscape::FormFeed => self.put(b"\\f"),
            CharEscape::LineFeed => self.put(b"\\n"),
            CharEscape::CarriageReturn => self.put(b"\\r"),
            CharEscape::Tab => self.put(b"\\t"),
            CharEscape::AsciiControl(byte) => write!(self.out, "\\u{byte:04x}"),
        }
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.put(b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.put(b"]")
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, _: &mut W, first: bool) -> io::Result<()> {
        self.put(if first { b"" } else { b"," })
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.objects.push(self.members.len());
        self.put(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.close()?;
        self.put(b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W, first: bool) -> io::Result<()> {
        self.put(if first { b"" } else { b"," })?;
        let start = self.out.len();
        self.members.push(Member { key: start..start, end: start });
        Ok(())
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        let end = self.out.len();
        self.members.last_mut().into_iter().for_each(|member| member.key.end = end);
        Ok(())
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.put(b":")
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        let end = self.out.len();
        self.members.last_mut().into_iter().for_each(|member| member.end = end);
        Ok(())
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, _: &mut W, fragment: &str) -> io::Result<()> {
        let value: serde_json::Value = serde_json::from_str(fragment)?;
        let text = to_string(&value).map_err(io::Error::other)?;
        self.put(text.as_bytes())
    }
}

/// 2^53: up to here every whole number is a double of its own.
const EXACT_MAX: u64 = 1 << 53;
/// Most records fit.
const TEXT_BYTES_USUAL: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    #[test]
    fn members_are_sorted_and_numbers_written_one_way() {
        let value = json!({"b": 1.0, "a": [true, null, "\u{e9}"], "A": 1e21});
        assert_eq!(to_string(&value).unwrap(), r#"{"A":1e+21,"a":[true,null,"é"],"b":1}"#);
    }

    #[test]
    fn members_are_sorted_by_their_utf_16_code_units() {
        // RFC 8785 section 3.2.3, with keys that only escapes or prefixes tell apart.
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis", "a": 1, "a!": 2, "a\"": 3, "a\\": 4, "a b": 5,
        });
        assert_eq!(to_string(&value).unwrap(), serde_json_canonicalizer::to_string(&value).unwrap());
    }

    #[test]
    fn what_is_no_json_has_no_canonical_form() {
        assert!(to_string(&std::collections::BTreeMap::from([((1, 2), 3)])).is_err());
    }

    fn value() -> impl Strategy<Value = Value> {
        let number = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-20_i64..20).prop_map(|n| Value::from((1_i64 << 53).wrapping_add(n))),
            (-20_i64..20).prop_map(|n| Value::from((-(1_i64 << 53)).wrapping_sub(n))),
            any::<f64>().prop_map(Value::from),
            Just(json!(-0.0)),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            number,
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x7f]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            let key = prop_oneof![any::<String>(), "[a-c\\x00-\\x22\\\\]{0,3}", "[a-e]{1,2}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_writes_what_a_library_of_the_rfc_writes(value in value()) {
            prop_assert_eq!(to_string(&value).unwrap(), serde_json_canonicalizer::to_string(&value).unwrap());
        }
    }
}
