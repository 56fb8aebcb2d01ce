//! Secrets of pods, declared ones, and those that engines keep on the host.

use vigia_event::container::DeclaredMount;
use vigia_event::secret::SecretSource;

use super::*;
use crate::ProcessTable;
use crate::containers::{DeclaredSecrets, HostSecret, SECRETS_LABEL};
use crate::processes;

const POD: &str = "/kubepods/burstable/pod7";
const POD_DEV: u32 = 78;
const DISK: u32 = 254 << 20;

const KUBELET_MOUNTS: &str = "\
20 1 254:0 / / rw - ext4 /dev/vda rw
25 20 0:78 / /var/lib/kubelet/pods/7/volumes/kubernetes.io~secret/db rw - tmpfs tmpfs rw
";

fn file(dev: u32, ino: u64, mount_id: u32, path: &str) -> File {
    File {
        dev,
        ino,
        mount_id,
        path: path.into(),
        mode: 0o100_400,
        ..File::default()
    }
}

impl Scene {
    /// A container in a cgroup of this path, whose first process sees these mounts.
    fn container_at(&mut self, cgroup: u64, path: &str, pid: u32, mounts: &str) -> Task {
        self.cgroup(CgroupChangeKind::Mkdir, cgroup, path);
        self.mounts_of_pid(pid, mounts);
        let mut task = inside(pid);
        task.cgroup_id = cgroup;
        task.namespaces.mnt = pid;
        self.exec(&task);
        task
    }

    fn secret(&self, file: &File) -> Option<(String, String)> {
        let secret = self.table.secret_of(file, None, self.now_ns)?;
        Some((secret.name.to_string(), secret.path.to_string()))
    }

    fn is_granted(&self, file: &File, id: &str) -> bool {
        self.table
            .is_granted(file, self.table.get(id).expect("the container"))
    }

    fn key(&mut self, file: &File) {
        let file = Box::new(file.clone());
        self.observe(&fixture::task(2), What::SecretKey(file));
    }

    pub(super) fn questions(&mut self) -> Vec<LearnSecret> {
        let requests = self.table.take_requests().into_iter();
        requests
            .filter_map(|request| match request {
                Request::LearnSecret(wanted) => Some(wanted),
                _ => None,
            })
            .collect()
    }
}

#[test]
fn a_new_version_of_a_volume_is_the_same_secret_for_every_container_of_the_pod() {
    let mut scene = Scene::new();
    write_mounts(&scene.proc_root, 1, KUBELET_MOUNTS);
    let other = "b".repeat(64);
    scene.container_at(
        1,
        &format!("{POD}/{ID}"),
        61,
        "100 1 0:41 / / ro - overlay o ro\n101 100 0:78 / /etc/db ro - tmpfs tmpfs rw\n",
    );
    scene.container_at(
        2,
        &format!("{POD}/{OTHER}"),
        62,
        "200 1 0:42 / / ro - overlay o ro\n201 200 0:78 /..1/key /etc/one ro - tmpfs tmpfs rw\n",
    );
    scene.container_at(
        3,
        &format!("/kubepods/burstable/pod8/{other}"),
        63,
        "300 1 0:43 / / ro - overlay o ro\n301 300 0:78 / /host/var/lib/kubelet/pods/7/volumes/kubernetes.io~secret/db ro - tmpfs tmpfs rw\n",
    );
    let whole = Request::WatchSecret {
        dev: POD_DEV,
        ino: None,
    };
    let requests = scene.table.take_requests();
    assert_eq!(
        requests.iter().filter(|request| **request == whole).count(),
        1
    );

    let named = |name: &str, path: &str| Some((name.to_owned(), path.to_owned()));
    let on_host = "/var/lib/kubelet/pods/7/volumes/kubernetes.io~secret/db/..2/key";
    for (file, expected) in [
        (
            file(POD_DEV, 5, 101, "/etc/db/..1/key"),
            named("db/key", "/etc/db/key"),
        ),
        // Swapped since, and never learned.
        (
            file(POD_DEV, 9, 101, "/etc/db/..2/key"),
            named("db/key", "/etc/db/key"),
        ),
        (
            file(POD_DEV, 5, 201, "/etc/one"),
            named("db/key", "/etc/one"),
        ),
        (
            file(POD_DEV, 9, 25, on_host),
            named("db/key", "/etc/db/key"),
        ),
        (file(POD_DEV, 9, 101, "/etc/db/..2/ca.crt"), None),
    ] {
        assert_eq!(scene.secret(&file), expected, "{file:?}");
    }
    let swapped = file(POD_DEV, 9, 101, "/etc/db/..2/key");
    for (id, expected) in [(ID, true), (OTHER, true), (other.as_str(), false)] {
        assert_eq!(scene.is_granted(&swapped, id), expected, "{id}");
    }
}

