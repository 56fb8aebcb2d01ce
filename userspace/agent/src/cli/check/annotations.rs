//! The result as workflow commands of GitHub, which shows each beside the line it is about.

use std::io::Write;

use super::{Checked, Unreadable};

/// Prints one command a diagnostic, then the summary for those who read the log.
pub(super) fn list(checked: &Checked<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    for file in checked.unreadable {
        writeln!(
            out,
            "::error file={},title={}::{}",
            property(&file.name),
            property(Unreadable::CODE.name()),
            data(&file.message),
        )?;
    }
    for diagnostic in checked.diagnostics {
        let severity = if diagnostic.is_error() {
            "error"
        } else {
            "warning"
        };
        let mut message = diagnostic.problem.to_string();
        if let Some(help) = diagnostic.problem.help() {
            message.push('\n');
            message.push_str(&help);
        }
        writeln!(
            out,
            "::{severity} file={},line={},col={},title={}::{}",
            property(&diagnostic.source),
            diagnostic.line,
            diagnostic.column,
            property(diagnostic.code.name()),
            data(&message),
        )?;
    }
    writeln!(out, "{}", checked.summary())?;
    Ok(())
}

/// Text that stands behind `::`; what could steer the terminal of a log is taken out.
fn data(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '%' => escaped.push_str("%25"),
            '\n' => escaped.push_str("%0A"),
            _ if character.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Text that stands between `=` and `,`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
