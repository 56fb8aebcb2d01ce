//! Cgroups that users name like containers of others, before and after those are made.

use super::*;

const FAKE: u64 = 900;

fn real_path() -> String {
    format!("/system.slice/docker-{ID}.scope")
}

fn fake_path() -> String {
    let user = "/user.slice/user-1000.slice/user@1000.service";
    format!("{user}/docker-{ID}.scope")
}

/// Processes above 1000 are in a user namespace that the user of that id made.
fn options() -> Options {
    Options {
        user_namespace: |_, pid| {
            Ok(UserNamespace {
                inode: 1,
                maker: (pid >= 1000).then_some(pid),
            })
        },
        ..Options::default()
    }
}

fn existing(pid: u32, start_ticks: u64, mnt_ns: u32, path: &str) -> ExistingTask {
    ExistingTask {
        process: ProcessKey { pid, start_ticks },
        start_time_ns: start_ticks,
        mnt_ns,
        cgroup_path: path.into(),
    }
}

#[test]
fn an_older_process_in_a_group_of_a_users_choice_is_not_the_containers_first() {
    for (fake_start, real_start) in [(1, 2), (2, 1)] {
        let mut scene = Scene::with(options());
        let tasks = [
            existing(1000, fake_start, 78, &fake_path()),
            existing(1000, fake_start, 78, &format!("{}/sub", fake_path())),
            existing(61, real_start, INNER_MNT, &real_path()),
            existing(62, 9, INNER_MNT, &format!("{}/sub", real_path())),
        ];
        scene.mounts_of_pid(61, MOUNTS);
        scene.table.add_existing(&tasks, SECOND);
        let container = scene.container();
        assert_eq!(container.init.map(|init| init.pid), Some(61));
        assert_eq!(container.cgroup_path, real_path());
        assert_eq!(scene.table.len(), 1, "the other has never been one");
        assert!(scene.table.counts().impostors > 0);
        for (path, is_its) in [
            (real_path(), true),
            (format!("{}/sub", real_path()), true),
            (fake_path(), false),
        ] {
            let found = scene.table.of_cgroup_path(path.as_bytes());
            assert_eq!(found.is_some(), is_its, "{path}");
        }
        let mut stranger = fixture::task(1000);
        stranger.namespaces.mnt = 78;
        assert!(scene.table.of_task(&stranger).is_none());
    }
}

#[test]
fn a_container_that_was_observed_is_not_taken_over_by_a_scan() {
    let mut scene = Scene::with(options());
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &real_path());
    let task = existing(1000, 1, 78, &fake_path());
    scene.table.add_existing(&[task], SECOND);
    assert_eq!(scene.container().cgroup_id, CGROUP);
    assert_eq!(scene.table.counts().impostors, 1);
}

#[test]
fn whoever_makes_the_group_of_a_stopped_container_first_has_it_only_until_it_is_made() {
    let mut scene = Scene::with(options());
    scene.cgroup(CgroupChangeKind::Mkdir, FAKE, &fake_path());
    let mut imitator = inside(1000);
    (imitator.cgroup_id, imitator.namespaces.mnt) = (FAKE, 78);
    scene.exec(&imitator);
    scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &real_path());
    assert_eq!((scene.table.len(), scene.table.counts().impostors), (1, 1));
    assert!(scene.table.of_task(&imitator).is_none());
    scene.mounts_of_pid(61, MOUNTS);
    scene.exec(&inside(61));
    let container = scene.container();
    assert_eq!(container.cgroup_path, real_path());
    assert_eq!(container.init.map(|init| init.pid), Some(61));
    // Once more, and beside it: neither displaces what there is.
    scene.cgroup(CgroupChangeKind::Mkdir, FAKE, &fake_path());
    scene.cgroup(CgroupChangeKind::Mkdir, 901, &format!("/docker/{ID}"));
    assert_eq!(scene.container().cgroup_id, CGROUP);
    assert_eq!(scene.table.counts().impostors, 3);
}

#[test]
fn a_group_displaces_what_only_mounts_tell_but_a_users_never_roots() {
    for (pid, path, displaces) in [
        (61, real_path(), true),
        (1000, fake_path(), true),
        (61, fake_path(), false),
    ] {
        let mut scene = Scene::with(options());
        let hostname = format!("/containers/overlay-containers/{ID}/userdata/hostname");
        let bind = format!("102 100 0:9 {hostname} /etc/hostname rw - tmpfs t rw\n");
        scene.mounts_of_pid(pid, &bind);
        let mut task = inside(pid);
        task.cgroup_id = 3;
        scene.exec(&task).expect("a container");
        scene.cgroup(CgroupChangeKind::Mkdir, CGROUP, &path);
        let expected = if displaces { CGROUP } else { 0 };
        assert_eq!(scene.container().cgroup_id, expected, "{pid} {path}");
    }
}
