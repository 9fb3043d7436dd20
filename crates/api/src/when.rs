//! Moments and durations as text.

use provost_domain::{DurationMs, Timestamp, time::DurationError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;

/// A moment: RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-22T05:54:29.123Z")]
pub struct Moment(pub Timestamp);

/// A duration: a whole number and a unit, one of `ms`, `s`, `m`, `h`, `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, example = "15m")]
pub struct Span(pub DurationMs);

/// A duration that was measured or reckoned, as [`Span`]; it may be nothing: `0ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, example = "12ms")]
pub struct Took(pub DurationMs);

impl From<DurationMs> for Took {
    fn from(length: DurationMs) -> Self {
        Self(length)
    }
}

impl From<Span> for Took {
    fn from(span: Span) -> Self {
        Self(span.0)
    }
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.0 == 0 { f.write_str(NOTHING) } else { self.0.fmt(f) }
    }
}

impl FromStr for Took {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        if text == NOTHING { Ok(Self(DurationMs(0))) } else { DurationMs::parse(text).map(Self) }
    }
}

const NOTHING: &str = "0ms";

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl From<DurationMs> for Span {
    fn from(length: DurationMs) -> Self {
        Self(length)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0.as_millis()) {
            Ok(at) => write!(f, "{at:.3}"),
            // Beyond the year 9999, which RFC 3339 cannot write: its last moment.
            Err(_beyond) => f.write_str("9999-12-30T22:00:00.000Z"),
        }
    }
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let at: jiff::Timestamp =
            text.parse().map_err(|_not_a_moment| MomentError(text.chars().take(64).collect()))?;
        Ok(Self(Timestamp::from_millis(at.as_millisecond())))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Span {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        DurationMs::parse(text).map(Self)
    }
}

macro_rules! as_text {
    ($($type:ident),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(Moment, Span, Took);

/// A text that is not a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MomentError(String);

impl std::error::Error for MomentError {}

impl fmt::Display for MomentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a moment: write it as RFC 3339, such as 2026-11-22T05:54:29Z", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_it_prints() {
        for (millis, text) in
            [(0, "1970-01-01T00:00:00.000Z"), (1_795_326_869_123, "2026-11-22T05:54:29.123Z")]
        {
            let moment = Moment(Timestamp::from_millis(millis));
            assert_eq!(moment.to_string(), text);
            assert_eq!(text.parse::<Moment>().unwrap(), moment);
        }
        assert!("yesterday".parse::<Moment>().unwrap_err().to_string().contains("RFC 3339"));
    }

    #[test]
    fn a_moment_no_calendar_holds_still_prints() {
        for millis in [i64::MAX, 253_402_207_200_000] {
            let text = Moment(Timestamp::from_millis(millis)).to_string();
            assert!(text.starts_with("9999-12-30T2"), "{text}");
        }
    }

    #[test]
    fn a_span_reads_as_it_prints() {
        let span: Span = serde_json::from_str("\"15m\"").unwrap();
        assert_eq!(serde_json::to_string(&span).unwrap(), "\"15m\"");
        assert!(serde_json::from_str::<Span>("\"15\"").is_err());
    }

    #[test]
    fn what_took_no_time_reads_as_it_prints_too() {
        for text in ["\"0ms\"", "\"12ms\"", "\"2m\""] {
            let took: Took = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&took).unwrap(), text);
        }
    }

    #[test]
    fn what_took_no_time_at_all_reads_as_it_prints() {
        for text in ["\"0ms\"", "\"12ms\"", "\"2s\""] {
            let took: Took = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&took).unwrap(), text);
        }
        assert!(serde_json::from_str::<Span>("\"0ms\"").is_err(), "nobody asks for nothing");
    }
}
