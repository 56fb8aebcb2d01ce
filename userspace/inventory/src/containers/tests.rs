mod identity;
mod impostors;
mod many;

use bstr::BString;
use tempfile::TempDir;
use vigia_event::EventType;
use vigia_event::captured::{Call, CgroupChange, CgroupChangeKind};
use vigia_event::container::{
    DeclaredMount, Engine, Inspected, Metadata, Promises, PublishedPort, Seccomp,
};
use vigia_event::file::{File, Layer};
use vigia_event::process::ProcessKey;
use vigia_event::secret::SecretKind;

use super::life::MAX_SUBGROUPS;
use super::*;
use crate::engines::{EngineMessage, Reach, Said, Source, SourceId};
use crate::fixture::{self, HOST_MNT, SECOND};
use crate::mountinfo::SwarmObject;

mod secrets;
mod several_engines;

const ID: &str = "cb88e9aa616de881d907571c99dd391a8b8e42a205685db372ef402055eb838a";
const OTHER: &str = "aa0ab810283dba822752b3bc8e939426f544725b0f000f67a61b213765fd8854";
const CGROUP: u64 = 500;
const INNER_MNT: u32 = 77;
const SECRET_DEV: u32 = 43;

const HOST_MOUNTS: &str = "20 1 254:0 / / rw - ext4 /dev/vda rw\n";
const MOUNTS: &str = "\
100 1 0:41 / / ro - overlay overlay rw
101 100 0:54 / /dev rw - tmpfs tmpfs rw
102 100 0:43 /odyhv6fhv9qb76mwjswo3norn /run/secrets/db ro - tmpfs tmpfs ro
103 100 0:43 /irji60vbbc0f5240ofhh8xld7 /etc/app.conf ro - tmpfs tmpfs ro
104 100 254:0 /srv/tls.key /run/secrets/tls ro - ext4 /dev/vda rw
";

/// A table over a /proc of the test's own.
struct Scene {
    proc_root: TempDir,
    table: ContainerTable,
    now_ns: u64,
}

impl Scene {
    fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        let proc_root = tempfile::tempdir().expect("a folder");
        write_mounts(&proc_root, 1, HOST_MOUNTS);
        let options = Options {
            proc_root: proc_root.path().into(),
            host_mnt_ns: HOST_MNT,
            ..options
        };
        Self {
            proc_root,
            table: ContainerTable::new(options),
            now_ns: SECOND,
        }
    }

    fn mounts_of_pid(&self, pid: u32, text: &str) {
        write_mounts(&self.proc_root, pid, text);
    }

    fn observe(&mut self, task: &Task, what: What) -> Option<Arc<Container>> {
        let process = Process {
            task: task.clone(),
            ..Process::default()
        };
        self.table
            .observe(&fixture::captured(0, task, what), &process, self.now_ns)
    }

    fn exec(&mut self, task: &Task) -> Option<Arc<Container>> {
        self.observe(
            task,
            What::Exec(Box::new(fixture::image("/bin/sh", Layer::Lower, "sh"))),
        )
    }

    fn cgroup(&mut self, kind: CgroupChangeKind, id: u64, path: &str) {
        let change = CgroupChange {
            kind,
            id,
            path: path.into(),
            pid: 0,
        };
        self.observe(&fixture::task(50), What::Cgroup(change));
    }

    /// A container whose first process, of this pid, has just started.
    fn started(&mut self, pid: u32) -> Task {
        self.cgroup(CgroupChangeKind::Mkdir, CGROUP, &format!("/docker/{ID}"));
        self.mounts_of_pid(pid, MOUNTS);
        let task = inside(pid);
        self.exec(&task);
        task
    }

    fn container(&self) -> Arc<Container> {
        Arc::clone(self.table.get(ID).expect("the container"))
    }

    fn apply_inspected(&mut self, inspected: Inspected) -> Option<String> {
        let inspected = Arc::new(inspected);
        let took = std::time::Duration::ZERO;
        self.hear(
            Engine::Docker,
            EngineMessage::Inspected {
                engine: Engine::Docker,
                id: ID.into(),
                inspected,
                took,
            },
        )
    }

    /// Watches the only engine of this kind, which answers.
    fn await_engine(&mut self, engine: Engine) {
        let id = source_of(engine);
        self.table.await_engine(Source {
            id,
            reach: Reach::Everybody,
        });
        let version = String::new();
        self.hear(engine, EngineMessage::Connected { engine, version });
    }

    /// The only engine of this kind says something, which may be all that it will say.
    fn hear(&mut self, engine: Engine, message: EngineMessage) -> Option<String> {
        let source = source_of(engine);
        if self.table.sources.reach(source).is_none() {
            let reach = Reach::Everybody;
            self.table.await_engine(Source { id: source, reach });
            self.table.sources.lost(source, true);
        }
        self.table.apply(&Said { source, message })
    }
}

fn source_of(engine: Engine) -> SourceId {
    SourceId(match engine {
        Engine::Docker | Engine::Unknown => 0,
        Engine::Podman => 1,
        Engine::Containerd | Engine::CriO => 2,
    })
}

fn write_mounts(proc_root: &TempDir, pid: u32, text: &str) {
    let folder = proc_root.path().join(pid.to_string());
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("mountinfo"), text).expect("a file");
}

/// A task of the container.
fn inside(pid: u32) -> Task {
    let mut task = fixture::task(pid);
    task.cgroup_id = CGROUP;
    task.namespaces.mnt = INNER_MNT;
    task
}

