//! Writes that a read-only container refuses: each is reported once, with who and what and why.

use anyhow::{Result, ensure};
use vigia_tests::docker::privileged;
use vigia_tests::rules::{
    KERNEL_PATH_WRITE, READ_ONLY_VOLUME_WRITE, READ_ONLY_WRITE, REMOUNT, ROUTINE_WRITE,
};
use vigia_tests::wait::seconds;
use vigia_tests::{Alert, Scene};

/// Deeds below a folder: a command and the path it is about. `data.txt` exists there, nothing else.
const DEEDS: &[(&[&str], &str)] = &[
    (&["touch", "new"], "new"),
    (&["mkdir", "folder"], "folder"),
    (&["rm", "data.txt"], "data.txt"),
    (&["mv", "data.txt", "moved"], "data.txt"),
    (&["chmod", "600", "data.txt"], "data.txt"),
    (&["sh", "-c", "echo x > new"], "new"),
];

/// Reports that a write was refused: the deed's own, or by a process without permission before it.
fn refused(alert: &Alert) -> bool {
    matches!(
        alert.text("/evidence/result/name"),
        "EROFS" | "EACCES" | "EPERM"
    )
}

#[test]
fn every_refused_deed_is_reported_as_root_and_as_a_user() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    for user in ["0", "1000"] {
        for (deed, file) in DEEDS {
            let options = [
                "--read-only",
                "--network=none",
                "--workdir=/srv",
                "--user",
                user,
            ];
            let container = scene.run(&options, deed)?;
            let path = format!("/srv/{file}");
            let what = format!("{deed:?} by user {user}");
            // The kernel answers a removal alike whether the file is there or not: it is told at low priority.
            let rule = if deed[0] == "rm" {
                ROUTINE_WRITE
            } else {
                READ_ONLY_WRITE
            };
            let alert = scene.agent.expect(&what, |alert| {
                alert.rule() == rule
                    && alert.is_about(&container.id)
                    && alert.text("/evidence/file/path") == path
            })?;
            ensure!(refused(&alert), "{what}: {}", alert.json());
            for (pointer, expected) in [
                ("/container/name", container.name.as_str()),
                ("/container/image", &scene.image.name),
                ("/evidence/process/name", deed[0]),
                ("/hostname", "test-node"),
            ] {
                ensure!(
                    alert.text(pointer) == expected,
                    "{what}: {pointer} of {}",
                    alert.json()
                );
            }
            ensure!(
                alert.number("/evidence/process/user/uid") == user.parse().ok(),
                "{what}: {}",
                alert.json()
            );
            ensure!(
                alert.number("/evidence/count") == Some(1),
                "{what}: {}",
                alert.json()
            );
            ensure!(
                alert.text("/evidence/process/cmdline").contains(deed[0]),
                "{what}: {}",
                alert.json()
            );
        }
    }
    Ok(())
}

#[test]
fn repeats_are_folded_into_one_summary_that_counts_them() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let script = "for i in 0 1 2 3 4 5 6 7 8 9; do touch /usr/local/bin/$i; done";
    let container = scene.run(&["--read-only", "--network=none"], &["sh", "-c", script])?;
    let ours = |alert: &Alert| alert.rule() == READ_ONLY_WRITE && alert.is_about(&container.id);
    let summary = scene
        .agent
        .expect_within(seconds(20), "a summary", |alert| {
            ours(alert) && !alert.text("/evidence/summary_of").is_empty()
        })?;
    let samples = summary
        .json()
        .pointer("/evidence/samples")
        .and_then(|samples| samples.as_array());
    ensure!(
        samples.is_some_and(|samples| !samples.is_empty()),
        "{}",
        summary.json()
    );
    scene.settle()?;
    let counts: Vec<_> = scene
        .agent
        .alerts()
        .iter()
        .filter(|alert| ours(alert))
        .map(|alert| alert.number("/evidence/count"))
        .collect();
    ensure!(counts == [Some(1), Some(9)], "{counts:?}");
    Ok(())
}

#[test]
fn the_same_deeds_in_a_writable_container_are_nobodys_business() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    for (deed, _) in DEEDS {
        let container = scene.run(&["--network=none", "--workdir=/srv"], deed)?;
        scene.expect_silence(&format!("{deed:?}"), &container.id)?;
    }
    Ok(())
}

#[test]
fn writes_into_the_tmpfs_of_a_read_only_container_are_silent() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let script = "cd /work && touch new data.txt && mkdir folder && chmod 600 data.txt && mv data.txt moved && rm moved && \
                  echo x > new && echo x > /dev/shm/new";
    let options = ["--read-only", "--network=none", "--tmpfs=/work"];
    let container = scene.run(&options, &["sh", "-ec", script])?;
    ensure!(container.wait()? == 0, "{}", container.logs()?);
    scene.expect_silence("writes into a tmpfs", &container.id)
}

#[test]
fn removing_a_missing_file_wakes_nobody() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let container = scene.run(
        &["--read-only", "--network=none"],
        &["rm", "-f", "/srv/missing"],
    )?;
    scene.settle()?;
    let serious = scene.serious(&container.id);
    ensure!(serious.is_empty(), "{}", serious[0].json());
    Ok(())
}

#[test]
fn a_read_only_volume_and_kernel_paths_have_rules_of_their_own() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let volume = format!("--volume={}:/data:ro", folder.path().display());
    for (options, path, rule) in [
        (
            ["--network=none", volume.as_str()],
            "/data/new",
            READ_ONLY_VOLUME_WRITE,
        ),
        (
            ["--network=none", "--read-only"],
            "/proc/sys/kernel/core_pattern",
            KERNEL_PATH_WRITE,
        ),
    ] {
        let container = scene.run(&options, &["sh", "-c", &format!("echo x > {path}")])?;
        scene.agent.expect(path, |alert| {
            alert.rule() == rule
                && alert.is_about(&container.id)
                && alert.text("/evidence/file/path") == path
        })?;
        scene.settle()?;
        scene.agent.refuse("one rule is enough", |alert| {
            alert.rule() == READ_ONLY_WRITE && alert.is_about(&container.id)
        })?;
    }
    Ok(())
}

#[test]
fn making_the_root_writable_is_reported() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let options = [privileged()?, vec!["--read-only", "--network=none"]].concat();
    let container = scene.run(&options, &["mount", "-o", "remount,rw", "/"])?;
    ensure!(container.wait()? == 0, "{}", container.logs()?);
    scene.agent.expect("the remount", |alert| {
        alert.rule() == REMOUNT && alert.is_about(&container.id)
    })?;
    let container = scene.run(&options, &["mount", "-t", "tmpfs", "tmpfs", "/srv"])?;
    scene.agent.expect("a mount over a folder", |alert| {
        alert.rule() == REMOUNT && alert.is_about(&container.id)
    })?;
    Ok(())
}
