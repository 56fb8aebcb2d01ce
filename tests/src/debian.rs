//! A Debian system to make images of, with the real tools: bootstrapped once, kept outside the tree.

pub mod services;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::{command, wait};

/// The release.
const RELEASE: &str = "bookworm";

/// A folder with the root of a minimal system and these packages, as `debootstrap` makes it. The first time it takes
/// a minute and Debian's mirror; later it is unpacked from `$XDG_CACHE_HOME/vigia`.
///
/// # Errors
/// `debootstrap` is missing or fails, or the cache cannot be written.
pub fn root(packages: &[&str]) -> Result<TempDir> {
    let cache = cache()?.join(format!("{RELEASE}+{}.tar", packages.join("+")));
    let folder = tempfile::Builder::new().prefix("vigia-debian-").tempdir()?;
    if cache.is_file() {
        command::output(
            Command::new("tar")
                .args(["--extract", "--numeric-owner", "--file"])
                .args([&cache])
                .arg("--directory")
                .arg(folder.path()),
        )?;
        return Ok(folder);
    }
    let mut bootstrap = command::limited(wait::seconds(600), "debootstrap");
    bootstrap
        .arg("--variant=minbase")
        .arg(format!("--include={}", packages.join(",")))
        .arg(RELEASE)
        .arg(folder.path());
    command::output(&mut bootstrap).context("making a Debian system")?;
    for clutter in [
        "dev",
        "usr/share/doc",
        "usr/share/locale",
        "usr/share/man",
        "var/cache/apt",
        "var/lib/apt/lists",
    ] {
        drop(std::fs::remove_dir_all(folder.path().join(clutter)));
    }
    std::fs::create_dir(folder.path().join("dev"))?;
    // Another run may do the same at this moment: what is in the cache is always whole.
    let draft = cache.with_extension(format!("{}", std::process::id()));
    command::output(
        Command::new("tar")
            .args(["--create", "--numeric-owner", "--file"])
            .arg(&draft)
            .arg("--directory")
            .arg(folder.path())
            .arg("."),
    )?;
    std::fs::rename(&draft, &cache).context("keeping the Debian system")?;
    Ok(folder)
}

/// Where systems are kept; made if need be.
fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").context("no HOME")?).join(".cache"),
    };
    let folder = base.join("vigia");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}
