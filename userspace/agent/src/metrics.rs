//! What the agent counts of itself: one table, read by the registry, the endpoint and docs/operations.md.
//!
//! The pipeline counts through plain fields of [`Metrics`]; labels that are open sets (rules, outputs,
//! engines, programs) are resolved to handles once, at start. Nothing here is looked up by name per
//! event.

mod handles;
mod instrument;

use std::fs;

use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};

pub use handles::{EngineMetrics, OutputMetrics, RuleMetrics, advance};
pub use instrument::{CountersBy, GaugesBy, Kind, Label};
use instrument::{Fraction, Instrument};

/// A row of [`ROWS`].
#[derive(Debug)]
pub struct Row {
    /// Its name, by Prometheus' conventions.
    pub name: &'static str,
    /// Counter or gauge.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it tells, in one sentence.
    pub help: &'static str,
}

macro_rules! labels {
    ($( $(#[$meta:meta])* $type:ident as $label:literal { $( $(#[$doc:meta])* $variant:ident = $value:literal, )* } )*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $( $(#[$doc])* $variant, )* }

        impl Label for $type {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = &[$( Self::$variant, )*];

            fn index(self) -> usize {
                self as usize
            }

            fn value(self) -> &'static str {
                match self { $( Self::$variant => $value, )* }
            }
        }
    )* };
}

labels! {
    /// Why an event that waited for engine metadata went on.
    Release as "cause" {
        /// The metadata came.
        Metadata = "metadata",
        /// It did not come in time.
        Deadline = "deadline",
        /// There was no room to wait.
        Overflow = "overflow",
        /// The agent stopped.
        Shutdown = "shutdown",
    }

    /// A table in memory.
    Table as "table" {
        /// Processes.
        Processes = "processes",
        /// Containers.
        Containers = "containers",
        /// Repeats being folded.
        Throttle = "throttle",
        /// Chains of programs that read secrets.
        Readers = "readers",
    }

    /// How a lookup of a domain name ended.
    Lookup as "result" {
        /// With an answer.
        Answered = "answered",
        /// Without one: there is no such name, or nobody answered.
        Failed = "failed",
    }

    /// Why there is no metadata of a container.
    MetadataFailure as "cause" {
        /// The engine does not know the container.
        Refused = "refused",
        /// The queue to the engine was full.
        Overflow = "overflow",
        /// A user's engine spoke of a container that is not known to be that user's; it is not believed.
        Foreign = "foreign",
    }
}

macro_rules! metrics {
    ($( $field:ident: $type:ty, $name:literal, [$($label:literal),*], $help:literal; )*) => {
        /// Every metric, in the order of the pipeline.
        pub static ROWS: &[Row] = &[
            $( Row { name: $name, kind: <$type as Instrument>::KIND, labels: &[$($label),*], help: $help }, )*
        ];

        /// Every metric, ready to count.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            $( #[doc = $help] pub $field: $type, )*
        }

        impl Metrics {
            /// Registers every metric in a registry of its own.
            ///
            /// # Panics
            /// Never: names are unique and valid, as a test sees.
            #[must_use]
            pub fn new() -> Self {
                let registry = Registry::new();
                let mut rows = ROWS.iter();
                $( let $field = {
                    let row = rows.next().expect("a field is a row");
                    <$type as Instrument>::register(row, &registry).expect("metrics have unique, valid names")
                }; )*
                let metrics = Self { registry, $( $field, )* };
                metrics.build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
                metrics
            }
        }
    };
}

