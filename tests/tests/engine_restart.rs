//! The engine may crash and come back: only names of new containers depend on it.

use anyhow::{Result, ensure};
use serde_json::json;
use vigia_tests::Scene;
use vigia_tests::docker::{Daemon, Docker, Network};
use vigia_tests::orders::Orders;
use vigia_tests::rules::READ_ONLY_WRITE;
use vigia_tests::scene::{Programs, Turn};
use vigia_tests::wait::{self, seconds};

#[test]
fn a_crash_of_the_engine_costs_metadata_only_and_its_return_restores_it() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let turn = Turn::take()?;
    let mut daemon = Daemon::start(Network::None)?;
    let docker = Docker::connect(daemon.socket())?;
    let scene = Scene::on(
        docker,
        turn,
        &programs,
        &[("/throttle/window_s", json!(0))],
        &[],
    )?;
    let orders = Orders::prepare()?;
    let command = Orders::command(&[]);
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    let container = scene.start(
        &["--read-only", "--network=none", &orders.mount()],
        &command,
    )?;
    orders.ready()?;
    let connected = |expected: f64| {
        wait::until(
            &format!("vigia_engine_connected to be {expected}"),
            seconds(60),
            || {
                let metrics = scene.agent.metrics().ok()?;
                (metrics.sum("vigia_engine_connected", &[]) == expected).then_some(())
            },
        )
    };
    let misbehave = |path: &str| -> Result<()> {
        ensure!(
            orders.run(&["touch", path]).is_err(),
            "the write was not refused"
        );
        let alert = scene.agent.expect(path, |alert| {
            alert.rule() == READ_ONLY_WRITE
                && alert.is_about(&container.id)
                && alert.text("/evidence/file/path") == path
        })?;
        ensure!(alert.container_name() == container.name, "{}", alert.json());
        Ok(())
    };
    connected(1.0)?;
    misbehave("/before")?;
    daemon.kill()?;
    connected(0.0)?;
    misbehave("/during")?;
    ensure!(
        scene.agent.get("/healthz")?.status() == Some(200),
        "unhealthy without an engine"
    );
    daemon.resume()?;
    connected(1.0)?;
    misbehave("/after")?;
    let later = scene.run(&["--read-only", "--network=none"], &["touch", "/new"])?;
    let alert = scene
        .agent
        .expect("a container of the returned engine", |alert| {
            alert.is_about(&later.id)
        })?;
    ensure!(alert.container_name() == later.name, "{}", alert.json());
    Ok(())
}
