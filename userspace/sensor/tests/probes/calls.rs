//! Calls that name paths, by table: one row per way to call.

use std::fs;

use super::actor::{Arg, args};
use super::rig::Rig;

const AT_FDCWD: i64 = libc::AT_FDCWD as i64;

/// A call, what it must return, and what must be reported of it.
struct Case {
    name: &'static str,
    number: i64,
    args: Vec<Arg>,
    result: i32,
    /// Absolute spellings, below the test's folder where they do not begin with a slash.
    paths: &'static [&'static str],
    texts: &'static [&'static str],
    /// The file of a call on a descriptor.
    file: Option<&'static str>,
}

#[test]
fn every_call_on_a_path_is_reported_with_its_paths() {
    let Some(mut rig) = Rig::arm() else { return };
    let root = rig.folder.path().to_str().unwrap().to_owned();
    let p = |name: &str| Arg::Str(format!("{root}/{name}"));
    let n = |number: i64| Arg::Int(number);
    let s = |text: &str| Arg::Str(text.to_owned());
    let cwd = || n(AT_FDCWD);
    fs::write(rig.path("file"), "x").unwrap();
    let mut actor = rig.actor();
    let dir = actor.call(
        libc::SYS_openat,
        args![
            AT_FDCWD,
            root.as_str(),
            libc::O_RDONLY | libc::O_DIRECTORY,
            0
        ],
    );
    let fd = actor.call(
        libc::SYS_openat,
        args![AT_FDCWD, rig.path("file"), libc::O_RDWR, 0],
    );
    assert!(dir >= 0 && fd >= 0);
    assert_eq!(actor.call(libc::SYS_chdir, args![root.as_str()]), 0);

    let case = |name, number, args, result, paths| Case {
        name,
        number,
        args,
        result,
        paths,
        texts: &[],
        file: None,
    };
    let mut cases = vec![
        case("mkdir", libc::SYS_mkdir, vec![p("a"), n(0o755)], 0, &["a"]),
        case(
            "mkdirat",
            libc::SYS_mkdirat,
            vec![n(dir), s("b"), n(0o755)],
            0,
            &["b"],
        ),
        case(
            "mkdirat",
            libc::SYS_mkdirat,
            vec![cwd(), s("c/../d"), n(0o755)],
            -libc::ENOENT,
            &["d"],
        ),
        case(
            "mkdir",
            libc::SYS_mkdir,
            vec![p("a"), n(0o755)],
            -libc::EEXIST,
            &["a"],
        ),
        case("rmdir", libc::SYS_rmdir, vec![p("a")], 0, &["a"]),
        case(
            "unlinkat",
            libc::SYS_unlinkat,
            vec![n(dir), s("b"), n(0x200)],
            0,
            &["b"],
        ),
        case(
            "unlink",
            libc::SYS_unlink,
            vec![p("none")],
            -libc::ENOENT,
            &["none"],
        ),
        case(
            "link",
            libc::SYS_link,
            vec![p("file"), p("hard")],
            0,
            &["file", "hard"],
        ),
        case(
            "linkat",
            libc::SYS_linkat,
            vec![n(dir), s("file"), cwd(), s("hard2"), n(0)],
            0,
            &["file", "hard2"],
        ),
        case(
            "rename",
            libc::SYS_rename,
            vec![p("hard"), p("hard3")],
            0,
            &["hard", "hard3"],
        ),
        case(
            "renameat",
            libc::SYS_renameat,
            vec![n(dir), s("hard3"), n(dir), s("hard4")],
            0,
            &["hard3", "hard4"],
        ),
        case(
            "renameat2",
            libc::SYS_renameat2,
            vec![n(dir), s("hard4"), cwd(), s("hard2"), n(1)],
            -libc::EEXIST,
            &["hard4", "hard2"],
        ),
        case("unlink", libc::SYS_unlink, vec![s("hard4")], 0, &["hard4"]),
        case(
            "mknod",
            libc::SYS_mknod,
            vec![p("pipe"), n(0o010_600), n(0)],
            0,
            &["pipe"],
        ),
        case(
            "mknodat",
            libc::SYS_mknodat,
            vec![n(dir), s("pipe"), n(0o010_600), n(0)],
            -libc::EEXIST,
            &["pipe"],
        ),
        case(
            "mknodat",
            libc::SYS_mknodat,
            vec![n(dir), s("pipe2"), n(0o010_600), n(0)],
            0,
            &["pipe2"],
        ),
        case(
            "truncate",
            libc::SYS_truncate,
            vec![p("file"), n(3)],
            0,
            &["file"],
        ),
        case(
            "chmod",
            libc::SYS_chmod,
            vec![p("file"), n(0o600)],
            0,
            &["file"],
        ),
        case(
            "fchmodat",
            libc::SYS_fchmodat,
            vec![n(dir), s("file"), n(0o640)],
            0,
            &["file"],
        ),
        case(
            "chown",
            libc::SYS_chown,
            vec![p("file"), n(1), n(2)],
            0,
            &["file"],
        ),
        case(
            "lchown",
            libc::SYS_lchown,
            vec![p("file"), n(3), n(4)],
            0,
            &["file"],
        ),
        case(
            "fchownat",
            libc::SYS_fchownat,
            vec![n(dir), s("file"), n(0), n(0), n(0)],
            0,
            &["file"],
        ),
        case(
            "utimensat",
            libc::SYS_utimensat,
            vec![n(dir), s("file"), n(0), n(0)],
            0,
            &["file"],
        ),
        case(
            "chroot",
            libc::SYS_chroot,
            vec![p("none")],
            -libc::ENOENT,
            &["none"],
        ),
        case(
            "umount2",
            libc::SYS_umount2,
            vec![p("none"), n(0)],
            -libc::ENOENT,
            &["none"],
        ),
        case(
            "pivot_root",
            libc::SYS_pivot_root,
            vec![p("none"), p("put")],
            -libc::ENOENT,
            &["none", "put"],
        ),
        case(
            "execve",
            libc::SYS_execve,
            vec![p("none"), n(0), n(0)],
            -libc::ENOENT,
            &["none"],
        ),
        case(
            "execveat",
            libc::SYS_execveat,
            vec![n(dir), s("none"), n(0), n(0), n(0)],
            -libc::ENOENT,
            &["none"],
        ),
        case(
            "ptrace",
            libc::SYS_ptrace,
            vec![n(99), n(1), n(0), n(0)],
            -libc::ESRCH,
            &[],
        ),
        case(
            "process_vm_readv",
            libc::SYS_process_vm_readv,
            vec![n(1), n(0), n(0), n(0), n(0), n(9)],
            -libc::EINVAL,
            &[],
        ),
        case(
            "pidfd_getfd",
            libc::SYS_pidfd_getfd,
            vec![n(-1), n(0), n(0)],
            -libc::EBADF,
            &[],
        ),
        Case {
            file: Some("file"),
            ..case(
                "setns",
                libc::SYS_setns,
                vec![n(fd), n(0)],
                -libc::EINVAL,
                &[],
            )
        },
        case("unshare", libc::SYS_unshare, vec![n(0)], 0, &[]),
    ];
    let with_text = |name, number, args, result, paths, texts| Case {
        name,
        number,
        args,
        result,
        paths,
        texts,
        file: None,
    };
    cases.extend([
        with_text(
            "symlink",
            libc::SYS_symlink,
            vec![s("to/where"), p("sym")],
            0,
            &["sym"],
            &["to/where"],
        ),
        with_text(
            "symlinkat",
            libc::SYS_symlinkat,
            vec![s("x"), n(dir), s("sym")],
            -libc::EEXIST,
            &["sym"],
            &["x"],
        ),
        with_text(
            "setxattr",
            libc::SYS_setxattr,
            vec![p("file"), s("trusted.note"), s("hello"), n(5), n(0)],
            0,
            &["file"],
            &["trusted.note"],
        ),
        with_text(
            "removexattr",
            libc::SYS_removexattr,
            vec![p("file"), s("trusted.note")],
            0,
            &["file"],
            &["trusted.note"],
        ),
        with_text(
            "lsetxattr",
            libc::SYS_lsetxattr,
            vec![p("none"), s("trusted.n"), s("v"), n(1), n(0)],
            -libc::ENOENT,
            &["none"],
            &["trusted.n"],
        ),
        with_text(
            "lsetxattr",
            libc::SYS_lsetxattr,
            vec![p("file"), s("trusted.l"), s("v"), n(1), n(0)],
            0,
            &["file"],
            &["trusted.l"],
        ),
        with_text(
            "lremovexattr",
            libc::SYS_lremovexattr,
            vec![p("file"), s("trusted.l")],
            0,
            &["file"],
            &["trusted.l"],
        ),
        with_text(
            "mount",
            libc::SYS_mount,
            vec![s("source"), p("none"), s("tmpfs"), n(0), n(0)],
            -libc::ENOENT,
            &["none"],
            &["tmpfs", "source"],
        ),
    ]);
    let on_file = |name, number, args, texts| Case {
        name,
        number,
        args,
        result: 0,
        paths: &[],
        texts,
        file: Some("file"),
    };
    cases.extend([
        on_file("ftruncate", libc::SYS_ftruncate, vec![n(fd), n(2)], &[]),
        on_file("fchmod", libc::SYS_fchmod, vec![n(fd), n(0o600)], &[]),
        on_file("fchown", libc::SYS_fchown, vec![n(fd), n(0), n(0)], &[]),
        on_file(
            "fsetxattr",
            libc::SYS_fsetxattr,
            vec![n(fd), s("trusted.f"), s("v"), n(1), n(0)],
            &["trusted.f"],
        ),
        on_file(
            "fremovexattr",
            libc::SYS_fremovexattr,
            vec![n(fd), s("trusted.f")],
            &["trusted.f"],
        ),
    ]);

    rig.read();
    for case in cases {
        let label = format!("{} {:?}", case.name, case.args);
        let result = actor.call(case.number, &case.args);
        let records = rig.read_of(actor.pid());
        assert_eq!(result, i64::from(case.result), "{label}");
        assert_eq!(records.len(), 1, "{label}: {records:#?}");
        let call = super::rig::call(records.into_iter().next().unwrap()).unwrap();
        assert_eq!(
            (call.event_type.name(), call.result),
            (case.name, result),
            "{label}"
        );
        let paths: Vec<String> = call
            .paths
            .iter()
            .map(|path| path.absolute().to_string())
            .collect();
        let expected: Vec<String> = case
            .paths
            .iter()
            .map(|path| format!("{root}/{path}"))
            .collect();
        assert_eq!(paths, expected, "{label}");
        assert!(call.paths.iter().all(|path| !path.truncated), "{label}");
        assert_eq!(call.texts, case.texts, "{label}");
        let file = call.file.map(|file| file.path.to_string());
        assert_eq!(
            file,
            case.file.map(|file| format!("{root}/{file}")),
            "{label}"
        );
        for (index, arg) in case.args.iter().enumerate() {
            if let Arg::Int(number) = arg {
                assert_eq!(
                    call.args[index],
                    number.cast_unsigned(),
                    "{label}: argument {index}"
                );
            }
        }
    }
}

