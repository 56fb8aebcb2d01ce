//! What the default rules are about and no other subject covers.

use crate::row::Effect::Prints;
use crate::row::{Place, Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        "write-to-a-kernel-path",
        &[
            "sh",
            "-c",
            "echo '|/srv/payload' > /proc/sys/kernel/core_pattern",
        ],
    )
    .fires("Write Refused on Kernel Path")
    .exits(1)
    .effects(&[Prints("Read-only file system")])
    .file("/proc/sys/kernel/core_pattern")
    .fields(&[("evt.res", "EROFS")]),
    row(
        "removal-of-a-missing-file",
        &["attack", "remove", "/missing"],
    )
    .fires("Routine Write Refused")
    .at(Place::ReadOnly)
    .exits(1)
    .effects(&[Prints("Read-only file system")])
    .file("/missing")
    .fields(&[("evt.res", "EROFS")]),
    row(
        "root-remounted-writable",
        &[
            "sh",
            "-ec",
            "mount -o remount,rw,bind /; echo written > /planted; cat /planted",
        ],
    )
    .fires("Read-Only Root Remounted or Covered")
    .at(Place::Own(&[
        "--read-only",
        "--cap-add=SYS_ADMIN",
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
    ]))
    .by("mount", "sh")
    .effects(&[Prints("written")])
    .file("/"),
    row(
        "secret-read-by-a-dropped-program",
        &["attack", "drop", "/srv/thief", "read", "/run/secrets/token"],
    )
    .fires("Unexpected Read of a Secret")
    .by("thief", "attack")
    .effects(&[Prints("hush")])
    .file("/run/secrets/token")
    .fields(&[("fd.secret.reader", "dropped")]),
    row("shell-on-a-terminal", &["sh", "-c", "tty"])
        .fires("Interactive Shell in Container")
        .at(Place::Own(&["--tty"]))
        .below_engine()
        .effects(&[Prints("/dev/pts/0")]),
    row("package-manager", &["dpkg", "--version"])
        .fires("Package Manager in Container")
        .at(Place::Debian)
        .effects(&[Prints("Debian 'dpkg'")]),
];