fn call(name: &str, result: i64) -> What {
    let event_type = EventType::from_name(name).expect("a call");
    What::Call(Box::new(Call::new(event_type, result)))
}

fn id_of(container: Option<Arc<Container>>) -> Option<String> {
    container.map(|container| container.id.clone())
}

#[test]
fn a_container_is_known_before_it_starts_and_a_while_after_it_went() {
    let mut scene = Scene::new();
    scene.await_engine(Engine::Docker);
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &format!("/docker/{ID}"));
    let inspect = Request::Inspect {
        id: ID.into(),
        sources: vec![source_of(Engine::Docker)],
    };
    assert_eq!(scene.table.take_requests(), [inspect]);

    // The runtime's stages run in the cgroup, still among the host's mounts.
    let mut stage = inside(60);
    stage.namespaces.mnt = HOST_MNT;
    assert_eq!(id_of(scene.exec(&stage)), Some(ID.into()));
    assert_eq!(scene.container().init, None);

    scene.mounts_of_pid(61, MOUNTS);
    scene.exec(&inside(61));
    let container = scene.container();
    assert_eq!(
        container.init,
        Some(inside(61).start_boottime_ns).map(|start| ProcessKey::new(61, start))
    );
    assert_eq!(
        (
            container.mnt_ns,
            container.start_time_ns,
            container.observed
        ),
        (INNER_MNT, SECOND, true)
    );
    assert_eq!(
        container
            .mounts
            .as_ref()
            .and_then(|mounts| mounts.root_read_only()),
        Some(true)
    );

    // Later programs are not the first.
    scene.exec(&inside(62));
    assert_eq!(scene.container().init.map(|init| init.pid), Some(61));

    scene.cgroup(CgroupChangeKind::Rmdir, CGROUP, &format!("/docker/{ID}"));
    assert_eq!(
        id_of(scene.observe(&inside(61), call("openat", 3))),
        Some(ID.into()),
        "a late event"
    );
    assert_eq!(scene.table.running().count(), 0);
    scene.now_ns += 61 * SECOND;
    assert_eq!(
        scene
            .observe(&inside(61), call("openat", 3))
            .map(|container| container.id.clone()),
        None
    );
    assert_eq!(
        (scene.table.len(), scene.table.take_forgotten()),
        (0, vec![ID.to_owned()])
    );
}

#[test]
fn a_task_belongs_by_cgroup_then_origin_then_namespace() {
    let mut scene = Scene::new();
    scene.started(61);
    let task = |cgroup_id, origin_cgroup_id, mnt| {
        let mut task = fixture::task(70);
        (task.cgroup_id, task.origin_cgroup_id, task.namespaces.mnt) =
            (cgroup_id, origin_cgroup_id, mnt);
        task
    };
    for (task, belongs) in [
        (task(CGROUP, 0, INNER_MNT), true),
        (task(CGROUP, 0, HOST_MNT), true),
        (task(1, CGROUP, HOST_MNT), true),
        (task(1, 0, INNER_MNT), true),
        (task(1, 0, HOST_MNT), false),
        (task(1, 0, 99), false),
        (task(0, 0, 0), false),
    ] {
        assert_eq!(scene.table.of_task(&task).is_some(), belongs, "{task:?}");
    }
}

#[test]
fn who_entered_is_not_the_first_process() {
    let mut scene = Scene::new();
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &format!("/docker/{ID}"));
    let entered = Task {
        entered: Some(true),
        ..inside(61)
    };
    scene.exec(&entered);
    assert_eq!(scene.container().init, None);
}

#[test]
fn groups_below_a_container_are_its_and_impostors_are_not() {
    let mut scene = Scene::new();
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &format!("/docker/{ID}"));
    scene.cgroup(
        CgroupChangeKind::Mkdir,
        501,
        &format!("/docker/{ID}/init.scope"),
    );
    scene.cgroup(
        CgroupChangeKind::Mkdir,
        502,
        &format!("/docker/{ID}/docker/{OTHER}"),
    );
    scene.cgroup(
        CgroupChangeKind::Mkdir,
        503,
        &format!("/user.slice/docker-{ID}.scope"),
    );
    for (cgroup_id, belongs) in [(501, true), (502, true), (503, false)] {
        assert_eq!(
            scene.table.of_cgroup(cgroup_id).is_some(),
            belongs,
            "{cgroup_id}"
        );
    }
    assert_eq!((scene.table.len(), scene.table.counts().impostors), (1, 1));
    let requests = scene.table.take_requests();
    let added = requests
        .iter()
        .filter(|request| matches!(request, Request::AddCgroup { container_cgroup_id, .. } if *container_cgroup_id == CGROUP));
    assert_eq!(added.count(), 2);
    for number in 0..2 * MAX_SUBGROUPS {
        scene.cgroup(
            CgroupChangeKind::Mkdir,
            1000 + number as u64,
            &format!("/docker/{ID}/{number}"),
        );
    }
    assert_eq!(
        scene.table.counts().subgroups_ignored,
        MAX_SUBGROUPS as u64 + 2
    );
    scene.cgroup(CgroupChangeKind::Rmdir, 501, "");
    assert!(scene.table.of_cgroup(501).is_none() && scene.table.of_cgroup(CGROUP).is_some());
    let requests = scene.table.take_requests();
    assert_eq!(
        requests.last(),
        Some(&Request::ForgetCgroup { cgroup_id: 501 })
    );
}

