//! `vigia replay`: a recording, judged.

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use vigia_alerts::{Form, Throttle};
use vigia_engine::Ruleset;
use vigia_recording::{Limits, Origin};

use super::configuration::ConfigFile;
use super::record;
use super::run::OutputFormat;
use crate::config::{Config, Matching};
use crate::judge::Judge;
use crate::replay::{Summary, replay};
use crate::{rules, settings};

/// Flags of `vigia replay`.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The recording
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
    /// Rule file or folder, in place of those configured; may be repeated, the order counts
    #[arg(short, long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// How alerts are printed [default: readable on a terminal, JSON otherwise]
    #[arg(long, value_enum)]
    output: Option<OutputFormat>,
    /// Let every rule that matches an event raise its alert, not only the first, and fold no repeats
    #[arg(long)]
    all_matches: bool,
}

impl Replay {
    /// Exit code 1 means that the recording could not be read to its end.
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        let mut config = self.config.read()?;
        if self.all_matches {
            config.rules.matching = Matching::All;
        }
        let paths = if self.rules.is_empty() {
            &config.rules.paths
        } else {
            &self.rules
        };
        let ruleset = load(&config, paths)?;
        let mut reader = vigia_recording::open(&self.file, Limits::default())?;
        for note in notes(reader.origin(), &ruleset) {
            say(&note);
        }
        let mut throttle = settings::throttle(&config);
        if self.all_matches {
            throttle.window = std::time::Duration::ZERO;
        }
        let context = settings::alert_context(&config)?;
        let mut judge = Judge::new(ruleset, Throttle::new(throttle), context);
        let summary = replay(
            &mut reader,
            &mut judge,
            self.form(),
            settings::rendering(&config),
            out,
        )?;
        out.flush()?;
        say(&in_words(&summary));
        if let Some(trailer) = reader.trailer() {
            say(&format!("the recording: {}", record::summary(trailer)));
        }
        match summary.error {
            Some(error) => Err(error.into()),
            None => Ok(ExitCode::SUCCESS),
        }
    }

    fn form(&self) -> Form {
        let is_terminal = io::stdout().is_terminal();
        let colour = is_terminal && std::env::var_os("NO_COLOR").is_none();
        match self.output {
            Some(OutputFormat::Json) => Form::Json,
            Some(OutputFormat::Text) => Form::Text,
            Some(OutputFormat::Readable) => Form::Readable { colour },
            None if is_terminal => Form::Readable { colour },
            None => Form::Json,
        }
    }
}

/// Reads and compiles rules; says what is wrong with them.
fn load(config: &Config, paths: &[PathBuf]) -> anyhow::Result<Ruleset> {
    let sources = rules::load(paths)?;
    let compiled = vigia_engine::compile(&sources, &settings::engine(config));
    for diagnostic in &compiled.diagnostics {
        say(diagnostic.to_string().trim_end());
    }
    match compiled.ruleset {
        Some(ruleset) => Ok(ruleset),
        None => bail!("the rules have errors"),
    }
}

/// What the rules ask for and the recording cannot say.
fn notes(origin: &Origin, ruleset: &Ruleset) -> Vec<String> {
    let missing: Vec<&str> = ruleset
        .event_types()
        .iter()
        .map(vigia_event::EventType::name)
        .filter(|name| !origin.event_types.iter().any(|recorded| recorded == name))
        .collect();
    let mut notes = Vec::new();
    if !missing.is_empty() {
        notes.push(format!(
            "note: rules name events that were not recorded: {}",
            missing.join(", ")
        ));
    }
    if ruleset.uses_environment() && !origin.environment {
        notes.push("note: rules test the environment, which was not recorded".to_owned());
    }
    notes
}

fn in_words(summary: &Summary) -> String {
    format!(
        "{} events judged, {} matches, {} alerts",
        summary.events, summary.matches, summary.alerts
    )
}

/// Standard output belongs to the alerts.
fn say(text: &str) {
    // Who closed standard error does not want to know.
    let _ = writeln!(io::stderr(), "{text}");
}
