//! How bad it is when a rule fires.

use std::fmt;
use std::str::FromStr;

/// The priority of a rule, most urgent first; `Ord` puts the more urgent one before the less urgent one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are those of syslog")]
pub enum Priority {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Informational,
    #[default]
    Debug,
}

impl Priority {
    /// All priorities, most urgent first.
    pub const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Informational,
        Self::Debug,
    ];

    /// The word that stands in alerts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Emergency => "Emergency",
            Self::Alert => "Alert",
            Self::Critical => "Critical",
            Self::Error => "Error",
            Self::Warning => "Warning",
            Self::Notice => "Notice",
            Self::Informational => "Informational",
            Self::Debug => "Debug",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is no priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such priority")]
pub struct NotAPriority;

impl FromStr for Priority {
    type Err = NotAPriority;

    /// Reads a priority, in any case; `INFO` is short for `Informational`.
    fn from_str(text: &str) -> Result<Self, NotAPriority> {
        if text.eq_ignore_ascii_case("info") {
            return Ok(Self::Informational);
        }
        Self::ALL
            .into_iter()
            .find(|priority| priority.name().eq_ignore_ascii_case(text))
            .ok_or(NotAPriority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_any_case() {
        for (text, expected) in [
            ("INFO", Ok(Priority::Informational)),
            ("informational", Ok(Priority::Informational)),
            ("Warning", Ok(Priority::Warning)),
            ("EMERGENCY", Ok(Priority::Emergency)),
            ("warn", Err(NotAPriority)),
            ("", Err(NotAPriority)),
        ] {
            assert_eq!(text.parse::<Priority>(), expected, "{text}");
        }
    }

    #[test]
    fn the_more_urgent_one_comes_first() {
        assert!(Priority::Critical < Priority::Notice);
    }
}