#[test]
fn a_restarted_container_has_a_new_first_process_and_its_old_metadata() {
    let mut scene = Scene::new();
    scene.await_engine(Engine::Docker);
    scene.apply_inspected(Inspected {
        name: "web".into(),
        ..Inspected::default()
    });
    scene.started(61);
    scene.cgroup(CgroupChangeKind::Rmdir, CGROUP, "");
    scene.now_ns += SECOND;
    scene.cgroup(CgroupChangeKind::Mkdir, 600, &format!("/docker/{ID}"));
    assert_eq!(scene.container().init, None);
    let mut task = inside(80);
    (task.cgroup_id, task.namespaces.mnt) = (600, 78);
    scene.mounts_of_pid(80, MOUNTS);
    scene.exec(&task);
    let container = scene.container();
    assert_eq!(
        (container.cgroup_id, container.init.map(|init| init.pid)),
        (600, Some(80))
    );
    assert_eq!(
        container.known().map(|known| known.name.to_string()),
        Some("web".into())
    );
    // The end of the former life's grace does not take the new one along.
    scene.now_ns += 61 * SECOND;
    assert_eq!(
        id_of(scene.observe(&task, call("openat", 3))),
        Some(ID.into())
    );
    assert!(scene.table.take_forgotten().is_empty());
}

#[test]
fn a_gone_container_is_remembered_while_processes_that_came_from_it_live() {
    let mut scene = Scene::new();
    scene.started(61);
    scene.cgroup(CgroupChangeKind::Rmdir, CGROUP, "");
    let mut escaped = fixture::task(90);
    escaped.namespaces.mnt = HOST_MNT;
    escaped.origin_cgroup_id = CGROUP;
    for (origins, known) in [(&[5, CGROUP][..], true), (&[CGROUP], true), (&[5], false)] {
        scene.table.keep_survived(origins.iter().copied());
        scene.now_ns += 61 * SECOND;
        let container = scene.observe(&escaped, call("openat", 3));
        assert_eq!(container.is_some(), known, "{origins:?}");
    }
    assert_eq!(scene.table.take_forgotten(), [ID]);
}

#[test]
fn metadata_is_taken_in_whatever_order_it_comes() {
    let mkdir = format!("/docker/{ID}");
    let web = || Inspected {
        name: "web".into(),
        ..Inspected::default()
    };

    let mut scene = Scene::new();
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &mkdir);
    assert!(
        matches!(scene.container().metadata, Metadata::Unavailable),
        "no engine to ask"
    );
    assert_eq!(scene.apply_inspected(web()), Some(ID.into()));
    assert!(
        scene.container().known().is_some(),
        "an engine came up later"
    );

    let mut scene = Scene::new();
    scene.await_engine(Engine::Docker);
    assert_eq!(scene.apply_inspected(web()), None);
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &mkdir);
    assert!(
        scene.container().known().is_some(),
        "told at creation, before the cgroup"
    );
    assert!(scene.table.take_requests().is_empty());

    let mut scene = Scene::new();
    scene.await_engine(Engine::Docker);
    scene.await_engine(Engine::Podman);
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &mkdir);
    assert!(matches!(scene.container().metadata, Metadata::Pending));
    let not_found = |engine| EngineMessage::NotFound {
        engine,
        id: ID.into(),
    };
    assert_eq!(
        scene.hear(Engine::Podman, not_found(Engine::Podman)),
        None,
        "another engine's container"
    );
    assert_eq!(
        scene.hear(Engine::Docker, not_found(Engine::Docker)),
        Some(ID.into())
    );
    assert!(matches!(scene.container().metadata, Metadata::Unavailable));
    assert_eq!(scene.hear(Engine::Docker, not_found(Engine::Docker)), None);

    for engine in [Engine::Docker, Engine::Podman] {
        let message = EngineMessage::Lost {
            engine,
            reason: String::new(),
            is_absent: true,
            is_harmless: false,
        };
        scene.hear(engine, message);
    }
    scene.cgroup(CgroupChangeKind::Mkdir, 700, &format!("/docker/{OTHER}"));
    assert!(matches!(
        scene.table.get(OTHER).expect("it").metadata,
        Metadata::Unavailable
    ));
}

#[test]
fn an_engine_that_is_there_and_silent_leaves_things_unknown_and_one_that_is_not_there_missing() {
    let lost = |is_absent| EngineMessage::Lost {
        engine: Engine::Docker,
        reason: String::new(),
        is_absent,
        is_harmless: false,
    };
    let mut scene = Scene::new();
    scene.await_engine(Engine::Docker);
    for (is_absent, id) in [(true, ID), (false, OTHER)] {
        scene.hear(Engine::Docker, lost(is_absent));
        scene.cgroup(CgroupChangeKind::Mkdir, 700, &format!("/docker/{id}"));
        let container = scene.table.get(id).expect("it");
        assert_eq!(
            matches!(container.metadata, Metadata::Unavailable),
            is_absent,
            "{:?}",
            container.metadata
        );
    }
}

#[test]
fn a_container_that_is_gone_before_its_mounts_are_read_is_judged_by_its_declaration() {
    let mut scene = Scene::new();
    scene.await_engine(Engine::Docker);
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &format!("/docker/{ID}"));
    let container = scene.exec(&inside(61)).expect("its container");
    assert_eq!(
        (
            container.mounts.is_some(),
            scene.table.counts().mounts_missed
        ),
        (false, 1)
    );
    let volume = DeclaredMount {
        source: "/v".into(),
        destination: "/data".into(),
        read_write: true,
        ..DeclaredMount::default()
    };
    scene.apply_inspected(Inspected {
        declared_read_only: true,
        mounts: vec![volume],
        ..Inspected::default()
    });
    let mounts = scene.container().mounts.clone().expect("mounts");
    assert_eq!(mounts.root_read_only(), Some(true));
    assert_eq!(
        mounts.find(b"/data/x").map(|mount| mount.read_only),
        Some(false)
    );
}