#[test]
fn a_volume_of_another_pods_that_somebody_bound_into_a_container_was_not_given_to_it() {
    let mut scene = Scene::new();
    write_mounts(&scene.proc_root, 1, KUBELET_MOUNTS);
    let mounts = |id: u32| {
        format!(
            "{id}00 1 0:4{id} / / ro - overlay o ro\n{id}01 {id}00 0:78 / /etc/db ro - tmpfs tmpfs rw\n"
        )
    };
    let stranger = "b".repeat(64);
    let strangers = format!("/kubepods/burstable/pod8/{stranger}");
    let learned = |mount_id| file(POD_DEV, 5, mount_id, "/etc/db/..1/key");
    // Alone, before whose it is, and behind.
    scene.container_at(3, &strangers, 63, &mounts(3));
    scene.key(&learned(301));
    assert_eq!(scene.secret(&learned(301)).expect("a secret").0, "db/key");
    assert!(!scene.is_granted(&learned(301), &stranger));
    let table = &scene.table;
    let at = table.secret_at(b"/etc/db/key", table.get(&stranger).expect("it"));
    assert!(!at.expect("a secret").1);
    scene.container_at(1, &format!("{POD}/{ID}"), 61, &mounts(1));
    scene.key(&learned(101));
    scene.key(&learned(301));
    let holders = scene.table.holders_of(&learned(301), scene.now_ns);
    assert_eq!(holders, [ID[..12].to_owned()], "not the stranger");
    for (id, mount_id, expected) in [(ID, 101, true), (&stranger, 301, false)] {
        assert_eq!(scene.is_granted(&learned(mount_id), id), expected, "{id}");
        let swapped = file(POD_DEV, 9, mount_id, "/etc/db/..2/key");
        assert_eq!(scene.is_granted(&swapped, id), expected, "{id}");
    }
}

/// A container that was gone before its mounts could be read, with what its engine declares of them.
fn gone_at_once(scene: &mut Scene, mounts: &[(&str, &str)]) {
    let mount = |&(source, destination): &(&str, &str)| DeclaredMount {
        source: source.into(),
        destination: destination.into(),
        ..DeclaredMount::default()
    };
    scene.apply_inspected(Inspected {
        mounts: mounts.iter().map(mount).collect(),
        ..Inspected::default()
    });
    scene.cgroup(CgroupChangeKind::Mkdir, 1, &format!("/docker/{ID}"));
    let mut task = inside(61);
    task.cgroup_id = 1;
    scene.exec(&task);
}

#[test]
fn what_is_declared_of_a_container_that_is_gone_at_once_is_a_grant() {
    let mut scene = Scene::new();
    let volume = "/var/lib/kubelet/pods/7/volumes/kubernetes.io~secret/db";
    let anothers = format!("/var/lib/docker/containers/{OTHER}/mounts/secrets/x");
    gone_at_once(
        &mut scene,
        &[
            (&anothers, "/run/secrets/x"),
            ("/srv/a", "/run/secrets/a"),
            (volume, "/etc/db"),
            ("/srv", "/srv"),
        ],
    );
    scene.container_at(
        2,
        &format!("/docker/{OTHER}"),
        62,
        "200 1 0:42 / / ro - overlay o ro\n201 200 254:0 /srv/a /run/secrets/a ro - ext4 d rw\n",
    );
    scene.key(&file(DISK, 9, 201, "/run/secrets/a"));
    for (path, expected) in [
        ("/run/secrets/a", true),
        ("/etc/db/..1/key", true),
        // The folder with the file in it was mounted, too.
        ("/srv/a", false),
        ("/run/secrets/b", false),
        ("/run/secrets/x", false),
    ] {
        let file = file(DISK, 9, 900, path);
        assert!(scene.secret(&file).is_some(), "{path}");
        assert_eq!(scene.is_granted(&file, ID), expected, "{path}");
    }
}

