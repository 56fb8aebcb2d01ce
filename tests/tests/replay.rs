//! What a running agent reports is what its recording reports, as often as one likes; and no secret is in it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::json;
use vigia_tests::agent::signal;
use vigia_tests::command::{limited, run};
use vigia_tests::docker::Docker;
use vigia_tests::image::Image;
use vigia_tests::rules::{READ_ONLY_WRITE, SECRET_READ};
use vigia_tests::scene::{Programs, Turn, default_rules};
use vigia_tests::wait::{self, seconds};
use vigia_tests::{Alert, Scene};

/// In every canary.
const CANARY: &str = "c4n4ry";
/// What stands before the packed part of a recording.
const HEADER_BYTES: usize = 16;

#[test]
fn a_recording_of_what_was_judged_gives_the_same_alerts_again() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let recording = folder.path().join("run.vigia");
    let turn = Turn::take()?;
    let docker = Docker::find()?;
    docker.sweep()?;
    let arguments = ["--record", recording.to_str().context("a path in UTF-8")?];
    let mut scene = Scene::on(docker, turn, &programs, &[], &arguments)?;
    misbehave(&scene, folder.path())?;
    ensure!(
        !recording.exists(),
        "a recording has its name before it is whole"
    );
    let config = scene.agent.folder().join("vigia.yaml");
    ensure!(scene.agent.stop()?.success(), "{}", scene.agent.log());

    let first = replay(&programs.agent, &recording, &config)?;
    let replayed = alerts(&first)?;
    ensure!(replayed.len() > 5, "only {} alerts", replayed.len());
    for rule in [READ_ONLY_WRITE, SECRET_READ] {
        ensure!(replayed.iter().any(|alert| alert.rule() == rule), "{rule}");
    }
    // What the agent says of itself is about the machine, not about events.
    let live = wait::until("the agent's last alerts", seconds(5), || {
        let mut live = scene.agent.alerts();
        live.retain(|alert| alert.text("/source") != "internal");
        (live.len() >= replayed.len()).then_some(live)
    })?;
    for (live, replayed) in live.iter().zip(&replayed) {
        ensure!(
            live == replayed,
            "live:     {}\nreplayed: {}",
            live.json(),
            replayed.json()
        );
    }
    ensure!(live.len() == replayed.len(), "the agent raised more alerts");
    ensure!(
        first == replay(&programs.agent, &recording, &config)?,
        "two replays differ"
    );
    without_canary(&recording)
}

#[test]
fn what_was_recorded_without_judging_is_judged_afterwards() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let _turn = Turn::take()?;
    let docker = Docker::find()?;
    docker.sweep()?;
    let image = Image::make(&docker, Some(&programs.actor))?;
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("vigia.yaml");
    let text = json!({
        "rules": {"paths": [default_rules()]},
        "engines": {"sockets": [docker.socket()], "discover": false},
        "state_dir": folder.path().join("state"),
    });
    std::fs::write(&config, text.to_string())?;
    let recording = folder.path().join("record.vigia");
    for (flags, ends_by_itself) in [
        (&[][..], false),
        (&["--all"], false),
        (&["--max-events", "3"], true),
        (&["--duration", "2s"], true),
    ] {
        let recorder = Recorder::start(&programs.agent, &config, &recording, flags)?;
        for path in ["/one", "/two", "/three", "/four"] {
            let options = ["--read-only", "--network=none"];
            docker.run(&options, &image.name, &["touch", path])?;
        }
        recorder.end(ends_by_itself)?;
        let judged = replay(&programs.agent, &recording, &config)?;
        let writes = alerts(&judged)?
            .iter()
            .filter(|alert| alert.rule() == READ_ONLY_WRITE)
            .count();
        if !ends_by_itself {
            ensure!(writes == 4, "{flags:?}: {writes} writes");
        }
        ensure!(
            !flags.contains(&"--max-events") || judged.stderr.contains("3 events judged"),
            "{}",
            judged.stderr
        );
        std::fs::remove_file(&recording)?;
    }
    let left = std::fs::read_dir(folder.path())?.count();
    ensure!(left == 2, "something was left beside configuration and log");
    Ok(())
}

