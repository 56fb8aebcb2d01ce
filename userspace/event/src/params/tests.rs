//! Every way in which a parameter becomes text.

use std::sync::Arc;

use super::*;
use crate::captured::GivenPath;
use crate::descriptor::{Descriptor, ObjectKind};
use crate::event::Spelling;
use crate::socket::{Address, Protocol, Role, Socket};
use crate::testing;
use crate::users::{User, Users};

/// The registers of a call, the rest being 0.
fn registers<const N: usize>(given: [u64; N]) -> [u64; 6] {
    let mut args = [0; 6];
    args[..N].copy_from_slice(&given);
    args
}

fn edit(event: &mut Event, change: impl FnOnce(&mut Call)) {
    if let What::Call(call) = &mut event.captured.what {
        change(call);
    }
}

fn given(event: &Event) -> View<'_> {
    View {
        event,
        spelling: Spelling::Given,
    }
}

/// What a parameter prints, and what it is before it is resolved.
fn texts(event: &Event, name: &str) -> (String, String) {
    let text = |extracted: Extracted<'_>| {
        let value = match extracted {
            Extracted::One(value) => value,
            Extracted::Many(values) => values.into_iter().next().expect("a value"),
            other => return format!("{other:?}"),
        };
        let Value::Bytes(text) = value else {
            panic!("{value:?}")
        };
        text.to_str_lossy().into_owned()
    };
    (
        text(forms(given(event), name.as_bytes())),
        text(raw(given(event), name.as_bytes())),
    )
}

const CWD: u64 = (-100_i64).cast_unsigned();
const MINUS_ONE: u64 = u32::MAX as u64;

#[test]
fn numbers_print_as_their_kind_asks() {
    for (call, args, result, name, text, raw) in [
        (
            "openat",
            registers([CWD, 0, 0o101, 0o644]),
            3,
            "dirfd",
            "AT_FDCWD",
            "-100",
        ),
        (
            "mkdir",
            registers([0, u64::MAX]),
            0,
            "mode",
            "FFFFFFFF",
            "FFFFFFFF",
        ),
        (
            "openat",
            registers([CWD, 0, 0o101, 0o644]),
            3,
            "mode",
            "644",
            "644",
        ),
        ("openat", registers([CWD, 0, 0, 0o644]), 3, "mode", "0", "0"),
        (
            "openat",
            registers([CWD, 0, 0o101, 0]),
            3,
            "flags",
            "O_CREAT|O_WRONLY",
            "6",
        ),
        ("openat", registers([0; 6]), -2, "fd", "ENOENT", "-2"),
        ("openat", registers([0; 6]), 3, "fd", "3", "3"),
        (
            "open",
            registers([0, 0o2_000_000]),
            3,
            "flags",
            "O_RDONLY|O_CLOEXEC",
            "4097",
        ),
        (
            "open",
            registers([0, 0o200_000]),
            3,
            "flags",
            "O_DIRECTORY|O_RDONLY",
            "1025",
        ),
        (
            "unlinkat",
            registers([5, 0, 0x200]),
            0,
            "flags",
            "AT_REMOVEDIR",
            "512",
        ),
        ("unlinkat", registers([5, 0, 0]), 0, "flags", "0", "0"),
        ("unlinkat", registers([5, 0, 0]), 0, "res", "0", "0"),
        (
            "unlinkat",
            registers([5, 0, 0]),
            -13,
            "res",
            "EACCES",
            "-13",
        ),
        (
            "unlinkat",
            registers([5, 0, 0]),
            -9999,
            "res",
            "-9999",
            "-9999",
        ),
        (
            "chmod",
            registers([0, 0o4755]),
            0,
            "mode",
            "S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID",
            "4755",
        ),
        ("chmod", registers([0, 0]), 0, "mode", "0", "0"),
        ("mkdir", registers([0, 0o755]), 0, "mode", "1ED", "1ED"),
        ("setuid", registers([0]), 0, "uid", "root", "0"),
        ("setuid", registers([1000]), 0, "uid", "alice", "1000"),
        ("setuid", registers([4242]), 0, "uid", "<NA>", "4242"),
        ("setuid", registers([MINUS_ONE]), 0, "uid", "<NONE>", "-1"),
        ("setgid", registers([50]), 0, "gid", "staff", "50"),
        (
            "ptrace",
            registers([16, 77]),
            0,
            "request",
            "PTRACE_ATTACH",
            "16",
        ),
        ("ptrace", registers([16, 77]), 0, "pid", "77", "77"),
        ("ptrace", registers([16, 4711]), 0, "pid", "nginx", "4711"),
        ("bpf", registers([5]), 3, "cmd", "BPF_PROG_LOAD", "5"),
        (
            "socket",
            registers([1, 0o2_000_001]),
            3,
            "domain",
            "AF_LOCAL|AF_UNIX",
            "1",
        ),
        ("socket", registers([17, 3]), 3, "domain", "AF_PACKET", "17"),
        ("socket", registers([1, 0o2_000_001]), 3, "type", "1", "1"),
        (
            "socket",
            registers([1, 0o2_000_001]),
            3,
            "flags",
            "O_CLOEXEC",
            "524288",
        ),
        (
            "unshare",
            registers([0x1002_0000]),
            0,
            "flags",
            "CLONE_NEWNS|CLONE_NEWUSER",
            "268566528",
        ),
        ("setns", registers([3, 0]), 0, "nstype", "0", "0"),
        (
            "finit_module",
            registers([3, 0, 4]),
            0,
            "flags",
            "MODULE_INIT_COMPRESSED_FILE",
            "4",
        ),
        ("kill", registers([77, 9]), 0, "sig", "SIGKILL", "9"),
        ("dup3", registers([3, 4, 0]), 4, "flags", "O_NONE", "0"),
        (
            "renameat2",
            registers([CWD, 0, CWD, 0, 1]),
            0,
            "flags",
            "RENAME_NOREPLACE",
            "1",
        ),
        (
            "mknod",
            registers([0, 0o644, 0x801]),
            0,
            "dev",
            "801",
            "801",
        ),
    ] {
        let mut event = testing::call(call, args, result);
        event.users = Arc::new(Users {
            users: vec![User {
                uid: 1000,
                name: "alice".into(),
                ..User::default()
            }],
            groups: vec![(50, "staff".into())],
            ..Users::default()
        });
        let mut process = crate::Process::default();
        process.task.pid = 4711;
        process.task.comm = "nginx".into();
        event.process = Arc::new(process);
        let expected = (text.to_owned(), raw.to_owned());
        assert_eq!(texts(&event, name), expected, "{call} {name} {args:?}");
    }
}

