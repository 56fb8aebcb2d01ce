//! `fd.*` of sockets: addresses, ports, names, and the state of the connection.

use std::net::{IpAddr, SocketAddr};

use crate::event::View;
use crate::socket::{Family, Protocol, Role, Socket};
use crate::value::{Extracted, FieldType, Value, Values};

use super::{ArgumentRule, Availability, FieldRow, Shape, Stability};

/// What stands for a protocol that a known descriptor does not have.
const NOT_AVAILABLE: &str = "<NA>";

/// The client's end, the server's, the own, and the other one; `fd.ip` and its relatives are both.
macro_rules! ends {
    ($( $suffix:literal $field_type:ident $doc:literal $example:literal $read:ident, )*) => {
        [ $(
            end_row(concat!("fd.c", $suffix), FieldType::$field_type, concat!("The client's ", $doc), $example,
                |view, _| $read(view, Socket::client)),
            end_row(concat!("fd.s", $suffix), FieldType::$field_type,
                concat!("The server's ", $doc, " For a socket that is only bound, its own."), $example,
                |view, _| $read(view, Socket::server)),
            end_row(concat!("fd.l", $suffix), FieldType::$field_type, concat!("The process's own ", $doc), $example,
                |view, _| $read(view, Socket::local_end)),
            end_row(concat!("fd.r", $suffix), FieldType::$field_type, concat!("The other end's ", $doc), $example,
                |view, _| $read(view, Socket::remote_end)),
        )* ]
    };
}

pub(super) static ENDS: &[FieldRow] = &ends! {
    "ip" Ip "address." "10.0.3.7" address,
    "net" IpNet "address, tested against networks." "10.0.3.7" address,
    "port" Port "port. Constants may be names of services." "443" port,
    "proto" Text "port as text." "443" port_text,
};

pub(super) static NAMES: &[FieldRow] = &[
    name_row(
        "fd.cip.name",
        "The domain names that resolve to the client's address.",
        |view, _| names(view, Socket::client),
    ),
    name_row(
        "fd.sip.name",
        "The domain names that resolve to the server's address. Names are looked up in the background, and only those that rules compare with; until all are answered the value is unknown.",
        |view, _| names(view, Socket::server),
    ),
    name_row(
        "fd.lip.name",
        "The domain names that resolve to the process's own address.",
        |view, _| names(view, Socket::local_end),
    ),
    name_row(
        "fd.rip.name",
        "The domain names that resolve to the address of the other end.",
        |view, _| names(view, Socket::remote_end),
    ),
];

pub(super) static FIELDS: &[FieldRow] = &[
    both_row(
        "fd.ip",
        FieldType::Ip,
        "The addresses of client and server: equal to one is equal, different only from both is different. Exists for every known descriptor, though only sockets have addresses to compare.",
        "10.0.3.7",
        |view, _| addresses(view),
    ),
    both_row(
        "fd.net",
        FieldType::IpNet,
        "The addresses of client and server, tested against networks as `fd.ip`.",
        "10.0.3.7",
        |view, _| addresses(view),
    ),
    both_row(
        "fd.port",
        FieldType::Port,
        "The ports of client and server, compared as `fd.ip`.",
        "443",
        |view, _| both(view, |end| Some(Value::Uint(end.port().into()))),
    ),
    both_row(
        "fd.proto",
        FieldType::Port,
        "The same as `fd.port`.",
        "443",
        |view, _| both(view, |end| Some(Value::Uint(end.port().into()))),
    ),
    row!(
        "fd.l4proto",
        Text,
        Stable,
        Descriptors,
        "The transport protocol: `tcp`, `udp`, `icmp` or `raw`; `<NA>` for other descriptors. Missing where the descriptor is not known.",
        "tcp",
        |view, _| {
            let protocol = view
                .event
                .socket()
                .and_then(|socket| socket.protocol.name());
            known(view, Value::text(protocol.unwrap_or(NOT_AVAILABLE)))
        }
    ),
    row!(
        "fd.sockfamily",
        Text,
        Stable,
        Descriptors,
        "`ip` or `unix`. Missing for everything else.",
        "ip",
        |view, _| Extracted::text(view.event.socket().and_then(|socket| match socket.family {
            Family::Ipv4 | Family::Ipv6 => Some("ip"),
            Family::Unix => Some("unix"),
            Family::Netlink | Family::Other(_) => None,
        }))
    ),
    row!(
        "fd.is_server",
        Bool,
        Stable,
        Descriptors,
        "Whether the process is the server of the connection, or waits for connections.",
        "false",
        |view, _| of_socket(view, |socket| socket.listening
            || socket.role == Role::Server)
    ),
    row!(
        "fd.connected",
        Bool,
        Volatile,
        Descriptors,
        "Whether the socket is connected, after the event. A datagram sent or received without `connect` sets `fd.name_changed` and does not connect.",
        "true",
        |view, _| of_socket(view, |socket| socket.connected)
    ),
    row!(
        "fd.name_changed",
        Bool,
        Volatile,
        Descriptors,
        "Whether this event gave the socket another address at either end.",
        "false",
        |view, _| of_socket(view, |socket| socket.name_changed)
    ),
];

