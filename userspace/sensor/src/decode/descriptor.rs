//! What a call's descriptor leads to where that is no file: sockets, pipes, objects of the kernel.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bstr::BString;
use vigia_abi::record::socket as flag;
use vigia_abi::{CallBody, Socket as WireSocket, Wire};
use vigia_event::captured::Call;
use vigia_event::descriptor::{Descriptor, ObjectKind};
use vigia_event::file::File;
use vigia_event::socket::{Address, Family, Protocol, Role, Socket, UnixEnds};

use super::Malformed;
use super::record::Record;

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const AF_NETLINK: u16 = 16;

const SOCK_STREAM: u16 = 1;
const SOCK_DGRAM: u16 = 2;
const SOCK_RAW: u16 = 3;

const IPPROTO_ICMP: u16 = 1;
const IPPROTO_TCP: u16 = 6;
const IPPROTO_UDP: u16 = 17;
const IPPROTO_ICMPV6: u16 = 58;

const ESTABLISHED: u16 = 1;
const CLOSED: u16 = 7;
const LISTENING: u16 = 10;

const EINPROGRESS: i64 = 115;

/// File systems of objects that are no files.
mod magic {
    pub(super) const SOCKETS: u64 = 0x534f_434b;
    pub(super) const PIPES: u64 = 0x5049_5045;
    pub(super) const ANONYMOUS: u64 = 0x0904_1934;
    pub(super) const PIDS: u64 = 0x5049_4446;
    pub(super) const NAMESPACES: u64 = 0x6e73_6673;
}

/// Replaces a call's file by what it is where it is none.
pub(super) fn resolve(
    record: Record<'_>,
    body: &CallBody,
    call: &mut Call,
) -> Result<(), Malformed> {
    if let Some(bytes) = record.text(body.socket)? {
        let too_short = Malformed::Body {
            needed: WireSocket::SIZE,
            actual: bytes.len(),
        };
        let wire = WireSocket::read(bytes).ok_or(too_short)?;
        let path = record.string(wire.path)?;
        call.file = None;
        call.descriptor = Some(socket(&wire, path, call).into());
        return Ok(());
    }
    // Of an open the file itself says whether it was created or written to.
    if body.file.path.flags != 0 && call.event_type.row().params.iter().any(is_opened_file) {
        return Ok(());
    }
    let object = call.file.as_ref().and_then(|file| object(file, call));
    if let Some((kind, name)) = object {
        call.file = None;
        call.descriptor = Some(Descriptor::Object { kind, name });
    }
    // bpf(2) returns a descriptor for some commands and a number for others.
    if call.event_type.name() == "bpf" {
        call.file = None;
        call.descriptor.take_if(|descriptor| {
            !matches!(
                descriptor,
                Descriptor::Object {
                    kind: ObjectKind::Bpf,
                    ..
                }
            )
        });
    }
    Ok(())
}

/// Whether a parameter is one that only opens have.
fn is_opened_file(param: &vigia_event::call::ParamRow) -> bool {
    param.source == vigia_event::call::ParamSource::FileIno
}

fn object(file: &File, call: &Call) -> Option<(ObjectKind, BString)> {
    let unnamed = |kind| Some((kind, BString::default()));
    match file.fs_magic {
        magic::PIPES => unnamed(ObjectKind::Pipe),
        magic::PIDS => unnamed(ObjectKind::PidFd),
        magic::SOCKETS => unnamed(ObjectKind::Unsupported),
        magic::NAMESPACES => {
            let kind = match call.args[1] {
                0x0002_0000 => "mnt",
                0x0200_0000 => "cgroup",
                0x0400_0000 => "uts",
                0x0800_0000 => "ipc",
                0x1000_0000 => "user",
                0x2000_0000 => "pid",
                0x4000_0000 => "net",
                _ => "ns",
            };
            let name = format!("{kind}:[{}]", file.ino);
            Some((ObjectKind::Unsupported, name.into()))
        }
        magic::ANONYMOUS => Some((anonymous(&file.path), file.path.clone())),
        _ if file.path_notes.detached && file.path.starts_with(b"memfd:") => {
            Some((ObjectKind::Memfd, file.path.clone()))
        }
        _ => None,
    }
}

/// The kind of an anonymous inode by the name that the kernel gives its file.
fn anonymous(name: &[u8]) -> ObjectKind {
    let name = name.strip_prefix(b"[").unwrap_or(name);
    const KINDS: [(&[u8], ObjectKind); 9] = [
        (b"eventfd", ObjectKind::Event),
        (b"signalfd", ObjectKind::SignalFd),
        (b"eventpoll", ObjectKind::EventPoll),
        (b"inotify", ObjectKind::Inotify),
        (b"timerfd", ObjectKind::TimerFd),
        (b"bpf", ObjectKind::Bpf),
        (b"userfaultfd", ObjectKind::UserFaultFd),
        (b"io_uring", ObjectKind::IoUring),
        (b"pidfd", ObjectKind::PidFd),
    ];
    let known = KINDS.iter().find(|(prefix, _)| name.starts_with(prefix));
    known.map_or(ObjectKind::Unsupported, |(_, kind)| *kind)
}

