//! An alert as bytes: the JSON line, Falco's text line, and a form for people at a terminal.
//!
//! A line is never longer than [`MAX_LINE_BYTES`], always valid, and never carries a raw control character.

mod json;
mod readable;

use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::alert::Alert;
use crate::text::escape;

pub use json::MAX_LINE_BYTES;

/// How points in time are printed in text; JSON's `time` is always UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeStyle {
    /// The zone of a short time.
    pub zone: TimeZone,
    /// Print date, time and zone (UTC) instead of the local time of day.
    pub iso8601: bool,
}

impl Default for TimeStyle {
    /// The local time of day.
    fn default() -> Self {
        Self {
            zone: TimeZone::system(),
            iso8601: false,
        }
    }
}

/// How alerts are written, whatever the output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenderOptions {
    /// How the time in front of an output is printed.
    pub time: TimeStyle,
    /// What a JSON line holds.
    pub json: JsonProperties,
}

/// Which of the properties that can be left out a JSON line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonProperties {
    /// `message`: the rule's output without time and priority.
    pub message: bool,
    /// `output`: the whole text line.
    pub output: bool,
    /// `output_fields`.
    pub output_fields: bool,
    /// `tags`.
    pub tags: bool,
}

impl Default for JsonProperties {
    /// All but `message`.
    fn default() -> Self {
        Self {
            message: false,
            output: true,
            output_fields: true,
            tags: true,
        }
    }
}

/// An alert with its renderings, each made at most once however many outputs want it.
#[derive(Debug)]
pub struct Rendered {
    alert: Alert,
    options: RenderOptions,
    json: OnceLock<String>,
    text: OnceLock<String>,
}

impl Rendered {
    /// Takes an alert; nothing is rendered yet.
    #[must_use]
    pub fn new(alert: Alert, options: RenderOptions) -> Self {
        Self {
            alert,
            options,
            json: OnceLock::new(),
            text: OnceLock::new(),
        }
    }

    /// The alert.
    #[must_use]
    pub fn alert(&self) -> &Alert {
        &self.alert
    }

    /// One JSON object with sorted keys, without a line end.
    #[must_use]
    pub fn json(&self) -> &str {
        self.json
            .get_or_init(|| json::line(&self.alert, &self.headline(), self.options.json))
    }

    /// Falco's line: `TIME: Priority message`, escaped like a JSON string, without a line end.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| escape(&self.headline()))
    }

    /// Several lines for a person, with a line end.
    #[must_use]
    pub fn readable(&self, colour: bool) -> String {
        readable::lines(&self.alert, &self.options.time, colour)
    }

    fn headline(&self) -> String {
        let Alert {
            priority,
            message,
            time_ns,
            ..
        } = &self.alert;
        format!(
            "{}: {priority} {message}",
            self.options.time.print(*time_ns)
        )
    }
}

impl TimeStyle {
    /// A point in time, nanoseconds since the epoch.
    #[must_use]
    pub fn print(&self, time_ns: u64) -> String {
        let time = timestamp(time_ns);
        if self.iso8601 {
            return time.strftime("%Y-%m-%dT%H:%M:%S.%9f+0000").to_string();
        }
        time.to_zoned(self.zone.clone())
            .strftime("%H:%M:%S.%9f")
            .to_string()
    }
}

/// The time of an alert in JSON: `2026-01-31T12:00:00.000000001Z`.
fn utc(time_ns: u64) -> String {
    timestamp(time_ns)
        .strftime("%Y-%m-%dT%H:%M:%S.%9fZ")
        .to_string()
}

/// A time outside what a calendar can name (none that a clock shows) becomes the epoch.
fn timestamp(time_ns: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(time_ns)).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
