//! One connection to an engine, from the first answer to the last.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use vigia_event::container::Inspected;
use vigia_event::secret::SecretKind;

use super::Options;
use super::answers::{Announced, ContainerAnswer, ImageAnswer, Listed, SwarmAnswer, Version};
use crate::cgroup::is_container_id;
use crate::engines::http::{Client, EngineError};
use crate::engines::{EngineMessage, EngineRequest, limits};
use crate::mountinfo::{SwarmObject, is_swarm_id};

/// The newest version of the API whose answers are known to be read rightly, and the oldest (Docker 20.10, Podman).
const NEWEST: (u16, u16) = (1, 51);
const OLDEST: (u16, u16) = (1, 40);
/// Bytes of an answer about one thing: a container with all its labels, a configuration with its content.
const MAX_ANSWER: usize = 8 << 20;
/// Bytes of the list of containers.
const MAX_LIST: usize = 64 << 20;
/// Questions in flight.
const MAX_IN_FLIGHT: usize = 8;
/// Questions waiting.
const MAX_QUEUED: usize = 8192;
/// Containers remembered as inspected.
const MAX_SEEN: usize = 16_384;
/// Images remembered.
const MAX_IMAGES: usize = 1024;
/// Names kept of one image.
const MAX_NAMES: usize = 32;
/// How often one question is asked before it is given up.
const ATTEMPTS: u32 = 3;

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
        vigia_event::container::Engine::Docker => DOCKER_EVENTS,
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

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Question {
    Inspect(String),
    Resolve(String),
    Ping,
}

#[derive(Debug)]
struct Asked {
    question: Question,
    since: Instant,
    attempts: u32,
}

#[derive(Debug)]
enum Reply {
    Inspected(Box<Inspected>),
    Resolved(SwarmObject),
    Alive,
}

type Done = (Asked, Result<Reply, EngineError>);
type Images = Arc<Mutex<FxHashMap<String, Arc<ImageAnswer>>>>;

/// Questions on their way.
struct Asking {
    client: Client,
    engine: vigia_event::container::Engine,
    queue: VecDeque<Asked>,
    /// Everything in `queue` and `in_flight`: nothing is asked twice at a time.
    open: FxHashSet<Question>,
    in_flight: FuturesUnordered<BoxFuture<'static, Done>>,
    seen: FxHashSet<String>,
    images: Images,
}

impl Asking {
    fn new(client: Client, options: &Options) -> Self {
        Self {
            client,
            engine: options.engine,
            queue: VecDeque::new(),
            open: FxHashSet::default(),
            in_flight: FuturesUnordered::new(),
            seen: FxHashSet::default(),
            images: Images::default(),
        }
    }

    fn inspect(&mut self, id: String) {
        // Ids become part of a path.
        if is_container_id(id.as_bytes()) {
            self.ask(Question::Inspect(id));
        }
    }

    fn resolve(&mut self, id: String) {
        if is_swarm_id(id.as_bytes()) {
            self.ask(Question::Resolve(id));
        }
    }

    fn ask(&mut self, question: Question) {
        if self.queue.len() >= MAX_QUEUED {
            tracing::warn!(
                engine = self.engine.name(),
                "too many open questions to the container engine"
            );
        } else if self.open.insert(question.clone()) {
            self.queue.push_back(Asked {
                question,
                since: Instant::now(),
                attempts: 0,
            });
        }
    }

    /// Puts questions in flight while there is room.
    fn start(&mut self) {
        while self.in_flight.len() < MAX_IN_FLIGHT
            && let Some(mut asked) = self.queue.pop_front()
        {
            asked.attempts += 1;
            let (client, images) = (self.client.clone(), Arc::clone(&self.images));
            self.in_flight.push(Box::pin(async move {
                let reply = match &asked.question {
                    Question::Inspect(id) => inspect(&client, &images, id).await,
                    Question::Resolve(id) => resolve(&client, id).await,
                    Question::Ping => client.ping().await.map(|()| Reply::Alive),
                };
                (asked, reply)
            }));
        }
    }