#[test]
fn a_number_and_its_name_are_both_the_parameter() {
    let event = testing::call("bpf", registers([5]), 3);
    let forms = forms(given(&event), b"cmd");
    let expected = [Value::text("BPF_PROG_LOAD"), Value::text("5")];
    assert_eq!(forms, Extracted::Many(expected.into_iter().collect()));
}

#[test]
fn relative_paths_are_resolved_and_absolute_ones_stay_as_passed() {
    for (given, base, text) in [
        ("/etc//passwd", None, "/etc//passwd"),
        ("passwd", Some("/etc"), "/etc/passwd"),
        ("../x", Some("/etc"), "/x"),
        ("passwd", None, "<UNKNOWN>/passwd"),
        ("", None, "<NA>"),
    ] {
        let mut event = testing::call("unlinkat", registers([5]), 0);
        edit(&mut event, |call| {
            call.paths = vec![GivenPath {
                changed: None,
                given: given.into(),
                base: base.map(Into::into),
                truncated: false,
            }];
        });
        event.prepare();
        let raw = if given.is_empty() { "Missing" } else { given };
        assert_eq!(texts(&event, "name"), (text.to_owned(), raw.to_owned()));
        let folder = base.map_or_else(|| "5".to_owned(), |base| format!("<d>{base}"));
        assert_eq!(texts(&event, "dirfd").0, folder);
    }
}

#[test]
fn a_descriptor_prints_what_it_leads_to() {
    let at = |text: &str| Some(text.parse().expect("an address"));
    let (local, remote) = (at("10.0.0.1:4000"), at("10.0.0.2:443"));
    let socket = |protocol| Socket::inet(protocol, Role::Client, local, remote);
    for (descriptor, text) in [
        (
            Descriptor::from(socket(Protocol::Tcp)),
            "<4t>10.0.0.1:4000->10.0.0.2:443",
        ),
        (
            Descriptor::from(socket(Protocol::Udp)),
            "<4u>10.0.0.1:4000->10.0.0.2:443",
        ),
        (
            Descriptor::from(socket(Protocol::Icmp)),
            "<4i>10.0.0.1->10.0.0.2",
        ),
        (
            Descriptor::from(socket(Protocol::Unknown)),
            "<4>10.0.0.1:4000->10.0.0.2:443",
        ),
        (
            Descriptor::Object {
                kind: ObjectKind::Memfd,
                name: "memfd:x".into(),
            },
            "<m>memfd:x",
        ),
    ] {
        let mut event = testing::call("connect", registers([7]), 0);
        edit(&mut event, |call| call.descriptor = Some(descriptor));
        assert_eq!(texts(&event, "fd"), (text.to_owned(), "7".to_owned()));
    }
}

