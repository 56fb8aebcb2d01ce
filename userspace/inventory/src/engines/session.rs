//! One connection to an engine, from the first answer to the last.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use vigia_event::container::Engine;

use super::asking::{Api, Asking, Question};
use super::error::EngineError;
use super::watching::Options;
use super::{EngineMessage, EngineRequest, EngineSender};
use crate::cgroup::is_container_id;

/// An engine that answered.
pub(super) struct Opened<A, E> {
    /// Which one it says it is.
    pub(super) engine: Engine,
    /// Its version.
    pub(super) version: String,
    /// How to ask it.
    pub(super) api: A,
    /// What it announces.
    pub(super) events: E,
    /// Ids of the containers that run, listed after it began to announce: what starts in between is in one or both,
    /// never in neither.
    pub(super) running: Vec<String>,
}

/// What an engine announces.
pub(super) trait Events: Send {
    /// Waits for the next. May be dropped while it waits, and called again.
    fn next(&mut self) -> impl Future<Output = Result<Heard, EngineError>> + Send;
}

/// One announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A container is to be inspected.
    Inspect(String),
    /// A container was removed.
    Gone(String),
    /// Announcements broke off: the engine may be gone, and some may be missing.
    BrokeOff,
    /// Something that was too long to be read.
    Missed,
    /// Nothing of interest.
    Nothing,
}

/// Why a session ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Nobody listens or asks any more.
    Closed,
    /// The engine does not answer.
    Lost(EngineError),
}

impl From<EngineError> for Ended {
    fn from(error: EngineError) -> Self {
        Self::Lost(error)
    }
}

/// Connects and listens until something ends it; tells what the engine says it is, if it ever answered.
pub(super) async fn session<A: Api, E: Events>(
    options: &Options,
    sender: &EngineSender,
    requests: &mut mpsc::Receiver<EngineRequest>,
    opening: impl Future<Output = Result<Opened<A, E>, EngineError>>,
) -> (Option<Engine>, Ended) {
    let opened = match opening.await {
        Ok(opened) => opened,
        Err(error) => return (None, error.into()),
    };
    (
        Some(opened.engine),
        listen(options, sender, requests, opened).await,
    )
}

async fn listen<A: Api, E: Events>(
    options: &Options,
    sender: &EngineSender,
    requests: &mut mpsc::Receiver<EngineRequest>,
    opened: Opened<A, E>,
) -> Ended {
    let Opened {
        engine,
        version,
        api,
        mut events,
        running,
    } = opened;
    tracing::info!(
        engine = engine.name(),
        socket = %options.socket.display(),
        version,
        "connected to the container engine"
    );
    let mut asking = Asking::new(api, engine);
    let mut said = asking.reconcile(running);
    said.insert(0, EngineMessage::Connected { engine, version });
    asking.ask(Question::DataRoot);
    let mut pings = interval(options.ping_every.max(Duration::from_millis(100)));
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        for message in said {
            if sender.send(message).await.is_err() {
                return Ended::Closed;
            }
        }
        said = Vec::new();
        tokio::select! {
            heard = events.next() => match heard {
                Ok(Heard::Inspect(id)) => asking.announced(id),
                Ok(Heard::Gone(id)) if is_container_id(id.as_bytes()) => {
                    said = vec![EngineMessage::Gone { engine, id }];
                }
                Ok(Heard::Missed) => asking.missed(),
                Ok(Heard::BrokeOff) => asking.ask(Question::Ping),
                Ok(Heard::Gone(_) | Heard::Nothing) => {}
                Err(error) => return error.into(),
            },
            request = requests.recv() => match request {
                Some(request) => asking.request(request),
                None => return Ended::Closed,
            },
            done = asking.next() => match asking.answered(done) {
                // An answer that says nothing costs as much.
                Ok(messages) if messages.is_empty() => sender.pause().await,
                Ok(messages) => said = messages,
                Err(error) => return error.into(),
            },
            _ = pings.tick() => asking.ask(Question::Ping),
            () = sender.closed() => return Ended::Closed,
        }
    }
}
