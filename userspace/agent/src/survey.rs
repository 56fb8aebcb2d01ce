//! What runs on this machine now, as far as it can be told without probes: containers with what their engines and the
//! kernel say of them, and the rules that judge how they were started.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, timeout_at};
use vigia_engine::{Outcome, Ruleset};
use vigia_event::captured::{Captured, ContainerChange, Task, What};
use vigia_event::{Container, Event, Metadata, Node, PathSpellings, Process};
use vigia_inventory::containers::{ContainerTable, ExistingTask, Request};
use vigia_inventory::engines::{EngineMessage, EngineRequest, SourceId};
use vigia_inventory::images::ImageFiles;
use vigia_inventory::processes::{self, ScanOptions};
use vigia_inventory::{ProcessTable, WallClock};
use vigia_sensor::hierarchy::Hierarchy;

use crate::config::Config;
use crate::config::value::AbsolutePath;
use crate::engines::{Asked, Engines};
use crate::existing::Host;
use crate::{existing, images, settings};

/// How long engines are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it is waited for what nobody may know.
const GRACE: Duration = Duration::from_millis(300);

/// What was found.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The running containers, by name and id: an event of type `container` for each.
    pub(crate) containers: Vec<Event>,
    /// Sockets of engines that did not answer in time, and why.
    pub(crate) silent: Vec<(PathBuf, String)>,
}

/// Looks around.
///
/// # Errors
/// Running processes cannot be read, or nothing tells which cgroups belong to containers.
pub(crate) async fn take(config: &Config) -> anyhow::Result<Survey> {
    let proc_root = config.proc_root();
    let host = Host::find(proc_root);
    let hierarchy = Hierarchy::choose(proc_root)?;
    let clock = WallClock::sample();
    let boot_time_ns = WallClock::boot_now_ns();
    let time_ns = clock.epoch_ns(boot_time_ns);
    let scanned = processes::scan(proc_root, &ScanOptions::default())
        .context("cannot read running processes")?;
    let mut processes = ProcessTable::new(settings::processes(config, host.mnt_ns, false));
    processes.merge(&scanned, boot_time_ns, time_ns);
    let mut containers = ContainerTable::new(settings::containers(
        config,
        host,
        Some(hierarchy.folder(proc_root)),
    ));
    let index = images::read_at_start(&mut ImageFiles::new(settings::images(config)))?;
    containers.set_images(Arc::new(index));
    // What is not there answers nothing, and need not be waited for.
    let mut config = config.clone();
    let is_missing = |socket: &mut AbsolutePath| !socket.exists();
    let missing = config.engines.sockets.extract_if(.., is_missing);
    let mut silent: Vec<(PathBuf, String)> = missing
        .map(|socket| (socket.to_path_buf(), "there is no such socket".to_owned()))
        .collect();
    let (engines, mut from_engines) = Engines::start(&config);
    let mut awaited: Vec<(SourceId, PathBuf)> = Vec::new();
    for engine in engines.watched() {
        containers.await_engine(engine.source);
        awaited.push((engine.source.id, engine.socket.clone()));
    }
    let tasks: Vec<ExistingTask> = scanned
        .iter()
        .filter_map(|process| existing::task(process, hierarchy.controller, &clock))
        .collect();
    containers.add_existing(&tasks, time_ns);

    let deadline = Instant::now() + PATIENCE;
    let mut asked = ask(&mut containers, &engines);
    // An engine that has nothing to say of a secret says nothing at all: for those the wait is short.
    while is_pending(&containers) || asked {
        let until = match is_pending(&containers) {
            true => deadline,
            false => deadline.min(Instant::now() + GRACE),
        };
        let Ok(Some(said)) = timeout_at(until, from_engines.recv()).await else {
            break;
        };
        if let EngineMessage::Lost {
            reason,
            is_harmless,
            ..
        } = &said.message
        {
            let lost = awaited.extract_if(.., |(source, _)| *source == said.source);
            let lost = lost.map(|(_, socket)| (socket, reason.clone()));
            silent.extend(lost.filter(|_| !is_harmless));
            if awaited.is_empty() {
                break;
            }
        }
        containers.apply(&said);
        asked |= ask(&mut containers, &engines);
    }
    if is_pending(&containers) {
        let reason = format!("not about all containers within {PATIENCE:?}");
        silent.extend(
            awaited
                .into_iter()
                .map(|(_, socket)| (socket, reason.clone())),
        );
    }
    let mut found: Vec<Arc<Container>> = containers.running().cloned().collect();
    found.sort_by(|one, other| {
        let name = |container: &Container| container.known().map(|known| known.name.clone());
        (name(one), &one.id).cmp(&(name(other), &other.id))
    });
    let node = Arc::new(Node::default());
    let containers = found
        .into_iter()
        .map(|container| event(container, &processes, &node, boot_time_ns, time_ns))
        .collect();
    Ok(Survey { containers, silent })
}

/// Asks the engines what the table wants to know; whether there was anything.
fn ask(containers: &mut ContainerTable, engines: &Engines) -> bool {
    let mut any = false;
    for request in containers.take_requests() {
        match request {
            Request::Inspect { id, sources } => {
                for source in sources {
                    any |= engines.ask(source, EngineRequest::Inspect(id.clone())) == Asked::Sent;
                }
            }
            Request::Resolve { id } => any |= engines.ask_all(&EngineRequest::Resolve(id)),
            _ => {}
        }
    }
    any
}

fn is_pending(containers: &ContainerTable) -> bool {
    containers
        .running()
        .any(|container| matches!(container.metadata, Metadata::Pending))
}

fn event(
    mut container: Arc<Container>,
    processes: &ProcessTable,
    node: &Arc<Node>,
    boot_time_ns: u64,
    time_ns: u64,
) -> Event {
    let what = What::Container(ContainerChange::Started);
    let process = container
        .init
        .and_then(|init| processes.get(init).cloned())
        .unwrap_or_else(|| Arc::new(Process::default()));
    // Nobody will say more.
    if matches!(container.metadata, Metadata::Pending) {
        Arc::make_mut(&mut container).metadata = Metadata::Unavailable;
    }
    Event {
        number: 1,
        time_ns,
        event_type: vigia_event::call::named::CONTAINER,
        captured: Captured::made(
            what,
            Task {
                cgroup_id: container.cgroup_id,
                ..process.task.clone()
            },
            boot_time_ns,
        ),
        process,
        ancestors: Arc::from(Vec::new()),
        session_leader: None,
        group_leader: None,
        mounts: container.mounts.clone().unwrap_or_default(),
        users: Arc::clone(&container.users),
        container: Some(container),
        secret: None,
        node: Arc::clone(node),
        domain_names: Arc::default(),
        paths: PathSpellings::default(),
    }
}

/// The names of the rules with this tag that fire for an event.
pub(crate) fn findings<'r>(ruleset: &'r Ruleset, tag: &str, event: &Event) -> Vec<&'r str> {
    let mut scratch = ruleset.scratch();
    let mut names = Vec::new();
    ruleset.evaluate(event, &mut scratch, &mut |found| {
        if found.outcome == Outcome::Fires && found.rule.tags.iter().any(|one| one == tag) {
            names.push(found.rule.name.as_str());
        }
    });
    names
}
