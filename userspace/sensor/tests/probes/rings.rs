//! What io_uring does for a program.

use std::net::{Ipv4Addr, TcpListener};

use vigia_event::captured::{Call, Entry};
use vigia_event::socket::{Address, Role};
use vigia_sensor::Table;

use super::actor::{Actor, Request, args};
use super::rig::Rig;

const AT_FDCWD: i64 = libc::AT_FDCWD as i64;

/// A thread of the kernel does it.
const IOSQE_ASYNC: u8 = 1 << 4;
/// It completes without a word if it succeeds.
const IOSQE_CQE_SKIP_SUCCESS: u8 = 1 << 6;

/// Operations of io_uring.
mod op {
    pub(super) const CONNECT: u8 = 16;
    pub(super) const OPENAT: u8 = 18;
    pub(super) const OPENAT2: u8 = 28;
    pub(super) const RENAMEAT: u8 = 35;
    pub(super) const UNLINKAT: u8 = 36;
    pub(super) const MKDIRAT: u8 = 37;
    pub(super) const SYMLINKAT: u8 = 38;
    pub(super) const LINKAT: u8 = 39;
}

/// The rig, unless this kernel does not tell of requests, or has no rings.
fn arm() -> Option<(Rig, Actor)> {
    let mut rig = Rig::arm()?;
    let refused = rig
        .sensor
        .programs()
        .iter()
        .find(|result| result.program.starts_with("ring_") && result.refused.is_some());
    if let Some(refused) = refused {
        println!("skipped: {:?}", refused.refused);
        return None;
    }
    let mut actor = rig.actor();
    let probe = actor.ring(&Request::default(), &[]);
    if probe < 0 {
        println!("skipped: no ring can be made here ({probe})");
        return None;
    }
    rig.read();
    Some((rig, actor))
}

fn only(rig: &mut Rig, actor: &Actor) -> Call {
    let mut calls: Vec<_> = rig
        .read_of(actor.pid())
        .into_iter()
        .filter_map(super::rig::call)
        .filter(|call| call.entry == Entry::IoUring)
        .collect();
    assert_eq!(calls.len(), 1, "{calls:#?}");
    calls.remove(0)
}

#[test]
fn a_request_that_may_complete_without_a_word_is_counted() {
    let Some((mut rig, mut actor)) = arm() else {
        return;
    };
    let path = rig.path("missing");
    for (how, counted) in [(0, 0), (IOSQE_CQE_SKIP_SUCCESS, 1)] {
        let request = Request {
            opcode: op::OPENAT,
            fd: AT_FDCWD,
            how,
            ..Request::default()
        };
        let before = rig.counters().table(Table::RequestsSilent);
        // It fails, or there would be nothing to wait for.
        let result = actor.ring(&request, args![path.as_str()]);
        assert_eq!(result, i64::from(-libc::ENOENT), "{how}");
        let call = only(&mut rig, &actor);
        assert_eq!(call.paths[0].given, path.as_str());
        let after = rig.counters().table(Table::RequestsSilent);
        assert_eq!(after - before, counted, "{how}");
    }
}

#[test]
fn an_open_through_a_ring_is_an_open() {
    let Some((mut rig, mut actor)) = arm() else {
        return;
    };
    let path = rig.path("file");
    std::fs::write(&path, "x").unwrap();
    for how in [0, IOSQE_ASYNC] {
        let request = Request {
            opcode: op::OPENAT,
            fd: AT_FDCWD,
            flags: libc::O_RDWR as u32,
            how,
            ..Request::default()
        };
        let fd = actor.ring(&request, args![path.as_str()]);
        assert!(fd >= 0, "{fd}");
        let call = only(&mut rig, &actor);
        assert_eq!((call.event_type.name(), call.result), ("openat", fd));
        assert_eq!(call.paths[0].given, path);
        assert_eq!(call.file.as_ref().unwrap().path, path);
        assert_eq!(call.args[2] & 3, libc::O_RDWR as u64);
    }
    // Relative to a folder, with flags of its own.
    let folder = rig.folder.path().to_str().unwrap().to_owned();
    let dir = actor.call(
        libc::SYS_openat,
        args![AT_FDCWD, folder.as_str(), libc::O_DIRECTORY, 0],
    );
    rig.read();
    let request = Request {
        opcode: op::OPENAT2,
        fd: dir,
        len: 24,
        ..Request::default()
    };
    let how = [(libc::O_CREAT | libc::O_WRONLY) as u64, 0o600, 0];
    let fd = actor.ring(&request, args!["made", how]);
    assert!(fd >= 0, "{fd}");
    let call = only(&mut rig, &actor);
    assert_eq!(call.event_type.name(), "openat2");
    assert_eq!(call.paths[0].absolute(), format!("{folder}/made"));
    assert_eq!(call.open_how.unwrap()[1], 0o600);
    assert!(call.file.unwrap().created);
}

