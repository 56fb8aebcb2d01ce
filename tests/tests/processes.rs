//! Programs that have no business in a container.

use anyhow::{Result, ensure};
use vigia_tests::Scene;
use vigia_tests::image::{COMPAT_PATH, USER_FOLDER};
use vigia_tests::rules::{
    COMPAT_CALL, CREDENTIALS_READ, NOT_FROM_IMAGE, PACKAGE_MANAGER, PROCESS_TAKEN, SHELL,
};

#[test]
fn a_normal_start_is_silent() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let script = "cat /etc/passwd > /dev/null; ls / > /dev/null; echo ready";
    for options in [
        ["--network=none", "--user=0"],
        ["--network=none", "--read-only"],
        ["--network=none", "--user=1000"],
    ] {
        let container = scene.run(&options, &["sh", "-c", script])?;
        scene.expect_silence("a normal start", &container.id)?;
    }
    Ok(())
}

#[test]
fn a_shell_on_a_terminal_is_reported_and_one_without_is_not() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let container = scene.start(&["--network=none"], &["sleep", "600"])?;
    container.exec(&["sh", "-c", "true"])?;
    scene.expect_silence("a shell without a terminal", &container.id)?;
    let output = container.exec_on_terminal("sh -c 'exit 0'")?;
    ensure!(output.status.success(), "{output:?}");
    let alert = scene.agent.expect("the shell", |alert| {
        alert.rule() == SHELL && alert.is_about(&container.id)
    })?;
    ensure!(alert.container_name() == container.name, "{}", alert.json());
    Ok(())
}

#[test]
fn a_program_that_is_not_from_the_image_is_reported() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    for (folder, options) in [
        ("/tmp", ["--network=none", "--tmpfs=/tmp:exec"]),
        (USER_FOLDER, ["--network=none", "--user=1000"]),
    ] {
        let script = format!("cp /bin/busybox {folder}/true && {folder}/true");
        let container = scene.run(&options, &["sh", "-ec", &script])?;
        ensure!(container.wait()? == 0, "{}", container.logs()?);
        let alert = scene.agent.expect(folder, |alert| {
            alert.rule() == NOT_FROM_IMAGE && alert.is_about(&container.id)
        })?;
        let path = format!("{folder}/true");
        ensure!(
            alert.text("/evidence/process/exe_path") == path,
            "{}",
            alert.json()
        );
    }
    Ok(())
}

#[test]
fn reading_password_hashes_is_reported() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let container = scene.run(&["--network=none"], &["cat", "/etc/shadow"])?;
    scene.agent.expect("the read", |alert| {
        alert.rule() == CREDENTIALS_READ
            && alert.is_about(&container.id)
            && alert.text("/evidence/file/path") == "/etc/shadow"
    })?;
    Ok(())
}

#[test]
fn opening_another_process_memory_is_reported() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    // `head` as a child of the shell: without a second command the shell would become it.
    let container = scene.run(
        &["--network=none"],
        &["sh", "-c", "head -c 1 /proc/1/mem; true"],
    )?;
    scene.agent.expect("the open", |alert| {
        alert.rule() == PROCESS_TAKEN && alert.is_about(&container.id)
    })?;
    Ok(())
}

#[test]
fn a_package_manager_is_reported() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let container = scene.run(&["--network=none"], &["dpkg", "--help"])?;
    scene.agent.expect("dpkg", |alert| {
        alert.rule() == PACKAGE_MANAGER && alert.is_about(&container.id)
    })?;
    Ok(())
}

#[test]
fn a_call_through_the_32_bit_entry_is_reported() -> Result<()> {
    let Some(scene) = Scene::set()? else {
        return Ok(());
    };
    let container = scene.run(&["--network=none"], &[COMPAT_PATH])?;
    ensure!(
        container.wait()? == 0,
        "this kernel has no 32-bit entry: exit code {}",
        container.wait()?
    );
    scene.agent.expect("the call", |alert| {
        alert.rule() == COMPAT_CALL && alert.is_about(&container.id)
    })?;
    Ok(())
}
