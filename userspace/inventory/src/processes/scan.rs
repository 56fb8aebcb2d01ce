//! Reading /proc: the processes that were there before the probes.
//!
//! Everything in there was written by the processes themselves and is treated as hostile: sizes are capped,
//! nothing is assumed to be text, and whatever vanishes between two reads is no error.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bstr::{BString, ByteSlice};
use vigia_event::Truncated;
use vigia_event::captured::{Namespaces, Task};
use vigia_event::file::Origin;
use vigia_event::process::{Process, ProcessKey, TICK_NS};

use super::script;
use crate::patience;

/// What to read of each process.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions {
    /// Whether a rule asks for the environment.
    pub environment: bool,
    /// Bytes of the command line, and of the environment, that are kept.
    pub max_argument_bytes: usize,
    /// How long to wait for a process's memory, which it can make hang.
    pub patience: Duration,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            environment: false,
            max_argument_bytes: 4096,
            patience: Duration::from_millis(50),
        }
    }
}

/// One process as /proc tells it.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// What a record would have told, with the start time truncated to clock ticks, and without what /proc
    /// does not know: `exec_id`, cgroup ids, `entered`, and the start in wall-clock time.
    pub process: Process,
    /// The lines of its cgroup file, at most 16 KiB.
    pub cgroups: BString,
}

impl Scanned {
    /// Names the process.
    #[must_use]
    pub fn key(&self) -> ProcessKey {
        self.process.key()
    }
}

/// Processes read at most: the kernel's own limit of pids.
const MAX_PIDS: usize = 1 << 22;
const STAT_BYTES: u64 = 4096;
const STATUS_BYTES: u64 = 16 * 1024;
const CGROUP_BYTES: u64 = 16 * 1024;

/// Reads every process of a /proc. Processes that end while it reads are left out.
///
/// # Errors
/// If the folder itself cannot be listed.
pub fn scan(proc_root: &Path, options: &ScanOptions) -> io::Result<Vec<Scanned>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(proc_root)?.take(2 * MAX_PIDS) {
        let name = entry?.file_name();
        let pid = name.to_str().and_then(|name| name.parse().ok());
        if let Some(process) = pid.and_then(|pid| read_process(proc_root, pid, options)) {
            found.push(process);
        }
    }
    Ok(found)
}

/// Reads one process; `None` if it is gone.
#[must_use]
pub fn read_process(proc_root: &Path, pid: u32, options: &ScanOptions) -> Option<Scanned> {
    let folder = proc_root.join(pid.to_string());
    let mut task = parse_stat(&read_capped(&folder.join("stat"), STAT_BYTES).ok()?)?;
    task.pid = pid;
    task.tid = pid;
    apply_status(
        &mut task,
        &read_capped(&folder.join("status"), STATUS_BYTES).ok()?,
    );
    let loginuid = read_capped(&folder.join("loginuid"), 32).ok();
    task.credentials.loginuid = loginuid.and_then(|text| number(&text)).unwrap_or(u32::MAX);
    task.namespaces = Namespaces {
        mnt: namespace(&folder, "mnt"),
        pid: namespace(&folder, "pid"),
        user: namespace(&folder, "user"),
        net: namespace(&folder, "net"),
    };
    let cgroups = read_capped(&folder.join("cgroup"), CGROUP_BYTES).unwrap_or_default();
    let (exe_path, exe_origin) = executable(link(&folder.join("exe")));
    let cwd = std::fs::read_link(folder.join("cwd"));
    let cwd_truncated = cwd
        .as_ref()
        .is_err_and(|error| error.kind() == io::ErrorKind::InvalidFilename);
    let cwd = cwd.map_or_else(|_| BString::default(), target);
    let (mut command, args_truncated) = read_memory(folder.join("cmdline"), options);
    let exe = if command.is_empty() {
        BString::default()
    } else {
        command.remove(0)
    };
    let (env, env_truncated) = if options.environment {
        read_memory(folder.join("environ"), options)
    } else {
        Default::default()
    };
    // The pid may have been given away since the first read: then this is a mixture of two processes.
    let again = parse_stat(&read_capped(&folder.join("stat"), STAT_BYTES).ok()?)?;
    if again.start_boottime_ns != task.start_boottime_ns {
        return None;
    }
    let script = script::script_argument_of(&exe_path, &exe, &command, &cwd);
    let process = Process {
        task,
        exe,
        exe_path,
        args: command.into(),
        env: env.into(),
        cwd,
        exe_origin,
        script,
        truncated: Truncated {
            args: args_truncated,
            env: env_truncated,
            cwd: cwd_truncated,
        },
        ..Process::default()
    };
    Some(Scanned {
        process,
        cgroups: cgroups.into(),
    })
}

