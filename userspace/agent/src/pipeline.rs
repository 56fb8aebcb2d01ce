//! The pipeline: one task owns all state, and a record moves through it in one direction.
//!
//! `read -> decode -> track -> enrich -> match -> limit -> record -> deliver`, with a bounded wait for engine metadata
//! before matching. `Stages::take` is this list. Nothing here asks anybody a question per event; what is slow (engines,
//! receivers of alerts) lives in tasks of its own behind bounded queues.

mod enrich;
mod judge;
mod losses;
mod made;
mod record;
mod requests;
mod sample;
mod setup;
mod track;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use vigia_alerts::Outputs;
use vigia_engine::EventTypes;
use vigia_event::names::DomainNames;
use vigia_event::users::Users;
use vigia_event::{Captured, Event, Node};
use vigia_inventory::containers::ContainerTable;
use vigia_inventory::engines::{Latency, Said, Source};
use vigia_inventory::images::ImageIndex;
use vigia_inventory::processes::ScanOptions;
use vigia_inventory::waiting::Waiting;
use vigia_inventory::{ProcessTable, Readers, WallClock};
use vigia_recording::{Ending, Trailer};
use vigia_sensor::Sensor;
use vigia_sensor::decode::Malformed;

use crate::config::Scope;
use crate::engines::Engines;
use crate::health::{Health, Milestone};
use crate::judge::Judge;
use crate::metrics::{EngineMetrics, Metrics, Release, RuleMetrics};
use crate::recorder::Recorder;
use crate::run::Prepared;
use crate::signals::{Request, Signals};
use losses::Losses;

/// Records taken from the ring before anything else gets its turn.
const BATCH: usize = 1024;
/// Records still taken from the ring when the agent stops: what was captured until then, and no endless flood.
const LAST_RECORDS: usize = 100_000;
/// How often counters are read, budgets reported and the heartbeat given.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// The running agent.
struct Pipeline {
    sensor: Sensor,
    stages: Stages,
    engines: Engines,
    from_engines: mpsc::Receiver<Said>,
    /// What others find out about images.
    from_images: watch::Receiver<Arc<ImageIndex>>,
    /// New answers for domain names.
    from_resolver: watch::Receiver<Arc<DomainNames>>,
    health: Arc<Health>,
    constants: Constants,
    /// /proc being read beside the pipeline.
    rescan: Option<std::sync::mpsc::Receiver<sample::Rescan>>,
}

/// What the pipeline needs of the configuration after its start.
struct Constants {
    proc_root: std::path::PathBuf,
    /// A process that sees the host's files.
    host_pid: u32,
    /// Where learned readers are kept; `None` for nowhere.
    readers_file: Option<std::path::PathBuf>,
    /// How long is recorded; for ever where nothing ends it.
    record_for: Duration,
    drain: Duration,
    scan: ScanOptions,
}

/// All state that records pass through.
struct Stages {
    clock: WallClock,
    processes: ProcessTable,
    containers: ContainerTable,
    readers: Readers,
    waiting: Waiting,
    latency: Latency,
    host_users: Arc<Users>,
    node: Arc<Node>,
    /// Answers for the domain names that rules compare with.
    domain_names: Arc<DomainNames>,
    /// Which events are judged or recorded.
    wanted: EventTypes,
    scope: Scope,
    judge: Judge,
    recorder: Option<Recorder>,
    outputs: Outputs,
    metrics: Arc<Metrics>,
    rule_metrics: RuleMetrics,
    /// The engines that may speak.
    engines: Vec<(Source, EngineMetrics)>,
    losses: Losses,
    events: u64,
    samples: u64,
}

/// Runs until told to stop, or until there is no more to record; how the recording ended, where there was one.
///
/// # Errors
/// What keeps the agent from starting, from reading the probes, or from keeping the recording.
pub async fn run(prepared: Prepared) -> anyhow::Result<Option<Trailer>> {
    let (mut pipeline, mut signals) = Pipeline::start(prepared).await?;
    let result = pipeline.turn(&mut signals).await;
    let ending = result.as_ref().copied().unwrap_or(Ending::Stopped);
    let recorded = pipeline.stop(ending).await;
    result.and(recorded)
}

impl Pipeline {
    /// Takes turns between what comes in, until told to stop.
    async fn turn(&mut self, signals: &mut Signals) -> anyhow::Result<Ending> {
        let mut sampling = interval(SAMPLE_EVERY);
        sampling.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let recorded = tokio::time::Instant::now() + self.constants.record_for;
        loop {
            if self.stages.has_nothing_to_do() {
                return Ok(Ending::Stopped);
            }
            let due = self.stages.next_deadline();
            // In order of importance; the ring comes last because it may never be empty, and is bounded by the batch.
            tokio::select! {
                biased;
                request = signals.next() => match request {
                    Request::Stop => return Ok(Ending::Stopped),
                    Request::Reopen => self.stages.outputs.reopen(),
                },
                () = sleep_until(recorded) => return Ok(Ending::Duration),
                _ = sampling.tick() => self.sample(),
                Some(said) = self.from_engines.recv() => self.stages.hear(&said),
                Ok(()) = self.from_images.changed() => {
                    let images = Arc::clone(&self.from_images.borrow_and_update());
                    self.stages.containers.set_images(images);
                }
                Ok(()) = self.from_resolver.changed() => {
                    self.stages.domain_names = Arc::clone(&self.from_resolver.borrow_and_update());
                }
                () = sleep_until(due.into()) => self.stages.release_due(),
                readable = self.sensor.readable() => {
                    readable.context("cannot wait for the probes")?;
                    let Self { sensor, stages, .. } = self;
                    sensor.read(BATCH, |record| stages.take(record));
                    tokio::task::yield_now().await;
                }
            }
            self.serve_requests();
        }
    }

