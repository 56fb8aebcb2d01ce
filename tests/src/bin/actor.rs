//! What the tests run inside containers: a static program that does as told and counts what it did.
//!
//! ```text
//! actor open-close PATH COUNT     opens and closes PATH for reading, prints how often it succeeded
//! actor flood SECONDS             opens files and fails to write as fast as it can, on two threads
//! actor receive ADDRESS           an HTTP receiver that prints every body as one line
//! actor rewrite FOLDER SECONDS TEXT
//!                                 makes a new version of a volume of secrets each second, as the kubelet does, and reads
//!                                 the last one before
//! actor obey SOCKET [SECRET...]   reads the secrets, then does what comes over a Unix socket, one JSON
//!                                 array a line: ["read", PATH] or ["run", PROGRAM, ARGUMENT...]
//! ```

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use vigia_tests::webhook;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["open-close", path, count] => open_close(path, count),
        ["flood", seconds] => flood(seconds),
        ["receive", address] => receive(address),
        ["rewrite", folder, seconds, text] => rewrite(Path::new(folder), seconds, text),
        ["obey", socket, secrets @ ..] => obey(socket, secrets),
        _ => Err(anyhow::anyhow!("unknown act: {args:?}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("actor: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn open_close(path: &str, count: &str) -> Result<()> {
    let wanted: u64 = count.parse()?;
    let opened = (0..wanted).filter(|_| File::open(path).is_ok()).count();
    say(&opened.to_string());
    Ok(())
}

fn flood(seconds: &str) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(seconds.parse()?);
    let threads: Vec<_> = (0..2)
        .map(|_| {
            std::thread::spawn(move || {
                let mut calls = 0_u64;
                while Instant::now() < end {
                    for number in 0..100 {
                        drop(File::open("/srv/data.txt"));
                        drop(
                            OpenOptions::new()
                                .write(true)
                                .create(true)
                                .truncate(false)
                                .open(format!("/flood-{number}")),
                        );
                        calls += 2;
                    }
                }
                calls
            })
        })
        .collect();
    let calls: u64 = threads
        .into_iter()
        .filter_map(|thread| thread.join().ok())
        .sum();
    say(&calls.to_string());
    Ok(())
}

fn receive(address: &str) -> Result<()> {
    let listener = TcpListener::bind(address)?;
    webhook::serve(&listener, &AtomicBool::new(false), |message| {
        say(&message.text())
    });
    Ok(())
}

fn rewrite(volume: &Path, seconds: &str, text: &str) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(seconds.parse()?);
    let current = volume.join("..data");
    for number in 1_u32.. {
        let last = std::fs::read_link(&current).ok();
        drop(std::fs::read(current.join("password")));
        let next = format!("..{}_{number}", std::process::id());
        std::fs::create_dir(volume.join(&next))?;
        std::fs::write(volume.join(&next).join("password"), text)?;
        let made = volume.join("..data_tmp");
        symlink(&next, &made)?;
        std::fs::rename(&made, &current)?;
        if last.is_none() {
            symlink("..data/password", volume.join("password"))?;
        }
        if let Some(last) = last {
            std::fs::remove_dir_all(volume.join(last))?;
        }
        if Instant::now() >= end {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

fn obey(socket: &str, secrets: &[&str]) -> Result<()> {
    for secret in secrets {
        std::fs::read(secret).with_context(|| format!("reading {secret}"))?;
    }
    // A predecessor in the same folder may have left its socket.
    drop(std::fs::remove_file(socket));
    for stream in UnixListener::bind(socket)?.incoming() {
        let mut stream = stream?;
        let mut line = String::new();
        BufReader::new(stream.try_clone()?).read_line(&mut line)?;
        let answer = match act(&line) {
            Ok(()) => "done".to_owned(),
            Err(error) => format!("failed: {error:#}").replace('\n', " "),
        };
        writeln!(stream, "{answer}")?;
    }
    Ok(())
}

fn act(line: &str) -> Result<()> {
    let words: Vec<String> = serde_json::from_str(line)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["read", path] => drop(std::fs::read(path)?),
        ["run", program, arguments @ ..] => {
            let output = Command::new(program).args(arguments).output()?;
            if !output.status.success() {
                bail!(
                    "{}: {}",
                    output.status,
                    String::from_utf8_lossy(&output.stderr)
                );
            }
        }
        _ => bail!("unknown order: {words:?}"),
    }
    Ok(())
}

#[allow(
    clippy::print_stdout,
    reason = "the tests read it from the container's log"
)]
fn say(text: &str) {
    println!("{text}");
}
