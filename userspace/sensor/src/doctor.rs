//! What this host offers the probes, and what is lost where it does not.

use std::fmt;

use serde::Serialize;
use vigia_abi::maps::ATTACHED;
use vigia_abi::offsets::{OFFSETS, OffsetRow};

use crate::features::{FEATURES, Feature, Finding, Host};
pub use crate::features::{Need, Outcome};
use crate::hierarchy::Hierarchy;
use crate::load::{self, DISPENSABLE, ProgramResult};
use crate::offsets::KernelTypes;
use crate::options::Options;

/// Everything [`examine`] found, in the order of the features' tables.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The kernel's release, as `uname -r` prints it.
    pub kernel: String,
    /// One row per feature.
    pub rows: Vec<Row>,
}

/// One feature of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Whether the host has it.
    pub outcome: Outcome,
    /// Whether anything works without it.
    pub need: Need,
    /// What was seen; empty where the outcome says it all.
    pub detail: String,
    /// What is lost without it.
    pub without: String,
}

impl Report {
    /// Whether the agent can work at all: nothing that it needs is known to be missing.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.obstacles().next().is_none()
    }

    /// The features that are needed and missing.
    pub fn obstacles(&self) -> impl Iterator<Item = &Row> {
        self.rows
            .iter()
            .filter(|row| row.need == Need::Required && row.outcome == Outcome::No)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.outcome)?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}

/// What is lost without a program of the probes, by its name.
static PROGRAMS: &[(&str, &str)] = &[
    ("cgroup_mkdir", "new containers are not recognised"),
    (
        "cgroup_rmdir",
        "removed containers stay known until they age out",
    ),
    (
        "cgroup_attach",
        "a process moved into a container is recognised only by its next event",
    ),
    ("fork", "processes have no known origin"),
    ("exec", "no execution is seen"),
    ("exec_walk", "no execution is seen"),
    ("exit", "ended processes are never forgotten"),
    (
        "rename",
        "a process that changes its name keeps the old one",
    ),
    ("calls", "no system call is seen"),
    (
        "calls_again",
        "system calls that return while another task is preempted inside of a probe are lost (and counted)",
    ),
    ("call_open", "no open of a file is seen"),
    (
        "call_plain",
        "no change of files, mounts, ids and other processes is seen",
    ),
    (
        "call_namespace",
        "processes that enter a container are not told from its own",
    ),
    ("call_gather", "no system call is seen"),
    ("call_walk", "no system call is seen"),
    ("call_compat", "32-bit system calls are not reported"),
    ("call_network", "no call on a socket is seen"),
    (
        "call_socket",
        "no call on a socket, and no loaded module, is seen",
    ),
    (
        "call_open_paths",
        "every opened file is an event, whatever paths the rules ask for",
    ),
    (
        "entries",
        "a path that a second thread changes during a call is seen as it is afterwards",
    ),
    (
        "ring_submit",
        "what is done through io_uring is not seen; that a ring was made is",
    ),
    (
        "ring_complete",
        "what is done through io_uring is not seen; that a ring was made is",
    ),
    (
        "ring_walk",
        "what is done through io_uring is not seen; that a ring was made is",
    ),
];

/// Measures every feature, tracepoint, offset and program on this host, now.
///
/// Loads the probes to see whether the kernel accepts them, attaches none, and lets go of them at once. Takes
/// about a second.
#[must_use]
pub fn examine(options: &Options) -> Report {
    let host = Host {
        proc_root: options.proc_root.clone(),
    };
    let mut rows: Vec<Row> = FEATURES
        .iter()
        .map(|feature| feature_row(feature, &host))
        .collect();
    match KernelTypes::read() {
        Ok(types) => {
            rows.extend(
                ATTACHED
                    .iter()
                    .map(|&(program, tracepoint)| tracepoint_row(program, tracepoint, &types)),
            );
            rows.extend(OFFSETS.iter().map(|row| offset_row(row, &types)));
        }
        Err(error) => rows.push(Row {
            name: "tracepoints and offsets".to_owned(),
            outcome: Outcome::Unknown,
            need: Need::Required,
            detail: error.to_string(),
            without: "the probes cannot be fitted to this kernel".to_owned(),
        }),
    }
    rows.extend(program_rows(options));
    Report {
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
        rows,
    }
}

