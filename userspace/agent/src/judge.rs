//! What rules say about an event, and which of it is worth an alert: the same for the running agent and for a
//! recording. Reads no clock.

use std::sync::Arc;
use std::time::Instant;

use vigia_alerts::{Alert, Context, Throttle};
use vigia_engine::{Match, Ruleset, Scratch};
use vigia_event::Event;

/// The rules, and what is remembered of what they said.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) ruleset: Arc<Ruleset>,
    scratch: Scratch,
    pub(crate) throttle: Throttle,
    pub(crate) context: Context,
}

/// What came of an event.
pub(crate) enum Verdict<'m> {
    /// A rule matched.
    Match(Match<'m>),
    /// An alert to be delivered: that of a match which repeats no other, or the summary of repeats.
    Alert(Box<Alert>),
}

impl Judge {
    pub(crate) fn new(ruleset: Ruleset, throttle: Throttle, context: Context) -> Self {
        Self {
            scratch: ruleset.scratch(),
            ruleset: Arc::new(ruleset),
            throttle,
            context,
        }
    }

    /// Asks the rules about an event that is judged at `now`.
    pub(crate) fn judge(
        &mut self,
        event: &Event,
        now: Instant,
        verdict: &mut dyn FnMut(Verdict<'_>),
    ) {
        let Self {
            ruleset,
            scratch,
            throttle,
            context,
        } = self;
        let mut found: Vec<Match<'_>> = Vec::new();
        ruleset.evaluate(event, scratch, &mut |matched| found.push(matched));
        if found.is_empty() {
            return;
        }
        for summary in throttle.expire(now) {
            verdict(Verdict::Alert(Box::new(summary)));
        }
        for matched in found {
            // A flood of repeats is counted without the cost of an alert each.
            if !throttle.fold(event, &matched, context, now)
                && let Some(alert) = throttle.admit(Alert::new(event, &matched, context), now)
            {
                verdict(Verdict::Alert(Box::new(alert)));
            }
            verdict(Verdict::Match(matched));
        }
    }
}
