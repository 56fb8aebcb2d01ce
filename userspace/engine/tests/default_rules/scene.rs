//! From a case to an event.

use std::sync::Arc;

use bstr::BString;
use vigia_event::call::named;
use vigia_event::captured::{Call, Credentials, Exec, GivenPath, Task, What};
use vigia_event::container::{Engine, Inspected};
use vigia_event::file::{File, Origin};
use vigia_event::mount::{Mount, MountKind, MountTable};
use vigia_event::process::Script;
use vigia_event::secret::{Reader, SecretAccess, SecretKind, SecretRef, SecretSource};
use vigia_event::text::errno_name;
use vigia_event::{Captured, Container, Event, EventType, Metadata, Node, Process};

use super::case::{Case, ContainerCase, ProcessCase, SecretCase};

const NOW_NS: u64 = 1_700_000_000_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;

impl Case {
    /// The event this case tells of.
    pub(crate) fn event(&self) -> Event {
        let event_type = EventType::from_name(&self.call)
            .unwrap_or_else(|| panic!("no event type `{}`", self.call));
        let process = self.process.process();
        let mounts = Arc::new(mounts(self.container.read_only));
        let container = (!self.container.host).then(|| Arc::new(self.container.container(&mounts)));
        let mut event = Event {
            number: 1,
            time_ns: NOW_NS,
            event_type,
            captured: Captured {
                cpu: 0,
                sequence: 1,
                boot_time_ns: 1,
                in_scope: true,
                is_secret: self.secret.is_some(),
                task: process.task.clone(),
                what: self.what(event_type),
            },
            process: Arc::new(process),
            ancestors: self
                .process
                .ancestors
                .iter()
                .map(|name| Arc::new(named_process(name)))
                .collect(),
            session_leader: None,
            group_leader: None,
            container,
            mounts,
            users: Arc::default(),
            secret: self.secret.as_ref().map(|secret| Box::new(secret.access())),
            node: Arc::new(Node::default()),
            domain_names: Arc::default(),
            paths: Default::default(),
        };
        event.prepare();
        event
    }

    fn what(&self, event_type: EventType) -> What {
        match event_type {
            named::EXECVE => What::Exec(Box::new(Exec {
                filename: self.process.exe.as_str().into(),
                args: self
                    .process
                    .args
                    .iter()
                    .map(|arg| BString::from(arg.as_str()))
                    .collect(),
                ..Exec::default()
            })),
            named::COMPAT_SYSCALL => What::CompatCall {
                number: i32::try_from(self.number).expect("a call number"),
            },
            named::BUDGET_EXCEEDED => What::BudgetExceeded { count: self.number },
            _ => What::Call(Box::new(self.call(event_type))),
        }
    }

    fn call(&self, event_type: EventType) -> Call {
        let result = self.error.as_deref().map_or(3, |name| -errno(name));
        let flags = flags(&self.flags);
        let mut args = [0; 6];
        let place = match event_type.name() {
            "ptrace" => 0,
            "open" => 1,
            "openat" => 2,
            "mount" => 3,
            _ => 5,
        };
        args[place] = flags;
        let opens = event_type.name().starts_with("open");
        let real_path = self
            .real_path
            .clone()
            .or_else(|| self.path.clone().filter(|_| opens && result >= 0));
        let given = |path: &String| GivenPath {
            given: path.as_str().into(),
            ..GivenPath::default()
        };
        Call {
            args,
            paths: match &self.target {
                Some(target) => vec![given(&self.path.clone().unwrap_or_default()), given(target)],
                None => self.path.iter().map(given).collect(),
            },
            file: real_path.map(|path| File {
                path: path.into(),
                mode: 0o100_644,
                ..File::default()
            }),
            ..Call::new(event_type, result)
        }
    }
}

impl ProcessCase {
    fn process(&self) -> Process {
        let task = Task {
            pid: 4242,
            comm: self.name.as_str().into(),
            credentials: Credentials {
                uid: self.uid,
                cap_effective: if self.privileged { u64::MAX >> 23 } else { 0 },
                ..Credentials::default()
            },
            tty: self.tty,
            entered: self.entered,
            ..Task::default()
        };
        Process {
            task,
            exe: self.exe.as_str().into(),
            exe_path: self.exe.as_str().into(),
            args: self
                .args
                .iter()
                .map(|arg| BString::from(arg.as_str()))
                .collect(),
            exe_origin: origin(&self.origin),
            script: self.script.as_ref().map(|path| Script {
                path: path.as_str().into(),
                origin: origin(&self.script_origin),
            }),
            observed: true,
            ..Process::default()
        }
    }
}

