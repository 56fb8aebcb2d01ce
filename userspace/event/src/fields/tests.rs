//! What each field answers: present, empty, missing, and not known yet.

use std::collections::HashSet;
use std::sync::Arc;

use super::*;
use crate::call::EVENT_TYPES;
use crate::captured::{Call, GivenPath, What};
use crate::container::{
    Confinement, Container, DeclaredMount, Engine, HostNamespaces, Inspected, Metadata, Promises,
    PublishedPort,
};
use crate::descriptor::{Descriptor, ObjectKind};
use crate::event::{Event, Spelling};
use crate::file::File;
use crate::mount::{Mount, MountKind, MountTable};
use crate::names::DomainNames;
use crate::process::Process;
use crate::socket::{Family, Protocol, Role, Socket, UnixEnds};
use crate::testing;
use crate::value::Value;

/// `-` for missing, `?` for unknown; several values are joined by `|`.
fn value(event: &Event, name: &str) -> String {
    let (name, argument) = match name.split_once('[') {
        None => (name, Argument::None),
        Some((name, argument)) => {
            let argument = argument.trim_end_matches(']');
            let by_name = find(name).is_some_and(|row| {
                matches!(
                    row.argument,
                    ArgumentRule::Name | ArgumentRule::OptionalName
                )
            });
            let argument = match argument.parse() {
                Ok(index) if !by_name => Argument::Index(index),
                _ => Argument::Name(argument.into()),
            };
            (name, argument)
        }
    };
    let row = find(name).unwrap_or_else(|| panic!("no field {name}"));
    let view = View {
        event,
        spelling: Spelling::Given,
    };
    match (row.extract)(view, &argument) {
        Extracted::Missing => "-".to_owned(),
        Extracted::Unknown => "?".to_owned(),
        Extracted::One(value) => text(&value),
        Extracted::Many(values) => {
            let texts: Vec<String> = values.iter().map(|value| text(&value)).collect();
            texts.join("|")
        }
    }
}

fn text(value: &Value<'_>) -> String {
    match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Ip(address) => address.to_string(),
    }
}

fn check(event: &Event, expected: &[(&str, &str)]) {
    for (name, expected) in expected {
        assert_eq!(value(event, name), *expected, "{name}");
    }
}

fn edit(event: &mut Event, change: impl FnOnce(&mut Call)) {
    if let What::Call(call) = &mut event.captured.what {
        change(call);
    }
}

fn on(name: &str, result: i64, descriptor: impl Into<Descriptor>) -> Event {
    let mut event = testing::call(name, [7, 0, 0, 0, 0, 0], result);
    edit(&mut event, |call| call.descriptor = Some(descriptor.into()));
    event
}

fn connection(role: Role) -> Socket {
    let at = |text: &str| Some(text.parse().expect("an address"));
    Socket {
        connected: true,
        ..Socket::inet(
            Protocol::Tcp,
            role,
            at("10.0.0.1:40000"),
            at("10.0.0.2:443"),
        )
    }
}

#[test]
fn every_row_stands_once_and_is_documented() {
    let mut seen = HashSet::new();
    for row in all() {
        assert!(seen.insert(row.name), "{} stands twice", row.name);
        assert!(
            row.doc.ends_with('.') && row.doc.len() > 10,
            "{} needs a sentence",
            row.name
        );
        assert!(!row.example.is_empty(), "{} needs an example", row.name);
    }
}

#[test]
fn every_row_can_be_asked_of_an_event_with_nothing_in_it() {
    let event = testing::call("openat", [0; 6], 0);
    let view = View {
        event: &event,
        spelling: Spelling::Given,
    };
    for row in all() {
        for argument in [
            Argument::None,
            Argument::Index(0),
            Argument::Index(u32::MAX),
            Argument::Name("x".into()),
        ] {
            let _ = (row.extract)(view, &argument);
        }
    }
}

