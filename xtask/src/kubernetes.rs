//! The Kubernetes manifests against the JSON schemas of Kubernetes.
//!
//! The schemas come with the Python package `kubernetes-validate`, pinned here, in a virtual environment
//! below cargo's target folder. They are the strict ones: a misspelt key is an error.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace::{self, Workspace};

/// The package and its version, which is that of the Kubernetes release whose schemas it carries.
const VALIDATOR: &str = "kubernetes-validate==1.31.0";
const RELEASE: &str = "1.31";

/// Checks every manifest: (valid, invalid).
pub(crate) fn check(workspace: &Workspace) -> Result<(u32, u32)> {
    let environment = workspace.target.join("kubernetes-schemas");
    let validator = environment.join("bin/kubernetes-validate");
    if !validator.is_file() {
        eprintln!("    installing {VALIDATOR} below {}", environment.display());
        workspace::run(
            workspace
                .command("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&environment),
        )?;
        let pip = environment.join("bin/pip").display().to_string();
        workspace::run(workspace.command(&pip).args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            VALIDATOR,
        ]))?;
    }
    let manifests = std::fs::read_dir(workspace.root.join("deploy/kubernetes"))
        .context("reading deploy/kubernetes")?;
    let (mut valid, mut invalid) = (0, 0);
    for entry in manifests {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        if accepts(&validator, &path)? {
            valid += 1;
        } else {
            invalid += 1;
        }
    }
    ensure!(
        valid + invalid > 0,
        "there is no manifest in deploy/kubernetes"
    );
    // Proof that the check can fail.
    let misspelt = tempfile::Builder::new().suffix(".yaml").tempfile()?;
    std::fs::write(
        misspelt.path(),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndatta: {a: b}\n",
    )?;
    ensure!(
        !accepts(&validator, misspelt.path())?,
        "the validator accepts a misspelt key"
    );
    Ok((valid, invalid))
}

fn accepts(validator: &Path, manifest: &Path) -> Result<bool> {
    let output = Command::new(validator)
        .args(["--strict", "--kubernetes-version", RELEASE])
        .arg(manifest)
        .output()?;
    eprint!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.status.success())
}
