//! Start: attach first, then read what ran before, so that nothing falls between the two.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use vigia_alerts::{Outputs, Throttle};
use vigia_engine::{EventTypes, Ruleset};
use vigia_event::names::DomainNames;
use vigia_event::{EventType, Node};
use vigia_inventory::cgroup;
use vigia_inventory::containers::{ContainerTable, ExistingTask};
use vigia_inventory::engines::Latency;
use vigia_inventory::processes::{self, ProcessTable, ScanOptions, Scanned};
use vigia_inventory::waiting::{Limits, Waiting};
use vigia_inventory::{Readers, WallClock, users};
use vigia_sensor::{DEFAULT_DATA_BYTES, Seed, Sensor};

use super::losses::Losses;
use super::{Constants, Milestone, Pipeline, Stages};
use crate::config::Config;
use crate::engines::Engines;
use crate::existing::Host;
use crate::judge::Judge;
use crate::metrics::Metrics;
use crate::run::Prepared;
use crate::signals::Signals;
use crate::{existing, images, interest, names, settings};

/// Longer than any machine runs.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Pipeline {
    pub(super) async fn start(prepared: Prepared) -> anyhow::Result<(Self, Signals)> {
        let Prepared {
            config,
            node_name,
            ruleset,
            metrics,
            health,
            signals,
            recording,
        } = prepared;
        let only_records = recording
            .as_ref()
            .is_some_and(|recording| recording.options.instead_of_rules);
        let everything = recording
            .as_ref()
            .is_some_and(|recording| recording.options.everything);
        let host = Host::find(config.proc_root());
        let constants = Constants {
            proc_root: config.proc_root().to_owned(),
            host_pid: host.pid,
            // What a recorder learns is not the running agent's to keep.
            readers_file: (!only_records).then(|| config.readers_file()),
            record_for: recording.as_ref().map_or(FOR_EVER, |recording| {
                recording.options.duration.unwrap_or(FOR_EVER).min(FOR_EVER)
            }),
            drain: config.outputs.drain_s.seconds(),
            scan: ScanOptions {
                environment: ruleset.uses_environment(),
                ..ScanOptions::default()
            },
        };
        // A mistake in these should show before the kernel is touched.
        let from_images = images::keep(settings::images(&config))?;
        let outputs = Outputs::start(settings::outputs(&config)?, settings::rendering(&config))?;
        let alert_context = settings::alert_context(&config)?;
        let mut sensor =
            Sensor::start(&settings::sensor(&config)).context("cannot start the probes")?;
        for program in sensor.programs() {
            if let Some(reason) = &program.refused {
                tracing::warn!(
                    program = program.program,
                    reason,
                    "a probe is not available"
                );
            }
        }
        let mut wanted = if everything {
            EventTypes::all()
        } else {
            *ruleset.event_types()
        };
        // What is recorded may be judged by other rules later.
        let asks = recording.is_none().then_some(&ruleset);
        let mut interest = interest::of(&wanted, asks);
        interest.environment = ruleset.uses_environment();
        if ruleset.uses_data() {
            interest.data_bytes = DEFAULT_DATA_BYTES;
        }
        let mut missing: Vec<_> = interest
            .undeliverable()
            .filter(|event_type| ruleset.event_types().contains(*event_type))
            .map(EventType::name)
            .collect();
        missing.sort_unstable();
        missing.dedup();
        // A rule that nothing but these could make fire was warned of when it was loaded.
        if !missing.is_empty() {
            tracing::info!(
                events = missing.join(" "),
                "rules also name events that the probes do not report yet"
            );
        }
        wanted = wanted.intersection(
            &interest
                .undeliverable()
                .collect::<EventTypes>()
                .complement(),
        );
        sensor.set_interest(&interest)?;
        health.reach(Milestone::ProbesAttached);

        let process_options = settings::processes(&config, host.mnt_ns, ruleset.uses_environment());
        let cgroup_folder = sensor.hierarchy().folder(&constants.proc_root);
        let (engines, from_engines) = Engines::start(&config);
        let from_resolver = start_resolver(&config, &ruleset, &metrics);
        let mut stages = Stages {
            clock: WallClock::sample(),
            processes: ProcessTable::new(process_options),
            containers: ContainerTable::new(settings::containers(
                &config,
                host,
                Some(cgroup_folder),
            )),
            readers: Readers::load(
                settings::readers(&config, host.mnt_ns),
                &config.readers_file(),
            ),
            waiting: Waiting::new(Limits::default()),
            latency: Latency::default(),
            host_users: Arc::new(
                users::of_process(&constants.proc_root, host.pid).unwrap_or_default(),
            ),
            node: Arc::new(node(&config, &node_name, &sensor)),
            domain_names: Arc::clone(&from_resolver.borrow()),
            rule_metrics: metrics.rules(
                ruleset
                    .rules()
                    .iter()
                    .map(|rule| (rule.name.as_str(), rule.priority.name())),
            ),
            engines: Vec::new(),
            wanted,
            scope: config.scope.clone(),
            recorder: recording
                .map(|recording| {
                    let now_ns = WallClock::sample().epoch_ns(WallClock::boot_now_ns());
                    recording.start(&config, &wanted, interest.environment, now_ns)
                })
                .transpose()?,
            judge: Judge::new(
                ruleset,
                Throttle::new(settings::throttle(&config)),
                alert_context,
            ),
            outputs,
            metrics,
            losses: Losses::default(),
            events: 0,
            samples: 0,
        };
        for engine in engines.watched() {
            stages.await_engine(engine.source, &engine.socket);
        }
        stages
            .containers
            .set_images(Arc::clone(&from_images.borrow()));
        let mut pipeline = Self {
            sensor,
            stages,
            engines,
            from_engines,
            from_images,
            from_resolver,
            health,
            constants,
            rescan: None,
        };
        pipeline.scan()?;
        pipeline.stages.containers.look_at_host();
        pipeline.serve_requests();
        pipeline.stages.report_containers();
        // Whoever is told that the agent is ready may ask at once how much it knows.
        pipeline.stages.export_tables();
        pipeline.health.reach(Milestone::ScanDone);
        pipeline.health.beat();
        tracing::info!(
            processes = pipeline.stages.processes.len(),
            containers = pipeline.stages.containers.len(),
            "watching"
        );
        Ok((pipeline, signals))
    }

    /// Reads what ran before the probes did.
    fn scan(&mut self) -> anyhow::Result<()> {
        let (boot_time_ns, time_ns) = {
            let boot_time_ns = WallClock::boot_now_ns();
            (boot_time_ns, self.stages.clock.epoch_ns(boot_time_ns))
        };
        let scanned = processes::scan(&self.constants.proc_root, &self.constants.scan)
            .context("cannot read running processes")?;
        self.stages.processes.merge(&scanned, boot_time_ns, time_ns);
        let controller = self.sensor.hierarchy().controller;
        let existing: Vec<ExistingTask> = scanned
            .iter()
            .filter_map(|process| existing::task(process, controller, &self.stages.clock))
            .collect();
        self.stages.containers.add_existing(&existing, time_ns);
        for process in &scanned {
            let seed = self.seed(process);
            if let Err(error) = self.sensor.seed_process(&seed) {
                tracing::warn!(%error, "cannot tell the probes of a running process");
                break;
            }
        }
        Ok(())
    }

    fn seed(&self, scanned: &Scanned) -> Seed {
        let task = &scanned.process.task;
        let container = cgroup::path_in(&scanned.cgroups, self.sensor.hierarchy().controller)
            .and_then(|path| self.stages.containers.of_cgroup_path(path));
        Seed {
            pid: task.pid,
            start_boottime_ns: task.start_boottime_ns,
            origin_cgroup_id: container.map_or(0, |container| container.cgroup_id),
            mnt_ns: task.namespaces.mnt,
            // Outside containers nobody has entered one; of those inside, nobody saw how they came there.
            entered: container.is_none().then_some(false),
        }
    }
}

