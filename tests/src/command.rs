//! Running other programs: no terminal, a time limit, and errors that carry what they said.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// A command that is ended after `limit`, by `timeout(1)`, so that nothing can hang a test run.
#[must_use]
pub fn limited(limit: Duration, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("timeout");
    command
        .arg("--kill-after=5")
        .arg(format!("{}", limit.as_secs().max(1)))
        .arg(program);
    command.stdin(Stdio::null());
    command
}

/// Runs to the end and gives back standard output without surrounding space.
///
/// # Errors
/// The program cannot be started, or ended with something other than 0; standard error is in the message.
pub fn output(command: &mut Command) -> Result<String> {
    let output = run(command)?;
    ensure!(
        output.status.success(),
        "{}: {}: {}{}",
        describe(command),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim(),
        String::from_utf8_lossy(&output.stdout).trim(),
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs to the end, whatever the end.
///
/// # Errors
/// The program cannot be started.
pub fn run(command: &mut Command) -> Result<Output> {
    command
        .output()
        .with_context(|| format!("starting {}", describe(command)))
}

/// The command line, without the `timeout` in front.
fn describe(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let skip = if words.first().is_some_and(|word| word == "timeout") {
        3
    } else {
        0
    };
    words.get(skip..).unwrap_or_default().join(" ")
}
