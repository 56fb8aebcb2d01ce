//! An alert never leaks a secret, and neither does anything else the agent writes.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use vigia_tests::Scene;
use vigia_tests::rules::{READ_ONLY_WRITE, SECRET_READ};
use vigia_tests::webhook::Receiver;

/// In every canary.
const CANARY: &str = "c4n4ry";

#[test]
fn a_canary_in_argv_environment_label_and_file_appears_nowhere() -> Result<()> {
    let receiver = Receiver::start()?;
    let folder = tempfile::tempdir()?;
    let output = folder.path().join("alerts.json");
    let overrides = [
        (
            "/outputs/webhooks",
            json!([{ "url": receiver.url(), "headers": { "Authorization": "Bearer c4n4ry-header" } }]),
        ),
        ("/outputs/file/path", json!(output)),
        ("/log/level", json!("trace")),
    ];
    let Some(scene) = Scene::set_with(&overrides)? else {
        return Ok(());
    };

    let file = folder.path().join("secret");
    std::fs::write(&file, "c4n4ry-file")?;
    let volume = format!("--volume={}:/run/secrets/db:ro", file.display());
    let options = [
        "--read-only",
        "--network=none",
        "--env=DB_PASSWORD=c4n4ry-environment",
        "--label=org.example.token=c4n4ry-label",
        &volume,
    ];
    let script = "echo x > /new; sleep 600";
    let container = scene.start(
        &options,
        &["sh", "-c", script, "sh", "--password=c4n4ry-argument"],
    )?;
    scene.agent.expect("the refused write", |alert| {
        alert.rule() == READ_ONLY_WRITE && alert.is_about(&container.id)
    })?;
    container.exec(&[
        "sh",
        "-c",
        "cat /run/secrets/db; true",
        "sh",
        "--token",
        "c4n4ry-exec",
    ])?;
    scene.agent.expect("the read of the secret", |alert| {
        alert.rule() == SECRET_READ && alert.is_about(&container.id)
    })?;
    scene.settle()?;

    for alert in scene.agent.alerts() {
        ensure!(!alert.mentions(CANARY), "standard output: {}", alert.json());
    }
    let log = scene.agent.log();
    let leak = log.lines().find(|line| line.contains(CANARY));
    ensure!(leak.is_none(), "log: {leak:?}");
    ensure!(
        !scene.agent.get("/metrics")?.text().contains(CANARY),
        "metrics"
    );
    ensure!(!receiver.received().is_empty(), "the webhook got nothing");
    for message in receiver.received() {
        ensure!(
            !message.text().contains(CANARY),
            "webhook: {}",
            message.text()
        );
    }
    let written = std::fs::read_to_string(&output).context("reading the file output")?;
    ensure!(
        written.contains(READ_ONLY_WRITE),
        "the file output has no alert"
    );
    ensure!(!written.contains(CANARY), "file output");
    search(&scene.agent.folder().join("state"))
}

/// Looks into every file below a folder.
fn search(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            search(&path)?;
            continue;
        }
        let content = std::fs::read(&path)?;
        let leak = content
            .windows(CANARY.len())
            .any(|window| window == CANARY.as_bytes());
        ensure!(!leak, "{} holds the canary", path.display());
    }
    Ok(())
}
