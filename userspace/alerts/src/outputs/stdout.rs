//! Standard output: for a pipe, a terminal or a container's log.

use std::sync::Arc;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::Queued;
use super::counters::Counters;
use crate::render::Rendered;

/// How an alert is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// One JSON object a line.
    #[default]
    Json,
    /// Falco's text line.
    Text,
    /// Several lines for a person.
    Readable {
        /// Whether to colour them.
        colour: bool,
    },
}

/// Options of standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StdoutOptions {
    /// How an alert is written.
    pub form: Form,
}

impl Form {
    /// The alert as written, with its line end.
    #[must_use]
    pub fn write(self, alert: &Rendered) -> String {
        match self {
            Self::Json => format!("{}\n", alert.json()),
            Self::Text => format!("{}\n", alert.text()),
            Self::Readable { colour } => format!("{}\n", alert.readable(colour)),
        }
    }
}

/// Writes what comes until the queue is closed. A reader that went away does not come back: what cannot be written
/// is dead-lettered, and said once.
pub(super) async fn run<W: AsyncWrite + Unpin>(
    options: StdoutOptions,
    mut writer: W,
    mut queue: mpsc::Receiver<Queued>,
    counters: Arc<Counters>,
) {
    let mut is_broken = false;
    while let Some(queued) = queue.recv().await {
        let bytes = options.form.write(&queued.alert);
        let written = async {
            writer.write_all(bytes.as_bytes()).await?;
            writer.flush().await
        };
        match written.await {
            Ok(()) => {
                is_broken = false;
                counters.delivered();
            }
            Err(error) => {
                if !is_broken {
                    tracing::error!(%error, "cannot write alerts to standard output");
                }
                is_broken = true;
                counters.dead_lettered();
            }
        }
    }
}