#[test]
fn changed_mounts_are_read_again_but_not_in_a_loop() {
    let mut scene = Scene::new();
    let task = scene.started(61);
    assert_eq!(scene.table.counts().mounts_read, 1);
    scene.now_ns += SECOND;
    scene.mounts_of_pid(61, &MOUNTS.replace("/ / ro", "/ / rw"));
    scene.observe(&task, call("mount", -1));
    assert_eq!(
        scene.table.counts().mounts_read,
        1,
        "a failed call changes nothing"
    );
    let root_read_only = |container: &Container| {
        let mounts = container.mounts.as_ref();
        mounts.and_then(|mounts| mounts.root_read_only())
    };
    let before = scene
        .observe(&task, call("mount", 0))
        .expect("its container");
    assert_eq!(
        root_read_only(&before),
        Some(true),
        "the call is judged by the mounts it found"
    );
    let container = scene
        .observe(&task, call("openat", 3))
        .expect("its container");
    assert_eq!(root_read_only(&container), Some(false));
    assert_eq!(
        container.is_read_only(),
        Some(true),
        "what was remounted since breaks the promise, it does not change it"
    );
    for _ in 0..100 {
        scene.observe(&task, call("umount2", 0));
    }
    assert_eq!(scene.table.counts().mounts_read, 2);
    scene.now_ns += SECOND;
    scene.observe(&task, call("openat", 3));
    assert_eq!(
        scene.table.counts().mounts_read,
        3,
        "what was put off is done later"
    );
    let mut elsewhere = task.clone();
    elsewhere.namespaces.mnt = 99;
    scene.now_ns += SECOND;
    scene.observe(&elsewhere, call("mount", 0));
    scene.observe(&task, call("openat", 3));
    assert_eq!(
        scene.table.counts().mounts_read,
        3,
        "mounts of another namespace"
    );
}

#[test]
fn a_process_with_a_root_of_its_own_does_not_tell_the_mounts_of_its_container() {
    let mut scene = Scene::new();
    scene.started(61);
    let chrooted = inside(62);
    scene.mounts_of_pid(62, "200 100 0:60 / / rw - tmpfs tmpfs rw\n");
    scene.now_ns += SECOND;
    scene.observe(&chrooted, call("mount", 0));
    let container = scene
        .observe(&chrooted, call("openat", 3))
        .expect("its container");
    let mounts = container.mounts.clone().expect("mounts");
    assert_eq!(scene.table.counts().mounts_read, 2);
    assert_eq!(mounts.root_read_only(), Some(true), "as the first one sees");
}

#[test]
fn a_task_sees_the_mounts_of_its_own_namespace() {
    let mut scene = Scene::new();
    let task = scene.started(61);
    let container = scene.container();
    let points = |table: Arc<MountTable>| table.mounts.len();
    assert_eq!(points(scene.table.mounts_of(&task, Some(&container), 0)), 5);
    let mut escaped = task.clone();
    escaped.namespaces.mnt = HOST_MNT;
    assert_eq!(
        points(scene.table.mounts_of(&escaped, Some(&container), 0)),
        1
    );
    let mut unshared = inside(90);
    unshared.namespaces.mnt = 99;
    assert_eq!(
        points(scene.table.mounts_of(&unshared, Some(&container), 0)),
        0,
        "gone"
    );
    scene.mounts_of_pid(
        90,
        "1 1 0:1 / / rw - tmpfs t rw\n2 1 0:2 / /x rw - tmpfs t rw\n",
    );
    assert_eq!(
        points(scene.table.mounts_of(&unshared, Some(&container), SECOND)),
        0,
        "remembered for a moment"
    );
    assert_eq!(
        points(
            scene
                .table
                .mounts_of(&unshared, Some(&container), 5 * SECOND)
        ),
        2
    );
}

