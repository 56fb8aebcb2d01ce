//! Judges a recording as the running agent would have: the same rules, throttle and rendering, and the recording's
//! own time in place of a clock.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use vigia_alerts::{Alert, Form, RenderOptions, Rendered};
use vigia_recording::{ReadError, Reader};

use crate::judge::{Judge, Verdict};

/// What came of a recording.
#[derive(Debug, Default)]
pub struct Summary {
    /// Events that were judged.
    pub events: u64,
    /// Matches of rules.
    pub matches: u64,
    /// Alerts that were printed, summaries included.
    pub alerts: u64,
    /// Why the recording could not be read to its end.
    pub error: Option<ReadError>,
}

/// Judges all events of a recording and prints the alerts.
///
/// # Errors
/// `out` does not take them. What is wrong with the recording stands in the summary: what could be read was judged.
pub(crate) fn replay<R: Read>(
    reader: &mut Reader<R>,
    judge: &mut Judge,
    form: Form,
    options: RenderOptions,
    out: &mut dyn Write,
) -> anyhow::Result<Summary> {
    let mut printer = Printer {
        out,
        form,
        options,
        alerts: 0,
        failed: None,
    };
    let mut summary = Summary::default();
    let mut clock = Clock::default();
    for recorded in reader.by_ref() {
        let recorded = match recorded {
            Ok(recorded) => recorded,
            Err(error) => {
                summary.error = Some(error);
                break;
            }
        };
        let now = clock.at(recorded.judged_ns);
        // The agent sums up when it is time, not when the next event comes.
        for ended in judge.throttle.expire(now) {
            printer.print(ended);
        }
        judge.judge(&recorded.event, now, &mut |verdict| match verdict {
            Verdict::Match(_) => summary.matches += 1,
            Verdict::Alert(alert) => printer.print(*alert),
        });
        summary.events += 1;
        printer.check()?;
    }
    if let Some(trailer) = reader.trailer() {
        clock.at(trailer.ended_ns);
    }
    for ended in judge.throttle.expire(clock.now) {
        printer.print(ended);
    }
    for last in judge.throttle.flush(clock.now) {
        printer.print(last);
    }
    printer.check()?;
    summary.alerts = printer.alerts;
    Ok(summary)
}

/// The recording's time. Windows of repeats are measured by it: only differences count, so any instant will do for
/// the beginning.
struct Clock {
    start: Instant,
    start_ns: Option<u64>,
    now: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        let start = Instant::now();
        Self {
            start,
            start_ns: None,
            now: start,
        }
    }
}

impl Clock {
    /// Moves on to a time of the recording, and never back.
    fn at(&mut self, time_ns: u64) -> Instant {
        let start_ns = *self.start_ns.get_or_insert(time_ns);
        let since = Duration::from_nanos(time_ns.saturating_sub(start_ns));
        if let Some(now) = self.start.checked_add(since) {
            self.now = self.now.max(now);
        }
        self.now
    }
}

/// Prints alerts as standard output of the agent does.
struct Printer<'o> {
    out: &'o mut dyn Write,
    form: Form,
    options: RenderOptions,
    alerts: u64,
    failed: Option<std::io::Error>,
}

impl Printer<'_> {
    fn print(&mut self, alert: Alert) {
        if self.failed.is_some() {
            return;
        }
        self.alerts += 1;
        let alert = Rendered::new(alert, self.options.clone());
        let text = self.form.write(&alert);
        self.failed = self.out.write_all(text.as_bytes()).err();
    }

    fn check(&mut self) -> anyhow::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error).context("cannot print the alerts"),
            None => Ok(()),
        }
    }
}
