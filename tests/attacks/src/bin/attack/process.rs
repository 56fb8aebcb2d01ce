//! Deeds with processes: what they execute, whom they become, what they reach into.

use std::ffi::{CString, OsStr};
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::open::{plainly, text};
use crate::raw::{self, Arg, Side, address, call};
use crate::{Deed, say};

pub(crate) const DEEDS: &[Deed] = &[
    ("drop", drop_program),
    ("memfd", memfd),
    ("empty-path", empty_path),
    ("script", script),
    ("long-argv", long_argv),
    ("raw-argv", raw_argv),
    ("rewrite-argv", rewrite_argv),
    ("rename-self", rename_self),
    ("vanish", vanish),
    ("fork-tree", fork_tree),
    ("setns", setns),
    ("unshare-user", unshare_user),
    ("setuid-back", setuid_back),
    ("userfaultfd", userfaultfd),
    ("traceme", traceme),
    ("attach", attach),
    ("load-module", load_module),
    ("load-program", load_program),
    ("leave-cgroup", leave_cgroup),
];

/// `run PROGRAM ARGUMENT...`: executes it as a child; its exit code is ours.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<u8> {
    let status = Command::new(program)
        .args(arguments)
        .status()
        .with_context(|| format!("executing {program}"))?;
    let code = status.code().with_context(|| status.to_string())?;
    Ok(u8::try_from(code)?)
}

/// Runs a command that must succeed.
fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().context("executing")?;
    ensure!(status.success(), "{status}");
    Ok(())
}

/// `drop PATH WORD...`: a copy of this program appears at PATH and is executed.
fn drop_program(words: &[&str]) -> Result<()> {
    let [path, words @ ..] = words else {
        bail!("drop PATH WORD...")
    };
    copy_to(path)?;
    succeed(Command::new(path).args(words))
}

fn copy_to(path: &str) -> Result<()> {
    std::fs::copy("/proc/self/exe", path).with_context(|| format!("copying to {path}"))?;
    std::fs::set_permissions(path, Permissions::from_mode(0o755))?;
    Ok(())
}

/// `memfd path|fexecve`: this program goes on as a copy that never was a file.
fn memfd(words: &[&str]) -> Result<()> {
    let fd = call(
        libc::SYS_memfd_create,
        &mut [Arg::Text(c"payload"), Arg::Int(0)],
    )?;
    // A number that names the process: its name is the last part of the path.
    let fd = call(libc::SYS_dup2, &mut [Arg::Int(fd), Arg::Int(100)])?;
    let path = format!("/proc/self/fd/{fd}");
    let program = std::fs::read("/proc/self/exe")?;
    std::fs::File::options()
        .write(true)
        .open(&path)?
        .write_all(&program)?;
    match words {
        ["path"] => execute(libc::AT_FDCWD.into(), &path, 0),
        ["fexecve"] => execute(fd, "", libc::AT_EMPTY_PATH.into()),
        _ => bail!("memfd path|fexecve"),
    }
}

/// `empty-path PATH`: a copy at PATH is executed by its descriptor alone.
fn empty_path(words: &[&str]) -> Result<()> {
    let [path] = words else {
        bail!("empty-path PATH")
    };
    copy_to(path)?;
    let fd = plainly(path, libc::O_PATH)?;
    execute(fd, "", libc::AT_EMPTY_PATH.into())
}

/// Becomes the program, which says hello.
fn execute(folder: i64, path: &str, flags: i64) -> Result<()> {
    let words = ["payload", "hello"].map(|word| CString::new(word).unwrap_or_default());
    call(
        libc::SYS_execveat,
        &mut [
            Arg::Int(folder),
            Arg::Text(&text(path)?),
            Arg::Texts(&words),
            Arg::Texts(&[]),
            Arg::Int(flags),
        ],
    )
    .context("execveat")?;
    Ok(())
}

/// `script PATH INTERPRETER BODY`: writes a script and executes it. An interpreter may be a script itself.
fn script(words: &[&str]) -> Result<()> {
    let [pairs @ .., body] = words else {
        bail!("script PATH INTERPRETER... BODY")
    };
    for pair in pairs.windows(2) {
        if let [path, interpreter] = pair {
            std::fs::write(path, format!("#!{interpreter}\n{body}\n"))?;
            std::fs::set_permissions(path, Permissions::from_mode(0o755))?;
        }
    }
    succeed(&mut Command::new(pairs.first().context("a path")?))
}

