//! Who counts as a container, and the marks that stay.

use vigia_event::captured::{CgroupChange, CgroupChangeKind, What};
use vigia_sensor::{Options, Seed};

use super::actor::{Actor, args};
use super::rig::{Cgroup, Rig};

const AT_FDCWD: i64 = libc::AT_FDCWD as i64;
const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn open_null(actor: &mut Actor) {
    assert!(
        actor.call(
            libc::SYS_openat,
            args![AT_FDCWD, "/dev/null", libc::O_RDONLY, 0]
        ) >= 0
    );
}

/// What happened to cgroups of the test since the last read.
fn changes(rig: &mut Rig) -> Vec<CgroupChange> {
    let own = rig.cgroup.path.to_str().unwrap().to_owned();
    let changes = rig
        .read()
        .into_iter()
        .filter_map(|captured| match captured.what {
            What::Cgroup(change) => Some(change),
            _ => None,
        });
    changes
        .filter(|change| change.path.starts_with(own.as_bytes()))
        .collect()
}

#[test]
fn a_cgroup_named_as_engines_name_theirs_is_a_container_from_its_first_process_on() {
    let Some(mut rig) = Rig::with(|_| Options::default()) else {
        return;
    };
    let mut engine = Actor::start();
    let outside = Cgroup::make(&rig.cgroup.path.strip_prefix("/").unwrap().join("outside"));
    let path = rig.cgroup.path.strip_prefix("/").unwrap().join(ID);
    rig.read();
    let container = Cgroup::make_by(&mut engine, &path);
    let made = changes(&mut rig);
    assert_eq!(made.len(), 1, "{made:#?}");
    assert_eq!(
        (made[0].kind, made[0].id),
        (CgroupChangeKind::Mkdir, container.id())
    );
    assert_eq!(made[0].path, container.path.to_str().unwrap());

    let mut actor = Actor::start();
    rig.read();
    open_null(&mut actor);
    assert_eq!(
        rig.read_of(actor.pid()).len(),
        0,
        "not yet in the container"
    );

    container.join(&mut actor);
    let attached = changes(&mut rig);
    assert_eq!(attached.len(), 1, "{attached:#?}");
    assert_eq!(
        (attached[0].kind, attached[0].id),
        (CgroupChangeKind::Attach, container.id())
    );
    assert_eq!(attached[0].pid, actor.pid());
    open_null(&mut actor);
    let records = rig.read_of(actor.pid());
    assert_eq!(records.len(), 1, "{records:#?}");
    assert!(records[0].in_scope);
    assert_eq!(records[0].task.container_cgroup_id, container.id());

    // Its child is of the container, and stays so after it left the cgroup: escaping is no way out of sight.
    let child = actor.fork(0);
    let records = rig.read();
    let fork = records.iter().find_map(|record| match &record.what {
        What::Fork(fork) if fork.child.pid == child => Some(fork.child.clone()),
        _ => None,
    });
    assert_eq!(fork.unwrap().origin_cgroup_id, container.id());
    outside.join(&mut actor);
    rig.read();
    open_null(&mut actor);
    let records = rig.read_of(actor.pid());
    assert_eq!(records.len(), 1, "{records:#?}");
    assert!(records[0].in_scope);
    assert_eq!(records[0].task.origin_cgroup_id, container.id());
    assert_eq!(records[0].task.container_cgroup_id, 0);
}

#[test]
fn a_container_that_was_there_before_is_taken_as_told() {
    let Some(mut rig) = Rig::with(|_| Options::default()) else {
        return;
    };
    let mut actor = Actor::start();
    rig.cgroup.add(actor.pid());
    rig.read();
    open_null(&mut actor);
    assert_eq!(rig.read_of(actor.pid()).len(), 0);
    rig.sensor.add_container_cgroup(rig.cgroup.id()).unwrap();
    open_null(&mut actor);
    let records = rig.read_of(actor.pid());
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].task.container_cgroup_id, rig.cgroup.id());
}

