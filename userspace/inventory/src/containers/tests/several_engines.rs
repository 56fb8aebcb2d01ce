//! Several engines at once: whose word counts for what, and what one that is lost means for the others.

use std::path::Path;
use std::time::Duration;

use super::*;

const USER: u32 = 1000;
const USER_NS: u32 = 4_026_532_000;

/// Two of root's, and those of two users.
const DOCKER: SourceId = SourceId(0);
const OTHER_DOCKER: SourceId = SourceId(1);
const USERS: SourceId = SourceId(2);
const STRANGERS: SourceId = SourceId(3);

/// Processes from 1000 to 1999 live in a namespace of the user of that number, all others in the host's.
fn made_by_pid(_proc_root: &Path, pid: u32) -> io::Result<UserNamespace> {
    match pid {
        GONE => Err(io::ErrorKind::NotFound.into()),
        1000..2000 => Ok(UserNamespace {
            inode: USER_NS,
            maker: Some(pid),
        }),
        _ => Ok(UserNamespace {
            inode: 0xEFFF_FFFD,
            maker: None,
        }),
    }
}
/// Nothing can be found out about this process.
const GONE: u32 = 99;

fn scene() -> Scene {
    let mut scene = Scene::with(Options {
        user_namespace: made_by_pid,
        ..Options::default()
    });
    for (id, engine, reach) in [
        (DOCKER, Engine::Docker, Reach::Everybody),
        (OTHER_DOCKER, Engine::Docker, Reach::Everybody),
        (USERS, Engine::Podman, Reach::User(USER)),
        (STRANGERS, Engine::Podman, Reach::User(USER + 1)),
    ] {
        scene.table.await_engine(Source { id, reach });
        let version = String::new();
        say(&mut scene, id, EngineMessage::Connected { engine, version });
    }
    scene
}

fn say(scene: &mut Scene, source: SourceId, message: EngineMessage) -> Option<String> {
    scene.table.apply(&Said { source, message })
}

fn inspected(name: &str) -> EngineMessage {
    EngineMessage::Inspected {
        engine: Engine::Docker,
        id: ID.into(),
        inspected: Arc::new(Inspected {
            name: name.into(),
            ..Inspected::default()
        }),
        took: Duration::ZERO,
    }
}

fn not_found() -> EngineMessage {
    EngineMessage::NotFound {
        engine: Engine::Docker,
        id: ID.into(),
    }
}

fn name(scene: &Scene) -> Option<String> {
    let container = scene.container();
    container.known().map(|known| known.name.to_string())
}

fn made(scene: &mut Scene) {
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &format!("/parent/{ID}"));
}

/// The first program of the container, in a user namespace.
fn started(scene: &mut Scene, pid: u32, user_ns: u32) {
    scene.mounts_of_pid(pid, MOUNTS);
    let mut task = inside(pid);
    task.namespaces.user = user_ns;
    scene.exec(&task);
}

fn asked(scene: &mut Scene) -> Vec<SourceId> {
    let requests = scene.table.take_requests().into_iter();
    requests
        .filter_map(|request| match request {
            Request::Inspect { sources, .. } => Some(sources),
            _ => None,
        })
        .flatten()
        .collect()
}

#[test]
fn one_engine_that_is_lost_does_not_speak_for_another_of_its_kind() {
    let mut scene = scene();
    let reason = String::new();
    let engine = Engine::Docker;
    say(
        &mut scene,
        DOCKER,
        EngineMessage::Lost {
            engine,
            reason,
            is_absent: true,
            is_harmless: false,
        },
    );
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &format!("/docker/{ID}"));
    assert!(matches!(scene.container().metadata, Metadata::Pending));
    assert_eq!(asked(&mut scene), [OTHER_DOCKER]);
    say(&mut scene, OTHER_DOCKER, inspected("web"));
    assert_eq!(name(&scene).as_deref(), Some("web"));
}

#[test]
fn two_engines_of_a_kind_must_both_deny_a_container() {
    let mut scene = scene();
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &format!("/docker/{ID}"));
    assert_eq!(asked(&mut scene), [DOCKER, OTHER_DOCKER]);
    assert_eq!(say(&mut scene, OTHER_DOCKER, not_found()), None);
    assert!(matches!(scene.container().metadata, Metadata::Pending));
    assert_eq!(say(&mut scene, DOCKER, not_found()), Some(ID.into()));
}