impl ContainerCase {
    fn container(&self, mounts: &Arc<MountTable>) -> Container {
        let inspected = Inspected {
            name: "web".into(),
            image: "nginx:1.27".into(),
            ..Inspected::default()
        };
        Container {
            id: "ab".repeat(32),
            engine: Engine::Docker,
            start_time_ns: self
                .uptime_s
                .map_or(0, |seconds| NOW_NS - seconds * SECOND_NS),
            observed: self.observed,
            mounts: Some(Arc::clone(mounts)),
            metadata: Metadata::Known(Arc::new(inspected)),
            ..Container::default()
        }
    }
}

impl SecretCase {
    fn access(&self) -> SecretAccess {
        let kinds = [SecretKind::Secret, SecretKind::Config, SecretKind::Unknown];
        let readers = [
            Reader::Engine,
            Reader::Host,
            Reader::Foreign,
            Reader::Probe,
            Reader::Entered,
            Reader::Dropped,
            Reader::Declared,
            Reader::Main,
            Reader::Startup,
            Reader::Lineage,
            Reader::Late,
            Reader::Unknown,
        ];
        SecretAccess {
            secret: SecretRef {
                name: "db_password".into(),
                path: "/run/secrets/db_password".into(),
                kind: *kinds
                    .iter()
                    .find(|kind| kind.name() == self.kind)
                    .expect("a kind of secret"),
                source: SecretSource::Swarm,
                ..SecretRef::default()
            },
            reader: *readers
                .iter()
                .find(|reader| reader.name() == self.reader)
                .expect("a reader"),
            reason: "a chain of programs".to_owned(),
        }
    }
}

/// What a container of Docker's has mounted, with one volume of each kind and a secret.
fn mounts(read_only_root: bool) -> MountTable {
    let mount = |point: &str, kind, read_only, fs_type: &str| Mount {
        point: point.into(),
        kind,
        read_only,
        fs_type: fs_type.into(),
        ..Mount::default()
    };
    MountTable {
        mounts: vec![
            mount("/", MountKind::Root, read_only_root, "overlay"),
            mount("/proc", MountKind::Kernel, false, "proc"),
            mount("/proc/sys", MountKind::Kernel, true, "proc"),
            mount("/sys", MountKind::Kernel, true, "sysfs"),
            mount("/dev", MountKind::Kernel, false, "tmpfs"),
            mount("/tmp", MountKind::Tmpfs, false, "tmpfs"),
            mount("/data", MountKind::Volume, false, "ext4"),
            mount("/config", MountKind::Volume, true, "ext4"),
            mount("/etc/hosts", MountKind::Engine, read_only_root, "ext4"),
            mount("/run/secrets/db_password", MountKind::Secret, true, "tmpfs"),
        ],
        ..MountTable::default()
    }
}

fn named_process(name: &str) -> Process {
    Process {
        task: Task {
            comm: name.into(),
            ..Task::default()
        },
        ..Process::default()
    }
}

fn origin(name: &str) -> Origin {
    let all = [
        Origin::Image,
        Origin::Upper,
        Origin::Volume,
        Origin::Tmpfs,
        Origin::Memfd,
        Origin::Unknown,
    ];
    *all.iter()
        .find(|origin| origin.name() == name)
        .expect("an origin")
}

fn errno(name: &str) -> i64 {
    (1..200)
        .find(|&number| errno_name(number) == Some(name))
        .unwrap_or_else(|| panic!("no error `{name}`"))
}

fn flags(names: &str) -> u64 {
    let value = |name: &str| match name {
        "" | "O_RDONLY" | "PTRACE_TRACEME" => 0,
        "O_WRONLY" => 1,
        "O_RDWR" => 2,
        "O_CREAT" => 0o100,
        "O_TRUNC" => 0o1000,
        "RDONLY" => 1,
        "REMOUNT" => 1 << 5,
        "BIND" => 1 << 12,
        "REC" => 1 << 14,
        "PRIVATE" => 1 << 18,
        "PTRACE_POKEDATA" => 5,
        "PTRACE_CONT" => 7,
        "PTRACE_ATTACH" => 16,
        "PTRACE_SEIZE" => 0x4206,
        other => panic!("no flag `{other}`"),
    };
    names.split('|').map(value).fold(0, |all, one| all | one)
}