#[test]
fn the_fields_that_are_said_to_depend_on_the_spelling_are_those_that_do() {
    let mut differing = HashSet::new();
    let events = EVENT_TYPES.iter().flat_map(|row| {
        [
            (row, with_two_spellings(row.name)),
            (row, with_changed_paths(row.name)),
        ]
    });
    for (row, event) in events {
        let mut arguments: Vec<Argument> = (0..12).map(Argument::Index).collect();
        arguments.push(Argument::None);
        arguments.extend(
            row.params
                .iter()
                .map(|param| Argument::Name(param.name.into())),
        );
        for row in all() {
            for argument in &arguments {
                let [given, real] = [Spelling::Given, Spelling::Real].map(|spelling| {
                    let event = &event;
                    format!("{:?}", (row.extract)(View { event, spelling }, argument))
                });
                if given != real {
                    assert!(
                        row.depends_on_spelling(argument),
                        "{} {argument:?} of {}: {given}, {real}",
                        row.name,
                        event.event_type.name()
                    );
                    differing.insert(row.name);
                }
            }
        }
    }
    for row in all().filter(|row| row.depends_on_spelling(&Argument::None)) {
        assert!(differing.contains(row.name), "{} never differs", row.name);
    }
}

#[test]
fn every_absolute_path_of_the_subject_is_in_the_spelling_of_the_pass() {
    let event = with_two_spellings("openat");
    for (spelling, path) in [(Spelling::Given, "/given/a/b"), (Spelling::Real, "/real/c")] {
        let of = |name, argument: &Argument| {
            let row = find(name).expect("a row");
            let event = &event;
            match (row.extract)(View { event, spelling }, argument) {
                Extracted::One(value) => text(&value),
                Extracted::Many(values) => text(&values.iter().next().expect("a value")),
                other => panic!("{name}: {other:?}"),
            }
        };
        let descriptor = format!("<f>{path}");
        assert_eq!(of("evt.abspath", &Argument::None), path);
        assert_eq!(of("evt.arg", &Argument::Name("fd".into())), descriptor);
        assert_eq!(of("evt.arg", &Argument::Index(0)), descriptor);
        for name in ["evt.args", "evt.info"] {
            let line = of(name, &Argument::None);
            assert!(line.starts_with(&format!("fd=7({descriptor}) ")), "{line}");
        }
        assert_eq!(of("evt.arg", &Argument::Name("name".into())), "/given/a/b");
        assert_eq!(of("fd.nameraw", &Argument::None), "/given/a/b");
    }
}

#[test]
fn a_file_opened_by_its_handle_has_the_path_of_the_kernel() {
    for (name, path) in [("open_by_handle_at", "/real/c"), ("read", "-")] {
        let mut event = with_two_spellings(name);
        edit(&mut event, |call| call.paths.clear());
        event.prepare();
        assert_eq!(value(&event, "evt.abspath"), path, "{name}");
    }
}

/// A call about `/given/a/b`, which is `/real/c`; each lies on a mount of its own.
fn with_two_spellings(name: &str) -> Event {
    let mut event = testing::call(name, [7; 6], 7);
    edit(&mut event, |call| {
        let path = GivenPath {
            given: "/given/a/b".into(),
            ..GivenPath::default()
        };
        call.paths = vec![path.clone(), path];
        call.file = Some(File {
            path: "/real/c".into(),
            ..File::default()
        });
    });
    event.prepare();
    let mount = |point: &str, fs_type: &str, kind, read_only| Mount {
        point: point.into(),
        fs_type: fs_type.into(),
        kind,
        read_only,
        ..Mount::default()
    };
    event.mounts = Arc::new(MountTable {
        mounts: vec![
            mount("/given", "ext4", MountKind::Volume, false),
            mount("/real", "tmpfs", MountKind::Tmpfs, true),
        ],
        ..MountTable::default()
    });
    event
}

/// A call whose paths another thread changed, and of which the kernel tells no file.
fn with_changed_paths(name: &str) -> Event {
    let mut event = testing::call(name, [7; 6], 0);
    edit(&mut event, |call| {
        let path = GivenPath {
            given: "given/a".into(),
            changed: Some("changed/c".into()),
            base: Some("/base".into()),
            ..GivenPath::default()
        };
        call.paths = vec![path.clone(), path];
    });
    event.prepare();
    event
}