const fn end_row(
    name: &'static str,
    field_type: FieldType,
    doc: &'static str,
    example: &'static str,
    extract: super::Extract,
) -> FieldRow {
    FieldRow {
        name,
        field_type,
        shape: Shape::Single,
        argument: ArgumentRule::None,
        stability: Stability::Volatile,
        availability: Availability::Connections,
        doc,
        example,
        extract,
    }
}

const fn both_row(
    name: &'static str,
    field_type: FieldType,
    doc: &'static str,
    example: &'static str,
    extract: super::Extract,
) -> FieldRow {
    FieldRow {
        shape: Shape::Aliases,
        ..end_row(name, field_type, doc, example, extract)
    }
}

const fn name_row(name: &'static str, doc: &'static str, extract: super::Extract) -> FieldRow {
    both_row(name, FieldType::Text, doc, "example.com", extract)
}

fn ip<'e>(end: SocketAddr) -> Value<'e> {
    Value::Ip(end.ip())
}

fn end(view: View<'_>, which: fn(&Socket) -> Option<SocketAddr>) -> Option<SocketAddr> {
    view.event.socket().and_then(which)
}

fn address(view: View<'_>, which: fn(&Socket) -> Option<SocketAddr>) -> Extracted<'_> {
    Extracted::from_option(end(view, which).map(ip))
}

fn port(view: View<'_>, which: fn(&Socket) -> Option<SocketAddr>) -> Extracted<'_> {
    Extracted::from_option(with_port(view, which).map(|port| Value::Uint(port.into())))
}

fn port_text(view: View<'_>, which: fn(&Socket) -> Option<SocketAddr>) -> Extracted<'_> {
    let text = with_port(view, which).map(|port| Value::made(port.to_string().into_bytes()));
    Extracted::from_option(text)
}

/// The port of an end, where the protocol has ports.
fn with_port(view: View<'_>, which: fn(&Socket) -> Option<SocketAddr>) -> Option<u16> {
    let protocol = view.event.socket()?.protocol;
    let has_ports = !matches!(protocol, Protocol::Icmp | Protocol::Raw);
    end(view, which).filter(|_| has_ports).map(|end| end.port())
}

/// Both ends of an internet socket whatever its role, client first; of one that is only bound its own address.
fn both<'e>(view: View<'e>, read: fn(SocketAddr) -> Option<Value<'e>>) -> Extracted<'e> {
    let Some(socket) = view.event.socket().filter(|socket| socket.is_inet()) else {
        return Extracted::Missing;
    };
    let (first, second) = match socket.role {
        Role::Server => (socket.remote, socket.local),
        Role::Client | Role::None => (socket.local, socket.remote),
    };
    let values: Values<'e> = [first, second]
        .into_iter()
        .flatten()
        .filter_map(read)
        .collect();
    if values.is_empty() {
        Extracted::Missing
    } else {
        Extracted::Many(values)
    }
}

/// Both addresses; of a known descriptor that has none, no value, which is not the same as missing.
fn addresses(view: View<'_>) -> Extracted<'_> {
    match both(view, |end| Some(ip(end))) {
        Extracted::Missing if view.event.has_known_descriptor() => {
            Extracted::Many(Values::of_texts(&[]))
        }
        addresses => addresses,
    }
}

/// Missing for a socket without two known ends; no value at all for an address that no name resolves to, so that it
/// is different from every name.
fn names(view: View<'_>, which: fn(&Socket) -> Option<SocketAddr>) -> Extracted<'_> {
    let event = view.event;
    let connection = event.socket().filter(|socket| socket.ends().is_some());
    let Some(address) = connection.and_then(which).map(|end| end.ip()) else {
        return Extracted::Missing;
    };
    if event.domain_names.is_pending() {
        return Extracted::Unknown;
    }
    Extracted::Many(of_address(view, address))
}

fn of_address(view: View<'_>, address: IpAddr) -> Values<'_> {
    let names = view.event.domain_names.of(address);
    names.map(Value::text).collect()
}

/// A value of a descriptor that is known.
fn known<'e>(view: View<'e>, value: Value<'e>) -> Extracted<'e> {
    if view.event.has_known_descriptor() {
        value.into()
    } else {
        Extracted::Missing
    }
}

/// False for what is no socket; missing where that is not known.
fn of_socket(view: View<'_>, test: fn(&Socket) -> bool) -> Extracted<'_> {
    known(view, Value::Bool(view.event.socket().is_some_and(test)))
}
