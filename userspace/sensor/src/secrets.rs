//! Which files are secrets, and by which key the kernel knows them.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Keys that were asked for and not yet answered; more than one container start can be under way.
const MAX_PENDING: usize = 1024;

/// What the probes must know after a change of the watches: a row to write, or to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Device(u32, DeviceWatch),
    NoDevice(u32),
    File(u32, u64),
    NoFile(u32, u64),
}

/// How a device is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceWatch {
    /// Every file on it is a secret.
    Whole,
    /// Those in the map of files are.
    ByFile,
}

/// How often each device and file is watched: containers share secrets, and each lets go of its own grant.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    devices: HashMap<u32, DeviceCount>,
    files: HashMap<(u32, u64), u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct DeviceCount {
    whole: u32,
    files: u32,
}

impl DeviceCount {
    fn watch(self) -> Option<DeviceWatch> {
        match (self.whole, self.files) {
            (0, 0) => None,
            (0, _) => Some(DeviceWatch::ByFile),
            _ => Some(DeviceWatch::Whole),
        }
    }
}

impl Watches {
    pub(crate) fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Adds a watch on a file, or on all of a device. Changes are in an order in which no secret is missed.
    pub(crate) fn add(&mut self, dev: u32, ino: Option<u64>) -> Vec<Change> {
        let mut changes = Vec::new();
        let before = self.devices.get(&dev).and_then(|count| count.watch());
        let device = self.devices.entry(dev).or_default();
        match ino {
            None => device.whole += 1,
            Some(ino) => {
                let count = self.files.entry((dev, ino)).or_default();
                *count += 1;
                if *count == 1 {
                    device.files += 1;
                    changes.push(Change::File(dev, ino));
                }
            }
        }
        changes.extend(device_change(dev, before, device.watch()));
        changes
    }

    /// Takes back one watch of [`Watches::add`]; nothing where there is none.
    pub(crate) fn remove(&mut self, dev: u32, ino: Option<u64>) -> Vec<Change> {
        let mut changes = Vec::new();
        let Some(device) = self.devices.get_mut(&dev) else {
            return changes;
        };
        let before = device.watch();
        match ino {
            None => device.whole = device.whole.saturating_sub(1),
            Some(ino) => {
                let Some(count) = self.files.get_mut(&(dev, ino)) else {
                    return changes;
                };
                *count -= 1;
                if *count == 0 {
                    self.files.remove(&(dev, ino));
                    device.files -= 1;
                    changes.push(Change::NoFile(dev, ino));
                }
            }
        }
        let after = device.watch();
        if after.is_none() {
            self.devices.remove(&dev);
        }
        changes.extend(device_change(dev, before, after));
        changes
    }
}

fn device_change(
    dev: u32,
    before: Option<DeviceWatch>,
    after: Option<DeviceWatch>,
) -> Option<Change> {
    if before == after {
        return None;
    }
    Some(after.map_or(Change::NoDevice(dev), |watch| Change::Device(dev, watch)))
}

/// Keys that were asked for: which of the agent's own opens belongs to which path.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    questions: VecDeque<Question>,
}

#[derive(Debug)]
struct Question {
    path: PathBuf,
    /// `CLOCK_BOOTTIME` before and after the open, which happened in between; questions never overlap.
    asked_ns: (u64, u64),
}

impl Pending {
    /// Opens a file so that the probes see it, and remembers when. `folder` is `root`, opened.
    pub(crate) fn ask(&mut self, folder: &OwnedFd, root: &Path, path: &Path) -> io::Result<()> {
        let before = boot_time_ns();
        let opened = open_inside(folder, path);
        let after = boot_time_ns();
        opened?;
        if self.questions.len() == MAX_PENDING {
            // Its answer was lost to a full ring, or was refused: nothing came for a thousand questions.
            self.questions.pop_front();
        }
        self.questions.push_back(Question {
            path: joined(root, path),
            asked_ns: (before, after),
        });
        Ok(())
    }