#[test]
fn mounts_are_unknown_while_the_engine_may_yet_tell_them_and_missing_when_it_will_not() {
    for (metadata, expected) in [(Metadata::Pending, "?"), (Metadata::Unavailable, "-")] {
        let mut event = with_changed_paths("openat");
        event.container = Some(Arc::new(Container {
            metadata,
            ..Container::default()
        }));
        for field in [
            "fd.mount.kind",
            "fd.mount.read_only",
            "fd.mount.point",
            "fd.mount.type",
            "container.read_only",
            "container.secrets",
        ] {
            check(&event, &[(field, expected)]);
        }
    }
}

#[test]
fn a_connection_has_a_client_and_a_server() {
    let event = on("connect", 0, connection(Role::Client));
    check(
        &event,
        &[
            ("fd.num", "7"),
            ("fd.name", "10.0.0.1:40000->10.0.0.2:443"),
            ("fd.type", "ipv4"),
            ("fd.typechar", "4"),
            ("fd.l4proto", "tcp"),
            ("fd.sockfamily", "ip"),
            ("fd.cip", "10.0.0.1"),
            ("fd.sip", "10.0.0.2"),
            ("fd.lip", "10.0.0.1"),
            ("fd.rip", "10.0.0.2"),
            ("fd.cnet", "10.0.0.1"),
            ("fd.snet", "10.0.0.2"),
            ("fd.lnet", "10.0.0.1"),
            ("fd.rnet", "10.0.0.2"),
            ("fd.cport", "40000"),
            ("fd.sport", "443"),
            ("fd.lport", "40000"),
            ("fd.rport", "443"),
            ("fd.sproto", "443"),
            ("fd.ip", "10.0.0.1|10.0.0.2"),
            ("fd.net", "10.0.0.1|10.0.0.2"),
            ("fd.port", "40000|443"),
            ("fd.proto", "40000|443"),
            ("fd.connected", "true"),
            ("fd.name_changed", "false"),
            ("fd.is_server", "false"),
            ("fd.directory", "-"),
            ("fd.filename", "-"),
            ("fd.nameraw", "-"),
            ("fd.ino", "-"),
            ("fd.containername", "host:10.0.0.1:40000->10.0.0.2:443"),
            ("fd.sip.name", ""),
        ],
    );
    let event = on("accept", 9, connection(Role::Server));
    check(
        &event,
        &[
            ("fd.num", "9"),
            ("fd.name", "10.0.0.2:443->10.0.0.1:40000"),
            ("fd.cip", "10.0.0.2"),
            ("fd.sip", "10.0.0.1"),
            ("fd.lip", "10.0.0.1"),
            ("fd.rip", "10.0.0.2"),
            ("fd.is_server", "true"),
        ],
    );
}

#[test]
fn a_socket_without_another_end_has_only_its_own() {
    let listening = Socket {
        listening: true,
        ..Socket::inet(
            Protocol::Tcp,
            Role::None,
            Some("0.0.0.0:80".parse().expect("an address")),
            None,
        )
    };
    check(
        &on("listen", 0, listening),
        &[
            ("fd.name", "0.0.0.0:80"),
            ("fd.sip", "0.0.0.0"),
            ("fd.sport", "80"),
            ("fd.cip", "-"),
            ("fd.lip", "-"),
            ("fd.ip", "0.0.0.0"),
            ("fd.port", "80"),
            ("fd.is_server", "true"),
            ("fd.sip.name", "-"),
        ],
    );
    check(
        &on(
            "socket",
            3,
            Socket::inet(Protocol::Udp, Role::None, None, None),
        ),
        &[
            ("fd.name", ""),
            ("fd.l4proto", "udp"),
            ("fd.ip", ""),
            ("fd.sip", "-"),
            ("fd.connected", "false"),
        ],
    );
    check(
        &on("connect", 0, connection(Role::None)),
        &[
            ("fd.sip", "-"),
            ("fd.lport", "-"),
            ("fd.ip", "10.0.0.1|10.0.0.2"),
        ],
    );
}

