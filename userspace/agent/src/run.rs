//! `vigia run`: makes ready what the pipeline needs, in the order in which mistakes are cheapest.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};

use anyhow::{Context, bail};
use vigia_engine::{Diagnostic, Ruleset};
use vigia_recording::Trailer;

use crate::config::Config;
use crate::health::{Endpoint, Health, Milestone};
use crate::metrics::Metrics;
use crate::recorder::{self, Recording};
use crate::signals::Signals;
use crate::{logging, privileges, rules, settings};

/// What the pipeline is given.
#[derive(Debug)]
pub struct Prepared {
    /// The configuration, with the environment and flags applied.
    pub config: Config,
    /// The machine's name on every alert.
    pub node_name: String,
    /// The rules.
    pub ruleset: Ruleset,
    /// What the agent counts.
    pub metrics: Arc<Metrics>,
    /// What the agent reports of itself.
    pub health: Arc<Health>,
    /// What the operating system asks for.
    pub signals: Signals,
    /// What is recorded.
    pub recording: Option<Recording>,
}

/// Runs the agent until it is told to stop.
///
/// `unknown_variables` are environment variables that look like ours and are not; they are logged. Gives back how
/// the recording ended, where there was one that had not ended before.
///
/// # Errors
/// Anything that keeps the agent from watching.
pub fn run(
    config: Config,
    unknown_variables: &[String],
    recording: Option<recorder::Options>,
) -> anyhow::Result<Option<Trailer>> {
    logging::start(&config.log);
    for variable in unknown_variables {
        tracing::warn!(variable, "this environment variable stands for no key");
    }
    privileges::require()?;
    let ruleset = load_rules(&config)?;
    // While the user's own folders may still be written to.
    let recording = recording.map(Recording::create).transpose()?;
    if config.privileges.drop {
        // Before the runtime starts its threads: capabilities belong to threads.
        // The folder of a recording may be anybody's, and its file gets its name at the end.
        let kept_for_recording = recording.as_ref().map(|_| "CAP_DAC_OVERRIDE");
        let kept = config.privileges.keep.iter().map(|name| &**name);
        let outcome = privileges::restrict(kept.chain(kept_for_recording))?;
        tracing::info!(
            kept = outcome.kept.join(" "),
            dropped = outcome.dropped,
            "privileges given up"
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .thread_name("vigia")
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let result = runtime.block_on(Box::pin(watch(config, ruleset, recording)));
    // Whatever still reads a file that does not answer is left behind.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn watch(
    config: Config,
    ruleset: Ruleset,
    recording: Option<Recording>,
) -> anyhow::Result<Option<Trailer>> {
    let signals = Signals::listen().context("cannot take signals")?;
    let metrics = Arc::new(Metrics::new());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    metrics.start_time.set(now.as_secs_f64());
    let health = Arc::new(Health::new(config.metrics.heartbeat_s.seconds()));
    health.reach(Milestone::RulesLoaded);
    let endpoint = if config.metrics.enabled {
        let endpoint = Endpoint::bind(config.metrics.listen).await?;
        tracing::info!(address = %endpoint.address(), "serving metrics and health");
        Some(tokio::spawn(endpoint.serve(
            metrics.clone(),
            health.clone(),
            std::future::pending(),
        )))
    } else {
        None
    };
    let node_name = node_name(&config);
    let result = Box::pin(crate::pipeline::run(Prepared {
        config,
        node_name,
        ruleset,
        metrics,
        health,
        signals,
        recording,
    }))
    .await;
    if let Some(endpoint) = endpoint {
        endpoint.abort();
    }
    result
}

/// Reads and compiles the rules; prints what is wrong with them.
fn load_rules(config: &Config) -> anyhow::Result<Ruleset> {
    let sources = rules::load(&config.rules.paths)?;
    let compiled = vigia_engine::compile(&sources, &settings::engine(config));
    for diagnostic in &compiled.diagnostics {
        let Diagnostic {
            source,
            line,
            column,
            problem,
            ..
        } = diagnostic;
        let code = diagnostic.code.name();
        if diagnostic.is_error() {
            tracing::error!(code, "{source}:{line}:{column}: {problem}");
        } else {
            tracing::warn!(code, "{source}:{line}:{column}: {problem}");
        }
    }
    let errors = compiled
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .count();
    let Some(ruleset) = compiled.ruleset else {
        bail!("the rules have {errors} error(s); `vigia check` shows each with its line");
    };
    if ruleset.rules().is_empty() {
        bail!(
            "no rule is enabled at priority {} or above",
            config.rules.minimum_priority.0
        );
    }
    let files = sources
        .iter()
        .map(|source| source.name.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    tracing::info!(rules = ruleset.rules().len(), files, "rules loaded");
    Ok(ruleset)
}

/// The configured name, or the host's. In a container the system's own answer is the container's, so that
/// the host's init is asked for what it sees.
fn node_name(config: &Config) -> String {
    if let Some(name) = &config.node.name {
        return name.to_string();
    }
    let in_container = config.proc_root() != Path::new("/proc");
    let hosts = config.proc_root().join("1/root/etc/hostname");
    let asked = if in_container {
        first_line(&hosts).ok()
    } else {
        None
    };
    asked.unwrap_or_else(|| {
        rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned()
    })
}

fn first_line(path: &Path) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        Err(io::ErrorKind::InvalidData.into())
    } else {
        Ok(line.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configured_name_wins() {
        let config: Config =
            serde_json::from_value(serde_json::json!({"node": {"name": "n1"}})).unwrap();
        assert_eq!(node_name(&config), "n1");
        assert!(!node_name(&Config::default()).is_empty());
    }
}
