//! A running agent: its configuration, its alerts as they come, its endpoints.

mod alert;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::metrics::Metrics;
use crate::{http, wait};

pub use alert::Alert;

/// How long an alert may take before a test calls it missing.
pub const ALERT_LIMIT: Duration = Duration::from_secs(15);

/// How to start an agent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program.
    pub program: PathBuf,
    /// The engine it asks.
    pub socket: PathBuf,
    /// Rule files and folders.
    pub rules: Vec<PathBuf>,
    /// Values that replace those of the test configuration: a JSON pointer and the value.
    pub overrides: Vec<(&'static str, Value)>,
    /// Additional arguments of `vigia run`.
    pub arguments: Vec<String>,
}

/// An agent that is ready; stopped when dropped.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
    heard: Arc<Heard>,
}

/// What came on standard output.
#[derive(Debug, Default)]
struct Heard {
    alerts: Mutex<Vec<Alert>>,
    more: Condvar,
}

impl Agent {
    /// Starts `vigia run` and waits until `/readyz` says so.
    ///
    /// # Errors
    /// It ends, or is not ready within 30 s; its log is in the message.
    pub fn start(settings: &Settings) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vigia-agent-").tempdir()?;
        let address = free_address()?;
        let config = folder.path().join("vigia.yaml");
        std::fs::write(&config, configuration(settings, address, folder.path())?)?;
        let log = File::create(folder.path().join("agent.log"))?;
        let mut child = Command::new(&settings.program)
            .args(["run", "--output", "json", "-c"])
            .arg(&config)
            .args(&settings.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", settings.program.display()))?;
        let heard = Arc::new(Heard::default());
        let stdout = child.stdout.take().context("the agent's standard output")?;
        std::thread::spawn({
            let heard = Arc::clone(&heard);
            move || listen(stdout, &heard)
        });
        let mut agent = Self {
            child,
            address,
            folder,
            heard,
        };
        let ready = wait::poll(wait::seconds(30), || match agent.child.try_wait() {
            Ok(None) => agent
                .get("/readyz")
                .ok()
                .filter(|answer| answer.status() == Some(200))
                .map(|_| true),
            _ => Some(false),
        });
        match ready {
            Some(true) => Ok(agent),
            Some(false) => bail!("the agent ended while starting:\n{}", agent.log()),
            None => bail!("the agent is not ready after 30 s:\n{}", agent.log()),
        }
    }

    /// Every alert so far, oldest first.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        self.heard
            .alerts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The first alert, past or to come, that `wanted` holds for.
    ///
    /// # Errors
    /// None came in time; the message tells `what` was awaited and what came instead.
    pub fn expect_within(
        &self,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&Alert) -> bool,
    ) -> Result<Alert> {
        let deadline = Instant::now() + limit;
        let mut alerts = self
            .heard
            .alerts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut seen = 0;
        loop {
            if let Some(found) = alerts.iter().skip(seen).find(|alert| wanted(alert)) {
                return Ok(found.clone());
            }
            seen = alerts.len();
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                bail!(
                    "no alert came for: {what}\nwhat came:\n  {}\nlosses: {}",
                    list(&alerts),
                    self.losses()
                );
            };
            alerts = self
                .heard
                .more
                .wait_timeout(alerts, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// [`Self::expect_within`] with the usual limit.
    ///
    /// # Errors
    /// As there.
    pub fn expect(&self, what: &str, wanted: impl Fn(&Alert) -> bool) -> Result<Alert> {
        self.expect_within(ALERT_LIMIT, what, wanted)
    }

    /// Fails when an alert came that `unwanted` holds for. Meaningful only behind [`crate::Scene::settle`].
    ///
    /// # Errors
    /// There is such an alert.
    pub fn refuse(&self, what: &str, unwanted: impl Fn(&Alert) -> bool) -> Result<()> {
        let found: Vec<_> = self
            .alerts()
            .into_iter()
            .filter(|alert| unwanted(alert))
            .collect();
        ensure!(
            found.is_empty(),
            "unexpected alerts, {what}:\n  {}",
            list(&found)
        );
        Ok(())
    }

    /// GETs one of its endpoints.
    ///
    /// # Errors
    /// It does not answer.
    pub fn get(&self, path: &str) -> Result<http::Message> {
        http::get(self.address, path)
    }

    /// Where its endpoints are.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// One scrape.
    ///
    /// # Errors
    /// It does not answer.
    pub fn metrics(&self) -> Result<Metrics> {
        Ok(Metrics::parse(&self.get("/metrics")?.text()))
    }

    /// What its counters say was lost or undecided so far, for messages.
    #[must_use]
    pub fn losses(&self) -> String {
        const LOSSES: [&str; 8] = [
            "vigia_kernel_events_lost_total",
            "vigia_kernel_events_incomplete_total",
            "vigia_kernel_recursion_misses_total",
            "vigia_kernel_table_full_total",
            "vigia_events_malformed_total",
            "vigia_events_released_total",
            "vigia_rule_partial_total",
            "vigia_table_evicted_total",
        ];
        let text = self
            .get("/metrics")
            .map(|answer| answer.text())
            .unwrap_or_default();
        let lost = text.lines().filter(|line| {
            LOSSES.iter().any(|name| line.starts_with(name)) && !line.ends_with(" 0")
        });
        lost.collect::<Vec<_>>().join("; ")
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("agent.log")).unwrap_or_default()
    }

    /// The folder that holds its log, its configuration and its state.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end (`SIGTERM`) and waits for it.
    ///
    /// # Errors
    /// It does not end within 20 s.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        signal(&self.child, Signal::TERM)?;
        wait::until("the agent to end", wait::seconds(20), || {
            self.child.try_wait().ok().flatten()
        })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if self.stop().is_err() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        if std::thread::panicking() {
            report(&format!("the agent's log:\n{}", self.log()));
        }
    }
}