#[test]
fn other_sockets_and_objects_have_a_type_and_no_addresses() {
    let unix = Socket::unix(
        Role::Client,
        UnixEnds {
            path: "/run/docker.sock".into(),
            ..UnixEnds::default()
        },
    );
    check(
        &on("connect", 0, unix),
        &[
            ("fd.name", "/run/docker.sock"),
            ("fd.type", "unix"),
            ("fd.typechar", "u"),
            ("fd.sockfamily", "unix"),
            ("fd.l4proto", "<NA>"),
            ("fd.ip", ""),
            ("fd.sip.name", "-"),
        ],
    );
    let netlink = Socket {
        family: Family::Netlink,
        ..Socket::default()
    };
    check(
        &on("socket", 3, netlink),
        &[
            ("fd.type", "netlink"),
            ("fd.typechar", "n"),
            ("fd.sockfamily", "-"),
        ],
    );
    check(
        &on("socket", 3, Socket::default()),
        &[("fd.type", "<NA>"), ("fd.typechar", "o")],
    );
    for (kind, name, letter) in [
        (ObjectKind::Pipe, "pipe", "p"),
        (ObjectKind::Event, "event", "e"),
        (ObjectKind::SignalFd, "signalfd", "s"),
        (ObjectKind::EventPoll, "eventpoll", "l"),
        (ObjectKind::Inotify, "inotify", "i"),
        (ObjectKind::TimerFd, "timerfd", "t"),
        (ObjectKind::Bpf, "bpf", "b"),
        (ObjectKind::UserFaultFd, "userfaultfd", "u"),
        (ObjectKind::IoUring, "io_uring", "r"),
        (ObjectKind::Memfd, "memfd", "m"),
        (ObjectKind::PidFd, "pidfd", "P"),
        (ObjectKind::Unsupported, "<NA>", "X"),
    ] {
        let event = on(
            "read",
            0,
            Descriptor::Object {
                kind,
                name: "x".into(),
            },
        );
        check(
            &event,
            &[
                ("fd.type", name),
                ("fd.typechar", letter),
                ("fd.name", "x"),
                ("fd.connected", "false"),
                ("fd.l4proto", "<NA>"),
            ],
        );
    }
}

#[test]
fn a_descriptor_that_is_not_known_is_told_by_its_call() {
    for (name, number, letter) in [
        ("open", "-1", "f"),
        ("openat", "-1", "f"),
        ("creat", "-1", "f"),
        ("socket", "-1", "4"),
        ("accept4", "-1", "4"),
        ("eventfd2", "-1", "e"),
        ("signalfd", "-1", "s"),
        ("timerfd_create", "-1", "t"),
        ("inotify_init1", "-1", "i"),
        ("pipe2", "-", "p"),
        ("connect", "7", "o"),
        ("dup2", "7", "o"),
        ("rename", "-", "-"),
    ] {
        let event = testing::call(name, [7, 0, 0, 0, 0, 0], -13);
        check(
            &event,
            &[
                ("fd.num", number),
                ("fd.typechar", letter),
                ("fd.type", "-"),
                ("fd.l4proto", "-"),
                ("fd.connected", "-"),
                ("fd.is_server", "-"),
            ],
        );
        let nothing = if letter == "-" { "-" } else { "" };
        assert_eq!(value(&event, "fd.name"), nothing, "{name}");
    }
}

#[test]
fn files_and_failed_opens_have_paths() {
    let mut event = testing::call("openat", [0; 6], 3);
    edit(&mut event, |call| {
        call.paths = vec![GivenPath {
            changed: None,
            given: "../etc/hosts".into(),
            base: Some("/srv".into()),
            truncated: false,
        }];
        call.file = Some(File {
            path: "/etc/hosts".into(),
            dev: 8 << 20 | 1,
            ino: 5,
            mode: 0o100_644,
            ..File::default()
        });
    });
    event.prepare();
    let found = [
        ("fd.name", "/etc/hosts"),
        ("fd.nameraw", "../etc/hosts"),
        ("fd.directory", "/etc"),
        ("fd.filename", "hosts"),
        ("fd.type", "file"),
        ("fd.typechar", "f"),
        ("fd.num", "3"),
        ("fd.dev.major", "8"),
        ("fd.dev.minor", "1"),
        ("fd.ino", "5"),
        ("fd.uid", "03"),
        ("fd.containerdirectory", "host:/etc"),
        ("fs.path.name", "/etc/hosts"),
        ("fs.path.nameraw", "../etc/hosts"),
        ("fs.path.source", "-"),
        ("evt.abspath", "/etc/hosts"),
        ("evt.abspath.src", "-"),
        ("evt.buffer", "-"),
    ];
    check(&event, &found);
    edit(&mut event, |call| {
        call.file = None;
        call.result = -2;
    });
    check(
        &event,
        &[
            ("fd.name", "/etc/hosts"),
            ("fd.directory", "/etc"),
            ("fd.type", "-"),
            ("fd.typechar", "f"),
            ("fd.num", "-1"),
        ],
    );
}

