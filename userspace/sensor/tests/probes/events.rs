//! Calls that name no path, by table: one row per call.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use vigia_event::descriptor::{Descriptor, ObjectKind};

use super::actor::{Arg, args};
use super::rig::Rig;

/// A call, what it must return, and what must be reported of it.
struct Case<'a> {
    name: &'static str,
    number: i64,
    args: Vec<Arg>,
    /// What it may return: kernels differ in what they refuse first, and some lack a call.
    results: &'static [i32],
    texts: &'static [&'static str],
    /// What its descriptor must lead to; where that has no kind of its own, its name.
    object: Option<(ObjectKind, Option<String>)>,
    /// The path of the file that its descriptor must lead to.
    file: Option<&'a str>,
}

const NO_CALL: i32 = -libc::ENOSYS;
/// Any number that is no failure: the kernel chooses a descriptor, or an id.
const CHOSEN: i32 = i32::MAX;
/// What makes an object, where neither the kernel nor the container that the test runs in refuses it.
const MADE: &[i32] = &[CHOSEN, -libc::EPERM, NO_CALL];

#[test]
fn every_call_without_a_path_is_reported_with_what_it_was_given() {
    let Some(mut rig) = Rig::arm() else { return };
    let n = |number: i64| Arg::Int(number);
    let s = |text: &str| Arg::Str(text.to_owned());
    const SEIZE: i64 = libc::PTRACE_SEIZE as i64;
    let other = rig.actor();
    let mut actor = rig.actor();
    let pid = i64::from(actor.pid());
    let file = rig.path("file");
    fs::write(&file, "no module").unwrap();
    let fd = actor.call(
        libc::SYS_openat,
        args![libc::AT_FDCWD, file.as_str(), libc::O_RDONLY, 0],
    );
    assert!(fd >= 0);
    let case = |name, number, args, results| Case {
        name,
        number,
        args,
        results,
        texts: &[],
        object: None,
        file: None,
    };
    let making = |name, number, args, results, object| Case {
        object: Some((object, None)),
        ..case(name, number, args, results)
    };
    let on_unknown = |name, number, args, results, object: &str| Case {
        object: Some((ObjectKind::Unsupported, Some(object.to_owned()))),
        ..case(name, number, args, results)
    };
    let naming = |name, number, args, results, texts| Case {
        texts,
        ..case(name, number, args, results)
    };
    let on_file = |name, number, args, results| Case {
        file: Some(&file),
        ..case(name, number, args, results)
    };
    let pid_fd = actor.call(libc::SYS_pidfd_open, args![pid, 0]);
    let uts = actor.call(
        libc::SYS_openat,
        args![
            libc::AT_FDCWD,
            "/proc/thread-self/ns/uts",
            libc::O_RDONLY,
            0
        ],
    );
    assert!(pid_fd >= 0 && uts >= 0);
    let uts_ns = fs::metadata(format!("{}/ns/uts", actor.proc())).unwrap();
    let cores = rustix::process::getrlimit(rustix::process::Resource::Core);
    let cores = [cores.current, cores.maximum].map(|limit| limit.unwrap_or(u64::MAX));
    // `siginfo_t`: number, error, code. The thread that calls is not the one that the process id names, and to others
    // only codes below zero may be sent.
    let mut queued = vec![0; 128];
    queued[8..12].copy_from_slice(&libc::SI_QUEUE.to_le_bytes());
    // `struct perf_event_attr`, first version: a clock of software, with a size of 64 bytes, disabled.
    let disabled_clock = vec![64 << 32 | 1, 0, 0, 0, 0, 1, 0, 0];
    // `union bpf_attr`: an array with keys and values of four bytes, and one entry.
    let array = [2u32, 4, 4, 1, 0, 0, 0, 0].map(u32::to_le_bytes);
    let of_version_3 = [0x2008_0522u32.to_le_bytes(), [0; 4]].concat();
    let held = capabilities(actor.pid());
    let keyring = i64::from(libc::KEY_SPEC_PROCESS_KEYRING);
    let cases = vec![
        case("kill", libc::SYS_kill, vec![n(pid), n(0)], &[0]),
        case("tkill", libc::SYS_tkill, vec![n(pid), n(0)], &[0]),
        case("tgkill", libc::SYS_tgkill, vec![n(pid), n(pid), n(0)], &[0]),
        case(
            "rt_sigqueueinfo",
            libc::SYS_rt_sigqueueinfo,
            vec![n(pid), n(0), n(0)],
            &[-libc::EFAULT],
        ),
        case(
            "rt_sigqueueinfo",
            libc::SYS_rt_sigqueueinfo,
            vec![n(pid), n(0), Arg::Bytes(queued)],
            &[0],
        ),
        case(
            "pidfd_send_signal",
            libc::SYS_pidfd_send_signal,
            vec![n(fd), n(0), n(0), n(0)],
            &[-libc::EBADF],
        ),
        making(
            "pidfd_send_signal",
            libc::SYS_pidfd_send_signal,
            vec![n(pid_fd), n(0), n(0), n(0)],
            &[0],
            ObjectKind::PidFd,
        ),
        making(
            "pidfd_open",
            libc::SYS_pidfd_open,
            vec![n(pid), n(0)],
            MADE,
            ObjectKind::PidFd,
        ),
        on_file(
            "pidfd_getfd",
            libc::SYS_pidfd_getfd,
            vec![n(pid_fd), n(fd), n(0)],
            MADE,
        ),
        on_unknown(
            "setns",
            libc::SYS_setns,
            vec![n(uts), n(i64::from(libc::CLONE_NEWUTS))],
            &[0],
            &format!("uts:[{}]", uts_ns.ino()),
        ),
        case(
            "unshare",
            libc::SYS_unshare,
            vec![n(i64::from(libc::CLONE_NEWUTS))],
            &[0],
        ),
        case(
            "ptrace",
            libc::SYS_ptrace,
            vec![n(SEIZE), n(other.pid().into()), n(0), n(0)],
            &[0],
        ),
        case(
            "process_vm_readv",
            libc::SYS_process_vm_readv,
            vec![n(pid), n(0), n(0), n(0), n(0), n(0)],
            &[0],
        ),
        case(
            "process_vm_writev",
            libc::SYS_process_vm_writev,
            vec![n(pid), n(0), n(0), n(0), n(0), n(0)],
            &[0],
        ),
        case("setuid", libc::SYS_setuid, vec![n(0)], &[0]),
        case("setgid", libc::SYS_setgid, vec![n(0)], &[0]),
        case("setreuid", libc::SYS_setreuid, vec![n(-1), n(0)], &[0]),
        case("setregid", libc::SYS_setregid, vec![n(-1), n(0)], &[0]),
        case(
            "setresuid",
            libc::SYS_setresuid,
            vec![n(-1), n(0), n(-1)],
            &[0],
        ),
        case(
            "setresgid",
            libc::SYS_setresgid,
            vec![n(-1), n(0), n(-1)],
            &[0],
        ),
        case("setfsuid", libc::SYS_setfsuid, vec![n(0)], &[0]),
        case("setfsgid", libc::SYS_setfsgid, vec![n(0)], &[0]),
        case("setgroups", libc::SYS_setgroups, vec![n(0), n(0)], &[0]),
        case("setpgid", libc::SYS_setpgid, vec![n(0), n(0)], &[0]),
        case("setsid", libc::SYS_setsid, vec![], &[-libc::EPERM]),
        case(
            "capset",
            libc::SYS_capset,
            vec![n(0), n(0)],
            &[-libc::EFAULT, -libc::EINVAL],
        ),
        case(
            "capset",
            libc::SYS_capset,
            vec![Arg::Bytes(of_version_3), Arg::Bytes(held)],
            &[0],
        ),
        naming(
            "prctl",
            libc::SYS_prctl,
            vec![
                n(i64::from(libc::PR_SET_CHILD_SUBREAPER)),
                n(0),
                n(0),
                n(0),
                n(0),
            ],
            &[0],
            &[],
        ),
        case(
            "setrlimit",
            libc::SYS_setrlimit,
            vec![n(i64::from(libc::RLIMIT_CORE)), n(0)],
            &[-libc::EFAULT],
        ),
        case(
            "setrlimit",
            libc::SYS_setrlimit,
            vec![n(i64::from(libc::RLIMIT_CORE)), Arg::Words(cores.to_vec())],
            &[0],
        ),
        case(
            "prlimit",
            libc::SYS_prlimit64,
            vec![n(0), n(0), n(0), n(0)],
            &[0],
        ),
        case(
            "seccomp",
            libc::SYS_seccomp,
            vec![n(99), n(0), n(0)],
            &[-libc::EINVAL],
        ),
        case(
            "seccomp",
            libc::SYS_seccomp,
            vec![
                n(i64::from(libc::SECCOMP_GET_ACTION_AVAIL)),
                n(0),
                Arg::Bytes(libc::SECCOMP_RET_ALLOW.to_le_bytes().to_vec()),
            ],
            &[0],
        ),
        naming(
            "add_key",
            libc::SYS_add_key,
            vec![s("user"), s("vigia-test"), s("payload"), n(7), n(keyring)],
            MADE,
            &["user", "vigia-test"],
        ),
        naming(
            "request_key",
            libc::SYS_request_key,
            vec![s("user"), s("vigia-test"), n(0), n(0)],
            MADE,
            &["user", "vigia-test"],
        ),
        case(
            "keyctl",
            libc::SYS_keyctl,
            vec![
                n(i64::from(libc::KEYCTL_GET_KEYRING_ID)),
                n(keyring),
                n(0),
                n(0),
                n(0),
            ],
            MADE,
        ),
        naming(
            "add_key",
            libc::SYS_add_key,
            vec![s("vigia-none"), s("test"), n(0), n(0), n(keyring)],
            &[-libc::ENODEV, -libc::EPERM, NO_CALL],
            &["vigia-none", "test"],
        ),
        naming(
            "request_key",
            libc::SYS_request_key,
            vec![s("vigia-none"), s("test"), n(0), n(keyring)],
            &[-libc::ENOKEY, -libc::EPERM, NO_CALL],
            &["vigia-none", "test"],
        ),
        case(
            "keyctl",
            libc::SYS_keyctl,
            vec![n(999), n(0), n(0), n(0), n(0)],
            &[-libc::EOPNOTSUPP, -libc::EPERM, NO_CALL],
        ),
        case(
            "reboot",
            libc::SYS_reboot,
            vec![n(0), n(0), n(0), n(0)],
            &[-libc::EINVAL, -libc::EPERM],
        ),
        case(
            "iopl",
            libc::SYS_iopl,
            vec![n(9)],
            &[-libc::EINVAL, NO_CALL],
        ),
        // What they ask for is what the process has already: nothing.
        case("iopl", libc::SYS_iopl, vec![n(0)], &[0, NO_CALL]),
        case(
            "ioperm",
            libc::SYS_ioperm,
            vec![n(0), n(1), n(0)],
            &[0, NO_CALL],
        ),
        case(
            "ioperm",
            libc::SYS_ioperm,
            vec![n(-1), n(1), n(0)],
            &[-libc::EINVAL, NO_CALL],
        ),
        naming(
            "init_module",
            libc::SYS_init_module,
            vec![Arg::Bytes(b"no module".to_vec()), n(9), s("debug=1")],
            &[-libc::ENOEXEC, -libc::EPERM, NO_CALL],
            &["debug=1"],
        ),
        naming(
            "delete_module",
            libc::SYS_delete_module,
            vec![s("vigia_none"), n(0)],
            &[-libc::ENOENT, -libc::EPERM, NO_CALL],
            &["vigia_none"],
        ),
        naming(
            "finit_module",
            libc::SYS_finit_module,
            vec![n(fd), s("debug=2"), n(0)],
            &[-libc::ENOEXEC, -libc::EPERM, NO_CALL],
            &["debug=2"],
        ),
        case(
            "kexec_load",
            libc::SYS_kexec_load,
            vec![n(0), n(99), n(0), n(1 << 32)],
            &[-libc::EINVAL, -libc::EPERM, NO_CALL],
        ),
        case(
            "kexec_file_load",
            libc::SYS_kexec_file_load,
            vec![n(fd), n(-1), n(0), n(0), n(0xff_0000)],
            &[-libc::EINVAL, -libc::EPERM, NO_CALL],
        ),
        case(
            "perf_event_open",
            libc::SYS_perf_event_open,
            vec![n(0), n(0), n(-1), n(-1), n(0)],
            &[-libc::EFAULT, -libc::EACCES, NO_CALL],
        ),
        on_unknown(
            "perf_event_open",
            libc::SYS_perf_event_open,
            vec![Arg::Words(disabled_clock), n(0), n(-1), n(-1), n(0)],
            &[CHOSEN, -libc::EACCES, -libc::EPERM, NO_CALL],
            "[perf_event]",
        ),
        on_unknown(
            "fanotify_init",
            libc::SYS_fanotify_init,
            vec![n(0), n(0)],
            MADE,
            "[fanotify]",
        ),
        case(
            "fanotify_init",
            libc::SYS_fanotify_init,
            vec![n(-1), n(0)],
            &[-libc::EINVAL, -libc::EPERM, NO_CALL],
        ),
        case(
            "bpf",
            libc::SYS_bpf,
            vec![n(9999), n(0), n(0)],
            &[-libc::EINVAL, -libc::EPERM, -libc::EFAULT, NO_CALL],
        ),
        making(
            "bpf",
            libc::SYS_bpf,
            vec![n(0), Arg::Bytes(array.concat()), n(32)],
            MADE,
            ObjectKind::Bpf,
        ),
        case(
            "swapon",
            libc::SYS_swapon,
            vec![s("/vigia-none"), n(0)],
            &[-libc::ENOENT, -libc::EPERM, NO_CALL],
        ),
        case(
            "swapoff",
            libc::SYS_swapoff,
            vec![s("/vigia-none")],
            &[-libc::ENOENT, -libc::EPERM, NO_CALL],
        ),
        making(
            "userfaultfd",
            libc::SYS_userfaultfd,
            vec![n(i64::from(libc::O_CLOEXEC))],
            MADE,
            ObjectKind::UserFaultFd,
        ),
        making(
            "io_uring_setup",
            libc::SYS_io_uring_setup,
            vec![n(1), Arg::Bytes(vec![0; 120])],
            MADE,
            ObjectKind::IoUring,
        ),
        Case {
            texts: &["hidden"],
            ..making(
                "memfd_create",
                libc::SYS_memfd_create,
                vec![s("hidden"), n(0)],
                MADE,
                ObjectKind::Memfd,
            )
        },
        case(
            "memfd_secret",
            libc::SYS_memfd_secret,
            vec![n(-1)],
            &[-libc::EINVAL, NO_CALL],
        ),
        // Before Linux 6.5 only where the kernel's command line asks for it.
        Case {
            file: Some("secretmem"),
            ..case("memfd_secret", libc::SYS_memfd_secret, vec![n(0)], MADE)
        },
        on_file("dup", libc::SYS_dup, vec![n(fd)], MADE),
        on_file("dup2", libc::SYS_dup2, vec![n(fd), n(77)], &[77]),
        on_file("dup3", libc::SYS_dup3, vec![n(fd), n(78), n(0)], &[78]),
        case("dup", libc::SYS_dup, vec![n(9999)], &[-libc::EBADF]),
        case(
            "socketpair",
            libc::SYS_socketpair,
            vec![n(1), n(1), n(0), n(0)],
            &[-libc::EFAULT],
        ),
        case(
            "socketpair",
            libc::SYS_socketpair,
            vec![n(1), n(1), n(0), Arg::Bytes(vec![0; 8])],
            &[0],
        ),
        naming(
            "fsconfig",
            libc::SYS_fsconfig,
            vec![n(fd), n(1), s("source"), s("none"), n(0)],
            &[-libc::EINVAL],
            &["source", "none"],
        ),
        case(
            "fsmount",
            libc::SYS_fsmount,
            vec![n(fd), n(0), n(0)],
            &[-libc::EINVAL],
        ),
    ];
    rig.read();
    for case in cases {
        let label = format!("{} {:?}", case.name, case.args);
        let result = actor.call(case.number, &case.args);
        let records = rig.read_of(actor.pid());
        let is_chosen = case.results.contains(&CHOSEN) && result >= 0;
        let is_expected = case
            .results
            .iter()
            .any(|&expected| result == i64::from(expected));
        assert!(is_chosen || is_expected, "{label}: {result}");
        if case.results.contains(&CHOSEN) && result < 0 {
            println!("refused: {label} ({result})");
        }
        assert_eq!(records.len(), 1, "{label}: {records:#?}");
        let captured = &records[0];
        assert_eq!(captured.task.pid, actor.pid(), "{label}");
        let call = super::rig::call(captured.clone()).unwrap();
        assert_eq!(
            (call.event_type.name(), call.result),
            (case.name, result),
            "{label}"
        );
        assert_eq!(call.texts, case.texts, "{label}");
        assert!(!call.texts_truncated, "{label}");
        for (index, arg) in case.args.iter().enumerate() {
            if let Arg::Int(number) = arg {
                assert_eq!(
                    call.args[index],
                    number.cast_unsigned(),
                    "{label}: argument {index}"
                );
            }
        }
        if result < 0 {
            continue;
        }
        if let Some((expected, expected_name)) = case.object {
            let Some(Descriptor::Object { kind, name }) = call.descriptor else {
                panic!("{label}: {call:#?}")
            };
            assert_eq!(kind, expected, "{label}");
            if let Some(expected) = expected_name {
                assert_eq!(name, expected, "{label}");
            }
        }
        if let Some(expected) = case.file {
            assert_eq!(call.file.unwrap().path, expected, "{label}");
        }
    }
}