/// The last alerts of many, a line each.
#[must_use]
pub fn list(alerts: &[Alert]) -> String {
    const MAX: usize = 20;
    let more = alerts.len().saturating_sub(MAX);
    let mut lines: Vec<_> = alerts.iter().skip(more).map(Alert::brief).collect();
    if more > 0 {
        lines.insert(0, format!("({more} before these)"));
    }
    lines.join("\n  ")
}

/// An unused loopback address.
///
/// # Errors
/// There is none.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Sends a signal to a process of ours.
///
/// # Errors
/// It has ended.
pub fn signal(child: &Child, signal: Signal) -> Result<()> {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .context("a process id")?;
    Ok(kill_process(pid, signal)?)
}

/// Collects lines until the agent closes its output.
fn listen(stdout: ChildStdout, heard: &Heard) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let alert = Alert::parse(&line).unwrap_or_else(|| Alert::unreadable(&line));
        heard
            .alerts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(alert);
        heard.more.notify_all();
    }
}

/// The configuration as JSON, which is YAML as well.
fn configuration(settings: &Settings, address: SocketAddr, folder: &Path) -> Result<String> {
    let mut config = json!({
        "node": {"name": "test-node"},
        "rules": {"paths": settings.rules},
        // Whatever else runs on this machine is none of the tests' business.
        "engines": {"sockets": [settings.socket], "discover": false},
        "secrets": {"window_s": 3},
        "metrics": {"listen": address},
        "throttle": {"window_s": 5},
        "state_dir": folder.join("state"),
        "log": {"level": "info", "format": "text"},
    });
    std::fs::create_dir(folder.join("state"))?;
    for (pointer, value) in &settings.overrides {
        set(&mut config, pointer, value.clone())?;
    }
    Ok(serde_json::to_string_pretty(&config)?)
}

/// Sets the value at a JSON pointer, making the objects on the way.
fn set(root: &mut Value, pointer: &str, value: Value) -> Result<()> {
    let mut place = root;
    for key in pointer.split('/').skip(1) {
        if place.is_null() {
            *place = json!({});
        }
        place = place
            .as_object_mut()
            .with_context(|| format!("{pointer} leads through a value"))?
            .entry(key)
            .or_insert(Value::Null);
    }
    *place = value;
    Ok(())
}

/// Tells on standard error, which the test harness shows for a failed test.
#[allow(
    clippy::print_stderr,
    reason = "a failed test shows what its agent logged"
)]
fn report(text: &str) {
    eprintln!("{text}");
}
