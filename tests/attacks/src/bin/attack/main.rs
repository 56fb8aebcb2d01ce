//! What acts: a static program that performs one deed a process, under whatever name it is called.
//!
//! ```text
//! attack serve SOCKET      takes orders over a Unix socket: names of rows, each performed by a fresh child; with the
//!                          word `with-peers` it is also whoever its children contact
//! attack perform ACTION    performs a row of the table here, to try it by hand
//! attack DEED ARGUMENT...  does one thing and says on standard output what came of it
//! ```
//!
//! Rules ask for names, so it acts under others, too: a link `httpd` to it is a web server that does `httpd run sh`.
//! A deed ends with 0 only when it had its effect; what it prints is proof that could not be had without.

mod files;
mod net;
mod open;
mod process;
mod race;
mod raw;
mod serve;
mod uring;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let texts: Vec<String> = words
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    match act(&texts) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say(&format!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Does what the words after the name say; the exit code.
fn act(words: &[&str]) -> Result<u8> {
    let (name, words) = words.split_first().unwrap_or((&"", &[]));
    match words {
        ["serve", socket] => serve::serve(socket)?,
        ["serve", socket, "with-peers"] => {
            serve::open_for_business()?;
            serve::serve(socket)?;
        }
        ["perform", action] => return serve::perform_here(action),
        // As if the real program had been called.
        [] | ["hello", ..] => say(&format!("hello from {name}")),
        ["run", program, arguments @ ..] => return process::run(program, arguments),
        [deed, arguments @ ..] => match deeds().find(|(name, _)| name == deed) {
            Some((_, perform)) => perform(arguments)?,
            None => bail!("unknown deed: {deed}"),
        },
    }
    Ok(0)
}

fn deeds() -> impl Iterator<Item = &'static Deed> {
    [
        files::DEEDS,
        net::DEEDS,
        open::DEEDS,
        process::DEEDS,
        race::DEEDS,
    ]
    .into_iter()
    .flatten()
}

/// A deed: its name, and what it does with its arguments.
type Deed = (&'static str, fn(&[&str]) -> Result<()>);

#[allow(
    clippy::print_stdout,
    reason = "what a deed prints is the proof of its effect"
)]
fn say(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use vigia_attacks::row::Place;
    use vigia_attacks::table;

    #[test]
    fn the_table_asks_for_every_deed_and_for_no_other() {
        let known: BTreeSet<_> = deeds().map(|(name, _)| *name).collect();
        let is_ours = |program: &str| program == "attack" || table::NAMES.contains(&program);
        let asked: BTreeSet<_> = table::all()
            // There the names are those of the real programs.
            .filter(|row| row.place != Place::Debian)
            .filter_map(|row| match row.command {
                [program, deed, ..] if is_ours(program) => Some(*deed),
                _ => None,
            })
            .filter(|deed| !["hello", "run"].contains(deed))
            .collect();
        assert_eq!(asked, known);
    }
}
