//! Telling the probes which files are secrets, and asking them by what key the kernel knows a file.

use std::io;
use std::os::fd::OwnedFd;

use vigia_abi::maps::{SecretKey, SecretValue, config, names, secret};

use super::{ANY, Sensor, absent_is_fine};
use crate::maps::MapFailure;
use crate::plain::Plain;
use crate::procfs;
use crate::secrets::{self, Change, DeviceWatch};

impl Sensor {
    /// Reports every successful open of a file, or with `None` of any file of a device, whoever makes it. Counts:
    /// each watch is taken back by its own [`Sensor::unwatch_secret`].
    ///
    /// # Errors
    /// When a table is full.
    pub fn watch_secret(&mut self, dev: u32, ino: Option<u64>) -> Result<(), MapFailure> {
        let changes = self.watches.add(dev, ino);
        self.apply(&changes)?;
        self.set_flag(config::SECRETS, !self.watches.is_empty())
    }

    /// Takes back one [`Sensor::watch_secret`].
    ///
    /// # Errors
    /// When the kernel refuses the change.
    pub fn unwatch_secret(&mut self, dev: u32, ino: Option<u64>) -> Result<(), MapFailure> {
        let changes = self.watches.remove(dev, ino);
        self.apply(&changes)?;
        self.set_flag(config::SECRETS, !self.watches.is_empty())
    }

    /// Reports every successful open of an environment that proc shows of a process, whoever makes it; or no longer.
    ///
    /// # Errors
    /// When the kernel refuses the change.
    pub fn watch_environments(&mut self, wanted: bool) -> Result<(), MapFailure> {
        self.set_flag(config::ENVIRONMENTS, wanted)
    }

    /// Asks the probes for the keys of files, which are opened with `O_PATH`: each is answered with a
    /// [`What::SecretKey`](vigia_event::captured::What::SecretKey) record.
    ///
    /// `stat(2)` is no substitute: on some file systems it reports other numbers than those that the kernel works
    /// with.
    ///
    /// # Errors
    /// When the kernel refuses the question. All files are tried; the first error is returned.
    pub fn learn_secret_keys(&mut self, files: &[OwnedFd]) -> io::Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        self.config.learn_tid = procfs::thread_id(&self.proc_root)?;
        self.write_config().map_err(io::Error::other)?;
        let asked = files.iter().map(secrets::reopen).fold(Ok(()), Result::and);
        self.config.learn_tid = 0;
        self.write_config().map_err(io::Error::other)?;
        asked
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), MapFailure> {
        let value = |kind| Plain(SecretValue { kind });
        let key = |dev, ino| {
            Plain(SecretKey {
                ino,
                dev,
                padding: 0,
            })
        };
        let devices = &mut self.maps.secret_devs;
        let files = &mut self.maps.secret_files;
        for &change in changes {
            let (map, done) = match change {
                Change::Device(dev, DeviceWatch::Whole) => (
                    names::SECRET_DEVS,
                    devices.insert(dev, value(secret::SECRET), ANY),
                ),
                Change::Device(dev, DeviceWatch::ByFile) => (
                    names::SECRET_DEVS,
                    devices.insert(dev, value(secret::BY_FILE), ANY),
                ),
                Change::NoDevice(dev) => (names::SECRET_DEVS, absent_is_fine(devices.remove(&dev))),
                Change::File(dev, ino) => (
                    names::SECRET_FILES,
                    files.insert(key(dev, ino), value(secret::SECRET), ANY),
                ),
                Change::NoFile(dev, ino) => (
                    names::SECRET_FILES,
                    absent_is_fine(files.remove(&key(dev, ino))),
                ),
            };
            done.map_err(MapFailure::new("write", map))?;
        }
        Ok(())
    }
}
