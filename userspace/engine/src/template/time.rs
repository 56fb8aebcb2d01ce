//! Points in time as outputs print them.

use std::fmt::Write;

const DAY_SECONDS: i64 = 86_400;

/// How a time is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeFormat {
    /// `13:53:31.726060287`, local.
    TimeOfDay { fraction: bool },
    /// `2026-01-21 13:53:31.726060287`, local.
    DateTime { fraction: bool },
    /// `2026-01-21T13:53:31.726060287+0000`, always UTC.
    Iso8601,
}

/// Appends a time in nanoseconds since the epoch.
pub(super) fn print(line: &mut String, format: TimeFormat, ns: u64, utc_offset_seconds: i32) {
    let offset = if format == TimeFormat::Iso8601 {
        0
    } else {
        i64::from(utc_offset_seconds)
    };
    let seconds = i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX / 2) + offset;
    let (year, month, day) = date(seconds.div_euclid(DAY_SECONDS));
    let second = seconds.rem_euclid(DAY_SECONDS);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let nanosecond = ns % 1_000_000_000;
    // Writing to a string cannot fail.
    let _ = match format {
        TimeFormat::TimeOfDay { .. } => Ok(()),
        TimeFormat::DateTime { .. } => write!(line, "{year:04}-{month:02}-{day:02} "),
        TimeFormat::Iso8601 => write!(line, "{year:04}-{month:02}-{day:02}T"),
    };
    let _ = write!(line, "{hour:02}:{minute:02}:{second:02}");
    let _ = match format {
        TimeFormat::TimeOfDay { fraction } | TimeFormat::DateTime { fraction } if !fraction => {
            Ok(())
        }
        TimeFormat::Iso8601 => write!(line, ".{nanosecond:09}+0000"),
        _ => write!(line, ".{nanosecond:09}"),
    };
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. Counts in eras of 400
/// years that begin in March, so that the leap day is the last of its year.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_in_falco() {
        let ns = 1_769_003_611_726_060_287;
        for (format, offset, expected) in [
            (
                TimeFormat::TimeOfDay { fraction: true },
                0,
                "13:53:31.726060287",
            ),
            (TimeFormat::TimeOfDay { fraction: false }, 3600, "14:53:31"),
            (
                TimeFormat::DateTime { fraction: true },
                -50_400,
                "2026-01-20 23:53:31.726060287",
            ),
            (
                TimeFormat::Iso8601,
                3600,
                "2026-01-21T13:53:31.726060287+0000",
            ),
        ] {
            let mut line = String::new();
            print(&mut line, format, ns, offset);
            assert_eq!(line, expected);
        }
    }

    #[test]
    fn days_become_dates() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (19_782, (2024, 2, 29)),
            (-1, (1969, 12, 31)),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
    }
}