#[test]
fn a_file_that_compose_mounts_elsewhere_is_granted_where_it_is_mounted_itself() {
    let mounts = |id: u32, root: &str, point: &str| {
        format!(
            "{id}00 1 0:4{id} / / ro - overlay o ro\n{id}01 {id}00 254:0 {root} {point} ro - ext4 d rw\n"
        )
    };
    let third = "b".repeat(64);
    let mut scene = Scene::new();
    for (number, id, root, point) in [
        (1, ID, "/srv/a", "/run/secrets/a"),
        (2, OTHER, "/srv/a", "/etc/app/key"),
        (3, &third, "/srv", "/srv"),
    ] {
        let (path, pid) = (format!("/docker/{id}"), 60 + number);
        scene.container_at(number.into(), &path, pid, &mounts(number, root, point));
    }
    scene.key(&file(DISK, 9, 101, "/run/secrets/a"));
    for (id, mount_id, path, expected) in [
        (ID, 101, "/run/secrets/a", true),
        (OTHER, 201, "/etc/app/key", true),
        (OTHER, 900, "/etc/app/key", false),
        (third.as_str(), 301, "/srv/a", false),
    ] {
        let file = file(DISK, 9, mount_id, path);
        assert_eq!(scene.secret(&file).expect("a secret").0, "a", "{path}");
        assert_eq!(scene.is_granted(&file, id), expected, "{id} {path}");
    }
}

#[test]
fn a_mount_of_a_container_leads_to_a_file_whatever_its_path_says() {
    let mounts = "\
100 1 0:41 / / ro - overlay o ro
101 100 254:0 /srv/a /run/secrets/a ro - ext4 d rw
102 100 254:0 /srv /data rw - ext4 d rw
";
    let mut scene = Scene::new();
    scene.container_at(1, &format!("/docker/{ID}"), 61, mounts);
    scene.key(&file(DISK, 9, 101, "/run/secrets/a"));
    for (dev, mount_id, path, expected) in [
        (DISK, 101, "/run/secrets/a", true),
        (DISK, 101, "/proc/61/root/run/secrets/a", true),
        // By a folder that grants nothing.
        (DISK, 102, "/data/a", true),
        (DISK, 20, "/srv/a", false),
        // By a mount of the host's that took over its number.
        (DISK + 1, 101, "/srv/a", false),
    ] {
        let file = file(dev, 9, mount_id, path);
        let found = scene.table.is_on_its_mount(&file, scene.now_ns);
        assert_eq!(found, expected, "{mount_id} {path}");
    }
    scene.cgroup(CgroupChangeKind::Rmdir, 1, "");
    let file = file(DISK, 9, 101, "/run/secrets/a");
    let later = scene.now_ns + SECOND;
    assert!(!scene.table.is_on_its_mount(&file, later), "it has gone");
}

#[test]
fn a_number_of_a_mount_used_again_brings_nothing_of_the_former_file_system() {
    let mut scene = Scene::new();
    let mounts = |dev: u32| {
        format!(
            "100 1 0:41 / / ro - overlay o ro\n101 100 0:{dev} / /run/secrets/db ro - tmpfs tmpfs ro\n"
        )
    };
    scene.container_at(1, &format!("/docker/{ID}"), 61, &mounts(78));
    scene.cgroup(CgroupChangeKind::Rmdir, 1, "");
    scene.container_at(2, &format!("/docker/{OTHER}"), 62, &mounts(79));
    for (dev, id, expected) in [(78, ID, false), (78, OTHER, false), (79, OTHER, true)] {
        let file = file(dev, 5, 900, "/x");
        assert_eq!(scene.is_granted(&file, id), expected, "{dev} to {id}");
    }
    scene.cgroup(CgroupChangeKind::Rmdir, 2, "");
    scene.table.expire(scene.now_ns + 100 * SECOND);
    assert_eq!(scene.table.grants.sizes(), [0; 5]);
}

