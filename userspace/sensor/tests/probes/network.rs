//! Sockets: every call, both ends, and what is remembered of a socket.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixListener;

use vigia_event::captured::Call;
use vigia_event::socket::{Address, Family, Protocol, Role, Socket};

use super::actor::{Actor, Arg, args};
use super::rig::Rig;

const STREAM: i32 = libc::SOCK_STREAM;
const DATAGRAM: i32 = libc::SOCK_DGRAM;

/// The bytes of a `struct sockaddr_in` or `sockaddr_in6`.
fn sockaddr(address: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::new();
    let port = address.port().to_be_bytes();
    match address {
        SocketAddr::V4(address) => {
            bytes.extend(2u16.to_le_bytes());
            bytes.extend(port);
            bytes.extend(address.ip().octets());
            bytes.extend([0; 8]);
        }
        SocketAddr::V6(address) => {
            bytes.extend(10u16.to_le_bytes());
            bytes.extend(port);
            bytes.extend([0; 4]);
            bytes.extend(address.ip().octets());
            bytes.extend([0; 4]);
        }
    }
    bytes
}

/// The bytes of a `struct sockaddr_un`.
fn sockaddr_un(path: &[u8]) -> Vec<u8> {
    [&1u16.to_le_bytes()[..], path, &[0]].concat()
}

fn socket(actor: &mut Actor, family: i32, kind: i32) -> i64 {
    let fd = actor.call(libc::SYS_socket, args![family, kind, 0]);
    assert!(fd >= 0, "{fd}");
    fd
}

fn to(actor: &mut Actor, number: i64, fd: i64, address: &[u8]) -> i64 {
    let len = i64::try_from(address.len()).unwrap();
    actor.call(number, args![fd, address.to_vec(), len])
}

fn socket_of(call: &Call) -> &Socket {
    call.socket().unwrap_or_else(|| panic!("{call:#?}"))
}

#[test]
fn a_connection_has_both_ends_at_both_ends() {
    let Some(mut rig) = Rig::arm() else { return };
    for ip in [
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
    ] {
        let Ok(listener) = TcpListener::bind(ip) else {
            assert!(ip.is_ipv6(), "no IPv4 here");
            println!("skipped: no IPv6 here");
            continue;
        };
        let (af, family) = if ip.is_ipv4() {
            (libc::AF_INET, Family::Ipv4)
        } else {
            (libc::AF_INET6, Family::Ipv6)
        };
        let server = listener.local_addr().unwrap();
        let mut actor = rig.actor();
        let fd = socket(&mut actor, af, STREAM);
        let made = rig.only_call(actor.pid(), "socket");
        assert_eq!(
            (made.result, made.args[0]),
            (fd, u64::from(af.cast_unsigned()))
        );
        assert_eq!(socket_of(&made).family, family);
        assert_eq!(socket_of(&made).protocol, Protocol::Tcp);
        assert_eq!(socket_of(&made).name(), "");

        assert_eq!(to(&mut actor, libc::SYS_connect, fd, &sockaddr(server)), 0);
        let (_, client) = listener.accept().unwrap();
        let call = rig.only_call(actor.pid(), "connect");
        assert_eq!(call.address, Some(Address::Inet(server)));
        let seen = socket_of(&call);
        assert_eq!((seen.local, seen.remote), (Some(client), Some(server)));
        assert_eq!(seen.role, Role::Client);
        assert!(seen.connected && seen.name_changed && !seen.listening);

        // Later calls know what the connection was.
        assert_eq!(actor.call(libc::SYS_dup2, args![fd, 90]), 90);
        let call = rig.only_call(actor.pid(), "dup2");
        let seen = socket_of(&call);
        assert_eq!((seen.role, seen.remote), (Role::Client, Some(server)));
        assert!(seen.connected && !seen.name_changed);
        assert_eq!(actor.call(libc::SYS_shutdown, args![fd, 1]), 0);
        let call = rig.only_call(actor.pid(), "shutdown");
        assert_eq!(socket_of(&call).remote, Some(server));
    }
}