#[test]
fn what_is_empty_prints_as_its_kind_does() {
    let mut event = testing::call("recvfrom", registers([7]), 0);
    for (name, text) in [("data", "NULL"), ("tuple", "NULL")] {
        assert_eq!(texts(&event, name), (text.to_owned(), "Missing".to_owned()));
    }
    edit(&mut event, |call| call.data = Some("GET /\r\n\0".into()));
    assert_eq!(texts(&event, "data").0, "GET /...");
    let mut event = testing::call("connect", registers([7]), 0);
    assert_eq!(texts(&event, "addr").0, "<NA>");
    edit(&mut event, |call| {
        call.address = Some(Address::Inet("1.2.3.4:80".parse().expect("an address")));
    });
    assert_eq!(texts(&event, "addr").0, "1.2.3.4:80");
    assert_eq!(texts(&event, "nothing").0, "Missing");
    assert_eq!(forms_at(given(&event), 99), Extracted::Missing);
}

#[test]
fn all_parameters_stand_in_the_order_of_the_table() {
    let mut event = testing::call("openat", registers([CWD, 0, 0o2_000_000]), -2);
    edit(&mut event, |call| {
        call.paths = vec![GivenPath {
            changed: None,
            given: "x".into(),
            base: Some("/srv".into()),
            truncated: false,
        }];
    });
    event.prepare();
    assert_eq!(
        all(given(&event)).to_str_lossy(),
        "fd=-2(ENOENT) dirfd=-100(AT_FDCWD) name=x(/srv/x) flags=4097(O_RDONLY|O_CLOEXEC) mode=0 dev=0 ino=0"
    );
    assert_eq!(all(given(&testing::call("sync", [0; 6], 0))), b"");
}

#[test]
fn durations_print_in_seconds() {
    for (nanoseconds, text) in [
        (0, "0s"),
        (500_000_000, "0.5s"),
        (2_000_000_000, "2s"),
        (u64::MAX, "none"),
    ] {
        assert_eq!(duration(nanoseconds), text);
    }
}

#[test]
fn both_ends_of_a_copied_descriptor_say_what_it_leads_to() {
    let mut event = testing::call("dup2", registers([3, 7]), 7);
    edit(&mut event, |call| {
        call.file = Some(crate::File {
            path: "/etc/hosts".into(),
            ..crate::File::default()
        });
    });
    event.prepare();
    for (name, raw) in [("oldfd", "3"), ("newfd", "7"), ("res", "7")] {
        let expected = ("<f>/etc/hosts".to_owned(), raw.to_owned());
        assert_eq!(texts(&event, name), expected, "{name}");
    }
}

#[test]
fn what_was_executed_is_made_absolute() {
    for (name, cwd, expected) in [
        ("./evil", "/tmp", "/tmp/evil"),
        ("../bin/x", "/usr/lib", "/usr/bin/x"),
        ("/bin/sh", "/tmp", "/bin/sh"),
        ("x", "", "x"),
    ] {
        let mut event = testing::call("execve", [0; 6], 0);
        let process = crate::Process {
            cwd: cwd.into(),
            ..crate::Process::default()
        };
        event.process = Arc::new(process);
        event.captured.what = What::Exec(Box::new(crate::captured::Exec {
            filename: name.into(),
            ..crate::captured::Exec::default()
        }));
        let expected = (expected.to_owned(), name.to_owned());
        assert_eq!(texts(&event, "filename"), expected);
    }
}

#[test]
fn a_second_pass_is_about_what_paths_were_changed_to() {
    for (old, new) in [
        (None, Some("/etc/new")),
        (Some("/etc/old"), None),
        (None, None),
    ] {
        let mut event = testing::call("rename", [0; 6], 0);
        edit(&mut event, |call| {
            let path = |given: &str, changed: Option<&str>| GivenPath {
                given: given.into(),
                changed: changed.map(Into::into),
                ..GivenPath::default()
            };
            call.paths = vec![path("/old", old), path("/new", new)];
        });
        event.prepare();
        let passes = event.spellings();
        assert_eq!(passes.len(), if (old, new) == (None, None) { 1 } else { 2 });
        let seen: Vec<[String; 2]> = passes
            .iter()
            .map(|&spelling| {
                let view = View {
                    event: &event,
                    spelling,
                };
                ["oldpath", "newpath"].map(|name| match forms(view, name.as_bytes()) {
                    Extracted::One(Value::Bytes(text)) => text.to_str_lossy().into_owned(),
                    other => panic!("{other:?}"),
                })
            })
            .collect();
        assert_eq!(seen[0], ["/old", "/new"]);
        if let Some(second) = seen.get(1) {
            assert_eq!(second[0], old.unwrap_or("/old"));
            assert_eq!(second[1], new.unwrap_or("/new"));
        }
    }
}
