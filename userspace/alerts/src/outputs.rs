//! Where alerts go: every output is a task with a bounded queue of its own, so a slow one holds up nobody else.
//!
//! For every output `recorded = delivered + pending + dropped + dead_lettered` holds whenever nothing is in motion:
//! an alert is counted as recorded when it is offered, and leaves by exactly one of the other doors.

mod counters;
mod file;
mod retry;
mod stdout;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::alert::Alert;
use crate::render::{RenderOptions, Rendered};

pub use counters::OutputCounters;
pub use file::FileOptions;
pub use stdout::{Form, StdoutOptions};
pub use webhook::WebhookOptions;

use counters::Counters;

/// One output.
#[derive(Clone, Debug)]
pub struct OutputConfig {
    /// Its name in logs and metrics; unique among the outputs.
    pub name: String,
    /// Alerts that may wait; one that finds the queue full is dropped and counted.
    pub queue: usize,
    /// What it is.
    pub target: Target,
}

/// What an output is.
#[derive(Clone, Debug)]
pub enum Target {
    /// The agent's standard output.
    Stdout(StdoutOptions),
    /// A file, appended to.
    File(FileOptions),
    /// An HTTP receiver.
    Webhook(WebhookOptions),
}

/// What keeps an output from starting.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The file cannot be opened.
    #[error("output `{output}`: cannot open {path} for appending")]
    Open {
        /// The output's name.
        output: String,
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate authority file cannot be read or used.
    #[error("output `{output}`: cannot use the CA file {path}: {reason}")]
    CaFile {
        /// The output's name.
        output: String,
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The address, a header or the client's set-up. The message never holds the address itself.
    #[error("output `{output}`: {reason}")]
    Webhook {
        /// The output's name.
        output: String,
        /// What is wrong.
        reason: String,
    },
    /// Two outputs have one name.
    #[error("two outputs are called `{0}`")]
    SameName(String),
}

/// All outputs, running.
#[derive(Debug)]
pub struct Outputs {
    outputs: Vec<Output>,
    options: RenderOptions,
}

#[derive(Debug)]
struct Output {
    name: String,
    sender: mpsc::Sender<Queued>,
    counters: Arc<Counters>,
    reopen: Arc<Notify>,
    task: JoinHandle<()>,
}

/// An alert in a queue.
#[derive(Clone, Debug)]
struct Queued {
    alert: Arc<Rendered>,
    since: Instant,
}

impl Outputs {
    /// Starts a task for every output; needs a tokio runtime.
    ///
    /// # Errors
    /// The first output that cannot start; none runs then.
    pub fn start(configs: Vec<OutputConfig>, options: RenderOptions) -> Result<Self, OutputError> {
        let mut outputs: Vec<Output> = Vec::with_capacity(configs.len());
        for config in configs {
            if outputs.iter().any(|output| output.name == config.name) {
                return Err(OutputError::SameName(config.name));
            }
            outputs.push(Output::start(config)?);
        }
        Ok(Self { outputs, options })
    }

    /// Offers an alert to every output; never waits.
    pub fn deliver(&self, alert: Alert) {
        let alert = Arc::new(Rendered::new(alert, self.options.clone()));
        let since = Instant::now();
        for output in &self.outputs {
            output.counters.recorded();
            if output
                .sender
                .try_send(Queued {
                    alert: Arc::clone(&alert),
                    since,
                })
                .is_err()
            {
                output.counters.dropped();
            }
        }
    }

    /// The counters of every output, by name.
    #[must_use]
    pub fn counters(&self) -> Vec<(String, OutputCounters)> {
        self.outputs
            .iter()
            .map(|output| (output.name.clone(), output.counters.snapshot()))
            .collect()
    }

    /// Makes file outputs open their files again, as after they were renamed by a log rotation.
    pub fn reopen(&self) {
        self.outputs
            .iter()
            .for_each(|output| output.reopen.notify_one());
    }

    /// Takes no more alerts, delivers what waits for at most `patience`, and counts the rest as dead-lettered.
    pub async fn shutdown(self, patience: Duration) -> Vec<(String, OutputCounters)> {
        let deadline = Instant::now() + patience;
        let mut last = Vec::with_capacity(self.outputs.len());
        // All queues are closed before the first is waited for, so that all outputs drain at the same time.
        let closing: Vec<_> = self
            .outputs
            .into_iter()
            .map(
                |Output {
                     name,
                     sender,
                     counters,
                     task,
                     ..
                 }| {
                    drop(sender);
                    (name, counters, task)
                },
            )
            .collect();
        for (name, counters, mut task) in closing {
            if timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
                // Waits until the task is really gone: it could otherwise still count a delivery.
                let _ = task.await;
                let left = counters.give_up();
                tracing::warn!(output = %name, alerts = left, "stopped before everything was delivered");
            }
            last.push((name, counters.snapshot()));
        }
        last
    }
}

impl Output {
    fn start(
        OutputConfig {
            name,
            queue,
            target,
        }: OutputConfig,
    ) -> Result<Self, OutputError> {
        let (sender, receiver) = mpsc::channel(queue.max(1));
        let counters = Arc::new(Counters::default());
        let reopen = Arc::new(Notify::new());
        let counted = Arc::clone(&counters);
        let task = match target {
            Target::Stdout(options) => {
                tokio::spawn(stdout::run(options, tokio::io::stdout(), receiver, counted))
            }
            Target::File(options) => {
                let sink = file::Sink::open(&name, options)?;
                tokio::spawn(sink.run(receiver, Arc::clone(&reopen), counted))
            }
            Target::Webhook(options) => {
                let sink = webhook::Sink::new(&name, options)?;
                tokio::spawn(sink.run(receiver, counted))
            }
        };
        Ok(Self {
            name,
            sender,
            counters,
            reopen,
            task,
        })
    }
}

#[cfg(test)]
mod tests;