#[test]
fn an_accepted_connection_is_the_server_s_end() {
    let Some(mut rig) = Rig::arm() else { return };
    for (number, name, flags) in [
        (libc::SYS_accept, "accept", 0),
        (libc::SYS_accept4, "accept4", libc::SOCK_CLOEXEC),
    ] {
        let mut actor = rig.actor();
        let fd = socket(&mut actor, libc::AF_INET, STREAM);
        let any = sockaddr((Ipv4Addr::LOCALHOST, 0).into());
        assert_eq!(to(&mut actor, libc::SYS_bind, fd, &any), 0);
        let call = rig.only_call(actor.pid(), "bind");
        let bound = socket_of(&call).local.unwrap();
        assert!(bound.port() != 0 && bound.ip().is_loopback());
        assert_eq!(
            call.address,
            Some(Address::Inet((Ipv4Addr::LOCALHOST, 0).into()))
        );
        assert_eq!(actor.call(libc::SYS_listen, args![fd, 5]), 0);
        let call = rig.only_call(actor.pid(), "listen");
        assert!(socket_of(&call).listening && !socket_of(&call).connected);
        assert_eq!(socket_of(&call).name(), bound.to_string());

        let mut stream = TcpStream::connect(bound).unwrap();
        let accepted = actor.call(number, args![fd, 0, 0, flags]);
        let call = rig.only_call(actor.pid(), name);
        assert_eq!(call.result, accepted);
        let seen = socket_of(&call);
        let client = stream.local_addr().unwrap();
        assert_eq!((seen.local, seen.remote), (Some(bound), Some(client)));
        assert_eq!(seen.role, Role::Server);
        assert_eq!(seen.name(), format!("{client}->{bound}"));
        assert!(seen.connected && seen.name_changed);

        stream.write_all(b"GET / HTTP/1.1").unwrap();
        let read = actor.call(
            libc::SYS_recvfrom,
            args![accepted, vec![0; 64], 64, 0, 0, 0],
        );
        assert_eq!(read, 14);
        let call = rig.only_call(actor.pid(), "recvfrom");
        assert_eq!(call.data.as_ref().unwrap(), "GET / HTTP/1.1");
        let seen = socket_of(&call);
        assert_eq!(seen.role, Role::Server);
        assert!(seen.connected && !seen.name_changed, "{seen:?}");

        let sent = actor.call(
            libc::SYS_sendto,
            args![accepted, b"ok!".to_vec(), 3, 0, 0, 0],
        );
        assert_eq!(sent, 3);
        let mut answer = [0; 3];
        stream.read_exact(&mut answer).unwrap();
        let call = rig.only_call(actor.pid(), "sendto");
        assert_eq!(call.data.as_ref().unwrap(), "ok!");
    }
}

#[test]
fn a_refused_connection_has_the_address_that_was_passed() {
    let Some(mut rig) = Rig::arm() else { return };
    let nobody = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap()
    };
    let mut actor = rig.actor();
    let fd = socket(&mut actor, libc::AF_INET, STREAM);
    let refused = to(&mut actor, libc::SYS_connect, fd, &sockaddr(nobody));
    assert_eq!(refused, i64::from(-libc::ECONNREFUSED));
    let call = rig.only_call(actor.pid(), "connect");
    assert_eq!(call.address, Some(Address::Inet(nobody)));
    assert!(!socket_of(&call).connected);

    // One that does not wait is refused while it is under way: rules are told whom it was for.
    let fd = socket(&mut actor, libc::AF_INET, STREAM | libc::SOCK_NONBLOCK);
    let begun = to(&mut actor, libc::SYS_connect, fd, &sockaddr(nobody));
    if begun == i64::from(-libc::EINPROGRESS) {
        let call = rig.only_call(actor.pid(), "connect");
        let seen = socket_of(&call);
        assert_eq!((seen.role, seen.remote), (Role::Client, Some(nobody)));
        assert!(seen.connected && seen.name_changed);
    }
}

