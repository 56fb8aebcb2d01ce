//! Waiting for a condition, with a deadline; the only place of the harness that lets time pass.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long to pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until `look` finds something, at most for `limit`; `None` when it did not.
pub fn poll<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

/// As [`poll`], with an error that says what was awaited.
///
/// # Errors
/// The deadline passed.
pub fn until<T>(what: &str, limit: Duration, look: impl FnMut() -> Option<T>) -> Result<T> {
    match poll(limit, look) {
        Some(found) => Ok(found),
        None => bail!("waited {:.1} s in vain for {what}", limit.as_secs_f64()),
    }
}

/// Shorthand for a number of seconds.
#[must_use]
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
