//! What an alert must know of its container: everything that its engine knows.

use anyhow::{Result, ensure};

use crate::Alert;

/// The metadata of an alert that has all of it.
pub const KNOWN: (&str, &str) = ("/metadata/container", "known");

/// Holds that an alert says these words at these JSON pointers, and that it misses nothing in the words of its output that
/// every container has.
///
/// # Errors
/// It does not; the alert is in the message.
pub fn expect(alert: &Alert, expected: &[(&str, &str)]) -> Result<()> {
    for (pointer, expected) in [KNOWN].iter().chain(expected) {
        let found = alert.text(pointer);
        ensure!(
            found == *expected,
            "{pointer} is {found:?}, not {expected:?}: {}",
            alert.json()
        );
    }
    for field in [
        "container_id",
        "container_name",
        "container_image_repository",
        "container_image_tag",
    ] {
        let missing = format!("{field}=<NA>");
        ensure!(
            !alert.text("/output").contains(&missing),
            "{missing} in {}",
            alert.json()
        );
    }
    Ok(())
}
