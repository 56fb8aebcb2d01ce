//! Counting instructions: the program runs itself under callgrind, which counts only while the stream is judged.

use std::process::Command;

use crate::results::EVENTS;

/// Which form of the rules judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The compiled one.
    Compiled,
    /// The conditions as they were written.
    AsWritten,
}

impl Form {
    /// The word on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Compiled => "judge",
            Self::AsWritten => "judge-as-written",
        }
    }
}

/// Instructions per event of the stream, judged once by so many rules.
///
/// # Errors
/// In words, why they were not counted: there is no valgrind, or it failed.
pub fn instructions(rules: usize, form: Form) -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--toggle-collect=*judge_stream*",
        ])
        .arg(program)
        .args([form.word(), &rules.to_string()])
        .output()
        .map_err(|error| format!("starting valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind: {}", output.status));
    }
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .and_then(|(_, count)| count.trim().parse::<u32>().ok())
        .filter(|&count| count > 0)
        .ok_or("valgrind counted nothing")?;
    let events = u32::try_from(EVENTS).map_err(|error| error.to_string())?;
    Ok(f64::from(collected) / f64::from(events))
}