/// Writes what was learned of readers, where something was.
pub(super) fn save_readers(readers: &mut Readers, path: &Path) {
    if !readers.is_unsaved() {
        return;
    }
    if let Some(folder) = path.parent()
        && let Err(error) = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
    {
        tracing::warn!(%error, folder = %folder.display(), "cannot make the state folder");
        return;
    }
    if let Err(error) = readers.save(path) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "cannot keep what was learned of readers of secrets"
        );
    }
}

/// Resolves the domain names of the rules from now on.
fn start_resolver(
    config: &Config,
    ruleset: &Ruleset,
    metrics: &Arc<Metrics>,
) -> watch::Receiver<Arc<DomainNames>> {
    let names = ruleset.domain_names();
    if !config.domain_names.resolve {
        if !names.is_empty() {
            tracing::warn!(
                names = names.len(),
                "rules compare with domain names, and the configuration says not to resolve them"
            );
        }
        return watch::channel(Arc::default()).1;
    }
    let table = names::table(names);
    let (sender, receiver) = watch::channel(Arc::new(table.clone()));
    // Without names there is nothing to do, and the closed channel is never asked again.
    if !names.is_empty() {
        let refresh = config.domain_names.refresh_s.seconds();
        tokio::spawn(names::keep(
            table,
            refresh,
            names::system,
            sender,
            Arc::clone(metrics),
        ));
    }
    receiver
}

fn node(config: &Config, name: &str, sensor: &Sensor) -> Node {
    let boot_id =
        fs::read(config.proc_root().join("sys/kernel/random/boot_id")).unwrap_or_default();
    Node {
        name: name.into(),
        hostname: rustix::system::uname().nodename().to_bytes().into(),
        boot_id: boot_id.trim_ascii().into(),
        capture_start_ns: WallClock::sample().epoch_ns(WallClock::boot_now_ns()),
        unseen_rings: !sensor.sees_rings(),
    }
}
