//! Debian packages that verbs need: installed when we are root, else named.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Once;

use anyhow::{Context, Result, bail};
use vigia_tests::image;

use crate::workspace;

/// Something a verb needs from the operating system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Package {
    /// The Debian package.
    name: &'static str,
    /// What is missing without it.
    what: &'static str,
    /// Whether it is there.
    present: fn() -> bool,
}

pub(crate) const DOCKER: Package = Package {
    name: "docker.io",
    what: "a Docker engine",
    present: || on_path("dockerd") && on_path("docker"),
};
pub(crate) const CONTAINERD: Package = Package {
    name: "containerd",
    what: "containerd and ctr",
    present: || on_path("containerd") && on_path("ctr"),
};
pub(crate) const CGROUP_MOUNT: Package = Package {
    name: "cgroupfs-mount",
    what: "a mounted cgroup hierarchy",
    present: || on_path("cgroupfs-mount"),
};
pub(crate) const BUSYBOX: Package = Package {
    name: "busybox-static",
    what: "a static busybox",
    present: || image::static_busybox().is_ok(),
};
pub(crate) const PODMAN: Package = Package {
    name: "podman",
    what: "Podman",
    present: || on_path("podman"),
};
pub(crate) const RUNC: Package = Package {
    name: "runc",
    what: "a runtime that runs on hosts with both versions of cgroups",
    present: || on_path("runc"),
};
pub(crate) const UIDMAP: Package = Package {
    name: "uidmap",
    what: "newuidmap, with which users run containers",
    present: || on_path("newuidmap"),
};
pub(crate) const PROMETHEUS: Package = Package {
    name: "prometheus",
    what: "prometheus and promtool",
    present: || on_path("prometheus") && on_path("promtool"),
};
pub(crate) const COMPILER: Package = Package {
    name: "gcc",
    what: "a C compiler to link with",
    present: || on_path("cc"),
};
pub(crate) const MUSL: Package = Package {
    name: "musl-tools",
    what: "a C compiler for musl",
    present: || on_path("musl-gcc"),
};
pub(crate) const PYTHON: Package = Package {
    name: "python3-venv",
    what: "Python with venv, for the Kubernetes schemas",
    present: || {
        Command::new("python3")
            .args(["-c", "import venv, ensurepip"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    },
};
pub(crate) const DEBOOTSTRAP: Package = Package {
    name: "debootstrap",
    what: "debootstrap, which makes a Debian system",
    present: || on_path("debootstrap"),
};
pub(crate) const QEMU: Package = Package {
    name: "qemu-system-x86",
    what: "an emulator for other kernels",
    present: || on_path("qemu-system-x86_64"),
};
pub(crate) const XZ: Package = Package {
    name: "xz-utils",
    what: "xz, which kernel modules are packed with",
    present: || on_path("xz"),
};
pub(crate) const MMDEBSTRAP: Package = Package {
    name: "mmdebstrap",
    what: "mmdebstrap, which makes a Debian system",
    present: || on_path("mmdebstrap"),
};
pub(crate) const TERMINAL: Package = Package {
    name: "bsdutils",
    what: "script(1), which makes a terminal",
    present: || on_path("script"),
};

/// Makes sure that packages are there.
///
/// # Errors
/// One is missing and we are not root on Debian, or cannot be installed.
pub(crate) fn ensure(packages: &[Package]) -> Result<()> {
    let missing: Vec<_> = packages
        .iter()
        .filter(|package| !(package.present)())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|package| package.name).collect();
    let whats: Vec<_> = missing.iter().map(|package| package.what).collect();
    if !vigia_tests::scene::is_root() || !on_path("apt-get") {
        bail!(
            "{} missing: run as root on Debian to have it installed, or install the package {} yourself",
            whats.join(" and "),
            names.join(", ")
        );
    }
    eprintln!("    installing Debian packages: {}", names.join(", "));
    static UPDATE: Once = Once::new();
    let mut updated = Ok(());
    UPDATE.call_once(|| updated = apt(&["update"]));
    updated.context("refreshing the package lists")?;
    let fixed = ["install", "--yes", "--no-install-recommends"];
    apt(&[&fixed, names.as_slice()].concat())
        .with_context(|| format!("installing {}", names.join(", ")))?;
    for package in missing {
        if !(package.present)() {
            bail!(
                "{} is installed, but there still is not {}",
                package.name,
                package.what
            );
        }
    }
    Ok(())
}

fn apt(args: &[&str]) -> Result<()> {
    workspace::run(
        Command::new("apt-get")
            .arg("--quiet")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(Stdio::from(std::io::stderr())),
    )
}

/// Whether a program is where root's shell would find it.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(Into::into))
        .any(|folder| Path::new(&folder).join(program).is_file())
}
