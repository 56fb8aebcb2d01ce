//! A socket as the kernel knew it at the event.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bstr::{BStr, BString, ByteSlice};
use serde::{Deserialize, Serialize};

/// A socket that a call made or was called on, after the call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// Address family.
    pub family: Family,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// Its own address, for the two internet families; `None` while it is not bound.
    pub local: Option<SocketAddr>,
    /// The address at the other end, for the two internet families; `None` while there is none. For a datagram, its
    /// receiver or sender.
    pub remote: Option<SocketAddr>,
    /// For [`Family::Unix`].
    pub unix: Option<UnixEnds>,
    /// Which end of the connection it is.
    pub role: Role,
    /// Whether it waits for connections.
    pub listening: bool,
    /// Whether it has an other end for good: after `connect` (also one in progress) or `accept`. A datagram gives
    /// a socket addresses, and does not connect it: that is how rules tell the two apart.
    pub connected: bool,
    /// Whether this very call gave it another address at either end.
    pub name_changed: bool,
}

/// The address family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    /// `AF_INET`, and `AF_INET6` with IPv4-mapped addresses.
    Ipv4,
    /// `AF_INET6`.
    Ipv6,
    /// `AF_UNIX`.
    Unix,
    /// `AF_NETLINK`.
    Netlink,
    /// Any other, by number.
    Other(u16),
}

impl Default for Family {
    /// `AF_UNSPEC`.
    fn default() -> Self {
        Self::Other(0)
    }
}

/// The transport protocol of an internet socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the protocols")]
pub enum Protocol {
    Tcp,
    Udp,
    Icmp,
    Raw,
    /// None of these, or no internet socket.
    #[default]
    Unknown,
}

/// Which end of a connection a socket is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// It connected, or sent first.
    Client,
    /// It was connected to.
    Server,
    /// Neither, or not known.
    #[default]
    None,
}

/// The two ends of a Unix domain socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnixEnds {
    /// Kernel address of the client's end; 0 for unknown.
    pub source: u64,
    /// Kernel address of the server's end; 0 for unknown.
    pub destination: u64,
    /// The path or abstract name of the server's end.
    pub path: BString,
}

/// An address as a program passed it to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// Of an internet family.
    Inet(SocketAddr),
    /// A path or abstract name.
    Unix(BString),
    /// Of another family, by number.
    Other(u16),
}

impl Protocol {
    /// The word rules use; `None` for [`Protocol::Unknown`].
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Raw => "raw",
            Self::Unknown => return None,
        })
    }

    /// The letter that stands behind a socket's type in the text of a parameter.
    pub(crate) fn letter(self) -> Option<char> {
        self.name().and_then(|name| name.chars().next())
    }

    /// Whether its addresses have ports.
    fn has_ports(self) -> bool {
        !matches!(self, Self::Icmp | Self::Raw)
    }
}

impl Socket {
    /// A socket of an internet family, with addresses as the kernel has them: IPv4-mapped ones become IPv4.
    #[must_use]
    pub fn inet(
        protocol: Protocol,
        role: Role,
        local: Option<SocketAddr>,
        remote: Option<SocketAddr>,
    ) -> Self {
        let (local, remote) = (local.map(canonical), remote.map(canonical));
        let (local, remote) = (alike(local, remote), alike(remote, local));
        let is_v4 = remote.or(local).is_none_or(|address| address.is_ipv4());
        Self {
            family: if is_v4 { Family::Ipv4 } else { Family::Ipv6 },
            protocol,
            local,
            remote,
            role,
            ..Self::default()
        }
    }

    /// A socket of the Unix family.
    #[must_use]
    pub fn unix(role: Role, ends: UnixEnds) -> Self {
        Self {
            family: Family::Unix,
            unix: Some(ends),
            role,
            ..Self::default()
        }
    }

    /// Whether it is of one of the two internet families.
    #[must_use]
    pub fn is_inet(&self) -> bool {
        matches!(self.family, Family::Ipv4 | Family::Ipv6)
    }

