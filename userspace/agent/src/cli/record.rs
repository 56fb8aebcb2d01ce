//! `vigia record`: the running agent's events in a file, in place of alerts.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use vigia_recording::{Trailer, WriterOptions};

use super::configuration::{ConfigFile, environment};
use super::quantity;
use crate::config::{Config, Scope};
use crate::recorder::Options;

/// Flags of `vigia record`.
#[derive(Debug, Args)]
pub(super) struct Record {
    #[command(flatten)]
    config: ConfigFile,
    /// The recording to be made; it has its name when it is whole
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Rule file or folder whose events are recorded, in place of those configured; may be repeated
    #[arg(short, long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Record every event the probes can deliver, also those that no rule asks for
    #[arg(long)]
    all: bool,
    /// What is watched: containers, host, or cgroup:/PATH for one cgroup and what is below it
    #[arg(long, value_name = "SCOPE")]
    scope: Option<Scope>,
    /// Stop after this time, as in 30s, 5m or 2h [default: when told to]
    #[arg(long, value_name = "TIME", value_parser = quantity::duration)]
    duration: Option<Duration>,
    /// Stop before the file grows beyond this, as in 64M or 2G
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes, default_value = "64M")]
    max_size: u64,
    /// Stop after this many events
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    max_events: Option<u64>,
}

impl Record {
    /// Records until a bound is reached or the process is told to stop; says on standard error what there is.
    pub(super) fn start(self) -> anyhow::Result<()> {
        let mut config = Config::read(self.config.config.as_deref())?;
        let unknown_variables = config.override_from(environment())?;
        if !self.rules.is_empty() {
            config.rules.paths = self.rules;
        }
        if let Some(scope) = self.scope {
            config.scope = scope;
        }
        // An agent may run beside it: its alerts, receivers and addresses are not ours.
        config.outputs.stdout.enabled = false;
        config.outputs.file.path = None;
        config.outputs.webhooks.clear();
        config.metrics.enabled = false;
        let options = Options {
            path: self.output.clone(),
            bounds: WriterOptions {
                max_bytes: self.max_size,
                max_events: self.max_events.unwrap_or(u64::MAX),
            },
            duration: self.duration,
            instead_of_rules: true,
            everything: self.all,
        };
        if let Some(trailer) = crate::run::run(config, &unknown_variables, Some(options))? {
            // Who closed standard error does not want to know.
            let _ = writeln!(
                io::stderr(),
                "{}: {}",
                self.output.display(),
                summary(&trailer)
            );
        }
        Ok(())
    }
}

/// What is in a recording and what is not.
pub(super) fn summary(trailer: &Trailer) -> String {
    let Trailer {
        events,
        lost,
        ending,
        ended_ns: _,
    } = trailer;
    let missing = [
        (lost.unseen, "lost by the probes or the ring"),
        (lost.overflow, "lost because the recorder was too slow"),
        (lost.too_large, "too large"),
    ];
    let missing: Vec<String> = missing
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{count} {why}"))
        .collect();
    let missing = if missing.is_empty() {
        "nothing is missing".to_owned()
    } else {
        format!("missing: {}", missing.join(", "))
    };
    format!(
        "{events} events; {missing}; ended because {}",
        ending.reason()
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use vigia_recording::{Ending, Losses};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        record: Record,
    }

    #[test]
    fn flags_read_as_documented() {
        let line = "vigia -o x --duration 30s --max-size 8M --max-events 5 --scope host --all -r a";
        let record = Line::try_parse_from(line.split(' ')).unwrap().record;
        assert_eq!(record.duration, Some(Duration::from_secs(30)));
        assert_eq!((record.max_size, record.max_events), (8 << 20, Some(5)));
        assert!(record.all);
        for wrong in [
            "vigia",
            "vigia -o x --duration soon",
            "vigia -o x --max-size 1",
            "vigia -o x --max-events 0",
        ] {
            assert!(Line::try_parse_from(wrong.split(' ')).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let trailer = |lost| Trailer {
            events: 7,
            lost,
            ending: Ending::MaxEvents,
            ended_ns: 0,
        };
        assert_eq!(
            summary(&trailer(Losses::default())),
            "7 events; nothing is missing; ended because it has as many events as it may"
        );
        let lost = Losses {
            unseen: 1,
            overflow: 2,
            too_large: 3,
            after_end: 4,
        };
        assert!(summary(&trailer(lost)).contains(
            "missing: 1 lost by the probes or the ring, 2 lost because the recorder was too slow, 3 too large"
        ));
    }
}
