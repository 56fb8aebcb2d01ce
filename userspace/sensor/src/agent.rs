//! Who this process is to the kernel: the one process that is never traced.
//!
//! The probes see the ids of the initial pid namespace. This process may live in another one, so it asks the
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
    // The name may hold anything, parentheses too: the last one closes it. State, field 3, comes next.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
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
    fn this_process_knows_itself() {
        let agent = Agent::identify(Path::new("/proc")).unwrap();
        assert_eq!(agent.pid, std::process::id());
        assert!(agent.start_ticks > 0);
        assert!(thread_id(Path::new("/proc")).unwrap() >= agent.pid);
    }
}