#[test]
fn an_address_has_the_names_that_rules_use() {
    let mut event = on("connect", 0, connection(Role::Client));
    let mut names = DomainNames::pending(["a.test", "b.test"].map(str::to_owned));
    let fields = ["fd.cip.name", "fd.sip.name", "fd.lip.name", "fd.rip.name"];
    event.domain_names = Arc::new(names.clone());
    for field in fields {
        assert_eq!(value(&event, field), "?", "{field}");
    }
    names.answer("a.test", ["10.0.0.2".parse().expect("an address")]);
    names.answer("b.test", ["10.0.0.2".parse().expect("an address")]);
    event.domain_names = Arc::new(names);
    for (field, expected) in fields
        .into_iter()
        .zip(["", "a.test|b.test", "", "a.test|b.test"])
    {
        assert_eq!(value(&event, field), expected, "{field}");
    }
}

#[test]
fn events_tell_what_they_are() {
    let mut event = testing::call("recvfrom", [7, 0, 0, 0, 0, 0], 5);
    edit(&mut event, |call| call.data = Some("hello".into()));
    event.time_ns = 12_000_000_034;
    event.node = Arc::new(crate::Node {
        capture_start_ns: 2_000_000_000,
        ..crate::Node::default()
    });
    check(
        &event,
        &[
            ("evt.rawtime.s", "12"),
            ("evt.rawtime.ns", "34"),
            ("evt.reltime", "10000000034"),
            ("evt.reltime.s", "10"),
            ("evt.reltime.ns", "34"),
            ("evt.type.is[recvfrom]", "1"),
            ("evt.type.is[openat]", "0"),
            ("syscall.type", "recvfrom"),
            ("evt.category", "net"),
            ("evt.dir", "<"),
            ("evt.buffer", "hello"),
            ("evt.buflen", "5"),
            ("evt.is_io", "true"),
            ("evt.is_io_read", "true"),
            ("evt.is_io_write", "false"),
            ("evt.io_dir", "r"),
            ("evt.is_wait", "false"),
            ("evt.is_async", "false"),
            ("evt.count", "1"),
            ("evt.count.error", "-"),
            ("evt.count.exit", "1"),
            ("evt.rawarg[fd]", "7"),
            ("evt.arg[0]", "5"),
            ("evt.arg[99]", "-"),
            ("evt.latency", "0"),
            ("evt.latency.human", "0ns"),
        ],
    );
    edit(&mut event, |call| call.result = -11);
    check(
        &event,
        &[
            ("evt.arg[res]", "EAGAIN|-11"),
            ("evt.count.error", "1"),
            ("evt.count.error.net", "1"),
            ("evt.count.error.file", "-"),
        ],
    );
    let exit = What::Exit {
        status: 0x0100,
        process_ended: true,
    };
    check(
        &testing::event(crate::call::named::PROCEXIT, exit),
        &[
            ("evt.dir", ">"),
            ("syscall.type", "-"),
            ("evt.rawres", "-"),
            ("evt.res", "-"),
            ("evt.failed", "-"),
            ("evt.arg[status]", "256"),
            ("evt.arg[ret]", "1"),
            ("evt.reltime", "-"),
            ("evt.io_dir", "-"),
        ],
    );
}

fn named(pid: u32, comm: &str, args: &[&str], env: &[&str]) -> Arc<Process> {
    let words = |words: &[&str]| words.iter().map(|word| BString::from(*word)).collect();
    let mut process = Process {
        exe: comm.into(),
        exe_path: format!("/bin/{comm}").into(),
        args: words(args),
        env: words(env),
        start_time_ns: u64::from(pid) * 1_000,
        ..Process::default()
    };
    process.task.pid = pid;
    process.task.vpid = pid + 100;
    process.task.comm = comm.into();
    Arc::new(process)
}

