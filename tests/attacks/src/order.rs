//! Telling the program in a container what to perform, over a Unix socket in a folder shared with it: no process
//! enters the container for that.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use vigia_tests::wait;

/// Where the folder is inside a container.
pub const FOLDER: &str = "/orders";

/// How long one row may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of a row.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Answer {
    /// The exit code of its command; negative where there is none.
    pub code: i32,
    /// What it wrote to standard output and error.
    pub output: String,
}

/// The folder with the socket.
#[derive(Debug)]
pub struct Orders {
    folder: TempDir,
}

impl Orders {
    /// A folder for one program.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn prepare() -> Result<Self> {
        Ok(Self {
            folder: tempfile::Builder::new()
                .prefix("vigia-attacks-")
                .tempdir()?,
        })
    }

    /// The folder as the host sees it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The socket as the host sees it.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// The `docker run` option that shares the folder.
    #[must_use]
    pub fn mount(&self) -> String {
        let folder = self.folder.path().display();
        format!("--mount=type=bind,source={folder},target={FOLDER}")
    }

    /// Waits until the program takes orders.
    ///
    /// # Errors
    /// It does not within 30 s.
    pub fn ready(&self) -> Result<()> {
        wait::until("the program to take orders", PATIENCE, || {
            UnixStream::connect(self.socket()).ok().map(drop)
        })
    }

    /// Has a row performed.
    ///
    /// # Errors
    /// The program does not answer.
    pub fn perform(&self, action: &str) -> Result<Answer> {
        let mut stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        writeln!(stream, "{action}")?;
        let mut answer = String::new();
        BufReader::new(stream)
            .read_line(&mut answer)
            .with_context(|| format!("the answer to {action}"))?;
        serde_json::from_str(&answer).with_context(|| format!("the answer to {action}: {answer:?}"))
    }
}
