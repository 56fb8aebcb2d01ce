//! A real Prometheus that scrapes one address, and `promtool`.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{agent, http, wait};

/// A running Prometheus; ended when dropped.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    child: Child,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes `target` every second, and waits until it is ready.
    ///
    /// # Errors
    /// It is not installed or does not become ready within 30 s.
    pub fn start(target: SocketAddr) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("vigia-prometheus-")
            .tempdir()?;
        let config = folder.path().join("prometheus.yml");
        std::fs::write(
            &config,
            format!(
                "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
                 scrape_configs: [{{job_name: vigia, static_configs: [{{targets: ['{target}']}}]}}]\n"
            ),
        )?;
        let address = agent::free_address()?;
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting prometheus (Debian package prometheus)")?;
        let prometheus = Self {
            address,
            child,
            _folder: folder,
        };
        wait::until("Prometheus to be ready", Duration::from_secs(30), || {
            http::get(address, "/-/ready")
                .ok()
                .filter(|answer| answer.status() == Some(200))
        })?;
        Ok(prometheus)
    }

    /// The value of an instant query that has exactly one result; `None` while it has none.
    #[must_use]
    pub fn query(&self, expression: &str) -> Option<f64> {
        let encoded: String = expression
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        let answer = http::get(self.address, &format!("/api/v1/query?query={encoded}")).ok()?;
        let answer: Value = serde_json::from_slice(&answer.body).ok()?;
        answer
            .pointer("/data/result/0/value/1")?
            .as_str()?
            .parse()
            .ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Holds an exposition against `promtool check metrics`, which is silent about a good one.
///
/// # Errors
/// `promtool` is not installed, or has something to say.
pub fn check_exposition(text: &str) -> Result<()> {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting promtool (Debian package prometheus)")?;
    child
        .stdin
        .take()
        .context("promtool's standard input")?
        .write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(
        output.status.success() && said.is_empty(),
        "promtool check metrics: {}: {}",
        output.status,
        String::from_utf8_lossy(&said)
    );
    Ok(())
}