#[test]
fn an_open_into_a_fixed_slot_is_told_by_its_path() {
    let Some((mut rig, mut actor)) = arm() else {
        return;
    };
    let path = rig.path("file");
    std::fs::write(&path, "x").unwrap();
    let request = Request {
        opcode: op::OPENAT,
        fd: AT_FDCWD,
        slot: 1,
        ..Request::default()
    };
    let result = actor.ring(&request, args![path.as_str()]);
    if result == i64::from(-libc::EINVAL) {
        println!("skipped: this kernel has no fixed slots for opens");
        return;
    }
    assert_eq!(result, 0);
    let call = only(&mut rig, &actor);
    assert_eq!((call.event_type.name(), call.result), ("openat", 0));
    assert_eq!(call.paths[0].given, path);
    assert_eq!(call.file, None);
}

#[test]
fn a_refused_write_through_a_ring_is_refused() {
    let Some((mut rig, mut actor)) = arm() else {
        return;
    };
    let point = rig.path("mount");
    std::fs::create_dir(&point).unwrap();
    assert_eq!(actor.call(libc::SYS_unshare, args![libc::CLONE_NEWNS]), 0);
    let private = i64::try_from(libc::MS_REC | libc::MS_PRIVATE).unwrap();
    assert_eq!(
        actor.call(libc::SYS_mount, args!["none", "/", "none", private, 0]),
        0
    );
    let read_only = i64::try_from(libc::MS_RDONLY).unwrap();
    assert_eq!(
        actor.call(
            libc::SYS_mount,
            args!["none", point.as_str(), "tmpfs", read_only, 0]
        ),
        0
    );
    rig.read();
    let path = format!("{point}/x");
    let request = Request {
        opcode: op::OPENAT,
        fd: AT_FDCWD,
        len: 0o644,
        flags: (libc::O_CREAT | libc::O_WRONLY) as u32,
        ..Request::default()
    };
    let refused = actor.ring(&request, args![path.as_str()]);
    assert_eq!(refused, i64::from(-libc::EROFS));
    let call = only(&mut rig, &actor);
    assert_eq!(call.result, refused);
    assert_eq!(call.paths[0].given, path);
}

#[test]
fn a_connection_through_a_ring_is_a_connection() {
    let Some((mut rig, mut actor)) = arm() else {
        return;
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = listener.local_addr().unwrap();
    let mut address = 2u16.to_le_bytes().to_vec();
    address.extend(server.port().to_be_bytes());
    address.extend([127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let fd = actor.call(libc::SYS_socket, args![libc::AF_INET, libc::SOCK_STREAM, 0]);
    rig.read();
    let request = Request {
        opcode: op::CONNECT,
        fd,
        ..Request::default()
    };
    assert_eq!(actor.ring(&request, args![address, 16]), 0);
    let call = only(&mut rig, &actor);
    assert_eq!((call.event_type.name(), call.result), ("connect", 0));
    assert_eq!(call.address, Some(Address::Inet(server)));
    let seen = call.socket().unwrap();
    assert_eq!((seen.remote, seen.role), (Some(server), Role::Client));
    assert!(seen.connected && seen.name_changed);
}

#[test]
fn changes_of_files_through_a_ring_are_changes() {
    let Some((mut rig, mut actor)) = arm() else {
        return;
    };
    let p = |name: &str| rig.path(name);
    let (a, b, c, d, e) = (p("a"), p("b"), p("c"), p("d"), p("e"));
    let cwd = libc::AT_FDCWD.cast_unsigned();
    std::fs::write(&a, "x").unwrap();
    let request = |opcode, len| Request {
        opcode,
        fd: AT_FDCWD,
        len,
        ..Request::default()
    };
    for (request, args, name, paths, text) in [
        (
            request(op::MKDIRAT, 0o700),
            args![d.as_str()].to_vec(),
            "mkdirat",
            vec![&d],
            None,
        ),
        (
            request(op::LINKAT, cwd),
            args![a.as_str(), b.as_str()].to_vec(),
            "linkat",
            vec![&a, &b],
            None,
        ),
        (
            request(op::RENAMEAT, cwd),
            args![b.as_str(), c.as_str()].to_vec(),
            "renameat2",
            vec![&b, &c],
            None,
        ),
        (
            request(op::SYMLINKAT, 0),
            args!["/etc/shadow", e.as_str()].to_vec(),
            "symlinkat",
            vec![&e],
            Some("/etc/shadow"),
        ),
        (
            request(op::UNLINKAT, 0),
            args![c.as_str()].to_vec(),
            "unlinkat",
            vec![&c],
            None,
        ),
    ] {
        let result = actor.ring(&request, &args);
        if result == i64::from(-libc::EINVAL) {
            println!("skipped: this kernel's rings know no {name}");
            rig.read();
            continue;
        }
        assert_eq!(result, 0, "{name}");
        let call = only(&mut rig, &actor);
        assert_eq!(call.event_type.name(), name);
        let told: Vec<_> = call
            .paths
            .iter()
            .map(|path| path.given.to_string())
            .collect();
        assert_eq!(
            told,
            paths.into_iter().cloned().collect::<Vec<_>>(),
            "{name}"
        );
        assert_eq!(
            call.texts.first().map(ToString::to_string).as_deref(),
            text,
            "{name}"
        );
    }
}