/// `vigia record`, watching.
struct Recorder {
    child: Child,
    log: PathBuf,
}

impl Recorder {
    fn start(program: &Path, config: &Path, recording: &Path, flags: &[&str]) -> Result<Self> {
        let log = recording.with_extension("log");
        let child = Command::new(program)
            .arg("record")
            .arg("-c")
            .arg(config)
            .arg("-o")
            .arg(recording)
            .args(flags)
            .stdin(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        let recorder = Self { child, log };
        wait::until("the recorder to watch", seconds(30), || {
            recorder.log().contains("watching").then_some(())
        })?;
        Ok(recorder)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits for its end, which it is asked for unless it comes by itself.
    fn end(mut self, by_itself: bool) -> Result<()> {
        if !by_itself {
            signal(&self.child, Signal::INT)?;
        }
        let status = wait::until("the recorder to end", seconds(20), || {
            self.child.try_wait().ok().flatten()
        })?;
        ensure!(status.success(), "{}", self.log());
        Ok(())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What `vigia replay` printed.
#[derive(PartialEq)]
struct Judged {
    stdout: String,
    stderr: String,
}

fn replay(program: &Path, recording: &Path, config: &Path) -> Result<Judged> {
    let output = run(limited(seconds(30), program)
        .arg("replay")
        .arg(recording)
        .arg("-c")
        .arg(config)
        .args(["--output", "json"]))?;
    let judged = Judged {
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    };
    ensure!(output.status.success(), "{}", judged.stderr);
    ensure!(
        judged.stderr.contains("nothing is missing"),
        "{}",
        judged.stderr
    );
    Ok(judged)
}

fn alerts(judged: &Judged) -> Result<Vec<Alert>> {
    judged
        .stdout
        .lines()
        .map(|line| Alert::parse(line).with_context(|| format!("no alert: {line}")))
        .collect()
}

/// Refused writes that repeat and that do not, and a secret read by whom it was not meant for; with canaries.
fn misbehave(scene: &Scene, folder: &Path) -> Result<()> {
    let file = folder.join("secret");
    std::fs::write(&file, "c4n4ry-file")?;
    let volume = format!("--volume={}:/run/secrets/db:ro", file.display());
    let container = scene.start(
        &[
            "--read-only",
            "--network=none",
            "--env=DB_PASSWORD=c4n4ry-environment",
            "--label=org.example.token=c4n4ry-label",
            &volume,
        ],
        &["sh", "-c", "sleep 600", "sh", "--password=c4n4ry-argument"],
    )?;
    let writes = "for n in 1 2 3 4 5; do touch /same; touch /new-$n; done; \
        cat /run/secrets/db; DB_TOKEN=c4n4ry-variable true";
    container.exec(&["sh", "-c", writes, "sh", "--token", "c4n4ry-exec"])?;
    scene.agent.expect("the read of the secret", |alert| {
        alert.rule() == SECRET_READ && alert.is_about(&container.id)
    })?;
    // Repeats of what came before, beyond the end of the first window (5 s in the tests' configuration).
    scene.agent.expect("the summary of repeats", |alert| {
        alert.is_about(&container.id) && alert.number("/evidence/count") > Some(1)
    })?;
    container.exec(&["touch", "/same"])?;
    scene.settle()
}

fn without_canary(recording: &Path) -> Result<()> {
    let file = std::fs::read(recording)?;
    let packed = file.get(HEADER_BYTES..).context("a header")?;
    let records = zstd::stream::decode_all(packed)?;
    let find = |text: &str| {
        records
            .windows(text.len())
            .position(|window| window == text.as_bytes())
    };
    ensure!(
        find("touch").is_some(),
        "the deeds are not in the recording"
    );
    if let Some(at) = find(CANARY) {
        let around = &records[at.saturating_sub(200)..at + CANARY.len()];
        bail!(
            "the canary is in the recording: {:?}",
            String::from_utf8_lossy(around)
        );
    }
    Ok(())
}
