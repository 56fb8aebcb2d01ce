//! The agent's own log, on standard error: alerts have standard output to themselves.

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Log, LogFormat, LogLevel};

/// Crates whose log lines follow the configured level. Everybody else's stay at `warn`: at `debug`, HTTP
/// libraries print addresses and headers, which may hold credentials.
const OURS: &[&str] = &[
    "vigia",
    "vigia_alerts",
    "vigia_engine",
    "vigia_event",
    "vigia_inventory",
    "vigia_sensor",
];

/// Starts logging for the whole process. A second call changes nothing.
pub fn start(log: &Log) {
    let ansi = io::stderr().is_terminal();
    // An error means that a log is running already, which is what was asked for.
    let _ = tracing::subscriber::set_global_default(subscriber(log, ansi, io::stderr));
}

fn subscriber<W>(log: &Log, ansi: bool, writer: W) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(log.level))
        .with_ansi(ansi)
        .with_writer(writer)
        // It would tell of a full or closed standard error on standard error, and panic.
        .log_internal_errors(false);
    match log.format {
        LogFormat::Text => Box::new(builder.with_target(false).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    }
}

fn filter(level: LogLevel) -> EnvFilter {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let others = level.min(LevelFilter::WARN);
    OURS.iter()
        .filter_map(|name| format!("{name}={level}").parse().ok())
        .fold(
            EnvFilter::default().add_directive(others.into()),
            EnvFilter::add_directive,
        )
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: &Log) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        tracing::subscriber::with_default(subscriber(log, false, move || writer.clone()), || {
            tracing::debug!(target: "vigia_sensor", "ours");
            tracing::debug!(target: "hyper", "theirs");
            tracing::warn!(target: "hyper", text = "a\x1b[31mb\nc", "warning");
        });
        let bytes = memory.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn libraries_never_log_below_warnings() {
        let text = logged(&Log {
            level: LogLevel::Trace,
            format: LogFormat::Text,
        });
        assert!(
            text.contains("ours") && text.contains("warning") && !text.contains("theirs"),
            "{text}"
        );
    }

    #[test]
    fn a_log_line_carries_no_control_characters() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(&Log {
                level: LogLevel::Info,
                format,
            });
            assert!(!text.contains('\x1b'), "{text:?}");
            assert_eq!(text.lines().count(), 1, "{text:?}");
        }
    }
}
