//! Events that have everything an event can have.

use std::sync::Arc;

use vigia_event::captured::{Call, Captured, Exec, GivenPath, Task, What};
use vigia_event::container::{DeclaredMount, Engine, Inspected};
use vigia_event::file::{Layer, Origin as FileOrigin};
use vigia_event::mount::{Mount, MountKind, MountTable};
use vigia_event::names::DomainNames;
use vigia_event::process::{ProcessKey, Script};
use vigia_event::secret::{
    Reader as SecretReader, SecretAccess, SecretKind, SecretRef, SecretSource,
};
use vigia_event::users::{User, Users};
use vigia_event::{Container, Event, EventType, File, Metadata, Node, PathSpellings, Process};

use crate::Origin;

pub(super) fn origin() -> Origin {
    Origin {
        agent_version: "0.1.0".to_owned(),
        kernel: "6.12.0".to_owned(),
        started_ns: 1_700_000_000_000_000_000,
        event_types: vec!["openat".to_owned(), "execve".to_owned()],
        environment: true,
        redacted: false,
    }
}

fn task(pid: u32, comm: &str) -> Task {
    Task {
        pid,
        tid: pid,
        comm: comm.into(),
        start_boottime_ns: u64::from(pid) * 1_000_000_000,
        entered: Some(false),
        ..Task::default()
    }
}

fn file(path: &str) -> File {
    File {
        path: path.into(),
        ino: u64::MAX,
        mode: 0o100_644,
        layer: Layer::Upper,
        ..File::default()
    }
}

fn process(pid: u32, comm: &str) -> Process {
    Process {
        task: task(pid, comm),
        exe: comm.into(),
        exe_path: format!("/usr/bin/{comm}").into(),
        exe_file: Some(Arc::new(file(&format!("/usr/bin/{comm}")))),
        args: vec![
            "-x".into(),
            "not \u{fffd} text".into(),
            vec![0xff, 0, 1].into(),
        ]
        .into(),
        env: vec!["PATH=/bin".into()].into(),
        exe_origin: FileOrigin::Image,
        script: Some(Script {
            path: "/run.sh".into(),
            origin: FileOrigin::Volume,
        }),
        observed: true,
        ..Process::default()
    }
}

fn mounts() -> MountTable {
    MountTable {
        mounts: vec![Mount {
            id: 1,
            point: "/".into(),
            source: "overlay".into(),
            kind: MountKind::Root,
            ..Mount::default()
        }],
        secrets: vec![secret()],
        read_ns: 5,
    }
}

fn secret() -> SecretRef {
    SecretRef {
        name: "db".into(),
        path: "/run/secrets/db".into(),
        kind: SecretKind::Secret,
        source: SecretSource::Swarm,
        dev: 9,
        ino: 10,
    }
}

fn users() -> Users {
    Users {
        users: vec![User {
            uid: 0,
            name: "root".into(),
            home: "/root".into(),
            shell: "/bin/sh".into(),
        }],
        groups: vec![(0, "root".into())],
        ..Users::default()
    }
}

fn inspected() -> Inspected {
    Inspected {
        name: "web".into(),
        image: "nginx:1.27".into(),
        labels: [("a.b".to_owned(), "c".into())].into(),
        health_check: vec!["true".into()],
        mounts: vec![DeclaredMount {
            source: "/srv".into(),
            destination: "/data".into(),
            read_write: true,
            ..DeclaredMount::default()
        }],
        ..Inspected::default()
    }
}

fn opened(path: &str) -> What {
    What::Call(Box::new(Call {
        args: [u64::MAX; 6],
        paths: vec![GivenPath {
            changed: None,
            given: path.into(),
            base: None,
            truncated: false,
        }],
        texts: vec!["text".into()],
        open_how: Some([1, 2, 3]),
        file: Some(file("/real")),
        ..Call::new(EventType::from_name("openat").expect("a row"), 3)
    }))
}

/// An open, the same again, an execution, an exit, and one on the host.
pub(super) fn events() -> Vec<Event> {
    let users = Arc::new(users());
    let mounts = Arc::new(mounts());
    let container = Arc::new(Container {
        id: "f".repeat(64),
        engine: Engine::Docker,
        init: Some(ProcessKey::new(2, 3)),
        mounts: Some(Arc::clone(&mounts)),
        users: Arc::clone(&users),
        metadata: Metadata::Known(Arc::new(inspected())),
        ..Container::default()
    });
    let mut domain_names = DomainNames::pending(["slow.test".to_owned()]);
    domain_names.answer("fast.test", ["192.0.2.1".parse().expect("an address")]);
    let base = Event {
        number: 1,
        time_ns: 1_000,
        event_type: EventType::from_name("openat").expect("a row"),
        captured: Captured {
            cpu: 1,
            sequence: 2,
            boot_time_ns: 3,
            in_scope: true,
            is_secret: true,
            task: task(7, "nginx"),
            what: opened("/etc/passwd"),
        },
        process: Arc::new(process(7, "nginx")),
        ancestors: vec![Arc::new(process(2, "sh")), Arc::new(process(1, "init"))].into(),
        session_leader: Some(Arc::new(process(2, "sh"))),
        group_leader: Some(Arc::new(process(7, "nginx"))),
        container: Some(container),
        mounts,
        users,
        secret: Some(Box::new(SecretAccess {
            secret: secret(),
            reader: SecretReader::Late,
            reason: "sh > nginx".to_owned(),
            by_container_mount: true,
        })),
        node: Arc::new(Node {
            name: "node-1".into(),
            hostname: "host".into(),
            boot_id: "b".into(),
            capture_start_ns: 900,
            unseen_rings: true,
        }),
        domain_names: Arc::new(domain_names),
        paths: PathSpellings::default(),
    };
    let mut events = vec![base.clone(); 5];
    for (event, number) in events.iter_mut().zip(1..) {
        event.number = number;
        event.captured.sequence = number;
    }
    events[2].captured.what = What::Exec(Box::new(Exec {
        filename: "/bin/ls".into(),
        file: file("/bin/busybox"),
        args: vec!["ls".into()],
        ..Exec::default()
    }));
    events[3].captured.what = What::Exit {
        status: -1,
        process_ended: true,
    };
    events[4].container = None;
    for event in &mut events {
        event.event_type = Event::type_of(&event.captured.what).expect("events");
        event.prepare();
    }
    events
}

/// An event with a word that must not be written in every place that [`super::Scrub`] knows.
pub(super) fn with_canaries() -> Event {
    let mut event = events().remove(0);
    let mut process = process(7, "nginx");
    process.exe_path = "/canary/exe".into();
    process.args = vec!["--canary".into()].into();
    process.exe_file = Some(Arc::new(file("/canary/file")));
    event.process = Arc::new(process);
    let mut mounts = mounts();
    mounts.mounts[0].source = "canary".into();
    event.mounts = Arc::new(mounts);
    let mut users = users();
    users.users[0].home = "/home/canary".into();
    event.users = Arc::new(users);
    let mut inspected = inspected();
    inspected.labels.insert("x".to_owned(), "canary".into());
    event.container = Some(Arc::new(Container {
        metadata: Metadata::Known(Arc::new(inspected)),
        ..Container::default()
    }));
    event.captured.what = opened("/tmp/canary");
    if let What::Call(call) = &mut event.captured.what {
        call.file = Some(file("/real/canary"));
    }
    if let Some(secret) = &mut event.secret {
        secret.reason = "canary".to_owned();
    }
    event.prepare();
    event
}
