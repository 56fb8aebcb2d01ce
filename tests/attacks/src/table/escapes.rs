//! Ways out of a container. What is done outside must bear the container's name.

use crate::row::Effect::Prints;
use crate::row::{Place, Row, row};

const CREDENTIALS: &str = "Credential File Read in Container";

pub(super) const ROWS: &[Row] = &[
    row(
        "nsenter-to-the-host",
        &[
            "sh",
            "-c",
            "exec nsenter -t $TARGET -m -- /usr/bin/head -c 5 /etc/shadow",
        ],
    )
    .fires(CREDENTIALS)
    .at(Place::Own(&["--privileged", "--pid=host"]))
    .by("head", "")
    .below_engine()
    .effects(&[Prints("root:")])
    .file("/etc/shadow"),
    row(
        "root-of-the-host-through-proc",
        &["sh", "-c", "head -c 5 /proc/$TARGET/root/etc/shadow; true"],
    )
    .fires(CREDENTIALS)
    .at(Place::Own(&["--privileged", "--pid=host"]))
    .by("head", "sh")
    .effects(&[Prints("root:")])
    .real_file("/etc/shadow"),
    row(
        "moved-to-another-cgroup",
        &["attack", "leave-cgroup", "/refuge", "/etc/shadow"],
    )
    .fires(CREDENTIALS)
    .at(Place::Privileged)
    .effects(&[Prints("root:")])
    .file("/etc/shadow"),
];
