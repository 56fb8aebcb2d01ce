//! What is known of a container: what it was started with (each posture rule has a container that violates it and one that
//! does not), what others say of its image, and how it is listed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vigia_tests::agent::ALERT_LIMIT;
use vigia_tests::docker::{Daemon, Docker, Network, editing_runtime, forgiving_runtime};
use vigia_tests::rules::READ_ONLY_WRITE;
use vigia_tests::scene::{Programs, Turn};
use vigia_tests::{Alert, Scene, command, wait};

/// What a container has that violates nothing.
const HARDENED: [&str; 7] = [
    "--read-only",
    "--network=none",
    "--user=1000:1000",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=64m",
    "--pids-limit=64",
];

/// A container is looked at while it runs.
const IDLE: &[&str] = &["sleep", "600"];
const BROKEN_PROMISE: &str = "Broken Promise of Container";

/// A rule, what of the above is left out, what is said instead, and what its alert must say.
struct Violation<'a> {
    rule: &'static str,
    without: &'static [&'static str],
    with: Vec<&'a str>,
    says: &'static str,
}

fn violation<'a>(rule: &'static str, with: &[&'a str], says: &'static str) -> Violation<'a> {
    Violation {
        rule,
        without: &[],
        with: with.to_vec(),
        says,
    }
}

fn lacking(
    rule: &'static str,
    without: &'static [&'static str],
    says: &'static str,
) -> Violation<'static> {
    Violation {
        rule,
        without,
        with: Vec::new(),
        says,
    }
}

/// A configuration with the posture rules switched on.
fn posture() -> [(&'static str, Value); 1] {
    [("/rules/select", json!([{"enable": {"tag": "posture"}}]))]
}

fn posture_scene() -> Result<Option<Scene>> {
    Scene::set_with(&posture())
}

#[test]
fn a_container_is_told_for_what_it_violates_and_for_nothing_else() -> Result<()> {
    let Some(scene) = posture_scene()? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("docker.sock");
    std::fs::write(&socket, "")?;
    let socket = format!("--volume={}:/run/engine:ro", socket.display());
    let violations = [
        violation("Engine Socket in Container", &[&socket], "docker.sock"),
        Violation {
            without: &["--network=none"],
            ..violation(
                "Host Namespace in Container",
                &["--network=host"],
                "network=true",
            )
        },
        violation("Host Namespace in Container", &["--pid=host"], "pid=true"),
        violation("Host Namespace in Container", &["--ipc=host"], "ipc=true"),
        violation("Host Namespace in Container", &["--uts=host"], "uts=true"),
        violation(
            "Sensitive Path Mounted into Container",
            &["--volume=/etc:/host"],
            "/etc:/host",
        ),
        violation(
            "Dangerous Capability in Container",
            &["--cap-add=NET_ADMIN"],
            "CAP_NET_ADMIN",
        ),
        lacking("Writable Root in Container", &["--read-only"], ""),
        violation(
            "System Calls of Container Not Filtered",
            &["--security-opt=seccomp=unconfined"],
            "",
        ),
        violation(
            "AppArmor Switched Off for Container",
            &["--security-opt=apparmor=unconfined"],
            "",
        ),
        lacking(
            "New Privileges Allowed in Container",
            &["--security-opt=no-new-privileges"],
            "user=1000:1000",
        ),
        lacking(
            "Container Without Limits",
            &["--memory=64m"],
            "memory=0 pids=64",
        ),
        lacking("Container Without Limits", &["--pids-limit=64"], "pids=0"),
        violation(
            "Secret in Environment of Container",
            &[
                "--env=DB_PASSWORD=hush",
                "--env=API_KEY_FILE=/run/secrets/key",
            ],
            "variables=(DB_PASSWORD)",
        ),
        violation(
            "Host Device in Container",
            &["--device=/dev/null"],
            "devices=(/dev/null)",
        ),
    ];
    let hardened = scene.start(&HARDENED, IDLE)?;
    scene.settle()?;
    // A machine without a filter or profile breaks that promise for all of its containers, and says so for all alike.
    let everywhere = told(&scene, &hardened.id);
    let is_machines =
        |rule: &str| [BROKEN_PROMISE, "System Calls of Container Not Filtered"].contains(&rule);
    ensure!(
        everywhere.iter().all(|(rule, _)| is_machines(rule)),
        "the hardened container is told: {everywhere:?}"
    );
    for Violation {
        rule,
        without,
        with,
        says,
    } in violations
    {
        let options: Vec<&str> = HARDENED
            .into_iter()
            .filter(|option| !without.contains(option))
            .chain(with)
            .collect();
        let container = scene.start(&options, IDLE)?;
        let alert = scene.agent.expect(rule, |alert| {
            alert.rule() == rule && alert.is_about(&container.id)
        })?;
        ensure!(
            alert.text("/output").contains(says),
            "{rule}: {says:?} is not in {}",
            alert.json()
        );
        ensure!(
            alert.text("/container/name") == container.name,
            "{rule}: {}",
            alert.json()
        );
        scene.settle()?;
        let others: Vec<_> = told(&scene, &container.id)
            .into_iter()
            .filter(|one| one.0 != rule && !everywhere.contains(one))
            .collect();
        ensure!(others.is_empty(), "{options:?} is also told: {others:?}");
    }
    Ok(())
}

/// The rules that were told of a container, and what promises they say are broken.
fn told(scene: &Scene, id: &str) -> Vec<(String, String)> {
    let alerts = scene.agent.alerts();
    let about = alerts.iter().filter(|alert| alert.is_about(id));
    about
        .map(|alert| {
            let fields = alert.json().pointer("/output_fields");
            let promises = fields.and_then(|fields| fields.get("container.broken_promises"));
            (
                alert.rule().to_owned(),
                promises.map(Value::to_string).unwrap_or_default(),
            )
        })
        .collect()
}

#[test]
fn a_privileged_container_is_told() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let turn = Turn::take()?;
    // Where the machine itself lacks a capability, only a runtime that asks for all the others starts such a container.
    let folder = tempfile::tempdir()?;
    let daemon = Daemon::start_with(Network::None, forgiving_runtime(folder.path())?)?;
    let docker = Docker::connect(daemon.socket())?;
    let scene = Scene::on(docker, turn, &programs, &posture(), &[])?;
    let container = scene.start(&["--network=none", "--privileged"], IDLE)?;
    scene.agent.expect("a privileged container", |alert| {
        alert.rule() == "Privileged Container" && alert.is_about(&container.id)
    })?;
    Ok(())
}

