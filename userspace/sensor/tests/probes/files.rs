//! Opens, and what the kernel says of the file.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use vigia_sensor::{Cause, Class, Counters};

use super::actor::args;
use super::rig::Rig;

const AT_FDCWD: i64 = libc::AT_FDCWD as i64;

/// `stat` and the kernel agree on these file systems; the device is packed differently.
fn key(path: &str) -> (u32, u64) {
    let meta = fs::metadata(path).unwrap();
    let dev = libc::major(meta.dev()) << 20 | libc::minor(meta.dev());
    (dev, meta.ino())
}

#[test]
fn an_open_for_reading_tells_the_file_behind_the_link() {
    let Some(mut rig) = Rig::arm() else { return };
    let (target, link) = (rig.path("target"), rig.path("link"));
    fs::write(&target, "x").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let mut actor = rig.actor();
    let fd = actor.call(
        libc::SYS_openat,
        args![AT_FDCWD, link.as_str(), libc::O_RDONLY, 0],
    );

    let records = rig.read_of(actor.pid());
    assert_eq!(records.len(), 1, "{records:#?}");
    let captured = &records[0];
    assert!(captured.in_scope && !captured.is_secret);
    assert!(captured.sequence > 0 && captured.boot_time_ns > 0);
    let task = &captured.task;
    assert_eq!(task.cgroup_id, rig.cgroup.id());
    assert_eq!(
        (task.parent_pid, task.credentials.euid),
        (std::process::id(), 0)
    );
    assert!(
        !task.comm.is_empty()
            && task.start_boottime_ns > 0
            && task.start_boottime_ns < captured.boot_time_ns
    );
    let mnt = fs::metadata(format!("/proc/{}/ns/mnt", actor.pid()))
        .unwrap()
        .ino();
    assert_eq!(u64::from(task.namespaces.mnt), mnt);

    let call = super::rig::call(captured.clone()).unwrap();
    assert_eq!((call.event_type.name(), call.result), ("openat", fd));
    assert_eq!(call.args[2], u64::from(libc::O_RDONLY.cast_unsigned()));
    assert_eq!(call.paths.len(), 1);
    assert_eq!(
        (call.paths[0].given.to_string(), call.paths[0].truncated),
        (link, false)
    );
    let file = call.file.unwrap();
    assert_eq!(file.path, target.as_str());
    assert_eq!((file.dev, file.ino), key(&target));
    assert_eq!(file.mode, fs::metadata(&target).unwrap().mode());
    assert_eq!(file.nlink, 1);
    assert!(!file.created && !file.mount_read_only && !file.fs_read_only);
    assert_eq!(file.path_notes, Default::default());
    assert!(file.mount_id > 0 && file.fs_magic > 0);
}

#[test]
fn an_open_that_creates_says_so_and_the_next_does_not() {
    let Some(mut rig) = Rig::arm() else { return };
    let path = rig.path("new");
    let mut actor = rig.actor();
    for created in [true, false] {
        let flags = libc::O_CREAT | libc::O_WRONLY;
        let fd = actor.call(
            libc::SYS_openat,
            args![AT_FDCWD, path.as_str(), flags, 0o600],
        );
        let call = rig.only_call(actor.pid(), "openat");
        assert_eq!((call.result, call.args[3]), (fd, 0o600));
        assert_eq!(call.file.unwrap().created, created);
    }
}

#[test]
fn every_way_to_open_is_seen() {
    let Some(mut rig) = Rig::arm() else { return };
    let path = rig.path("x");
    let mut actor = rig.actor();
    let how = [
        u64::from((libc::O_RDWR | libc::O_CREAT).cast_unsigned()),
        0o640,
        0,
    ];
    for (name, number, arguments) in [
        (
            "creat",
            libc::SYS_creat,
            args![path.as_str(), 0o600].to_vec(),
        ),
        (
            "open",
            libc::SYS_open,
            args![path.as_str(), libc::O_RDONLY, 0].to_vec(),
        ),
        (
            "openat",
            libc::SYS_openat,
            args![AT_FDCWD, path.as_str(), libc::O_WRONLY, 0].to_vec(),
        ),
        (
            "openat2",
            libc::SYS_openat2,
            args![AT_FDCWD, path.as_str(), how, 24].to_vec(),
        ),
    ] {
        let fd = actor.call(number, &arguments);
        assert!(fd >= 0, "{name}");
        let call = rig.only_call(actor.pid(), name);
        assert_eq!(call.result, fd, "{name}");
        assert_eq!(call.paths[0].given, path.as_str(), "{name}");
        assert_eq!(call.open_how, (name == "openat2").then_some(how), "{name}");
        assert_eq!(call.file.unwrap().path, path.as_str(), "{name}");
    }
}

#[test]
fn a_refused_open_has_its_path_and_no_file() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    for (path, flags, result) in [
        (rig.path("missing"), libc::O_RDONLY, -libc::ENOENT),
        (
            rig.path("missing/below"),
            libc::O_CREAT | libc::O_WRONLY,
            -libc::ENOENT,
        ),
        ("/proc/version/x".to_owned(), libc::O_RDONLY, -libc::ENOTDIR),
        ("/proc".to_owned(), libc::O_WRONLY, -libc::EISDIR),
    ] {
        let answer = actor.call(
            libc::SYS_openat,
            args![AT_FDCWD, path.as_str(), flags, 0o600],
        );
        assert_eq!(answer, i64::from(result), "{path}");
        let call = rig.only_call(actor.pid(), "openat");
        assert_eq!((call.result, call.file), (answer, None), "{path}");
        assert_eq!(call.paths[0].given, path.as_str());
    }
}

