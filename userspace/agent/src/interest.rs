//! Which events are asked of the probes, and why: what rules can match, and what state hangs on.

use std::collections::BTreeMap;

use vigia_engine::{Ending, EventTypes, Ruleset};
use vigia_event::EventType;
use vigia_event::call::named;
use vigia_event::open_paths::{OpenPaths, PathPart};
use vigia_inventory::mountinfo::SECRET_FOLDERS;
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
    ("container", "containers that start and change"),
];

/// Why events of one type are captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// Active rules that can match one, in the order of the rules.
    pub rules: Vec<String>,
    /// How calls end that some of them can match: `done`, `refused` (EROFS, EACCES, EPERM), `failed`. Those that state
    /// hangs on are captured beyond that.
    pub endings: Vec<&'static str>,
    /// The state that hangs on it.
    pub state: Option<&'static str>,
}

/// What is wanted of events of these types, and what state hangs on; without rules, all of them.
#[must_use]
pub fn of(wanted: &EventTypes, ruleset: Option<&Ruleset>) -> Interest {
    let mut interest = Interest::nothing();
    for event_type in wanted.iter() {
        interest.add(event_type, outcomes(event_type, ruleset));
    }
    if let Some(ruleset) = ruleset {
        interest.read_paths = ruleset.read_paths().clone().or(secret_folders());
        interest.write_paths = ruleset.write_paths().clone().or(secret_folders());
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

/// Where any file may be a secret: one that is put there later has a name the probes were not told.
fn secret_folders() -> OpenPaths {
    let folders = SECRET_FOLDERS.iter();
    OpenPaths::Of(
        folders
            .map(|folder| PathPart::Start(format!("{folder}/").into_bytes().into()))
            .collect(),
    )
}

fn outcomes(event_type: EventType, ruleset: Option<&Ruleset>) -> Outcomes {
    let ends = |ending| ruleset.is_none_or(|ruleset| ruleset.can_match(event_type, ending));
    let wanted = Outcomes {
        success: ends(Ending::Done),
        read: ends(Ending::Done),
        refused: ends(Ending::Refused),
        failed: ends(Ending::Failed),
    };
    if !matches!(event_type, named::EXECVE | named::EXECVEAT) {
        return wanted;
    }
    if !ruleset.is_none_or(Ruleset::sees_failed_executions) {
        return Outcomes::NONE;
    }
    // What succeeds is reported as the execution itself.
    Outcomes {
        success: false,
        read: false,
        ..wanted
    }
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
            let endings = Ending::ALL.into_iter();
            reason.endings = endings
                .filter(|&ending| ruleset.can_match(event_type, ending))
                .map(Ending::name)
                .collect();
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
    fn the_default_rules_ask_for_few_of_the_files_that_programs_open() {
        let sources: Vec<Source> = crate::rules::EMBEDDED
            .iter()
            .map(|(name, text)| Source::new(*name, *text))
            .collect();
        let ruleset = compile(&sources, &Options::default()).ruleset.unwrap();
        let interest = super::of(ruleset.event_types(), Some(&ruleset));
        for event_type in [named::OPEN, named::OPENAT, named::OPENAT2] {
            // A file that is not there is what programs look for all the time.
            assert!(!interest.of(event_type).failed, "{event_type:?}");
            assert!(interest.of(event_type).refused && interest.of(event_type).read);
        }
        for (path, is_asked) in [
            ("/etc/shadow", true),
            ("/root/.ssh/id_ed25519", true),
            ("/etc/ssh/ssh_host_rsa_key", true),
            ("/proc/1/mem", true),
            ("/run/secrets/one/that/came/later", true),
            ("/usr/lib/x86_64-linux-gnu/libc.so.6", false),
            ("/etc/passwd", false),
            ("/proc/self/status", false),
            ("/var/lib/postgresql/15/main/base/1/1259", false),
        ] {
            assert_eq!(
                interest.read_paths.hold([path.as_bytes()]),
                is_asked,
                "{path}"
            );
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
        let interest = super::of(ruleset.event_types(), Some(&ruleset));
        let ptrace = EventType::from_name("ptrace").unwrap();
        assert_eq!(interest.of(ptrace), Outcomes::ALL);
    }
}