#[test]
fn an_agent_that_writes_secrets_for_its_pod_was_granted_them() {
    let mut scene = Scene::new();
    let volume = "25 20 0:78 / /var/lib/kubelet/pods/7/volumes/kubernetes.io~empty-dir/v rw - tmpfs tmpfs rw\n";
    write_mounts(&scene.proc_root, 1, &format!("{HOST_MOUNTS}{volume}"));
    let stranger = "b".repeat(64);
    let mounts = |id: u32, point: &str| {
        format!(
            "{id}00 1 0:4{id} / / rw - overlay o rw\n{id}01 {id}00 0:78 / {point} rw - tmpfs tmpfs rw\n"
        )
    };
    scene.container_at(1, &format!("{POD}/{ID}"), 61, &mounts(1, "/vault/secrets"));
    scene.container_at(2, &format!("{POD}/{OTHER}"), 62, &mounts(2, "/shared"));
    scene.container_at(
        3,
        &format!("/kubepods/pod9/{stranger}"),
        63,
        &mounts(3, "/x"),
    );
    for (mount_id, path, id, expected) in [
        (101, "/vault/secrets/db", ID, true),
        (201, "/shared/db", OTHER, true),
        (301, "/x/db", stranger.as_str(), false),
    ] {
        let file = file(POD_DEV, 4, mount_id, path);
        assert!(scene.secret(&file).is_some(), "{path}");
        assert_eq!(scene.is_granted(&file, id), expected, "{path}");
    }
}

#[test]
fn files_replaced_on_disk_are_found_when_they_are_looked_for_again() {
    let mut scene = Scene::new();
    let bind = "101 100 254:0 /var/lib/kubelet/pods/7/volumes/kubernetes.io~secret/db /etc/db ro - ext4 d rw";
    scene.container_at(
        1,
        &format!("{POD}/{ID}"),
        61,
        &format!("100 1 0:41 / / ro - overlay o ro\n{bind}\n"),
    );
    scene.table.take_requests();
    let (old, new) = (
        file(DISK, 5, 101, "/etc/db/..1/key"),
        file(DISK, 6, 101, "/etc/db/..2/key"),
    );
    let on_host = |file: &File| File {
        mount_id: 20,
        path: "/var/lib/x".into(),
        ..file.clone()
    };
    scene.key(&old);
    assert!(scene.secret(&on_host(&old)).is_some());
    scene.table.look_again();
    let questions = scene.questions();
    let [question] = questions.as_slice() else {
        panic!("{questions:?}")
    };
    assert_eq!((question.pid, question.mount_id), (61, 101));
    let question = question.clone();

    scene.now_ns += SECOND;
    scene.table.asked(&question, b"/etc/db", scene.now_ns);
    scene.key(&new);
    assert!(
        scene.secret(&on_host(&old)).is_some(),
        "perhaps its key is still on the way"
    );
    scene.table.take_requests();
    scene.table.look_again();
    let unwatch = Request::UnwatchSecret {
        dev: DISK,
        ino: Some(5),
    };
    assert!(scene.table.take_requests().contains(&unwatch));
    assert_eq!(
        scene.secret(&on_host(&old)),
        None,
        "its number may be another file's by now"
    );
    assert_eq!(scene.secret(&on_host(&new)).expect("a secret").0, "db/key");
    for slow in 0..4 {
        scene.table.look_again();
        assert_eq!(scene.questions().len(), usize::from(slow < 3));
        scene.table.looked(&question, true);
    }
    // Now and then all the same; an answer in time is as good as none too late.
    let rarely = (0..30).filter(|_| {
        scene.table.look_again();
        !scene.questions().is_empty()
    });
    assert_eq!(rarely.count(), 1);
    scene.table.looked(&question, false);
    scene.table.look_again();
    assert_eq!(scene.questions().len(), 1);
}

