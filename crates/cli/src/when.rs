//! Moments as people read them: local RFC 3339, and how long ago.

use provost_api::{Moment, Took};

/// `2026-11-22T07:03:11+01:00 (12 s ago)`.
#[must_use]
pub fn long(moment: Moment) -> String {
    format!("{} ({})", local(moment), relative(moment, now_ms()))
}

/// `12 s ago`, `in 14 min`.
#[must_use]
pub fn short(moment: Moment) -> String {
    relative(moment, now_ms())
}

/// `16 min 2 s` instead of `962s`.
#[must_use]
pub fn length(span: impl Into<Took>) -> String {
    let span = span.into();
    let seconds = span.0.0 / 1_000;
    let parts = [
        (seconds / 86_400, "days"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let words: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    if words.is_empty() { span.to_string() } else { words.join(" ") }
}

/// Local time, RFC 3339 to the second.
#[must_use]
pub fn local(moment: Moment) -> String {
    match jiff::Timestamp::from_millisecond(moment.0.as_millis()) {
        Ok(at) => at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        Err(_beyond_calendars) => moment.to_string(),
    }
}

/// Seconds since 1970-01-01 UTC.
#[must_use]
pub(crate) fn now_seconds() -> i64 {
    now_ms().div_euclid(1_000)
}

fn relative(moment: Moment, now_ms: i64) -> String {
    let ms = now_ms.saturating_sub(moment.0.as_millis());
    let length = span(ms.unsigned_abs());
    match ms {
        0..1_000 => "just now".to_owned(),
        1_000.. => format!("{length} ago"),
        _ => format!("in {length}"),
    }
}

fn span(ms: u64) -> String {
    match ms / 1_000 {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

fn now_ms() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "only to show how long ago something was; nothing is decided by it"
    )]
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_domain::Timestamp;

    #[test]
    fn a_length_of_time_is_told_in_all_its_units() {
        for (text, words) in [("962s", "16 min 2 s"), ("2s", "2 s"), ("24h", "1 days"), ("250ms", "250ms")] {
            assert_eq!(length(text.parse::<provost_api::Span>().unwrap()), words);
        }
    }

    #[test]
    fn how_long_ago_is_told_in_the_unit_that_fits() {
        let table = [
            (0, "just now"),
            (999, "just now"),
            (12_000, "12 s ago"),
            (180_000, "3 min ago"),
            (7_200_000, "2 h ago"),
            (200_000_000, "2 days ago"),
            (-900_000, "in 15 min"),
        ];
        for (ms, text) in table {
            assert_eq!(relative(Moment(Timestamp::from_millis(-ms)), 0), text);
        }
    }
}
