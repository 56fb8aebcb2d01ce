//! What this host offers the probes, and what is lost where it does not.

use std::fmt;

use btf_rs::{Btf, Type};
use serde::Serialize;

use crate::features::{FEATURES, Feature, Finding, Host, VMLINUX_BTF};
pub use crate::features::{Need, Outcome};
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

/// A tracepoint the probes attach to.
struct Tracepoint {
    name: &'static str,
    need: Need,
    without: &'static str,
}

static TRACEPOINTS: &[Tracepoint] = &[
    Tracepoint {
        name: "sys_exit",
        need: Need::Required,
        without: "no system call is seen",
    },
    Tracepoint {
        name: "sched_process_fork",
        need: Need::Required,
        without: "processes have no known origin",
    },
    Tracepoint {
        name: "sched_process_exec",
        need: Need::Required,
        without: "no execution is seen",
    },
    Tracepoint {
        name: "sched_process_exit",
        need: Need::Required,
        without: "ended processes are never forgotten",
    },
    Tracepoint {
        name: "task_rename",
        need: Need::Wanted,
        without: "a process that changes its name keeps the old one",
    },
    Tracepoint {
        name: "cgroup_mkdir",
        need: Need::Required,
        without: "new containers are not recognised",
    },
    Tracepoint {
        name: "cgroup_rmdir",
        need: Need::Wanted,
        without: "removed containers stay known until they age out",
    },
    Tracepoint {
        name: "cgroup_attach_task",
        need: Need::Wanted,
        without: "a process moved into a container is recognised only by its next event",
    },
];

/// Measures every feature, tracepoint and offset on this host, now.
///
/// Loads two-instruction programs and makes one-entry maps to see whether the kernel permits it, and releases
/// them at once. Takes a fraction of a second.
#[must_use]
pub fn examine(options: &Options) -> Report {
    let host = Host {
        proc_root: options.proc_root.clone(),
    };
    let mut rows: Vec<Row> = FEATURES
        .iter()
        .map(|feature| feature_row(feature, &host))
        .collect();
    match Btf::from_file(VMLINUX_BTF) {
        Ok(btf) => rows.extend(
            TRACEPOINTS
                .iter()
                .map(|tracepoint| tracepoint_row(tracepoint, &btf)),
        ),
        Err(error) => rows.push(Row {
            name: "tracepoints and offsets".to_owned(),
            outcome: Outcome::Unknown,
            need: Need::Required,
            detail: format!("{VMLINUX_BTF}: {error}"),
            without: "the probes cannot be fitted to this kernel".to_owned(),
        }),
    }
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

/// A tracepoint that programs can attach to has a typedef of its handler in BTF.
fn tracepoint_row(tracepoint: &Tracepoint, btf: &Btf) -> Row {
    let typedef = format!("btf_trace_{}", tracepoint.name);
    let found = btf
        .resolve_types_by_name(&typedef)
        .is_ok_and(|types| types.iter().any(|kind| matches!(kind, Type::Typedef(_))));
    Row {
        name: format!("tracepoint {}", tracepoint.name),
        outcome: if found { Outcome::Yes } else { Outcome::No },
        need: tracepoint.need,
        detail: String::new(),
        without: tracepoint.without.to_owned(),
    }
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
    fn examining_works_without_any_privilege() {
        let report = examine(&Options::default());
        assert!(report.rows.len() >= FEATURES.len());
        assert!(!report.kernel.is_empty());
    }
}
