//! Deeds with files: what a rule sees is the call, so each makes just one of interest.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::{Deed, say};

pub(crate) const DEEDS: &[Deed] = &[
    ("create", create),
    ("empty", empty),
    ("update", update),
    ("read", read),
    ("read-late", read_late),
    ("remove", remove),
    ("chmod", chmod),
    ("mkdir", mkdir),
    ("rename", rename),
];

/// `create PATH [MODE]`: a new file.
fn create(words: &[&str]) -> Result<()> {
    let [path, mode @ ..] = words else {
        bail!("create PATH [MODE]")
    };
    let mode = mode.first().copied().unwrap_or("644");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(u32::from_str_radix(mode, 8)?)
        .open(path)
        .with_context(|| format!("creating {path}"))?;
    file.write_all(b"planted\n")?;
    say(&format!("planted {path}"));
    Ok(())
}

/// `empty PATH`: opens a file for writing and truncates it.
fn empty(words: &[&str]) -> Result<()> {
    let path = one(words)?;
    let file = OpenOptions::new().write(true).truncate(true).open(path)?;
    say(&format!("{} bytes left", file.metadata()?.len()));
    Ok(())
}

/// `update PATH`: opens a file for reading and writing, and makes it if need be.
fn update(words: &[&str]) -> Result<()> {
    let path = one(words)?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .with_context(|| format!("opening {path}"))?;
    file.write_all(b"planted\n")?;
    say(&format!("planted {path}"));
    Ok(())
}

/// `read PATH`: prints the beginning of a file.
fn read(words: &[&str]) -> Result<()> {
    let path = one(words)?;
    show(File::open(path).with_context(|| format!("opening {path}"))?)
}

/// `read-late PATH`: the same once this process is no longer new: older than five seconds.
fn read_late(words: &[&str]) -> Result<()> {
    let end = Instant::now() + Duration::from_millis(5_200);
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
    read(words)
}

/// Prints the first bytes of an open file.
fn show(mut file: File) -> Result<()> {
    let mut head = [0; 64];
    let length = file.read(&mut head)?;
    say(&String::from_utf8_lossy(
        head.get(..length).unwrap_or_default(),
    ));
    Ok(())
}

/// `remove PATH`.
fn remove(words: &[&str]) -> Result<()> {
    let path = one(words)?;
    std::fs::remove_file(path)?;
    say(&format!("removed {path}"));
    Ok(())
}

/// `chmod MODE PATH`.
fn chmod(words: &[&str]) -> Result<()> {
    let [mode, path] = words else {
        bail!("chmod MODE PATH")
    };
    std::fs::set_permissions(path, Permissions::from_mode(u32::from_str_radix(mode, 8)?))?;
    let mode = std::fs::metadata(path)?.permissions().mode();
    say(&format!("mode of {path} is {:o}", mode & 0o7777));
    Ok(())
}

/// `mkdir PATH`.
fn mkdir(words: &[&str]) -> Result<()> {
    let path = one(words)?;
    std::fs::create_dir(path)?;
    say(&format!("made {path}"));
    Ok(())
}

/// `rename PATH OTHER`: there and back.
fn rename(words: &[&str]) -> Result<()> {
    let [path, other] = words else {
        bail!("rename PATH OTHER")
    };
    std::fs::rename(path, other)?;
    anyhow::ensure!(Path::new(other).exists() && !Path::new(path).exists());
    std::fs::rename(other, path)?;
    say(&format!("{path} was {other} for a while"));
    Ok(())
}

fn one<'a>(words: &[&'a str]) -> Result<&'a str> {
    match words {
        [path] => Ok(path),
        _ => bail!("one path, not {words:?}"),
    }
}