#[test]
fn an_engine_that_turns_out_to_be_of_another_kind_is_not_waited_for() {
    let mut scene = Scene::new();
    scene.await_engine(Engine::Docker);
    let id = SourceId(7);
    let reach = Reach::Everybody;
    scene.table.await_engine(Source { id, reach });
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &format!("/docker/{ID}"));
    assert_eq!(scene.hear(Engine::Docker, not_found()), None);
    assert!(matches!(scene.container().metadata, Metadata::Pending));
    let (engine, version) = (Engine::Podman, String::new());
    say(&mut scene, id, EngineMessage::Connected { engine, version });
    assert!(matches!(scene.container().metadata, Metadata::Unavailable));
    assert_eq!(scene.table.take_settled(), [ID]);
}

#[test]
fn a_users_engine_describes_the_containers_of_that_user_only() {
    // Said before and after the first program, of a container of root, of the user, of another one, and of nobody knows whom.
    let host_ns = 0xEFFF_FFFD;
    for (pid, user_ns, counts) in [
        (61, host_ns, false),
        (61, USER_NS, false),
        (USER, USER_NS, true),
        (USER + 1, USER_NS, false),
        // Another process has got the id: it lives in another namespace.
        (USER, USER_NS + 1, false),
        (GONE, USER_NS, false),
    ] {
        for is_early in [true, false] {
            let mut scene = scene();
            made(&mut scene);
            assert_eq!(
                asked(&mut scene),
                [DOCKER, OTHER_DOCKER],
                "what may be root's is not shown to users"
            );
            if is_early {
                assert_eq!(say(&mut scene, USERS, inspected("mine")), None);
                assert_eq!(name(&scene), None, "not yet known whose it is");
            }
            started(&mut scene, pid, user_ns);
            if !is_early {
                let settled = say(&mut scene, USERS, inspected("mine"));
                assert_eq!(settled.is_some(), counts, "{pid} {user_ns}");
            } else {
                let settled = scene.table.take_settled();
                assert_eq!(settled.contains(&ID.to_owned()), counts);
            }
            let expected = counts.then(|| "mine".to_owned());
            assert_eq!(name(&scene), expected, "{pid} {user_ns} {is_early}");
            assert_eq!(
                scene.table.counts().foreign_answers,
                u64::from(!counts),
                "{pid} {user_ns} {is_early}"
            );
            // The word of root's engines counts for all.
            say(&mut scene, DOCKER, inspected("web"));
            assert_eq!(name(&scene).as_deref(), Some("web"));
        }
    }
}

#[test]
fn a_user_can_neither_deny_nor_forget_nor_rename_what_is_not_the_users() {
    let mut scene = scene();
    say(&mut scene, DOCKER, inspected("web"));
    say(&mut scene, USERS, inspected("evil"));
    let (engine, id) = (Engine::Docker, ID.to_owned());
    say(&mut scene, USERS, EngineMessage::Gone { engine, id });
    made(&mut scene);
    assert_eq!(name(&scene).as_deref(), Some("web"));
    started(&mut scene, 61, 0xEFFF_FFFD);
    say(&mut scene, USERS, inspected("evil"));
    assert_eq!(name(&scene).as_deref(), Some("web"));

    let mut scene = self::scene();
    made(&mut scene);
    started(&mut scene, 61, 0xEFFF_FFFD);
    for source in [USERS, STRANGERS] {
        assert_eq!(say(&mut scene, source, not_found()), None);
    }
    assert!(matches!(scene.container().metadata, Metadata::Pending));
    assert_eq!(say(&mut scene, DOCKER, not_found()), None);
    assert_eq!(say(&mut scene, OTHER_DOCKER, not_found()), Some(ID.into()));
}

#[test]
fn a_users_engine_is_asked_once_the_container_is_known_to_be_the_users() {
    let mut scene = scene();
    made(&mut scene);
    assert_eq!(asked(&mut scene), [DOCKER, OTHER_DOCKER]);
    started(&mut scene, USER, USER_NS);
    assert_eq!(asked(&mut scene), [USERS]);
    for (source, settled) in [
        (DOCKER, None),
        (OTHER_DOCKER, None),
        (STRANGERS, None),
        (USERS, Some(ID.to_owned())),
    ] {
        assert_eq!(say(&mut scene, source, not_found()), settled, "{source:?}");
    }
}

