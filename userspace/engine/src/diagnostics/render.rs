//! How a diagnostic looks on a terminal.

use std::fmt;

use super::{Diagnostic, Severity};

/// Lines are cut to this many characters: rule files are not always written by people.
const WIDEST: usize = 160;
/// Names and messages are cut to this many characters.
const LONGEST: usize = 400;
/// How much of a long line stays in front of the place.
const CONTEXT: usize = 60;

/// Cuts a line around a column (characters, from 0) and says where that column is in what is left.
pub(super) fn cut(line: &str, column: usize) -> (String, usize) {
    let skipped = if column < WIDEST - CONTEXT {
        0
    } else {
        column - CONTEXT
    };
    let start = line
        .char_indices()
        .nth(skipped)
        .map_or(line.len(), |(at, _)| at);
    let shown = line[start..]
        .chars()
        .take(WIDEST)
        .map(printable_char)
        .collect();
    (shown, column - skipped)
}

/// Text without characters that move the cursor, and not more of it than a message needs.
pub(super) fn printable(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST).map(printable_char).collect();
    if shown.len() < text.len() && text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

fn printable_char(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        writeln!(f, "{severity}[{}]: {}", self.code, self.message())?;
        writeln!(
            f,
            "{gutter}--> {}:{}:{}",
            self.source, self.line, self.column
        )?;
        if !self.snippet.is_empty() {
            let room = self
                .snippet
                .chars()
                .count()
                .saturating_sub(self.indent)
                .max(1);
            writeln!(f, "{gutter} |")?;
            writeln!(f, "{number} | {}", self.snippet)?;
            writeln!(
                f,
                "{gutter} | {}{}",
                " ".repeat(self.indent),
                "^".repeat(self.width.min(room))
            )?;
        }
        if let Some(item) = &self.item {
            writeln!(f, "{gutter} = in {item}")?;
        }
        if let Some(help) = self.problem.help() {
            writeln!(f, "{gutter} = help: {}", printable(&help))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = "x".repeat(1000);
        let (shown, indent) = cut(&line, 500);
        assert_eq!((shown.len(), indent), (WIDEST, CONTEXT));
        assert_eq!(cut("a\tb\u{1b}", 2), ("a b\u{fffd}".to_owned(), 2));
    }
}