#[test]
fn a_datagram_names_its_socket_and_does_not_connect_it() {
    let Some(mut rig) = Rig::arm() else { return };
    let one = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (first, second) = (one.local_addr().unwrap(), other.local_addr().unwrap());
    let mut actor = rig.actor();
    let fd = socket(&mut actor, libc::AF_INET, DATAGRAM);
    rig.read();
    for (address, changed) in [(first, true), (first, false), (second, true)] {
        let sent = actor.call(
            libc::SYS_sendto,
            args![fd, b"hi".to_vec(), 2, 0, sockaddr(address), 16],
        );
        assert_eq!(sent, 2);
        let call = rig.only_call(actor.pid(), "sendto");
        let seen = socket_of(&call);
        assert_eq!(seen.protocol, Protocol::Udp);
        assert_eq!((seen.remote, seen.role), (Some(address), Role::Client));
        assert_eq!(seen.name_changed, changed, "{seen:?}");
        assert!(!seen.connected, "{seen:?}");
        assert!(seen.local.unwrap().port() != 0);
    }
    // The same as messages.
    for (number, name) in [
        (libc::SYS_sendmsg, "sendmsg"),
        (libc::SYS_sendmmsg, "sendmmsg"),
    ] {
        let message = Arg::Message {
            name: sockaddr(first),
            data: b"message".to_vec(),
        };
        let args = [Arg::Int(fd), message, Arg::Int(1), Arg::Int(0)];
        let args = if name == "sendmsg" {
            vec![args[0].clone(), args[1].clone(), Arg::Int(0)]
        } else {
            args.to_vec()
        };
        assert!(actor.call(number, &args) > 0);
        let call = rig.only_call(actor.pid(), name);
        assert_eq!(call.address, Some(Address::Inet(first)), "{name}");
        assert_eq!(call.data.as_ref().unwrap(), "message", "{name}");
        assert_eq!(socket_of(&call).remote, Some(first), "{name}");
    }

    // And received: from whom is known where the program asks.
    let bound = {
        let call = actor.call(libc::SYS_dup, args![fd]);
        assert!(call >= 0);
        let call = rig.only_call(actor.pid(), "dup");
        socket_of(&call).local.unwrap().port()
    };
    let own = SocketAddr::from((Ipv4Addr::LOCALHOST, bound));
    for (number, name) in [
        (libc::SYS_recvfrom, "recvfrom"),
        (libc::SYS_recvmsg, "recvmsg"),
        (libc::SYS_recvmmsg, "recvmmsg"),
    ] {
        other.send_to(b"answer", own).unwrap();
        let message = Arg::Message {
            name: vec![0; 16],
            data: vec![0; 32],
        };
        let args = match name {
            "recvfrom" => vec![
                Arg::Int(fd),
                Arg::Bytes(vec![0; 32]),
                Arg::Int(32),
                Arg::Int(0),
                Arg::Bytes(vec![0; 16]),
                Arg::Words(vec![16]),
            ],
            "recvmsg" => vec![Arg::Int(fd), message, Arg::Int(0)],
            _ => vec![Arg::Int(fd), message, Arg::Int(1), Arg::Int(0), Arg::Int(0)],
        };
        assert!(actor.call(number, &args) > 0, "{name}");
        let call = rig.only_call(actor.pid(), name);
        assert_eq!(call.data.as_ref().unwrap(), "answer", "{name}");
        assert_eq!(call.address, Some(Address::Inet(second)), "{name}");
        assert_eq!(socket_of(&call).remote, Some(second), "{name}");
    }
}

#[test]
fn a_connected_datagram_socket_is_connected() {
    let Some(mut rig) = Rig::arm() else { return };
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut actor = rig.actor();
    let fd = socket(&mut actor, libc::AF_INET, DATAGRAM);
    let address = peer.local_addr().unwrap();
    assert_eq!(to(&mut actor, libc::SYS_connect, fd, &sockaddr(address)), 0);
    let call = rig.only_call(actor.pid(), "connect");
    let seen = socket_of(&call);
    assert!(seen.connected && seen.name_changed);
    assert_eq!((seen.role, seen.remote), (Role::Client, Some(address)));
    let sent = actor.call(libc::SYS_sendto, args![fd, b"x".to_vec(), 1, 0, 0, 0]);
    assert_eq!(sent, 1);
    let call = rig.only_call(actor.pid(), "sendto");
    assert!(socket_of(&call).connected && !socket_of(&call).name_changed);
}