    /// Own and other address of an internet socket that has both.
    #[must_use]
    pub fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.local.zip(self.remote).filter(|_| self.is_inet())
    }

    /// The client's address, where it is known who is the client.
    #[must_use]
    pub fn client(&self) -> Option<SocketAddr> {
        let (local, remote) = self.ends()?;
        match self.role {
            Role::Client => Some(local),
            Role::Server => Some(remote),
            Role::None => None,
        }
    }

    /// The server's address, where it is known who is the server; for a socket that is only bound its own.
    #[must_use]
    pub fn server(&self) -> Option<SocketAddr> {
        let Some((local, remote)) = self.ends() else {
            return self.bound();
        };
        match self.role {
            Role::Client => Some(remote),
            Role::Server => Some(local),
            Role::None => None,
        }
    }

    /// The address of an internet socket that is bound, with a port, and has no other end.
    fn bound(&self) -> Option<SocketAddr> {
        self.local
            .filter(|local| self.is_inet() && self.remote.is_none() && local.port() != 0)
    }

    /// Own address of a connection whose client is known.
    #[must_use]
    pub fn local_end(&self) -> Option<SocketAddr> {
        let (local, _) = self.ends()?;
        (self.role != Role::None).then_some(local)
    }

    /// The other address of a connection whose client is known.
    #[must_use]
    pub fn remote_end(&self) -> Option<SocketAddr> {
        let (_, remote) = self.ends()?;
        (self.role != Role::None).then_some(remote)
    }

    /// The connection as text, client first: `10.0.0.1:51234->10.0.0.2:443`, without ports where the protocol has
    /// none; the own address of a socket that is only bound; kernel addresses and path of a Unix socket; empty where
    /// there is nothing to tell.
    #[must_use]
    pub fn name(&self) -> String {
        let mut text = String::new();
        if let Some((local, remote)) = self.ends() {
            let (from, to) = match self.role {
                Role::Server => (remote, local),
                Role::Client | Role::None => (local, remote),
            };
            self.end(&mut text, from);
            text.push_str("->");
            self.end(&mut text, to);
        } else if let Some(local) = self.local.filter(|_| self.is_inet()) {
            self.end(&mut text, local);
        } else if let Some(unix) = &self.unix {
            if (unix.source, unix.destination) != (0, 0) {
                // Writing to a string cannot fail.
                let _ = write!(text, "{:x}->{:x} ", unix.source, unix.destination);
            }
            text.push_str(&unix_path(unix.path.as_bstr()));
        }
        text
    }

    fn end(&self, text: &mut String, address: SocketAddr) {
        if self.protocol.has_ports() {
            push_address(text, address);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}", address.ip());
        }
    }
}

impl Address {
    /// As parameters print it: `IP:PORT`, a path, or `family N`.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Inet(address) => {
                let mut text = String::new();
                push_address(&mut text, canonical(*address));
                text
            }
            Self::Unix(path) => unix_path(path.as_bstr()),
            Self::Other(family) => format!("family {family}"),
        }
    }
}

/// `IP:PORT`; unlike in a URL, an IPv6 address stands without brackets.
fn push_address(text: &mut String, address: SocketAddr) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{}:{}", address.ip(), address.port());
}

/// An abstract name begins with a zero byte, which is printed as `@`, as other tools do.
fn unix_path(path: &BStr) -> String {
    match path.strip_prefix(b"\0") {
        Some(name) => format!("@{}", name.to_str_lossy()),
        None => path.to_str_lossy().into_owned(),
    }
}