#[test]
fn a_declared_secret_is_one_to_its_own_container_and_to_whoever_has_no_mount_of_it() {
    let declared = DeclaredSecrets {
        paths: vec!["/srv/keys/*.pem".to_owned()],
        ..DeclaredSecrets::default()
    };
    let mut scene = Scene::with(Options {
        declared_secrets: vec![declared],
        ..Options::default()
    });
    let root = "100 1 0:41 / / ro - overlay o ro\n101 100 254:0 /data /data rw - ext4 d rw\n";
    let task = scene.container_at(CGROUP, &format!("/docker/{ID}"), 61, root);
    let other = "200 1 0:42 / / ro - overlay o ro\n201 200 254:0 /data /common rw - ext4 d rw\n";
    scene.container_at(2, &format!("/docker/{OTHER}"), 62, other);
    scene.table.take_requests();
    scene.apply_inspected(Inspected {
        labels: [(SECRETS_LABEL.to_owned(), "/data/token, /run/link".into())].into(),
        ..Inspected::default()
    });
    let questions = scene.questions();
    let asked: Vec<_> = questions
        .iter()
        .map(|wanted| {
            (
                wanted.mount_id,
                wanted.path.to_string(),
                wanted.pattern.to_string(),
            )
        })
        .collect();
    let expected = [(101, "/data/token"), (100, "/run/link")];
    assert_eq!(
        asked,
        expected.map(|(id, path)| (id, path.to_owned(), String::new()))
    );
    // Nothing is asked twice.
    scene.apply_inspected(Inspected {
        labels: [(SECRETS_LABEL.to_owned(), "/data/token".into())].into(),
        ..Inspected::default()
    });
    assert!(scene.questions().is_empty());

    let named = |name: &str, path: &str| Some((name.to_owned(), path.to_owned()));
    scene
        .table
        .asked(&questions[0], b"/data/token", scene.now_ns);
    scene.table.asked(&questions[1], b"/opt/real", scene.now_ns);
    for (file, expected) in [
        (
            file(41, 7, 100, "/srv/keys/a.pem"),
            named("a.pem", "/srv/keys/a.pem"),
        ),
        (file(41, 7, 100, "/srv/keys/a.crt"), None),
        (file(41, 7, 100, "/srv/keys/x/a.pem"), None),
        (file(41, 7, 100, "/opt/real"), named("real", "/opt/real")),
        (file(41, 7, 100, "/run/link"), None),
    ] {
        assert_eq!(scene.secret(&file), expected, "{file:?}");
    }
    let token = file(DISK, 8, 101, "/data/token");
    scene.key(&token);
    let through_other = file(DISK, 8, 201, "/common/token");
    let secret = |scene: &Scene, file: &File, id: Option<&str>| {
        let container = id.and_then(|id| scene.table.get(id)).cloned();
        let secret = scene
            .table
            .secret_of(file, container.as_deref(), scene.now_ns);
        secret.map(|secret| secret.source)
    };
    for (file, id, expected) in [
        (&token, Some(ID), Some(SecretSource::Declared)),
        (&token, Some(OTHER), Some(SecretSource::Declared)),
        (&through_other, None, Some(SecretSource::Declared)),
        (&through_other, Some(OTHER), None),
    ] {
        assert_eq!(secret(&scene, file, id), expected, "{file:?} {id:?}");
    }
    assert!(scene.is_granted(&token, ID) && !scene.is_granted(&token, OTHER));

    // A new life is looked at anew.
    scene.table.take_requests();
    let exit = What::Exit {
        status: 0,
        process_ended: true,
    };
    scene.observe(&task, exit);
    scene.mounts_of_pid(64, root);
    let mut again = inside(64);
    again.namespaces.mnt = 64;
    scene.exec(&again);
    let questions = scene.questions();
    assert!(
        questions
            .iter()
            .any(|wanted| wanted.pid == 64 && wanted.path == "/data/token")
    );
}

#[test]
fn what_an_engine_keeps_on_the_host_was_granted_to_nobody() {
    let mut scene = Scene::with(Options {
        host_secrets: vec![
            HostSecret {
                path: "/var/lib/docker/swarm/raft".into(),
                name: Some("swarm-raft".into()),
                source: SecretSource::Swarm,
            },
            HostSecret {
                path: "/var/lib/docker/swarm/certificates/*.key".into(),
                name: Some("swarm-node-key".into()),
                source: SecretSource::Swarm,
            },
        ],
        ..Options::default()
    });
    scene.started(61);
    scene.table.take_requests();
    scene.table.look_at_host();
    let questions = scene.questions();
    let [question, of_key] = questions.as_slice() else {
        panic!("{questions:?}")
    };
    for question in [question, of_key] {
        assert_eq!((question.pid, question.mount_id), (1, 20));
    }
    let log = file(DISK, 9, 20, "/var/lib/docker/swarm/raft/wal/0.wal");
    scene.key(&log);
    let watch = Request::WatchSecret {
        dev: DISK,
        ino: Some(9),
    };
    assert_eq!(scene.table.take_requests(), [watch]);
    let by_another_mount = File {
        mount_id: 77,
        path: "/host/raft/0.wal".into(),
        ..log.clone()
    };
    for file in [&log, &by_another_mount] {
        assert_eq!(scene.secret(file).expect("a secret").0, "swarm-raft");
        assert!(!scene.is_granted(file, ID));
    }
    // The swarm is another one, and a file has the number of one that is gone.
    scene.now_ns += SECOND;
    let path = "/var/lib/docker/swarm/certificates/swarm-node.key";
    scene.key(&file(DISK, 9, 20, path));
    let name = scene.secret(&by_another_mount).expect("a secret").0;
    assert_eq!(name, "swarm-node-key");
    // Gone, and its number may be used again.
    scene.now_ns += SECOND;
    scene.table.look_at_host();
    for question in [question, of_key] {
        scene.table.asked(question, &question.path, scene.now_ns);
    }
    scene.table.look_again();
    assert_eq!(scene.secret(&by_another_mount), None);
}

