//! Programs that hide what they are: never a file, without a path, behind scripts, with arguments nobody can read;
//! and calls that are made past the calls.

use crate::row::Effect::Prints;
use crate::row::{Row, row};

const NOT_FROM_IMAGE: &str = "Program Not From the Image";

pub(super) const ROWS: &[Row] = &[
    row("memfd-by-path", &["attack", "memfd", "path"])
        .fires(NOT_FROM_IMAGE)
        .by("100", "attack")
        .effects(&[Prints("hello from payload")])
        .fields(&[("proc.exe_origin", "memfd")]),
    row("memfd-by-descriptor", &["attack", "memfd", "fexecve"])
        .fires(NOT_FROM_IMAGE)
        .by("memfd:payload", "attack")
        .effects(&[Prints("hello from payload")])
        .fields(&[
            ("proc.exe_origin", "memfd"),
            ("proc.exepath", "memfd:payload"),
        ])
        .note("kernels before 6.14 name such a process by the number of the descriptor"),
    row(
        "execution-without-a-path",
        &["attack", "empty-path", "/srv/pathless"],
    )
    .fires(NOT_FROM_IMAGE)
    .by("pathless", "attack")
    .effects(&[Prints("hello from payload")])
    .fields(&[
        ("proc.exe_origin", "upper"),
        ("proc.exepath", "/srv/pathless"),
    ])
    .note("kernels before 6.14 name such a process by the number of the descriptor"),
    row(
        "chain-of-scripts",
        &[
            "attack",
            "script",
            "/srv/first",
            "/srv/second",
            "/bin/sh",
            "echo the chain was executed",
        ],
    )
    .fires(NOT_FROM_IMAGE)
    .by("first", "attack")
    .effects(&[Prints("the chain was executed")])
    .fields(&[
        ("proc.script", "/srv/first"),
        ("proc.script_origin", "upper"),
    ]),
    row(
        "chain-of-scripts-in-memory",
        &[
            "attack",
            "script",
            "/dev/shm/first",
            "/dev/shm/second",
            "/bin/sh",
            "echo the chain was executed",
        ],
    )
    .fires(NOT_FROM_IMAGE)
    .by("first", "attack")
    .effects(&[Prints("the chain was executed")])
    .fields(&[
        ("proc.script", "/dev/shm/first"),
        ("proc.script_origin", "tmpfs"),
    ]),
    row(
        "a-megabyte-of-arguments",
        &["attack", "long-argv", "/srv/long"],
    )
    .fires(NOT_FROM_IMAGE)
    .by("long", "attack")
    .effects(&[Prints("hello from /srv/long")])
    .fields(&[
        ("proc.exepath", "/srv/long"),
        ("evt.truncated", "[\"proc.args\"]"),
        ("proc.cmdline", "long hello xxx*"),
    ]),
    row(
        "arguments-that-are-no-text",
        &["attack", "raw-argv", "/srv/raw"],
    )
    .fires(NOT_FROM_IMAGE)
    .by("raw", "attack")
    .effects(&[Prints("hello from /srv/raw")])
    .fields(&[
        ("proc.exepath", "/srv/raw"),
        ("proc.cmdline", "raw hello *"),
    ]),
    row(
        "compat-call",
        &["attack", "open", "compat", "/etc/passwd", "read"],
    )
    .fires("32-bit System Call in Container")
    .effects(&[Prints("root:")]),
    row(
        "connect-through-io-uring",
        &["attack", "connect-ring", "203.0.113.9:80"],
    )
    .suite("Connection to the Example", "")
    .effects(&[Prints("the peer said: HTTP")])
    .fields(&[("fd.name", "203.0.113.9:*->203.0.113.9:80")]),
    row(
        "connect-through-compat",
        &["attack", "connect-compat", "call", "203.0.113.9:80"],
    )
    .suite("Connection to the Example", "")
    .effects(&[Prints("the peer said: HTTP")])
    .fields(&[("fd.name", "203.0.113.9:*->203.0.113.9:80")]),
    row(
        "connect-through-socketcall",
        &["attack", "connect-compat", "socketcall", "203.0.113.9:80"],
    )
    .suite("Connection to the Example", "")
    .effects(&[Prints("the peer said: HTTP")])
    .fields(&[("fd.name", "203.0.113.9:*->203.0.113.9:80")]),
    row(
        "secret-through-io-uring",
        &[
            "attack",
            "drop",
            "/srv/ring",
            "open",
            "io-uring",
            "/run/secrets/token",
            "read",
        ],
    )
    .fires("Unexpected Read of a Secret")
    .by("ring", "attack")
    .effects(&[Prints("hush")])
    .file("/run/secrets/token")
    .fields(&[("fd.secret.reader", "dropped")]),
    row(
        "history-removed-in-a-race",
        &["attack", "race-remove", "/srv/zsh_history", "/srv/zsh_historx"],
    )
    .upstream("Delete or rename shell history", "")
    .effects(&[Prints("both files were removed by the same call")])
    .times(60)
    .note("of eighty removals, of which those that read paths only in the end would see forty; what the kernel has read can only be told from what lay there before and after"),
];
