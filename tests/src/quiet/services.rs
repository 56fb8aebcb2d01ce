//! The services: how each is run, and what is done to it. Their images are in tests/services.

mod backup;
mod nginx;
mod postgres;
mod redis;
mod web;

use std::time::Duration;

use anyhow::Result;

use super::place::Place;

/// A service that people run.
#[derive(Debug)]
pub struct Service {
    /// Its name, and the name of its folder.
    pub name: &'static str,
    /// The user it serves as.
    pub user: &'static str,
    /// Environment, as NAME=VALUE.
    pub(super) environment: &'static [&'static str],
    /// Files below /run/secrets.
    pub(super) secrets: &'static [&'static str],
    /// Where its data is.
    pub(super) volumes: &'static [&'static str],
    /// What else it has to write to: in-memory file systems where the root is read-only.
    pub tmpfs: &'static [&'static str],
    /// What it is told to run where the root is read-only; what the image says when empty.
    pub(super) read_only_command: &'static [&'static str],
    /// Where it listens.
    pub(super) port: Option<u16>,
    /// What it writes when it is ready, where it does not listen.
    pub(super) ready: &'static str,
    /// What a load counts.
    pub(super) unit: &'static str,
    /// Fewer of them are no load.
    pub(super) least_per_second: u64,
    /// Puts it under load for some time; how much was done.
    pub(super) load: fn(&Place<'_>, Duration) -> Result<u64>,
    /// Has it read its configuration again.
    pub(super) reload: fn(&Place<'_>) -> Result<()>,
    /// Rotates its log.
    pub(super) rotate: fn(&Place<'_>) -> Result<()>,
    /// The exit code with which it ends when told to, if not 0.
    pub(super) stopped: &'static str,
}

/// All of them.
pub const SERVICES: &[Service] = &[
    nginx::SERVICE,
    postgres::SERVICE,
    redis::SERVICE,
    web::SERVICE,
    backup::SERVICE,
];

impl Service {
    /// The options that make it read-only, as in docs/quiet.md.
    #[must_use]
    pub fn read_only_options(&self) -> Vec<String> {
        let mut options = vec!["--read-only".to_owned(), format!("--user={}", self.user)];
        let tmpfs = self.tmpfs.iter();
        options.extend(
            tmpfs.map(|point| format!("--mount=type=tmpfs,destination={point},tmpfs-mode=1777")),
        );
        options
    }
}
