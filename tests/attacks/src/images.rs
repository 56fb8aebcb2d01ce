//! The images: a small one with busybox, and one of Debian with the real tools.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use anyhow::{Context as _, Result};
use vigia_tests::debian;
use vigia_tests::docker::Docker;
use vigia_tests::image::{self, Image};

use crate::table::NAMES;

/// Where the program lies in both images.
pub const PROGRAM: &str = "/usr/local/bin/attack";

/// Packages of the Debian image.
const PACKAGES: &[&str] = &[
    "cron",
    "e2fsprogs",
    "netcat-openbsd",
    "nmap",
    "openssh-client",
    "sudo",
];

/// Files of the small image: path, content, mode. What is destroyed or changed belongs to one row each.
const FILES: &[(&str, &str, u32)] = &[
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/sh\n",
        0o644,
    ),
    ("etc/group", "root:x:0:\ndaemon:x:1:\n", 0o644),
    ("etc/shadow", "root:*:19000:0:99999:7:::\n", 0o640),
    ("etc/shadew", "decoy\n", 0o644),
    (
        "root/.aws/credentials",
        "[default]\naws_access_key_id = none\n",
        0o600,
    ),
    ("root/.ssh/id_rsa", "no key\n", 0o600),
    ("root/.profile", "PATH=/bin\n", 0o644),
    ("root/.ash_history", "id\n", 0o600),
    ("srv/data.txt", "data\n", 0o644),
    ("srv/liblzma.so.5.6.1", "no library\n", 0o644),
    ("srv/records", "customers\n", 0o644),
    ("srv/script", "#!/bin/sh\n", 0o644),
    ("srv/syslog", "who came\n", 0o644),
    ("srv/tool", "no tool\n", 0o755),
    ("var/lib/rpm/Packages", "none\n", 0o644),
];

/// The small image.
///
/// # Errors
/// There is no static busybox, or the engine does not take the image.
pub fn small(docker: &Docker, program: &Path) -> Result<Image> {
    let folder = tempfile::Builder::new().prefix("vigia-image-").tempdir()?;
    let root = folder.path();
    image::fill(root, None)?;
    for folder in ["lib", "mnt", "orders", "refuge"] {
        fs::create_dir_all(root.join(folder))?;
    }
    for (path, content, mode) in FILES {
        place(root, path, content, *mode)?;
    }
    install(root, program)?;
    for name in NAMES {
        symlink("attack", root.join("usr/local/bin").join(name))?;
    }
    Image::import(docker, root)
}

/// The Debian image.
///
/// # Errors
/// The system cannot be made, or the engine does not take the image.
pub fn debian(docker: &Docker, program: &Path) -> Result<Image> {
    let system = debian::root(PACKAGES)?;
    let root = system.path();
    place(
        root,
        "var/spool/cron/crontabs/root",
        "0 0 * * * /srv/payload\n",
        0o600,
    )?;
    install(root, program)?;
    Image::import(docker, root)
}

fn install(root: &Path, program: &Path) -> Result<()> {
    let target = root.join(PROGRAM.trim_start_matches('/'));
    fs::create_dir_all(target.parent().context("a folder")?)?;
    fs::copy(program, &target).with_context(|| format!("copying {}", program.display()))?;
    Ok(())
}

fn place(root: &Path, path: &str, content: &str, mode: u32) -> Result<()> {
    let path = root.join(path);
    fs::create_dir_all(path.parent().context("a folder")?)?;
    fs::write(&path, content)?;
    fs::set_permissions(&path, Permissions::from_mode(mode))?;
    Ok(())
}