#[test]
fn processes_have_ancestors_and_leaders() {
    let mut event = testing::call("openat", [0; 6], 3);
    event.time_ns = 100_000;
    event.process = named(30, "nginx", &["-g", "daemon off;"], &["A=1", "B= x "]);
    check(
        &event,
        &[
            ("proc.sname", ""),
            ("proc.vpgid.name", ""),
            ("proc.aenv", "-"),
            ("proc.pvpid", "-"),
            ("proc.loginshellid", "-"),
            ("proc.ppid.duration", "-"),
        ],
    );
    event.ancestors = vec![
        named(20, "bash", &["-c", "x"], &["C=3"]),
        named(10, "sh", &[], &["C=4", "D=5"]),
        named(1, "init", &[], &[]),
    ]
    .into();
    event.session_leader = Some(named(10, "sh", &[], &[]));
    event.group_leader = Some(named(20, "bash", &[], &[]));
    event.captured.task.pid = 30;
    event.captured.task.tid = 30;
    check(
        &event,
        &[
            ("proc.cmdnargs", "2"),
            ("proc.cmdlenargs", "13"),
            ("proc.exeline", "nginx -g daemon off;"),
            ("proc.args[0]", "-g"),
            ("proc.arglist", "-g|daemon off;"),
            ("proc.aargs[1]", "-c x"),
            ("proc.args[2]", "-"),
            ("proc.env[A]", "1"),
            ("proc.env[B]", "x"),
            ("proc.env[C]", ""),
            ("proc.aname", "bash|sh|init"),
            ("proc.aname[0]", "nginx"),
            ("proc.aname[1]", "bash"),
            ("proc.aname[4]", "-"),
            ("proc.aexepath[2]", "/bin/sh"),
            ("proc.acmdline[1]", "bash -c x"),
            ("proc.apid", "20|10|1"),
            ("proc.aenv", "C=3|C=4 D=5|"),
            ("proc.aenv[2]", "C=4 D=5"),
            ("proc.aenv[D]", "5"),
            ("proc.aenv[E]", ""),
            ("proc.pvpid", "120"),
            ("proc.loginshellid", "10"),
            ("proc.sname", "sh"),
            ("proc.sid.exe", "sh"),
            ("proc.sid.exepath", "/bin/sh"),
            ("proc.vpgid.name", "bash"),
            ("proc.pgid.exepath", "/bin/bash"),
            ("proc.pid.ts", "30000"),
            ("proc.ppid.ts", "20000"),
            ("proc.ppid.duration", "80000"),
            ("proc.is_sid_leader", "false"),
            ("thread.ismain", "true"),
            ("thread.cgroups", "-"),
            ("proc.pidns_init_start_ts", "-"),
            ("proc.is_container_healthcheck", "false"),
            ("proc.fdlimit", "-"),
        ],
    );
}