/// What makes a runtime drop each promise of [`HARDENED`] that the kernel can be asked about.
const FAITHLESS: &str = r#"s/"uid":1000/"uid":0/;s/"noNewPrivileges":true/"noNewPrivileges":false/;s/"limit":67108864/"limit":100003840/;s/"limit":64/"limit":640/;s/"readonly":true/"readonly":false/;s/"bounding":null/"bounding":["CAP_CHOWN"]/;s/"capabilities":{}/"capabilities":{"bounding":["CAP_CHOWN"]}/"#;

#[test]
fn what_a_runtime_does_otherwise_than_it_was_asked_to_is_told() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let turn = Turn::take()?;
    let folder = tempfile::tempdir()?;
    let daemon = Daemon::start_with(Network::None, editing_runtime(folder.path(), FAITHLESS)?)?;
    let docker = Docker::connect(daemon.socket())?;
    let scene = Scene::on(docker, turn, &programs, &posture(), &[])?;
    let container = scene.start(&HARDENED, IDLE)?;
    let alert = scene.agent.expect("broken promises", |alert| {
        alert.rule() == BROKEN_PROMISE && alert.is_about(&container.id)
    })?;
    let broken = alert
        .json()
        .pointer("/output_fields/container.broken_promises");
    let all = [
        "capabilities",
        "memory_limit",
        "no_new_privileges",
        "pids_limit",
        "read_only",
        "user",
    ];
    ensure!(
        broken == Some(&json!(all)),
        "{broken:?} in {}",
        alert.json()
    );
    Ok(())
}