/// Of such a string kernels without "maccess: fix `strncpy_from_user_nofault()` empty string handling" (6.1 is one)
/// count no byte as read, not even its end.
#[test]
fn an_empty_path_is_a_path_that_could_be_read() {
    use vigia_sensor::{Cause, Class};
    let Some(mut rig) = Rig::arm() else { return };
    let file = rig.path("file");
    fs::write(&file, "x").unwrap();
    let mut actor = rig.actor();
    let fd = actor.call(
        libc::SYS_openat,
        args![AT_FDCWD, file.as_str(), libc::O_RDONLY, 0],
    );
    assert!(fd >= 0);
    let before = rig.counters().of(Class::Change, Cause::Faulted);
    assert_eq!(
        actor.call(libc::SYS_fchownat, args![fd, "", 0, 0, libc::AT_EMPTY_PATH]),
        0
    );
    let call = rig.only_call(actor.pid(), "fchownat");
    let path = &call.paths[0];
    assert_eq!(
        (path.given.to_string(), path.truncated),
        (String::new(), false)
    );
    assert_eq!(path.absolute(), file.as_str());
    assert_eq!(rig.counters().of(Class::Change, Cause::Faulted), before);
}

#[test]
fn a_write_to_a_read_only_mount_tells_the_refusal_and_the_mount() {
    let Some(mut rig) = Rig::arm() else { return };
    let point = rig.path("mount");
    fs::create_dir(&point).unwrap();
    let mut actor = rig.actor();
    assert_eq!(actor.call(libc::SYS_unshare, args![libc::CLONE_NEWNS]), 0);
    let private = i64::try_from(libc::MS_REC | libc::MS_PRIVATE).unwrap();
    assert_eq!(
        actor.call(libc::SYS_mount, args!["none", "/", "none", private, 0]),
        0
    );
    rig.read();
    let read_only = i64::try_from(libc::MS_RDONLY).unwrap();
    assert_eq!(
        actor.call(
            libc::SYS_mount,
            args!["own", point.as_str(), "tmpfs", read_only, 0]
        ),
        0
    );
    let call = rig.only_call(actor.pid(), "mount");
    assert_eq!((call.result, call.args[3]), (0, libc::MS_RDONLY));
    assert_eq!(call.texts, ["tmpfs", "own"]);

    let new = format!("{point}/new");
    let refused = i64::from(-libc::EROFS);
    assert_eq!(
        actor.call(
            libc::SYS_openat,
            args![
                AT_FDCWD,
                new.as_str(),
                libc::O_CREAT | libc::O_WRONLY,
                0o600
            ]
        ),
        refused
    );
    let call = rig.only_call(actor.pid(), "openat");
    assert_eq!(
        (call.result, call.paths[0].given.to_string(), call.file),
        (refused, new, None)
    );

    assert!(
        actor.call(
            libc::SYS_openat,
            args![AT_FDCWD, point.as_str(), libc::O_RDONLY, 0]
        ) >= 0
    );
    let file = rig.only_call(actor.pid(), "openat").file.unwrap();
    assert!(file.fs_read_only || file.mount_read_only, "{file:?}");
    assert_eq!((file.path, file.fs_magic), (point.into(), 0x0102_1994));
}