metrics! {
    build_info: IntGaugeVec, "vigia_build_info", ["version"],
        "Always 1; says which version runs.";
    start_time: Gauge, "vigia_start_timestamp_seconds", [],
        "When the agent started, seconds since the epoch.";
    heartbeat: Gauge, "vigia_heartbeat_timestamp_seconds", [],
        "When the pipeline last turned over, seconds since the epoch.";
    cpu: Fraction, "vigia_process_cpu_seconds_total", [],
        "Processor time the agent has used, user and system.";
    resident: IntGauge, "vigia_process_resident_memory_bytes", [],
        "Memory the agent occupies.";
    rules_loaded: IntGauge, "vigia_rules_loaded", [],
        "Rules that are matched.";

    kernel_seen: IntCounterVec, "vigia_kernel_events_seen_total", ["class"],
        "Times a probe ran for something of the class; the sum of filtered, submitted and lost.";
    kernel_filtered: IntCounterVec, "vigia_kernel_events_filtered_total", ["class", "cause"],
        "Events the probes kept back because no rule asks for them, the task is out of scope, or it is the agent.";
    kernel_submitted: IntCounterVec, "vigia_kernel_events_submitted_total", ["class"],
        "Events the probes handed to the ring; the sum of decoded and malformed once the ring is empty.";
    kernel_lost: IntCounterVec, "vigia_kernel_events_lost_total", ["class", "cause"],
        "Events the probes could not hand over: the ring was full, the container over its budget, or a program missing.";
    kernel_incomplete: IntCounterVec, "vigia_kernel_events_incomplete_total", ["class", "cause"],
        "Submitted events in which a text was cut, or its memory could not be read when the call began or when it returned.";
    kernel_table_full: IntCounterVec, "vigia_kernel_table_full_total", ["cause"],
        "Tasks and containers for which a table of the probes had no room.";
    recursion_misses: IntCounterVec, "vigia_kernel_recursion_misses_total", ["program"],
        "Runs of a program that the kernel skipped because it was running on the same processor: events nobody saw.";
    made_good: IntCounter, "vigia_kernel_made_good_total", [],
        "System calls that the second dispatcher saw because the kernel had skipped the first.";
    ring_used: IntGauge, "vigia_ring_used_bytes", [],
        "Bytes in the ring that wait to be read.";
    ring_size: IntGauge, "vigia_ring_size_bytes", [],
        "Size of the ring.";

    decoded: IntCounter, "vigia_events_decoded_total", [],
        "Records read from the ring and decoded.";
    malformed: IntCounter, "vigia_events_malformed_total", [],
        "Records read from the ring that could not be decoded.";
    tracked: IntCounter, "vigia_events_tracked_total", [],
        "Decoded records that updated the process and container tables.";
    state_only: IntCounter, "vigia_events_state_only_total", [],
        "Tracked records that rules are not asked about: they only keep state.";
    made: IntCounter, "vigia_events_made_total", [],
        "Events the agent made itself of what the probes counted: containers over their budget.";
    enriched: IntCounter, "vigia_events_enriched_total", [],
        "Tracked records and events made here, joined with their process, container and mounts.";
    deferred: IntCounter, "vigia_events_deferred_total", [],
        "Events that had to wait for engine metadata of their container.";
    waiting: IntGauge, "vigia_events_waiting", [],
        "Events that wait for engine metadata now.";
    released: CountersBy<Release>, "vigia_events_released_total", ["cause"],
        "Events that stopped waiting for engine metadata, by why.";
    evaluated: IntCounter, "vigia_events_evaluated_total", [],
        "Events judged by the rules.";

    rule_matches: IntCounterVec, "vigia_rule_matches_total", ["rule", "priority"],
        "Times a rule fired, before repeats are folded.";
    rule_partial: IntCounterVec, "vigia_rule_partial_total", ["rule", "priority"],
        "Times a rule could not be decided because metadata was unknown.";
    throttled: IntCounter, "vigia_alerts_throttled_total", [],
        "Alerts folded into a summary.";
    summaries: IntCounter, "vigia_alerts_summaries_total", [],
        "Summaries made of folded alerts.";
    recorded: IntCounter, "vigia_alerts_recorded_total", [],
        "Alerts and summaries handed to the outputs.";

    output_queued: IntCounterVec, "vigia_output_queued_total", ["output"],
        "Alerts an output was given; the sum of delivered, pending, dropped and dead-lettered.";
    output_delivered: IntCounterVec, "vigia_output_delivered_total", ["output"],
        "Alerts an output has delivered.";
    output_pending: IntGaugeVec, "vigia_output_pending", ["output"],
        "Alerts that wait for an output now.";
    output_retried: IntCounterVec, "vigia_output_retried_total", ["output"],
        "Attempts of an output that failed and were made again.";
    output_dropped: IntCounterVec, "vigia_output_dropped_total", ["output"],
        "Alerts that found the queue of an output full.";
    output_dead_lettered: IntCounterVec, "vigia_output_dead_lettered_total", ["output"],
        "Alerts an output gave up: refused by the receiver, too old, or waiting when the agent stopped.";

    table_entries: GaugesBy<Table>, "vigia_table_entries", ["table"],
        "Entries of a table in memory.";
    table_evicted: CountersBy<Table>, "vigia_table_evicted_total", ["table"],
        "Entries forgotten because a table was full.";
    processes_unknown: IntCounter, "vigia_processes_unknown_total", [],
        "Events of a process whose start was not seen; it was then read from /proc.";
    engine_connected: IntGaugeVec, "vigia_engine_connected", ["socket"],
        "1 while a container engine answers, 0 while it does not.";
    engine_lost: IntCounterVec, "vigia_engine_disconnects_total", ["socket"],
        "Times the connection to a container engine broke.";
    metadata_fetched: IntCounter, "vigia_container_metadata_fetched_total", [],
        "Containers whose metadata an engine gave.";
    metadata_failed: CountersBy<MetadataFailure>, "vigia_container_metadata_failures_total", ["cause"],
        "Containers whose metadata an engine did not give, by why.";
    requests_dropped: IntCounter, "vigia_container_requests_dropped_total", [],
        "Questions about containers and their secrets that were not asked because too many waited.";
    domain_lookups: CountersBy<Lookup>, "vigia_domain_name_lookups_total", ["result"],
        "Lookups of domain names that rules compare with.";
    domain_names_pending: IntGauge, "vigia_domain_names_pending", [],
        "Domain names that rules compare with and that have no answer yet: such comparisons are undecided.";
    secrets_watched: IntGauge, "vigia_secrets_watched", [],
        "Secrets whose opening the probes report.";
}

