//! Day and minute on the wall clock of a place. The time zone rules are part of the program, so that a replay on
//! another machine reads the same clock.

use jiff::tz::TimeZone;
use provost_domain::Timestamp;

/// A time zone by its IANA name.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    jiff::tz::TimeZoneDatabase::bundled().get(name).ok()
}

/// The day (`mon` to `sun`) and the minute of the day (0-1439); nothing for moments outside the calendar.
pub(crate) fn day_and_minute(now: Timestamp, zone: &TimeZone) -> Option<(&'static str, i64)> {
    let moment = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?;
    let local = zone.to_datetime(moment);
    let day = match local.weekday() {
        jiff::civil::Weekday::Monday => "mon",
        jiff::civil::Weekday::Tuesday => "tue",
        jiff::civil::Weekday::Wednesday => "wed",
        jiff::civil::Weekday::Thursday => "thu",
        jiff::civil::Weekday::Friday => "fri",
        jiff::civil::Weekday::Saturday => "sat",
        jiff::civil::Weekday::Sunday => "sun",
    };
    Some((day, i64::from(local.hour()) * 60 + i64::from(local.minute())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_follows_the_place_and_its_summer_time() {
        for (utc, name, expected) in [
            ("2026-01-05T00:30:00Z", "UTC", ("mon", 30)),
            ("2026-01-04T23:30:00Z", "Europe/Berlin", ("mon", 30)),
            ("2026-07-05T22:30:00Z", "Europe/Berlin", ("mon", 30)),
            ("2026-01-05T04:59:59Z", "America/New_York", ("sun", 1439)),
            ("1969-12-31T23:59:59Z", "UTC", ("wed", 1439)),
        ] {
            let moment: jiff::Timestamp = utc.parse().unwrap();
            let now = Timestamp::from_millis(moment.as_millisecond());
            assert_eq!(day_and_minute(now, &zone(name).unwrap()), Some(expected), "{utc} {name}");
        }
        assert!(zone("Mars/Olympus").is_none());
        assert_eq!(day_and_minute(Timestamp::from_millis(i64::MAX), &TimeZone::UTC), None);
    }
}