#[test]
fn containers_have_what_their_engine_tells() {
    let mut event = testing::call("openat", [0; 6], 3);
    check(
        &event,
        &[
            ("container.id", "host"),
            ("container.image.repository", ""),
            ("container.privileged", "-"),
            ("container.mount[/srv]", "-"),
            ("k8s.pod.name", "-"),
            ("k8s.pod.labels", "-"),
        ],
    );
    let container = |metadata| {
        Some(Arc::new(Container {
            id: "ab".repeat(32),
            cgroup_path: "/docker/x".into(),
            start_time_ns: 500,
            metadata,
            ..Container::default()
        }))
    };
    event.container = container(Metadata::Pending);
    check(
        &event,
        &[
            ("container.id", "abababababab"),
            ("container.image.repository", "?"),
            ("container.mount[/srv]", "?"),
            ("k8s.pod.sandbox_id", "?"),
            ("k8s.pod.label[app]", "?"),
            ("k8s.pod.labels", "?"),
            ("proc.is_container_healthcheck", "?"),
        ],
    );
    event.container = container(Metadata::Unavailable);
    check(
        &event,
        &[("container.image", "-"), ("container.mount[0]", "-")],
    );
    let labels = [
        ("io.kubernetes.sandbox.id", "cd".repeat(32)),
        ("io.kubernetes.pod.uid", "u-1".to_owned()),
        ("io.kubernetes.pod.name", "web-7d8".to_owned()),
    ];
    event.container = container(Metadata::Known(Arc::new(Inspected {
        mounts: vec![DeclaredMount {
            source: "/srv".into(),
            destination: "/data".into(),
            mode: "ro".into(),
            read_write: false,
            propagation: "rprivate".into(),
        }],
        labels: labels
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into(),
        pod_labels: [
            ("app".to_owned(), "web".into()),
            ("io.kubernetes.pod.uid".to_owned(), "u-1".into()),
        ]
        .into(),
        health_check: vec!["curl".into(), "-f".into()],
        ..Inspected::default()
    })));
    event.process = named(30, "curl", &["-f"], &[]);
    check(
        &event,
        &[
            ("container.mounts", "/srv:/data:ro:false:rprivate"),
            ("container.mount[0]", "/srv:/data:ro:false:rprivate"),
            ("container.mount[/s*]", "/srv:/data:ro:false:rprivate"),
            ("container.mount[/x]", "none"),
            ("container.mount[1]", "none"),
            ("container.mount.dest[/srv]", "/data"),
            ("container.mount.dest[/x]", "-"),
            ("container.mount.dest[0]", "/data"),
            ("container.mount.source[/data]", "/srv"),
            ("container.mount.propagation[/srv]", "rprivate"),
            ("k8s.pod.sandbox_id", "cdcdcdcdcdcd"),
            ("k8s.pod.id", "u-1"),
            ("k8s.pod.name", "web-7d8"),
            ("k8s.pod.label[app]", "web"),
            ("k8s.pod.label[x]", "-"),
            ("k8s.pod.labels", "app:web"),
            ("k8s.rc.name", "-"),
            ("container.ip", "-"),
            ("thread.cgroups", "/docker/x"),
            ("thread.cgroup[cpu]", "/docker/x"),
            ("proc.pidns_init_start_ts", "500"),
            ("proc.is_container_healthcheck", "true"),
        ],
    );
}

#[test]
fn what_a_container_promised_can_be_asked_and_what_the_kernel_holds_counts_more() {
    let mut event = testing::call("openat", [0; 6], 3);
    let promises = Promises {
        user: "www-data".into(),
        capabilities_added: vec!["CAP_NET_ADMIN".into()],
        no_new_privileges: true,
        memory_limit_bytes: 1 << 20,
        ports: vec![PublishedPort {
            address: "0.0.0.0".into(),
            host_port: 8080,
            port: 80,
            protocol: "tcp".into(),
        }],
        ..Promises::default()
    };
    let known = Arc::new(Inspected {
        promises: Box::new(promises),
        ..Inspected::default()
    });
    let mut container = Container {
        engine: Engine::Docker,
        metadata: Metadata::Known(Arc::clone(&known)),
        ..Container::default()
    };
    event.container = Some(Arc::new(container.clone()));
    check(
        &event,
        &[
            ("container.user", "www-data"),
            ("container.cap_added", "CAP_NET_ADMIN"),
            ("container.cap_dropped", "-"),
            ("container.capabilities", "-"),
            ("container.no_new_privileges", "true"),
            ("container.seccomp", "filtered"),
            ("container.memory_limit", "1048576"),
            ("container.pids_limit", "0"),
            ("container.ports", "0.0.0.0:8080->80/tcp"),
            ("container.host_network", "false"),
            ("container.broken_promises", "-"),
        ],
    );
    container.confinement = Some(Confinement {
        capabilities: 1 << 12 | 1 << 21,
        host_namespaces: Some(HostNamespaces {
            network: true,
            ..HostNamespaces::default()
        }),
        ..Confinement::default()
    });
    event.container = Some(Arc::new(container.clone()));
    check(
        &event,
        &[
            ("container.capabilities", "CAP_NET_ADMIN|CAP_SYS_ADMIN"),
            ("container.no_new_privileges", "false"),
            ("container.seccomp", "unconfined"),
            ("container.host_network", "true"),
            (
                "container.broken_promises",
                "capabilities|host_network|no_new_privileges|seccomp",
            ),
        ],
    );
    container.metadata = Metadata::Pending;
    event.container = Some(Arc::new(container));
    check(
        &event,
        &[
            ("container.user", "?"),
            ("container.host_network", "true"),
            ("container.broken_promises", "?"),
        ],
    );
    event.container = None;
    check(
        &event,
        &[("container.user", "-"), ("container.host_network", "-")],
    );
}
