//! Whether the mounts of a namespace changed, without reading them: there may be thousands.

use std::fs::File;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Changes of the mounts that a process sees. The kernel tells them to whoever polls its open mountinfo (proc(5)), once each.
#[derive(Debug)]
pub(crate) struct MountChanges {
    /// `None` where it cannot be opened.
    mountinfo: Option<File>,
}

impl MountChanges {
    /// Those from now on.
    pub(crate) fn of(proc_root: &Path, pid: u32) -> Self {
        let path = proc_root.join(pid.to_string()).join("mountinfo");
        Self {
            mountinfo: File::open(path).ok(),
        }
    }

    /// Whether there were any since this was last asked; always, where that cannot be told.
    pub(crate) fn any(&self) -> bool {
        let Some(mountinfo) = &self.mountinfo else {
            return true;
        };
        let mut asked = [PollFd::new(mountinfo, PollFlags::PRI)];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        match poll(&mut asked, Some(&at_once)) {
            Ok(ready) => ready > 0,
            Err(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_that_stay_as_they_are_did_not_change_and_those_of_nobody_may_have() {
        let own = MountChanges::of(Path::new("/proc"), std::process::id());
        // Other tests of the machine may mount at any time, but not always.
        assert!((0..1000).any(|_| !own.any()));
        assert!(MountChanges::of(Path::new("/nowhere"), 1).any());
    }
}
