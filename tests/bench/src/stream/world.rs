//! A node with a dozen containers.

use std::sync::Arc;

use bstr::BString;
use vigia_event::captured::{Credentials, Task};
use vigia_event::container::{Container, Engine, Inspected};
use vigia_event::mount::{Mount, MountKind, MountTable};
use vigia_event::names::DomainNames;
use vigia_event::process::Ancestors;
use vigia_event::users::{User, Users};
use vigia_event::{Metadata, Node, Process};

/// The time of the first event, nanoseconds since the epoch.
pub(super) const NOW_NS: u64 = 1_769_000_000_000_000_000;

/// What all events share, and who acts.
pub(super) struct World {
    pub(super) actors: Vec<Actor>,
    pub(super) mounts: Arc<MountTable>,
    pub(super) users: Arc<Users>,
    pub(super) node: Arc<Node>,
    pub(super) domain_names: Arc<DomainNames>,
}

/// A process with its surroundings.
pub(super) struct Actor {
    pub(super) process: Arc<Process>,
    pub(super) ancestors: Ancestors,
    pub(super) container: Option<Arc<Container>>,
}

/// Image, and the programs of its containers: name, executable, arguments.
type Image = (
    &'static str,
    &'static [(&'static str, &'static str, &'static [&'static str])],
);

const IMAGES: &[Image] = &[
    (
        "docker.io/library/nginx",
        &[
            ("nginx", "/usr/sbin/nginx", &["-g", "daemon off;"]),
            ("nginx", "/usr/sbin/nginx", &["worker"]),
        ],
    ),
    (
        "docker.io/library/postgres",
        &[
            (
                "postgres",
                "/usr/lib/postgresql/16/bin/postgres",
                &["-D", "/var/lib/postgresql/data"],
            ),
            (
                "postgres",
                "/usr/lib/postgresql/16/bin/postgres",
                &["checkpointer"],
            ),
            (
                "postgres",
                "/usr/lib/postgresql/16/bin/postgres",
                &["app", "app", "10.0.3.4(41022)", "SELECT"],
            ),
        ],
    ),
    (
        "docker.io/library/redis",
        &[("redis-server", "/usr/local/bin/redis-server", &["*:6379"])],
    ),
    (
        "registry.example/shop/web",
        &[
            ("node", "/usr/local/bin/node", &["/app/server.js"]),
            (
                "npm start",
                "/usr/local/bin/node",
                &["/usr/local/bin/npm", "start"],
            ),
        ],
    ),
    (
        "registry.example/shop/api",
        &[
            (
                "gunicorn",
                "/usr/bin/python3.12",
                &["-m", "gunicorn", "app:app"],
            ),
            (
                "python3",
                "/usr/bin/python3.12",
                &["worker.py", "--queue", "mail"],
            ),
        ],
    ),
    (
        "registry.example/shop/search",
        &[(
            "java",
            "/opt/java/bin/java",
            &["-Xmx2g", "-jar", "/srv/search.jar"],
        )],
    ),
];

impl World {
    pub(super) fn new() -> Self {
        let mounts = Arc::new(mounts());
        let users = Arc::new(users());
        let shim = Arc::new(process(
            900,
            "containerd-shim",
            "/usr/bin/containerd-shim-runc-v2",
            &["-id"],
        ));
        let init = Arc::new(process(1, "systemd", "/usr/lib/systemd/systemd", &[]));
        let mut actors = Vec::new();
        for (copy, (image, programs)) in IMAGES.iter().cycle().take(12).enumerate() {
            let container = Arc::new(container(copy, image, &mounts));
            let mut above = vec![Arc::clone(&shim), Arc::clone(&init)];
            for (index, (name, path, args)) in programs.iter().enumerate() {
                let pid = 1000 + u32::try_from(copy * 10 + index).unwrap_or(0);
                let process = Arc::new(process(pid, name, path, args));
                actors.push(Actor {
                    process: Arc::clone(&process),
                    ancestors: above.clone().into(),
                    container: Some(Arc::clone(&container)),
                });
                above.insert(0, process);
            }
        }
        Self {
            actors,
            mounts,
            users,
            node: Arc::new(Node {
                name: "node-1".into(),
                hostname: "node-1".into(),
                ..Node::default()
            }),
            domain_names: Arc::default(),
        }
    }
}

pub(super) fn process(pid: u32, name: &str, path: &str, args: &[&str]) -> Process {
    Process {
        task: Task {
            pid,
            tid: pid,
            vpid: pid,
            vtid: pid,
            comm: name.into(),
            credentials: Credentials {
                uid: 33,
                gid: 33,
                euid: 33,
                egid: 33,
                loginuid: u32::MAX,
                ..Credentials::default()
            },
            entered: Some(false),
            ..Task::default()
        },
        start_time_ns: NOW_NS - 3_600_000_000_000,
        exe: name.into(),
        exe_path: path.into(),
        args: args.iter().map(|arg| BString::from(*arg)).collect(),
        cwd: "/srv".into(),
        observed: true,
        ..Process::default()
    }
}

fn container(copy: usize, image: &str, mounts: &Arc<MountTable>) -> Container {
    let inspected = Inspected {
        name: format!("shop_{copy}").into(),
        image: format!("{image}:1.27").into(),
        image_repository: image.into(),
        image_tag: "1.27".into(),
        ..Inspected::default()
    };
    Container {
        id: format!("{copy:02x}").repeat(32),
        engine: Engine::Docker,
        start_time_ns: NOW_NS - 7_200_000_000_000,
        observed: true,
        mounts: Some(Arc::clone(mounts)),
        metadata: Metadata::Known(Arc::new(inspected)),
        ..Container::default()
    }
}

fn mounts() -> MountTable {
    let mount = |point: &str, kind, fs_type: &str| Mount {
        point: point.into(),
        kind,
        fs_type: fs_type.into(),
        ..Mount::default()
    };
    MountTable {
        mounts: vec![
            mount("/", MountKind::Root, "overlay"),
            mount("/proc", MountKind::Kernel, "proc"),
            mount("/dev", MountKind::Kernel, "tmpfs"),
            mount("/sys", MountKind::Kernel, "sysfs"),
            mount("/etc/hosts", MountKind::Engine, "ext4"),
            mount("/etc/resolv.conf", MountKind::Engine, "ext4"),
            mount("/var/lib/postgresql/data", MountKind::Volume, "ext4"),
        ],
        ..MountTable::default()
    }
}

fn users() -> Users {
    let user = |uid, name: &str| User {
        uid,
        name: name.into(),
        home: "/srv".into(),
        shell: "/usr/sbin/nologin".into(),
    };
    Users {
        users: vec![user(0, "root"), user(33, "app")],
        groups: vec![(0, "root".into()), (33, "app".into())],
        ..Users::default()
    }
}
