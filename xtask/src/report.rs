//! What a verb found: a list of checks, as a table for people or as JSON.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

/// The outcome of one verb.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    verb: &'static str,
    passed: bool,
    checks: Vec<Check>,
    /// What was found beyond whether it holds: only JSON carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<serde_json::Value>,
    /// The last lines of the table, where they say more than how many checks passed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) closing: Vec<String>,
}

/// One thing that holds or does not, perhaps made of several.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    /// What was checked.
    pub(crate) name: String,
    /// How many parts of it hold.
    pub(crate) passed: u32,
    /// How many do not.
    pub(crate) failed: u32,
    /// How long it took.
    pub(crate) seconds: f64,
    /// What else there is to say; empty for nothing.
    pub(crate) note: String,
}

impl Report {
    pub(crate) fn new(verb: &'static str) -> Self {
        Self {
            verb,
            passed: true,
            checks: Vec::new(),
            data: None,
            closing: Vec::new(),
        }
    }

    /// The report of a verb that could not do its work.
    pub(crate) fn failure(verb: &'static str, error: &anyhow::Error) -> Self {
        let mut report = Self::new(verb);
        report.add(Check::judged(
            "could not be done",
            Duration::ZERO,
            &Err(anyhow::anyhow!("{error:#}")),
        ));
        report
    }

    /// The report of a verb that does one thing.
    pub(crate) fn of_one<T>(
        verb: &'static str,
        name: &str,
        act: impl FnOnce() -> Result<T>,
    ) -> Result<Self> {
        let mut report = Self::new(verb);
        report.act(name, act);
        Ok(report)
    }

    /// Does something and adds whether it worked.
    pub(crate) fn act<T>(&mut self, name: &str, act: impl FnOnce() -> Result<T>) -> Option<T> {
        eprintln!("==> {name}");
        let start = Instant::now();
        let result = act();
        let (value, judged) = match result {
            Ok(value) => (Some(value), Ok(())),
            Err(error) => {
                eprintln!("error: {error:#}");
                (None, Err(error))
            }
        };
        self.add(Check::judged(name, start.elapsed(), &judged));
        value
    }

    pub(crate) fn add(&mut self, check: Check) {
        self.passed &= check.failed == 0;
        self.checks.push(check);
    }

    /// Takes over the checks of another verb.
    pub(crate) fn absorb(&mut self, other: Self) {
        for check in other.checks {
            self.add(check);
        }
    }

    pub(crate) fn passed(&self) -> bool {
        self.passed
    }

    /// How many parts of all checks hold, and how many do not.
    pub(crate) fn counts(&self) -> (u32, u32) {
        self.checks.iter().fold((0, 0), |(passed, failed), check| {
            (passed + check.passed, failed + check.failed)
        })
    }

    pub(crate) fn print(&self, json: bool) {
        if json {
            match serde_json::to_string_pretty(self) {
                Ok(text) => println!("{text}"),
                Err(error) => eprintln!("error: {error}"),
            }
            return;
        }
        println!();
        for line in self.table() {
            println!("{line}");
        }
    }

    /// For people: a line for each check, and the sums.
    pub(crate) fn table(&self) -> Vec<String> {
        let width = self
            .checks
            .iter()
            .map(|check| check.name.chars().count())
            .max()
            .unwrap_or(0);
        let mut lines: Vec<_> = self.checks.iter().map(|check| check.line(width)).collect();
        if self.closing.is_empty() {
            let (passed, failed) = self.counts();
            lines.push(format!("{passed} passed, {failed} failed"));
        }
        lines.extend(self.closing.iter().cloned());
        lines
    }
}

impl Check {
    fn line(&self, width: usize) -> String {
        let word = if self.failed == 0 { "ok    " } else { "FAILED" };
        let note = self.note.lines().next().unwrap_or_default();
        let counts = match (self.passed, self.failed) {
            (1, 0) | (0, 1) => String::new(),
            (passed, 0) => format!("{passed} passed"),
            (passed, failed) => format!("{passed} passed, {failed} failed"),
        };
        let gap = if counts.is_empty() || note.is_empty() {
            ""
        } else {
            "; "
        };
        let line = format!(
            "{word}  {name:width$}  {seconds:6.1} s  {counts}{gap}{note}",
            name = self.name,
            seconds = self.seconds,
        );
        line.trim_end().to_owned()
    }

    /// A check without parts.
    pub(crate) fn judged(name: &str, took: Duration, result: &Result<()>) -> Self {
        let note = match result {
            Ok(()) => String::new(),
            Err(error) => format!("{error:#}"),
        };
        let failed = u32::from(result.is_err());
        Self {
            name: name.to_owned(),
            passed: 1 - failed,
            failed,
            seconds: took.as_secs_f64(),
            note,
        }
    }
}
