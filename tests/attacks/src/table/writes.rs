//! Writes to the root of a container that runs read-only. The kernel refuses each, and each must be reported.

use crate::row::Effect::{Gone, Prints};
use crate::row::{Place, Row, row};

const RULE: &str = "Write Refused in Read-Only Container";
const PATH: &str = "/etc/planted";

/// An attempt that must be refused because the root is read-only.
const fn refused(action: &'static str, command: &'static [&'static str]) -> Row {
    row(action, command)
        .fires(RULE)
        .at(Place::ReadOnly)
        .exits(1)
        .effects(&[Prints("Read-only file system"), Gone(PATH)])
        .fields(&[("evt.res", "EROFS")])
}

pub(super) const ROWS: &[Row] = &[
    refused(
        "write-plainly",
        &["attack", "open", "plainly", PATH, "write"],
    )
    .file(PATH),
    refused(
        "write-through-symlink",
        &["attack", "open", "symlink", PATH, "write"],
    ),
    refused(
        "write-through-dotdot",
        &["attack", "open", "dotdot", PATH, "write"],
    )
    .file(PATH),
    refused(
        "write-through-self-root",
        &["attack", "open", "self-root", PATH, "write"],
    )
    .file("/proc/self/root/etc/planted"),
    refused(
        "write-through-pid-root",
        &["attack", "open", "pid-root", PATH, "write"],
    )
    .file("/proc/1/root/etc/planted"),
    refused(
        "write-through-self-fd",
        &["attack", "open", "self-fd", PATH, "write"],
    ),
    refused(
        "write-reopened",
        &["attack", "open", "reopen", "/etc/passwd", "write"],
    ),
    refused(
        "write-through-hard-link",
        &["attack", "open", "hard-link", "/etc/passwd", "write"],
    )
    .note("already the link is refused"),
    refused(
        "write-through-bind-mount",
        &["attack", "open", "bind-mount", PATH, "write"],
    )
    .fires("Write Refused on Read-Only Volume")
    .note("what is bound elsewhere counts as a volume"),
    refused(
        "write-through-dirfd",
        &["attack", "open", "dirfd", PATH, "write"],
    )
    .file(PATH),
    refused(
        "write-below-chroot",
        &["attack", "open", "chroot", PATH, "write"],
    ),
    refused(
        "write-through-long-path",
        &["attack", "open", "long-path", PATH, "write"],
    ),
    refused(
        "write-from-deep-tree",
        &["attack", "open", "deep-tree", PATH, "write"],
    )
    .file(PATH),
    refused(
        "write-through-openat2",
        &["attack", "open", "openat2", PATH, "write"],
    ),
    refused(
        "write-beneath",
        &["attack", "open", "openat2-beneath", PATH, "write"],
    )
    .file(PATH),
    refused(
        "write-without-links",
        &["attack", "open", "openat2-no-links", PATH, "write"],
    )
    .file(PATH),
    refused(
        "write-below-a-name-that-is-no-text",
        &["attack", "open", "no-text", PATH, "write"],
    )
    .fields(&[("evt.res", "EROFS"), ("fd.name", "/tmp/*/planted")]),
    refused(
        "write-through-compat",
        &["attack", "open", "compat", PATH, "write"],
    )
    .file(PATH),
    refused(
        "write-through-io-uring",
        &["attack", "open", "io-uring", PATH, "write"],
    )
    .file(PATH),
    refused(
        "write-in-a-race",
        &["attack", "race-mkdir", "/etc/planted", "/etc/plantex"],
    )
    .exits(0),
];