#[test]
fn secrets_are_watched_learned_and_told_apart() {
    let mut scene = Scene::new();
    scene.started(61);
    let requests = scene.table.take_requests();
    let learn = |mount_id, path: &str| {
        Request::LearnSecret(LearnSecret {
            pid: 61,
            mount_id,
            path: path.into(),
            pattern: BString::default(),
        })
    };
    for request in [
        Request::WatchSecret {
            dev: SECRET_DEV,
            ino: None,
        },
        learn(102, "/run/secrets/db"),
        learn(103, "/etc/app.conf"),
        learn(104, "/run/secrets/tls"),
        learn(100, "/run/secrets"),
        Request::Resolve {
            id: "odyhv6fhv9qb76mwjswo3norn".into(),
        },
        Request::Resolve {
            id: "irji60vbbc0f5240ofhh8xld7".into(),
        },
    ] {
        assert!(requests.contains(&request), "{request:?} in {requests:?}");
    }
    assert_eq!(requests.len(), 7);

    let file = |dev, ino, mount_id, path: &str| File {
        dev,
        ino,
        mount_id,
        path: path.into(),
        mode: 0o100_400,
        ..File::default()
    };
    let secret = |scene: &Scene, file: &File| {
        scene
            .table
            .secret_of(file, None, scene.now_ns)
            .map(|secret| (secret.name.to_string(), secret.kind))
    };
    let named = |name: &str, kind| Some((name.to_owned(), kind));
    // Before any key is known: by mount, else by device.
    for (file, expected) in [
        (
            file(SECRET_DEV, 2, 102, "/run/secrets/db"),
            named("db", SecretKind::Secret),
        ),
        (
            file(SECRET_DEV, 3, 103, "/etc/app.conf"),
            named("app.conf", SecretKind::Unknown),
        ),
        (
            file(
                SECRET_DEV,
                2,
                7,
                "/var/lib/x/mounts/secrets/odyhv6fhv9qb76mwjswo3norn",
            ),
            named("db", SecretKind::Secret),
        ),
        (
            file(254 << 20, 9, 104, "/run/secrets/tls"),
            named("tls", SecretKind::Secret),
        ),
        (file(254 << 20, 9, 20, "/srv/tls.key"), None),
        (file(5, 2, 102, "/run/secrets/db"), None),
        (
            File {
                mode: 0o040_755,
                ..file(SECRET_DEV, 1, 102, "/run/secrets/db")
            },
            None,
        ),
    ] {
        assert_eq!(secret(&scene, &file), expected, "{file:?}");
    }

    // The probes report the key of the bind: now the host's own path is recognised, too.
    let tls = file(254 << 20, 9, 104, "/run/secrets/tls");
    let agent = fixture::task(2);
    scene.observe(&agent, What::SecretKey(Box::new(tls.clone())));
    let watch = Request::WatchSecret {
        dev: 254 << 20,
        ino: Some(9),
    };
    assert_eq!(scene.table.take_requests(), [watch]);
    let on_host = file(254 << 20, 9, 20, "/srv/tls.key");
    assert_eq!(secret(&scene, &on_host), named("tls", SecretKind::Secret));
    assert!(scene.table.is_granted(&on_host, &scene.container()));
    assert!(!scene.table.is_granted(
        &on_host,
        &Container {
            id: OTHER.into(),
            ..Container::default()
        }
    ));
    // By its path alone, in its own container only.
    let at = |path: &str, container: &Container| {
        let secret = scene.table.secret_at(path.as_bytes(), container);
        secret.map(|(secret, granted)| (secret.name.to_string(), granted))
    };
    let other = Container {
        id: OTHER.into(),
        ..Container::default()
    };
    for (path, container, expected) in [
        ("/run/secrets/db", &*scene.container(), Some("db")),
        ("/run/secrets/tls", &scene.container(), Some("tls")),
        ("/run/secrets/db", &other, None),
        ("/etc/passwd", &scene.container(), None),
        ("/run/secrets-of-others/db", &scene.container(), None),
    ] {
        let expected = expected.map(|name| (name.to_owned(), true));
        assert_eq!(at(path, container), expected, "{path}");
    }
    // A plain file below /run/secrets, as compose writes it.
    scene.observe(
        &agent,
        What::SecretKey(Box::new(file(41, 11, 100, "/run/secrets/env"))),
    );
    assert_eq!(
        secret(&scene, &file(41, 11, 100, "/run/secrets/env")),
        named("env", SecretKind::Secret)
    );
    assert_eq!(secret(&scene, &file(41, 12, 100, "/etc/passwd")), None);

    // A manager knows which is which.
    let object = SwarmObject {
        kind: SecretKind::Config,
        name: "app".into(),
    };
    scene.hear(
        Engine::Docker,
        EngineMessage::Resolved {
            id: "irji60vbbc0f5240ofhh8xld7".into(),
            object,
        },
    );
    assert_eq!(
        secret(&scene, &file(SECRET_DEV, 3, 103, "/etc/app.conf")),
        named("app", SecretKind::Config)
    );
    let kinds: Vec<_> = scene
        .container()
        .mounts
        .iter()
        .flat_map(|table| &table.secrets)
        .map(|secret| secret.kind)
        .collect();
    assert_eq!(
        kinds,
        [SecretKind::Secret, SecretKind::Config, SecretKind::Secret]
    );

    // With the container, its grants go.
    scene.table.take_requests();
    scene.cgroup(CgroupChangeKind::Rmdir, CGROUP, "");
    scene.now_ns += 61 * SECOND;
    scene.observe(&agent, call("openat", 3));
    let unwatched = scene.table.take_requests();
    for (dev, ino) in [(SECRET_DEV, None), (254 << 20, Some(9)), (41, Some(11))] {
        assert!(
            unwatched.contains(&Request::UnwatchSecret { dev, ino }),
            "{dev} {ino:?}"
        );
    }
    assert_eq!(secret(&scene, &on_host), None);
}

#[test]
fn a_secret_shared_by_two_containers_stays_until_both_are_gone() {
    let mut scene = Scene::new();
    scene.started(61);
    scene.cgroup(CgroupChangeKind::Mkdir, 600, &format!("/docker/{OTHER}"));
    let mut task = inside(62);
    (task.cgroup_id, task.namespaces.mnt) = (600, 78);
    scene.mounts_of_pid(62, "200 1 0:44 / / rw - overlay o rw\n204 200 254:0 /srv/tls.key /run/secrets/key ro - ext4 v rw\n");
    scene.exec(&task);
    for (mount_id, path) in [(104, "/run/secrets/tls"), (204, "/run/secrets/key")] {
        let file = File {
            dev: 254 << 20,
            ino: 9,
            mount_id,
            path: path.into(),
            ..File::default()
        };
        scene.observe(&fixture::task(2), What::SecretKey(Box::new(file)));
    }
    assert_eq!(scene.table.granted(254 << 20, 9).len(), 2);
    scene.cgroup(CgroupChangeKind::Rmdir, CGROUP, "");
    scene.now_ns += 61 * SECOND;
    scene.observe(&task, call("openat", 3));
    let granted: Vec<_> = scene
        .table
        .granted(254 << 20, 9)
        .iter()
        .map(|container| container.id.clone())
        .collect();
    assert_eq!(granted, [OTHER]);
}

