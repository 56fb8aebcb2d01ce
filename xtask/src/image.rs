//! `cargo xtask image`: the container image of the agent.

use std::fs;

use anyhow::{Context, Result};
use vigia_tests::docker::Docker;

use crate::engine::Engine;
use crate::programs;
use crate::report::Report;
use crate::workspace::{self, Workspace};

/// Name and tag of the image, as the Swarm stack names it.
pub(crate) const DEFAULT_TAG: &str = "vigia:latest";

/// Builds the image in the engine that runs, or in one of our own (to show that it can be built).
pub(crate) fn run(workspace: &Workspace, tag: &str) -> Result<Report> {
    let engine = Engine::ensure()?;
    Report::of_one("image", tag, || build(workspace, &engine.docker, tag))
}

/// Builds the image: deploy/docker/Dockerfile over a folder with just what it copies.
pub(crate) fn build(workspace: &Workspace, docker: &Docker, tag: &str) -> Result<()> {
    let agent = programs::static_agent(workspace)?;
    let folder = tempfile::Builder::new().prefix("vigia-image-").tempdir()?;
    let root = folder.path();
    fs::copy(&agent, root.join("vigia")).context("copying the agent")?;
    fs::copy(
        workspace.root.join("userspace/agent/vigia.example.yaml"),
        root.join("vigia.yaml"),
    )
    .context("copying the configuration")?;
    fs::create_dir(root.join("rules.d"))?;
    fs::create_dir(root.join("state"))?;
    for entry in fs::read_dir(workspace.root.join("rules"))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name.ends_with(".yaml") && !name.ends_with(".test.yaml") {
            fs::copy(&path, root.join("rules.d").join(name))?;
        }
    }
    let dockerfile = workspace.root.join("deploy/docker/Dockerfile");
    let mut command = workspace.command("docker");
    command
        .args(["build", "--quiet", "--tag", tag, "--file"])
        .args([&dockerfile, root]);
    // The classic builder needs nothing from a registry; BuildKit may be absent or want to fetch its front end.
    workspace::run(
        command
            .env("DOCKER_HOST", docker.host())
            .env("DOCKER_BUILDKIT", "0")
            .env_remove("DOCKER_CONTEXT"),
    )
}