fn socket(wire: &WireSocket, path: BString, call: &Call) -> Socket {
    let mut role = match (
        wire.flags & flag::CLIENT != 0,
        wire.flags & flag::SERVER != 0,
    ) {
        (true, _) => Role::Client,
        (false, true) => Role::Server,
        (false, false) => Role::None,
    };
    let is_inet = matches!(wire.family, AF_INET | AF_INET6);
    let protocol = if is_inet {
        protocol(wire.kind, wire.protocol)
    } else {
        Protocol::Unknown
    };
    let local = end(wire.family, wire.local, wire.local_port);
    let remote = end(wire.family, wire.remote, wire.remote_port);
    let connects =
        call.event_type.name() == "connect" && (call.result >= 0 || call.result == -EINPROGRESS);
    let connected = connects
        || match (wire.family, wire.kind) {
            (AF_INET | AF_INET6, SOCK_STREAM) => !matches!(wire.state, CLOSED | LISTENING),
            (AF_INET | AF_INET6, _) => wire.state == ESTABLISHED,
            (AF_UNIX, SOCK_STREAM) => wire.state == ESTABLISHED,
            (AF_UNIX, _) => wire.peer != 0,
            _ => false,
        };
    if role == Role::None
        && connected
        && let (Some(local), Some(remote)) = (local, remote)
    {
        // It was connected before anybody watched: a client's port is taken from the upper end.
        role = if local.port() > remote.port() {
            Role::Client
        } else {
            Role::Server
        };
    }
    let mut socket = match wire.family {
        AF_INET | AF_INET6 => Socket::inet(protocol, role, local, remote),
        AF_UNIX => Socket::unix(role, unix_ends(wire, role, path)),
        family => Socket {
            family: if family == AF_NETLINK {
                Family::Netlink
            } else {
                Family::Other(family)
            },
            ..Socket::default()
        },
    };
    if wire.family == AF_INET6 && local.is_none() && remote.is_none() {
        socket.family = Family::Ipv6;
    }
    socket.listening = wire.state == LISTENING;
    socket.connected = connected;
    socket.name_changed = wire.flags & flag::NAME_CHANGED != 0;
    socket
}

fn protocol(kind: u16, protocol: u16) -> Protocol {
    match (kind, protocol) {
        (SOCK_RAW, _) => Protocol::Raw,
        (_, IPPROTO_TCP) => Protocol::Tcp,
        (_, IPPROTO_UDP) => Protocol::Udp,
        (_, IPPROTO_ICMP | IPPROTO_ICMPV6) => Protocol::Icmp,
        (SOCK_STREAM, 0) => Protocol::Tcp,
        (SOCK_DGRAM, 0) => Protocol::Udp,
        _ => Protocol::Unknown,
    }
}

/// One end of an internet socket; none where neither address nor port is set.
fn end(family: u16, bytes: [u8; 16], port: u16) -> Option<SocketAddr> {
    let address: IpAddr = match family {
        AF_INET => {
            let [a, b, c, d, ..] = bytes;
            Ipv4Addr::new(a, b, c, d).into()
        }
        AF_INET6 => Ipv6Addr::from(bytes).into(),
        _ => return None,
    };
    (port != 0 || !address.is_unspecified()).then(|| SocketAddr::new(address, port))
}

fn unix_ends(wire: &WireSocket, role: Role, path: BString) -> UnixEnds {
    let (source, destination) = match role {
        Role::Server => (wire.peer, wire.own),
        Role::Client | Role::None => (wire.own, wire.peer),
    };
    UnixEnds {
        source,
        destination,
        path: without_end(path),
    }
}

/// The name of a socket in the file system ends with a NUL that is none of it; that of an abstract one begins with one.
fn without_end(mut path: BString) -> BString {
    if path.first() != Some(&0)
        && let Some(end) = path.iter().position(|&byte| byte == 0)
    {
        path.truncate(end);
    }
    path
}

/// An address as a program passed it; none where it is too short to be one.
pub(super) fn decode_address(bytes: &[u8]) -> Option<Address> {
    let family = u16::read(bytes)?;
    let port = |at: usize| {
        let bytes = bytes.get(at..)?.first_chunk()?;
        Some(u16::from_be_bytes(*bytes))
    };
    Some(match family {
        AF_INET => {
            let address: [u8; 4] = *bytes.get(4..)?.first_chunk()?;
            Address::Inet(SocketAddr::new(Ipv4Addr::from(address).into(), port(2)?))
        }
        AF_INET6 => {
            let address: [u8; 16] = *bytes.get(8..)?.first_chunk()?;
            Address::Inet(SocketAddr::new(Ipv6Addr::from(address).into(), port(2)?))
        }
        AF_UNIX => Address::Unix(without_end(bytes.get(2..)?.into())),
        family => Address::Other(family),
    })
}