#[test]
fn a_call_through_the_32_bit_entry_is_told_apart() {
    let Some(mut rig) = Rig::arm() else { return };
    const GETPID: i64 = 20;
    let mut actor = rig.actor();
    let answer = actor.call_32(GETPID, [0; 2]);
    if answer == i64::from(-libc::ENOSYS) {
        println!("skipped: this kernel has no 32-bit entry");
        return;
    }
    assert_eq!(answer, i64::from(actor.pid()));
    let numbers: Vec<i32> = rig
        .read_of(actor.pid())
        .into_iter()
        .filter_map(|captured| match captured.what {
            vigia_event::captured::What::CompatCall { number } => Some(number),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [20]);
}

#[test]
fn the_upper_half_of_the_number_hides_no_call() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    let path = rig.path("made");
    // Negative as a whole, and merely large.
    for upper in [i64::MIN, -1 << 32, 1 << 32] {
        let made = actor.call(upper | libc::SYS_mkdir, args![path.as_str(), 0o755]);
        // Before Linux 5.13 such a number is no call at all.
        if made != i64::from(-libc::ENOSYS) {
            assert_eq!(made, 0);
            let call = rig.only_call(actor.pid(), "mkdir");
            assert_eq!(call.paths[0].given, path.as_str());
            fs::remove_dir(&path).unwrap();
        }
    }
}

