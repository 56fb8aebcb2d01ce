//! What processes do to each other, to their own rights, and to the kernel.

use crate::row::Effect::Prints;
use crate::row::{Place, Row, row};

pub(super) const ROWS: &[Row] = &[
    row("bpf-program-not-profiled", &["attack", "load-program"])
        .upstream("BPF Program Not Profiled", "")
        .at(Place::Privileged)
        .effects(&[Prints("program ")])
        .fields(&[("evt.arg.cmd", "BPF_PROG_LOAD")]),
    row(
        "change-namespace-privileges-via-unshare",
        &["unshare", "-m", "true"],
    )
    .upstream(
        "Change namespace privileges via unshare",
        "ChangeNamespacePrivilegesViaUnshare",
    )
    .exits(1)
    .effects(&[Prints("Operation not permitted")])
    .fields(&[("evt.res", "EPERM")])
    .note("the rule is about processes without CAP_SYS_ADMIN, which the kernel refuses"),
    row("change-thread-namespace", &["attack", "setns"])
        .upstream("Change thread namespace", "ChangeThreadNamespace")
        .at(Place::Privileged)
        .effects(&[Prints("back to net:")])
        .fields(&[("evt.args", "*nstype=*CLONE_NEWNET*")]),
    row(
        "linux-kernel-module-injection",
        &["attack", "load-module", "/srv/data.txt"],
    )
    .upstream("Linux Kernel Module Injection Detected", "")
    .at(Place::Privileged)
    .effects(&[Prints("finit_module: ")])
    .note("the attempt: what is loaded is no module, so that no kernel takes it"),
    row("non-sudo-setuid", &["attack", "setuid-back"])
        .upstream("Non sudo setuid", "NonSudoSetuid")
        .acts_as("daemon")
        .effects(&[Prints("setuid(0): Operation not permitted")])
        .fields(&[("evt.arg.uid", "root")]),
    row("ptrace-anti-debug-attempt", &["attack", "traceme"])
        .upstream("PTRACE anti-debug attempt", "PtraceAntiDebugAttempt")
        .by("attack", "attack")
        .effects(&[Prints("stopped for its tracer")])
        .fields(&[("evt.args", "*request=*PTRACE_TRACEME*")]),
    row("ptrace-attached-to-process", &["attack", "attach"])
        .upstream("PTRACE attached to process", "PtraceAttachedToProcess")
        .effects(&[Prints("attached")])
        .fields(&[("evt.args", "*request=*PTRACE_ATTACH*")]),
    row("ptrace-attached-by-default-rules", &["attack", "attach"])
        .fires("Memory or Descriptors of Another Process Taken")
        .effects(&[Prints("attached")])
        .fields(&[("evt.arg.request", "PTRACE_ATTACH")]),
    row(
        "unprivileged-delegation-of-page-faults-handling-to-a-userspace-process",
        &["attack", "userfaultfd"],
    )
    .suite(
        "Page Faults Handled by an Unprivileged Process",
        "UnprivilegedDelegationOfPageFaultsHandlingToAUserspaceProcess",
    )
    .as_daemon()
    .effects(&[Prints("userfaultfd ")]),
    row("user-namespace", &["attack", "unshare-user"])
        .suite("User Namespace Made in Container", "")
        .effects(&[Prints("now in user:")])
        .fields(&[("evt.arg.flags", "CLONE_NEWUSER")]),
    row("alg-socket", &["attack", "socket", "38", "5", "0"])
        .suite("Kernel Crypto Socket in Container", "")
        .exits(1)
        .effects(&[Prints("failed: socket: ")])
        .fields(&[("evt.arg.domain", "AF_ALG")])
        .note("the attempt: this kernel has no such sockets"),
];
