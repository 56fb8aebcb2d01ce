//! Who acts: the process, its ancestors, its session's leader.

use bstr::BString;
use std::sync::Arc;
use vigia_event::Process;
use vigia_event::captured::{Credentials, Task};
use vigia_event::file::{File, Layer, Origin, PathNotes};
use vigia_event::process::Script;

use super::{BOOT_TIME_NS, NOW_NS, SECOND_NS, command_name, promises};
use crate::document::{Kind, Node};
use crate::reading::{self, Keys, Result};

const KEYS: &[&str] = &[
    "name",
    "exe",
    "exepath",
    "args",
    "env",
    "cwd",
    "tty",
    "pid",
    "vpid",
    "uid",
    "gid",
    "user",
    "loginuid",
    "caps",
    "origin",
    "script",
    "script_origin",
    "entered",
    "started_s",
    "parent",
    "ancestors",
    "session_leader",
];

/// `loginuid` of a process that nobody's login started.
const NO_LOGIN: u32 = u32::MAX;

/// Who takes part.
pub(super) struct Cast {
    pub(super) main: Process,
    /// Parent first.
    pub(super) ancestors: Vec<Process>,
    pub(super) session_leader: Option<Process>,
    /// The name of the acting user, where the case gives one.
    pub(super) user: Option<String>,
    /// Whether the case says which program the process runs.
    pub(super) named: bool,
}

/// Reads who acts; the main process of a web server, where nothing is said.
pub(super) fn read(node: Option<&Node>, on_host: bool) -> Result<Cast> {
    let nobody = Node {
        place: Default::default(),
        kind: Kind::Null,
    };
    let node = node.unwrap_or(&nobody);
    let main = one(node, "nginx")?;
    let mut cast = Cast {
        main,
        ancestors: Vec::new(),
        session_leader: None,
        user: None,
        named: matches!(node.kind, Kind::Scalar(_)),
    };
    let mut named = Vec::new();
    if matches!(node.kind, Kind::Mapping(_)) {
        let keys = Keys::only(node, KEYS)?;
        cast.named = keys.has("name") || keys.has("exe") || keys.has("exepath");
        cast.user = keys.text("user")?.map(str::to_owned);
        cast.session_leader = keys
            .get("session_leader")
            .map(|node| one(node, "sh"))
            .transpose()?;
        named.extend(keys.get("parent").map(|node| one(node, "sh")).transpose()?);
        for ancestor in keys.items("ancestors")? {
            named.push(one(ancestor, "sh")?);
        }
        if !keys.has("parent") && !keys.has("ancestors") {
            named.extend(default_ancestors(on_host));
        }
    } else {
        named.extend(default_ancestors(on_host));
    }
    for (above, ancestor) in (1..).zip(&mut named) {
        ancestor.task.pid = cast.main.task.pid.saturating_sub(above).max(1);
        ancestor.task.tid = ancestor.task.pid;
    }
    cast.main.task.parent_pid = named.first().map_or(0, |parent| parent.task.pid);
    cast.ancestors = named;
    Ok(cast)
}

/// What stands above the main process of a container, or above a service of the host.
fn default_ancestors(on_host: bool) -> Vec<Process> {
    let names: &[&str] = if on_host {
        &["systemd"]
    } else {
        &["containerd-shim", "systemd"]
    };
    names.iter().map(|name| program(name, &[])).collect()
}

/// A process that runs a program in the everyday way.
fn program(path: &str, args: &[&str]) -> Process {
    // What is no bare name is a path already; `memfd:x` is one, too.
    let path: BString = if path.contains(['/', ':']) {
        path.into()
    } else {
        format!("/usr/bin/{path}").into()
    };
    let mut process = Process {
        task: Task {
            pid: 4242,
            tid: 4242,
            vpid: 1,
            vtid: 1,
            sid: 4242,
            pgid: 4242,
            exec_id: 1,
            start_boottime_ns: BOOT_TIME_NS - 60 * SECOND_NS,
            credentials: Credentials {
                loginuid: NO_LOGIN,
                ..Credentials::default()
            },
            entered: Some(false),
            ..Task::default()
        },
        start_time_ns: NOW_NS - 60 * SECOND_NS,
        args: args.iter().map(|arg| BString::from(*arg)).collect(),
        cwd: "/".into(),
        observed: true,
        ..Process::default()
    };
    runs(&mut process, &path, Origin::Image);
    process
}

/// Makes a process run the program of that path.
pub(super) fn runs(process: &mut Process, path: &BString, origin: Origin) {
    process.task.comm = shortened(command_name(&path.to_string()));
    process.exe = path.clone();
    comes_from(process, path, origin);
}

fn comes_from(process: &mut Process, path: &BString, origin: Origin) {
    process.exe_path = path.clone();
    process.exe_origin = origin;
    process.exe_file = Some(Arc::new(File {
        path: path.clone(),
        mode: 0o100_755,
        layer: match origin {
            Origin::Image => Layer::Lower,
            Origin::Upper => Layer::Upper,
            _ => Layer::None,
        },
        path_notes: PathNotes {
            detached: origin == Origin::Memfd,
            ..PathNotes::default()
        },
        ..File::default()
    }));
}

