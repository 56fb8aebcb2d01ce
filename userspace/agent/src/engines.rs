//! The container engines that are asked: a task for each, and how to reach it.

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use vigia_event::container::Engine;
use vigia_inventory::engines::{self, EngineMessage, EngineRequest};

use crate::config::Config;
use crate::settings;

/// Messages of engines that may wait for the pipeline.
const ENGINE_MESSAGES: usize = 1024;
/// Questions that may wait for one engine.
const ENGINE_REQUESTS: usize = 1024;

/// The tasks that watch engines, and how to ask them.
pub(crate) struct Engines {
    watchers: Vec<(Engine, mpsc::Sender<EngineRequest>)>,
}

impl Engines {
    /// Begins to watch the engines of the configuration; what they say comes out of the channel.
    pub(crate) fn start(config: &Config) -> (Self, mpsc::Receiver<EngineMessage>) {
        let (sender, receiver) = mpsc::channel(ENGINE_MESSAGES);
        let mut watchers = Vec::new();
        for options in settings::engines(config) {
            let (ask, questions) = mpsc::channel(ENGINE_REQUESTS);
            watchers.push((options.engine, ask));
            tokio::spawn(engines::watch(options, sender.clone(), questions));
        }
        (Self { watchers }, receiver)
    }

    /// The engines that are watched.
    pub(crate) fn names(&self) -> impl Iterator<Item = Engine> + '_ {
        self.watchers.iter().map(|(engine, _)| *engine)
    }

    /// Asks the engine that made a container, or all where that is not known. Whether anybody was asked.
    pub(crate) fn ask(&self, engine: Engine, request: &EngineRequest) -> bool {
        let asked = self
            .watchers
            .iter()
            .filter(|(watched, _)| engine == Engine::Unknown || engine == *watched);
        let mut any = false;
        for (watched, sender) in asked {
            match sender.try_send(request.clone()) {
                Ok(()) => any = true,
                Err(TrySendError::Full(_)) => tracing::warn!(
                    engine = watched.name(),
                    "too many questions wait for the engine"
                ),
                Err(TrySendError::Closed(_)) => {}
            }
        }
        any
    }
}
