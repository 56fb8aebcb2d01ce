//! `vigia run`: flags over environment over file, then the agent.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::configuration::{ConfigFile, environment};
use crate::config::{Config, Scope, StdoutFormat};
use crate::recorder;

/// Flags of `vigia run`.
#[derive(Debug, Args)]
pub(super) struct Run {
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
    /// Also write what is judged into a recording, which `vigia replay` judges again
    ///
    /// Ends at 64 MiB; the agent goes on.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum OutputFormat {
    /// One JSON object a line, as Falco prints it
    Json,
    /// One line, as Falco prints it
    Text,
    /// Several lines for a person
    Readable,
}

impl Run {
    /// Runs the agent until it is told to stop.
    pub(super) fn start(self) -> anyhow::Result<()> {
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
        let recording = self.record.map(|path| recorder::Options {
            path,
            bounds: vigia_recording::WriterOptions::default(),
            duration: None,
            instead_of_rules: false,
            everything: false,
        });
        crate::run::run(config, &unknown_variables, recording)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        run: Run,
    }

    #[test]
    fn flags_read_as_documented() {
        let line = [
            "vigia",
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
        ];
        let run = Line::try_parse_from(line).unwrap().run;
        assert_eq!(run.rules.len(), 2);
        assert_eq!(run.scope, Some(Scope::Cgroup("/x".into())));
        assert!(Line::try_parse_from(["vigia", "--scope", "everything"]).is_err());
    }
}