#[test]
fn what_is_writable_below_a_read_only_mount_is_told() -> Result<()> {
    let Some(scene) = posture_scene()? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let below = folder.path().join("below");
    std::fs::create_dir(&below)?;
    let volume = format!("--volume={}:/data:ro", folder.path().display());
    let options = [&HARDENED[..], &[&volume]].concat();
    let is_told = |id: &str| {
        let told = told(&scene, id);
        told.iter()
            .any(|(_, promises)| promises.contains("read_only_mounts"))
    };
    let sound = scene.start(&options, IDLE)?;
    scene.settle()?;
    ensure!(!is_told(&sound.id), "nothing below it can be written to");
    let mounted = Mounted::tmpfs(&below)?;
    let broken = scene.start(&options, IDLE)?;
    wait::until("the broken promise", ALERT_LIMIT, || {
        is_told(&broken.id).then_some(())
    })?;
    drop(broken);
    drop(mounted);
    Ok(())
}

/// A file system that is mounted on the host until this is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(point: &Path) -> Result<Self> {
        command::output(
            Command::new("mount")
                .args(["-t", "tmpfs", "vigia-tests"])
                .arg(point),
        )?;
        Ok(Self(point.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(command::run(Command::new("umount").arg(&self.0)));
    }
}

#[test]
fn a_change_of_a_running_container_is_told() -> Result<()> {
    let Some(scene) = posture_scene()? else {
        return Ok(());
    };
    let container = scene.start(&HARDENED, IDLE)?;
    scene.settle()?;
    let limits =
        |alert: &Alert| alert.rule() == "Container Without Limits" && alert.is_about(&container.id);
    scene.agent.refuse("limits are set", limits)?;
    scene
        .docker
        .output(&["update", "--pids-limit=-1", &container.name])
        .context("taking the limit away")?;
    scene.agent.expect("a limit is gone", limits)?;
    Ok(())
}

#[test]
fn posture_is_not_told_by_default() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let container = scene.start(&["--network=none"], IDLE)?;
    scene.expect_silence("posture rules are off by default", &container.id)
}

#[test]
fn what_runs_is_listed_with_its_promises_and_without_its_secrets() -> Result<()> {
    const HUSH: &str = "hush-4c1d";
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let label = format!("--label=db.password={HUSH}");
    let variable = format!("--env=DB_PASSWORD={HUSH}");
    let options = [
        &HARDENED[..],
        &[&label, &variable, "--publish=127.0.0.1::80"],
    ]
    .concat();
    let options: Vec<&str> = options
        .into_iter()
        .filter(|option| *option != "--network=none")
        .collect();
    let container = scene.start(&options, IDLE)?;
    let plain = scene.start(&["--network=none"], IDLE)?;
    let config = scene.agent.folder().join("vigia.yaml");
    let list = |arguments: &[&str]| -> Result<String> {
        let output = Command::new(&scene.program)
            .arg("containers")
            .arg("-c")
            .arg(&config)
            .args(arguments)
            .output()?;
        ensure!(output.status.success(), "{arguments:?}: {output:?}");
        Ok(String::from_utf8(output.stdout)?)
    };

    let table = list(&[])?;
    for one in [&container, &plain] {
        let line = table
            .lines()
            .find(|line| line.contains(&one.name))
            .with_context(|| format!("{} is not in\n{table}", one.name))?;
        for part in [&one.id[..12], scene.image.name.as_str(), "docker"] {
            ensure!(line.contains(part), "{part} is not in {line}");
        }
    }
    let all: Value = serde_json::from_str(&list(&["--json"])?)?;
    let of = |id: &str| -> Result<&Value> {
        let all = all.as_array().context("a list")?;
        all.iter()
            .find(|one| one["id"] == id)
            .context("the container")
    };
    let hardened = of(&container.id)?;
    for (field, expected) in [
        ("container.name", json!(container.name)),
        ("container.user", json!("1000:1000")),
        ("container.read_only", json!(true)),
        ("container.no_new_privileges", json!(true)),
        ("container.cap_dropped", json!(["ALL"])),
        ("container.pids_limit", json!(64)),
        ("container.secret_variables", json!(["DB_PASSWORD"])),
    ] {
        ensure!(
            hardened["fields"][field] == expected,
            "{field} is {} instead of {expected}",
            hardened["fields"][field]
        );
    }
    let ports = hardened["fields"]["container.ports"].to_string();
    ensure!(
        ports.contains("127.0.0.1:") && ports.contains("->80/tcp"),
        "{ports}"
    );
    let findings = |one: &Value| one["findings"].to_string();
    ensure!(
        findings(hardened).contains("Secret in Environment of Container")
            && !findings(hardened).contains("Writable Root"),
        "{}",
        findings(hardened)
    );
    ensure!(
        findings(of(&plain.id)?).contains("Writable Root in Container"),
        "{}",
        findings(of(&plain.id)?)
    );
    let in_full = list(&[&container.name])?;
    ensure!(
        in_full.contains("finding: Secret in Environment"),
        "{in_full}"
    );
    for text in [&table, &all.to_string(), &in_full] {
        ensure!(!text.contains(HUSH), "a secret is shown: {text}");
    }
    Ok(())
}

