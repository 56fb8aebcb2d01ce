//! Telling the main process of a container what to do: the other end of `actor obey`.
//!
//! The orders come over a Unix socket in a folder shared with the container, so that giving one starts no
//! process there.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::image::ACTOR_PATH;
use crate::wait;

/// Where the folder is inside the container.
const INSIDE: &str = "/orders";

/// The folder with the socket.
#[derive(Debug)]
pub struct Orders {
    folder: TempDir,
}

impl Orders {
    /// A folder for one container or service.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn prepare() -> Result<Self> {
        Ok(Self {
            folder: tempfile::Builder::new().prefix("vigia-orders-").tempdir()?,
        })
    }

    /// The `--mount` option that shares the folder, for `docker run` and `docker service create` alike.
    #[must_use]
    pub fn mount(&self) -> String {
        format!(
            "--mount=type=bind,source={},target={INSIDE}",
            self.folder.path().display()
        )
    }

    /// The command of the container: the actor, reading `secrets` first.
    #[must_use]
    pub fn command(secrets: &[&str]) -> Vec<String> {
        [ACTOR_PATH, "obey", "/orders/socket"]
            .iter()
            .chain(secrets)
            .map(|&word| word.to_owned())
            .collect()
    }

    /// Waits until the actor takes orders: what it does at start is then done.
    ///
    /// # Errors
    /// It does not within 30 s.
    pub fn ready(&self) -> Result<()> {
        let socket = self.folder.path().join("socket");
        wait::until("the actor to take orders", wait::seconds(30), || {
            socket.exists().then_some(())
        })
    }

    /// Has an order carried out.
    ///
    /// # Errors
    /// It failed; the actor's words are in the message.
    pub fn give(&self, order: &[&str]) -> Result<()> {
        let socket = self.folder.path().join("socket");
        let mut stream = wait::until("the actor's socket", wait::seconds(10), || {
            UnixStream::connect(&socket).ok()
        })?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        writeln!(stream, "{}", serde_json::to_string(order)?)?;
        let mut answer = String::new();
        BufReader::new(stream)
            .read_line(&mut answer)
            .context("the actor's answer")?;
        ensure!(answer.trim() == "done", "{order:?}: {}", answer.trim());
        Ok(())
    }

    /// Has the actor itself read a file.
    ///
    /// # Errors
    /// As [`Self::give`].
    pub fn read(&self, path: &str) -> Result<()> {
        self.give(&["read", path])
    }

    /// Has the actor run a program and wait for it.
    ///
    /// # Errors
    /// As [`Self::give`].
    pub fn run(&self, command: &[&str]) -> Result<()> {
        self.give(&[&["run"], command].concat())
    }
}
