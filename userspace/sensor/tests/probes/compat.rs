//! Calls through the 32-bit entry: told of as such, and as the call they are.

use std::net::{Ipv4Addr, TcpListener};

use vigia_event::captured::{Call, Captured, Entry, What};

use super::actor::{Actor, Arg, args};
use super::rig::Rig;

/// i386 numbers.
mod number {
    pub(super) const OPEN: i64 = 5;
    pub(super) const UNLINK: i64 = 10;
    pub(super) const GETPID: i64 = 20;
    pub(super) const PTRACE: i64 = 26;
    pub(super) const SOCKETCALL: i64 = 102;
    pub(super) const OPENAT: i64 = 295;
    pub(super) const SOCKET: i64 = 359;
    pub(super) const CONNECT: i64 = 362;
}

/// The calls that were decoded, and the numbers that were told of as 32-bit calls.
fn told(records: Vec<Captured>) -> (Vec<Call>, Vec<i32>) {
    let mut calls = Vec::new();
    let mut numbers = Vec::new();
    for record in records {
        match record.what {
            What::Call(call) => calls.push(*call),
            What::CompatCall { number } => numbers.push(number),
            other => panic!("{other:?}"),
        }
    }
    (calls, numbers)
}

fn has_entry(actor: &mut Actor) -> bool {
    let answer = actor.call_32_of(number::GETPID, &[]);
    if answer == i64::from(-libc::ENOSYS) {
        println!("skipped: this kernel has no 32-bit entry");
        return false;
    }
    assert_eq!(answer, i64::from(actor.pid()));
    true
}

#[test]
fn a_32_bit_call_is_the_call_it_is() {
    let Some(mut rig) = Rig::arm() else { return };
    let path = rig.path("file");
    let missing = rig.path("missing");
    std::fs::write(&path, "x").unwrap();
    let mut actor = rig.actor();
    if !has_entry(&mut actor) {
        return;
    }
    rig.read();
    let fd = actor.call_32_of(number::OPEN, args![path.as_str(), libc::O_RDWR, 0]);
    assert!(fd >= 0, "{fd}");
    let (calls, numbers) = told(rig.read_of(actor.pid()));
    assert_eq!(numbers, [5]);
    assert_eq!(calls.len(), 1, "{calls:#?}");
    let call = &calls[0];
    assert_eq!((call.event_type.name(), call.result), ("open", fd));
    assert_eq!(call.entry, Entry::Compat);
    assert_eq!(call.paths[0].given, path);
    assert_eq!(call.file.as_ref().unwrap().path, path);
    assert_eq!(call.args[1], libc::O_RDWR as u64);

    let folder = rig.folder.path().to_str().unwrap().to_owned();
    let dir = actor.call(
        libc::SYS_openat,
        args![libc::AT_FDCWD, folder.as_str(), libc::O_DIRECTORY, 0],
    );
    rig.read();
    let fd = actor.call_32_of(number::OPENAT, args![dir, "file", libc::O_RDONLY, 0]);
    assert!(fd >= 0, "{fd}");
    let (calls, _) = told(rig.read_of(actor.pid()));
    assert_eq!(calls[0].event_type.name(), "openat");
    assert_eq!(calls[0].paths[0].absolute(), path);

    let gone = actor.call_32_of(number::UNLINK, args![missing.as_str()]);
    assert_eq!(gone, i64::from(-libc::ENOENT));
    let (calls, _) = told(rig.read_of(actor.pid()));
    assert_eq!(calls[0].event_type.name(), "unlink");
    assert_eq!(calls[0].paths[0].given, missing);
    assert_eq!(calls[0].result, i64::from(-libc::ENOENT));

    let traced = actor.call_32_of(number::PTRACE, args![99, -1]);
    assert!(traced < 0);
    let (calls, _) = told(rig.read_of(actor.pid()));
    assert_eq!(calls[0].event_type.name(), "ptrace");
    assert_eq!(calls[0].args[0], 99);
    assert_eq!(
        calls[0].args[1], 0xffff_ffff,
        "as a 32-bit register holds it"
    );
}

#[test]
fn a_32_bit_connection_is_a_connection_by_either_call() {
    let Some(mut rig) = Rig::arm() else { return };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = listener.local_addr().unwrap();
    let mut actor = rig.actor();
    if !has_entry(&mut actor) {
        return;
    }
    let mut address = 2u16.to_le_bytes().to_vec();
    address.extend(server.port().to_be_bytes());
    address.extend([127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let fd = actor.call_32_of(number::SOCKET, args![libc::AF_INET, libc::SOCK_STREAM, 0]);
    assert!(fd >= 0, "{fd}");
    rig.read();
    let connected = actor.call_32_of(number::CONNECT, args![fd, address, 16]);
    assert_eq!(connected, 0);
    let (calls, _) = told(rig.read_of(actor.pid()));
    assert_eq!(calls[0].event_type.name(), "connect");
    assert_eq!(calls[0].socket().unwrap().remote, Some(server));

    // socket(2) as call 1 of the multiplexer.
    let words: u64 = (libc::SOCK_STREAM as u64) << 32 | libc::AF_INET as u64;
    let args = [Arg::Int(1), Arg::Words(vec![words, 0, 0])];
    let fd = actor.call_32_of(number::SOCKETCALL, &args);
    assert!(fd >= 0, "{fd}");
    let (calls, numbers) = told(rig.read_of(actor.pid()));
    assert_eq!(numbers, [102]);
    assert_eq!(
        (calls[0].event_type.name(), calls[0].result),
        ("socket", fd)
    );
    assert_eq!(calls[0].args[..2], [2, 1]);
}
