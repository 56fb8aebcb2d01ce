//! What came of tests, as text for people and as data.

mod junit;

use std::fmt;

use serde::Serialize;

pub use junit::junit;

use crate::coverage::RuleCoverage;

/// What came of all files.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// File by file.
    pub files: Vec<FileReport>,
    /// What was tried of each rule of the rule files; empty unless asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coverage: Vec<RuleCoverage>,
}

/// What came of one file.
#[derive(Debug, Serialize)]
pub struct FileReport {
    /// Its path.
    pub file: String,
    /// Case by case.
    pub cases: Vec<CaseReport>,
}

/// What came of one case.
#[derive(Debug, Serialize)]
pub struct CaseReport {
    /// The rule it is about.
    pub rule: String,
    /// Its name.
    pub name: String,
    /// Its line in the file, from 1.
    pub line: usize,
    /// Its column, from 1.
    pub column: usize,
    /// `fires`, `stays_silent` or `undecided`.
    pub expected: &'static str,
    /// Whether everything is as expected.
    pub passed: bool,
    /// What is not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
    /// Why the rule fired or did not, where that was not expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Every alert there was, also of other rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<AlertReport>,
}

/// An alert.
#[derive(Debug, Serialize)]
pub struct AlertReport {
    /// The rule.
    pub rule: String,
    /// What it says.
    pub output: String,
    /// Whether it depends on values that have not come.
    pub undecided: bool,
}

impl Report {
    /// Every case with its file.
    pub fn cases(&self) -> impl Iterator<Item = (&str, &CaseReport)> {
        self.files
            .iter()
            .flat_map(|file| file.cases.iter().map(|case| (file.file.as_str(), case)))
    }

    /// Whether every case passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.cases().all(|(_, case)| case.passed)
    }
}

/// The failures with their reasons, what was never tried, and a summary.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (file, case) in self.cases().filter(|(_, case)| !case.passed) {
            writeln!(
                f,
                "{}:{}:{}: {}: {}",
                shown(file),
                case.line,
                case.column,
                shown(&case.rule),
                shown(&case.name)
            )?;
            for failure in &case.failures {
                writeln!(f, "  {}", shown(failure))?;
            }
            // Made of lines by the engine, which has escaped what it shows.
            for line in case.why.iter().flat_map(|why| why.lines()) {
                writeln!(f, "  {line}")?;
            }
            let others = case.alerts.iter().filter(|alert| alert.rule != case.rule);
            for alert in others {
                writeln!(f, "  another rule fires: {}", shown(&alert.rule))?;
            }
            writeln!(f)?;
        }
        for rule in &self.coverage {
            untried(f, rule)?;
        }
        let (mut passed, mut failed) = (0, 0);
        for (_, case) in self.cases() {
            *(if case.passed {
                &mut passed
            } else {
                &mut failed
            }) += 1;
        }
        write!(
            f,
            "{} in {}",
            count(passed + failed, "case"),
            count(self.files.len(), "file")
        )?;
        writeln!(f, ": {passed} passed, {failed} failed")
    }
}

fn untried(f: &mut fmt::Formatter<'_>, rule: &RuleCoverage) -> fmt::Result {
    let mut lines = Vec::new();
    match (rule.fires, rule.stays_silent) {
        (0, 0) => lines.push("has no cases".to_owned()),
        (0, _) => lines.push("has no case that must fire".to_owned()),
        (_, 0) => lines.push("has no case that must stay silent".to_owned()),
        _ => {}
    }
    lines.extend(
        rule.never_true
            .iter()
            .map(|part| format!("never true:  {part}")),
    );
    lines.extend(
        rule.never_false
            .iter()
            .map(|part| format!("never false: {part}")),
    );
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(f, "{}", shown(&rule.rule))?;
    for line in lines {
        writeln!(f, "  {}", shown(&line))?;
    }
    writeln!(f)
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Without what steers a terminal.
fn shown(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                character
            }
        })
        .collect()
}