#[test]
fn an_environment_with_secrets_is_one_to_everybody_but_its_process() {
    let mut scene = Scene::new();
    let mut processes = ProcessTable::new(processes::Options::default());
    let proc = |id: u32| {
        format!(
            "{id}00 1 0:41 / / ro - overlay o ro\n{id}05 {id}00 0:5{id} / /proc rw - proc proc rw\n"
        )
    };
    let mut tasks = Vec::new();
    for (number, id, vpid) in [(1, ID, 1), (2, OTHER, 62)] {
        let mut task = scene.container_at(
            u64::from(number),
            &format!("/docker/{id}"),
            60 + number,
            &proc(number),
        );
        // The second one counts as the host does.
        task.vpid = vpid;
        task.namespaces.pid = if vpid == 1 { 900 } else { 1 };
        tasks.push(task);
    }
    tasks.push(fixture::task(70));
    for task in &mut tasks {
        processes.observe(
            &fixture::exec(1, task, fixture::image("/bin/x", Layer::Lower, "x")),
            1,
        );
    }
    assert!(
        !scene
            .table
            .take_requests()
            .contains(&Request::WatchEnvironments(true))
    );
    scene.apply_inspected(Inspected {
        promises: Box::new(Promises {
            secret_variables: ["A", "B", "C", "D", "E"].map(BString::from).to_vec(),
            ..Promises::default()
        }),
        ..Inspected::default()
    });
    assert!(
        scene
            .table
            .take_requests()
            .contains(&Request::WatchEnvironments(true))
    );

    let [inside, other, host] = tasks.as_slice() else {
        panic!("three tasks")
    };
    let second_inside = Task {
        pid: 65,
        tid: 65,
        vpid: 5,
        vtid: 6,
        ..inside.clone()
    };
    for (reader, id, shown, expected) in [
        (host, None, 61, Some(false)),
        (other, Some(OTHER), 61, Some(false)),
        (&second_inside, Some(ID), 61, Some(true)),
        // Its own, that of a container without secrets, and that of a process nobody knows.
        (&second_inside, Some(ID), 65, None),
        (host, None, 70, None),
        (host, None, 62, None),
        (host, None, 999, None),
    ] {
        let file = File {
            environment_of: shown,
            ..file(5, 3, 20, "/somewhere/environ")
        };
        let process = Process {
            task: reader.clone(),
            ..Process::default()
        };
        let container = id.and_then(|id| scene.table.get(id)).cloned();
        let reader = (&process, container.as_deref());
        let found = scene.table.environment_of(&file, reader, &processes);
        let granted = found.as_ref().map(|read| read.granted);
        assert_eq!(granted, expected, "{shown} by {}", process.task.pid);
        if let Some(read) = found {
            assert_eq!(read.secret.name, "A,B,C,D,...");
            assert_eq!(read.holders.len(), 1);
        }
    }
    scene.cgroup(CgroupChangeKind::Rmdir, 1, "");
    assert!(
        scene
            .table
            .take_requests()
            .contains(&Request::WatchEnvironments(false))
    );
}

/// A container with a secret by a mount, and one that sees the whole disk and declares that secret for itself.
fn declared_by_a_stranger(owner_first: bool) -> (Scene, File) {
    let mut scene = Scene::new();
    let given = "100 1 0:41 / / ro - overlay o ro\n101 100 254:0 /srv/db.txt /run/secrets/db ro - ext4 d rw\n";
    let stranger = "200 1 0:42 / / ro - overlay o ro\n201 200 254:0 / /host rw - ext4 d rw\n";
    let by_owner = file(DISK, 5, 101, "/run/secrets/db");
    let by_stranger = file(DISK, 5, 201, "/host/srv/db.txt");
    scene.container_at(2, &format!("/docker/{OTHER}"), 62, given);
    scene.container_at(CGROUP, &format!("/docker/{ID}"), 61, stranger);
    scene.apply_inspected(Inspected {
        labels: [(SECRETS_LABEL.to_owned(), "/host/srv/db.txt".into())].into(),
        ..Inspected::default()
    });
    let mut keys = [&by_owner, &by_stranger];
    if !owner_first {
        keys.reverse();
    }
    for key in keys {
        scene.key(key);
    }
    (scene, by_stranger)
}

