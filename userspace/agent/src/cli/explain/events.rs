//! The events to explain: of a recording, or written down.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use vigia_event::Event;

use crate::cli::recordings;
use crate::input;

/// Larger descriptions are refused unread.
const MAX_BYTES: usize = 4 << 20;

/// The events of a file, with what the file calls them.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<(String, Event)>> {
    if is_recording(path)? {
        let events = recordings::read(path)?;
        return Ok(events
            .into_iter()
            .map(|event| (String::new(), event))
            .collect());
    }
    let text = input::read_text(path, MAX_BYTES)?;
    vigia_ruletest::read_events(&text).map_err(|faults| {
        let lines: Vec<String> = faults
            .iter()
            .map(|fault| {
                format!(
                    "{}:{}:{}: {}",
                    path.display(),
                    fault.place.line,
                    fault.place.column,
                    fault.message
                )
            })
            .collect();
        anyhow::anyhow!(lines.join("; "))
    })
}

/// Text holds no zero bytes, and a recording begins with a header that does.
fn is_recording(path: &Path) -> anyhow::Result<bool> {
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(64).read_to_end(&mut start))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(start.contains(&0))
}