    /// The path that was asked about at a time; older questions without an answer are given up.
    pub(crate) fn answer(&mut self, boot_time_ns: u64) -> Option<PathBuf> {
        while let Some(question) = self.questions.pop_front() {
            let (before, after) = question.asked_ns;
            if boot_time_ns < before {
                self.questions.push_front(question);
                return None;
            }
            if boot_time_ns <= after {
                return Some(question.path);
            }
        }
        None
    }
}

/// `root` with `path` below it, also where `path` is absolute.
fn joined(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Opens a container's root, as the place from which its paths are resolved.
pub(crate) fn open_root(root: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY;
    Ok(rustix::fs::openat(CWD, root, flags, Mode::empty())?)
}

/// Opens a path that a container controls, as seen from its root.
///
/// `O_PATH` has no effect on what is opened: a FIFO does not block and a device does not act. Symbolic links are
/// resolved inside of the root, so that a container cannot make us learn a file of the host.
fn open_inside(root: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
        // Old seccomp profiles refuse a call they do not know.
        Err(Errno::NOSYS | Errno::PERM) => {
            let inside = path.strip_prefix("/").unwrap_or(path);
            Ok(rustix::fs::openat(
                root,
                inside,
                flags | OFlags::NOFOLLOW,
                Mode::empty(),
            )?)
        }
        other => Ok(other?),
    }
}

fn boot_time_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanoseconds) = (now.tv_sec.cast_unsigned(), now.tv_nsec.cast_unsigned());
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_secret_is_watched_until_the_last_one_lets_go() {
        let mut watches = Watches::default();
        assert_eq!(
            watches.add(7, Some(1)),
            [Change::File(7, 1), Change::Device(7, DeviceWatch::ByFile)]
        );
        assert_eq!(watches.add(7, Some(1)), []);
        assert_eq!(watches.add(7, Some(2)), [Change::File(7, 2)]);
        assert_eq!(
            watches.add(7, None),
            [Change::Device(7, DeviceWatch::Whole)]
        );
        assert_eq!(watches.remove(7, Some(1)), []);
        assert_eq!(watches.remove(7, Some(1)), [Change::NoFile(7, 1)]);
        assert_eq!(
            watches.remove(7, None),
            [Change::Device(7, DeviceWatch::ByFile)]
        );
        assert_eq!(
            watches.remove(7, Some(2)),
            [Change::NoFile(7, 2), Change::NoDevice(7)]
        );
        assert!(watches.is_empty());
        assert_eq!(watches.remove(7, Some(2)), []);
        assert_eq!(watches.remove(8, None), []);
    }

    #[test]
    fn an_answer_finds_its_question_even_if_others_were_lost() {
        let folder = tempfile::tempdir().unwrap();
        let root = open_root(folder.path()).unwrap();
        let mut pending = Pending::default();
        let mut times = Vec::new();
        for name in ["a", "b", "c"] {
            std::fs::write(folder.path().join(name), name).unwrap();
            pending
                .ask(&root, folder.path(), Path::new(&format!("/{name}")))
                .unwrap();
            times.push(pending.questions.back().unwrap().asked_ns.0);
        }
        assert!(
            pending
                .ask(&root, folder.path(), Path::new("/missing"))
                .is_err()
        );
        assert_eq!(pending.answer(1), None, "before all questions");
        assert_eq!(pending.answer(times[1]), Some(folder.path().join("b")));
        assert_eq!(pending.answer(times[0]), None, "given up");
        assert_eq!(pending.answer(times[2]), Some(folder.path().join("c")));
    }

    #[test]
    fn a_link_of_the_container_does_not_lead_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("inside"), "").unwrap();
        std::os::unix::fs::symlink("/inside", folder.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("out")).unwrap();
        let root = open_root(folder.path()).unwrap();
        assert!(
            open_inside(&root, Path::new("/link")).is_ok(),
            "resolved from the container's root"
        );
        assert!(open_inside(&root, Path::new("/out")).is_err());
        assert!(open_inside(&root, Path::new("../../../../etc/passwd")).is_err());
    }
}
