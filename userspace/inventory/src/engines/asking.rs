//! Questions to an engine: a few at a time, none twice, none for ever.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bstr::BString;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::time::{Instant, sleep};
use vigia_event::container::{Engine, Inspected};

use super::error::EngineError;
use super::{EngineMessage, EngineRequest};
use crate::cgroup::is_container_id;
use crate::mountinfo::{SwarmObject, is_swarm_id};

/// Questions in flight.
const MAX_IN_FLIGHT: usize = 8;
/// Questions open: waiting, in flight, or to be asked again.
pub(super) const MAX_OPEN: usize = 8192;
/// How often one question is asked before it is given up.
const ATTEMPTS: u32 = 3;

/// What an engine can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Question {
    /// What it knows of a container.
    Inspect(String),
    /// What a secret or configuration of its Swarm is.
    Resolve(String),
    /// Where it keeps its state.
    DataRoot,
    /// Whether it lives.
    Ping,
}

/// What it says.
#[derive(Debug)]
pub(super) enum Reply {
    /// Of a container, and which engine it really is.
    Inspected(Engine, Box<Inspected>),
    /// Of a secret or configuration.
    Resolved(SwarmObject),
    /// Where it keeps its state: an absolute path on the host.
    DataRoot(BString),
    /// Nothing, beyond that it lives.
    Nothing,
    /// It lives, and these are its running containers.
    Running(Vec<String>),
}

/// One of the times that a question is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    is_last: bool,
}

impl Attempt {
    /// Does without something that an answer can stand without, such as what is known of a container's image; `None` where
    /// the engine does not say.
    ///
    /// # Errors
    /// It may well say it when the question is asked again, and it will be.
    pub(super) fn spare<T>(self, said: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
        match said {
            Ok(said) => Ok(Some(said)),
            Err(error) if error.is_passing() && !self.is_last => Err(error),
            Err(_) => Ok(None),
        }
    }
}

/// The API of a kind of engines. A clone asks the same one.
pub(super) trait Api: Clone + Send + 'static {
    /// How long after one another a container that the engine does not know is asked for again: it may have a cgroup
    /// before its engine has noted it.
    const LATE: &'static [Duration];

    /// Asks one question, within the time an answer may take.
    fn answer(
        self,
        question: Question,
        attempt: Attempt,
    ) -> impl Future<Output = Result<Reply, EngineError>> + Send + 'static;
}

/// A question on its way.
#[derive(Debug)]
pub(super) struct Asked {
    question: Question,
    since: Instant,
    attempts: u32,
    /// How often the engine did not know the container.
    unknown: usize,
}

impl Asked {
    fn new(question: Question) -> Self {
        Self {
            question,
            since: Instant::now(),
            attempts: 0,
            unknown: 0,
        }
    }
}

/// How far a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It will be asked.
    Waiting,
    /// It is being answered.
    InFlight,
    /// It is being answered, and something has changed since.
    Stale,
}

pub(super) type Done = (Asked, Result<Reply, EngineError>);

/// Questions on their way.
pub(super) struct Asking<A> {
    api: A,
    engine: Engine,
    queue: VecDeque<Asked>,
    /// Everything in `queue`, `in_flight` and `late`: nothing is asked twice at a time.
    open: FxHashMap<Question, Stage>,
    in_flight: FuturesUnordered<BoxFuture<'static, Done>>,
    late: FuturesUnordered<BoxFuture<'static, Asked>>,
    /// The running containers that it listed last and that were asked for, without those of which it gave no answer: these
    /// are asked for again when they are listed next.
    listed: FxHashSet<String>,
    /// Whether something was announced since that could not be asked for.
    has_missed: bool,
    /// Whether people were told that it left a question unanswered: it may do so as often as it likes.
    has_complained: bool,
}

impl<A: Api> Asking<A> {
    pub(super) fn new(api: A, engine: Engine) -> Self {
        Self {
            api,
            engine,
            queue: VecDeque::new(),
            open: FxHashMap::default(),
            in_flight: FuturesUnordered::new(),
            late: FuturesUnordered::new(),
            listed: FxHashSet::default(),
            has_missed: false,
            has_complained: false,
        }
    }

    pub(super) fn request(&mut self, request: EngineRequest) {
        match request {
            EngineRequest::Inspect(id) => self.inspect(id),
            EngineRequest::Resolve(id) if is_swarm_id(id.as_bytes()) => {
                self.ask(Question::Resolve(id))
            }
            EngineRequest::Resolve(_) => {}
        }
    }

    /// A container was made or changed: an answer that is on its way may be about what was before.
    pub(super) fn announced(&mut self, id: String) {
        match self.open.get_mut(&Question::Inspect(id.clone())) {
            Some(Stage::Waiting) => {}
            Some(stage) => *stage = Stage::Stale,
            None => self.inspect(id),
        }
    }

    fn inspect(&mut self, id: String) {
        // Ids may become part of a path.
        if is_container_id(id.as_bytes()) {
            self.ask(Question::Inspect(id));
        }
    }

