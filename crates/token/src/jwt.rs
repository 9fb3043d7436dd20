//! Claims of a JWT that somebody else made (RFC 7519 section 4), asked for one by one with bounds.

use crate::jws::{Jws, JwsRules};
use crate::{Fault, KeySet};
use provost_domain::Timestamp;
use serde_json::{Map, Value};

/// The claims of one JWT.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims(Map<String, Value>);

/// Reads a JWT by `rules` and verifies it with the key of the set that it names.
pub(crate) fn verified(token: &str, rules: &JwsRules<'_>, keys: &KeySet) -> Result<Claims, Fault> {
    let jws = Jws::read(token, rules)?;
    let key = keys.select(jws.kid.as_deref(), jws.algorithm)?;
    jws.verify(key)
}

impl Claims {
    /// All of them.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    pub(crate) const fn new(object: Map<String, Value>) -> Self {
        Self(object)
    }

    /// Any claim, as it stands.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All claims, as one JSON object.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// A text that must be there: not empty, at most 2048 bytes, without control characters.
    ///
    /// # Errors
    /// [`Fault::Missing`], [`Fault::Claim`].
    pub fn text(&self, name: &'static str) -> Result<&str, Fault> {
        self.optional_text(name)?.ok_or(Fault::Missing(name))
    }

    /// As [`Claims::text`], if it is there.
    ///
    /// # Errors
    /// [`Fault::Claim`].
    pub fn optional_text(&self, name: &'static str) -> Result<Option<&str>, Fault> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if is_sane(text) => Ok(Some(text)),
            Some(_) => Err(Fault::Claim(name)),
        }
    }

    /// A moment in seconds since 1970-01-01 UTC (RFC 7519 section 2, NumericDate), fractions cut off, if it is there.
    ///
    /// # Errors
    /// [`Fault::Claim`].
    pub fn optional_seconds(&self, name: &'static str) -> Result<Option<i64>, Fault> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let seconds = value.as_i64().or_else(|| value.as_f64().and_then(whole_seconds));
        seconds.filter(|s| (0..=SECONDS_MAX).contains(s)).map(Some).ok_or(Fault::Claim(name))
    }

    /// As [`Claims::optional_seconds`], and it must be there.
    ///
    /// # Errors
    /// [`Fault::Missing`], [`Fault::Claim`].
    pub fn seconds(&self, name: &'static str) -> Result<i64, Fault> {
        self.optional_seconds(name)?.ok_or(Fault::Missing(name))
    }

    /// `aud` as the list it is, also when written as one text (RFC 7519 section 4.1.3).
    ///
    /// # Errors
    /// [`Fault::Missing`], [`Fault::Claim`].
    pub fn audiences(&self) -> Result<Vec<&str>, Fault> {
        self.texts("aud")?.ok_or(Fault::Missing("aud"))
    }

    /// A claim that is one text or a list of texts, at most 16, if it is there.
    ///
    /// # Errors
    /// [`Fault::Claim`].
    pub fn texts(&self, name: &'static str) -> Result<Option<Vec<&str>>, Fault> {
        let one = |value: &'_ Value| value.as_str().is_some_and(is_sane);
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) if (1..=TEXTS_MAX).contains(&items.len()) && items.iter().all(one) => {
                Ok(Some(items.iter().filter_map(Value::as_str).collect()))
            }
            Some(Value::String(text)) if is_sane(text) => Ok(Some(vec![text])),
            Some(_) => Err(Fault::Claim(name)),
        }
    }

    /// That `aud` names at least one party, and nobody but these. A token that somebody else may accept too could come
    /// from them.
    ///
    /// # Errors
    /// [`Fault::Audience`], [`Fault::Missing`], [`Fault::Claim`].
    pub fn audience_is_only(&self, accepted: &[&str]) -> Result<(), Fault> {
        let all_ours = self.audiences()?.iter().all(|audience| accepted.contains(audience));
        if all_ours { Ok(()) } else { Err(Fault::Audience) }
    }

    /// That `aud` is this one value, as a text or as an array of exactly one.
    ///
    /// # Errors
    /// [`Fault::Audience`], [`Fault::Missing`], [`Fault::Claim`].
    pub fn audience_is_one_of(&self, accepted: &[&str]) -> Result<(), Fault> {
        match self.audiences()?.as_slice() {
            [one] if accepted.contains(one) => Ok(()),
            _ => Err(Fault::Audience),
        }
    }

    /// Judges `exp`, `nbf` and `iat` at `now` and returns `exp`. `exp` counts to the second, without leniency; `nbf` and
    /// `iat` may lie ahead by the skew.
    ///
    /// # Errors
    /// [`Fault::Expired`], [`Fault::NotYet`], [`Fault::LongLived`], [`Fault::Missing`], [`Fault::Claim`].
    pub fn lifetime(&self, now: Timestamp, rules: &Lifetime) -> Result<i64, Fault> {
        let now = now.as_seconds();
        let exp = self.seconds("exp")?;
        let iat = if rules.iat_required { Some(self.seconds("iat")?) } else { self.optional_seconds("iat")? };
        let nbf = self.optional_seconds("nbf")?;
        if now >= exp {
            return Err(Fault::Expired);
        }
        let latest = now.saturating_add(rules.skew_seconds_max);
        if iat.is_some_and(|iat| iat > latest) || nbf.is_some_and(|nbf| nbf > latest) {
            return Err(Fault::NotYet);
        }
        if iat.is_some_and(|iat| iat >= exp) || nbf.is_some_and(|nbf| nbf >= exp) {
            return Err(Fault::Claim("exp"));
        }
        if exp > now.saturating_add(rules.ahead_seconds_max) {
            return Err(Fault::LongLived { seconds_max: rules.ahead_seconds_max });
        }
        Ok(exp)
    }

    /// `jti`: 1 to 256 bytes.
    ///
    /// # Errors
    /// [`Fault::Missing`], [`Fault::Claim`].
    pub fn jti(&self) -> Result<&str, Fault> {
        let jti = self.text("jti")?;
        if jti.len() <= JTI_BYTES_MAX { Ok(jti) } else { Err(Fault::Claim("jti")) }
    }
}

/// How long a JWT may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// `exp` at most so far ahead of now.
    pub ahead_seconds_max: i64,
    /// `iat` and `nbf` at most so far ahead of now; honest clocks differ a little.
    pub skew_seconds_max: i64,
    /// Whether `iat` must be there.
    pub iat_required: bool,
}

pub(crate) fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1_000))
}

fn whole_seconds(value: f64) -> Option<i64> {
    // In range, the integer part of a double is exact.
    #[expect(clippy::cast_possible_truncation, reason = "bounded to 12 digits in the line itself")]
    (0.0..=9e11).contains(&value).then(|| value.floor() as i64)
}

fn is_sane(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Honest clocks differ by less than this.
pub const SKEW_SECONDS_MAX: i64 = 30;
const TEXT_BYTES_MAX: usize = 2_048;
const TEXTS_MAX: usize = 16;
const JTI_BYTES_MAX: usize = 256;
/// 9999-12-31.
const SECONDS_MAX: i64 = 253_402_300_799;