    /// Judges what was captured until now, delivers what can be delivered, and keeps what was learned.
    async fn stop(mut self, ending: Ending) -> anyhow::Result<Option<Trailer>> {
        tracing::info!("stopping");
        let Self { sensor, stages, .. } = &mut self;
        sensor.read(LAST_RECORDS, |record| stages.take(record));
        self.sample();
        let Self {
            mut stages,
            constants,
            ..
        } = self;
        for event in stages.waiting.expired(u64::MAX) {
            stages.metrics.released.inc(Release::Shutdown);
            stages.judge(event);
        }
        let now = Instant::now();
        let recorded = stages.end_recording(ending);
        for summary in stages.judge.throttle.flush(now) {
            stages.record(summary);
        }
        if let Some(path) = &constants.readers_file {
            setup::save_readers(&mut stages.readers, path);
        }
        let left = stages.outputs.shutdown(constants.drain).await;
        for (output, counters) in left {
            tracing::info!(
                output,
                delivered = counters.delivered,
                dead_lettered = counters.dead_lettered,
                "output closed"
            );
        }
        recorded
    }
}

impl Stages {
    /// Everything that becomes of one record.
    fn take(&mut self, record: Result<Captured, Malformed>) {
        let Some(captured) = self.decoded(record) else {
            return;
        };
        #[cfg(feature = "lose-records")]
        if is_lost() {
            return;
        }
        let tracked = self.track(captured);
        self.release_settled();
        self.report_containers();
        let Some(tracked) = tracked else {
            return;
        };
        let event = self.enrich(tracked);
        for event in self.wait(event) {
            self.judge(event);
        }
    }

    fn decoded(&mut self, record: Result<Captured, Malformed>) -> Option<Captured> {
        match record {
            Ok(captured) => {
                self.metrics.decoded.inc();
                Some(captured)
            }
            Err(error) => {
                self.metrics.malformed.inc();
                tracing::warn!(%error, "a record could not be decoded");
                None
            }
        }
    }

    /// The event itself where it can be judged now; nothing where it must wait; more where a queue overflows.
    fn wait(&mut self, event: Event) -> Vec<Event> {
        let deadline_ns = event
            .captured
            .boot_time_ns
            .saturating_add(nanoseconds(self.latency.deadline()));
        let before = self.waiting.counts();
        let ready = self.waiting.push(event, deadline_ns);
        let after = self.waiting.counts();
        self.metrics
            .deferred
            .inc_by((after.pushed - after.passed) - (before.pushed - before.passed));
        self.metrics
            .released
            .add(Release::Overflow, after.overflowed - before.overflowed);
        ready
    }

    /// An engine spoke: what waited for it goes on.
    fn hear(&mut self, said: &Said) {
        self.note_engine(said);
        if let Some(id) = self.containers.apply(said) {
            self.release(&id);
        }
        self.release_settled();
        self.report_containers();
    }

    /// What waited for metadata that came of themselves goes on: it turned out whose a container is.
    fn release_settled(&mut self) {
        for id in self.containers.take_settled() {
            self.release(&id);
        }
    }

    /// The metadata of a container is settled: what waited for it goes on.
    fn release(&mut self, id: &str) {
        let Some(container) = self.containers.get(id) else {
            return;
        };
        let released = self.waiting.release(container);
        self.metrics
            .released
            .add(Release::Metadata, released.len() as u64);
        for event in released {
            self.judge(event);
        }
    }

    /// Deadlines passed: events go on with what is known, and windows of repeats are summed up.
    fn release_due(&mut self) {
        let expired = self.waiting.expired(WallClock::boot_now_ns());
        self.metrics
            .released
            .add(Release::Deadline, expired.len() as u64);
        for event in expired {
            self.judge(event);
        }
        self.expire(Instant::now());
    }

    /// When [`Stages::release_due`] has something to do; an hour from now at the latest.
    fn next_deadline(&self) -> Instant {
        let now = Instant::now();
        let far = now + Duration::from_secs(3600);
        let metadata = self.waiting.next_deadline().map(|deadline_ns| {
            now + Duration::from_nanos(deadline_ns.saturating_sub(WallClock::boot_now_ns()))
        });
        let summary = self.judge.throttle.next_deadline();
        [metadata, summary]
            .into_iter()
            .flatten()
            .fold(far, Instant::min)
    }
}

/// Whether a record vanishes: every hundredth.
#[cfg(feature = "lose-records")]
fn is_lost() -> bool {
    use std::sync::atomic::{AtomicU64, Ordering};
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    TAKEN.fetch_add(1, Ordering::Relaxed) % 100 == 99
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
