//! A hundred containers that misbehave the moment they start, with an engine that answers and with one that hangs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vigia_tests::docker::{Container, Docker, unique};
use vigia_tests::proxy::Proxy;
use vigia_tests::rules::READ_ONLY_WRITE;
use vigia_tests::scene::{Programs, Turn};
use vigia_tests::wait::{self, seconds};
use vigia_tests::{Alert, Scene, scene};

const CONTAINERS: usize = 100;
/// Containers made, and batches started, at one time.
const AT_ONCE: usize = 4;
/// Events wait for metadata at most five seconds; the rest is the machine's.
const DEADLINE_S: u64 = 20;

/// A rule that holds for all containers but those of the tests: where a name is not known, it must not fire, but may say
/// that it is undecided.
const STRANGER: &str = "Stranger Among the Containers";

/// Nothing is folded, and the rule above is there.
fn overrides(rules: &Path) -> Vec<(&'static str, Value)> {
    vec![
        ("/throttle/window_s", json!(0)),
        ("/rules/paths", json!([scene::default_rules(), rules])),
    ]
}

fn stranger(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("stranger.yaml");
    let rule = format!(
        "- rule: {STRANGER}\n  desc: The name of a container does not begin like those of the tests.\n  \
         condition: evt.type in (execve, execveat) and proc.name = touch and container.id != host \
         and not container.name startswith vigia-\n  output: stranger (%container.id)\n  priority: CRITICAL\n"
    );
    std::fs::write(&path, rule)?;
    Ok(path)
}

/// Makes them, a few at a time; none runs yet.
fn make(docker: &Docker, image: &str) -> Result<Vec<Container>> {
    let make_some = |count: usize| -> Result<Vec<Container>> {
        (0..count)
            .map(|_| {
                docker.create(
                    &["--read-only", "--network=none"],
                    image,
                    &["touch", "/new"],
                )
            })
            .collect()
    };
    thread::scope(|scope| {
        let makers: Vec<_> = (0..AT_ONCE)
            .map(|_| scope.spawn(|| make_some(CONTAINERS / AT_ONCE)))
            .collect();
        let mut made = Vec::new();
        for maker in makers {
            let some = maker
                .join()
                .ok()
                .context("a thread that makes containers")?;
            made.extend(some?);
        }
        Ok(made)
    })
}

/// Starts all of them, in batches at a time. Each misbehaves with its first call and is gone.
fn start(docker: &Docker, containers: &[Container]) -> Result<()> {
    thread::scope(|scope| {
        let starters: Vec<_> = containers
            .chunks(containers.len().div_ceil(AT_ONCE))
            .map(|batch| {
                scope.spawn(move || {
                    let ids = batch.iter().map(|container| container.id.as_str());
                    docker.output(&["start"].into_iter().chain(ids).collect::<Vec<_>>())
                })
            })
            .collect();
        for starter in starters {
            let started = starter.join().ok().context("a thread that starts them")?;
            started?;
        }
        Ok(())
    })
}

/// The alert about each, by id. Of weight there is no other; of those that say that they are undecided, one a rule.
fn reported(scene: &Scene, containers: &[Container]) -> Result<BTreeMap<String, Alert>> {
    let of_ours = || -> Vec<Alert> {
        let alerts = scene.agent.alerts().into_iter();
        alerts
            .filter(|alert| containers.iter().any(|one| alert.is_about(&one.id)))
            .collect()
    };
    let count = || {
        let alerts = of_ours();
        alerts
            .iter()
            .filter(|alert| alert.rule() == READ_ONLY_WRITE)
            .count()
    };
    let all = wait::poll(seconds(DEADLINE_S), || {
        (count() >= containers.len()).then_some(())
    });
    ensure!(
        all.is_some(),
        "{} of {} were reported; losses: {}",
        count(),
        containers.len(),
        scene.agent.losses()
    );
    scene.settle()?;
    let mut by_id = BTreeMap::new();
    for alert in of_ours() {
        let is_undecided = alert.json()["evidence"]["partial"] == json!(true) && alert.is_low();
        if is_undecided && alert.rule() != READ_ONLY_WRITE {
            continue;
        }
        ensure!(
            alert.rule() == READ_ONLY_WRITE,
            "more than the misdeed was reported: {}",
            alert.json()
        );
        let id = alert.container_id().to_owned();
        let first = by_id.insert(id, alert);
        ensure!(first.is_none(), "twice: {first:?}");
    }
    ensure!(
        by_id.len() == containers.len(),
        "{} of {} were reported",
        by_id.len(),
        containers.len()
    );
    Ok(by_id)
}

