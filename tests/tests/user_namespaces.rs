//! Containers whose ids are not the host's: users have names and ids in both views. And users who would speak of containers
//! that are not theirs.

use anyhow::{Result, ensure};
use serde_json::json;
use vigia_tests::docker::{Daemon, Docker, Network};
use vigia_tests::imposture::Impostor;
use vigia_tests::rules::READ_ONLY_WRITE;
use vigia_tests::scene::{Programs, Turn};
use vigia_tests::user::User;
use vigia_tests::wait::{self, seconds};
use vigia_tests::{Agent, Scene};

/// What alerts shall say besides.
const FIELDS: [&str; 7] = [
    "container.type",
    "container.name",
    "user.uid",
    "user.ns_uid",
    "user.name",
    "group.gid",
    "group.name",
];

#[test]
fn users_of_a_remapped_docker_have_names_and_ids_in_both_views() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let turn = Turn::take()?;
    // Whose subordinate ids the daemon gives to its containers.
    let user = User::make()?;
    let first = user.first_subordinate()?;
    let remap = format!("--userns-remap={0}:{0}", user.name);
    let daemon = Daemon::start_with(Network::None, vec![remap])?;
    let docker = Docker::connect(daemon.socket())?;
    let overrides = [("/outputs/append_output", json!([{"extra_fields": FIELDS}]))];
    let scene = Scene::on(docker, turn, &programs, &overrides, &[])?;
    let container = scene.start(&["--read-only", "--network=none"], &["sleep", "600"])?;
    for (path, options, name, ns_id) in [
        ("/planted", &[][..], "root", 0),
        ("/planned", &["--user=1000:1000"], "user", 1000),
    ] {
        container.exec_with(options, &["touch", path])?;
        let alert = scene.agent.expect(path, |alert| {
            alert.rule() == READ_ONLY_WRITE && alert.is_about(&container.id) && alert.mentions(path)
        })?;
        for (field, expected) in [
            ("container.type", json!("docker")),
            ("container.name", json!(container.name)),
            ("container.image", json!(scene.image.name)),
            ("user.uid", json!(first + ns_id)),
            ("user.ns_uid", json!(ns_id)),
            ("user.name", json!(name)),
            ("group.gid", json!(first + ns_id)),
            ("group.name", json!(name)),
        ] {
            let found = &alert.json()["output_fields"][field];
            ensure!(found == &expected, "{field} is {found}: {}", alert.json());
        }
    }
    Ok(())
}

#[test]
fn a_users_engine_cannot_describe_what_root_runs() -> Result<()> {
    let user = User::make;
    let overrides = [
        ("/engines/discover", json!(true)),
        ("/privileges/keep", json!(["CAP_DAC_OVERRIDE"])),
    ];
    let Some(scene) = Scene::set_with(&overrides)? else {
        return Ok(());
    };
    let impostor = Impostor::listen(user()?)?;
    connected(&scene.agent, &impostor)?;
    let container = scene.start(&["--read-only", "--network=none"], &["sleep", "600"])?;
    impostor.describe(&container.id, "innocent");
    let foreign = || {
        let metrics = scene.agent.metrics().ok()?;
        let cause = [("cause", "foreign")];
        let count = metrics.sum("vigia_container_metadata_failures_total", &cause);
        (count >= 1.0).then_some(())
    };
    wait::until("the word of the user to be heard", seconds(60), foreign)?;
    container.exec(&["touch", "/planted"])?;
    let alert = scene.agent.expect("the refused write", |alert| {
        alert.rule() == READ_ONLY_WRITE && alert.is_about(&container.id)
    })?;
    ensure!(
        alert.container_name() == container.name && !alert.mentions("innocent"),
        "{}",
        alert.json()
    );
    ensure!(
        !impostor.was_asked_about(&container.id),
        "the user was told of a container of root"
    );
    Ok(())
}

fn connected(agent: &Agent, impostor: &Impostor) -> Result<()> {
    let socket = impostor.socket().to_string_lossy().into_owned();
    wait::until("the user's engine to be found", seconds(30), || {
        let metrics = agent.metrics().ok()?;
        let found = metrics.sum("vigia_engine_connected", &[("socket", &socket)]);
        (found == 1.0).then_some(())
    })
}
