//! The image of the tests: a static busybox, the actor, a user without privileges; made without network.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::docker::{Docker, LABEL, unique};

/// The user without privileges.
pub const USER: u32 = 1000;

/// A file at the root of the image that belongs to root.
pub const ROOT_FILE: &str = "/srv/data.txt";

/// A folder of the image that belongs to [`USER`], with a file `file` in it.
pub const USER_FOLDER: &str = "/home/user";

/// Where [`crate::scene::ACTOR`] lies in the image.
pub const ACTOR_PATH: &str = "/usr/local/bin/actor";

/// Where a program lies that makes one system call through the 32-bit entry.
pub const COMPAT_PATH: &str = "/usr/local/bin/compat";

/// An image in an engine; removed when dropped.
#[derive(Debug)]
pub struct Image {
    docker: Docker,
    /// Its name and tag.
    pub name: String,
}

impl Image {
    /// Makes it, with `actor` in it where one is given.
    ///
    /// # Errors
    /// There is no static busybox, or the engine does not take the image.
    pub fn make(docker: &Docker, actor: Option<&Path>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vigia-image-").tempdir()?;
        fill(folder.path(), actor).context("filling the image's root")?;
        Self::import(docker, folder.path())
    }

    /// Makes it of a folder that holds its whole root.
    ///
    /// # Errors
    /// The engine does not take the image.
    pub fn import(docker: &Docker, root: &Path) -> Result<Self> {
        Self::import_with(docker, root, &[])
    }

    /// [`Self::import`] with instructions of a Dockerfile.
    ///
    /// # Errors
    /// As there.
    pub fn import_with(docker: &Docker, root: &Path, instructions: &[&str]) -> Result<Self> {
        let name = import(root, instructions, |args| docker.command(args))?;
        Ok(Self {
            docker: docker.clone(),
            name,
        })
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        drop(self.docker.attempt(&["image", "rm", "-f", &self.name]));
    }
}

/// Makes an image of a folder that holds its whole root and of instructions of a Dockerfile, with the command that an
/// engine's client is for these arguments; the image's name and tag.
///
/// # Errors
/// The engine does not take the image.
pub(crate) fn import(
    root: &Path,
    instructions: &[&str],
    client: impl FnOnce(&[&str]) -> Command,
) -> Result<String> {
    let name = format!("{}:1", unique("image"));
    let mut tar = Command::new("tar")
        .args(["--create", "--file=-", "--numeric-owner", "--directory"])
        .args([root, Path::new(".")])
        .stdout(Stdio::piped())
        .spawn()
        .context("starting tar")?;
    let imported = client(&[
        "import",
        "--change",
        &format!("LABEL {LABEL}=1"),
        "--change",
        "ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    ])
    .args(instructions.iter().flat_map(|line| ["--change", line]))
    .args(["-", &name])
    .stdin(tar.stdout.take().context("standard output of tar")?)
    .output()?;
    // A tar that nobody reads to its end fails, too.
    let packed = tar.wait()?;
    ensure!(
        imported.status.success(),
        "import: {}",
        String::from_utf8_lossy(&imported.stderr)
    );
    ensure!(packed.success(), "tar failed");
    Ok(name)
}

/// Fills a folder with the root file system of the image of the tests.
///
/// # Errors
/// There is no static busybox, or a file cannot be written.
pub fn fill(root: &Path, actor: Option<&Path>) -> Result<()> {
    for folder in [
        "bin",
        "dev",
        "etc",
        "home/user",
        "proc",
        "root",
        "run",
        "srv",
        "sys",
        "tmp",
        "usr/local/bin",
        "var",
    ] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    let busybox = static_busybox()?;
    fs::copy(&busybox, root.join("bin/busybox"))?;
    let applets = Command::new(&busybox).arg("--list").output()?;
    for applet in String::from_utf8_lossy(&applets.stdout)
        .lines()
        .filter(|applet| *applet != "busybox")
    {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    if let Some(actor) = actor {
        fs::copy(actor, root.join(ACTOR_PATH.trim_start_matches('/')))?;
    }
    for (path, content, mode) in [
        (
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
            0o644,
        ),
        ("etc/group", "root:x:0:\nuser:x:1000:\n", 0o644),
        ("etc/shadow", "root:*:19000:0:99999:7:::\n", 0o640),
        ("srv/data.txt", "data\n", 0o644),
        ("home/user/file", "mine\n", 0o644),
    ] {
        fs::write(root.join(path), content)?;
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode))?;
    }
    let compat = root.join(COMPAT_PATH.trim_start_matches('/'));
    fs::write(&compat, compat_program())?;
    fs::set_permissions(&compat, fs::Permissions::from_mode(0o755))?;
    for path in ["home/user", "home/user/file"] {
        chown(root.join(path), Some(USER), Some(USER))?;
    }
    Ok(())
}

/// The smallest program that enters the kernel through `int 0x80`: it asks for its process id and ends.
fn compat_program() -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    const CODE: &[u8] = &[
        0xb8, 20, 0, 0, 0, // mov eax, 20 (getpid in the 32-bit table)
        0xcd, 0x80, // int 0x80
        0xb8, 60, 0, 0, 0, // mov eax, 60 (exit in the 64-bit table)
        0x31, 0xff, // xor edi, edi
        0x0f, 0x05, // syscall
    ];
    let length = HEADERS + CODE.len() as u64;
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for half in [2_u16, 62] {
        // An executable for x86-64.
        bytes.extend(half.to_le_bytes());
    }
    bytes.extend(1_u32.to_le_bytes());
    for word in [BASE + HEADERS, 64, 0] {
        // Entry, program headers, no sections.
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 0, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    for word in [1_u32, 5] {
        // Load, readable and executable.
        bytes.extend(word.to_le_bytes());
    }
    for word in [0, BASE, BASE, length, length, 0x1000] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(CODE);
    bytes
}

/// The path of a busybox that needs no library.
///
/// # Errors
/// There is none, or it needs libraries.
pub fn static_busybox() -> Result<PathBuf> {
    let path = ["/bin/busybox", "/usr/bin/busybox"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists())
        .context("there is no busybox (Debian package busybox-static)")?;
    let head = fs::read(&path)?;
    let head = head.get(..4096).unwrap_or(&head);
    // A dynamic program names its loader in the first page.
    let dynamic = head.windows(4).any(|window| window == b"/lib");
    ensure!(
        !dynamic,
        "{} needs libraries; install the Debian package busybox-static",
        path.display()
    );
    Ok(path)
}
