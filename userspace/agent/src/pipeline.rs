//! The pipeline: placeholder until its stages are wired.

use crate::run::Prepared;

/// Runs until told to stop.
///
/// # Errors
/// Always, for now.
#[allow(clippy::unused_async, reason = "the real one waits")]
pub async fn run(prepared: Prepared) -> anyhow::Result<()> {
    drop(prepared);
    anyhow::bail!("this build has no pipeline yet")
}