#[test]
fn where_the_first_program_is_gone_the_slice_of_the_user_tells() {
    for (path, counts) in [
        (
            format!("/user.slice/user-{USER}.slice/libpod-{ID}.scope"),
            true,
        ),
        (format!("/machine.slice/libpod-{ID}.scope"), false),
    ] {
        let mut scene = scene();
        scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &path);
        started(&mut scene, GONE, USER_NS);
        say(&mut scene, USERS, inspected("mine"));
        assert_eq!(name(&scene).is_some(), counts, "{path}");
    }
}

#[test]
fn a_user_cannot_say_that_a_secret_is_none() {
    let mut scene = scene();
    let resolved = |name: &str| EngineMessage::Resolved {
        id: "odyhv6fhv9qb76mwjswo3norn".into(),
        object: SwarmObject {
            kind: SecretKind::Config,
            name: name.into(),
        },
    };
    say(&mut scene, USERS, resolved("evil"));
    scene.started(61);
    let mounts = scene.container().mounts.clone().expect("mounts");
    let names = |text: &str| {
        let mut mounts = mounts.secrets.iter();
        mounts.any(|secret| secret.name == text)
    };
    assert!(!names("evil"), "{:?}", mounts.secrets);
}

#[test]
fn a_container_of_a_user_without_a_cgroup_is_known_by_its_mounts() {
    let hostname = |folder: &str| {
        format!(
            "100 1 0:41 / / rw - overlay o rw\n\
             102 100 0:9 /run/{folder}/{ID}/userdata/hostname /etc/hostname rw - tmpfs t rw\n"
        )
    };
    for (folder, pid, engine) in [
        ("vfs-containers", USER, Some(Engine::Podman)),
        ("overlay-containers", 61, Some(Engine::Podman)),
        ("docker/containers", USER, Some(Engine::Docker)),
        // Root's Docker makes a cgroup.
        ("docker/containers", 61, None),
    ] {
        for is_running in [false, true] {
            let mut scene = scene();
            scene.mounts_of_pid(pid, &hostname(folder));
            let mut task = inside(pid);
            task.cgroup_id = 0;
            task.namespaces.user = USER_NS;
            if is_running {
                let existing = ExistingTask {
                    process: ProcessKey {
                        pid,
                        start_ticks: 1,
                    },
                    start_time_ns: SECOND,
                    mnt_ns: task.namespaces.mnt,
                    cgroup_path: "/".into(),
                };
                scene.table.add_existing(&[existing], SECOND);
            } else {
                scene.exec(&task);
            }
            let found = scene.table.get(ID);
            assert_eq!(
                found.map(|container| container.engine),
                engine,
                "{folder} {pid} {is_running}"
            );
            let running = scene.table.of_task(&task);
            assert_eq!(running.is_some(), engine.is_some());
        }
    }
}

#[test]
fn the_mark_of_a_users_engine_hides_no_first_process_and_makes_none() {
    for (cgroup, vpid, is_first) in [
        (CGROUP, 1, true),
        (CGROUP, 7, false),
        (0, 1, true),
        // `podman exec` into a container that is not known.
        (0, 7, false),
    ] {
        let mut scene = scene();
        let hostname = format!(
            "100 1 0:41 / / rw - overlay o rw\n\
             102 100 0:9 /run/overlay-containers/{ID}/userdata/hostname /etc/hostname rw - tmpfs t rw\n"
        );
        if cgroup != 0 {
            made(&mut scene);
        }
        let entered = |scene: &Scene, pid, vpid| {
            scene.mounts_of_pid(pid, &hostname);
            let mut task = inside(pid);
            task.cgroup_id = cgroup;
            task.vpid = vpid;
            task.entered = Some(true);
            task.namespaces.user = USER_NS;
            task
        };
        let first = entered(&scene, USER, vpid);
        scene.exec(&first);
        let init = |scene: &Scene| {
            let container = scene.table.get(ID)?;
            container.init.map(|init| init.pid)
        };
        assert_eq!(init(&scene), is_first.then_some(USER), "{cgroup} {vpid}");
        // Whoever comes later and is the first of a pid namespace of its own takes nobody's place.
        let mut later = entered(&scene, USER + 1, 1);
        later.namespaces.mnt = INNER_MNT + u32::from(is_first);
        if is_first {
            scene.exec(&later);
            assert_eq!(init(&scene), Some(USER), "{cgroup} {vpid}");
        }
    }
}

