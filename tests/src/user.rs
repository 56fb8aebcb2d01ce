//! An ordinary user of the machine, made for a test and removed after it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use crate::command;

/// A user with subordinate ids and a runtime folder.
#[derive(Debug)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its id; that of its group is the same.
    pub uid: u32,
}

impl User {
    /// Makes one; `useradd` gives it the next free range of subordinate ids.
    ///
    /// # Errors
    /// `useradd` fails, or the runtime folder cannot be made.
    pub fn make() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("vigia{}x{number}", std::process::id());
        command::output(Command::new("useradd").args([
            "--no-create-home",
            "--user-group",
            "--shell=/usr/sbin/nologin",
            &name,
        ]))?;
        let mut user = Self { name, uid: 0 };
        user.uid = command::output(Command::new("id").args(["-u", &user.name]))?
            .parse()
            .context("a user's id")?;
        let runtime = user.runtime();
        fs::create_dir_all(&runtime)?;
        chown(&runtime, Some(user.uid), Some(user.uid))?;
        fs::set_permissions(&runtime, Permissions::from_mode(0o700))?;
        Ok(user)
    }

    /// The folder in which its services have their sockets.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        format!("/run/user/{}", self.uid).into()
    }

    /// The first id that is subordinate to it: what id 1 of its user namespaces is for the host.
    ///
    /// # Errors
    /// It has none.
    pub fn first_subordinate(&self) -> Result<u32> {
        let ranges = fs::read_to_string("/etc/subuid")?;
        let mut of_user = ranges.lines().filter_map(|line| {
            let (name, range) = line.split_once(':')?;
            (name == self.name).then(|| range.split(':').next())?
        });
        let first = of_user.next().context("a range of subordinate ids")?;
        Ok(first.parse()?)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if self.uid != 0 {
            drop(fs::remove_dir_all(self.runtime()));
        }
        drop(command::run(
            Command::new("userdel").args(["--force", &self.name]),
        ));
    }
}