impl Metrics {
    /// The text Prometheus scrapes.
    ///
    /// # Panics
    /// Never: the encoder fails only on metrics without a name.
    #[must_use]
    pub fn encode(&self) -> String {
        self.measure_process();
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .expect("every metric has a name")
    }

    /// Sets one of the probes' counters to the total the probes report. `cause` is theirs; a name that
    /// is not known counts as lost, so that no loss hides behind a new name.
    pub fn set_kernel(&self, class: &str, cause: &str, total: u64) {
        let counter = match cause {
            "seen" => self.kernel_seen.with_label_values(&[class]),
            "submitted" => self.kernel_submitted.with_label_values(&[class]),
            "no_interest" | "out_of_scope" | "agent" => {
                self.kernel_filtered.with_label_values(&[class, cause])
            }
            "truncated" | "faulted" => self.kernel_incomplete.with_label_values(&[class, cause]),
            _ => self.kernel_lost.with_label_values(&[class, cause]),
        };
        advance(&counter, total);
    }

    /// Notes that the pipeline turned over; `now_s` is seconds since the epoch.
    pub fn beat(&self, now_s: f64) {
        self.heartbeat.set(now_s);
    }

    fn measure_process(&self) {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        self.cpu.advance(
            std::time::Duration::try_from(time)
                .unwrap_or_default()
                .as_secs_f64(),
        );
        if let Some(pages) = resident_pages() {
            let page = i64::try_from(rustix::param::page_size()).unwrap_or(4096);
            self.resident.set(pages.saturating_mul(page));
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// The second word of statm.
fn resident_pages() -> Option<i64> {
    fs::read_to_string("/proc/self/statm")
        .ok()?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

/// The table of metrics as docs/operations.md shows it.
#[must_use]
pub fn to_markdown() -> String {
    let mut text = String::from("| metric | type | labels | what it tells |\n|---|---|---|---|\n");
    for Row {
        name,
        kind,
        labels,
        help,
    } in ROWS
    {
        let labels = labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect::<Vec<_>>()
            .join(", ");
        text += &format!("| `{name}` | {} | {labels} | {help} |\n", kind.name());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_says_what_it_is_by_the_conventions() {
        for Row {
            name,
            kind,
            labels,
            help,
        } in ROWS
        {
            assert!(name.starts_with("vigia_"), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(help.ends_with('.') && help.len() > 15, "{name}: {help}");
            assert!(labels.iter().all(|label| !label.is_empty()), "{name}");
        }
    }

    #[test]
    fn what_is_counted_is_what_is_shown() {
        let metrics = Metrics::new();
        metrics.decoded.inc();
        metrics.released.add(Release::Deadline, 3);
        metrics.table_entries.set(Table::Containers, 7);
        metrics.set_kernel("open", "seen", 10);
        metrics.set_kernel("open", "seen", 12);
        metrics.set_kernel("open", "no_interest", 4);
        metrics.set_kernel("open", "ring_full", 1);
        metrics.set_kernel("open", "something_new", 1);
        let text = metrics.encode();
        for line in [
            "vigia_events_decoded_total 1",
            "vigia_events_released_total{cause=\"deadline\"} 3",
            "vigia_events_released_total{cause=\"overflow\"} 0",
            "vigia_table_entries{table=\"containers\"} 7",
            "vigia_kernel_events_seen_total{class=\"open\"} 12",
            "vigia_kernel_events_filtered_total{cause=\"no_interest\",class=\"open\"} 4",
            "vigia_kernel_events_lost_total{cause=\"ring_full\",class=\"open\"} 1",
            "vigia_kernel_events_lost_total{cause=\"something_new\",class=\"open\"} 1",
        ] {
            assert!(
                text.lines().any(|shown| shown == line),
                "{line} is missing in\n{text}"
            );
        }
        let resident = text
            .lines()
            .find_map(|line| line.strip_prefix("vigia_process_resident_memory_bytes "));
        assert!(resident.unwrap().parse::<u64>().unwrap() > 100_000);
    }

    #[test]
    fn a_hostile_label_cannot_break_the_exposition() {
        let metrics = Metrics::new();
        metrics.rules([("a\"b\\\nc", "Notice")]).matches(0).inc();
        let text = metrics.encode();
        assert!(
            text.contains(r#"vigia_rule_matches_total{priority="Notice",rule="a\"b\\\nc"} 1"#),
            "{text}"
        );
    }

    /// Everything that can appear, once.
    fn full() -> Metrics {
        let metrics = Metrics::new();
        for class in ["open", "exec"] {
            for cause in ["seen", "submitted", "no_interest", "truncated", "ring_full"] {
                metrics.set_kernel(class, cause, 1);
            }
        }
        metrics
            .kernel_table_full
            .with_label_values(&["tasks_full"])
            .inc();
        metrics
            .recursion_misses
            .with_label_values(&["sys_exit"])
            .inc();
        let _ = metrics.rules([("Rule one", "Notice")]);
        let _ = metrics.output("stdout");
        let _ = metrics.engine("/var/run/docker.sock");
        metrics
    }

    #[test]
    fn every_row_is_shown() {
        let text = full().encode();
        for row in ROWS {
            assert!(
                text.contains(&format!("# TYPE {} {}\n", row.name, row.kind.name())),
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn prometheus_own_checker_has_nothing_to_say() {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        let pipe = Stdio::piped;
        let mut command = Command::new("promtool");
        command
            .args(["check", "metrics"])
            .stdin(pipe())
            .stdout(pipe())
            .stderr(pipe());
        let Ok(mut promtool) = command.spawn() else {
            println!("skipped: no promtool");
            return;
        };
        promtool
            .stdin
            .take()
            .unwrap()
            .write_all(full().encode().as_bytes())
            .unwrap();
        let output = promtool.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success() && said.is_empty(),
            "{}",
            String::from_utf8_lossy(&said)
        );
    }

    #[test]
    fn the_documentation_lists_every_metric() {
        let documentation = include_str!("../../../docs/operations.md");
        assert!(
            documentation.contains(&to_markdown()),
            "replace the table of metrics by\n{}",
            to_markdown()
        );
    }
}