/// A process: a command line, or a map.
fn one(node: &Node, default: &str) -> Result<Process> {
    if let Kind::Scalar(_) = &node.kind {
        return command_line(node);
    }
    let keys = Keys::only(node, KEYS)?;
    let name = keys.text("name")?;
    let exe = keys.text("exe")?;
    let exepath = keys.text("exepath")?;
    let default_path = if default == "nginx" {
        "/usr/sbin/nginx"
    } else {
        default
    };
    let mut process = program(exepath.or(exe).or(name).unwrap_or(default_path), &[]);
    if let Some(exe) = exe {
        process.exe = exe.into();
    }
    if let Some(name) = name {
        process.task.comm = shortened(command_name(name));
    }
    if let Some(node) = keys.get("origin") {
        let path = process.exe_path.clone();
        comes_from(&mut process, &path, origin(node)?);
    }
    if let Some(node) = keys.get("args") {
        process.args = match &node.kind {
            Kind::Scalar(_) => reading::words(node)?
                .into_iter()
                .map(BString::from)
                .collect(),
            _ => reading::texts(node)?
                .into_iter()
                .map(BString::from)
                .collect(),
        };
    }
    process.env = environment(&keys)?;
    if let Some(cwd) = keys.text("cwd")? {
        process.cwd = cwd.into();
    }
    if let Some(path) = keys.text("script")? {
        process.script = Some(Script {
            path: path.into(),
            origin: keys
                .get("script_origin")
                .map_or(Ok(Origin::Image), |node| origin(node))?,
        });
    }
    if let Some(seconds) = keys.number::<u64>("started_s")? {
        let ago = seconds.saturating_mul(SECOND_NS);
        process.task.start_boottime_ns = BOOT_TIME_NS.saturating_sub(ago);
        process.start_time_ns = NOW_NS.saturating_sub(ago);
    }
    task(&keys, &mut process.task)?;
    Ok(process)
}

fn command_line(node: &Node) -> Result<Process> {
    let words = reading::words(node)?;
    let [program_path, args @ ..] = words.as_slice() else {
        return Err(node.fault("a command line names a program"));
    };
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut process = program(program_path, &args);
    process.exe = program_path.as_str().into();
    Ok(process)
}

fn task(keys: &Keys<'_>, task: &mut Task) -> Result<()> {
    if let Some(pid) = keys.number("pid")? {
        (task.pid, task.tid, task.sid, task.pgid) = (pid, pid, pid, pid);
    }
    if let Some(pid) = keys.number("vpid")? {
        (task.vpid, task.vtid) = (pid, pid);
    }
    task.tty = keys.number("tty")?.unwrap_or(task.tty);
    let credentials = &mut task.credentials;
    if let Some(uid) = keys.number("uid")? {
        (credentials.uid, credentials.euid) = (uid, uid);
        (credentials.gid, credentials.egid) = (uid, uid);
    } else if let Some(user) = keys.get("user") {
        // A user by name only is an ordinary one.
        let uid = if reading::text(user)? == "root" {
            0
        } else {
            1000
        };
        (credentials.uid, credentials.euid) = (uid, uid);
        (credentials.gid, credentials.egid) = (uid, uid);
    }
    if let Some(gid) = keys.number("gid")? {
        (credentials.gid, credentials.egid) = (gid, gid);
    }
    credentials.loginuid = keys.number("loginuid")?.unwrap_or(credentials.loginuid);
    if let Some(node) = keys.get("caps") {
        let mut caps = 0;
        for name in reading::texts(node)? {
            caps |= promises::bits(node, name)?;
        }
        (credentials.cap_effective, credentials.cap_permitted) = (caps, caps);
    }
    task.entered = match keys.has("entered") {
        true => keys.flag("entered")?,
        false => task.entered,
    };
    Ok(())
}

/// `NAME=value` in a list, or a map.
fn environment(keys: &Keys<'_>) -> Result<Arc<[BString]>> {
    let Some(node) = keys.get("env") else {
        return Ok(Arc::default());
    };
    if !matches!(node.kind, Kind::Mapping(_)) {
        return Ok(reading::texts(node)?
            .into_iter()
            .map(BString::from)
            .collect());
    }
    node.entries()
        .iter()
        .map(|(name, value)| {
            let value = match value.kind {
                Kind::Null => "",
                _ => reading::text(value)?,
            };
            Ok(BString::from(format!("{}={value}", reading::text(name)?)))
        })
        .collect()
}

/// Where a program comes from.
fn origin(node: &Node) -> Result<Origin> {
    const ORIGINS: [Origin; 6] = [
        Origin::Image,
        Origin::Upper,
        Origin::Volume,
        Origin::Tmpfs,
        Origin::Memfd,
        Origin::Unknown,
    ];
    reading::one_of(node, &ORIGINS, Origin::name)
}

/// A thread's name as the kernel keeps it: 15 bytes.
fn shortened(name: &str) -> BString {
    let bytes = name.as_bytes();
    bytes[..bytes.len().min(15)].into()
}
