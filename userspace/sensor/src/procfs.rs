//! The host's /proc: whether it is the host's, and who this process is in it.
//!
//! This process is the one that is never traced. The probes see the ids of the initial pid namespace. This process may live in another one, so it asks the
//! host's /proc, whose `self` links answer with the ids of the namespace that /proc belongs to.

use std::io;
use std::path::Path;

/// How the kernel knows this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agent {
    pub(crate) pid: u32,
    /// Start, `CLOCK_BOOTTIME` in ticks of 10 ms.
    pub(crate) start_ticks: u64,
}

impl Agent {
    pub(crate) fn identify(proc_root: &Path) -> io::Result<Self> {
        let pid = id_behind(&proc_root.join("self"))?;
        let stat = std::fs::read_to_string(proc_root.join(pid.to_string()).join("stat"))?;
        let start_ticks =
            start_ticks(&stat).ok_or_else(|| io::Error::other("unexpected content of stat"))?;
        Ok(Self { pid, start_ticks })
    }
}

/// Whether a /proc is that of the initial pid namespace, the only one that shows kernel threads; the first of them
/// is process 2.
pub(crate) fn is_of_the_host(proc_root: &Path) -> io::Result<bool> {
    match std::fs::read_to_string(proc_root.join("2/stat")) {
        Ok(stat) => {
            is_kernel_thread(&stat).ok_or_else(|| io::Error::other("unexpected content of stat"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the `flags` of a `/proc/PID/stat`, field 9, hold `PF_KTHREAD`.
fn is_kernel_thread(stat: &str) -> Option<bool> {
    const PF_KTHREAD: u64 = 0x0020_0000;
    let flags: u64 = after_name(stat)?.nth(6)?.parse().ok()?;
    Some(flags & PF_KTHREAD != 0)
}

/// The calling thread's id on the host.
pub(crate) fn thread_id(proc_root: &Path) -> io::Result<u32> {
    id_behind(&proc_root.join("thread-self"))
}

/// The last component of a link such as `12` or `12/task/34`.
fn id_behind(link: &Path) -> io::Result<u32> {
    let target = std::fs::read_link(link)?;
    let id = target
        .file_name()
        .and_then(|name| name.to_str()?.parse().ok());
    id.ok_or_else(|| io::Error::other(format!("{} leads to {}", link.display(), target.display())))
}

/// Field 22 of `/proc/PID/stat`.
fn start_ticks(stat: &str) -> Option<u64> {
    after_name(stat)?.nth(19)?.parse().ok()
}

/// The fields of `/proc/PID/stat` from the third on. The name before them may hold anything, parentheses too: the
/// last one closes it.
fn after_name(stat: &str) -> Option<impl Iterator<Item = &str>> {
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_after_any_name() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        for (stat, expected) in [
            (format!("1 (init) {rest}"), Some(777)),
            (format!("1 (a) b (c)) {rest}"), Some(777)),
            ("1 (init) S 1".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(start_ticks(&stat), expected, "{stat}");
        }
    }

    #[test]
    fn kernel_threads_are_told_by_their_flags() {
        for (stat, expected) in [
            ("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0", Some(true)),
            ("2 (a) S 1) S 0 0 0 0 -1 4194560 0 0", Some(false)),
            ("2 (x", None),
            ("", None),
        ] {
            assert_eq!(is_kernel_thread(stat), expected, "{stat}");
        }
        assert!(!is_of_the_host(Path::new("/nonexistent")).unwrap());
    }

    #[test]
    fn this_process_knows_itself() {
        let agent = Agent::identify(Path::new("/proc")).unwrap();
        assert_eq!(agent.pid, std::process::id());
        assert!(agent.start_ticks > 0);
        assert!(thread_id(Path::new("/proc")).unwrap() >= agent.pid);
    }
}
