//! What a descriptor leads to: a file, a socket, or one of the kernel's other objects.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bstr::BString;
use vigia_event::captured::Call;
use vigia_event::descriptor::{Descriptor, ObjectKind};
use vigia_event::socket::{Address, Protocol, Role, Socket, UnixEnds};

use crate::document::Node;
use crate::reading::{self, Keys, Result};

/// Calls by which somebody becomes the server of a connection.
const SERVING: &[&str] = &[
    "accept", "accept4", "bind", "listen", "recvfrom", "recvmsg", "recvmmsg",
];
/// Calls that take an address from the program.
const ADDRESSING: &[&str] = &["connect", "bind", "sendto", "sendmsg", "sendmmsg"];
/// Calls that usually are about datagrams.
const DATAGRAMS: &[&str] = &[
    "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",
];

const PROTOCOLS: [Protocol; 4] = [Protocol::Tcp, Protocol::Udp, Protocol::Icmp, Protocol::Raw];
const OBJECTS: [ObjectKind; 11] = [
    ObjectKind::Pipe,
    ObjectKind::Event,
    ObjectKind::SignalFd,
    ObjectKind::EventPoll,
    ObjectKind::Inotify,
    ObjectKind::TimerFd,
    ObjectKind::Bpf,
    ObjectKind::UserFaultFd,
    ObjectKind::IoUring,
    ObjectKind::Memfd,
    ObjectKind::PidFd,
];

/// Whether a call is about sockets by its nature, so that a path given for it is that of a Unix socket.
pub(super) fn is_about_sockets(name: &str) -> bool {
    SERVING.contains(&name)
        || ADDRESSING.contains(&name)
        || matches!(name, "shutdown" | "getpeername" | "getsockname")
}

/// Whether a text is an address with a port.
pub(super) fn is_address(text: &str) -> bool {
    text.parse::<SocketAddr>().is_ok()
}

/// Makes the call's descriptor lead to what a case names: an address with a port, the path of a Unix socket or of a file,
/// or a kind of object.
pub(super) fn attach(call: &mut Call, node: &Node, case: &Keys<'_>) -> Result<()> {
    let given = reading::text(node)?;
    let name = call.event_type.name();
    if let Ok(address) = given.parse::<SocketAddr>() {
        let local = case
            .get("local")
            .map(|node| socket_address(node))
            .transpose()?;
        let protocol = case
            .get("protocol")
            .map(|node| protocol(node))
            .transpose()?;
        let usual = if DATAGRAMS.contains(&name) {
            Protocol::Udp
        } else {
            Protocol::Tcp
        };
        call.descriptor = Some(Descriptor::Socket(Box::new(internet(
            name,
            address,
            local,
            protocol.unwrap_or(usual),
        ))));
        call.address = ADDRESSING.contains(&name).then_some(Address::Inet(address));
        return Ok(());
    }
    let kind = OBJECTS.iter().find(|kind| kind.name() == Some(given));
    if let Some(&kind) = kind {
        call.descriptor = Some(Descriptor::Object {
            kind,
            name: BString::default(),
        });
    } else if is_about_sockets(name) && given.starts_with(['/', '@']) {
        let path: BString = given
            .replacen('@', "\0", usize::from(given.starts_with('@')))
            .into();
        let role = if SERVING.contains(&name) {
            Role::Server
        } else {
            Role::Client
        };
        let ends = UnixEnds {
            path: path.clone(),
            ..UnixEnds::default()
        };
        call.descriptor = Some(Descriptor::Socket(Box::new(Socket::unix(role, ends))));
        call.address = ADDRESSING.contains(&name).then_some(Address::Unix(path));
    } else if given.starts_with('/') {
        call.file = Some(super::call::regular(given));
    } else {
        let message = format!(
            "`{given}` is neither an absolute path, nor an address with a port such as 10.0.0.1:443, nor a kind of object such as pipe"
        );
        return Err(node.fault(message));
    }
    Ok(())
}

/// The socket of a call that names one address: its own for `bind` and `listen`, else that of the other end.
fn internet(
    call: &str,
    address: SocketAddr,
    local: Option<SocketAddr>,
    protocol: Protocol,
) -> Socket {
    if matches!(call, "bind" | "listen") {
        let mut socket = Socket::inet(protocol, Role::None, Some(address), None);
        socket.listening = call == "listen";
        socket.name_changed = call == "bind";
        return socket;
    }
    let serves = SERVING.contains(&call);
    let own: IpAddr = if address.is_ipv4() {
        Ipv4Addr::new(172, 17, 0, 2).into()
    } else {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2).into()
    };
    let local = local.unwrap_or(SocketAddr::new(own, if serves { 80 } else { 40_000 }));
    let role = if serves { Role::Server } else { Role::Client };
    let mut socket = Socket::inet(protocol, role, Some(local), Some(address));
    socket.connected = true;
    socket.name_changed = call == "connect";
    socket
}

fn socket_address(node: &Node) -> Result<SocketAddr> {
    let given = reading::text(node)?;
    given.parse().map_err(|_| {
        node.fault(format!(
            "`{given}` is no address with a port such as 10.0.0.1:443"
        ))
    })
}

fn protocol(node: &Node) -> Result<Protocol> {
    reading::one_of(node, &PROTOCOLS, |one| one.name().unwrap_or_default())
}