#[test]
fn what_nobody_asked_for_is_not_reported_and_is_counted() {
    use vigia_event::EventType;
    use vigia_sensor::{Cause, Class, Interest, Outcomes};
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    let existing = rig.path("existing");
    fs::write(&existing, "").unwrap();
    let outcomes: [(&str, Outcomes, [bool; 3]); 4] = [
        (
            "read",
            Outcomes {
                read: true,
                ..Outcomes::NONE
            },
            [true, false, false],
        ),
        (
            "success",
            Outcomes {
                success: true,
                ..Outcomes::NONE
            },
            [false, true, false],
        ),
        (
            "failed",
            Outcomes {
                failed: true,
                ..Outcomes::NONE
            },
            [false, false, true],
        ),
        ("none", Outcomes::NONE, [false, false, false]),
    ];
    for (name, outcomes, expected) in outcomes {
        let mut interest = Interest::nothing();
        interest.add(EventType::from_name("openat").unwrap(), outcomes);
        rig.sensor.set_interest(&interest).unwrap();
        let before = rig.counters().of(Class::Open, Cause::NoInterest);
        let acts = [
            (existing.clone(), libc::O_RDONLY),
            (existing.clone(), libc::O_WRONLY),
            (rig.path("missing"), libc::O_RDONLY),
        ];
        for ((path, flags), expected) in acts.into_iter().zip(expected) {
            actor.call(libc::SYS_openat, args![AT_FDCWD, path, flags, 0]);
            assert_eq!(
                rig.calls(actor.pid(), "openat").len(),
                usize::from(expected),
                "{name} {flags}"
            );
        }
        let filtered = expected.iter().filter(|&&expected| !expected).count();
        let after = rig.counters().of(Class::Open, Cause::NoInterest);
        assert!(after - before >= u64::try_from(filtered).unwrap(), "{name}");
    }
}

#[test]
fn the_old_mark_in_the_flags_of_mount_is_none() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    let missing = rig.path("missing");
    for (flags, seen) in [
        (0xC0ED_0000_u64 | libc::MS_NOSUID, libc::MS_NOSUID),
        (
            libc::MS_PRIVATE | libc::MS_REC,
            libc::MS_PRIVATE | libc::MS_REC,
        ),
    ] {
        let result = actor.call(
            libc::SYS_mount,
            args!["none", missing.as_str(), "tmpfs", flags.cast_signed(), 0],
        );
        assert_eq!(result, i64::from(-libc::ENOENT));
        assert_eq!(rig.only_call(actor.pid(), "mount").args[3], seen);
    }
}