/// What `capget` would say: both halves of the effective, the permitted and the inheritable ones in turn.
fn capabilities(pid: u32) -> Vec<u8> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
    };
    let sets = [of("CapEff:"), of("CapPrm:"), of("CapInh:")];
    let halves = |range: std::ops::Range<usize>| {
        sets.iter()
            .flat_map(move |set| set.to_le_bytes()[range.clone()].to_vec())
            .collect::<Vec<_>>()
    };
    [halves(0..4), halves(4..8)].concat()
}

#[test]
fn a_session_of_its_own_is_told() {
    let Some(mut rig) = Rig::arm() else { return };
    // Whoever was started leads no group, and may.
    let mut actor = rig.actor();
    let pid = i64::from(actor.pid());
    assert_eq!(actor.call(libc::SYS_setsid, args![]), pid);
    let records = rig.read_of(actor.pid());
    assert_eq!(records.len(), 1, "{records:#?}");
    let task = &records[0].task;
    assert_eq!((task.sid, task.pgid), (actor.pid(), actor.pid()));
    let call = super::rig::call(records[0].clone()).unwrap();
    assert_eq!((call.event_type.name(), call.result), ("setsid", pid));
}

#[test]
fn an_open_by_a_handle_tells_the_file() {
    let Some(mut rig) = Rig::arm() else { return };
    let path = rig.path("file");
    fs::write(&path, "x").unwrap();
    let mut actor = rig.actor();
    // Something on the same mount, where the handle holds.
    let folder = actor.call(
        libc::SYS_openat,
        args![
            libc::AT_FDCWD,
            rig.folder.path().to_str().unwrap(),
            libc::O_RDONLY,
            0
        ],
    );
    rig.read();
    let handle = Arg::Handle(path.clone());
    let opened = actor.call(
        libc::SYS_open_by_handle_at,
        &[Arg::from(folder), handle, Arg::from(libc::O_RDONLY)],
    );
    let records = rig.read_of(actor.pid());
    assert_eq!(records.len(), 1, "{records:#?}");
    let call = super::rig::call(records[0].clone()).unwrap();
    assert_eq!(
        (call.event_type.name(), call.result),
        ("open_by_handle_at", opened)
    );
    // A file system without handles, and a container without the right to open by them.
    if [-libc::EINVAL, -libc::EPERM, -libc::ESTALE]
        .iter()
        .any(|&refusal| opened == i64::from(refusal))
    {
        println!("skipped: no file is opened by its handle here ({opened})");
        return;
    }
    assert!(opened >= 0, "{opened}");
    assert_eq!(call.file.unwrap().path, path);
}

