//! As many containers as a large node has: what an event is looked up by does not grow with them, and what went is gone.

use rustix::time::{ClockId, clock_gettime};
use vigia_event::mount::MountTable;

use super::*;
use crate::containers::DeclaredSecrets;

const MANY: usize = 2000;
const FEW: usize = 20;
/// A secret that all containers share, as files of one device.
const SHARED: (u32, u64) = (900, 9);

/// A table with this many containers, each with a secret of its own, one that it shares, and one that is declared.
fn crowd(count: usize) -> Scene {
    let mut scene = Scene::with(Options {
        max_containers: 2 * MANY,
        declared_secrets: vec![DeclaredSecrets {
            paths: vec!["/srv/keys/*.pem".to_owned()],
            ..DeclaredSecrets::default()
        }],
        ..Options::default()
    });
    scene.await_engine(Engine::Docker);
    for number in 0..count {
        begin(&mut scene, number);
    }
    scene
}

fn id(number: usize) -> String {
    format!("{number:064x}")
}

/// What is the container's own: its cgroup, its mount namespace, its device, its mounts.
fn of(number: usize) -> (u64, u32, u32, u32) {
    let small = u32::try_from(number).expect("a small number");
    (
        10_000 + u64::from(small),
        10_000 + small,
        100_000 + small,
        10 * (100_000 + small),
    )
}

fn task_of(number: usize) -> Task {
    let (cgroup, mnt, ..) = of(number);
    // The folder in /proc is read at once: a few serve all.
    let mut task = fixture::task(u32::try_from(1000 + number % 8).expect("a small number"));
    task.cgroup_id = cgroup;
    task.namespaces.mnt = mnt;
    task
}

fn begin(scene: &mut Scene, number: usize) {
    let (cgroup, _, device, mount) = of(number);
    scene.cgroup(
        CgroupChangeKind::Mkdir,
        cgroup,
        &format!("/docker/{}", id(number)),
    );
    let task = task_of(number);
    let (major, minor) = (device >> 20, device & 0xf_ffff);
    let (own, shared) = (mount + 1, mount + 2);
    let mounts = format!(
        "{mount} 1 0:41 / / ro - overlay overlay rw\n\
         {own} {mount} {major}:{minor} /odyhv6fhv9qb76mwjswo3norn /run/secrets/db ro - tmpfs tmpfs ro\n\
         {shared} {mount} 0:{} /srv/tls.key /run/secrets/tls ro - ext4 /dev/vda rw\n",
        SHARED.0
    );
    scene.mounts_of_pid(task.pid, &mounts);
    scene.exec(&task);
    let key = File {
        path: "/run/secrets/tls".into(),
        mount_id: shared,
        ..secret(SHARED)
    };
    scene.observe(&task, What::SecretKey(Box::new(key)));
}

fn secret((dev, ino): (u32, u64)) -> File {
    File {
        dev,
        ino,
        ..File::default()
    }
}

/// What all events of the pipeline ask of the table, about this many containers in turn.
fn ask(scene: &mut Scene, events: usize, count: usize) -> usize {
    let mut granted = 0;
    for number in 0..events {
        let number = number * 7 % count;
        let task = task_of(number);
        let container = scene
            .observe(&task, call("openat", 3))
            .expect("the container");
        assert_eq!(container.id, id(number));
        let (_, _, device, mount) = of(number);
        let own = File {
            mount_id: mount + 1,
            ..secret((device, 5))
        };
        let declared = File {
            path: "/srv/keys/a.pem".into(),
            mount_id: mount,
            ..secret((41, 7))
        };
        for file in [own, secret(SHARED), declared] {
            granted += usize::from(
                scene
                    .table
                    .secret_of(&file, Some(&container), scene.now_ns)
                    .is_some(),
            );
            granted += usize::from(scene.table.is_granted(&file, &container));
        }
        granted += usize::from(
            scene
                .table
                .secret_at(b"/run/secrets/db", &container)
                .is_some(),
        );
        granted += usize::from(scene.table.of_task(&task).is_some());
    }
    granted
}

/// Nanoseconds of this thread's own work: others on the machine do not count.
fn work_ns(work: impl FnOnce()) -> i128 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
    };
    let before = now();
    work();
    now() - before
}

/// The least of some runs, per event.
fn least(mut run: impl FnMut() -> i128) -> i128 {
    (0..5).map(|_| run()).min().unwrap_or_default().max(1)
}