#[test]
fn a_container_without_a_cgroup_may_be_started_again_at_once() {
    let mut scene = scene();
    let hostname = format!(
        "100 1 0:41 / / rw - overlay o rw\n\
         102 100 0:9 /run/overlay-containers/{ID}/userdata/hostname /etc/hostname rw - tmpfs t rw\n"
    );
    for (pid, mnt_ns) in [(USER, INNER_MNT), (USER + 1, INNER_MNT + 1)] {
        scene.mounts_of_pid(pid, &hostname);
        let mut task = inside(pid);
        task.cgroup_id = 0;
        task.namespaces.mnt = mnt_ns;
        assert!(scene.exec(&task).is_some(), "{pid}");
        let exit = What::Exit {
            status: 0,
            process_ended: true,
        };
        scene.observe(&task, exit);
    }
}

#[test]
fn nobody_is_waited_for_who_cannot_answer_any_more() {
    let (later, path) = (SourceId(7), format!("/docker/{ID}"));
    let reach = Reach::Everybody;
    let connected = |engine| EngineMessage::Connected {
        engine,
        version: String::new(),
    };
    let lost = EngineMessage::Lost {
        engine: Engine::Unknown,
        reason: String::new(),
        is_absent: true,
        is_harmless: false,
    };
    // It is of another kind, it is not there, it is not watched any more: nobody has denied anything.
    for message in [Some(connected(Engine::Podman)), Some(lost), None] {
        let mut scene = Scene::new();
        scene.table.await_engine(Source { id: later, reach });
        scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &path);
        assert!(matches!(scene.container().metadata, Metadata::Pending));
        match message {
            Some(message) => assert_eq!(say(&mut scene, later, message), None),
            None => scene.table.forget_engine(later),
        }
        assert!(matches!(scene.container().metadata, Metadata::Unavailable));
        assert_eq!(scene.table.take_settled(), [ID]);
    }
    // It was not there to be asked before.
    let mut scene = Scene::new();
    scene.table.await_engine(Source { id: later, reach });
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &path);
    asked(&mut scene);
    say(&mut scene, later, connected(Engine::Docker));
    assert_eq!(asked(&mut scene), [later]);
    say(&mut scene, later, not_found());
    say(&mut scene, later, connected(Engine::Docker));
    assert_eq!(asked(&mut scene), [], "it has denied it");
}

#[test]
fn a_users_engine_that_connects_is_not_shown_what_is_not_the_users() {
    let mut scene = scene();
    made(&mut scene);
    asked(&mut scene);
    let (engine, version) = (Engine::Podman, String::new());
    say(
        &mut scene,
        USERS,
        EngineMessage::Connected { engine, version },
    );
    assert_eq!(asked(&mut scene), []);
}

#[test]
fn an_engine_of_root_says_where_its_state_is_and_a_users_does_not() {
    let mut scene = scene();
    let root = |path: &str| EngineMessage::DataRoot {
        engine: Engine::Docker,
        path: path.into(),
    };
    let mut asked = |source, path: &str| {
        scene.table.take_requests();
        say(&mut scene, source, root(path));
        let questions = scene.questions();
        let places = questions.iter().map(|question| question.path.to_string());
        places.collect::<Vec<_>>()
    };
    assert!(asked(USERS, "/home/u/docker").is_empty());
    for nowhere in ["/data/*", "/data/../docker", &"/x".repeat(200)] {
        assert!(asked(DOCKER, nowhere).is_empty(), "{nowhere}");
    }
    let places = asked(DOCKER, "/data/docker/");
    for place in ["raft", "worker", "certificates"] {
        let path = format!("/data/docker/swarm/{place}");
        assert!(places.contains(&path), "{places:?}");
    }
    assert!(asked(DOCKER, "/data/docker").is_empty(), "known");
}
