//! `cargo xtask record-mix`: makes tests/data/mix.vigia, the recording that golden tests and benchmarks read.
//!
//! Three containers do what containers do most: they start programs and open files; each tenth event or so is something
//! else, and now and then it is something a rule is about. What the recording says of this machine is replaced by
//! what any machine could say.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use vigia_event::captured::Captured;
use vigia_event::container::Inspected;
use vigia_event::mount::MountTable;
use vigia_event::secret::SecretAccess;
use vigia_event::users::Users;
use vigia_event::{Event, File, Node, Process};
use vigia_recording::{
    Ending, Limits, Losses, Origin, Reader, Redact, Writer, WriterOptions, create, open,
};
use vigia_tests::image::Image;
use vigia_tests::scene::{self, Turn};
use vigia_tests::wait;

use crate::engine::Engine;
use crate::report::Report;
use crate::workspace::Workspace;
use crate::{packages, programs};

/// Where it stands in the repository.
const FILE: &str = "tests/data/mix.vigia";
/// Events in it.
const EVENTS: u64 = 10_000;
/// Bytes it may have: everybody who clones the repository gets it.
const MAX_BYTES: u64 = 500_000;

/// What the containers do, each in a loop of its own.
const LIVES: &[(&str, &[&str])] = &[
    (
        "web",
        &[
            "cat /etc/passwd /etc/group /srv/data.txt /home/user/file /etc/passwd /srv/data.txt /etc/group",
            "cat /srv/data.txt /srv/data.txt /srv/data.txt /srv/none /etc/group /etc/passwd /srv/data.txt",
            "ls /srv /home /home/user /etc /tmp /var /usr",
            "touch /refused",
        ],
    ),
    (
        "worker",
        &[
            "mkdir -p /tmp/job",
            "cp /srv/data.txt /tmp/job/in",
            "grep -h data /tmp/job/in /srv/data.txt /home/user/file /etc/group /etc/passwd /srv/data.txt",
            "mv /tmp/job/in /tmp/job/out",
            "chmod 600 /tmp/job/out",
            "rm /tmp/job/out",
            "wc -l /etc/passwd /etc/group /srv/data.txt /etc/passwd /etc/group /srv/data.txt /etc/passwd",
            "md5sum /etc/passwd /etc/group /srv/data.txt /etc/passwd /etc/group /srv/data.txt /etc/passwd",
        ],
    ),
    (
        "user",
        &[
            "head -n 1 /etc/passwd /etc/group /srv/data.txt /etc/passwd /home/user/file /srv/data.txt",
            "ln -s /etc/shadow /tmp/link",
            "cat /tmp/link",
            "rm /tmp/link",
            "sort /etc/passwd /etc/group /srv/data.txt /etc/passwd /etc/group /srv/data.txt /etc/passwd",
            "tail -n 1 /etc/passwd /etc/group /srv/data.txt /etc/passwd /home/user/file /srv/data.txt",
        ],
    ),
];

pub(crate) fn run(workspace: &Workspace) -> Result<Report> {
    ensure!(
        scene::is_root(),
        "recording loads eBPF programs and drives containers: run it as root"
    );
    packages::ensure(&[packages::BUSYBOX])?;
    let mut report = Report::new("record-mix");
    let Some(program) = report.act("building the agent", || programs::agent(workspace)) else {
        return Ok(report);
    };
    let folder = tempfile::tempdir()?;
    let raw = folder.path().join("raw.vigia");
    if report
        .act("recording containers", || record(&program, &raw))
        .is_some()
    {
        report.act("replacing what is this machine's own", || {
            anonymise(&raw, &workspace.root.join(FILE))
        });
    }
    Ok(report)
}

fn record(program: &Path, recording: &Path) -> Result<()> {
    let _turn = Turn::take()?;
    let engine = Engine::ensure()?;
    let docker = &engine.docker;
    docker.sweep()?;
    let image = Image::make(docker, None)?;
    let config = recording.with_extension("yaml");
    let text = json!({
        "node": {"name": "node-1"},
        "rules": {"paths": [scene::default_rules()]},
        "engines": {"sockets": [docker.socket()], "discover": false},
        "state_dir": recording.with_extension("state"),
    });
    fs::write(&config, text.to_string())?;
    let log = recording.with_extension("log");
    let mut recorder = Command::new(program)
        .args(["record", "--all", "--max-events", &EVENTS.to_string()])
        .args(["--duration", "2m", "-c"])
        .arg(&config)
        .arg("-o")
        .arg(recording)
        .stdin(Stdio::null())
        .stderr(fs::File::create(&log)?)
        .spawn()?;
    let read_log = || fs::read_to_string(&log).unwrap_or_default();
    wait::until("the recorder to watch", wait::seconds(30), || {
        read_log().contains("watching").then_some(())
    })?;
    let mut containers = Vec::new();
    for (name, deeds) in LIVES {
        let script = format!(
            "while true; do {}; sleep 0.05; done > /dev/null 2>&1",
            deeds.join("; ")
        );
        let label = format!("--label=org.example.role={name}");
        let options = ["--read-only", "--network=none", "--tmpfs=/tmp", &label];
        containers.push(docker.start(&options, &image.name, &["sh", "-c", &script])?);
    }
    let status = wait::until("enough events", wait::seconds(150), || {
        recorder.try_wait().ok().flatten()
    })?;
    ensure!(status.success(), "{}", read_log());
    Ok(())
}

/// Writes the recording again, without what tells of the machine it was made on.
fn anonymise(raw: &Path, path: &Path) -> Result<()> {
    let mut reader = open(raw, Limits::default())?;
    let origin = Origin {
        kernel: "6.12.0".to_owned(),
        ..reader.origin().clone()
    };
    fs::create_dir_all(path.parent().context("a folder")?)?;
    let options = WriterOptions {
        max_bytes: MAX_BYTES,
        ..WriterOptions::default()
    };
    let mut writer = Writer::new(create(path)?, &origin, Anonymous, options)?;
    let node = Arc::new(Node {
        name: "node-1".into(),
        hostname: "node-1".into(),
        boot_id: "00000000-0000-4000-8000-000000000000".into(),
        ..Node::default()
    });
    let mut last_ns = 0;
    for recorded in Reader::by_ref(&mut reader) {
        let mut recorded = recorded?;
        recorded.event.node = Arc::clone(&node);
        last_ns = recorded.judged_ns;
        writer.write(&recorded.event, recorded.judged_ns)?;
    }
    let (file, trailer) = writer.finish(Ending::MaxEvents, Losses::default(), last_ns)?;
    ensure!(trailer.events == EVENTS, "{trailer:?}");
    file.keep()?;
    Ok(())
}

/// Whatever started this machine is called init.
struct Anonymous;

impl Redact for Anonymous {
    fn process(&mut self, process: &mut Process) {
        if process.task.pid == 1 {
            process.task.comm = "init".into();
            process.exe = "/sbin/init".into();
            process.exe_path = "/sbin/init".into();
            process.exe_file = None;
            process.args = Arc::from([]);
            process.env = Arc::from([]);
            process.cwd = "/".into();
            process.script = None;
        }
    }
    fn file(&mut self, _: &mut File) {}
    fn mounts(&mut self, _: &mut MountTable) {}
    fn users(&mut self, _: &mut Users) {}
    fn inspected(&mut self, _: &mut Inspected) {}
    fn captured(&mut self, _: &mut Captured, _: &Event) {}
    fn secret(&mut self, _: &mut SecretAccess, _: &Event) {}
}
