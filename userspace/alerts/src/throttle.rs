//! Folds repeats, so that one misdeed done a thousand times is one alert and one summary, and loses none of them.
//!
//! What repeats is named by rule, container and object: another path or another secret is another object. The first
//! alert of a key passes at once and opens a window; those that follow are counted, and at the end of the window
//! one summary says how many there were. `passed + folded = admitted`, and every folded alert is in the count of
//! exactly one summary.
//!
//! Whoever can choose paths can make any number of objects. So a rule has a limited number of windows for one container;
//! what exceeds it shares one more. Otherwise a container that writes to ever new paths would fill the queues
//! of the outputs, and the alerts about other containers would find no room.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use rustc_hash::FxBuildHasher;
use vigia_engine::Match;
use vigia_event::Event;

use crate::alert::{self, Alert, AlertId, Context, Subject};

/// How repeats are folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThrottleOptions {
    /// How long repeats of an alert are folded where its rule does not say; zero lets everything pass.
    pub window: Duration,
    /// Keys that are remembered; beyond that the window that is the next to end does so early.
    pub max_keys: usize,
    /// Objects that one rule tells apart in one container at a time; all others count as one.
    pub max_objects: usize,
    /// Different paths that a summary lists.
    pub max_samples: usize,
}

impl Default for ThrottleOptions {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(60),
            max_keys: 10_000,
            max_objects: 64,
            max_samples: 8,
        }
    }
}

/// What a [`Throttle`] did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThrottleCounters {
    /// Alerts that passed at once.
    pub passed: u64,
    /// Alerts that became part of a summary.
    pub folded: u64,
    /// Summaries made.
    pub summaries: u64,
    /// Windows that ended early because there were too many keys.
    pub evicted: u64,
}

/// Folds repeats. Reads no clock: the caller says what time it is.
#[derive(Debug)]
pub struct Throttle {
    options: ThrottleOptions,
    windows: HashMap<Subject, Window, FxBuildHasher>,
    /// Keys in the order in which their windows end, with a number that tells those of the same end apart.
    ends: BTreeMap<(Instant, u64), Subject>,
    opened: u64,
    /// How many windows are open for a rule and a container, by the subject that stands for all others of theirs.
    objects: HashMap<Subject, usize, FxBuildHasher>,
    /// Summaries of windows that ended while something else was done.
    due: Vec<Alert>,
    counters: ThrottleCounters,
}

#[derive(Debug)]
struct Window {
    opened: Instant,
    length: Duration,
    first: AlertId,
    count: u64,
    /// Speaks for the repeats in the summary.
    repeat: Option<Box<Alert>>,
    last_time_ns: u64,
    samples: Vec<String>,
}

impl Throttle {
    /// A throttle that has seen nothing.
    #[must_use]
    pub fn new(options: ThrottleOptions) -> Self {
        Self {
            options,
            windows: HashMap::default(),
            ends: BTreeMap::new(),
            opened: 0,
            objects: HashMap::default(),
            due: Vec::new(),
            counters: ThrottleCounters::default(),
        }
    }

    /// The alert if it is the first of its kind; `None` if it was folded into the summary to come.
    pub fn admit(&mut self, alert: Alert, now: Instant) -> Option<Alert> {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let length = alert.window_s.map_or(self.options.window, seconds);
        if length.is_zero() || self.options.max_keys == 0 {
            self.counters.passed += 1;
            return Some(alert);
        }
        self.close_ended(now);
        let key = self.key(alert.subject.clone());
        if let Some(window) = self.windows.get_mut(&key) {
            window.fold(alert, self.options.max_samples);
            self.counters.folded += 1;
            return None;
        }
        if self.windows.len() >= self.options.max_keys {
            self.counters.evicted += 1;
            self.close_next(now);
        }
        if let Some(others) = key.others() {
            *self.objects.entry(others).or_default() += 1;
        }
        self.opened += 1;
        self.ends.insert((now + length, self.opened), key.clone());
        self.windows.insert(key, Window::open(&alert, now, length));
        self.counters.passed += 1;
        Some(alert)
    }

    /// Counts a match whose alert would only be folded, without the cost of making the alert; `false` if the alert is
    /// needed and [`Throttle::admit`] must decide. Under a flood this is what keeps the agent up.
    pub fn fold(
        &mut self,
        event: &Event,
        found: &Match<'_>,
        context: &Context,
        now: Instant,
    ) -> bool {
        self.close_ended(now);
        let key = self.key(Subject::of_match(event, found));
        let Some(window) = self.windows.get_mut(&key) else {
            return false;
        };
        if window.repeat.is_none() {
            return false;
        }
        window.count(1, event.time_ns);
        if window.samples.len() < self.options.max_samples
            && let Some(path) = alert::sample_path(event, context)
        {
            window.list(&path);
        }
        self.counters.folded += 1;
        true
    }