#[test]
fn a_container_without_a_cgroup_is_known_by_its_binds() {
    let hostname = format!(
        "102 100 0:9 /containers/overlay-containers/{ID}/userdata/hostname /etc/hostname rw - tmpfs t rw\n"
    );
    let mounts = format!("100 1 0:41 / / rw - overlay o rw\n{hostname}");
    let mut scene = Scene::new();
    scene.mounts_of_pid(61, &mounts);
    let task = Task {
        cgroup_id: 3,
        ..inside(61)
    };
    let container = scene.exec(&task).expect("a container");
    assert_eq!(
        (container.id.as_str(), container.engine, container.cgroup_id),
        (ID, Engine::Podman, 0)
    );
    assert_eq!(container.init.map(|init| init.pid), Some(61));
    let exit = What::Exit {
        status: 0,
        process_ended: true,
    };
    scene.observe(&task, exit);
    assert_eq!(scene.table.running().count(), 0);
}

#[test]
fn containers_that_ran_before_are_found_in_proc() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join(format!("docker/{ID}/sub"))).expect("a folder");
    let inode = |path: &str| {
        rustix::fs::stat(folder.path().join(path))
            .expect("a status")
            .st_ino
    };
    let mut scene = Scene::with(Options {
        cgroup_folder: Some(folder.path().into()),
        ..Options::default()
    });
    scene.mounts_of_pid(30, MOUNTS);
    let task = |pid, start, mnt_ns, path: String| ExistingTask {
        process: ProcessKey {
            pid,
            start_ticks: start,
        },
        start_time_ns: start,
        mnt_ns,
        cgroup_path: BString::from(path),
    };
    let tasks = [
        task(31, 9, INNER_MNT, format!("/docker/{ID}/sub")),
        task(30, 5, INNER_MNT, format!("/docker/{ID}")),
        task(29, 4, HOST_MNT, format!("/docker/{ID}")),
        task(1, 1, HOST_MNT, "/init.scope".into()),
    ];
    scene.table.add_existing(&tasks, SECOND);
    let container = scene.container();
    assert_eq!(
        (
            container.observed,
            container.init.map(|init| init.pid),
            container.start_time_ns
        ),
        (false, Some(30), 5)
    );
    assert!(container.mounts.is_some());
    for path in [format!("docker/{ID}"), format!("docker/{ID}/sub")] {
        assert!(scene.table.of_cgroup(inode(&path)).is_some(), "{path}");
        let added = Request::AddCgroup {
            cgroup_id: inode(&path),
            container_cgroup_id: inode(&format!("docker/{ID}")),
        };
        assert!(scene.table.requests.contains(&added), "{path}");
    }
    // A program that starts in it now is not its first.
    let exec = Task {
        cgroup_id: inode(&format!("docker/{ID}")),
        ..inside(40)
    };
    scene.exec(&exec);
    assert_eq!(scene.container().init.map(|init| init.pid), Some(30));
}

#[test]
fn what_was_observed_wins_over_the_scan() {
    let mut scene = Scene::new();
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &format!("/docker/{ID}"));
    let path = format!("/docker/{ID}");
    let stage = ExistingTask {
        process: ProcessKey {
            pid: 60,
            start_ticks: 1,
        },
        start_time_ns: 1,
        mnt_ns: INNER_MNT,
        cgroup_path: path.into(),
    };
    scene.table.add_existing(&[stage], SECOND);
    assert_eq!(
        (scene.container().observed, scene.container().init),
        (true, None)
    );
}

#[test]
fn a_full_table_gives_up_those_that_went_first() {
    let mut scene = Scene::with(Options {
        max_containers: 3,
        ..Options::default()
    });
    let id = |number: u64| format!("{number:064x}");
    for number in 1..=3 {
        scene.cgroup(
            CgroupChangeKind::Mkdir,
            number,
            &format!("/docker/{}", id(number)),
        );
    }
    scene.cgroup(CgroupChangeKind::Rmdir, 2, "");
    for number in 4..=5 {
        scene.cgroup(
            CgroupChangeKind::Mkdir,
            number,
            &format!("/docker/{}", id(number)),
        );
    }
    let kept: Vec<bool> = (1..=5)
        .map(|number| scene.table.get(&id(number)).is_some())
        .collect();
    assert_eq!(kept, [false, false, true, true, true]);
    assert_eq!((scene.table.len(), scene.table.counts().evicted), (3, 2));
}

