//! The images: one Debian system with all packages, made once and kept outside the tree, and a layer for each service.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::RELEASE;
use crate::docker::{Docker, LABEL, unique};
use crate::{command, scene, wait};

/// What services and loads are made of.
const PACKAGES: &[&str] = &[
    "apache2-utils",
    "busybox",
    "cron",
    "curl",
    "gunicorn",
    "libnginx-mod-http-perl",
    "nginx-light",
    "openssl",
    "postgresql-15",
    "procps",
    "python3",
    "redis-server",
    "tini",
    "wrk",
];

/// The images in an engine; removed when dropped.
#[derive(Debug)]
pub struct Images {
    docker: Docker,
    /// The system, in which loads run.
    pub base: String,
    services: Vec<(&'static str, String)>,
}

impl Images {
    /// Makes the base and those of some services, by the names of their folders in tests/services.
    ///
    /// # Errors
    /// There is no base and none can be made, or the engine does not build.
    pub fn make(docker: &Docker, services: &[&'static str]) -> Result<Self> {
        let mut images = Self {
            docker: docker.clone(),
            base: format!("{}:1", unique("services")),
            services: Vec::new(),
        };
        let label = format!("LABEL {LABEL}=1");
        let system = File::open(system()?)?;
        let import = ["import", "--change", &label, "-", &images.base];
        command::output(docker.command(&import).stdin(system)).context("the base")?;
        for &service in services {
            let name = format!("{}:1", unique(service));
            let folder = scene::repository().join("tests/services").join(service);
            let base = format!("BASE={}", images.base);
            images.services.push((service, name.clone()));
            let mut build = docker.command(&[
                "build",
                "--quiet",
                "--network=none",
                "--label",
                &format!("{LABEL}=1"),
                "--build-arg",
                &base,
                "--tag",
                &name,
            ]);
            // The classic builder needs nothing from a registry.
            command::output(build.arg(folder).env("DOCKER_BUILDKIT", "0"))
                .with_context(|| format!("the image of {service}"))?;
        }
        Ok(images)
    }

    /// The image of a service.
    ///
    /// # Errors
    /// None was made of it.
    pub fn of(&self, service: &str) -> Result<&str> {
        let found = self
            .services
            .iter()
            .find(|(name, _)| *name == service)
            .with_context(|| format!("no image of {service}"))?;
        Ok(&found.1)
    }

    /// Runs something in the base, to its end; what it printed. For before any agent watches.
    ///
    /// # Errors
    /// It fails.
    pub fn output(&self, words: &[&str]) -> Result<String> {
        let label = format!("--label={LABEL}=1");
        let run = ["run", "--rm", "--network=none", &label, &self.base];
        self.docker.output(&[&run, words].concat())
    }
}

impl Images {
    /// A private key and a certificate for `localhost` that belongs to it, in PEM.
    ///
    /// # Errors
    /// As [`Self::output`].
    pub fn certificate(&self) -> Result<(String, String)> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        const MAKE: &str = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
            -keyout - -out - 2>/dev/null";
        let pem = self.output(&["sh", "-c", MAKE])?;
        let (key, certificate) = pem.split_once(BEGIN).context("a key and a certificate")?;
        Ok((key.to_owned(), format!("{BEGIN}{certificate}\n")))
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        let names = self.services.iter().map(|(_, name)| name);
        for name in names.chain([&self.base]) {
            drop(self.docker.attempt(&["image", "rm", "-f", name]));
        }
    }
}

/// The system as an archive. The first time it takes a minute and Debian's mirror.
fn system() -> Result<PathBuf> {
    let kept = super::cache()?.join(format!("{RELEASE}+{}.tar", PACKAGES.join("+")));
    if kept.is_file() {
        return Ok(kept);
    }
    // Another run may do the same at this moment: what is in the cache is always whole.
    let draft = kept.with_extension(format!("{}.tar", std::process::id()));
    let made = bootstrap(&draft).context("making a Debian system with the services");
    if made.is_err() {
        drop(std::fs::remove_file(&draft));
    }
    made?;
    std::fs::rename(&draft, &kept)?;
    Ok(kept)
}

fn bootstrap(archive: &Path) -> Result<()> {
    // Each database is made by an entry script, on a volume; no package shall make one.
    const NO_CLUSTER: &str = "mkdir -p \"$1/etc/postgresql-common\" && \
        echo create_main_cluster = false > \"$1/etc/postgresql-common/createcluster.conf\"";
    const CLUTTER: &str = "rm -rf \"$1\"/usr/share/doc \"$1\"/usr/share/man \"$1\"/usr/share/locale \"$1\"/var/log/nginx/*";
    let mut bootstrap = command::limited(wait::seconds(900), "mmdebstrap");
    bootstrap
        .args(["--quiet", "--variant=minbase"])
        .arg(format!("--include={}", PACKAGES.join(",")))
        .arg(format!("--setup-hook={NO_CLUSTER}"))
        .arg(format!("--customize-hook={CLUTTER}"))
        .arg(RELEASE)
        .arg(archive);
    command::output(&mut bootstrap)?;
    let size = std::fs::metadata(archive)?.len();
    ensure!(size > 50 << 20, "a system of {size} bytes");
    Ok(())
}
