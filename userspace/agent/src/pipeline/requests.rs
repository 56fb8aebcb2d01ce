//! What the container table wants done elsewhere: engines to be asked, probes to be told.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use vigia_event::container::Metadata;
use vigia_inventory::WallClock;
use vigia_inventory::containers::{LearnSecret, Request, open_secret_files};
use vigia_inventory::engines::{EngineMessage, EngineRequest, Reach, Said, Source, SourceId};

use super::{Pipeline, Stages};
use crate::engines::Asked;
use crate::metrics::MetadataFailure;

/// Looking for the files of a secret takes well under a millisecond, unless a program serves them.
const SLOW_NS: u64 = 50_000_000;
/// How often a mount may be slow at one go: a container may have 64 places declared on a file system of its own.
const MAX_SLOW: u8 = 2;

/// Mounts that were slow at this go.
#[derive(Debug, Default)]
struct SlowMounts(BTreeMap<u32, u8>);

impl SlowMounts {
    fn note(&mut self, mount_id: u32) {
        let count = self.0.entry(mount_id).or_default();
        *count = count.saturating_add(1);
    }

    /// Whether what else lies there has to wait until it is looked for again.
    fn is_too_slow(&self, mount_id: u32) -> bool {
        self.0
            .get(&mount_id)
            .is_some_and(|count| *count >= MAX_SLOW)
    }
}

impl Pipeline {
    /// Does what the container table asked for since the last call.
    pub(super) fn serve_requests(&mut self) {
        let mut slow = SlowMounts::default();
        for request in self.stages.containers.take_requests() {
            let done = match request {
                Request::Inspect { id, sources } => {
                    self.inspect(&id, &sources);
                    Ok(())
                }
                Request::Resolve { id } => {
                    self.engines.ask_all(&EngineRequest::Resolve(id));
                    Ok(())
                }
                Request::LearnSecret(wanted) => {
                    if !slow.is_too_slow(wanted.mount_id) && self.learn_secret(&wanted) {
                        slow.note(wanted.mount_id);
                    }
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
                Request::WatchEnvironments(wanted) => self.sensor.watch_environments(wanted),
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

    fn inspect(&mut self, id: &str, sources: &[SourceId]) {
        let question = EngineRequest::Inspect(id.to_owned());
        let mut is_awaited = false;
        for source in sources {
            match self.engines.ask(*source, question.clone()) {
                Asked::Sent => is_awaited = true,
                // Not asked is not denied: it stays unknown until the engine lists the container.
                Asked::Full => {
                    is_awaited = true;
                    let failed = &self.stages.metrics.metadata_failed;
                    failed.inc(MetadataFailure::Overflow);
                }
                Asked::Closed => {}
            }
        }
        if !is_awaited {
            self.stages.give_up_metadata(id);
        }
    }

    /// Takes notice of engines that came and went.
    pub(super) fn look_for_engines(&mut self) {
        let changes = self.engines.look_around();
        for gone in changes.vanished {
            tracing::info!(socket = %gone.socket.display(), "the container engine's socket is gone");
            self.stages.forget_engine(gone.source.id, &gone.socket);
        }
        for (source, socket) in changes.appeared {
            self.stages.await_engine(source, &socket);
        }
    }

    /// Has the probes report the files of a secret; returns whether looking for them took too long.
    fn learn_secret(&mut self, wanted: &LearnSecret) -> bool {
        let Self {
            sensor,
            stages,
            constants,
            ..
        } = self;
        // Before the question: whatever is found is found later.
        let began_ns = WallClock::boot_now_ns();
        let asked_ns = stages.clock.epoch_ns(began_ns);
        let learned = open_secret_files(&constants.proc_root, wanted).and_then(|found| {
            stages.containers.asked(wanted, &found.place, asked_ns);
            sensor.learn_secret_keys(&found.files)
        });
        let took_ns = WallClock::boot_now_ns().saturating_sub(began_ns);
        let was_slow = took_ns > SLOW_NS;
        stages.containers.looked(wanted, was_slow);
        if let Err(error) = learned {
            if error.kind() == io::ErrorKind::NotFound {
                // Nothing is there: also an answer.
                stages.containers.asked(wanted, &wanted.path, asked_ns);
            }
            // Mostly a container that is gone already; in-memory secrets are still matched by their device.
            tracing::debug!(%error, path = %wanted.path, pid = wanted.pid, "cannot learn a secret's key");
        }
        was_slow
    }
}

impl Stages {
    /// Nobody will say what a container is: its events wait no longer.
    fn give_up_metadata(&mut self, id: &str) {
        self.containers.set_metadata(id, Metadata::Unavailable);
        self.release(id);
    }

    /// Expects an engine to speak.
    pub(super) fn await_engine(&mut self, source: Source, socket: &Path) {
        let metrics = self.metrics.engine(&socket.to_string_lossy());
        self.engines.push((source, metrics));
        self.containers.await_engine(source);
    }

    fn forget_engine(&mut self, source: SourceId, socket: &Path) {
        self.metrics.forget_engine(&socket.to_string_lossy());
        self.engines.retain(|(known, _)| known.id != source);
        self.containers.forget_engine(source);
        self.release_settled();
    }

    /// Counts what an engine said; the task that watches it logs.
    pub(super) fn note_engine(&mut self, said: &Said) {
        let Some((source, metrics)) = self
            .engines
            .iter()
            .find(|(known, _)| known.id == said.source)
        else {
            return;
        };
        match &said.message {
            EngineMessage::Connected { .. } => metrics.connect(),
            EngineMessage::Lost { .. } => metrics.lose(),
            EngineMessage::Inspected { took, .. } => {
                self.metrics.metadata_fetched.inc();
                // A user's engine must not make everybody wait.
                if source.reach == Reach::Everybody {
                    self.latency.observe(*took);
                }
            }
            EngineMessage::NotFound { .. } => {
                self.metrics.metadata_failed.inc(MetadataFailure::Refused)
            }
            EngineMessage::Gone { .. }
            | EngineMessage::DataRoot { .. }
            | EngineMessage::Resolved { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_not_waited_for_again_and_again_at_one_go() {
        let mut slow = SlowMounts::default();
        slow.note(7);
        assert!(!slow.is_too_slow(7));
        slow.note(7);
        assert!(slow.is_too_slow(7));
        assert!(!slow.is_too_slow(8));
    }
}
