//! The command line: one struct a command, each doing its work in a file of its own.

pub mod check;
mod doctor;
pub mod fields;
mod health;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config::{Config, EXAMPLE, Scope, StdoutFormat};
use crate::{run, settings};

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
    Run(Run),
    /// Check rule files without loading them
    ///
    /// Shows every mistake of every file at once, each with its file, line and column. Needs no privileges.
    Check(Check),
    /// List the fields that rules may test and outputs may print
    Fields(Fields),
    /// Examine what this host offers, and what is lost where it does not
    ///
    /// Everything is measured now, on this host: never looked up in a list of kernel versions. Exits with 1 if
    /// the agent cannot run here.
    Doctor(Doctor),
    /// Ask a running agent whether it is healthy
    ///
    /// For health checks of containers, in which there is no curl. Exits with 1 if it is not.
    Health(HealthCheck),
    /// Show the configuration
    ///
    /// Without a flag: checks the configuration with the environment's overrides and names the keys that can
    /// be set, with their environment variables.
    Config(ShowConfig),
    /// Print completions for a shell
    ///
    /// As in: vigia completions bash > /etc/bash_completion.d/vigia
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// Configuration file [default: /etc/vigia/vigia.yaml, which may be missing]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    config: ConfigFile,
    /// Rule file or folder, in place of those configured; may be repeated, the order counts
    #[arg(short, long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// How alerts are printed [default: readable on a terminal, JSON otherwise]
    #[arg(short, long, value_enum)]
    output: Option<OutputFormat>,
    /// What is watched: containers, host, or cgroup:/PATH for one cgroup and what is below it
    #[arg(long, value_name = "SCOPE")]
    scope: Option<Scope>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OutputFormat {
    /// One JSON object a line, as Falco prints it
    Json,
    /// One line, as Falco prints it
    Text,
    /// Several lines for a person
    Readable,
}

#[derive(Debug, Args)]
struct Check {
    /// Rule files, and folders of them
    #[arg(required = true, value_name = "RULES")]
    rules: Vec<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Fields {
    /// As what
    #[arg(long, value_enum, default_value_t = FieldsFormat::Table)]
    format: FieldsFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FieldsFormat {
    /// Aligned columns
    Table,
    /// The page docs/fields.md
    Markdown,
    /// One JSON document
    Json,
}

#[derive(Debug, Args)]
struct Doctor {
    #[command(flatten)]
    config: ConfigFile,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct HealthCheck {
    #[command(flatten)]
    config: ConfigFile,
    /// What to ask [default: /healthz at the configured metrics address]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

#[derive(Debug, Args)]
struct ShowConfig {
    #[command(flatten)]
    config: ConfigFile,
    /// Print the commented example, which states every key and its default
    #[arg(long, conflicts_with = "config")]
    example: bool,
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
        Command::Check(flags) => check::check(&flags.rules, flags.json, &mut out),
        Command::Fields(flags) => fields::list(flags.format, &mut out).map(|()| ExitCode::SUCCESS),
        Command::Doctor(flags) => flags
            .config
            .read()
            .and_then(|config| doctor::examine(&config, flags.json, &mut out)),
        Command::Health(flags) => flags.ask(&mut out).map(|()| ExitCode::SUCCESS),
        Command::Config(flags) => flags.show(&mut out).map(|()| ExitCode::SUCCESS),
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
            // Standard error may be closed; there is nobody else to tell.
            let _ = writeln!(io::stderr(), "vigia: {}", one_line(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
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

impl ConfigFile {
    fn read(&self) -> anyhow::Result<Config> {
        let mut config = Config::read(self.config.as_deref())?;
        config.override_from(environment())?;
        Ok(config)
    }
}

/// Variables that are not UTF-8 cannot be ours.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

impl Run {
    fn start(self) -> anyhow::Result<()> {
        let mut config = Config::read(self.config.config.as_deref())?;
        let unknown_variables = config.override_from(environment())?;
        if !self.rules.is_empty() {
            config.rules.paths = self.rules;
        }
        if let Some(scope) = self.scope {
            config.scope = scope;
        }
        match self.output {
            Some(OutputFormat::Json) => config.outputs.stdout.format = StdoutFormat::Json,
            Some(OutputFormat::Readable) => config.outputs.stdout.format = StdoutFormat::Readable,
            Some(OutputFormat::Text) => config.outputs.stdout.format = StdoutFormat::Text,
            None => {}
        }
        run::run(config, &unknown_variables)
    }
}

impl HealthCheck {
    fn ask(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => health::default_url(self.config.read()?.metrics.listen),
        };
        let answer = health::ask(&url).with_context(|| format!("not healthy: {url}"))?;
        writeln!(out, "{answer}")?;
        Ok(())
    }
}

impl ShowConfig {
    fn show(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        if self.example {
            return Ok(out.write_all(EXAMPLE.as_bytes())?);
        }
        // What only its user can tell: whether patterns compile.
        settings::alert_context(&self.config.read()?)?;
        writeln!(
            out,
            "The configuration is valid. Its keys and the environment variables that override them:\n"
        )?;
        let keys = crate::config::environment::keys();
        let width = keys.iter().map(|key| key.path().len()).max().unwrap_or(0);
        for key in keys {
            writeln!(out, "{:width$}  {}", key.path(), key.variable())?;
        }
        writeln!(
            out,
            "\n`vigia config --example` prints each with its meaning and default."
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_read_as_documented() {
        let cli = Cli::try_parse_from([
            "vigia",
            "run",
            "-c",
            "x.yaml",
            "-r",
            "a",
            "-r",
            "b",
            "--output",
            "json",
            "--scope",
            "cgroup:/x",
        ])
        .unwrap();
        let Command::Run(run) = cli.command else {
            panic!("run")
        };
        assert_eq!(run.rules.len(), 2);
        assert_eq!(run.scope, Some(Scope::Cgroup("/x".into())));
        assert!(Cli::try_parse_from(["vigia", "run", "--scope", "everything"]).is_err());
        assert!(Cli::try_parse_from(["vigia", "check"]).is_err());
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
