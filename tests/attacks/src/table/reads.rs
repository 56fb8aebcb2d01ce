//! The container's password hashes, read in every way that has fooled a sensor.

use crate::row::Effect::Prints;
use crate::row::{Place, Row, row};

const RULE: &str = "Credential File Read in Container";
const SHADOW: &str = "/etc/shadow";

/// A read that a default rule must report with the real path.
const fn read(action: &'static str, command: &'static [&'static str]) -> Row {
    row(action, command)
        .fires(RULE)
        .effects(&[Prints("root:")])
        .real_file(SHADOW)
}

pub(super) const ROWS: &[Row] = &[
    read("shadow-plainly", &["attack", "open", "plainly", SHADOW, "read"]),
    read("shadow-through-symlink", &["attack", "open", "symlink", SHADOW, "read"]),
    read("shadow-through-dotdot", &["attack", "open", "dotdot", SHADOW, "read"]),
    read("shadow-through-self-root", &["attack", "open", "self-root", SHADOW, "read"])
        .file("/proc/self/root/etc/shadow"),
    read("shadow-through-pid-root", &["attack", "open", "pid-root", SHADOW, "read"])
        .file("/proc/1/root/etc/shadow"),
    read("shadow-through-self-fd", &["attack", "open", "self-fd", SHADOW, "read"]),
    read("shadow-reopened", &["attack", "open", "reopen", SHADOW, "read"]),
    row(
        "shadow-through-hard-link",
        &["attack", "open", "hard-link", SHADOW, "read"],
    )
    .upstream("Create Hardlink Over Sensitive Files", "")
    .effects(&[Prints("root:")])
    .fields(&[("evt.arg.oldpath", SHADOW)])
    .note("a hard link is the file: nothing tells the read apart, so the making of the link is what is reported"),
    read(
        "shadow-through-bind-mount",
        &["attack", "open", "bind-mount", SHADOW, "read"],
    )
    .at(Place::Privileged),
    read("shadow-through-dirfd", &["attack", "open", "dirfd", SHADOW, "read"]).file(SHADOW),
    read("shadow-below-chroot", &["attack", "open", "chroot", SHADOW, "read"]),
    read("shadow-through-long-path", &["attack", "open", "long-path", SHADOW, "read"]),
    read("shadow-from-deep-tree", &["attack", "open", "deep-tree", SHADOW, "read"]),
    read("shadow-through-openat2", &["attack", "open", "openat2", SHADOW, "read"]),
    read("shadow-beneath", &["attack", "open", "openat2-beneath", SHADOW, "read"]),
    read("shadow-without-links", &["attack", "open", "openat2-no-links", SHADOW, "read"]),
    read("shadow-from-the-cache", &["attack", "open", "openat2-cached", SHADOW, "read"]).times(2),
    read("shadow-below-a-name-that-is-no-text", &["attack", "open", "no-text", SHADOW, "read"]),
    read(
        "shadow-through-handle",
        &["attack", "open", "handle", "/dev/shm/etc/shadow", "read"],
    )
    .at(Place::Privileged)
    .real_file("/dev/shm/etc/shadow")
    .note("a copy on a file system that has handles"),
    read("shadow-through-compat", &["attack", "open", "compat", SHADOW, "read"]),
    read("shadow-through-io-uring", &["attack", "open", "io-uring", SHADOW, "read"]),
    read(
        "shadow-through-io-uring-worker",
        &["attack", "open", "io-uring-worker", SHADOW, "read"],
    ),
    read(
        "shadow-through-io-uring-poller",
        &["attack", "open", "io-uring-poller", SHADOW, "read"],
    ),
    row("shadow-in-the-ring-alone", &["attack", "read-in-ring", SHADOW])
        .fires(RULE)
        .effects(&[Prints("root:")])
        .file(SHADOW)
        .note("what a ring keeps among its own files is known by the path it asked for"),
    read(
        "shadow-through-detached-mount",
        &["attack", "open", "detached-mount", SHADOW, "read"],
    )
    .at(Place::Privileged),
    row("shadow-in-a-race", &["attack", "race-read", SHADOW, "/etc/shadew"])
        .fires(RULE)
        .effects(&[Prints("both files were opened by the same call")])
        .real_file(SHADOW),
    row("shadow-by-a-short-life", &["attack", "vanish", SHADOW])
        .fires(RULE)
        .by("attack", "attack")
        .effects(&[Prints("opened and gone")])
        .file(SHADOW),
    row("shadow-below-a-fork-tree", &["attack", "fork-tree", "100", SHADOW])
        .fires(RULE)
        .effects(&[Prints("root:")])
        .file(SHADOW),
    read("shadow-behind-rewritten-arguments", &["attack", "rewrite-argv", SHADOW]),
    row(
        "shadow-under-another-name",
        &["attack", "rename-self", "sshd", SHADOW],
    )
    .fires(RULE)
    .by("sshd", "attack")
    .effects(&[Prints("root:")])
    .real_file(SHADOW),
];