    pub(super) fn ask(&mut self, question: Question) {
        if self.open.contains_key(&question) {
            return;
        }
        if self.open.len() >= MAX_OPEN {
            self.missed();
        } else {
            self.queue_up(Asked::new(question));
        }
    }

    fn queue_up(&mut self, asked: Asked) {
        self.open.insert(asked.question.clone(), Stage::Waiting);
        self.queue.push_back(asked);
    }

    /// Notes that something the engine announced is lost, too long to be read or one too many: all that run are asked for
    /// when they are listed next.
    pub(super) fn missed(&mut self) {
        self.listed.clear();
        if !std::mem::replace(&mut self.has_missed, true) {
            tracing::warn!(
                engine = self.engine.name(),
                "more than can be asked for: the containers will be listed again"
            );
        }
    }

    /// Inspects the running containers that were not there when they were listed last, and tells which of those are gone.
    pub(super) fn reconcile(&mut self, running: Vec<String>) -> Vec<EngineMessage> {
        self.has_missed = false;
        let running: FxHashSet<String> = running
            .into_iter()
            .filter(|id| is_container_id(id.as_bytes()))
            .collect();
        let before = std::mem::take(&mut self.listed);
        for id in running.difference(&before) {
            self.inspect(id.clone());
        }
        let is_whole = !self.has_missed;
        let engine = self.engine;
        let gone = before.difference(&running).cloned();
        let gone = gone.map(|id| EngineMessage::Gone { engine, id }).collect();
        if is_whole {
            self.listed = running;
        }
        gone
    }

    /// The next answer; puts questions in flight while there is room. May be dropped while it waits, and called again.
    pub(super) async fn next(&mut self) -> Done {
        loop {
            self.start();
            tokio::select! {
                Some(done) = self.in_flight.next() => return done,
                Some(asked) = self.late.next() => self.queue.push_back(asked),
                else => std::future::pending().await,
            }
        }
    }

    fn start(&mut self) {
        while self.in_flight.len() < MAX_IN_FLIGHT
            && let Some(mut asked) = self.queue.pop_front()
        {
            asked.attempts += 1;
            self.open.insert(asked.question.clone(), Stage::InFlight);
            let attempt = Attempt {
                is_last: asked.attempts >= ATTEMPTS,
            };
            let answer = self.api.clone().answer(asked.question.clone(), attempt);
            self.in_flight
                .push(Box::pin(async move { (asked, answer.await) }));
        }
    }

    /// What an answer means.
    ///
    /// # Errors
    /// The engine does not live any more.
    pub(super) fn answered(
        &mut self,
        (asked, reply): Done,
    ) -> Result<Vec<EngineMessage>, EngineError> {
        let engine = self.engine;
        let said = match (&asked.question, reply) {
            (Question::Inspect(id), Ok(Reply::Inspected(engine, inspected))) => {
                vec![EngineMessage::Inspected {
                    engine,
                    id: id.clone(),
                    inspected: Arc::new(*inspected),
                    took: asked.since.elapsed(),
                }]
            }
            (Question::Inspect(id), Err(error)) if error.is_not_found() => {
                if let Some(delay) = A::LATE.get(asked.unknown) {
                    self.ask_later(asked, *delay);
                    return Ok(Vec::new());
                }
                let id = id.clone();
                vec![EngineMessage::NotFound { engine, id }]
            }
            (Question::Resolve(id), Ok(Reply::Resolved(object))) => {
                let id = id.clone();
                vec![EngineMessage::Resolved { id, object }]
            }
            (Question::DataRoot, Ok(Reply::DataRoot(path))) => {
                vec![EngineMessage::DataRoot { engine, path }]
            }
            // An engine that is no manager refuses, and so may a proxy; that is an answer, too.
            (Question::Resolve(_) | Question::DataRoot, Err(EngineError::Status { .. })) => {
                Vec::new()
            }
            (Question::Ping, Ok(Reply::Running(running))) => self.reconcile(running),
            (Question::Ping, Err(error)) => return Err(error),
            (_, Err(error)) if error.is_passing() && asked.attempts < ATTEMPTS => {
                self.queue_up(asked);
                return Ok(Vec::new());
            }
            (question, Err(error)) => {
                if let Question::Inspect(id) = question {
                    self.listed.remove(id);
                }
                if std::mem::replace(&mut self.has_complained, true) {
                    tracing::debug!(engine = engine.name(), ?question, %error, "the container engine gave no answer");
                } else {
                    tracing::warn!(engine = engine.name(), ?question, %error, "the container engine gave no answer");
                }
                Vec::new()
            }
            (_, Ok(_)) => Vec::new(),
        };
        if self.open.remove(&asked.question) == Some(Stage::Stale) {
            self.queue_up(Asked::new(asked.question));
        }
        Ok(said)
    }

    fn ask_later(&mut self, asked: Asked, delay: Duration) {
        self.open.insert(asked.question.clone(), Stage::Waiting);
        self.late.push(Box::pin(async move {
            sleep(delay).await;
            Asked {
                attempts: 0,
                unknown: asked.unknown + 1,
                ..asked
            }
        }));
    }
}

#[cfg(test)]
mod tests;
