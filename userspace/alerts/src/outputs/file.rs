//! A file that alerts are appended to, readable by its owner only, and rotated by others.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;

use super::counters::Counters;
use super::retry::Backoff;
use super::stdout::Form;
use super::{OutputError, Queued};

/// Options of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOptions {
    /// The file; made with mode 0600 if it is not there.
    pub path: PathBuf,
    /// How an alert is written.
    pub form: Form,
    /// How long an alert that cannot be written (a full disk) is kept and tried again.
    pub max_age: Duration,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            form: Form::Json,
            max_age: Duration::from_secs(600),
        }
    }
}

/// The open file.
pub(super) struct Sink {
    name: String,
    options: FileOptions,
    file: tokio::fs::File,
    /// Whether the last write ended inside a line.
    is_torn: bool,
}

impl Sink {
    pub(super) fn open(name: &str, options: FileOptions) -> Result<Self, OutputError> {
        let file = open(&options.path).map_err(|source| OutputError::Open {
            output: name.to_owned(),
            path: options.path.display().to_string(),
            source,
        })?;
        Ok(Self {
            name: name.to_owned(),
            options,
            file: file.into(),
            is_torn: false,
        })
    }

    /// Writes what comes until the queue is closed.
    pub(super) async fn run(
        mut self,
        mut queue: mpsc::Receiver<Queued>,
        reopen: Arc<Notify>,
        counters: Arc<Counters>,
    ) {
        loop {
            tokio::select! {
                biased;
                () = reopen.notified() => self.reopen(),
                queued = queue.recv() => match queued {
                    Some(queued) => self.write(&queued, &counters).await,
                    None => return,
                },
            }
        }
    }

    async fn write(&mut self, queued: &Queued, counters: &Counters) {
        let line = self.options.form.write(&queued.alert);
        let mut backoff = Backoff::new();
        loop {
            let Err(error) = self.append(&line).await else {
                return counters.delivered();
            };
            if queued.since.elapsed() >= self.options.max_age {
                tracing::error!(output = %self.name, %error, "gave up writing an alert");
                return counters.dead_lettered();
            }
            tracing::warn!(output = %self.name, %error, "cannot write an alert yet");
            counters.retried();
            sleep(backoff.next()).await;
            self.reopen();
        }
    }

    async fn append(&mut self, line: &str) -> io::Result<()> {
        if self.is_torn {
            // A half line from a failed write must not swallow the next one.
            self.file.write_all(b"\n").await?;
        }
        self.is_torn = true;
        self.file.write_all(line.as_bytes()).await?;
        self.file.flush().await?;
        self.is_torn = false;
        Ok(())
    }

    /// Opens the path again; the old file stays in use where that fails.
    fn reopen(&mut self) {
        match open(&self.options.path) {
            Ok(file) => self.file = file.into(),
            Err(error) => {
                tracing::error!(output = %self.name, %error, "cannot open the file again")
            }
        }
    }
}

fn open(path: &Path) -> io::Result<std::fs::File> {
    std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}
