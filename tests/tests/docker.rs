//! The same attack in every way in which Docker runs containers: each alert knows all that the engine knows.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use vigia_tests::docker::{Configuration, Docker, Secret, Service, Swarm, succeeded};
use vigia_tests::rules::{READ_ONLY_WRITE, SECRET_READ};
use vigia_tests::{Alert, Scene, command, identity};

const IDLE: &[&str] = &["sleep", "600"];

/// Enters a container, writes below its root and reads a secret; the two alerts, the write first.
fn attack(scene: &Scene, id: &str, secret: &str) -> Result<[Alert; 2]> {
    let write = format!("cat {secret}; ! touch /new");
    succeeded(
        &scene
            .docker
            .attempt(&["exec", id, "/bin/sh", "-c", &write])?,
    )?;
    let told = |rule: &'static str| {
        scene.agent.expect(rule, move |alert| {
            alert.rule() == rule && alert.is_about(id)
        })
    };
    Ok([told(READ_ONLY_WRITE)?, told(SECRET_READ)?])
}

/// What the engine says of a container and every alert about it must, too: JSON pointers and words.
fn as_inspected(docker: &Docker, id: &str) -> Result<Vec<(&'static str, String)>> {
    const FORMAT: &str = "{{.Id}}\n{{.Name}}\n{{.Config.Image}}\n{{.Image}}";
    let said = docker.output(&["inspect", "--format", FORMAT, id])?;
    let mut lines = said.lines();
    let mut next = || lines.next().context("a line of docker inspect");
    let (id, name, image, image_id) = (next()?, next()?, next()?, next()?);
    let (repository, tag) = image.rsplit_once(':').context("a tag")?;
    Ok([
        ("/container/engine", "docker"),
        ("/container/id", id),
        ("/container/name", name.trim_start_matches('/')),
        ("/container/image", image),
        ("/container/image_id", image_id),
        ("/container/repository", repository),
        ("/container/tag", tag),
        ("/evidence/process/user/name", "root"),
    ]
    .map(|(pointer, word)| (pointer, word.to_owned()))
    .into())
}

fn expect(alerts: &[Alert; 2], identity: &[(&str, String)], secret: &str) -> Result<()> {
    let mut expected: Vec<_> = identity
        .iter()
        .map(|(pointer, word)| (*pointer, word.as_str()))
        .collect();
    expected.push(("/container/secrets/0", secret));
    for alert in alerts {
        identity::expect(alert, &expected)?;
    }
    let [_, read] = alerts;
    identity::expect(read, &[("/evidence/secret/name", secret)])
}

#[test]
fn containers_of_docker_run_and_of_compose() -> Result<()> {
    let Some(scene) = Scene::set_with(&[("/throttle/window_s", json!(0))])? else {
        return Ok(());
    };
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), "hush")?;
    let secret = format!("--volume={}:/run/secrets/db:ro", file.path().display());
    let plain: &[&str] = &["--read-only", "--network=none", &secret];
    let compose = [
        plain,
        &[
            "--label=com.docker.compose.project=shop",
            "--label=com.docker.compose.service=web",
            "--label=com.docker.compose.container-number=1",
        ],
    ]
    .concat();
    for (options, labels) in [
        (plain, &[][..]),
        (
            &compose,
            &[
                ("/container/compose/project", "shop"),
                ("/container/compose/service", "web"),
            ],
        ),
    ] {
        let container = scene.start(options, IDLE)?;
        let alerts = attack(&scene, &container.id, "/run/secrets/db")?;
        let mut expected = as_inspected(&scene.docker, &container.id)?;
        expected.extend(
            labels
                .iter()
                .map(|(pointer, word)| (*pointer, (*word).to_owned())),
        );
        expect(&alerts, &expected, "db")?;
    }
    Ok(())
}

#[test]
fn a_service_of_swarm_with_a_secret_at_a_target_of_its_own() -> Result<()> {
    const TARGET: &str = "/etc/app/token";
    let Some(scene) = Scene::set_with(&[("/throttle/window_s", json!(0))])? else {
        return Ok(());
    };
    let _swarm = Swarm::join_or_make(&scene.docker)?;
    let secret = Secret::create(&scene.docker, "token", "hush")?;
    let config = Configuration::create(&scene.docker, "settings", "colour = blue")?;
    let grants = [
        format!("--secret=source={},target={TARGET}", secret.name),
        format!("--config=source={},target=/etc/app/settings", config.name),
    ];
    let [secret_grant, config_grant] = grants.each_ref().map(String::as_str);
    let service = Service::create(
        &scene.docker,
        &["--read-only", secret_grant, config_grant],
        &scene.image.name,
        IDLE,
    )?;
    let id = service.container()?;
    let alerts = attack(&scene, &id, TARGET)?;
    let node = scene
        .docker
        .output(&["node", "inspect", "self", "--format", "{{.ID}}"])?;
    let mut expected = as_inspected(&scene.docker, &id)?;
    let task = expected
        .iter()
        .find(|(pointer, _)| *pointer == "/container/name")
        .map(|(_, name)| name.clone())
        .context("a name")?;
    expected.extend([
        ("/container/swarm/service", service.name.clone()),
        ("/container/swarm/task", task),
        ("/container/swarm/node", node),
    ]);
    expect(&alerts, &expected, &secret.name)?;

    // A manager says what the service was given, with permissions; nothing says what is in it.
    let folder = tempfile::tempdir()?;
    let configuration = folder.path().join("vigia.yaml");
    std::fs::write(
        &configuration,
        format!(
            "engines: {{sockets: ['{}']}}\n",
            scene.docker.socket().display()
        ),
    )?;
    let listed = command::output(
        Command::new(&scene.program)
            .args(["containers", "--json", &id, "-c"])
            .arg(&configuration),
    )?;
    for grant in [
        format!("{} at {TARGET} owner=0 mode=0444", secret.name),
        format!("{} at /etc/app/settings owner=0 mode=0444", config.name),
    ] {
        ensure!(listed.contains(&grant), "no {grant} in {listed}");
    }
    ensure!(!listed.contains("hush"), "the list leaks the secret");
    Ok(())
}
