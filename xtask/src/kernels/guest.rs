//! A kernel in QEMU, with the tests in it.

use std::fs;
use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use vigia_tests::{image, wait};

use super::Wanted;
use super::archive::Archive;
use super::debian::Kernel;

/// The first process of the guest.
const INIT: &str = include_str!("init.sh");
/// The folders that it expects.
const FOLDERS: [&str; 6] = ["bin", "boot", "etc", "lib", "modules", "tests"];
/// The tests that run again with the JIT compiler hardened: an execution, opens, sockets. Few, since each loads all
/// programs, which takes a quarter of a minute in a guest.
const HARDENED: &str = "probes::lifecycle::an_execution_has_its_file_its_arguments_and_its_environment \
    probes::files::every_way_to_open_is_seen \
    probes::network::a_connection_has_both_ends_at_both_ends";
/// How long a guest may take: emulated, everything takes some twenty times as long as here.
const PATIENCE: Duration = Duration::from_secs(60 * 60);
/// One processor: what tasks lose that share one is measured, and everything else happens one after the other anyway.
/// `cx16` breaks some kernels in some versions of the emulator.
const MACHINE: [&str; 14] = [
    "-accel",
    "tcg",
    "-cpu",
    "max,-cx16",
    "-smp",
    "1",
    "-m",
    "2048",
    "-nodefaults",
    "-no-reboot",
    "-display",
    "none",
    "-net",
    "none",
];
const COMMAND_LINE: &str = "console=ttyS0 loglevel=4 panic=-1 apparmor=1 security=apparmor";

/// Runs the tests that are wanted; answers with what they said. The console is left in `folder`.
pub(super) fn run(
    kernel: &Kernel,
    tests: &Path,
    wanted: &Wanted<'_>,
    folder: &Path,
) -> Result<String> {
    fs::create_dir_all(folder)?;
    let archive = folder.join("image.cpio");
    write_image(&archive, kernel, tests, wanted.filter).context("making the guest's image")?;
    let (console, said) = (folder.join("console"), folder.join("said"));
    let mut machine = Machine(
        Command::new("qemu-system-x86_64")
            .args(MACHINE)
            .arg("-kernel")
            .arg(kernel.image())
            .arg("-initrd")
            .arg(&archive)
            .args(["-append", &format!("{COMMAND_LINE} {}", wanted.append)])
            .args(["-serial", &format!("file:{}", console.display())])
            .args(["-serial", &format!("file:{}", said.display())])
            .stdin(Stdio::null())
            .stdout(Stdio::from(std::io::stderr()))
            .spawn()
            .context("starting qemu-system-x86_64")?,
    );
    let ended = wait::poll(PATIENCE, || machine.0.try_wait().transpose());
    fs::remove_file(&archive)?;
    let told = || {
        let text = fs::read(&console).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    };
    match ended {
        None => bail!(
            "the guest did not end within {PATIENCE:?}; its console: {}",
            told()
        ),
        Some(status) => {
            let status = status?;
            ensure!(
                status.success(),
                "qemu: {status}; the guest's console: {}",
                told()
            );
        }
    }
    let said = fs::read(&said).context("reading what the guest said")?;
    let said = String::from_utf8_lossy(&said).replace('\r', "");
    ensure!(
        said.lines().any(|line| line.starts_with("@end ")),
        "the guest did not come to the end of its tests; its console: {}",
        told()
    );
    Ok(said)
}

/// QEMU, killed if we leave before it ended.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn write_image(path: &PathBuf, kernel: &Kernel, tests: &Path, filter: &str) -> Result<()> {
    let mut archive = Archive::new(BufWriter::new(fs::File::create(path)?));
    for folder in FOLDERS {
        archive.folder(folder)?;
    }
    archive.file("init", 0o755, INIT.as_bytes())?;
    let busybox = image::static_busybox()?;
    archive.file("bin/busybox", 0o755, &fs::read(&busybox)?)?;
    let applets = Command::new(&busybox).arg("--list").output()?;
    for applet in String::from_utf8_lossy(&applets.stdout).lines() {
        if applet != "busybox" {
            archive.link(&format!("bin/{applet}"), "busybox")?;
        }
    }
    archive.file("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\n")?;
    archive.file("etc/group", 0o644, b"root:x:0:\n")?;
    archive.file("tests/filter", 0o644, filter.as_bytes())?;
    archive.file("tests/hardened", 0o644, HARDENED.as_bytes())?;
    archive.file("tests/probes", 0o755, &fs::read(tests)?)?;
    let mut made = FOLDERS.map(str::to_owned).to_vec();
    for (inside, file) in kernel.files()? {
        let parents: Vec<&Path> = Path::new(&inside).ancestors().skip(1).collect();
        for parent in parents.into_iter().rev() {
            let parent = parent.display().to_string();
            if !parent.is_empty() && !made.contains(&parent) {
                archive.folder(&parent)?;
                made.push(parent);
            }
        }
        let mode = fs::metadata(&file)?.permissions().mode() & 0o777;
        archive.file(&inside, mode, &fs::read(&file)?)?;
    }
    std::io::Write::flush(&mut archive.finish()?)?;
    Ok(())
}