fn feature_row(feature: &Feature, host: &Host) -> Row {
    let Finding { outcome, detail } = (feature.measure)(host);
    Row {
        name: feature.name.to_owned(),
        outcome,
        need: feature.need,
        detail,
        without: feature.without.to_owned(),
    }
}

fn tracepoint_row(program: &'static str, tracepoint: &str, types: &KernelTypes) -> Row {
    Row {
        name: format!("tracepoint {tracepoint}"),
        outcome: if types.has_tracepoint(tracepoint) {
            Outcome::Yes
        } else {
            Outcome::No
        },
        need: need(program),
        detail: String::new(),
        without: without(program).to_owned(),
    }
}

fn offset_row(row: &OffsetRow, types: &KernelTypes) -> Row {
    let offset = types.offset(row);
    Row {
        name: match row.members {
            [""] => format!("size of {}", row.structure),
            members => format!("{}.{}", row.structure, members.first().unwrap_or(&"")),
        },
        outcome: if offset.is_some() {
            Outcome::Yes
        } else {
            Outcome::No
        },
        need: if row.lost_without.is_some() {
            Need::Wanted
        } else {
            Need::Required
        },
        detail: offset.map_or_else(
            || format!("none of {}", row.members.join(", ")),
            |offset| offset.to_string(),
        ),
        without: row
            .lost_without
            .unwrap_or("the probes cannot be fitted to this kernel")
            .to_owned(),
    }
}

/// One row per program, or one row that says why none could be loaded.
fn program_rows(options: &Options) -> Vec<Row> {
    let loaded = Hierarchy::choose(&options.proc_root)
        .map_err(|error| error.to_string())
        .and_then(|hierarchy| load::load(options, &hierarchy).map_err(|error| chain(&error)));
    let whole = |outcome, detail: String| Row {
        name: "loading the probes".to_owned(),
        outcome,
        need: Need::Required,
        detail,
        without: "the agent sees nothing".to_owned(),
    };
    match loaded {
        Err(reason) => vec![whole(Outcome::No, reason)],
        Ok(loaded) => {
            let loads = if loaded.typed_loads {
                "typed loads"
            } else {
                "probe reads, which cost more"
            };
            let rows = loaded.programs.iter().map(program_row);
            std::iter::once(whole(Outcome::Yes, loads.to_owned()))
                .chain(rows)
                .collect()
        }
    }
}

fn program_row(result: &ProgramResult) -> Row {
    Row {
        name: format!("probe {}", result.program),
        outcome: if result.refused.is_none() {
            Outcome::Yes
        } else {
            Outcome::No
        },
        need: need(result.program),
        detail: result.refused.clone().unwrap_or_default(),
        without: without(result.program).to_owned(),
    }
}

fn need(program: &str) -> Need {
    if DISPENSABLE.contains(&program) {
        Need::Wanted
    } else {
        Need::Required
    }
}

fn without(program: &str) -> &'static str {
    PROGRAMS
        .iter()
        .find(|(name, _)| *name == program)
        .map_or("", |(_, without)| without)
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(need: Need, outcome: Outcome) -> Row {
        Row {
            name: "x".into(),
            outcome,
            need,
            detail: String::new(),
            without: String::new(),
        }
    }

    #[test]
    fn only_a_needed_feature_that_is_surely_missing_is_an_obstacle() {
        use Need::{Required, Wanted};
        use Outcome::{No, Unknown, Yes};
        let usable = |rows| {
            Report {
                kernel: String::new(),
                rows,
            }
            .is_usable()
        };
        assert!(usable(vec![
            row(Required, Yes),
            row(Required, Unknown),
            row(Wanted, No)
        ]));
        assert!(!usable(vec![row(Required, Yes), row(Required, No)]));
    }

    #[test]
    fn every_program_says_what_is_lost_without_it() {
        use vigia_abi::maps::{CALL_STAGES, EXEC_STAGES, RING_STAGES};
        let attached = ATTACHED.iter().map(|(program, _)| *program);
        let stages = CALL_STAGES
            .iter()
            .chain(&EXEC_STAGES)
            .chain(&RING_STAGES)
            .map(|(_, program)| *program);
        for program in attached.chain(stages) {
            assert!(!without(program).is_empty(), "{program}");
        }
        for program in DISPENSABLE {
            assert!(!without(program).is_empty(), "{program}");
        }
    }

    #[test]
    fn examining_works_without_any_privilege() {
        let report = examine(&Options::default());
        assert!(report.rows.len() >= FEATURES.len());
        assert!(!report.kernel.is_empty());
    }
}
