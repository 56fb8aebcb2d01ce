//! The recording beside, or instead of, the judging of events.

use vigia_inventory::WallClock;
use vigia_recording::{Ending, Trailer};

use super::Stages;

impl Stages {
    /// Whether all that was wanted is a recording, and nothing more goes into it.
    pub(super) fn has_nothing_to_do(&self) -> bool {
        self.recorder
            .as_ref()
            .is_some_and(|recorder| recorder.is_instead_of_rules() && recorder.is_over())
    }

    /// Once a second: what was recorded so far goes to disk, and a recording that is over gets its name while the
    /// agent goes on.
    pub(super) fn keep_recording(&mut self) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        recorder.flush();
        if recorder.is_over()
            && !recorder.is_instead_of_rules()
            && let Err(error) = self.end_recording(Ending::Stopped)
        {
            tracing::error!(
                error = &*error as &dyn std::error::Error,
                "the recording failed"
            );
        }
    }

    /// Ends the recording, where there is one.
    pub(super) fn end_recording(&mut self, ending: Ending) -> anyhow::Result<Option<Trailer>> {
        let Some(recorder) = self.recorder.take() else {
            return Ok(None);
        };
        let trailer = recorder.finish(ending, self.losses.unseen(), WallClock::boot_now_ns())?;
        tracing::info!(
            events = trailer.events,
            lost = trailer.lost.total(),
            because = trailer.ending.reason(),
            "the recording ended"
        );
        Ok(Some(trailer))
    }
}
