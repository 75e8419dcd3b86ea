//! Moments for people: when it is by their own clock, and how far that is from now; and how they write
//! one themselves. Pure: the zone and the time are given.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::api::condition::whole_seconds;
use crate::api::value::Duration;

/// By what moments are told: the time, and the reader's zone.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    /// The time.
    pub(super) now: Timestamp,
    /// The reader's zone.
    pub(super) zone: TimeZone,
}

impl Watch {
    /// `2026-12-01 13:00:00 CET (in 9 days 4 h)`.
    pub(super) fn tell(&self, moment: Timestamp) -> String {
        format!("{} ({})", self.absolute(moment), self.relative(moment))
    }

    /// `2026-12-01 13:00:00 CET`.
    pub(super) fn absolute(&self, moment: Timestamp) -> String {
        moment.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// `in 9 days 4 h`, `2 min ago`, `now`.
    pub(super) fn relative(&self, moment: Timestamp) -> String {
        let apart = moment.duration_since(self.now);
        match apart.as_secs() {
            0 => "now".to_owned(),
            later if later > 0 => format!("in {}", length(apart)),
            _ => format!("{} ago", length(apart)),
        }
    }
}

/// A length in its two largest units.
pub(super) fn length(length: SignedDuration) -> String {
    let seconds = length.as_secs().unsigned_abs();
    let days = seconds / 86_400;
    let units = [
        (days, if days == 1 { "day" } else { "days" }),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let told = units.iter().skip(first).take(2).enumerate();
    let told = told.filter(|(place, (count, _))| *place == 0 || *count > 0);
    told.map(|(_, (count, unit))| format!("{count} {unit}")).collect::<Vec<_>>().join(" ")
}

/// An end that somebody names: RFC 3339, with its offset.
pub(super) fn absolute(text: &str) -> Result<Timestamp, String> {
    let moment: Timestamp = text.parse().map_err(
        |_discarded| "write it as 2026-12-01T12:00:00Z, or with an offset: 2026-12-01T13:00:00+01:00",
    )?;
    Ok(whole_seconds(moment))
}

/// A length that somebody names: as in a contract, and days.
pub(super) fn span(text: &str) -> Result<SignedDuration, String> {
    let wrong = || "write it as 24h, 1h30m, 45m or 7d".to_owned();
    let (days, rest) = match text.split_once('d') {
        Some((days, rest)) => (days.parse::<i64>().ok().filter(|days| *days >= 0).ok_or_else(wrong)?, rest),
        None => (0, text),
    };
    let days = days.checked_mul(86_400).map(SignedDuration::from_secs).ok_or_else(wrong)?;
    let rest = if rest.is_empty() && !text.is_empty() {
        Some(SignedDuration::ZERO)
    } else {
        Duration::from(rest).length()
    };
    let whole = rest.and_then(|rest| days.checked_add(rest)).ok_or_else(wrong)?;
    if whole >= SignedDuration::from_secs(1) { Ok(whole) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Watch {
        let zone = TimeZone::get("Europe/Stockholm").expect("a zone");
        Watch { now: "2026-12-01T12:00:00Z".parse().expect("a moment"), zone }
    }

    #[test]
    fn a_moment_is_told_by_the_readers_clock_and_from_now() {
        let told = |text: &str| watch().tell(text.parse().expect("a moment"));
        assert_eq!(told("2026-12-10T16:30:00Z"), "2026-12-10 17:30:00 CET (in 9 days 4 h)");
        assert_eq!(told("2026-12-01T11:58:00Z"), "2026-12-01 12:58:00 CET (2 min ago)");
        assert_eq!(told("2026-12-01T12:00:00.2Z"), "2026-12-01 13:00:00 CET (now)");
        assert_eq!(told("2026-12-02T12:00:05Z"), "2026-12-02 13:00:05 CET (in 1 day)");
        assert_eq!(told("2026-12-01T12:01:05Z"), "2026-12-01 13:01:05 CET (in 1 min 5 s)");
    }

    #[test]
    fn an_end_is_read_with_its_offset_and_no_other_way() {
        let utc = absolute("2026-12-01T12:00:00Z").expect("it can be read");
        assert_eq!(absolute("2026-12-01T13:00:00+01:00"), Ok(utc));
        for wrong in ["", "tomorrow", "2026-12-01", "2026-12-01T12:00:00", "12:00"] {
            assert!(absolute(wrong).expect_err(wrong).contains("2026-12-01T12:00:00Z"));
        }
    }

    #[test]
    fn a_length_is_read_as_in_a_contract_and_in_days() {
        let hours = |text: &str| span(text).map(|length| length.as_secs());
        assert_eq!(hours("24h"), Ok(86_400));
        assert_eq!(hours("7d"), Ok(7 * 86_400));
        assert_eq!(hours("1d12h"), Ok(36 * 3_600));
        assert_eq!(hours("90m"), Ok(5_400));
        for wrong in ["", "d", "0h", "-1h", "24", "1w", "99999999999999999d", "0d", "1ms"] {
            assert!(hours(wrong).is_err(), "{wrong}");
        }
    }
}