#[test]
fn what_a_container_mounts_itself_it_was_not_granted() {
    let mut scene = Scene::new();
    let task = scene.started(61);
    let file = |ino, mount_id, path: &str| File {
        dev: 254 << 20,
        ino,
        mount_id,
        path: path.into(),
        ..File::default()
    };
    let own = file(9, 104, "/run/secrets/tls");
    assert!(
        scene.table.is_granted(&own, &scene.container()),
        "its own mount, before the key is known"
    );
    scene.table.take_requests();
    scene.now_ns += SECOND;
    let bind = "105 100 254:0 /srv/others.key /run/secrets/mine ro - ext4 /dev/vda rw\n";
    scene.mounts_of_pid(61, &format!("{MOUNTS}{bind}"));
    scene.observe(&task, call("mount", 0));
    scene.observe(&task, call("openat", 3));
    let mounts = scene.container().mounts.clone().expect("mounts");
    assert!(mounts.mounts.iter().any(|mount| mount.id == 105));
    scene.apply_inspected(Inspected::default());
    assert!(scene.table.take_requests().is_empty());
    let taken = file(10, 105, "/run/secrets/mine");
    assert!(!scene.table.is_granted(&taken, &scene.container()));
    scene.observe(&fixture::task(2), What::SecretKey(Box::new(taken.clone())));
    assert!(!scene.table.is_granted(&taken, &scene.container()));
}

#[test]
fn a_container_that_looks_like_containerds_is_settled_when_all_deny_it() {
    let mut scene = Scene::new();
    scene.await_engine(Engine::Docker);
    scene.await_engine(Engine::Containerd);
    scene.cgroup(
        CgroupChangeKind::Mkdir,
        CGROUP,
        &format!("/kubepods/pod1/{ID}"),
    );
    let inspect = Request::Inspect {
        id: ID.into(),
        sources: [Engine::Docker, Engine::Containerd].map(source_of).to_vec(),
    };
    assert_eq!(scene.table.take_requests(), [inspect]);
    for (engine, settled) in [
        (Engine::Containerd, None),
        (Engine::Containerd, None),
        (Engine::Docker, Some(ID.to_owned())),
    ] {
        let denied = EngineMessage::NotFound {
            engine,
            id: ID.into(),
        };
        assert_eq!(scene.hear(engine, denied), settled);
    }
}

#[test]
fn numbers_that_the_kernel_gives_away_again_make_no_secret() {
    let mut scene = Scene::new();
    scene.started(61);
    let on_tmpfs = File {
        dev: SECRET_DEV,
        ino: 2,
        mount_id: 102,
        path: "/run/secrets/db".into(),
        ..File::default()
    };
    scene.observe(
        &fixture::task(2),
        What::SecretKey(Box::new(on_tmpfs.clone())),
    );
    let gone_ns = scene.now_ns + SECOND;
    scene.now_ns = gone_ns;
    scene.table.take_requests();
    scene.cgroup(CgroupChangeKind::Rmdir, CGROUP, "");
    let unwatched = scene.table.take_requests();
    assert!(unwatched.contains(&Request::UnwatchSecret {
        dev: SECRET_DEV,
        ino: None
    }));
    let late = scene.table.secret_of(&on_tmpfs, None, gone_ns);
    assert!(late.is_some(), "of an event that comes late");
    let other = scene.table.secret_of(&on_tmpfs, None, gone_ns + 1);
    assert_eq!(other, None, "of another file system");

    // The next container is given the same numbers, and a secret there: it is watched anew.
    scene.now_ns += SECOND;
    scene.cgroup(CgroupChangeKind::Mkdir, 600, &format!("/docker/{OTHER}"));
    scene.mounts_of_pid(62, MOUNTS);
    let task = Task {
        cgroup_id: 600,
        ..inside(62)
    };
    scene.exec(&task);
    let watch = Request::WatchSecret {
        dev: SECRET_DEV,
        ino: None,
    };
    assert!(scene.table.take_requests().contains(&watch));
    assert!(
        scene
            .table
            .secret_of(&on_tmpfs, None, scene.now_ns)
            .is_some()
    );
}

#[test]
fn a_start_is_told_once_and_a_change_when_the_engine_says_something_else() {
    let mut scene = Scene::new();
    scene.started(100);
    let told = |scene: &mut Scene| -> Vec<ContainerChange> {
        let news = scene.table.take_news();
        assert!(news.iter().all(|(id, _)| id == ID));
        news.into_iter().map(|(_, change)| change).collect()
    };
    assert_eq!(told(&mut scene), [ContainerChange::Started]);
    scene.exec(&inside(101));
    let inspected = Inspected {
        name: "web".into(),
        pid: 0,
        promises: Box::new(Promises {
            ports: vec![PublishedPort {
                port: 80,
                ..PublishedPort::default()
            }],
            ..Promises::default()
        }),
        ..Inspected::default()
    };
    scene.apply_inspected(inspected.clone());
    // What comes with the start is no change: the first process, a port of the engine's choice, a profile.
    let mut running = inspected.clone();
    running.pid = 100;
    running.promises.ports[0].host_port = 32768;
    running.promises.apparmor = "docker-default".into();
    scene.apply_inspected(running.clone());
    // Nor are another process after a restart, and an image that nobody could be asked about.
    running.image_digest = "sha256:12".into();
    scene.apply_inspected(running.clone());
    scene.table.take_news();
    let mut again = running.clone();
    again.pid = 200;
    again.image_digest = BString::default();
    scene.apply_inspected(again);
    assert!(told(&mut scene).is_empty());
    let mut limited = running;
    limited.promises.memory_limit_bytes = 1 << 20;
    scene.apply_inspected(limited.clone());
    scene.apply_inspected(limited);
    assert_eq!(told(&mut scene), [ContainerChange::Changed]);
}

