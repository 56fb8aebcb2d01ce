//! What rules say about an event, and which of it is worth an alert: the same for the running agent and for a
//! recording. Reads no clock.

use std::sync::Arc;
use std::time::Instant;

use vigia_alerts::{Alert, Context, Throttle};
use vigia_engine::{Match, Outcome, Ruleset, Scratch};
use vigia_event::Event;
use vigia_event::call::named;

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
            let is_premature = matched.outcome == Outcome::Partial && is_told_again(event);
            // A flood of repeats is counted without the cost of an alert each.
            if !is_premature
                && !throttle.fold(event, &matched, context, now)
                && let Some(alert) = throttle.admit(Alert::new(event, &matched, context), now)
            {
                verdict(Verdict::Alert(Box::new(alert)));
            }
            verdict(Verdict::Match(matched));
        }
    }
}

/// Whether an event is about what a container is, and comes again when that is known: what is undecided until then is not
/// worth a word.
pub(crate) fn is_told_again(event: &Event) -> bool {
    event.event_type == named::CONTAINER
        && event
            .container
            .as_deref()
            .is_some_and(|container| container.known().is_none())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use vigia_alerts::{RedactionOptions, Redactor, ThrottleOptions};
    use vigia_engine::{Options, Source, compile};

    use super::*;

    const RULES: &str = "
- rule: Image
  desc: It is about an image.
  condition: evt.type in (container, execve) and container.image.repository = postgres
  output: an image
  priority: CRITICAL
";

    fn judge() -> Judge {
        let compiled = compile(&[Source::new("rules.yaml", RULES)], &Options::default());
        let context = Context {
            redactor: Redactor::new(&RedactionOptions::default()).expect("the table compiles"),
            fixed_fields: BTreeMap::new(),
            agent_version: "0",
            iso8601: false,
        };
        let ruleset = compiled.ruleset.expect("no errors");
        Judge::new(ruleset, Throttle::new(ThrottleOptions::default()), context)
    }

    #[test]
    fn what_is_undecided_about_a_container_is_counted_and_no_alert() {
        for (case, undecided, alerts) in [
            (
                "{container_event: started, unknown: [container.image.repository]}",
                1,
                0,
            ),
            (
                "{container_event: started, container: {image: postgres}}",
                0,
                1,
            ),
            (
                "{execve: /bin/sh, unknown: [container.image.repository]}",
                1,
                1,
            ),
        ] {
            let events = vigia_ruletest::read_events(case).expect("a case");
            let (_, event) = events.first().expect("an event");
            let (mut partial, mut raised) = (0, 0);
            judge().judge(event, Instant::now(), &mut |verdict| match verdict {
                Verdict::Match(matched) => {
                    partial += usize::from(matched.outcome == Outcome::Partial);
                }
                Verdict::Alert(_) => raised += 1,
            });
            assert_eq!((partial, raised), (undecided, alerts), "{case}");
        }
    }
}
