//! Time as values. Nothing in a pure crate reads a clock; whoever calls hands the moment in.

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970-01-01 UTC, leap seconds ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, as JWT claims want them (RFC 7519 section 2, NumericDate).
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This moment plus a duration; saturates at the ends of time.
    #[must_use]
    pub const fn plus(self, duration: DurationMs) -> Self {
        Self(self.0.saturating_add_unsigned(duration.0))
    }

    /// This moment minus a duration; saturates at the ends of time.
    #[must_use]
    pub const fn minus(self, duration: DurationMs) -> Self {
        Self(self.0.saturating_sub_unsigned(duration.0))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> DurationMs {
        let delta = self.0.saturating_sub(earlier.0);
        DurationMs(if delta > 0 { delta.unsigned_abs() } else { 0 })
    }
}

/// A length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DurationMs(pub u64);

impl DurationMs {
    /// `n` seconds.
    #[must_use]
    pub const fn from_secs(n: u64) -> Self {
        Self(n.saturating_mul(1_000))
    }

    /// `n` minutes.
    #[must_use]
    pub const fn from_mins(n: u64) -> Self {
        Self::from_secs(n.saturating_mul(60))
    }

    /// As the standard library's type.
    #[must_use]
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }

    /// Reads `90s`, `15m`, `24h`, `7d`, `250ms`.
    ///
    /// # Errors
    /// When the text is not a whole number followed by one of those units, or is zero or too long to count.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).ok_or_else(|| DurationError(text.to_owned()))?;
        let factor: u64 = match unit.trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(DurationError(text.to_owned())),
        };
        match number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)) {
            Some(ms) if ms > 0 && ms <= DURATION_MS_MAX => Ok(Self(ms)),
            _ => Err(DurationError(text.to_owned())),
        }
    }
}

impl std::fmt::Display for DurationMs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            ms if ms >= 86_400_000 && ms % 86_400_000 == 0 => write!(f, "{}d", ms / 86_400_000),
            ms if ms >= 3_600_000 && ms % 3_600_000 == 0 => write!(f, "{}h", ms / 3_600_000),
            ms if ms >= 60_000 && ms % 60_000 == 0 => write!(f, "{}m", ms / 60_000),
            ms if ms >= 1_000 && ms % 1_000 == 0 => write!(f, "{}s", ms / 1_000),
            ms => write!(f, "{ms}ms"),
        }
    }
}

/// A duration that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a duration: write a whole number with a unit, such as 90s, 15m, 24h or 7d (at most 10 years)"
)]
pub struct DurationError(String);

/// Where the present moment comes from. Implemented by the system clock in `store` and by hand in tests.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

const DURATION_MS_MAX: u64 = 3_653 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_as_it_prints() {
        for (text, ms) in
            [("250ms", 250), ("90s", 90_000), ("15m", 900_000), ("24h", 86_400_000), ("7d", 604_800_000)]
        {
            let read = DurationMs::parse(text).unwrap();
            assert_eq!(read.0, ms, "{text}");
            assert_eq!(DurationMs::parse(&read.to_string()).unwrap(), read, "{text}");
        }
    }

    #[test]
    fn a_duration_without_unit_or_out_of_range_is_refused_with_the_cure() {
        for text in ["", "5", "m", "0s", "-3s", "1.5h", "99999999999d", "é"] {
            let message = DurationMs::parse(text).unwrap_err().to_string();
            assert!(message.contains("90s"), "{message}");
        }
    }
}
