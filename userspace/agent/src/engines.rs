//! The container engines that are asked: a task for each, how to reach it, and engines that come and go.

use std::path::{Path, PathBuf};
use std::sync::mpsc as blocking;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use vigia_inventory::engines::places::{self, Place};
use vigia_inventory::engines::{self, EngineRequest, EngineSender, Reach, Said, Source, SourceId};

use crate::config::{self, Config};
use crate::settings;

/// Messages of engines that may wait for the pipeline.
const ENGINE_MESSAGES: usize = 1024;
/// Questions that may wait for one engine: as many as it keeps open.
const ENGINE_REQUESTS: usize = 8192;
/// How often the usual places are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The tasks that watch engines, and how to ask them.
pub(crate) struct Engines {
    config: config::Engines,
    watched: Vec<Watched>,
    sender: mpsc::Sender<Said>,
    next: u32,
    looked: Instant,
    /// The usual places being looked at beside the pipeline.
    looking: Option<blocking::Receiver<Vec<Place>>>,
}

/// One watched engine; dropped, it is watched no longer.
pub(crate) struct Watched {
    pub(crate) source: Source,
    pub(crate) socket: PathBuf,
    /// Whether it was found at a usual place, and ends with its socket.
    is_found: bool,
    ask: mpsc::Sender<EngineRequest>,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The engine will hear it.
    Sent,
    /// Too many wait for the engine. What runs it will tell by itself, when its containers are listed next.
    Full,
    /// The engine is not watched.
    Closed,
}

/// Engines that came and went.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) appeared: Vec<(Source, PathBuf)>,
    pub(crate) vanished: Vec<Watched>,
}

impl Engines {
    /// Begins to watch the engines of the configuration, and those at the usual places; what they say comes out of the
    /// channel.
    pub(crate) fn start(config: &Config) -> (Self, mpsc::Receiver<Said>) {
        let (sender, receiver) = mpsc::channel(ENGINE_MESSAGES);
        let mut engines = Self {
            config: config.engines.clone(),
            watched: Vec::new(),
            sender,
            next: 0,
            looked: Instant::now(),
            looking: None,
        };
        for socket in &config.engines.sockets {
            if !engines.watches(socket) {
                engines.watch(settings::engine_at(&config.engines, socket), false);
            }
        }
        if config.engines.discover {
            engines.take_over(places::find(Path::new("/")));
        }
        (engines, receiver)
    }

    /// The engines that are watched.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &Watched> {
        self.watched.iter()
    }

    /// Asks an engine.
    pub(crate) fn ask(&self, source: SourceId, request: EngineRequest) -> Asked {
        let Some(watched) = self.watched.iter().find(|one| one.source.id == source) else {
            return Asked::Closed;
        };
        match watched.ask.try_send(request) {
            Ok(()) => Asked::Sent,
            Err(TrySendError::Full(_)) => {
                // Once for every question: the metric tells of it.
                tracing::debug!(
                    socket = %watched.socket.display(),
                    "too many questions wait for the engine"
                );
                Asked::Full
            }
            Err(TrySendError::Closed(_)) => Asked::Closed,
        }
    }

    /// Asks those engines whose word counts for everybody. Whether any will hear it.
    pub(crate) fn ask_all(&self, request: &EngineRequest) -> bool {
        let asked = self
            .watched
            .iter()
            .filter(|one| one.source.reach == Reach::Everybody)
            .filter(|one| self.ask(one.source.id, request.clone()) == Asked::Sent);
        asked.count() > 0
    }

    /// Looks at the usual places from time to time; never waits. What came and went since the last call.
    pub(crate) fn look_around(&mut self) -> Changes {
        let found = self.looking.as_ref().map(blocking::Receiver::try_recv);
        let changes = match found {
            Some(Ok(places)) => {
                self.looking = None;
                self.take_over(places)
            }
            Some(Err(blocking::TryRecvError::Disconnected)) => {
                self.looking = None;
                Changes::default()
            }
            Some(Err(blocking::TryRecvError::Empty)) | None => Changes::default(),
        };
        if self.config.discover && self.looking.is_none() && self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            let (sender, receiver) = blocking::sync_channel(1);
            tokio::task::spawn_blocking(move || {
                // Nobody waits for it where the agent has stopped.
                let _ = sender.send(places::find(Path::new("/")));
            });
            self.looking = Some(receiver);
        }
        changes
    }

    /// Watches what is there now, and no longer what is not.
    fn take_over(&mut self, places: Vec<Place>) -> Changes {
        let is_there = |watched: &Watched| {
            let mut places = places.iter();
            places.any(|place| is_same(&place.socket, &watched.socket))
        };
        let (stay, vanished) = std::mem::take(&mut self.watched)
            .into_iter()
            .partition(|watched| !watched.is_found || is_there(watched));
        self.watched = stay;
        let mut appeared = Vec::new();
        for place in places {
            if self.watches(&place.socket) {
                continue;
            }
            let options = engines::Options {
                reach: place.reach,
                ..settings::engine_at(&self.config, &place.socket)
            };
            appeared.push((self.watch(options, true), place.socket));
        }
        Changes { appeared, vanished }
    }

    /// Whether the engine at a socket is watched, by whichever name of it.
    fn watches(&self, socket: &Path) -> bool {
        let mut watched = self.watched.iter();
        watched.any(|watched| is_same(socket, &watched.socket))
    }

    fn watch(&mut self, options: engines::Options, is_found: bool) -> Source {
        let source = Source {
            id: SourceId(self.next),
            reach: options.reach,
        };
        self.next = self.next.wrapping_add(1);
        let (ask, questions) = mpsc::channel(ENGINE_REQUESTS);
        self.watched.push(Watched {
            source,
            socket: options.socket.clone(),
            is_found,
            ask,
        });
        let sender = EngineSender::new(source, self.sender.clone());
        tokio::spawn(engines::watch(options, sender, questions));
        source
    }
}

