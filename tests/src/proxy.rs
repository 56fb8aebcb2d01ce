//! A socket in front of an engine's that can stop answering without closing, as an engine that hangs does.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// Passes everything on until it is told to hang. Ends with the process.
#[derive(Debug)]
pub struct Proxy {
    folder: TempDir,
    gate: Arc<Gate>,
}

/// Closed: nothing passes.
#[derive(Debug, Default)]
struct Gate {
    is_closed: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let closed = self
            .is_closed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_while(closed, |is_closed| *is_closed));
    }

    fn set(&self, is_closed: bool) {
        *self
            .is_closed
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = is_closed;
        self.opened.notify_all();
    }
}

impl Proxy {
    /// In front of the engine at this socket.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn before(engine: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vigia-proxy-").tempdir()?;
        let gate = Arc::new(Gate::default());
        let listener = UnixListener::bind(folder.path().join("engine.sock"))
            .context("the socket of the proxy")?;
        std::thread::spawn({
            let (engine, gate) = (engine.to_owned(), Arc::clone(&gate));
            move || {
                for client in listener.incoming().map_while(Result::ok) {
                    let (engine, gate) = (engine.clone(), Arc::clone(&gate));
                    std::thread::spawn(move || connect(client, &engine, &gate));
                }
            }
        });
        Ok(Self { folder, gate })
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }

    /// From now on nothing passes in either direction, and connections are taken all the same.
    pub fn hang(&self) {
        self.gate.set(true);
    }

    /// All passes again, also what was held up.
    pub fn resume(&self) {
        self.gate.set(false);
    }
}

fn connect(client: UnixStream, engine: &Path, gate: &Arc<Gate>) -> Option<()> {
    let engine = UnixStream::connect(engine).ok()?;
    let (from_client, to_engine) = (client.try_clone().ok()?, engine.try_clone().ok()?);
    let there = Arc::clone(gate);
    std::thread::spawn(move || copy(from_client, to_engine, &there));
    copy(engine, client, gate);
    Some(())
}

fn copy(mut from: UnixStream, mut to: UnixStream, gate: &Gate) {
    let mut piece = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        gate.pass();
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    gate.pass();
    drop(to.shutdown(std::net::Shutdown::Write));
}
