//! Which events are asked of the probes, and why: what rules can match, and what state hangs on.

use std::collections::BTreeMap;

use vigia_engine::{EventTypes, Ruleset};
use vigia_event::EventType;
use vigia_event::call::named;
use vigia_sensor::{Interest, Outcomes};

/// Calls that are reported whatever the rules want, because state hangs on them, and which.
const STATE_CALLS: &[(&str, &str)] = &[
    ("mount", "tables of mounts"),
    ("umount2", "tables of mounts"),
    ("pivot_root", "tables of mounts"),
    ("move_mount", "tables of mounts"),
    ("mount_setattr", "tables of mounts"),
    ("chdir", "working directories"),
    ("fchdir", "working directories"),
];

/// What the probes look at themselves, reported or not, and what for.
const PROBE_CALLS: &[(&str, &str)] = &[
    ("clone", "the process table"),
    ("clone3", "the process table"),
    ("fork", "the process table"),
    ("vfork", "the process table"),
    ("execve", "the process table"),
    ("execveat", "the process table"),
    ("procexit", "the process table"),
    ("task_rename", "the process table"),
    ("setns", "who entered a container"),
    ("unshare", "who entered a container"),
    ("connect", "which end of a connection a socket is"),
    ("accept", "which end of a connection a socket is"),
    ("accept4", "which end of a connection a socket is"),
    ("open", "secrets"),
    ("openat", "secrets"),
    ("openat2", "secrets"),
    ("creat", "secrets"),
    ("open_by_handle_at", "secrets"),
    ("budget_exceeded", "containers that say too much"),
];

/// Why events of one type are captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// Active rules that can match one, in the order of the rules.
    pub rules: Vec<String>,
    /// The state that hangs on it.
    pub state: Option<&'static str>,
}

/// What is wanted, and what state hangs on.
#[must_use]
pub fn of(wanted: &EventTypes, failed_executions: bool) -> Interest {
    let mut interest = Interest::nothing();
    for event_type in wanted.iter() {
        let outcomes = match event_type {
            // What succeeds is reported as the execution itself.
            named::EXECVE | named::EXECVEAT if failed_executions => Outcomes {
                success: false,
                ..Outcomes::ALL
            },
            named::EXECVE | named::EXECVEAT => Outcomes::NONE,
            _ => Outcomes::ALL,
        };
        interest.add(event_type, outcomes);
    }
    for event_type in STATE_CALLS
        .iter()
        .filter_map(|(name, _)| EventType::from_name(name))
    {
        interest.add(
            event_type,
            Outcomes {
                success: true,
                ..Outcomes::NONE
            },
        );
    }
    interest
}

/// Every event type that is captured for a ruleset, by name, and why.
#[must_use]
pub fn reasons(ruleset: &Ruleset) -> BTreeMap<&'static str, Reasons> {
    let mut reasons: BTreeMap<&'static str, Reasons> = BTreeMap::new();
    for &(name, state) in STATE_CALLS.iter().chain(PROBE_CALLS) {
        reasons.entry(name).or_default().state = Some(state);
    }
    for rule in ruleset.active_rules() {
        for event_type in rule.event_types.iter().filter(|kind| kind.is_delivered()) {
            let reason = reasons.entry(event_type.name()).or_default();
            reason.rules.push(rule.name.clone());
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use vigia_engine::{Options, Source, compile};

    use super::*;

    #[test]
    fn every_call_that_state_hangs_on_is_one_that_the_probes_deliver() {
        for (name, _) in STATE_CALLS.iter().chain(PROBE_CALLS) {
            let event_type = EventType::from_name(name).unwrap();
            assert!(event_type.is_delivered(), "{name}");
        }
    }

    #[test]
    fn a_call_is_captured_for_the_rules_that_name_it() {
        let text = "- rule: r\n  desc: d\n  condition: evt.type in (ptrace, connect)\n  output: o\n  priority: INFO\n";
        let ruleset = compile(&[Source::new("r.yaml", text)], &Options::default())
            .ruleset
            .unwrap();
        let reasons = reasons(&ruleset);
        let of = |name: &str| reasons.get(name).cloned().unwrap_or_default();
        assert_eq!(of("ptrace").rules, ["r"]);
        assert_eq!(of("ptrace").state, None);
        assert!(of("connect").state.is_some() && of("connect").rules == ["r"]);
        assert!(of("mount").rules.is_empty() && of("mount").state.is_some());
        assert!(!reasons.contains_key("bpf"));
        let interest = super::of(ruleset.event_types(), false);
        let ptrace = EventType::from_name("ptrace").unwrap();
        assert_eq!(interest.of(ptrace), Outcomes::ALL);
    }
}