/// An IPv4-mapped address as the IPv4 address it is.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// An end that is not chosen yet, in the family of the other: of a socket of both families the kernel has `::`.
fn alike(end: Option<SocketAddr>, other: Option<SocketAddr>) -> Option<SocketAddr> {
    end.map(|end| match other {
        Some(SocketAddr::V4(_)) if end.is_ipv6() && end.ip().is_unspecified() => {
            SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), end.port())
        }
        _ => end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Option<SocketAddr> {
        (!address.is_empty()).then(|| address.parse().expect("an address"))
    }

    #[test]
    fn a_connection_reads_from_client_to_server() {
        use Protocol as P;
        for (protocol, role, local, remote, name) in [
            (
                P::Tcp,
                Role::Client,
                "10.0.0.1:40000",
                "10.0.0.2:443",
                "10.0.0.1:40000->10.0.0.2:443",
            ),
            (
                P::Tcp,
                Role::Server,
                "10.0.0.1:443",
                "10.0.0.2:40000",
                "10.0.0.2:40000->10.0.0.1:443",
            ),
            (
                P::Udp,
                Role::None,
                "10.0.0.1:53",
                "10.0.0.2:53",
                "10.0.0.1:53->10.0.0.2:53",
            ),
            (
                P::Tcp,
                Role::Client,
                "[::1]:1",
                "[2001:db8::2]:2",
                "::1:1->2001:db8::2:2",
            ),
            (
                P::Tcp,
                Role::Client,
                "[::ffff:1.2.3.4]:1",
                "[::ffff:5.6.7.8]:2",
                "1.2.3.4:1->5.6.7.8:2",
            ),
            (
                P::Udp,
                Role::Client,
                "[::]:45000",
                "[::ffff:1.2.3.4]:53",
                "0.0.0.0:45000->1.2.3.4:53",
            ),
            (
                P::Icmp,
                Role::Client,
                "10.0.0.1:0",
                "10.0.0.2:0",
                "10.0.0.1->10.0.0.2",
            ),
            (
                P::Raw,
                Role::Client,
                "10.0.0.1:0",
                "10.0.0.2:0",
                "10.0.0.1->10.0.0.2",
            ),
            (P::Tcp, Role::None, "0.0.0.0:80", "", "0.0.0.0:80"),
            (P::Tcp, Role::None, "", "", ""),
        ] {
            let socket = Socket::inet(protocol, role, at(local), at(remote));
            assert_eq!(socket.name(), name, "{local} {remote} {role:?}");
        }
    }

    #[test]
    fn client_and_server_follow_the_role() {
        for (role, local, remote, client, server) in [
            (
                Role::Client,
                "10.0.0.1:1",
                "10.0.0.2:2",
                "10.0.0.1:1",
                "10.0.0.2:2",
            ),
            (
                Role::Server,
                "10.0.0.1:1",
                "10.0.0.2:2",
                "10.0.0.2:2",
                "10.0.0.1:1",
            ),
            (Role::None, "10.0.0.1:1", "10.0.0.2:2", "", ""),
            (Role::None, "10.0.0.1:1", "", "", "10.0.0.1:1"),
            (Role::None, "10.0.0.1:0", "", "", ""),
            (Role::None, "", "", "", ""),
        ] {
            let socket = Socket::inet(Protocol::Tcp, role, at(local), at(remote));
            assert_eq!((socket.client(), socket.server()), (at(client), at(server)));
        }
    }

    #[test]
    fn unix_sockets_read_as_their_ends_and_path() {
        for (source, destination, path, name) in [
            (0, 0, "/run/docker.sock", "/run/docker.sock"),
            (0xffff_0001, 0xffff_0002, "/x", "ffff0001->ffff0002 /x"),
            (0, 0, "\0dbus", "@dbus"),
        ] {
            let ends = UnixEnds {
                source,
                destination,
                path: path.into(),
            };
            assert_eq!(Socket::unix(Role::Client, ends).name(), name);
        }
    }

    #[test]
    fn addresses_read_as_parameters_print_them() {
        for (address, text) in [
            (
                Address::Inet("1.2.3.4:5".parse().expect("an address")),
                "1.2.3.4:5",
            ),
            (
                Address::Inet("[::1]:5".parse().expect("an address")),
                "::1:5",
            ),
            (Address::Unix("/run/x".into()), "/run/x"),
            (Address::Other(17), "family 17"),
        ] {
            assert_eq!(address.text(), text);
        }
    }
}