#[test]
fn rarer_calls_with_paths_are_reported_with_them() {
    const FD: i64 = -1;
    let Some(mut rig) = Rig::arm() else { return };
    let n = |number: i64| Arg::Int(number);
    let s = |text: &str| Arg::Str(text.to_owned());
    let (file, missing) = (rig.path("file"), rig.path("missing"));
    fs::write(&file, "x").unwrap();
    let cwd = || n(libc::AT_FDCWD.into());
    let none = -libc::ENOENT;
    let bad = -libc::EBADF;
    /// Name, number, arguments, results, paths, texts.
    type Row<'a> = (&'a str, i64, Vec<Arg>, Vec<i32>, Vec<&'a str>, Vec<&'a str>);
    let cases: Vec<Row<'_>> = vec![
        (
            "utime",
            libc::SYS_utime,
            vec![s(&file), n(0)],
            vec![0],
            vec![&file],
            vec![],
        ),
        (
            "utimes",
            libc::SYS_utimes,
            vec![s(&missing), n(0)],
            vec![none],
            vec![&missing],
            vec![],
        ),
        (
            "utimes",
            libc::SYS_utimes,
            vec![s(&file), n(0)],
            vec![0],
            vec![&file],
            vec![],
        ),
        (
            "futimesat",
            libc::SYS_futimesat,
            vec![cwd(), s(&file), n(0)],
            vec![0],
            vec![&file],
            vec![],
        ),
        (
            "lremovexattr",
            libc::SYS_lremovexattr,
            vec![s(&missing), s("user.x")],
            vec![none],
            vec![&missing],
            vec!["user.x"],
        ),
        (
            "setxattrat",
            463,
            vec![cwd(), s(&missing), n(0), s("user.x"), n(0), n(0)],
            vec![-libc::EINVAL, none, NO_CALL],
            vec![&missing],
            vec!["user.x"],
        ),
        (
            // `struct xattr_args` of a value of no bytes.
            "setxattrat",
            463,
            vec![
                cwd(),
                s(&file),
                n(0),
                s("trusted.x"),
                Arg::Words(vec![0; 2]),
                n(16),
            ],
            vec![0, NO_CALL],
            vec![&file],
            vec!["trusted.x"],
        ),
        (
            "removexattrat",
            466,
            vec![cwd(), s(&file), n(0), s("trusted.x")],
            vec![0, NO_CALL],
            vec![&file],
            vec!["trusted.x"],
        ),
        (
            "removexattrat",
            466,
            vec![cwd(), s(&missing), n(0), s("user.x")],
            vec![none, NO_CALL],
            vec![&missing],
            vec!["user.x"],
        ),
        (
            "fchmodat2",
            452,
            vec![cwd(), s(&missing), n(0o600), n(0)],
            vec![none, NO_CALL],
            vec![&missing],
            vec![],
        ),
        (
            "fchmodat2",
            452,
            vec![cwd(), s(&file), n(0o600), n(0)],
            vec![0, NO_CALL],
            vec![&file],
            vec![],
        ),
        (
            "open_tree",
            libc::SYS_open_tree,
            vec![cwd(), s(&missing), n(0)],
            vec![none],
            vec![&missing],
            vec![],
        ),
        (
            "move_mount",
            libc::SYS_move_mount,
            vec![cwd(), s(&missing), cwd(), s(&file), n(0)],
            vec![none, -libc::EPERM],
            vec![&missing, &file],
            vec![],
        ),
        (
            "fsopen",
            libc::SYS_fsopen,
            vec![s("vigia-none"), n(0)],
            vec![-libc::ENODEV, -libc::EPERM],
            vec![],
            vec!["vigia-none"],
        ),
        (
            "fspick",
            libc::SYS_fspick,
            vec![cwd(), s(&missing), n(0)],
            vec![none, -libc::EPERM],
            vec![&missing],
            vec![],
        ),
        (
            "mount_setattr",
            libc::SYS_mount_setattr,
            vec![cwd(), s(&missing), n(0), Arg::Bytes(vec![0; 32]), n(32)],
            vec![none, 0, NO_CALL],
            vec![&missing],
            vec![],
        ),
        (
            "process_vm_writev",
            libc::SYS_process_vm_writev,
            vec![n(1), n(0), n(0), n(0), n(0), n(9)],
            vec![-libc::EINVAL],
            vec![],
            vec![],
        ),
        (
            "open_by_handle_at",
            libc::SYS_open_by_handle_at,
            vec![n(FD), Arg::Bytes(vec![0; 16]), n(0)],
            vec![bad, -libc::EINVAL, -libc::EPERM, -libc::ESTALE],
            vec![],
            vec![],
        ),
    ];
    let mut actor = rig.actor();
    rig.read();
    for (name, number, args, results, paths, texts) in cases {
        let result = actor.call(number, &args);
        assert!(
            results
                .iter()
                .any(|&expected| result == i64::from(expected)),
            "{name}: {result}"
        );
        let call = rig.only_call(actor.pid(), name);
        assert_eq!(call.result, result, "{name}");
        let told: Vec<_> = call
            .paths
            .iter()
            .map(|path| path.given.to_string())
            .collect();
        assert_eq!(told, paths, "{name}");
        assert_eq!(call.texts, texts, "{name}");
    }
}

