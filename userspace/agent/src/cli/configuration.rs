//! `vigia config`, and the flag by which every command finds its configuration.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config::{Config, EXAMPLE};
use crate::settings;

/// Which configuration is read.
#[derive(Debug, Args)]
pub(super) struct ConfigFile {
    /// Configuration file [default: /etc/vigia/vigia.yaml, which may be missing]
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

impl ConfigFile {
    /// The file with the environment's overrides.
    pub(super) fn read(&self) -> anyhow::Result<Config> {
        let mut config = Config::read(self.config.as_deref())?;
        config.override_from(environment())?;
        Ok(config)
    }
}

/// Variables that are not UTF-8 cannot be ours.
pub(super) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Flags of `vigia config`.
#[derive(Debug, Args)]
pub(super) struct ShowConfig {
    #[command(flatten)]
    config: ConfigFile,
    /// Print the commented example, which states every key and its default
    #[arg(long, conflicts_with = "config")]
    example: bool,
}

impl ShowConfig {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        if self.example {
            out.write_all(EXAMPLE.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        // What only its user can tell: whether patterns compile.
        settings::alert_context(&self.config.read()?)?;
        writeln!(
            out,
            "The configuration is valid. Its keys and the environment variables that override them:\n"
        )?;
        let keys = crate::config::environment::keys();
        let width = keys.iter().map(|key| key.path().len()).max().unwrap_or(0);
        for key in keys {
            writeln!(out, "{:width$}  {}", key.path(), key.variable())?;
        }
        writeln!(
            out,
            "\n`vigia config --example` prints each with its meaning and default."
        )?;
        Ok(ExitCode::SUCCESS)
    }
}