/// `long-argv PATH`: a copy at PATH is executed with a megabyte of arguments.
fn long_argv(words: &[&str]) -> Result<()> {
    let [path] = words else {
        bail!("long-argv PATH")
    };
    copy_to(path)?;
    let word = "x".repeat(100_000);
    succeed(Command::new(path).arg("hello").args([&word; 10]))
}

/// `raw-argv PATH`: a copy at PATH is executed with arguments that are not text.
fn raw_argv(words: &[&str]) -> Result<()> {
    let [path] = words else {
        bail!("raw-argv PATH")
    };
    copy_to(path)?;
    let bytes = OsStr::from_bytes(b"\xff\xfe\x80\n\x1b[31m");
    succeed(Command::new(path).arg("hello").arg(bytes))
}

/// `rewrite-argv PATH`: pretends to be a web server's worker in the list of processes, then reads PATH.
fn rewrite_argv(words: &[&str]) -> Result<()> {
    let [path] = words else {
        bail!("rewrite-argv PATH")
    };
    let mask = b"nginx: worker\0";
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The fields behind the name, of which the first is the third.
    let (_, fields) = stat.rsplit_once(") ").context("the name")?;
    let start = fields.split(' ').nth(48 - 3).context("arg_start")?;
    let memory = std::fs::File::options()
        .write(true)
        .open("/proc/self/mem")?;
    memory.write_all_at(mask, start.parse()?)?;
    let shown = std::fs::read("/proc/self/cmdline")?;
    ensure!(shown.starts_with(mask), "{shown:?}");
    crate::act(&["attack", "read", path]).map(drop)
}

/// `rename-self NAME PATH`: calls itself something else, then reads PATH.
fn rename_self(words: &[&str]) -> Result<()> {
    const SET_NAME: i64 = 15;
    let [name, path] = words else {
        bail!("rename-self NAME PATH")
    };
    call(
        libc::SYS_prctl,
        &mut [Arg::Int(SET_NAME), Arg::Text(&text(name)?)],
    )?;
    crate::act(&["attack", "read", path]).map(drop)
}

/// `vanish PATH`: a child opens PATH and is gone within microseconds.
fn vanish(words: &[&str]) -> Result<()> {
    let [path] = words else { bail!("vanish PATH") };
    match raw::fork()? {
        Side::Child => raw::leave(i32::from(plainly(path, libc::O_RDONLY).is_err())),
        Side::Parent(child) => {
            ensure!(raw::wait(child)? == 0, "the child could not open {path}");
            say("opened and gone");
            Ok(())
        }
    }
}

/// `fork-tree DEPTH PATH`: a chain of processes, each gone once it has made the next; the last one reads PATH.
fn fork_tree(words: &[&str]) -> Result<()> {
    let [depth, path] = words else {
        bail!("fork-tree DEPTH PATH")
    };
    for _ in 0..depth.parse::<u32>()? {
        match raw::fork()? {
            Side::Parent(_) => raw::leave(0),
            Side::Child => {}
        }
    }
    crate::act(&["attack", "read", path]).map(drop)
}

/// The network namespace of this process.
fn network_namespace() -> Result<String> {
    let link = std::fs::read_link("/proc/self/ns/net")?;
    Ok(link.display().to_string())
}

/// `setns`: leaves the network namespace for a new one, and comes back.
fn setns(_: &[&str]) -> Result<()> {
    let home = network_namespace()?;
    let fd = plainly("/proc/self/ns/net", libc::O_RDONLY)?;
    let kind = i64::from(libc::CLONE_NEWNET);
    call(libc::SYS_unshare, &mut [Arg::Int(kind)]).context("unshare")?;
    let away = network_namespace()?;
    call(libc::SYS_setns, &mut [Arg::Int(fd), Arg::Int(kind)]).context("setns")?;
    ensure!(home != away && network_namespace()? == home);
    say(&format!("from {away} back to {home}"));
    Ok(())
}

