//! Questions to an engine: a few at a time, none twice, none for ever.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::time::Instant;
use vigia_event::container::{Engine, Inspected};
use vigia_event::secret::SecretKind;

use super::Options;
use super::answers::{Announced, ContainerAnswer, ImageAnswer, SwarmAnswer};
use crate::cgroup::is_container_id;
use crate::engines::http::{Client, EngineError};
use crate::engines::{EngineMessage, limits};
use crate::mountinfo::{SwarmObject, is_swarm_id};

/// Bytes of an answer about one thing: a container with all its labels, a configuration with its content.
pub(super) const MAX_ANSWER: usize = 8 << 20;
/// Questions in flight.
const MAX_IN_FLIGHT: usize = 8;
/// Questions waiting.
const MAX_QUEUED: usize = 8192;
/// Images remembered.
const MAX_IMAGES: usize = 1024;
/// Names kept of one image.
const MAX_NAMES: usize = 32;
/// How often one question is asked before it is given up.
const ATTEMPTS: u32 = 3;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Question {
    Inspect(String),
    Resolve(String),
    Ping,
}

#[derive(Debug)]
pub(super) struct Asked {
    question: Question,
    since: Instant,
    attempts: u32,
}

#[derive(Debug)]
pub(super) enum Reply {
    Inspected(Box<Inspected>),
    Resolved(SwarmObject),
    Alive,
}

pub(super) type Done = (Asked, Result<Reply, EngineError>);
type Images = Arc<Mutex<FxHashMap<String, Arc<ImageAnswer>>>>;

/// Questions on their way.
pub(super) struct Asking {
    client: Client,
    engine: Engine,
    queue: VecDeque<Asked>,
    /// Everything in `queue` and `in_flight`: nothing is asked twice at a time.
    open: FxHashSet<Question>,
    pub(super) in_flight: FuturesUnordered<BoxFuture<'static, Done>>,
    images: Images,
}

impl Asking {
    pub(super) fn new(client: Client, options: &Options) -> Self {
        Self {
            client,
            engine: options.engine,
            queue: VecDeque::new(),
            open: FxHashSet::default(),
            in_flight: FuturesUnordered::new(),
            images: Images::default(),
        }
    }

    pub(super) fn inspect(&mut self, id: String) {
        // Ids become part of a path.
        if is_container_id(id.as_bytes()) {
            self.ask(Question::Inspect(id));
        }
    }

    pub(super) fn resolve(&mut self, id: String) {
        if is_swarm_id(id.as_bytes()) {
            self.ask(Question::Resolve(id));
        }
    }

    pub(super) fn ask(&mut self, question: Question) {
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
    pub(super) fn start(&mut self) {
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
    pub(super) fn announced(&mut self, line: &[u8]) -> Option<EngineMessage> {
        let announced: Announced = serde_json::from_slice(line).ok()?;
        let id = announced.actor.id;
        if announced.subject != "container" || !is_container_id(id.as_bytes()) {
            return None;
        }
        match announced.action.as_str() {
            // Ports of the engine's choice and security profiles are there once it runs.
            "create" | "start" | "rename" | "update" => self.inspect(id),
            "destroy" | "remove" => {
                return Some(EngineMessage::Gone {
                    engine: self.engine,
                    id,
                });
            }
            _ => {}
        }
        None
    }

    pub(super) fn answered(
        &mut self,
        (asked, reply): Done,
    ) -> Result<Option<EngineMessage>, EngineError> {
        let engine = self.engine;
        self.open.remove(&asked.question);
        match (asked.question, reply) {
            (Question::Inspect(id), Ok(Reply::Inspected(inspected))) => {
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