#[test]
fn an_event_costs_the_same_among_two_thousand_containers_as_among_twenty() {
    const EVENTS: usize = 2000;
    let cost = |count: usize| {
        let mut scene = crowd(count);
        assert_eq!(
            ask(&mut scene, EVENTS, count),
            8 * EVENTS,
            "all are granted"
        );
        least(|| work_ns(|| assert!(ask(&mut scene, EVENTS, count) > 0)))
    };
    let (few, many) = (cost(FEW), cost(MANY));
    // A look through all would cost a hundred times as much; caches that no longer hold everything cost a little.
    assert!(many < 10 * few, "{few} ns, then {many} ns");
}

#[test]
fn the_end_of_one_container_costs_the_same_among_many() {
    let cost = |count: usize| {
        let mut scene = crowd(count);
        let mut next = 0;
        least(|| {
            let ended = next..next + 4;
            next += 4;
            scene.now_ns += 2;
            work_ns(|| {
                for number in ended {
                    scene.cgroup(CgroupChangeKind::Rmdir, of(number).0, "");
                }
            })
        })
    };
    let (few, many) = (cost(FEW), cost(MANY));
    assert!(many < 20 * few, "{few} ns, then {many} ns");
}

#[test]
fn containers_that_come_and_go_by_the_thousand_leave_nothing() {
    let mut scene = crowd(0);
    for number in 0..MANY {
        begin(&mut scene, number);
        scene.hear(
            Engine::Docker,
            EngineMessage::Inspected {
                engine: Engine::Docker,
                id: id(number),
                inspected: Arc::new(Inspected {
                    promises: Box::new(Promises {
                        secret_variables: vec!["PASSWORD".into()],
                        ..Promises::default()
                    }),
                    ..Inspected::default()
                }),
                took: std::time::Duration::ZERO,
            },
        );
        assert_eq!(scene.table.secret_environments.len(), 1);
        scene.cgroup(CgroupChangeKind::Rmdir, of(number).0, "");
        scene.hear(
            Engine::Docker,
            EngineMessage::Gone {
                engine: Engine::Docker,
                id: id(number),
            },
        );
        scene.table.take_requests();
        scene.table.take_news();
        scene.now_ns += SECOND;
        assert!(scene.table.len() <= 62, "{}", scene.table.len());
    }
    scene.now_ns += 100 * SECOND;
    scene.table.expire(scene.now_ns);
    assert!(scene.table.is_empty());
    assert_eq!(scene.table.take_forgotten().len(), MANY);
    assert_eq!(scene.table.grants.sizes(), [0; 5]);
    assert!(scene.table.secret_environments.is_empty());
    assert_eq!(scene.table.sources.held(), 0);
}

#[test]
fn a_container_made_again_is_the_new_one_by_name_and_by_id() {
    let named = |name: &str| Inspected {
        name: name.into(),
        ..Inspected::default()
    };
    let inspected = |scene: &mut Scene, id: &str, inspected| {
        scene.hear(
            Engine::Docker,
            EngineMessage::Inspected {
                engine: Engine::Docker,
                id: id.to_owned(),
                inspected: Arc::new(inspected),
                took: std::time::Duration::ZERO,
            },
        )
    };
    let mut scene = crowd(1);
    inspected(&mut scene, &id(0), named("web"));
    let old = Arc::clone(scene.table.get(&id(0)).expect("it"));
    scene.cgroup(CgroupChangeKind::Rmdir, of(0).0, "");
    let gone = EngineMessage::Gone {
        engine: Engine::Docker,
        id: id(0),
    };
    scene.hear(Engine::Docker, gone);

    // Another id with the same name is another container.
    begin(&mut scene, 1);
    inspected(&mut scene, &id(1), named("web"));
    assert_eq!(
        id_of(scene.observe(&task_of(1), call("openat", 3))),
        Some(id(1))
    );

    // The same id again is a life of its own: it is asked for anew, and the old one's late events keep what they had.
    scene.table.take_requests();
    scene.cgroup(CgroupChangeKind::Mkdir, 77, &format!("/docker/{}", id(0)));
    let anew = Request::Inspect {
        id: id(0),
        sources: vec![source_of(Engine::Docker)],
    };
    assert!(scene.table.take_requests().contains(&anew));
    inspected(&mut scene, &id(0), named("other"));
    let new = scene.table.of_cgroup(77).expect("it");
    assert_eq!(new.known().expect("known").name, "other");
    assert_eq!(old.known().expect("known").name, "web");
    let late = scene.table.of_cgroup(of(0).0).expect("the life before");
    assert_eq!(late.known().expect("known").name, "web");
    assert!(late.mounts.as_deref() != Some(&MountTable::default()));
}
