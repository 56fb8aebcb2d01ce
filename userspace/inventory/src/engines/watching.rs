//! Watching an engine for as long as somebody wants to know: connecting, and connecting again.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use vigia_event::container::Engine;

use super::error::EngineError;
use super::session::{Ended, session};
use super::{EngineMessage, EngineRequest, EngineSender, Reach, cri, docker, places};

/// Where an engine is, and how patient to be with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What it is taken for until it says itself what it is, and so which API it speaks: [`Engine::Containerd`] and
    /// [`Engine::CriO`] that of Kubernetes, all others Docker's. [`Engine::Unknown`] where nothing tells.
    pub engine: Engine,
    /// Its Unix socket.
    pub socket: PathBuf,
    /// Whose containers it may describe.
    pub reach: Reach,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How long to wait before connecting again, at first and at most; doubled each time.
    pub backoff: (Duration, Duration),
    /// How often it is asked whether it lives, and which containers run: an event may have been missed.
    pub ping_every: Duration,
}

impl Options {
    /// The usual patience, for an engine at a configured socket: a path, or `unix://` and a path as in `DOCKER_HOST`.
    #[must_use]
    pub fn new(engine: Engine, socket: &str) -> Self {
        let socket = PathBuf::from(socket.strip_prefix("unix://").unwrap_or(socket));
        Self {
            engine,
            reach: places::reach_of_configured(&socket),
            socket,
            timeout: Duration::from_secs(10),
            backoff: (Duration::from_millis(500), Duration::from_secs(10)),
            ping_every: Duration::from_secs(30),
        }
    }
}

/// Watches an engine until the receiver of its messages, or the sender of requests, is dropped.
///
/// Connects, and connects again whenever the engine stops answering. Requests that come while it does not answer
/// are dropped: all that runs is inspected at the next connect.
pub async fn watch(
    mut options: Options,
    sender: EngineSender,
    mut requests: mpsc::Receiver<EngineRequest>,
) {
    let serves_kubernetes = matches!(options.engine, Engine::Containerd | Engine::CriO);
    let mut wait = options.backoff.0;
    // How it was lost last: whether nothing listened.
    let mut lost: Option<bool> = None;
    loop {
        let (said_to_be, ended) = if serves_kubernetes {
            session(&options, &sender, &mut requests, cri::open(&options)).await
        } else {
            session(&options, &sender, &mut requests, docker::open(&options)).await
        };
        let was_connected = said_to_be.is_some();
        options.engine = said_to_be.unwrap_or(options.engine);
        let error = match ended {
            Ended::Closed => return,
            Ended::Lost(error) => error,
        };
        let is_absent = error.is_absent();
        if was_connected || lost != Some(is_absent) {
            let reason = describe(&error);
            // That nothing listens any more where it broke off is no news to people.
            if was_connected || lost.is_none() || !is_absent {
                complain(&options, &error, &reason);
            }
            if sender
                .send(EngineMessage::Lost {
                    engine: options.engine,
                    reason,
                    is_absent,
                    is_harmless: error.is_harmless(),
                })
                .await
                .is_err()
            {
                return;
            }
        }
        lost = Some(is_absent);
        wait = if was_connected {
            options.backoff.0
        } else {
            (wait * 2).min(options.backoff.1)
        };
        let again = Instant::now() + wait;
        loop {
            tokio::select! {
                () = sleep_until(again) => break,
                () = sender.closed() => return,
                request = requests.recv() => if request.is_none() { return },
            }
        }
    }
}

/// Says once that an engine does not answer; one that is not installed is nothing to worry about.
fn complain(options: &Options, error: &EngineError, reason: &str) {
    let (engine, socket) = (options.engine.name(), options.socket.display());
    if error.is_not_installed() {
        tracing::info!(engine, %socket, reason, "there is no such container engine");
    } else if error.is_unserved() {
        tracing::info!(
            engine,
            %socket,
            reason,
            "the container engine does not serve Kubernetes"
        );
    } else {
        tracing::warn!(engine, %socket, reason, "the container engine does not answer");
    }
}

/// An error with its causes.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