    /// What an event means.
    fn announced(&mut self, line: &[u8]) -> Option<EngineMessage> {
        let announced: Announced = serde_json::from_slice(line).ok()?;
        let id = announced.actor.id;
        if announced.subject != "container" || !is_container_id(id.as_bytes()) {
            return None;
        }
        match announced.action.as_str() {
            "create" | "rename" | "update" => self.inspect(id),
            // Created before the connection was made.
            "start" if !self.seen.contains(&id) => self.inspect(id),
            "destroy" | "remove" => {
                self.seen.remove(&id);
                return Some(EngineMessage::Gone {
                    engine: self.engine,
                    id,
                });
            }
            _ => {}
        }
        None
    }

    fn answered(&mut self, (asked, reply): Done) -> Result<Option<EngineMessage>, EngineError> {
        let engine = self.engine;
        self.open.remove(&asked.question);
        match (asked.question, reply) {
            (Question::Inspect(id), Ok(Reply::Inspected(inspected))) => {
                if self.seen.len() >= MAX_SEEN {
                    self.seen.clear();
                }
                self.seen.insert(id.clone());
                let took = asked.since.elapsed();
                Ok(Some(EngineMessage::Inspected {
                    engine,
                    id,
                    inspected: Arc::new(*inspected),
                    took,
                }))
            }
            (Question::Inspect(id), Err(error)) if error.is_not_found() => {
                Ok(Some(EngineMessage::NotFound { engine, id }))
            }
            (Question::Resolve(id), Ok(Reply::Resolved(object))) => {
                Ok(Some(EngineMessage::Resolved { id, object }))
            }
            // An engine that is no manager refuses; that is an answer, too.
            (Question::Resolve(_), Err(EngineError::Status { .. })) => Ok(None),
            (Question::Ping, Err(error)) => Err(error),
            (question, Err(error)) if error.is_passing() && asked.attempts < ATTEMPTS => {
                self.open.insert(question.clone());
                self.queue.push_back(Asked { question, ..asked });
                Ok(None)
            }
            (question, Err(error)) => {
                tracing::warn!(engine = engine.name(), ?question, %error, "the container engine gave no answer");
                Ok(None)
            }
            (_, Ok(_)) => Ok(None),
        }
    }
}

async fn inspect(client: &Client, images: &Images, id: &str) -> Result<Reply, EngineError> {
    let path = format!("/containers/{id}/json");
    let answer: ContainerAnswer = client.get(&path, MAX_ANSWER).await?;
    if answer.id != id {
        return Err(EngineError::Answer {
            path,
            message: "it is about another container".to_owned(),
        });
    }
    let image = image(client, images, &answer.image).await;
    Ok(Reply::Inspected(Box::new(answer.into_inspected(&image))))
}

/// What is known of an image; nothing where the engine does not say, since the container's answer stands alone.
async fn image(client: &Client, images: &Images, id: &str) -> Arc<ImageAnswer> {
    if !is_container_id(id.strip_prefix("sha256:").unwrap_or(id).as_bytes()) {
        return Arc::default();
    }
    let known = images
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(id)
        .cloned();
    if let Some(known) = known {
        return known;
    }
    match client
        .get::<ImageAnswer>(&format!("/images/{id}/json"), MAX_ANSWER)
        .await
    {
        Ok(mut answer) => {
            answer.repo_tags.truncate(MAX_NAMES);
            answer.repo_digests.truncate(MAX_NAMES);
            let answer = Arc::new(answer);
            let mut images = images.lock().unwrap_or_else(PoisonError::into_inner);
            if images.len() >= MAX_IMAGES {
                images.clear();
            }
            images.insert(id.to_owned(), Arc::clone(&answer));
            answer
        }
        Err(_) => Arc::default(),
    }
}

async fn resolve(client: &Client, id: &str) -> Result<Reply, EngineError> {
    for (kind, folder) in [
        (SecretKind::Secret, "secrets"),
        (SecretKind::Config, "configs"),
    ] {
        match client
            .get::<SwarmAnswer>(&format!("/{folder}/{id}"), MAX_ANSWER)
            .await
        {
            Ok(answer) if answer.id == id => {
                return Ok(Reply::Resolved(SwarmObject {
                    kind,
                    name: limits::text(answer.spec.name),
                }));
            }
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Err(EngineError::Status {
        path: format!("/secrets/{id}"),
        status: 404,
        message: String::new(),
    })
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
