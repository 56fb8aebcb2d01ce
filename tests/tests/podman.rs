//! Containers of Podman, root's and a user's: who they are, and what happens in them.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vigia_tests::Alert;
use vigia_tests::agent::{Agent, Settings};
use vigia_tests::podman::{Contained, Podman};
use vigia_tests::rules::{READ_ONLY_WRITE, SECRET_READ};
use vigia_tests::scene::{Programs, Turn, default_rules};
use vigia_tests::user::User;
use vigia_tests::wait::{self, seconds};

const TEAM: &str = "shop";

/// What every alert shall say of the container and of who acts.
fn told_fields() -> (&'static str, Value) {
    let fields = [
        "container.type",
        "container.label[team]",
        "container.image.repository",
        "container.image.tag",
        "user.uid",
        "user.ns_uid",
        "user.name",
        "group.gid",
        "group.name",
        "proc.entered",
    ];
    ("/outputs/append_output", json!([{"extra_fields": fields}]))
}

/// An agent that watches one engine, or finds all engines itself.
fn agent(programs: &Programs, podman: &Podman) -> Result<Agent> {
    let engines = match podman.user() {
        None => json!({"sockets": [podman.socket()], "discover": false}),
        Some(_) => json!({"sockets": [], "discover": true}),
    };
    let agent = Agent::start(&Settings {
        program: programs.agent.clone(),
        socket: podman.socket(),
        rules: vec![default_rules()],
        overrides: vec![
            ("/engines", engines),
            ("/throttle/window_s", json!(0)),
            // The sockets of users are closed to others, even to root without this.
            ("/privileges/keep", json!(["CAP_DAC_OVERRIDE"])),
            told_fields(),
        ],
        arguments: Vec::new(),
    })?;
    connected(&agent, podman, 1.0)?;
    Ok(agent)
}

fn connected(agent: &Agent, podman: &Podman, expected: f64) -> Result<()> {
    let socket = podman.socket().to_string_lossy().into_owned();
    wait::until(
        &format!("vigia_engine_connected of {socket} to be {expected}"),
        seconds(30),
        || {
            let metrics = agent.metrics().ok()?;
            let found = metrics.sum("vigia_engine_connected", &[("socket", &socket)]);
            (found == expected).then_some(())
        },
    )
}

/// Waits for an alert and compares what it says of the container and the user.
fn expect(
    agent: &Agent,
    podman: &Podman,
    container: &Contained,
    rule: &str,
    part: &str,
    fields: &[(&str, Value)],
) -> Result<Alert> {
    let alert = agent.expect(part, |alert| {
        alert.rule() == rule && alert.is_about(&container.id) && alert.mentions(part)
    })?;
    let json = alert.json();
    let (repository, tag) = podman.image.rsplit_once(':').context("a tag")?;
    for (pointer, expected) in [
        ("/container/id", json!(container.id)),
        ("/container/name", json!(container.name)),
        ("/container/image", json!(podman.image)),
        ("/container/engine", json!("podman")),
        ("/metadata/container", json!("known")),
    ] {
        ensure!(
            json.pointer(pointer) == Some(&expected),
            "{pointer}: {json}"
        );
    }
    let identity = [
        ("container.type", json!("podman")),
        ("container.label[team]", json!(TEAM)),
        ("container.image.repository", json!(repository)),
        ("container.image.tag", json!(tag)),
    ];
    for (field, expected) in identity.iter().chain(fields) {
        let found = &json["output_fields"][*field];
        ensure!(found == expected, "{field} is {found}: {json}");
    }
    Ok(alert)
}

/// The same attack on a container of anybody's Podman; `ids` is what root and user 1000 of the container are to the host.
fn attack(podman: &Podman, agent: &Agent, ids: [u32; 2]) -> Result<()> {
    let [root, user] = ids;
    let label = format!("--label=team={TEAM}");
    let locked = podman.run(
        &["--read-only", "--network=none", &label],
        &["sleep", "600"],
    )?;
    for (path, options, name, (uid, ns_uid)) in [
        ("/planted", &[][..], "root", (root, 0)),
        ("/planned", &["--user=1000:1000"], "user", (user, 1000)),
    ] {
        podman.exec(&locked, options, &["touch", path])?;
        let fields = [
            ("user.uid", json!(uid)),
            ("user.ns_uid", json!(ns_uid)),
            ("user.name", json!(name)),
            ("group.gid", json!(uid)),
            ("group.name", json!(name)),
            ("proc.entered", json!(true)),
        ];
        expect(agent, podman, &locked, READ_ONLY_WRITE, path, &fields)?;
    }

    // The first program does what it was made for, and did not enter; whoever enters later did.
    podman.secret("key", "hush")?;
    let script =
        "cat /run/secrets/key > /dev/null; touch /proc/sys/kernel/hostname; exec sleep 600";
    let open = podman.run(
        &["--network=none", "--secret=key", &label],
        &["sh", "-c", script],
    )?;
    podman.exec(&open, &[], &["cat", "/run/secrets/key"])?;
    let alert = expect(
        agent,
        podman,
        &open,
        SECRET_READ,
        "/run/secrets/key",
        &[
            ("fd.secret.source", json!("podman")),
            ("fd.secret.reader", json!("entered")),
            ("proc.entered", json!(true)),
        ],
    )?;
    ensure!(
        !alert.mentions("hush"),
        "the secret is shown: {}",
        alert.json()
    );
    // What was done before was judged before.
    let about_start = |alert: &Alert| {
        alert.rule() == SECRET_READ
            && alert.is_about(&open.id)
            && alert.json()["output_fields"]["fd.secret.reader"] != "entered"
    };
    agent.refuse("the container's own start reads its secret", about_start)?;
    Ok(())
}

#[test]
fn an_attack_on_a_container_of_roots_podman_is_told_with_full_identity() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let _turn = Turn::take()?;
    let podman = Podman::of_root()?;
    let agent = agent(&programs, &podman)?;
    attack(&podman, &agent, [0, 1000])
}

#[test]
fn an_attack_on_a_container_of_a_users_podman_is_told_with_full_identity() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let _turn = Turn::take()?;
    let user = User::make()?;
    let ids = [user.uid, user.first_subordinate()? + 999];
    let podman = Podman::of_user(user)?;
    let agent = agent(&programs, &podman)?;
    attack(&podman, &agent, ids)
}

#[test]
fn a_users_engine_that_comes_and_goes_is_found_again_and_what_ran_meanwhile_is_known() -> Result<()>
{
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let _turn = Turn::take()?;
    let mut podman = Podman::of_user(User::make()?)?;
    let label = format!("--label=team={TEAM}");
    let options = ["--read-only", "--network=none", &label];
    // One that runs before the agent does: it has no cgroup, and its mounts tell.
    let before = podman.run(&options, &["sleep", "600"])?;
    let agent = agent(&programs, &podman)?;
    podman.exec(&before, &[], &["touch", "/before"])?;
    expect(&agent, &podman, &before, READ_ONLY_WRITE, "/before", &[])?;

    podman.kill()?;
    connected(&agent, &podman, 0.0)?;
    let during = podman.run(&options, &["sleep", "600"])?;
    podman.resume()?;
    connected(&agent, &podman, 1.0)?;
    for (container, path) in [(&before, "/after"), (&during, "/during")] {
        podman.exec(container, &[], &["touch", path])?;
        expect(&agent, &podman, container, READ_ONLY_WRITE, path, &[])?;
    }
    Ok(())
}