/// What a scan of /proc would say of a process, with marks that nothing else could have set.
fn seed(pid: u32) -> Seed {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = after_name
        .split_whitespace()
        .nth(19)
        .unwrap()
        .parse()
        .unwrap();
    Seed {
        pid,
        start_boottime_ns: ticks * 10_000_000,
        origin_cgroup_id: 4711,
        entered: Some(true),
        ..Seed::default()
    }
}

#[test]
fn a_process_that_was_there_before_has_the_marks_it_is_given() {
    let mut old = Actor::start();
    let Some(mut rig) = Rig::with(|_| Options::default()) else {
        return;
    };
    rig.sensor.seed_process(&seed(old.pid())).unwrap();
    rig.read();
    open_null(&mut old);
    let records = rig.read_of(old.pid());
    assert_eq!(records.len(), 1, "{records:#?}");
    let task = &records[0].task;
    assert_eq!((task.origin_cgroup_id, task.entered), (4711, Some(true)));
}

#[test]
fn what_the_probes_saw_themselves_never_loses_to_the_scan() {
    let Some(mut rig) = Rig::with(|_| Options::default()) else {
        return;
    };
    let mut young = Actor::start();
    rig.sensor.seed_process(&seed(young.pid())).unwrap();
    rig.read();
    open_null(&mut young);
    assert_eq!(
        rig.read_of(young.pid()).len(),
        0,
        "it has no origin, so it is not in scope"
    );
}

#[test]
fn joining_another_mount_namespace_is_entering_and_making_one_is_not() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut owner = rig.actor();
    assert_eq!(owner.call(libc::SYS_unshare, args![libc::CLONE_NEWNS]), 0);
    open_null(&mut owner);
    let records = rig.read_of(owner.pid());
    assert_eq!(records.last().unwrap().task.entered, Some(false));

    let mut visitor = rig.actor();
    let namespace = format!("{}/ns/mnt", owner.proc());
    let fd = visitor.call(
        libc::SYS_openat,
        args![AT_FDCWD, namespace.as_str(), libc::O_RDONLY, 0],
    );
    // Only a process with one thread and a file system state of its own may change its mount namespace.
    assert_eq!(visitor.call(libc::SYS_unshare, args![libc::CLONE_FS]), 0);
    assert_eq!(
        visitor.call(libc::SYS_setns, args![fd, libc::CLONE_NEWNS]),
        0
    );
    rig.read();
    let child = visitor.fork(0);
    open_null(&mut visitor);
    let records = rig.read();
    let of = |pid| {
        records
            .iter()
            .rev()
            .find(|record| record.task.pid == pid)
            .unwrap()
            .task
            .entered
    };
    assert_eq!(of(visitor.pid()), Some(true));
    assert_eq!(of(child), Some(true), "inherited");
    let joined = records
        .iter()
        .rev()
        .find(|record| record.task.pid == visitor.pid())
        .unwrap();
    let owned = std::fs::read_link(namespace).unwrap();
    assert!(
        owned
            .to_str()
            .unwrap()
            .contains(&joined.task.namespaces.mnt.to_string())
    );
}

#[test]
fn entering_through_the_32_bit_entry_is_entering() {
    let Some(mut rig) = Rig::arm() else { return };
    const SETNS: i64 = 346;
    let mut owner = rig.actor();
    assert_eq!(owner.call(libc::SYS_unshare, args![libc::CLONE_NEWNS]), 0);
    let mut visitor = rig.actor();
    let namespace = format!("{}/ns/mnt", owner.proc());
    let fd = visitor.call(
        libc::SYS_openat,
        args![AT_FDCWD, namespace.as_str(), libc::O_RDONLY, 0],
    );
    assert_eq!(visitor.call(libc::SYS_unshare, args![libc::CLONE_FS]), 0);
    let answer = visitor.call_32(SETNS, [fd, libc::CLONE_NEWNS.into()]);
    if answer == i64::from(-libc::ENOSYS) {
        println!("skipped: this kernel has no 32-bit entry");
        return;
    }
    assert_eq!(answer, 0);
    open_null(&mut visitor);
    let records = rig.read_of(visitor.pid());
    assert_eq!(records.last().unwrap().task.entered, Some(true));
}
