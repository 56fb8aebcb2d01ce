//! Building what the demo, the tests and the image run.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::packages;
use crate::workspace::{self, Workspace};

/// The target of static programs.
const STATIC: &str = "x86_64-unknown-linux-musl";

/// The agent as `cargo build` makes it: quickest to build, with overflow checks on.
pub(crate) fn agent(workspace: &Workspace) -> Result<PathBuf> {
    build(workspace, &["--package=vigia", "--bin=vigia"])?;
    found(workspace.target.join("debug/vigia"))
}

/// An agent that loses records uncounted: what the sums must notice.
pub(crate) fn losing_agent(workspace: &Workspace) -> Result<PathBuf> {
    build(
        workspace,
        &["--package=vigia", "--bin=vigia", "--features=lose-records"],
    )?;
    let built = found(workspace.target.join("debug/vigia"))?;
    let folder = workspace.target.join("losing");
    std::fs::create_dir_all(&folder)?;
    // Away from where the next build of the real one goes.
    let kept = folder.join("vigia");
    std::fs::copy(built, &kept).context("keeping the agent that loses records")?;
    // Leaves the real one where people look for it.
    agent(workspace)?;
    Ok(kept)
}

/// The agent as it is shipped: static and optimised.
pub(crate) fn static_agent(workspace: &Workspace) -> Result<PathBuf> {
    packages::ensure(&[packages::COMPILER, packages::MUSL])?;
    static_target()?;
    build(
        workspace,
        &[
            "--package=vigia",
            "--bin=vigia",
            "--release",
            "--target",
            STATIC,
        ],
    )?;
    found(workspace.target.join(STATIC).join("release/vigia"))
}

/// What the tests run inside containers; static, because their image holds no library.
pub(crate) fn actor(workspace: &Workspace) -> Result<PathBuf> {
    packages::ensure(&[packages::COMPILER])?;
    static_target()?;
    // Optimised: it has to be faster than what is measured with it.
    build(
        workspace,
        &[
            "--package=vigia-tests",
            "--bin=actor",
            "--release",
            "--target",
            STATIC,
        ],
    )?;
    found(workspace.target.join(STATIC).join("release/actor"))
}

/// What acts in the attack suite; static, because it acts in any image.
pub(crate) fn attack(workspace: &Workspace) -> Result<PathBuf> {
    packages::ensure(&[packages::COMPILER])?;
    static_target()?;
    build(
        workspace,
        &[
            "--package=vigia-attacks",
            "--bin=attack",
            "--release",
            "--target",
            STATIC,
        ],
    )?;
    found(workspace.target.join(STATIC).join("release/attack"))
}

/// The tests of the probes, static, so that they run in a guest that has no library.
pub(crate) fn kernel_tests(workspace: &Workspace) -> Result<PathBuf> {
    static_target()?;
    let mut command = workspace.cargo();
    command
        .args(["test", "--locked", "--quiet", "--no-run"])
        .args(["--package=vigia-sensor", "--test=probes"])
        .args([
            "--target",
            STATIC,
            "--message-format=json-render-diagnostics",
        ]);
    let line = workspace::line(&command);
    eprintln!("    {line}");
    let output = command
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("starting {line}"))?;
    ensure!(output.status.success(), "{line}: {}", output.status);
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .context("cargo did not say where the tests are")
}

fn build(workspace: &Workspace, args: &[&str]) -> Result<()> {
    // Shipped without debugging information, which would be most of the file.
    workspace::run(
        workspace
            .cargo()
            .args(["build", "--locked", "--quiet"])
            .args(args)
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo"),
    )
}

fn found(path: PathBuf) -> Result<PathBuf> {
    ensure!(path.is_file(), "cargo did not build {}", path.display());
    Ok(path)
}

/// Makes sure that the compiler's library for static programs is there.
fn static_target() -> Result<()> {
    let output = Command::new("rustc")
        .args(["--print=target-libdir", "--target", STATIC])
        .output();
    let folder =
        PathBuf::from(String::from_utf8_lossy(&output.context("starting rustc")?.stdout).trim());
    if folder.is_dir() {
        return Ok(());
    }
    eprintln!("    adding the Rust target {STATIC}");
    workspace::run(
        Command::new("rustup")
            .args(["target", "add", STATIC])
            .stdin(Stdio::null()),
    )
    .with_context(|| format!("the Rust target {STATIC} is missing: rustup target add {STATIC}"))
}
