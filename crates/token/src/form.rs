//! Forms, read strictly (application/x-www-form-urlencoded): bounded, valid UTF-8, and each parameter once (RFC 6749
//! section 3.2), except the two that are lists.

use crate::{OauthCode, OauthError, Secret};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The parameters of one request. Its Debug shows names only.
pub(crate) struct Form {
    values: BTreeMap<String, Vec<Zeroizing<String>>>,
}

impl Form {
    /// Reads a body or query. Parameters without a value count as not sent (RFC 6749 section 3.2).
    pub(crate) fn parse(text: &[u8]) -> Result<Self, OauthError> {
        if text.len() > FORM_BYTES_MAX {
            return Err(invalid(format!("the form is longer than {FORM_BYTES_MAX} bytes")));
        }
        let mut values: BTreeMap<String, Vec<Zeroizing<String>>> = BTreeMap::new();
        for (count, pair) in text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).enumerate() {
            if count >= PARAMETERS_MAX {
                return Err(invalid(format!("the form has more than {PARAMETERS_MAX} parameters")));
            }
            let cut = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at_checked(cut).unwrap_or((pair, &[]));
            let decode = |part: &[u8]| {
                decoded(part)
                    .ok_or_else(|| invalid("the form is not well formed: check its % escapes and UTF-8"))
            };
            let (name, value) = (decode(name)?, Zeroizing::new(decode(value.get(1..).unwrap_or_default())?));
            if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(invalid("the form has a parameter whose name is empty, too long or not ASCII"));
            }
            if value.is_empty() {
                continue;
            }
            let entry = values.entry(name.clone()).or_default();
            if !entry.is_empty() && !LISTS.contains(&name.as_str()) {
                return Err(invalid(format!("the parameter {name} is there twice; send it once")));
            }
            if entry.len() >= LIST_MAX {
                return Err(invalid(format!("the parameter {name} is there more than {LIST_MAX} times")));
            }
            entry.push(value);
        }
        Ok(Self { values })
    }

    /// A parameter, at most `bytes_max` long and without control characters, if it was sent.
    pub(crate) fn text(&self, name: &str, bytes_max: usize) -> Result<Option<&str>, OauthError> {
        let Some(value) = self.values.get(name).and_then(|values| values.first()) else { return Ok(None) };
        if value.len() > bytes_max || value.chars().any(char::is_control) {
            let text =
                format!("the parameter {name} is longer than {bytes_max} bytes or has control characters");
            return Err(invalid(text));
        }
        Ok(Some(value))
    }

    /// As [`Form::text`], and it must be there.
    pub(crate) fn need(&self, name: &str, bytes_max: usize) -> Result<&str, OauthError> {
        self.text(name, bytes_max)?.ok_or_else(|| invalid(format!("the parameter {name} is missing")))
    }

    /// As [`Form::need`], for what nobody else may see.
    pub(crate) fn secret(&self, name: &str, bytes_max: usize) -> Result<Secret, OauthError> {
        self.need(name, bytes_max).map(|text| Secret::new(text.to_owned()))
    }

    /// All values of a list.
    pub(crate) fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values.get(name).into_iter().flatten().map(|value| value.as_str())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The parameters that `known` does not name, bounded like any other. They are ignored by the protocol (RFC 6749
    /// section 3.2), and extensions of our own are among them.
    pub(crate) fn others(
        &self,
        known: &[&str],
        bytes_max: usize,
    ) -> Result<BTreeMap<String, String>, OauthError> {
        let mut others = BTreeMap::new();
        for name in self.values.keys().filter(|name| !known.contains(&name.as_str())) {
            others.extend(self.text(name, bytes_max)?.map(|value| (name.clone(), value.to_owned())));
        }
        Ok(others)
    }
}

fn decoded(part: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
                let (high, low) = (rest.next().and_then(digit)?, rest.next().and_then(digit)?);
                high << 4 | low
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn invalid(text: impl Into<std::borrow::Cow<'static, str>>) -> OauthError {
    OauthError::new(OauthCode::InvalidRequest, text)
}

/// May be there more than once (RFC 8707 section 2, RFC 8693 section 2.1).
const LISTS: &[&str] = &["resource", "audience"];
const FORM_BYTES_MAX: usize = 65_536;
const PARAMETERS_MAX: usize = 48;
const NAME_BYTES_MAX: usize = 64;
const LIST_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_strictly_or_not_at_all() {
        let form = Form::parse(b"a=b%20c+d&resource=x&resource=y&empty=&&e=%C3%A4").unwrap();
        assert_eq!(form.text("a", 10), Ok(Some("b c d")));
        assert_eq!(form.list("resource").collect::<Vec<_>>(), ["x", "y"]);
        assert!(!form.has("empty") && form.text("e", 2) == Ok(Some("\u{e4}")));
        assert_eq!(form.others(&["a", "resource"], 9).unwrap().into_keys().collect::<Vec<_>>(), ["e"]);
        for bad in [
            "a=1&a=2",
            "a=1&a=1",
            "scope=a&%73cope=b",
            "a=%",
            "a=%4",
            "a=%zz",
            "a=%+1",
            "a=%ff",
            "=x",
            "a%20b=x",
            &format!("{}=x", "a".repeat(65)),
            &format!("a={}", "b".repeat(FORM_BYTES_MAX)),
            &(0..=PARAMETERS_MAX).map(|n| format!("a{n}=x")).collect::<Vec<_>>().join("&"),
            &["resource=x"; LIST_MAX + 1].join("&"),
        ] {
            assert!(Form::parse(bad.as_bytes()).is_err(), "{:.40}", bad);
        }
        let form = Form::parse(b"long=aaaa&control=%00").unwrap();
        assert!(
            form.text("long", 3).is_err() && form.text("control", 3).is_err() && form.need("no", 3).is_err()
        );
    }
}
