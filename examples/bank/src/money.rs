//! Money as whole cents, so that no sum ever depends on binary fractions.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Number;

/// An amount in euro cents; negative when it left the account.
///
/// Serialized as a JSON number of euros with two decimals at most (`9400`, `12.5`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cents(i64);

/// Why a number is not an amount a transfer can carry.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not an amount: give EUR between 0.01 and 1000000 with two decimals at most")]
pub struct AmountError(String);

impl Cents {
    /// The most one transfer may carry: EUR 1,000,000.
    pub const TRANSFER_MAX: Self = Self(100_000_000);

    /// Takes whole cents.
    #[must_use]
    pub const fn new(cents: i64) -> Self {
        Self(cents)
    }

    /// Reads a JSON number of euros, as a tool argument carries it; from 0.01 to [`Self::TRANSFER_MAX`].
    ///
    /// The decimal text of the number is read, never the binary fraction, so `0.29` is 29 cents.
    ///
    /// # Errors
    /// [`AmountError`] for more than two decimals, an exponent, zero, a sign, or too much.
    pub fn from_euros(number: &Number) -> Result<Self, AmountError> {
        let text = number.to_string();
        let refused = || AmountError(text.clone());
        let (euros, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let cents = match fraction.len() {
            0 => 0,
            1 => fraction.parse::<u8>().map_err(|_| refused())? * 10,
            2 => fraction.parse::<u8>().map_err(|_| refused())?,
            _ => return Err(refused()),
        };
        let euros: u32 = euros.parse().map_err(|_| refused())?;
        let amount = Self(i64::from(euros) * 100 + i64::from(cents));
        if amount > Self(0) && amount <= Self::TRANSFER_MAX { Ok(amount) } else { Err(refused()) }
    }

    /// Whole cents.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "EUR {sign}{}.{:02}", cents / 100, cents % 100)
    }
}

impl Serialize for Cents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 100 == 0 {
            return serializer.serialize_i64(self.0 / 100);
        }
        // Two decimals of an i64 far below 2^53 survive the trip through the nearest f64 unchanged.
        #[expect(clippy::cast_precision_loss, reason = "balances stay far below 2^53 cents")]
        serializer.serialize_f64(self.0 as f64 / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<i64> {
        Cents::from_euros(&serde_json::from_str(text).unwrap()).ok().map(Cents::get)
    }

    #[test]
    fn amounts_are_read_from_their_decimal_text() {
        let rows = [
            ("0.01", Some(1)),
            ("0.29", Some(29)),
            ("1.1", Some(110)),
            ("9400", Some(940_000)),
            ("9400.0", Some(940_000)),
            ("1000000", Some(100_000_000)),
            ("1000000.01", None),
            ("0", None),
            ("-5", None),
            ("0.001", None),
            ("1e3", Some(100_000)),
            ("1e300", None),
            ("18446744073709551615", None),
        ];
        for (given, then) in rows {
            assert_eq!(read(given), then, "{given}");
        }
    }

    #[test]
    fn amounts_are_written_as_euros() {
        let rows = [(940_000, "9400"), (29, "0.29"), (-1_250, "-12.5"), (0, "0")];
        for (given, then) in rows {
            assert_eq!(serde_json::to_string(&Cents::new(given)).unwrap(), then);
        }
        assert_eq!(Cents::new(-1_205).to_string(), "EUR -12.05");
    }
}