#[test]
fn declaring_what_another_container_was_given_grants_nothing() {
    for owner_first in [true, false] {
        let (scene, file) = declared_by_a_stranger(owner_first);
        assert!(!scene.is_granted(&file, ID), "{owner_first}");
        let by_owner = File {
            mount_id: 101,
            path: "/run/secrets/db".into(),
            ..file.clone()
        };
        assert!(scene.is_granted(&by_owner, OTHER), "{owner_first}");
        // By any other mount that it was started with, too.
        let third = File {
            mount_id: 900,
            path: "/x".into(),
            ..file
        };
        assert_eq!(
            scene.secret(&third).expect("a secret").0,
            "db",
            "{owner_first}"
        );
        let secret = scene.table.secret_of(&third, None, scene.now_ns);
        assert_eq!(secret.expect("a secret").source, SecretSource::Compose);
    }
}

#[test]
fn what_is_declared_on_the_host_is_no_containers_own() {
    let mut scene = Scene::with(Options {
        host_secrets: vec![HostSecret {
            path: "/etc/keys/*.key".into(),
            name: None,
            source: SecretSource::Declared,
        }],
        ..Options::default()
    });
    let mounts = "100 1 0:41 / / ro - overlay o ro\n101 100 254:0 / /host rw - ext4 d rw\n";
    scene.container_at(CGROUP, &format!("/docker/{ID}"), 61, mounts);
    scene.table.look_at_host();
    scene.key(&file(DISK, 9, 20, "/etc/keys/a.key"));
    let seen = file(DISK, 9, 101, "/host/etc/keys/a.key");
    let container = scene.table.get(ID).cloned();
    let secret = scene
        .table
        .secret_of(&seen, container.as_deref(), scene.now_ns);
    assert_eq!(secret.expect("a secret").name, "a.key");
    assert!(!scene.is_granted(&seen, ID));
}

#[test]
fn a_token_mounted_where_a_certificate_would_be_stays_a_secret() {
    let mut scene = Scene::new();
    write_mounts(&scene.proc_root, 1, KUBELET_MOUNTS);
    let mounts = "100 1 0:41 / / ro - overlay o ro\n101 100 0:78 / /etc/db ro - tmpfs tmpfs rw\n";
    scene.container_at(1, &format!("{POD}/{ID}"), 61, mounts);
    scene.key(&file(POD_DEV, 5, 101, "/etc/db/..1/token"));
    let volume = "/var/lib/kubelet/pods/7/volumes/kubernetes.io~secret/db";
    for (ino, mount_id, path, expected) in [
        (5, 900, "/tmp/ca.crt".to_owned(), true),
        (6, 900, "/tmp/ca.crt".to_owned(), true),
        (
            6,
            900,
            "/tmp/kubernetes.io~secret/x/ca.crt".to_owned(),
            true,
        ),
        (6, 25, format!("{volume}/..1/ca.crt"), false),
        (6, 25, format!("{volume}/..1/token"), true),
    ] {
        let file = file(POD_DEV, ino, mount_id, &path);
        assert_eq!(scene.secret(&file).is_some(), expected, "{path}");
    }
}

#[test]
fn a_label_that_changes_again_and_again_is_followed_so_far() {
    let mut scene = Scene::new();
    scene.container_at(
        CGROUP,
        &format!("/docker/{ID}"),
        61,
        "100 1 0:41 / / ro - overlay o ro\n",
    );
    scene.table.take_requests();
    for round in 0..10 {
        let paths: Vec<String> = (0..10).map(|path| format!("/srv/{round}/{path}")).collect();
        scene.apply_inspected(Inspected {
            labels: [(SECRETS_LABEL.to_owned(), paths.join(",").into())].into(),
            ..Inspected::default()
        });
    }
    assert_eq!(scene.questions().len(), 64);
}
