//! The shipped stack, with the built image, on a real Swarm.

use anyhow::{Context, Result, ensure};
use vigia_tests::docker::{Docker, Service, Stack, Swarm};
use vigia_tests::image::{ACTOR_PATH, Image};
use vigia_tests::orders::Orders;
use vigia_tests::rules::READ_ONLY_WRITE;
use vigia_tests::scene::{self, Programs, Turn};
use vigia_tests::wait::{self, seconds};
use vigia_tests::{Alert, agent};

#[test]
fn the_shipped_stack_becomes_healthy_and_reports_another_service_to_a_receiver() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let agent_image =
        std::env::var(scene::IMAGE).with_context(|| format!("{} is not set", scene::IMAGE))?;
    let _turn = Turn::take()?;
    let docker = Docker::find()?;
    docker.sweep()?;
    let _swarm = Swarm::join_or_make(&docker)?;
    let image = Image::make(&docker, Some(&programs.actor))?;

    let address = agent::free_address()?.to_string();
    let receiver = Service::create(
        &docker,
        &["--network=host", "--read-only"],
        &image.name,
        &[ACTOR_PATH, "receive", &address],
    )?;
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("vigia.yaml");
    std::fs::write(
        &config,
        format!("outputs: {{webhooks: [{{url: 'http://{address}/'}}]}}\n"),
    )?;

    let stack = Stack::deploy(
        &docker,
        &scene::repository().join("deploy/swarm/stack.yml"),
        &[
            ("VIGIA_IMAGE", agent_image),
            ("VIGIA_CONFIG", config.display().to_string()),
            ("VIGIA_METRICS_LISTEN", agent::free_address()?.to_string()),
        ],
    )?;
    let healthy = wait::until("the agent to be healthy", seconds(60), || {
        stack.containers().ok()?.into_iter().find(|id| {
            docker
                .output(&["inspect", "--format", "{{.State.Health.Status}}", id])
                .is_ok_and(|word| word == "healthy")
        })
    });
    let container = healthy.with_context(|| stack.describe("agent"))?;
    let privileged = docker.output(&[
        "inspect",
        "--format",
        "{{.HostConfig.Privileged}}",
        &container,
    ])?;
    ensure!(privileged == "false", "the stack asks for privileged mode");
    let mode = docker.output(&[
        "service",
        "inspect",
        "--format",
        "{{json .Spec.Mode}}",
        &stack.service("agent"),
    ])?;
    ensure!(mode.contains("Global"), "{mode}");

    let orders = Orders::prepare()?;
    let command = Orders::command(&[]);
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    let culprit = Service::create(
        &docker,
        &["--read-only", &orders.mount()],
        &image.name,
        &command,
    )?;
    orders.ready()?;
    ensure!(
        orders.run(&["touch", "/new"]).is_err(),
        "the write was not refused"
    );
    let received = wait::until("the alert at the receiver", seconds(30), || {
        let logs = receiver.logs().ok()?;
        logs.lines().filter_map(Alert::parse).find(|alert| {
            alert.rule() == READ_ONLY_WRITE
                && alert.text("/container/swarm/service") == culprit.name
        })
    });
    let alert = received.with_context(|| stack.describe("agent"))?;
    let node = docker.output(&[
        "node",
        "inspect",
        "self",
        "--format",
        "{{.Description.Hostname}}",
    ])?;
    ensure!(alert.text("/hostname") == node, "{}", alert.json());
    ensure!(
        alert.text("/evidence/file/path") == "/new",
        "{}",
        alert.json()
    );
    Ok(())
}
