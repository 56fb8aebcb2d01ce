//! The other side of network attacks: addresses that the main process of a container gives its own loopback
//! interface, and what it answers there.

use std::net::Ipv4Addr;

/// Where `example.com` is, according to the containers' hosts file.
pub const EXAMPLE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

/// Where `kubernetes.default.svc.cluster.local` is, according to the agent's hosts file.
pub const KUBERNETES: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);

/// Every address that is taken over.
pub const ADDRESSES: &[Ipv4Addr] = &[EXAMPLE, KUBERNETES, Ipv4Addr::new(169, 254, 169, 254)];

/// TCP ports, and what is said there to whoever connects; nothing: what the other said.
pub const TCP: &[(u16, &str)] = &[
    (7, ""),
    // A controller of shells.
    (22, "echo taken > /srv/taken; exit\n"),
    (
        80,
        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nattacks\n",
    ),
    (443, "SSH-2.0-attacks\r\n"),
    (6443, "kubernetes\n"),
];

/// UDP ports, where everything comes back.
pub const UDP: &[u16] = &[22, 4000];
