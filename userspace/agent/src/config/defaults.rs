//! What holds where nothing is configured. `vigia.example.yaml` states the same; a test compares.

use super::selection::AppendOutput;
use super::value::{AbsolutePath, Bounded, MinimumPriority, RingBytes};
use super::{
    Budget, DAY_S, DEFAULT_LISTEN, DEFAULT_RULES, DomainNames, Engines, FileOutput, Inventory,
    JsonLine, Matching, Metrics, Outputs, Privileges, ProcRoot, Redaction, Rules, Secrets, Sensor,
    StateDir, Stdout, StdoutFormat, Throttle,
};

impl Default for Rules {
    fn default() -> Self {
        Self {
            paths: vec![DEFAULT_RULES.into()],
            minimum_priority: MinimumPriority::default(),
            matching: Matching::default(),
            select: Vec::new(),
        }
    }
}

impl Default for Engines {
    fn default() -> Self {
        Self {
            sockets: Vec::new(),
            discover: true,
            timeout_s: Bounded::of::<10>(),
        }
    }
}

impl Default for DomainNames {
    fn default() -> Self {
        Self {
            resolve: true,
            refresh_s: Bounded::of::<60>(),
        }
    }
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            window_s: Bounded::of::<60>(),
            declared_readers: Vec::new(),
            host_readers: Vec::new(),
            engine_programs: Vec::new(),
            declared: Vec::new(),
            host_paths: Vec::new(),
            state_file: None,
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: DEFAULT_LISTEN,
            heartbeat_s: Bounded::of::<15>(),
        }
    }
}

impl Default for Outputs {
    fn default() -> Self {
        Self {
            queue: Bounded::of::<8192>(),
            drain_s: Bounded::of::<5>(),
            stdout: Stdout::default(),
            file: FileOutput::default(),
            webhooks: Vec::new(),
            append_output: vec![AppendOutput {
                suggested_output: true,
                ..AppendOutput::default()
            }],
            time_format_iso_8601: false,
            buffer_format_base64: false,
            json: JsonLine::default(),
        }
    }
}

impl Default for JsonLine {
    fn default() -> Self {
        Self {
            include_message_property: false,
            include_output_property: true,
            include_output_fields_property: true,
            include_tags_property: true,
        }
    }
}

impl Default for Stdout {
    fn default() -> Self {
        Self {
            enabled: true,
            format: StdoutFormat::Auto,
        }
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            window_s: Bounded::of::<60>(),
            max_keys: Bounded::of::<10_000>(),
        }
    }
}

impl Default for Redaction {
    fn default() -> Self {
        Self {
            enabled: true,
            names: Vec::new(),
            patterns: Vec::new(),
        }
    }
}

impl Default for Sensor {
    fn default() -> Self {
        Self {
            ring_bytes: RingBytes::default(),
            budget: Budget::default(),
            max_tasks: Bounded::of::<65_536>(),
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            events_per_second: Bounded::of::<5000>(),
            burst: Bounded::of::<4_000>(),
        }
    }
}

impl Default for Inventory {
    fn default() -> Self {
        Self {
            max_processes: Bounded::of::<65_536>(),
            max_containers: Bounded::of::<4096>(),
        }
    }
}

impl Default for Privileges {
    fn default() -> Self {
        Self {
            drop: true,
            keep: Vec::new(),
        }
    }
}

impl Default for ProcRoot {
    fn default() -> Self {
        Self(AbsolutePath::fixed("/proc"))
    }
}

impl Default for StateDir {
    fn default() -> Self {
        Self(AbsolutePath::fixed("/var/lib/vigia"))
    }
}

pub(super) fn webhook_timeout() -> Bounded<1, 300> {
    Bounded::of::<10>()
}

pub(super) fn webhook_retry_age() -> Bounded<0, DAY_S> {
    Bounded::of::<600>()
}