#[test]
fn a_datagram_goes_to_the_address_that_is_passed() {
    let Some(mut rig) = Rig::arm() else { return };
    let [peer, other] = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let (peer, other) = (peer.local_addr().unwrap(), other.local_addr().unwrap());
    let mut actor = rig.actor();
    // The kernel takes an address of no family for one of IPv4.
    let mut of_no_family = sockaddr(other);
    of_no_family[0] = 0;
    for (family, is_connected, passed) in [
        (libc::AF_INET, true, sockaddr(other)),
        (libc::AF_INET, false, of_no_family.clone()),
        (libc::AF_INET, true, of_no_family),
        (libc::AF_INET6, false, sockaddr(other)),
    ] {
        let fd = socket(&mut actor, family, DATAGRAM);
        if is_connected {
            assert_eq!(to(&mut actor, libc::SYS_connect, fd, &sockaddr(peer)), 0);
        }
        rig.read();
        let sent = args![fd, b"hi".to_vec(), 2, 0, passed.clone(), 16];
        let sent = actor.call(libc::SYS_sendto, sent);
        if sent < 0 {
            println!("skipped: IPv{family} sends no such datagram here ({sent})");
            continue;
        }
        let call = rig.only_call(actor.pid(), "sendto");
        let seen = socket_of(&call);
        assert_eq!(
            seen.remote,
            Some(other),
            "{family} {is_connected} {passed:?}"
        );
        assert!(seen.name_changed, "{seen:?}");
        assert_eq!(actor.call(libc::SYS_close, args![fd]), 0);
    }
}

#[test]
fn a_connection_by_the_first_data_is_one() {
    let Some(mut rig) = Rig::arm() else { return };
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let mut actor = rig.actor();
    let fd = socket(&mut actor, libc::AF_INET, STREAM);
    rig.read();
    let first = args![
        fd,
        b"hi".to_vec(),
        2,
        libc::MSG_FASTOPEN,
        sockaddr(address),
        16
    ];
    let sent = actor.call(libc::SYS_sendto, first);
    if sent == i64::from(-libc::EOPNOTSUPP) {
        println!("skipped: TCP Fast Open is off");
        return;
    }
    assert_eq!(sent, 2);
    let call = rig.only_call(actor.pid(), "sendto");
    let seen = socket_of(&call);
    assert_eq!((seen.role, seen.remote), (Role::Client, Some(address)));
    assert!(seen.name_changed, "{seen:?}");
}