/// `unshare-user`: becomes root of a user namespace of its own.
fn unshare_user(_: &[&str]) -> Result<()> {
    let link = || std::fs::read_link("/proc/self/ns/user");
    let before = link()?;
    call(
        libc::SYS_unshare,
        &mut [Arg::Int(libc::CLONE_NEWUSER.into())],
    )
    .context("unshare")?;
    let after = link()?;
    ensure!(before != after);
    say(&format!("now in {}", after.display()));
    Ok(())
}

/// `setuid-back`: gives up being root, and wants it back.
fn setuid_back(_: &[&str]) -> Result<()> {
    const DAEMON: i64 = 1;
    let setuid = |uid| call(libc::SYS_setuid, &mut [Arg::Int(uid)]);
    setuid(DAEMON)?;
    let error = setuid(0).err().context("root once more")?;
    say(&format!("setuid(0): {error}"));
    Ok(())
}

/// `userfaultfd`: takes over the page faults of user mode.
fn userfaultfd(_: &[&str]) -> Result<()> {
    const USER_MODE_ONLY: i64 = 1;
    let fd = call(libc::SYS_userfaultfd, &mut [Arg::Int(USER_MODE_ONLY)]).context("userfaultfd")?;
    say(&format!("userfaultfd {fd}"));
    Ok(())
}

/// `traceme`: starts a program that asks to be traced, so that nobody else can.
fn traceme(_: &[&str]) -> Result<()> {
    let mut command = Command::new("sleep");
    raw::offer_to_parent(command.arg("60"));
    let mut child = command.spawn()?;
    let status = raw::wait(i32::try_from(child.id())?)?;
    child.kill()?;
    child.wait()?;
    ensure!(libc::WIFSTOPPED(status), "wait status {status:#x}");
    say("the child stopped for its tracer");
    Ok(())
}

/// `attach`: starts a program and attaches to it.
fn attach(_: &[&str]) -> Result<()> {
    const ATTACH: i64 = 16;
    const DETACH: i64 = 17;
    let mut child = Command::new("sleep").arg("60").spawn()?;
    let pid = i32::try_from(child.id())?;
    let stopped = raw::ptrace(ATTACH, pid).and_then(|()| raw::wait(pid));
    drop(raw::ptrace(DETACH, pid));
    child.kill()?;
    child.wait()?;
    ensure!(libc::WIFSTOPPED(stopped?));
    say("attached");
    Ok(())
}

/// `load-module PATH`: what `insmod` does. Ends with 0 when the kernel refuses what is no module.
fn load_module(words: &[&str]) -> Result<()> {
    let [path] = words else {
        bail!("load-module PATH")
    };
    let fd = plainly(path, libc::O_RDONLY)?;
    let loaded = call(
        libc::SYS_finit_module,
        &mut [Arg::Int(fd), Arg::Text(c""), Arg::Int(0)],
    );
    let error = loaded.err().context("the kernel took it for a module")?;
    say(&format!("finit_module: {error}"));
    Ok(())
}

/// `load-program`: the smallest BPF program there is.
fn load_program(_: &[&str]) -> Result<()> {
    const PROG_LOAD: i64 = 5;
    const SOCKET_FILTER: u32 = 1;
    // r0 = 0; exit
    let code: [u64; 2] = [0xb7, 0x95];
    let code: Vec<u8> = code.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let licence = b"GPL\0";
    let mut attributes = Vec::new();
    for word in [SOCKET_FILTER, 2] {
        attributes.extend(word.to_ne_bytes());
    }
    for pointer in [address(&code), address(licence)] {
        attributes.extend(pointer.to_ne_bytes());
    }
    attributes.resize(128, 0);
    let size = attributes.len() as i64;
    let fd = call(
        libc::SYS_bpf,
        &mut [Arg::Int(PROG_LOAD), Arg::Bytes(&attributes), Arg::Int(size)],
    )
    .context("bpf")?;
    say(&format!("program {fd}"));
    Ok(())
}

/// `leave-cgroup FOLDER PATH`: moves itself to another cgroup, then reads PATH.
fn leave_cgroup(words: &[&str]) -> Result<()> {
    let [folder, path] = words else {
        bail!("leave-cgroup FOLDER PATH")
    };
    std::fs::write(format!("{folder}/cgroup.procs"), "0").context("moving")?;
    crate::act(&["attack", "read", path]).map(drop)
}
