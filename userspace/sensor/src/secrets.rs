//! Which files are secrets, and how the kernel is asked by which key it knows them.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};

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

/// Opens a file once more, so that the probes see it opened: by its descriptor, whatever its name is now.
///
/// `O_PATH` has no effect on what is opened: a FIFO does not block and a device does not act.
pub(crate) fn reopen(file: &OwnedFd) -> io::Result<()> {
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::openat(CWD, link, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    Ok(())
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
    fn a_file_is_opened_again_after_it_lost_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "").unwrap();
        let file = OwnedFd::from(std::fs::File::open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        reopen(&file).unwrap();
    }
}
