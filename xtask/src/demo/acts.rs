//! What goes wrong in the demo, and what must be said about it.

use anyhow::{Result, ensure};
use vigia_tests::docker::{privileged, succeeded};
use vigia_tests::{Alert, command, rules, wait};

use super::{SECRET_PATH, Stage};

/// One misdeed.
pub(super) struct Act {
    /// Its line in the report.
    pub(super) name: &'static str,
    /// What the spectator is told.
    pub(super) caption: &'static str,
    /// The rule that must fire.
    pub(super) rule: &'static str,
    /// Does it.
    pub(super) play: fn(&Stage) -> Result<()>,
    /// Holds the alert against what was done.
    pub(super) judge: fn(&Stage, &Alert) -> Result<()>,
}

pub(super) const ACTS: &[Act] = &[
    Act {
        name: "a write to the read-only file system is reported",
        caption: "Somebody tries to plant a file in the service's container. Its root is read-only, so the kernel\n\
                  refuses; but whoever tries does not know the container, and that is worth knowing.",
        rule: rules::READ_ONLY_WRITE,
        play: |stage| {
            let container = stage.service.container()?;
            let refused =
                stage
                    .docker
                    .attempt(&["exec", &container, "touch", "/etc/cron.d-backdoor"])?;
            ensure!(!refused.status.success(), "the write was not refused");
            Ok(())
        },
        judge: |stage, alert| {
            in_service(stage, alert)?;
            names(alert, "/evidence/file/path", "/etc/cron.d-backdoor")
        },
    },
    Act {
        name: "a foreign read of the secret is reported",
        caption: "A privileged container, which was not given the secret, reads it through /proc of the service.",
        rule: rules::SECRET_READ,
        play: |stage| {
            let container = stage.service.container()?;
            let pid =
                stage
                    .docker
                    .output(&["inspect", "--format", "{{.State.Pid}}", &container])?;
            let path = format!("/proc/{pid}/root{SECRET_PATH}");
            let options = [privileged()?, vec!["--pid=host", "--network=none"]].concat();
            let (_container, output) =
                stage
                    .docker
                    .run(&options, &stage.image.name, &["cat", &path])?;
            succeeded(&output)
        },
        judge: |stage, alert| {
            names(alert, "/evidence/secret/reader", "foreign")?;
            // The secret by its Swarm name, or by the name the service knows it under.
            let name = alert.text("/evidence/secret/name");
            ensure!(
                name == stage.secret.name || SECRET_PATH.ends_with(name) && !name.is_empty(),
                "the alert calls the secret {name:?}"
            );
            ensure!(
                !alert.mentions("correct horse"),
                "the alert leaks the secret"
            );
            Ok(())
        },
    },
    Act {
        name: "a shell in the container is reported",
        caption: "Somebody opens an interactive shell in the service's container.",
        rule: rules::SHELL,
        play: |stage| {
            let container = stage.service.container()?;
            let line = format!(
                "docker -H {} exec -it {container} sh -c 'exit 0'",
                stage.docker.host()
            );
            let mut terminal = command::limited(wait::seconds(30), "script");
            succeeded(&command::run(terminal.args(["-qec", &line, "/dev/null"]))?)
        },
        judge: in_service,
    },
];

/// The alert must name the service.
fn in_service(stage: &Stage, alert: &Alert) -> Result<()> {
    names(alert, "/container/swarm/service", &stage.service.name)?;
    names(alert, "/container/image", &stage.image.name)
}

fn names(alert: &Alert, pointer: &str, expected: &str) -> Result<()> {
    let found = alert.text(pointer);
    ensure!(
        found == expected,
        "the alert says {found:?} at {pointer}, not {expected:?}"
    );
    Ok(())
}