#[test]
fn a_report_and_a_list_of_digests_change_what_an_alert_says() -> Result<()> {
    const UNTRUSTED: &str = "Untrusted Image Started";
    let folder = tempfile::tempdir()?;
    let (reports, trusted) = (folder.path().join("reports"), folder.path().join("trusted"));
    std::fs::create_dir(&reports)?;
    std::fs::write(&trusted, "# nothing yet\n")?;
    let [select] = posture();
    let images = ("/images", json!({"reports": reports, "trusted": trusted}));
    let Some(scene) = Scene::set_with(&[select, images])? else {
        return Ok(());
    };
    let id = scene
        .docker
        .output(&["image", "inspect", "--format={{.Id}}", &scene.image.name])?;
    // An image that nobody vouches for, and about which nobody wrote a report.
    let container = scene.run(&HARDENED, &["touch", "/x"])?;
    scene.agent.expect(UNTRUSTED, |alert| {
        alert.rule() == UNTRUSTED && alert.is_about(&container.id)
    })?;
    let write = |id: &str| {
        let id = id.to_owned();
        move |alert: &Alert| alert.rule() == READ_ONLY_WRITE && alert.is_about(&id)
    };
    let alert = scene
        .agent
        .expect("the refused write", write(&container.id))?;
    ensure!(
        alert
            .json()
            .pointer("/container/image_vulnerabilities")
            .is_none()
            && alert.json().pointer("/container/image_trusted") == Some(&json!(false)),
        "{}",
        alert.json()
    );

    // Both arrive while the agent runs.
    let report = json!({
        "SchemaVersion": 2,
        "Metadata": {"ImageID": id},
        "Results": [{
            "Target": "image",
            "Packages": [{"Name": "busybox", "InstalledFiles": ["/bin/busybox"]}],
            "Vulnerabilities": [
                {"VulnerabilityID": "CVE-2024-1", "PkgName": "busybox", "Severity": "CRITICAL"},
                {"VulnerabilityID": "CVE-2024-2", "PkgName": "busybox", "Severity": "LOW"},
                {"VulnerabilityID": "CVE-2024-3", "PkgName": "other", "Severity": "HIGH"},
            ],
        }],
    });
    std::fs::write(reports.join("image.json"), report.to_string())?;
    std::fs::write(&trusted, format!("{id}\n"))?;
    wait::until("the agent to read the files", wait::seconds(30), || {
        let container = scene.run(&HARDENED, &["touch", "/x"]).ok()?;
        let alert = scene
            .agent
            .expect("the refused write", write(&container.id))
            .ok()?;
        let container = alert.json().pointer("/container")?;
        let is_read = container["image_trusted"] == json!(true)
            && !container["image_vulnerabilities"].is_null();
        is_read.then_some(())
    })?;
    let container = scene.run(&HARDENED, &["touch", "/x"])?;
    let alert = scene
        .agent
        .expect("the refused write", write(&container.id))?;
    ensure!(
        alert.json().pointer("/container/image_vulnerabilities")
            == Some(&json!({"count": 3, "highest": "critical"})),
        "{}",
        alert.json()
    );
    scene.settle()?;
    scene.agent.refuse("a trusted image", |alert| {
        alert.rule() == UNTRUSTED && alert.is_about(&container.id)
    })
}
