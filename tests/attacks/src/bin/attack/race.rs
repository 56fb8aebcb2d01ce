//! The oldest trick: a second thread changes the path while the first one is in the kernel with it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::raw::{self, Arg, call};
use crate::{Deed, say};

pub(crate) const DEEDS: &[Deed] = &[
    ("race-read", race_read),
    ("race-mkdir", race_mkdir),
    ("race-remove", race_remove),
];

/// How long a race may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A path in memory that a thread changes all the time between two that differ in one letter.
struct Flicker {
    address: i64,
    stop: &'static AtomicBool,
}

impl Flicker {
    fn start(path: &str, other: &str) -> Result<Self> {
        let differing: Vec<_> = path
            .bytes()
            .zip(other.bytes())
            .enumerate()
            .filter(|(_, (a, b))| a != b)
            .collect();
        let [(index, letters)] = differing[..] else {
            bail!("{path} and {other} must differ in one letter")
        };
        ensure!(path.len() == other.len());
        let buffer = [path.as_bytes(), b"\0"].concat().leak();
        let address = i64::try_from(raw::address(buffer))?;
        let place = buffer.get_mut(index).context("the letter")?;
        let stop: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                raw::store(place, letters.1);
                raw::store(place, letters.0);
            }
        });
        Ok(Self { address, stop })
    }
}

impl Drop for Flicker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// `race-read PATH DECOY`: until PATH was read a few times.
fn race_read(words: &[&str]) -> Result<()> {
    const WANTED: usize = 20;
    let [path, decoy] = words else {
        bail!("race-read PATH DECOY")
    };
    let inode = |path: &str| std::fs::metadata(path).map(|found| inode_of(&found));
    let wanted = inode(path)?;
    let flicker = Flicker::start(path, decoy)?;
    let end = Instant::now() + PATIENCE;
    let (mut hits, mut misses) = (0, 0);
    while (hits < WANTED || misses < WANTED) && Instant::now() < end {
        let fd = call(
            libc::SYS_openat,
            &mut [
                Arg::Int(libc::AT_FDCWD.into()),
                Arg::Int(flicker.address),
                Arg::Int(0),
            ],
        )?;
        // Which of the two it was the kernel says; a stat of the descriptor opens nothing.
        if inode(&format!("/proc/self/fd/{fd}"))? == wanted {
            hits += 1;
        } else {
            misses += 1;
        }
        call(libc::SYS_close, &mut [Arg::Int(fd)])?;
    }
    ensure!(
        hits >= WANTED && misses >= WANTED,
        "{hits} hits, {misses} misses"
    );
    say("both files were opened by the same call");
    Ok(())
}

fn inode_of(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    metadata.ino()
}

/// `race-mkdir PATH OTHER`: a few attempts where nothing may be written.
fn race_mkdir(words: &[&str]) -> Result<()> {
    const ATTEMPTS: usize = 50;
    let [path, other] = words else {
        bail!("race-mkdir PATH OTHER")
    };
    let flicker = Flicker::start(path, other)?;
    let mut error = None;
    for _ in 0..ATTEMPTS {
        let made = call(
            libc::SYS_mkdirat,
            &mut [
                Arg::Int(libc::AT_FDCWD.into()),
                Arg::Int(flicker.address),
                Arg::Int(0o755),
            ],
        );
        error = Some(made.err().context("a folder was made")?);
    }
    let error = error.context("an attempt")?;
    say(&format!("{ATTEMPTS} times: {error}"));
    Ok(())
}

/// `race-remove PATH OTHER`: until PATH was removed a few times, and OTHER as often.
fn race_remove(words: &[&str]) -> Result<()> {
    const WANTED: usize = 40;
    let [path, other] = words else {
        bail!("race-remove PATH OTHER")
    };
    let flicker = Flicker::start(path, other)?;
    let end = Instant::now() + PATIENCE;
    let (mut hits, mut misses) = (0, 0);
    while (hits < WANTED || misses < WANTED) && Instant::now() < end {
        for path in [path, other] {
            std::fs::write(path, "")?;
        }
        call(libc::SYS_unlink, &mut [Arg::Int(flicker.address)])?;
        if Path::new(path).exists() {
            misses += 1;
        } else {
            hits += 1;
        }
    }
    ensure!(
        hits >= WANTED && misses >= WANTED,
        "{hits} hits, {misses} misses"
    );
    say("both files were removed by the same call");
    Ok(())
}