/// The task of a `stat` file: name, parent, groups, terminal, start. The name may hold anything, so it ends at
/// the *last* parenthesis.
fn parse_stat(stat: &[u8]) -> Option<Task> {
    let (open, close) = (stat.find_byte(b'(')?, stat.rfind_byte(b')')?);
    let comm = stat.get(open + 1..close)?;
    let rest = stat.get(close + 1..)?;
    // The first of these is field 3 of proc(5).
    let fields: Vec<&[u8]> = rest.fields().take(20).collect();
    let field = |number: usize| fields.get(number - 3).copied();
    let start_ticks: u64 = field(22).and_then(number)?;
    Some(Task {
        comm: comm.into(),
        parent_pid: field(4).and_then(number)?,
        pgid: field(5).and_then(number)?,
        sid: field(6).and_then(number)?,
        tty: field(7).and_then(number).map_or(0, terminal),
        start_boottime_ns: start_ticks.saturating_mul(TICK_NS),
        ..Task::default()
    })
}

/// proc(5) has the minor's upper bits above the major; records have `major << 8 | minor`.
fn terminal(number: u32) -> u32 {
    let major = (number >> 8) & 0xfff;
    let minor = (number & 0xff) | ((number >> 12) & 0x000f_ff00);
    major << 8 | minor
}

fn apply_status(task: &mut Task, status: &[u8]) {
    for line in status.lines() {
        let Some((name, value)) = line.split_once_str(":") else {
            continue;
        };
        let values = value.fields();
        let credentials = &mut task.credentials;
        match name {
            b"Uid" => (credentials.uid, credentials.euid) = real_and_effective(value),
            b"Gid" => (credentials.gid, credentials.egid) = real_and_effective(value),
            b"NSpid" => {
                task.vpid = values.last().and_then(number).unwrap_or(task.pid);
                task.vtid = task.vpid;
            }
            b"NSpgid" => task.vpgid = values.last().and_then(number).unwrap_or(task.pgid),
            b"CapInh" => credentials.cap_inheritable = hexadecimal(value),
            b"CapPrm" => credentials.cap_permitted = hexadecimal(value),
            b"CapEff" => credentials.cap_effective = hexadecimal(value),
            _ => {}
        }
    }
}

/// The first two of the ids in a line of `status`.
pub(crate) fn real_and_effective(value: &[u8]) -> (u32, u32) {
    let mut values = value
        .fields()
        .map(|field| number(field).unwrap_or(u32::MAX));
    (
        values.next().unwrap_or(u32::MAX),
        values.next().unwrap_or(u32::MAX),
    )
}

fn number<N: std::str::FromStr>(text: &[u8]) -> Option<N> {
    text.trim().to_str().ok()?.parse().ok()
}

/// A number of capabilities' bits; 0 for what is none.
pub(crate) fn hexadecimal(text: &[u8]) -> u64 {
    text.trim()
        .to_str()
        .ok()
        .and_then(|text| u64::from_str_radix(text, 16).ok())
        .unwrap_or(0)
}

/// The inode number in a link such as `mnt:[4026531841]`; 0 if it cannot be read.
pub(crate) fn namespace(folder: &Path, kind: &str) -> u32 {
    let text = link(&folder.join("ns").join(kind));
    let inside = text
        .split_once_str("[")
        .and_then(|(_, rest)| rest.strip_suffix(b"]"));
    inside.and_then(number).unwrap_or(0)
}

fn link(path: &Path) -> BString {
    std::fs::read_link(path).map_or_else(|_| BString::default(), target)
}

fn target(link: PathBuf) -> BString {
    link.into_os_string().into_vec().into()
}

/// The path of an executable as records spell it, and its origin as far as the path alone tells.
fn executable(link: BString) -> (BString, Origin) {
    let path = link.strip_suffix(b" (deleted)").unwrap_or(&link);
    match path.strip_prefix(b"/") {
        Some(name) if path.len() < link.len() && name.starts_with(b"memfd:") => {
            (name.into(), Origin::Memfd)
        }
        _ => (path.into(), Origin::Unknown),
    }
}

