//! The command line: a command is a line in `Command`, a line in [`main`], and a file of its own that holds
//! its flags and does its work.

mod check;
mod configuration;
mod containers;
mod doctor;
mod explain;
mod fields;
mod health;
mod quantity;
mod record;
mod recordings;
mod replay;
mod run;
mod schema;
mod test;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{CommandFactory, Parser, Subcommand};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default());

/// Watches containers through eBPF, judges what they do by rules, and raises alerts.
///
/// `vigia run` needs root, or CAP_BPF and CAP_PERFMON with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. Every
/// other command runs as anybody.
#[derive(Debug, Parser)]
#[command(name = "vigia", version, styles = STYLES, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 failed, or what was checked does not hold; 2 wrong usage."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch, and raise alerts until SIGTERM or SIGINT
    ///
    /// Alerts go to standard output (and wherever the configuration says), the agent's own log to standard
    /// error. SIGHUP reopens output files, for log rotation.
    Run(run::Run),
    /// Record what containers do, to judge it later
    ///
    /// Writes the events that rules can match, with everything the rules may test, into one file that
    /// `vigia replay` judges on any machine. Secrets are removed before anything is written. Ends at SIGINT
    /// or SIGTERM, or when one of the bounds is reached. Needs the privileges of `vigia run`.
    Record(record::Record),
    /// Judge a recording by rules
    ///
    /// Prints the alerts that an agent with these rules would have raised. Needs no privileges, and prints
    /// the same whenever and wherever it runs.
    Replay(replay::Replay),
    /// Check rule files without loading them
    ///
    /// Shows every mistake of every file at once, each with its file, line and column. Needs no privileges.
    Check(check::Check),
    /// Test rules: that they fire when they must, and only then
    ///
    /// Runs the cases of *.test.yaml files: events in a few words, each with the rule that must fire or must stay
    /// silent. A failure is shown with the part of the condition that decided. Needs no privileges.
    Test(test::Test),
    /// Take a rule apart, or say why it fires for an event
    ///
    /// Shows its event types, fields, macros and lists, and the order in which its condition is judged; with --event
    /// the part of the condition that decides. Needs no privileges.
    Explain(explain::Explain),
    /// List the fields that rules may test and outputs may print
    Fields(fields::Fields),
    /// List the containers that run, what they promise, and what posture rules find
    ///
    /// Asks the engines and reads /proc; no agent need run. Of secrets only the names are shown. Needs root to see what
    /// others run.
    Containers(containers::Containers),
    /// Examine what this host offers, and what is lost where it does not
    ///
    /// Everything is measured now, on this host: never looked up in a list of kernel versions. Exits with 1 if
    /// the agent cannot run here.
    Doctor(doctor::Doctor),
    /// Ask a running agent whether it is healthy
    ///
    /// For health checks of containers, in which there is no curl. Exits with 1 if it is not.
    Health(health::HealthCheck),
    /// Show the configuration
    ///
    /// Without a flag: checks the configuration with the environment's overrides and names the keys that can
    /// be set, with their environment variables.
    Config(configuration::ShowConfig),
    /// Print a JSON schema, by which editors complete and check files
    ///
    /// As in: vigia schema rules > rules.schema.json, and in the first line of a rule file:
    /// # yaml-language-server: $schema=rules.schema.json
    Schema(schema::Schema),
    /// Print completions for a shell
    ///
    /// As in: vigia completions bash > /etc/bash_completion.d/vigia
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Runs the command that the process's arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    // Alerts have standard output to themselves: `run` must not find it locked.
    let result = match cli.command {
        Command::Run(flags) => {
            drop(out);
            return report(flags.start().map(|()| ExitCode::SUCCESS));
        }
        Command::Record(flags) => {
            drop(out);
            return report(flags.start().map(|()| ExitCode::SUCCESS));
        }
        Command::Replay(flags) => flags.run(&mut out),
        Command::Check(flags) => flags.run(&mut out),
        Command::Test(flags) => flags.run(&mut out),
        Command::Explain(flags) => flags.run(&mut out),
        Command::Fields(flags) => flags.run(&mut out),
        Command::Containers(flags) => flags.run(&mut out),
        Command::Doctor(flags) => flags.run(&mut out),
        Command::Health(flags) => flags.run(&mut out),
        Command::Config(flags) => flags.run(&mut out),
        Command::Schema(flags) => flags.run(&mut out),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "vigia", &mut out);
            Ok(ExitCode::SUCCESS)
        }
    };
    report(result.and_then(|code| {
        out.flush()?;
        Ok(code)
    }))
}

/// Prints an error and its causes in one line; a reader that went away is none.
fn report(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("vigia: {}", one_line(&format!("{error:#}"))));
            ExitCode::FAILURE
        }
    }
}

/// Standard error may be closed; there is nobody else to tell.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A message that cannot span lines or steer a terminal, whatever a path or a library put into it.
fn one_line(message: &str) -> String {
    let words = message.split_whitespace().collect::<Vec<_>>().join(" ");
    words
        .chars()
        .map(|character| {
            if character.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                character
            }
        })
        .collect()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does() {
        for command in Cli::command().get_subcommands() {
            let about = command
                .get_about()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(about.len() > 15, "{}", command.get_name());
        }
    }
}