#[test]
fn a_unix_socket_has_the_name_of_its_server() {
    let Some(mut rig) = Rig::arm() else { return };
    let path = rig.path("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let mut actor = rig.actor();
    let fd = socket(&mut actor, libc::AF_UNIX, STREAM);
    let address = sockaddr_un(path.as_bytes());
    assert_eq!(to(&mut actor, libc::SYS_connect, fd, &address), 0);
    let call = rig.only_call(actor.pid(), "connect");
    assert_eq!(call.address, Some(Address::Unix(path.as_str().into())));
    let seen = socket_of(&call);
    assert_eq!(seen.family, Family::Unix);
    let ends = seen.unix.as_ref().unwrap();
    assert_eq!(ends.path, path);
    assert!(ends.source != 0 && ends.destination != 0 && seen.connected);
    drop(listener);

    // An abstract name, and the end that accepts.
    let server = socket(&mut actor, libc::AF_UNIX, STREAM);
    let name = [
        &1u16.to_le_bytes()[..],
        b"\0vigia-test",
        &std::process::id().to_le_bytes(),
    ]
    .concat();
    assert_eq!(to(&mut actor, libc::SYS_bind, server, &name), 0);
    assert_eq!(actor.call(libc::SYS_listen, args![server, 1]), 0);
    let client = socket(&mut actor, libc::AF_UNIX, STREAM);
    assert_eq!(to(&mut actor, libc::SYS_connect, client, &name), 0);
    let accepted = actor.call(libc::SYS_accept4, args![server, 0, 0, 0]);
    assert!(accepted >= 0);
    let calls: Vec<_> = rig
        .read_of(actor.pid())
        .into_iter()
        .filter_map(super::rig::call)
        .collect();
    let of = |name: &str| {
        calls
            .iter()
            .rfind(|call| call.event_type.name() == name)
            .unwrap()
    };
    for call in ["connect", "accept4"] {
        let ends = socket_of(of(call)).unix.clone().unwrap();
        assert_eq!(ends.path, name[2..], "{call}");
    }
    assert_eq!(socket_of(of("accept4")).role, Role::Server);
}

#[test]
fn sockets_of_other_families_are_told_apart() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    rig.read();
    for (family, kind, expected) in [
        (libc::AF_NETLINK, libc::SOCK_RAW, Family::Netlink),
        (libc::AF_PACKET, libc::SOCK_RAW, Family::Other(17)),
        (libc::AF_ALG, libc::SOCK_SEQPACKET, Family::Other(38)),
    ] {
        let result = actor.call(libc::SYS_socket, args![family, kind, 0]);
        let call = rig.only_call(actor.pid(), "socket");
        assert_eq!(
            (call.result, call.args[0]),
            (result, u64::from(family.cast_unsigned()))
        );
        if result >= 0 {
            assert_eq!(socket_of(&call).family, expected);
        } else {
            println!("skipped: family {family} cannot be had here ({result})");
        }
    }
    let fd = actor.call(libc::SYS_socket, args![libc::AF_INET, libc::SOCK_RAW, 1]);
    let call = rig.only_call(actor.pid(), "socket");
    if fd >= 0 {
        assert_eq!(socket_of(&call).protocol, Protocol::Raw);
    }
}

#[test]
fn data_is_marked_where_there_is_more_of_it() {
    let Some(mut rig) = Rig::arm() else { return };
    let n = Arg::Int;
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut actor = rig.actor();
    let fd = socket(&mut actor, libc::AF_INET, DATAGRAM);
    let address = peer.local_addr().unwrap();
    assert_eq!(to(&mut actor, libc::SYS_connect, fd, &sockaddr(address)), 0);
    let own = rig.only_call(actor.pid(), "connect");
    peer.connect(socket_of(&own).local.unwrap()).unwrap();
    for length in [8usize, 5000] {
        let bytes = vec![b'x'; length];
        let message = || Arg::Message {
            name: Vec::new(),
            data: bytes.clone(),
        };
        let len = i64::try_from(length).unwrap();
        for (name, number, args, expected) in [
            (
                "sendto",
                libc::SYS_sendto,
                vec![n(fd), Arg::Bytes(bytes.clone()), n(len), n(0), n(0), n(0)],
                len,
            ),
            (
                "sendmsg",
                libc::SYS_sendmsg,
                vec![n(fd), message(), n(0)],
                len,
            ),
            (
                "sendmmsg",
                libc::SYS_sendmmsg,
                vec![n(fd), message(), n(1), n(0)],
                1,
            ),
        ] {
            assert_eq!(actor.call(number, &args), expected, "{name}");
            let call = rig.only_call(actor.pid(), name);
            assert_eq!(call.data.unwrap().len(), length.min(80), "{name}");
            assert_eq!(call.data_truncated, length > 80, "{name} of {length}");
        }
        // Received whole, and into too small a room, of which only what fits is told.
        for (room, flags, expected) in [(8192, 0, len), (4, libc::MSG_TRUNC, len)] {
            peer.send(&bytes).unwrap();
            let args = args![fd, vec![0; room], room as i64, flags, 0, 0];
            assert_eq!(actor.call(libc::SYS_recvfrom, args), expected);
            let call = rig.only_call(actor.pid(), "recvfrom");
            assert_eq!(call.data.unwrap().len(), length.min(room).min(80));
            assert_eq!(
                call.data_truncated,
                length.min(room) > 80,
                "{length} in {room}"
            );
        }
    }
}