/// NUL-terminated strings from the memory of a process, and whether there are more.
fn read_memory(path: PathBuf, options: &ScanOptions) -> (Vec<BString>, bool) {
    let cap = options.max_argument_bytes;
    let one_more = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
    let bytes = patience::wait_for(options.patience, move || read_capped(&path, one_more));
    // A process that makes its memory hang, or keeps it from us, has more than we know of.
    let is_missing = !matches!(bytes, Some(Ok(_)));
    let bytes = bytes.and_then(Result::ok).unwrap_or_default();
    let kept = bytes.get(..cap).unwrap_or(&bytes);
    let is_truncated = is_missing || kept.len() < bytes.len();
    let kept = kept.strip_suffix(b"\0").unwrap_or(kept);
    let strings = if kept.is_empty() {
        Vec::new()
    } else {
        kept.split_str(b"\0").map(BString::from).collect()
    };
    (strings, is_truncated)
}

/// The first bytes of a file.
pub(crate) fn read_capped(path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(bytes).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_stat_line_is_parsed_whatever_the_name_holds() {
        for comm in ["sh", "a b", "x) R 7 7 (y", "line\nbreak", ")", "("] {
            let stat =
                format!("42 ({comm}) S 7 40 41 34817 42 0 0 0 0 0 1 2 0 0 20 0 1 0 12345 9 9\n");
            let task = parse_stat(stat.as_bytes()).expect(comm);
            assert_eq!(task.comm, comm);
            assert_eq!((task.parent_pid, task.pgid, task.sid), (7, 40, 41));
            assert_eq!(task.tty, 136 << 8 | 1);
            assert_eq!(task.start_boottime_ns, 12345 * TICK_NS);
        }
    }

    #[test]
    fn a_broken_stat_line_is_refused() {
        for stat in [
            "",
            "1 sh S 1",
            "1 )sh( S 1 1 1",
            "1 (sh) S 1 1 1 0",
            "1 (sh) S x 1 1 0 0 0 0 0 0 0 1 2 0 0 20 0 1 0 9",
        ] {
            assert!(parse_stat(stat.as_bytes()).is_none(), "{stat}");
        }
    }

    #[test]
    fn a_status_file_gives_credentials_and_inner_ids() {
        let mut task = Task {
            pid: 42,
            pgid: 40,
            ..Task::default()
        };
        let status = b"Name:\tUid: 0 0\nUid:\t1000\t0\t0\t0\nGid:\t100\t5\t5\t5\nNSpid:\t42\t7\nNSpgid:\t40\t6\nCapEff:\t00000000a80425fb\n";
        apply_status(&mut task, status);
        assert_eq!(
            (
                task.credentials.uid,
                task.credentials.euid,
                task.credentials.egid
            ),
            (1000, 0, 5)
        );
        assert_eq!((task.vpid, task.vtid, task.vpgid), (7, 7, 6));
        assert_eq!(task.credentials.cap_effective, 0xa804_25fb);
    }

    #[test]
    fn an_executable_link_is_spelt_as_records_spell_it() {
        for (link, path, origin) in [
            ("/bin/sh", "/bin/sh", Origin::Unknown),
            ("/tmp/x (deleted)", "/tmp/x", Origin::Unknown),
            ("/memfd:x (deleted)", "memfd:x", Origin::Memfd),
            ("/memfd:x", "/memfd:x", Origin::Unknown),
        ] {
            assert_eq!(executable(link.into()), (path.into(), origin), "{link}");
        }
    }

    #[test]
    fn this_very_process_is_found_in_proc() {
        let found = scan(
            Path::new("/proc"),
            &ScanOptions {
                environment: true,
                ..ScanOptions::default()
            },
        )
        .expect("/proc");
        let own = found
            .iter()
            .find(|one| one.process.task.pid == std::process::id())
            .expect("this process");
        let exe = std::env::current_exe().expect("a path");
        assert_eq!(own.process.exe_path, exe.as_os_str().as_bytes());
        assert!(own.process.task.start_boottime_ns > 0 && own.process.task.namespaces.mnt > 0);
        assert!(
            !own.process.exe.is_empty() && !own.process.env.is_empty() && !own.cgroups.is_empty()
        );
    }

    #[test]
    fn strings_that_are_longer_than_what_is_kept_are_marked() {
        let file = std::env::temp_dir().join(format!("vigia-strings-{}", std::process::id()));
        std::fs::write(&file, b"one\0two\0").expect("a file");
        for (max_argument_bytes, expected, is_truncated) in [
            (8, ["one", "two"].as_slice(), false),
            (7, &["one", "two"], true),
            (5, &["one", "t"], true),
            (0, &[], true),
        ] {
            let options = ScanOptions {
                max_argument_bytes,
                ..ScanOptions::default()
            };
            let found = read_memory(file.clone(), &options);
            let expected: Vec<BString> = expected.iter().map(|&text| text.into()).collect();
            assert_eq!(found, (expected, is_truncated), "{max_argument_bytes}");
        }
        std::fs::remove_file(&file).expect("removing it");
    }
}