#[test]
fn a_module_comes_with_the_beginning_of_its_bytes() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    let image = vec![0x7f; 200];
    let result = actor.call(libc::SYS_init_module, args![image, 200, ""]);
    assert!(result < 0);
    let call = rig.only_call(actor.pid(), "init_module");
    assert_eq!(call.data.unwrap(), vec![0x7f; 80]);
}

#[test]
fn changed_ids_are_those_of_the_event_itself() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    assert_eq!(actor.call(libc::SYS_setgid, args![1234]), 0);
    assert_eq!(actor.call(libc::SYS_setresuid, args![-1, 4321, -1]), 0);
    let records = rig.read_of(actor.pid());
    let of = |name: &str| {
        let record = records.iter().find(|record| {
            super::rig::call((*record).clone()).is_some_and(|call| call.event_type.name() == name)
        });
        record.unwrap().task.credentials
    };
    assert_eq!((of("setgid").gid, of("setgid").egid), (1234, 1234));
    assert_eq!((of("setresuid").uid, of("setresuid").euid), (0, 4321));
}

#[test]
fn a_new_working_directory_is_told() {
    let Some(mut rig) = Rig::arm() else { return };
    fs::create_dir(rig.path("a")).unwrap();
    let mut actor = rig.actor();
    let folder = rig.folder.path().to_str().unwrap().to_owned();
    assert_eq!(actor.call(libc::SYS_chdir, args![folder.as_str()]), 0);
    assert_eq!(actor.call(libc::SYS_chdir, args!["a/."]), 0);
    let told: Vec<_> = rig
        .calls(actor.pid(), "chdir")
        .into_iter()
        .map(|call| call.cwd.unwrap().to_string())
        .collect();
    assert_eq!(told, [folder.clone(), format!("{folder}/a")]);
    let fd = actor.call(
        libc::SYS_openat,
        args![libc::AT_FDCWD, folder.as_str(), libc::O_DIRECTORY, 0],
    );
    assert_eq!(actor.call(libc::SYS_fchdir, args![fd]), 0);
    let call = rig.only_call(actor.pid(), "fchdir");
    assert_eq!(call.cwd.unwrap(), folder);
    assert_eq!(call.file.unwrap().path, folder);
}

