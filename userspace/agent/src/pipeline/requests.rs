//! What the container table wants done elsewhere: engines to be asked, probes to be told.

use vigia_event::container::{Engine, Metadata};
use vigia_inventory::containers::{LearnSecret, Request, open_secret_files};
use vigia_inventory::engines::{EngineMessage, EngineRequest};

use super::{Pipeline, Stages};
use crate::metrics::{EngineMetrics, MetadataFailure};

impl Pipeline {
    /// Does what the container table asked for since the last call.
    pub(super) fn serve_requests(&mut self) {
        for request in self.stages.containers.take_requests() {
            let done = match request {
                Request::Inspect { id, engine } => {
                    self.inspect(id, engine);
                    Ok(())
                }
                Request::Resolve { id } => {
                    self.engines
                        .ask(Engine::Unknown, &EngineRequest::Resolve(id));
                    Ok(())
                }
                Request::LearnSecret(wanted) => {
                    self.learn_secret(&wanted);
                    Ok(())
                }
                Request::WatchSecret { dev, ino } => {
                    self.stages.metrics.secrets_watched.inc();
                    self.sensor.watch_secret(dev, ino)
                }
                Request::UnwatchSecret { dev, ino } => {
                    self.stages.metrics.secrets_watched.dec();
                    self.sensor.unwatch_secret(dev, ino)
                }
                Request::AddCgroup {
                    cgroup_id,
                    container_cgroup_id,
                } => self.sensor.add_cgroup_below(cgroup_id, container_cgroup_id),
                Request::ForgetCgroup { cgroup_id } => {
                    self.sensor.remove_container_cgroup(cgroup_id)
                }
            };
            if let Err(error) = done {
                tracing::warn!(%error, "cannot tell the probes");
            }
        }
    }

    fn inspect(&mut self, id: String, engine: Engine) {
        if self
            .engines
            .ask(engine, &EngineRequest::Inspect(id.clone()))
        {
            return;
        }
        self.stages
            .metrics
            .metadata_failed
            .inc(MetadataFailure::Overflow);
        self.stages.give_up_metadata(&id);
    }

    fn learn_secret(&mut self, wanted: &LearnSecret) {
        let learned = open_secret_files(&self.constants.proc_root, wanted)
            .and_then(|files| self.sensor.learn_secret_keys(&files));
        if let Err(error) = learned {
            // Mostly a container that is gone already; in-memory secrets are still matched by their device.
            tracing::debug!(%error, path = %wanted.path, pid = wanted.pid, "cannot learn a secret's key");
        }
    }
}

impl Stages {
    /// Nobody will say what a container is: its events wait no longer.
    fn give_up_metadata(&mut self, id: &str) {
        self.containers.set_metadata(id, Metadata::Unavailable);
        for event in self.waiting.release(id, &Metadata::Unavailable, None) {
            self.judge(event);
        }
    }

    fn engine_metrics(&self, engine: Engine) -> Option<&EngineMetrics> {
        self.engine_metrics
            .iter()
            .find(|(known, _)| *known == engine)
            .map(|(_, metrics)| metrics)
    }

    /// Counts what an engine said; the task that watches it logs.
    pub(super) fn note_engine(&mut self, message: &EngineMessage) {
        match message {
            EngineMessage::Connected { engine, .. } => {
                self.engine_metrics(*engine)
                    .inspect(|metrics| metrics.connect());
            }
            EngineMessage::Lost { engine, .. } => {
                self.engine_metrics(*engine)
                    .inspect(|metrics| metrics.lose());
            }
            EngineMessage::Inspected { took, .. } => {
                self.metrics.metadata_fetched.inc();
                self.latency.observe(*took);
            }
            EngineMessage::NotFound { .. } => {
                self.metrics.metadata_failed.inc(MetadataFailure::Refused)
            }
            EngineMessage::Gone { .. } | EngineMessage::Resolved { .. } => {}
        }
    }
}
