//! A watched engine, for the tests of every kind of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use vigia_event::container::{Engine, Inspected};

use super::{
    EngineMessage, EngineRequest, EngineSender, Options, Reach, Said, Source, SourceId, watch,
};

const SOURCE: SourceId = SourceId(3);

/// A watched engine.
pub(super) struct Watched {
    folder: TempDir,
    socket: PathBuf,
    messages: mpsc::Receiver<Said>,
    requests: mpsc::Sender<EngineRequest>,
    watching: JoinHandle<()>,
}

impl Watched {
    pub(super) fn new(engine: Engine) -> Self {
        Self::within(engine, Duration::from_millis(300))
    }

    /// With this much patience for one answer.
    pub(super) fn within(engine: Engine, timeout: Duration) -> Self {
        Self::made("engine.sock", engine, Reach::Everybody, timeout)
    }

    /// An engine at a path below a folder.
    pub(super) fn at(path: &str, engine: Engine, reach: Reach) -> Self {
        Self::made(path, engine, reach, Duration::from_millis(300))
    }

    fn made(path: &str, engine: Engine, reach: Reach, timeout: Duration) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join(path);
        std::fs::create_dir_all(socket.parent().expect("a folder")).expect("a folder");
        let options = Options {
            reach,
            timeout,
            backoff: (Duration::from_millis(10), Duration::from_millis(20)),
            ping_every: Duration::from_millis(100),
            ..Options::new(engine, &format!("unix://{}", socket.display()))
        };
        let (sender, messages) = mpsc::channel(16);
        let (requests, asked) = mpsc::channel(16);
        let source = Source { id: SOURCE, reach };
        let watching = tokio::spawn(watch(options, EngineSender::new(source, sender), asked));
        Self {
            folder,
            socket,
            messages,
            requests,
            watching,
        }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    pub(super) async fn next(&mut self) -> EngineMessage {
        let said = timeout(Duration::from_secs(20), self.messages.recv())
            .await
            .expect("in time")
            .expect("a message");
        assert_eq!(said.source, SOURCE);
        said.message
    }

    /// The next message in short, passing over losses: a new script takes over between two tries.
    pub(super) async fn next_but_lost(&mut self) -> String {
        loop {
            match self.next().await {
                EngineMessage::Lost { .. } => {}
                message => return short(&message),
            }
        }
    }

    /// What is said until all of this was, in whatever order and however often.
    pub(super) async fn hears(&mut self, wanted: &[&str]) {
        let mut missing = wanted.to_vec();
        while !missing.is_empty() {
            let said = self.next_but_lost().await;
            assert!(wanted.contains(&&*said), "{said}");
            missing.retain(|one| *one != said);
        }
    }

    /// The next answer about a container, and the engine that it is of.
    pub(super) async fn inspected(&mut self) -> (Engine, Arc<Inspected>) {
        loop {
            if let EngineMessage::Inspected {
                engine, inspected, ..
            } = self.next().await
            {
                return (engine, inspected);
            }
        }
    }

    /// Why it was lost, other than that nobody listens yet.
    pub(super) async fn loss(&mut self) -> String {
        loop {
            if let EngineMessage::Lost { reason, .. } = self.next().await
                && !reason.contains("cannot connect")
            {
                return reason;
            }
        }
    }

    /// Waits until nothing listens any more: that it broke off may be told before.
    pub(super) async fn absence(&mut self) {
        loop {
            match self.next().await {
                EngineMessage::Lost { is_absent, .. } if is_absent => return,
                EngineMessage::Lost { .. } => {}
                message => panic!("{message:?}"),
            }
        }
    }

    /// Fails where there is another message soon.
    pub(super) async fn expect_nothing(&mut self) {
        let more = timeout(Duration::from_millis(100), self.messages.recv()).await;
        assert!(more.is_err(), "said once: {more:?}");
    }

    pub(super) async fn ask(&self, request: EngineRequest) {
        self.requests.send(request).await.expect("a listener");
    }
}

pub(super) fn short(message: &EngineMessage) -> String {
    match message {
        EngineMessage::Connected { version, .. } => format!("connected {version}"),
        EngineMessage::Lost { .. } => "lost".to_owned(),
        EngineMessage::Inspected { id, inspected, .. } => {
            format!("{} {}", &id[..4], inspected.name)
        }
        EngineMessage::NotFound { id, .. } => format!("{} not found", &id[..4]),
        EngineMessage::Gone { id, .. } => format!("{} gone", &id[..4]),
        EngineMessage::DataRoot { path, .. } => format!("at {path}"),
        EngineMessage::Resolved { object, .. } => format!("{} {}", object.kind.name(), object.name),
    }
}

#[tokio::test]
async fn watching_ends_with_its_listener() {
    let Watched {
        folder: _folder,
        socket: _socket,
        messages,
        requests: _requests,
        watching,
    } = Watched::new(Engine::Docker);
    drop(messages);
    timeout(Duration::from_secs(20), watching)
        .await
        .expect("in time")
        .expect("no panic");
}
