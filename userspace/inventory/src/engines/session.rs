//! One connection to an engine, from the first answer to the last.

use std::time::Duration;

use futures_util::stream::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use vigia_event::container::Engine;

use super::Options;
use super::answers::{Listed, Version};
use super::asking::{Asking, MAX_ANSWER, Question};
use crate::engines::http::{Client, EngineError};
use crate::engines::{EngineMessage, EngineRequest, limits};

/// The newest version of the API whose answers are known to be read rightly, and the oldest (Docker 20.10, Podman).
const NEWEST: (u16, u16) = (1, 51);
const OLDEST: (u16, u16) = (1, 40);
/// Bytes of the list of containers.
const MAX_LIST: usize = 64 << 20;

/// Events asked for. Only Docker can be told the names: Podman refuses lists with names that it does not know.
const DOCKER_EVENTS: &str =
    r#"{"type":["container"],"event":["create","start","destroy","rename","update"]}"#;
const PODMAN_EVENTS: &str = r#"{"type":["container"]}"#;

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

/// Connects and listens until something ends it; tells whether the engine ever answered.
pub(super) async fn session(
    options: &Options,
    sender: &mpsc::Sender<EngineMessage>,
    requests: &mut mpsc::Receiver<EngineRequest>,
) -> (bool, Ended) {
    let mut connected = false;
    let ended = listen(options, sender, requests, &mut connected).await;
    (connected, ended)
}

async fn listen(
    options: &Options,
    sender: &mpsc::Sender<EngineMessage>,
    requests: &mut mpsc::Receiver<EngineRequest>,
    connected: &mut bool,
) -> Ended {
    let mut client = Client::new(&options.socket, options.timeout);
    let version = match agree(&mut client).await {
        Ok(version) => version,
        Err(error) => return error.into(),
    };
    let filters = match options.engine {
        Engine::Docker => DOCKER_EVENTS,
        _ => PODMAN_EVENTS,
    };
    // Events first, then the list: what starts in between is in one or both, never in neither.
    let mut events = match client
        .lines(&format!("/events?filters={}", quote(filters)))
        .await
    {
        Ok(lines) => lines,
        Err(error) => return error.into(),
    };
    let running: Vec<Listed> = match client.get("/containers/json", MAX_LIST).await {
        Ok(running) => running,
        Err(error) => return error.into(),
    };
    *connected = true;
    tracing::info!(
        engine = options.engine.name(),
        version,
        "connected to the container engine"
    );
    let mut asking = Asking::new(client, options);
    if sender
        .send(EngineMessage::Connected {
            engine: options.engine,
            version,
        })
        .await
        .is_err()
    {
        return Ended::Closed;
    }
    for container in running {
        asking.inspect(container.id);
    }
    let mut pings = interval(options.ping_every.max(Duration::from_millis(100)));
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            line = events.next() => match line {
                Ok(line) => asking.announced(&line),
                Err(error) => return error.into(),
            },
            request = requests.recv() => match request {
                Some(EngineRequest::Inspect(id)) => { asking.inspect(id); None }
                Some(EngineRequest::Resolve(id)) => { asking.resolve(id); None }
                None => return Ended::Closed,
            },
            Some(done) = asking.in_flight.next() => match asking.answered(done) {
                Ok(message) => message,
                Err(error) => return error.into(),
            },
            _ = pings.tick() => { asking.ask(Question::Ping); None }
            () = sender.closed() => return Ended::Closed,
        };
        asking.start();
        if let Some(message) = message
            && sender.send(message).await.is_err()
        {
            return Ended::Closed;
        }
    }
}

/// Agrees on a version of the API and returns the engine's own version.
async fn agree(client: &mut Client) -> Result<String, EngineError> {
    let answer: Version = client.get("/version", MAX_ANSWER).await?;
    let version = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse::<u16>().ok()?, minor.parse::<u16>().ok()?))
    };
    let offered = version(&answer.api_version);
    let (major, minor) = match (offered, version(&answer.min_api_version)) {
        (Some(offered), _) if offered < OLDEST => offered,
        (Some(offered), _) if offered <= NEWEST => offered,
        (Some(_), Some(least)) => least.max(NEWEST),
        (Some(_), None) => NEWEST,
        (None, _) => {
            let message = "no version of the API".to_owned();
            return Err(EngineError::Answer {
                path: "/version".to_owned(),
                message,
            });
        }
    };
    client.set_prefix(format!("/v{major}.{minor}"));
    Ok(limits::text(answer.version).to_string())
}

/// Percent-encodes everything but letters and digits.
fn quote(text: &str) -> String {
    let mut quoted = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            quoted.push(char::from(byte));
        } else {
            quoted.push_str(&format!("%{byte:02X}"));
        }
    }
    quoted
}
