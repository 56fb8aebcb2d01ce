//! Files that are reported whoever opens them.

use std::fs;

use rustix::fs::{Mode, OFlags};
use vigia_event::captured::What;
use vigia_event::file::File;
use vigia_sensor::Interest;

use super::actor::{Actor, args};
use super::rig::Rig;

const AT_FDCWD: i64 = libc::AT_FDCWD as i64;

/// What the probes answer to the question for a file's key.
fn learn(rig: &mut Rig, path: &str) -> File {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let file = rustix::fs::openat(rustix::fs::CWD, path, flags, Mode::empty()).unwrap();
    rig.read();
    rig.sensor.learn_secret_keys(&[file]).unwrap();
    let mut files: Vec<File> = rig
        .read()
        .into_iter()
        .filter_map(|captured| match captured.what {
            What::SecretKey(file) => Some(*file),
            _ => None,
        })
        .collect();
    assert_eq!(files.len(), 1, "{files:#?}");
    files.remove(0)
}

#[test]
fn a_watched_file_is_reported_whoever_opens_it_and_by_whatever_path() {
    let Some(mut rig) = Rig::arm() else { return };
    rig.sensor.set_interest(&Interest::nothing()).unwrap();
    let (secret, link, hard, other) = (
        rig.path("secret"),
        rig.path("link"),
        rig.path("hard"),
        rig.path("other"),
    );
    fs::write(&secret, "x").unwrap();
    fs::write(&other, "x").unwrap();
    fs::hard_link(&secret, &hard).unwrap();
    std::os::unix::fs::symlink(&secret, &link).unwrap();

    let key = learn(&mut rig, &link);
    assert_eq!(key.path, secret.as_str());
    rig.sensor.watch_secret(key.dev, Some(key.ino)).unwrap();

    // Out of scope: this one is in no cgroup of the test.
    let mut stranger = Actor::start();
    rig.read();
    for path in [&secret, &link, &hard] {
        assert!(
            stranger.call(
                libc::SYS_openat,
                args![AT_FDCWD, path.as_str(), libc::O_RDONLY, 0]
            ) >= 0
        );
        let records = rig.read_of(stranger.pid());
        assert_eq!(records.len(), 1, "{path}: {records:#?}");
        assert!(records[0].is_secret && !records[0].in_scope);
        let call = super::rig::call(records[0].clone()).unwrap();
        assert_eq!(call.paths[0].given, path.as_str());
        assert_eq!(call.file.unwrap().ino, key.ino);
    }
    assert!(
        stranger.call(
            libc::SYS_openat,
            args![AT_FDCWD, other.as_str(), libc::O_RDONLY, 0]
        ) >= 0
    );
    assert_eq!(
        rig.read_of(stranger.pid()).len(),
        0,
        "another file of the same device"
    );

    rig.sensor.unwatch_secret(key.dev, Some(key.ino)).unwrap();
    assert!(
        stranger.call(
            libc::SYS_openat,
            args![AT_FDCWD, secret.as_str(), libc::O_RDONLY, 0]
        ) >= 0
    );
    assert_eq!(rig.read_of(stranger.pid()).len(), 0, "no longer watched");
}

#[test]
fn a_watched_device_covers_every_file_on_it() {
    let Some(mut rig) = Rig::arm() else { return };
    rig.sensor.set_interest(&Interest::nothing()).unwrap();
    let point = rig.path("tmpfs");
    fs::create_dir(&point).unwrap();
    // A file system of its own, in a mount namespace of its own.
    let mut owner = Actor::start();
    assert_eq!(owner.call(libc::SYS_unshare, args![libc::CLONE_NEWNS]), 0);
    let private = i64::try_from(libc::MS_REC | libc::MS_PRIVATE).unwrap();
    assert_eq!(
        owner.call(libc::SYS_mount, args!["none", "/", "none", private, 0]),
        0
    );
    assert_eq!(
        owner.call(libc::SYS_mount, args!["x", point.as_str(), "tmpfs", 0, 0]),
        0
    );
    let file = format!("{point}/s");
    let create = args![AT_FDCWD, file.as_str(), libc::O_CREAT | libc::O_RDWR, 0o600];
    assert!(owner.call(libc::SYS_openat, create) >= 0);

    let root = format!("{}/root", owner.proc());
    let key = learn(&mut rig, &format!("{root}{file}"));
    assert!(
        key.path_notes.escaped,
        "not below the root of the one who asks: {key:?}"
    );
    rig.sensor.watch_secret(key.dev, None).unwrap();
    rig.read();
    assert!(
        owner.call(
            libc::SYS_openat,
            args![AT_FDCWD, file.as_str(), libc::O_RDONLY, 0]
        ) >= 0
    );
    let records = rig.read_of(owner.pid());
    assert_eq!(records.len(), 1, "{records:#?}");
    assert!(records[0].is_secret);
}

#[test]
fn environments_are_reported_whoever_opens_them_while_they_are_asked_for() {
    let Some(mut rig) = Rig::arm() else { return };
    rig.sensor.set_interest(&Interest::nothing()).unwrap();
    // Out of scope: this one is in no cgroup of the test.
    let mut stranger = Actor::start();
    let folder = stranger.proc();
    let thread = folder.rsplit('/').next().unwrap_or_default().to_owned();
    let imitation = rig.path("environ");
    fs::write(&imitation, "x").unwrap();
    for (wanted, path, expected) in [
        (false, format!("{folder}/environ"), 0),
        (true, format!("{folder}/environ"), 1),
        (true, "/proc/self/task/../environ".to_owned(), 1),
        // By the number of a thread, which no listing shows.
        (true, format!("/proc/{thread}/environ"), 1),
        (true, format!("{folder}/status"), 0),
        (true, format!("{folder}/cmdline"), 0),
        (true, imitation, 0),
        (false, format!("{folder}/environ"), 0),
    ] {
        rig.sensor.watch_environments(wanted).unwrap();
        rig.read();
        let open = args![AT_FDCWD, path.as_str(), libc::O_RDONLY, 0];
        assert!(stranger.call(libc::SYS_openat, open) >= 0);
        let records = rig.read_of(stranger.pid());
        assert_eq!(records.len(), expected, "{path}: {records:#?}");
        for record in records {
            assert!(record.is_secret && !record.in_scope);
            let file = super::rig::call(record).unwrap().file.unwrap();
            assert!(file.path.ends_with(b"/environ"), "{file:?}");
            assert_eq!(file.fs_magic, 0x9fa0);
            assert_eq!(file.environment_of, stranger.pid());
        }
    }
}