#[test]
fn a_relative_path_comes_with_the_folder_it_starts_from() {
    let Some(mut rig) = Rig::arm() else { return };
    let folder = rig.path("folder");
    fs::create_dir(&folder).unwrap();
    let mut actor = rig.actor();
    let dir = actor.call(
        libc::SYS_openat,
        args![AT_FDCWD, folder.as_str(), libc::O_PATH, 0],
    );
    rig.read();
    assert_eq!(
        actor.call(
            libc::SYS_openat,
            args![dir, "x", libc::O_CREAT | libc::O_RDWR, 0o600]
        ),
        dir + 1
    );
    let call = rig.only_call(actor.pid(), "openat");
    assert_eq!(call.paths[0].given, "x");
    assert_eq!(call.paths[0].base.as_ref().unwrap(), folder.as_str());
    assert_eq!(call.paths[0].absolute(), format!("{folder}/x").as_str());

    assert_eq!(actor.call(libc::SYS_chdir, args![folder.as_str()]), 0);
    assert_eq!(
        actor.call(libc::SYS_openat, args![AT_FDCWD, "./x", libc::O_RDONLY, 0]),
        dir + 2
    );
    let call = rig.only_call(actor.pid(), "openat");
    assert_eq!(call.paths[0].absolute(), format!("{folder}/x").as_str());
    assert_eq!(call.file.unwrap().path, format!("{folder}/x").as_str());
}

#[test]
fn odd_files_have_odd_paths() {
    let Some(mut rig) = Rig::arm() else { return };
    let deleted = rig.path("deleted");
    fs::write(&deleted, "x").unwrap();
    let mut actor = rig.actor();
    let fd = actor.call(
        libc::SYS_openat,
        args![AT_FDCWD, deleted.as_str(), libc::O_RDONLY, 0],
    );
    fs::remove_file(&deleted).unwrap();
    let memfd = actor.call(libc::SYS_memfd_create, args!["note", 0]);
    rig.read();
    for (path, expected, is_deleted, is_detached) in [
        (format!("/proc/self/fd/{fd}"), deleted.as_str(), true, false),
        (format!("/proc/self/fd/{memfd}"), "memfd:note", false, true),
        ("/".to_owned(), "/", false, false),
        ("/proc/self/root/proc".to_owned(), "/proc", false, false),
    ] {
        assert!(
            actor.call(
                libc::SYS_openat,
                args![AT_FDCWD, path.as_str(), libc::O_RDONLY, 0]
            ) >= 0,
            "{path}"
        );
        let file = rig.only_call(actor.pid(), "openat").file.unwrap();
        assert_eq!(file.path, expected, "{path}");
        assert_eq!(
            (file.path_notes.deleted, file.path_notes.detached),
            (is_deleted, is_detached),
            "{path}"
        );
    }
}

#[test]
fn a_path_longer_than_the_record_is_marked() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    let long = format!("/{}", "x/".repeat(3000));
    assert_eq!(
        actor.call(
            libc::SYS_openat,
            args![AT_FDCWD, long.as_str(), libc::O_RDONLY, 0]
        ),
        i64::from(-libc::ENAMETOOLONG)
    );
    let call = rig.only_call(actor.pid(), "openat");
    assert!(call.paths[0].truncated);
    assert!(long.as_bytes().starts_with(&call.paths[0].given) && call.paths[0].given.len() >= 4000);

    // A call whose path is also captured when it begins.
    assert_eq!(
        actor.call(libc::SYS_unlinkat, args![AT_FDCWD, long.as_str(), 0]),
        i64::from(-libc::ENAMETOOLONG)
    );
    let call = rig.only_call(actor.pid(), "unlinkat");
    assert!(call.paths[0].truncated && call.paths[0].given.len() >= 4000);

    assert_eq!(
        actor.call(libc::SYS_openat, args![AT_FDCWD, 8, libc::O_RDONLY, 0]),
        i64::from(-libc::EFAULT)
    );
    let call = rig.only_call(actor.pid(), "openat");
    assert!(
        call.paths[0].truncated && call.paths[0].given.is_empty(),
        "{call:?}"
    );
}

#[test]
fn a_path_on_a_page_that_is_not_there_yet_is_counted_and_told() {
    let Some(mut rig) = Rig::arm() else { return };
    let (page, target) = (rig.path("page"), rig.path("target"));
    fs::write(&page, format!("{target}\0")).unwrap();
    fs::write(&target, "x").unwrap();
    let mut actor = rig.actor();
    let fd = actor.call(
        libc::SYS_openat,
        args![AT_FDCWD, page.as_str(), libc::O_RDONLY, 0],
    );
    let place = actor.call(
        libc::SYS_mmap,
        args![0, 4096, libc::PROT_READ, libc::MAP_PRIVATE, fd, 0],
    );
    assert!(fd >= 0 && place > 0);
    rig.read_of(actor.pid());
    let before = rig.counters();
    assert_eq!(
        actor.call(libc::SYS_unlinkat, args![AT_FDCWD, place, 0]),
        0,
        "the kernel fetches the page"
    );
    let call = rig.only_call(actor.pid(), "unlinkat");
    assert_eq!(call.paths[0].given, target.as_bytes());
    assert!(!call.paths[0].truncated && !call.has_changed_path());
    let faulted = |counters: &Counters| counters.of(Class::Change, Cause::Faulted);
    assert_eq!(faulted(&rig.counters()) - faulted(&before), 1);
}