    /// The summaries of windows that have ended.
    pub fn expire(&mut self, now: Instant) -> Vec<Alert> {
        self.close_ended(now);
        std::mem::take(&mut self.due)
    }

    /// When [`Throttle::expire`] has something to do next, or will find that it has not; a time in the past where
    /// summaries wait already.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let (&(end, _), key) = self.ends.first_key_value()?;
        let opened = self.windows.get(key).map(|window| window.opened);
        opened.filter(|_| !self.due.is_empty()).or(Some(end))
    }

    /// Ends all windows now: the summaries of everything folded so far, as before a stop.
    pub fn flush(&mut self, now: Instant) -> Vec<Alert> {
        while !self.ends.is_empty() {
            self.close_next(now);
        }
        std::mem::take(&mut self.due)
    }

    /// What was done so far.
    #[must_use]
    pub fn counters(&self) -> ThrottleCounters {
        self.counters
    }

    /// Keys that are remembered now.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.windows.len()
    }

    /// What a subject counts as: itself while there is room for it.
    fn key(&self, subject: Subject) -> Subject {
        if self.windows.contains_key(&subject) {
            return subject;
        }
        match subject.others() {
            Some(others)
                if self
                    .objects
                    .get(&others)
                    .is_some_and(|open| *open >= self.options.max_objects) =>
            {
                others
            }
            _ => subject,
        }
    }

    fn close_ended(&mut self, now: Instant) {
        while let Some((&(end, _), _)) = self.ends.first_key_value() {
            if now < end {
                break;
            }
            self.close_next(now);
        }
    }

    fn close_next(&mut self, now: Instant) {
        let Some((_, key)) = self.ends.pop_first() else {
            return;
        };
        if let Some(others) = key.others()
            && let Entry::Occupied(mut open) = self.objects.entry(others)
        {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
        let Some(window) = self.windows.remove(&key) else {
            return;
        };
        let lasted = now
            .saturating_duration_since(window.opened)
            .min(window.length);
        if let Some(summary) = window.summary(lasted, key.is_others()) {
            self.counters.summaries += 1;
            self.due.push(summary);
        }
    }
}

impl Window {
    fn open(alert: &Alert, now: Instant, length: Duration) -> Self {
        Self {
            opened: now,
            length,
            first: alert.id.clone(),
            count: 0,
            repeat: None,
            last_time_ns: alert.time_ns,
            samples: Vec::new(),
        }
    }

    fn fold(&mut self, alert: Alert, max_samples: usize) {
        // An alert may itself stand for several events.
        self.count(alert.evidence.count, alert.time_ns);
        if let Some(path) = alert.evidence.sample()
            && self.samples.len() < max_samples
        {
            self.list(path);
        }
        self.repeat = Some(Box::new(alert));
    }

    fn count(&mut self, repeats: u64, time_ns: u64) {
        self.count += repeats;
        self.last_time_ns = self.last_time_ns.max(time_ns);
    }

    fn list(&mut self, path: &str) {
        if !self.samples.iter().any(|sample| sample == path) {
            self.samples.push(path.to_owned());
        }
    }

    /// "N more in T s"; `None` where nothing was folded.
    fn summary(self, lasted: Duration, is_of_others: bool) -> Option<Alert> {
        let mut alert = *self.repeat?;
        // A window that ended early still covers a second that had begun.
        let seconds = lasted.as_secs() + u64::from(lasted.subsec_nanos() > 0);
        alert.id = AlertId::of_repeats(&self.first, &alert.id, self.count);
        let of_what = if is_of_others { " of many kinds" } else { "" };
        alert.message = format!(
            "{} more{of_what} in {seconds} s: {}",
            self.count, alert.message
        );
        alert.time_ns = self.last_time_ns;
        alert
            .output_fields
            .insert("evt.time".to_owned(), self.last_time_ns.into());
        alert.evidence.count = self.count;
        alert.evidence.samples = self.samples;
        alert.evidence.summary_of = Some(self.first.to_string());
        alert.evidence.window_s = Some(seconds);
        Some(alert)
    }
}

#[cfg(test)]
mod tests;
