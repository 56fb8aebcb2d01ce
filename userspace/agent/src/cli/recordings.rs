//! Whole recordings in memory, for commands that look at each event several times; bounded.

use std::path::Path;

use anyhow::bail;
use vigia_event::Event;

/// More events than this are refused.
const MAX_EVENTS: usize = 100_000;

/// The events of a recording.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Event>> {
    let mut events = Vec::new();
    for recorded in vigia_recording::open(path, vigia_recording::Limits::default())? {
        if events.len() == MAX_EVENTS {
            bail!("{} holds more than {MAX_EVENTS} events", path.display());
        }
        events.push(recorded?.event);
    }
    Ok(events)
}
