//! Decimal numbers with up to four fraction digits, the range Cedar's `decimal` has, so that a limit in a charter
//! and an amount in an argument compare exactly. No binary fractions anywhere.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// A decimal number: a whole count of ten-thousandths in 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(i64);

impl Decimal {
    /// From a count of ten-thousandths: `Decimal::from_units(15_000)` is 1.5.
    #[must_use]
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// The count of ten-thousandths.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// The exact decimal a JSON number was written as.
    ///
    /// # Errors
    /// When it needs more than four fraction digits, or is out of range.
    pub fn from_json(number: &serde_json::Number) -> Result<Self, DecimalError> {
        if let Some(whole) = number.as_i64() {
            return whole.checked_mul(UNITS).map(Self).ok_or_else(|| DecimalError(number.to_string()));
        }
        // The shortest text that reads back as the same double: what the sender wrote, for up to 15 digits.
        number.to_string().parse()
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let error = || DecimalError(text.chars().take(40).collect());
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let significant = fraction.trim_end_matches('0');
        if !plain(whole) || !plain(fraction) || significant.len() > FRACTION_DIGITS {
            return Err(error());
        }
        let scaled = format!("{significant:0<FRACTION_DIGITS$}");
        let units = (|| {
            let whole = whole.parse::<i64>().ok()?.checked_mul(UNITS)?;
            let total = whole.checked_add(scaled.parse::<i64>().ok()?)?;
            Some(if negative { -total } else { total })
        })();
        units.map(Self).ok_or_else(error)
    }
}

impl fmt::Display for Decimal {
    /// Always with a fraction (`500.0`, `0.25`), which is also how Cedar writes its literals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / UNITS, (self.0 % UNITS).unsigned_abs());
        let sign = if self.0 < 0 && whole == 0 { "-" } else { "" };
        let fraction = format!("{rest:04}");
        let fraction = fraction.trim_end_matches('0');
        write!(f, "{sign}{whole}.{}", if fraction.is_empty() { "0" } else { fraction })
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::parsed::deserialize(deserializer)
    }
}

/// A number that is not an exact decimal in range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a decimal with at most four fraction digits between ±922337203685477.5807")]
pub struct DecimalError(String);

const FRACTION_DIGITS: usize = 4;
const UNITS: i64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_decimal_reads_as_it_prints(units in -i64::MAX..=i64::MAX) {
            let decimal = Decimal::from_units(units);
            prop_assert_eq!(decimal.to_string().parse::<Decimal>().unwrap(), decimal);
        }
    }

    #[test]
    fn json_numbers_become_exactly_what_was_written() {
        for (json, units) in [
            ("500", 5_000_000),
            ("0.1", 1_000),
            ("-0.25", -2_500),
            ("500.00", 5_000_000),
            ("99.9999", 999_999),
        ] {
            let number: serde_json::Number = serde_json::from_str(json).unwrap();
            assert_eq!(Decimal::from_json(&number).unwrap().units(), units, "{json}");
        }
        for json in ["0.00001", "1e30", "18446744073709551615", "1e-7"] {
            let number: serde_json::Number = serde_json::from_str(json).unwrap();
            assert!(Decimal::from_json(&number).is_err(), "{json}");
        }
    }
}
