//! Sockets: what the kernel knows of one, and the little that it does not.
//!
//! Addresses, ports and state are read from the socket itself. Which end connected, and with whom an unconnected socket
//! exchanged its last datagram, is remembered in a map by socket.

pub(crate) mod passed;

use core::ptr::{addr_of, addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::bindings::BPF_ANY;
use vigia_abi::calls::{CallSpec, note};
use vigia_abi::maps::{SocketKey, SocketMark};
use vigia_abi::offsets::*;
use vigia_abi::record::socket as flag;
use vigia_abi::{Header, Socket, Text};

use crate::file;
use crate::kernel::{Addr, has};
use crate::maps::SOCKETS;
use crate::record::{LargeScratch, clear};

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const SOCK_STREAM: u16 = 1;
const SOCK_DGRAM: u16 = 2;
const SOCK_RAW: u16 = 3;
const EINPROGRESS: i64 = 115;
/// Longest name of a Unix socket.
const UNIX_PATH_MAX: u32 = 108;
/// `sun_family`.
const UNIX_FAMILY_BYTES: u32 = 2;

/// Reads the socket behind a file into the scratch; `false` if it is none.
///
/// # Safety
/// `this` must point to the scratch of the running program; so in all functions here.
#[inline(always)]
pub(crate) unsafe fn read(this: *mut LargeScratch, open: Addr) -> bool {
    // SAFETY: as the caller promises.
    unsafe {
        let out = addr_of_mut!((*this).socket);
        clear(out);
        if !file::is_socket(open) {
            return false;
        }
        let sk = open.follow(FILE_PRIVATE).follow(SOCKET_SK);
        if sk.is_null() {
            return false;
        }
        let family: u16 = sk.load(SOCK_FAMILY);
        (*out).own = sk.0;
        (*out).family = family;
        (*out).kind = sk.load(SOCK_TYPE);
        (*out).protocol = sk.load(SOCK_PROTOCOL);
        (*out).state = u16::from(sk.load::<u8>(SOCK_STATE));
        let local = addr_of_mut!((*out).local).cast::<u64>();
        let remote = addr_of_mut!((*out).remote).cast::<u64>();
        if family == AF_INET {
            write_volatile(remote, u64::from(sk.load::<u32>(SOCK_DADDR)));
            write_volatile(local, u64::from(sk.load::<u32>(SOCK_RCV_SADDR)));
        } else if family == AF_INET6 && has(SOCK_V6_DADDR) && has(SOCK_V6_RCV_SADDR) {
            let to: [u64; 2] = sk.load(SOCK_V6_DADDR);
            let from: [u64; 2] = sk.load(SOCK_V6_RCV_SADDR);
            write_volatile(remote, to[0]);
            write_volatile(remote.add(1), to[1]);
            write_volatile(local, from[0]);
            write_volatile(local.add(1), from[1]);
        }
        if family == AF_INET || family == AF_INET6 {
            (*out).remote_port = sk.load::<u16>(SOCK_DPORT).swap_bytes();
            (*out).local_port = sk.load(SOCK_NUM);
        }
        if family == AF_UNIX && has(UNIX_PEER) {
            (*out).peer = sk.load(UNIX_PEER);
        }
        true
    }
}

/// Adds what is remembered of the socket that was read last.
///
/// # Safety
/// See [`read`].
#[inline(always)]
pub(crate) unsafe fn recall(this: *mut LargeScratch, open: Addr) {
    // SAFETY: as the caller promises.
    unsafe {
        let out = addr_of_mut!((*this).socket);
        if read_volatile(addr_of!((*out).own)) == 0 {
            return;
        }
        let key = key(this, open);
        if let Some(mark) = SOCKETS.get_ptr(&key) {
            apply(out, mark);
        }
    }
}

/// As [`recall`], and remembers what the call changed.
///
/// # Safety
/// See [`read`]; the call's address must be located.
#[inline(always)]
pub(crate) unsafe fn remember(this: *mut LargeScratch, open: Addr, spec: &CallSpec, result: i64) {
    // SAFETY: as the caller promises.
    unsafe {
        let out = addr_of_mut!((*this).socket);
        let key = key(this, open);
        let known = SOCKETS.get_ptr(&key);
        let family = read_volatile(addr_of!((*out).family));
        let kind = read_volatile(addr_of!((*out).kind));
        let mut role = match known {
            Some(mark) => (*mark).role,
            None => 0,
        };
        let mut is_new = false;
        let (is_passed, is_unspecified) = passed::has_address(this);
        let connects = spec.note & note::CONNECTS != 0 && !is_unspecified;
        // TCP Fast Open: the first data go with an address, and nobody calls connect(2).
        let opens_fast = spec.note & note::SENDS != 0
            && kind == SOCK_STREAM
            && is_passed
            && known.is_none()
            && (family == AF_INET || family == AF_INET6);
        if (connects || opens_fast) && (result >= 0 || result == -EINPROGRESS) {
            role = flag::CLIENT;
            is_new = true;
            // A refusal may have come while the call ran: then the kernel no longer has the address.
            if read_volatile(addr_of!((*out).remote_port)) == 0 {
                passed::into_remote(this);
            }
        } else if spec.note & note::ACCEPTS != 0 && result >= 0 {
            role = flag::SERVER;
            is_new = true;
        } else if spec.note & (note::SENDS | note::RECEIVES) != 0
            && result >= 0
            && (kind == SOCK_DGRAM || kind == SOCK_RAW)
            && (family == AF_INET || family == AF_INET6)
        {
            // What is sent to an address goes there, whoever the socket is connected to.
            if read_volatile(addr_of!((*out).remote_port)) == 0 || spec.note & note::SENDS != 0 {
                passed::into_remote(this);
            }
            let remote = addr_of!((*out).remote).cast::<u64>();
            let (first, second) = (read_volatile(remote), read_volatile(remote.add(1)));
            let port = u32::from(read_volatile(addr_of!((*out).remote_port)));
            let is_known = match known {
                Some(mark) => {
                    (*mark).remote[0] == first
                        && (*mark).remote[1] == second
                        && (*mark).remote_port == port
                }
                None => false,
            };
            is_new = !is_known && (first != 0 || second != 0 || port != 0);
            if role == 0 {
                role = if spec.note & note::SENDS != 0 {
                    flag::CLIENT
                } else {
                    flag::SERVER
                };
            }
        }
        if !is_new {
            if let Some(mark) = known {
                apply(out, mark);
            }
            return;
        }
        (*out).flags = role | flag::NAME_CHANGED;
        let remote = addr_of!((*out).remote).cast::<u64>();
        let mark = SocketMark {
            remote: [read_volatile(remote), read_volatile(remote.add(1))],
            remote_port: u32::from(read_volatile(addr_of!((*out).remote_port))),
            role,
        };
        // A full table pushes out what was not used for longest.
        let _ = SOCKETS.insert(key, mark, u64::from(BPF_ANY));
    }
}

/// Appends the socket and the name of its server's end; its text goes into the body at `slot`.
///
/// # Safety
/// See [`read`].
#[inline(always)]
pub(crate) unsafe fn append(this: *mut LargeScratch, slot: usize) {
    // SAFETY: as the caller promises; the slot lies in the body.
    unsafe {
        let out = addr_of_mut!((*this).socket);
        let sk = Addr(read_volatile(addr_of!((*out).own)));
        if sk.is_null() {
            return;
        }
        if read_volatile(addr_of!((*out).family)) == AF_UNIX && has(UNIX_ADDR) {
            let peer = Addr(read_volatile(addr_of!((*out).peer)));
            let mut named = sk.follow(UNIX_ADDR);
            let is_client = read_volatile(addr_of!((*out).flags)) & flag::CLIENT != 0;
            if !peer.is_null() && (is_client || named.is_null()) {
                named = peer.follow(UNIX_ADDR);
            }
            if !named.is_null() {
                let len = named
                    .load::<u32>(UNIX_ADDRESS_LEN)
                    .wrapping_sub(UNIX_FAMILY_BYTES);
                let from = named.member(UNIX_ADDRESS_NAME).0 + u64::from(UNIX_FAMILY_BYTES);
                (*out).path = LargeScratch::append_kernel_bytes::<UNIX_PATH_MAX>(this, from, len);
            }
        }
        let text = LargeScratch::append_kernel_bytes::<{ size_of::<Socket>() as u32 }>(
            this,
            out as u64,
            size_of::<Socket>() as u32,
        );
        let place = addr_of_mut!((*this).record)
            .cast::<u8>()
            .add(size_of::<Header>() + slot)
            .cast::<Text>();
        *place = text;
    }
}

#[inline(always)]
unsafe fn key(this: *const LargeScratch, open: Addr) -> SocketKey {
    SocketKey {
        // SAFETY: as the caller promises.
        address: unsafe { read_volatile(addr_of!((*this).socket.own)) },
        ino: open.follow(FILE_INODE).load(INODE_INO),
    }
}

/// The role, and the other end where the kernel knows none.
#[inline(always)]
unsafe fn apply(out: *mut Socket, mark: *const SocketMark) {
    // SAFETY: the caller's scratch and a value of the map.
    unsafe {
        (*out).flags = (*mark).role;
        let remote = addr_of_mut!((*out).remote).cast::<u64>();
        if read_volatile(addr_of!((*out).remote_port)) == 0
            && read_volatile(remote) == 0
            && read_volatile(remote.add(1)) == 0
        {
            write_volatile(remote, (*mark).remote[0]);
            write_volatile(remote.add(1), (*mark).remote[1]);
            (*out).remote_port = (*mark).remote_port as u16;
        }
    }
}