/// Whether two sockets are the same: /var/run is another name of /run almost everywhere.
fn is_same(one: &Path, other: &Path) -> bool {
    let plain = |path: &Path| match path.strip_prefix("/var/run") {
        Ok(below) => Path::new("/run").join(below),
        Err(_) => path.to_owned(),
    };
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(sockets: &[&str]) -> (Engines, mpsc::Receiver<Said>) {
        let engines = serde_json::json!({"sockets": sockets, "discover": false});
        let config = serde_json::from_value(serde_json::json!({"engines": engines}));
        Engines::start(&config.unwrap())
    }

    fn place(socket: &str, reach: Reach) -> Place {
        Place {
            socket: socket.into(),
            reach,
        }
    }

    fn watched(engines: &Engines) -> Vec<(u32, &str, Reach)> {
        engines
            .watched()
            .map(|one| {
                let socket = one.socket.to_str().unwrap();
                (one.source.id.0, socket, one.source.reach)
            })
            .collect()
    }

    #[tokio::test]
    async fn engines_come_and_go_with_their_sockets_and_configured_ones_stay() {
        let (mut engines, _messages) = start(&["/none/docker.sock", "/none/run/user/7/a.sock"]);
        let configured = [
            (0, "/none/docker.sock", Reach::Everybody),
            (1, "/none/run/user/7/a.sock", Reach::User(7)),
        ];
        assert_eq!(watched(&engines), configured);
        let user = place("/none/user.sock", Reach::User(8));
        let changes = engines.take_over(vec![user.clone()]);
        assert_eq!((changes.appeared.len(), changes.vanished.len()), (1, 0));
        assert_eq!(watched(&engines)[2], (2, "/none/user.sock", Reach::User(8)));
        let ask = || EngineRequest::Inspect(String::new());
        assert_eq!(engines.ask(SourceId(2), ask()), Asked::Sent);

        let changes = engines.take_over(vec![user.clone()]);
        assert_eq!((changes.appeared.len(), changes.vanished.len()), (0, 0));
        let changes = engines.take_over(Vec::new());
        assert_eq!((changes.appeared.len(), changes.vanished.len()), (0, 1));
        assert_eq!(watched(&engines), configured);
        assert_eq!(engines.ask(SourceId(2), ask()), Asked::Closed);

        engines.take_over(vec![user]);
        assert_eq!(
            watched(&engines)[2].0,
            3,
            "whoever comes back is another source"
        );
    }

    #[tokio::test]
    async fn a_question_too_many_is_told_from_an_engine_that_is_not_watched() {
        // Nothing else runs before this test waits: nobody takes a question.
        let (engines, _messages) = start(&["/none/docker.sock"]);
        let ask = || engines.ask(SourceId(0), EngineRequest::Inspect(String::new()));
        for _ in 0..ENGINE_REQUESTS {
            assert_eq!(ask(), Asked::Sent);
        }
        assert_eq!(ask(), Asked::Full);
    }

    #[tokio::test]
    async fn what_is_configured_is_not_watched_twice() {
        let (mut engines, _messages) = start(&["/run/none.sock", "/var/run/none.sock"]);
        assert_eq!(watched(&engines).len(), 1);
        engines.take_over(vec![place("/var/run/none.sock", Reach::Everybody)]);
        assert_eq!(watched(&engines).len(), 1);
    }
}
