//! Calls that name no path, by table: one row per call.

use std::fs;

use vigia_event::descriptor::{Descriptor, ObjectKind};

use super::actor::{Arg, args};
use super::rig::Rig;

/// A call, what it must return, and what must be reported of it.
struct Case {
    name: &'static str,
    number: i64,
    args: Vec<Arg>,
    /// What it may return: kernels differ in what they refuse first, and some lack a call.
    results: &'static [i32],
    texts: &'static [&'static str],
    /// What its descriptor must lead to.
    object: Option<ObjectKind>,
}

const NO_CALL: i32 = -libc::ENOSYS;

#[test]
fn every_call_without_a_path_is_reported_with_what_it_was_given() {
    let Some(mut rig) = Rig::arm() else { return };
    let n = |number: i64| Arg::Int(number);
    let s = |text: &str| Arg::Str(text.to_owned());
    let mut actor = rig.actor();
    let pid = i64::from(actor.pid());
    fs::write(rig.path("file"), "no module").unwrap();
    let fd = actor.call(
        libc::SYS_openat,
        args![libc::AT_FDCWD, rig.path("file"), libc::O_RDONLY, 0],
    );
    assert!(fd >= 0);
    let case = |name, number, args, results| Case {
        name,
        number,
        args,
        results,
        texts: &[],
        object: None,
    };
    let making = |name, number, args, results, object| Case {
        object: Some(object),
        ..case(name, number, args, results)
    };
    let naming = |name, number, args, results, texts| Case {
        texts,
        ..case(name, number, args, results)
    };
    // Numbers of descriptors that are made are the lowest that are free.
    const ANY_FD: &[i32] = &[];
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
            "pidfd_send_signal",
            libc::SYS_pidfd_send_signal,
            vec![n(fd), n(0), n(0), n(0)],
            &[-libc::EBADF],
        ),
        making(
            "pidfd_open",
            libc::SYS_pidfd_open,
            vec![n(pid), n(0)],
            ANY_FD,
            ObjectKind::PidFd,
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
            vec![n(0), n(0)],
            &[-libc::EFAULT],
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
            ANY_FD,
            ObjectKind::UserFaultFd,
        ),
        making(
            "io_uring_setup",
            libc::SYS_io_uring_setup,
            vec![n(1), Arg::Bytes(vec![0; 120])],
            ANY_FD,
            ObjectKind::IoUring,
        ),
        Case {
            texts: &["hidden"],
            ..making(
                "memfd_create",
                libc::SYS_memfd_create,
                vec![s("hidden"), n(0)],
                ANY_FD,
                ObjectKind::Memfd,
            )
        },
        case(
            "memfd_secret",
            libc::SYS_memfd_secret,
            vec![n(-1)],
            &[-libc::EINVAL, NO_CALL],
        ),
        case("dup", libc::SYS_dup, vec![n(fd)], ANY_FD),
        case("dup2", libc::SYS_dup2, vec![n(fd), n(77)], &[77]),
        case("dup3", libc::SYS_dup3, vec![n(fd), n(78), n(0)], &[78]),
        case("dup", libc::SYS_dup, vec![n(9999)], &[-libc::EBADF]),
        case(
            "socketpair",
            libc::SYS_socketpair,
            vec![n(1), n(1), n(0), n(0)],
            &[-libc::EFAULT],
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
        let is_expected = case
            .results
            .iter()
            .any(|&expected| result == i64::from(expected));
        let is_descriptor = case.results.is_empty() && result >= 0;
        // What this kernel, or the container the test runs in, refuses as a whole.
        let is_refused = case.results.is_empty()
            && [-libc::ENOSYS, -libc::EPERM]
                .iter()
                .any(|&refusal| result == i64::from(refusal));
        assert!(
            is_expected || is_descriptor || is_refused,
            "{label}: {result}"
        );
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
        for (index, arg) in case.args.iter().enumerate() {
            if let Arg::Int(number) = arg {
                assert_eq!(
                    call.args[index],
                    number.cast_unsigned(),
                    "{label}: argument {index}"
                );
            }
        }
        if let (Some(expected), true) = (case.object, result >= 0) {
            let Some(Descriptor::Object { kind, .. }) = call.descriptor else {
                panic!("{label}: {call:#?}")
            };
            assert_eq!(kind, expected, "{label}");
        }
        if case.name.starts_with("dup") && result >= 0 {
            assert_eq!(call.file.unwrap().path, rig.path("file"), "{label}");
        }
    }
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