#[test]
fn a_fork_tells_which_call_made_it() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    actor.fork(0);
    let forks: Vec<_> = rig
        .read_of(actor.pid())
        .into_iter()
        .filter_map(|record| match record.what {
            vigia_event::captured::What::Fork(fork) => Some(fork),
            _ => None,
        })
        .collect();
    assert_eq!(forks.len(), 1, "{forks:#?}");
    // The C library decides which one; all of its kind ask for a signal at the end, or to be told of the child.
    let call = forks[0].call.unwrap().name();
    assert!(["clone", "clone3", "fork"].contains(&call), "{call}");
    assert_eq!(forks[0].flags != 0, call != "fork");
}

#[test]
fn every_call_that_makes_a_child_is_told_with_its_flags() {
    const SHARED: i64 = (libc::CLONE_VM | libc::CLONE_VFORK) as i64;
    const SIGNAL: i64 = libc::SIGCHLD as i64;
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    // `struct clone_args`, first version: the flags, three pointers, the signal, the stack and its size, the TLS.
    let how = vec![
        SHARED.cast_unsigned(),
        0,
        0,
        0,
        SIGNAL.cast_unsigned(),
        0,
        0,
        0,
    ];
    for (name, number, args, flags) in [
        ("fork", libc::SYS_fork, vec![], 0),
        ("vfork", libc::SYS_vfork, vec![], 0),
        (
            "clone",
            libc::SYS_clone,
            args![SHARED | SIGNAL, 0, 0, 0, 0].to_vec(),
            SHARED | SIGNAL,
        ),
        (
            "clone3",
            libc::SYS_clone3,
            vec![Arg::Words(how), Arg::Int(64)],
            SHARED,
        ),
    ] {
        rig.read();
        let child = actor.fork_by(number, &args);
        if child == i64::from(NO_CALL) {
            // Docker's filter says so of clone3, lest a library insist on it.
            println!("refused: {name} ({child})");
            continue;
        }
        let forks: Vec<_> = rig
            .read_of(actor.pid())
            .into_iter()
            .filter_map(|record| match record.what {
                vigia_event::captured::What::Fork(fork) => Some(fork),
                _ => None,
            })
            .collect();
        assert_eq!(forks.len(), 1, "{name}: {forks:#?}");
        let fork = &forks[0];
        assert_eq!(i64::from(fork.child.pid), child, "{name}");
        assert_eq!(
            (fork.call.unwrap().name(), fork.flags, fork.is_thread),
            (name, flags.cast_unsigned(), false)
        );
    }
}