#[test]
fn a_start_that_was_judged_without_metadata_is_told_again_with_them() {
    let mut scene = Scene::new();
    scene.started(100);
    scene.table.take_news();
    scene.table.told_without_metadata(ID);
    scene.apply_inspected(Inspected {
        pid: 100,
        ..Inspected::default()
    });
    let news = scene.table.take_news();
    assert!(
        matches!(news.as_slice(), [(_, ContainerChange::Started)]),
        "{news:?}"
    );
    scene.apply_inspected(Inspected {
        pid: 100,
        ..Inspected::default()
    });
    assert!(scene.table.take_news().is_empty(), "once");
    // Also of one that has gone meanwhile; but nothing else is told of it.
    scene.table.told_without_metadata(ID);
    scene.cgroup(CgroupChangeKind::Rmdir, CGROUP, &format!("/docker/{ID}"));
    scene.apply_inspected(Inspected {
        pid: 100,
        ..Inspected::default()
    });
    let news = scene.table.take_news();
    assert!(matches!(news.as_slice(), [(_, ContainerChange::Started)]));
    scene.apply_inspected(Inspected {
        pid: 100,
        name: "renamed".into(),
        ..Inspected::default()
    });
    assert!(scene.table.take_news().is_empty());
}

#[test]
fn ports_that_an_engine_chooses_are_a_change_and_those_that_were_asked_for_are_none() {
    let published = |host_port, address: &str| PublishedPort {
        host_port,
        port: 80,
        protocol: "tcp".into(),
        address: address.into(),
    };
    for (asked, bound, expected) in [
        (vec![], vec![published(32770, "0.0.0.0")], 1),
        (vec![published(0, "")], vec![published(32770, "0.0.0.0")], 1),
        (
            vec![published(8080, "")],
            vec![published(8080, "0.0.0.0"), published(8080, "::")],
            0,
        ),
        (vec![], vec![], 0),
    ] {
        let mut scene = Scene::new();
        scene.await_engine(Engine::Docker);
        let says = |pid, ports| Inspected {
            pid,
            promises: Box::new(Promises {
                ports,
                ..Promises::default()
            }),
            ..Inspected::default()
        };
        scene.apply_inspected(says(0, asked));
        scene.started(100);
        scene.table.take_news();
        let words = format!("{bound:?}");
        scene.apply_inspected(says(100, bound));
        assert_eq!(scene.table.take_news().len(), expected, "{words}");
    }
}

#[test]
fn the_rights_of_the_first_process_are_read_when_it_starts() {
    let cgroups = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::with(Options {
        cgroup_folder: Some(cgroups.path().into()),
        ..Options::default()
    });
    let group = cgroups.path().join(format!("docker/{ID}"));
    std::fs::create_dir_all(&group).expect("a folder");
    let allow =
        |processes: &str| std::fs::write(group.join("pids.max"), processes).expect("a file");
    allow("50");
    let folder = scene.proc_root.path().join("100");
    std::fs::create_dir_all(folder.join("ns")).expect("a folder");
    std::fs::write(
        folder.join("status"),
        "CapBnd:\t00000000000000ff\nSeccomp:\t2\n",
    )
    .expect("a file");
    std::os::unix::fs::symlink(format!("mnt:[{INNER_MNT}]"), folder.join("ns/mnt"))
        .expect("a link");
    scene.started(100);
    let confinement = scene.container().confinement.clone().expect("its rights");
    assert_eq!(
        (confinement.capabilities, confinement.seccomp),
        (0xff, Seccomp::Filtered)
    );
    assert_eq!(confinement.limits.pids, Some(50));
    // Changed while it runs: by the engine, and then by somebody else.
    for (allowed, is_broken) in [("70", false), ("71", true)] {
        allow(allowed);
        scene.apply_inspected(Inspected {
            pid: 100,
            promises: Box::new(Promises {
                pids_limit: 70,
                seccomp: "custom".into(),
                ..Promises::default()
            }),
            ..Inspected::default()
        });
        let broken = scene.container().broken_promises().expect("both sides");
        assert_eq!(broken.contains(&"pids_limit"), is_broken, "{broken:?}");
    }
}

#[test]
fn a_gone_container_is_forgotten_also_where_nothing_happens() {
    let mut scene = Scene::new();
    scene.started(100);
    scene.cgroup(CgroupChangeKind::Rmdir, CGROUP, &format!("/docker/{ID}"));
    scene.table.expire(scene.now_ns);
    assert_eq!(scene.table.len(), 1, "late events still find it");
    scene.table.expire(scene.now_ns + 60 * SECOND);
    assert!(scene.table.is_empty());
    assert_eq!(scene.table.take_forgotten(), [ID]);
}

#[test]
fn a_mount_namespace_whose_number_is_used_again_stays_with_its_new_container() {
    let mut scene = Scene::new();
    scene.started(61);
    let exit = What::Exit {
        status: 0,
        process_ended: true,
    };
    scene.observe(&inside(61), exit);
    let in_group = |pid, cgroup_id, mnt| {
        let mut task = inside(pid);
        (task.cgroup_id, task.namespaces.mnt) = (cgroup_id, mnt);
        task
    };
    scene.cgroup(CgroupChangeKind::Mkdir, 700, &format!("/docker/{OTHER}"));
    scene.mounts_of_pid(62, MOUNTS);
    scene.exec(&in_group(62, 700, INNER_MNT));
    scene.mounts_of_pid(63, MOUNTS);
    scene.exec(&in_group(63, CGROUP, INNER_MNT + 1));
    assert_eq!(scene.container().init.map(|init| init.pid), Some(63));
    for (mnt, id) in [(INNER_MNT, OTHER), (INNER_MNT + 1, ID)] {
        let found = scene.table.of_task(&in_group(70, 1, mnt));
        assert_eq!(id_of(found.cloned()), Some(id.to_owned()), "{mnt}");
    }
}