fn alert_of<'a>(reported: &'a BTreeMap<String, Alert>, one: &Container) -> Result<&'a Alert> {
    let mut alerts = reported.values();
    alerts
        .find(|alert| alert.is_about(&one.id))
        .with_context(|| format!("no alert about {}", one.id))
}

#[test]
fn a_hundred_containers_at_once_are_reported_with_all_that_is_known() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(scene) = Scene::set_with(&overrides(&stranger(folder.path())?))? else {
        return Ok(());
    };
    let containers = make(&scene.docker, &scene.image.name)?;
    start(&scene.docker, &containers)?;
    let reported = reported(&scene, &containers)?;
    for one in &containers {
        let alert = alert_of(&reported, one)?;
        ensure!(
            alert.text("/metadata/container") == "known"
                && !alert.is_low()
                && alert.container_name() == one.name
                && alert.text("/container/image") == scene.image.name
                && alert.text("/evidence/file/path") == "/new",
            "incomplete: {}",
            alert.json()
        );
    }
    // The rule about names does fire where one is known and is another.
    let name = unique("stranger").replace("vigia", "other");
    let run = ["run", "--rm", "--network=none", "--name", &name];
    let stranger = scene.docker.attempt(
        &[
            &run,
            [scene.image.name.as_str(), "touch", "/tmp/x"].as_slice(),
        ]
        .concat(),
    )?;
    ensure!(stranger.status.success(), "{stranger:?}");
    scene.agent.expect("the stranger", |alert| {
        alert.rule() == STRANGER && alert.container_name() == name && !alert.is_low()
    })?;
    Ok(())
}

#[test]
fn a_hundred_containers_of_an_engine_that_hangs_are_reported_by_their_ids_in_time() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let turn = Turn::take()?;
    let folder = tempfile::tempdir()?;
    let docker = Docker::find()?;
    docker.sweep()?;
    let proxy = Proxy::before(docker.socket())?;
    let mut overrides = overrides(&stranger(folder.path())?);
    overrides.push(("/engines/sockets", json!([proxy.socket()])));
    let scene = Scene::on(docker, turn, &programs, &overrides, &[])?;
    wait::until("the engine to be connected", seconds(30), || {
        let metrics = scene.agent.metrics().ok()?;
        (metrics.sum("vigia_engine_connected", &[]) == 1.0).then_some(())
    })?;

    proxy.hang();
    let containers = make(&scene.docker, &scene.image.name)?;
    start(&scene.docker, &containers)?;
    let reported = reported(&scene, &containers)?;
    for one in &containers {
        let alert = alert_of(&reported, one)?;
        ensure!(
            alert.text("/metadata/container") == "pending"
                && alert.container_name().is_empty()
                && alert.text("/evidence/file/path") == "/new",
            "it says more or less than is known: {}",
            alert.json()
        );
    }

    proxy.resume();
    let later = wait::poll(seconds(90), || {
        let later = scene
            .run(&["--read-only", "--network=none"], &["touch", "/later"])
            .ok()?;
        let alert = scene
            .agent
            .expect("one after the engine came back", |alert| {
                alert.rule() == READ_ONLY_WRITE && alert.is_about(&later.id)
            });
        (alert.ok()?.container_name() == later.name).then_some(())
    });
    later.context("no container is named after the engine came back")
}
