//! Kernel features as data: what is asked for, how it is measured, and what is lost without it.
//!
//! Every answer is measured on this host when it is asked for. Distributions carry features backwards and
//! switch them off at will, so a kernel version proves nothing. "Could not tell" is an answer of its own: a
//! file that is not readable here must not pass for a missing feature.

use std::fmt;
use std::path::PathBuf;

use aya::maps::MapType;
use aya::programs::ProgramType;
use aya::sys::{BpfHelper, is_helper_supported, is_map_supported};
use rustix::thread::CapabilitySet;
use serde::Serialize;

use crate::hierarchy::Hierarchy;
use crate::offsets::VMLINUX_BTF;
use crate::procfs;

pub(crate) mod preemption;

/// The answer to whether this host has a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It has it.
    Yes,
    /// It does not have it.
    No,
    /// Could not tell.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "could not tell",
        })
    }
}

/// What one measurement found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) outcome: Outcome,
    /// What was seen; empty where the outcome says it all.
    pub(crate) detail: String,
}

impl Finding {
    pub(crate) fn yes(detail: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Yes,
            detail: detail.into(),
        }
    }

    pub(crate) fn no(detail: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::No,
            detail: detail.into(),
        }
    }

    pub(crate) fn unknown(detail: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Unknown,
            detail: detail.into(),
        }
    }

    fn either(yes: bool, detail: impl Into<String>) -> Self {
        if yes {
            Self::yes(detail)
        } else {
            Self::no(detail)
        }
    }
}

/// Whether the agent works without a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Nothing works without it.
    Required,
    /// Something is lost without it.
    Wanted,
}

/// A row of [`FEATURES`].
pub(crate) struct Feature {
    pub(crate) name: &'static str,
    pub(crate) need: Need,
    /// What is lost without it.
    pub(crate) without: &'static str,
    pub(crate) measure: fn(&Host) -> Finding,
}

/// Where to look.
pub(crate) struct Host {
    /// The host's /proc.
    pub(crate) proc_root: PathBuf,
}

/// Everything but tracepoints and offsets, whose tables are those the loader uses.
pub(crate) static FEATURES: &[Feature] = &[
    Feature {
        name: "architecture x86-64",
        need: Need::Required,
        without: "the probes read system call arguments from x86-64 registers only",
        measure: |_| Finding::either(cfg!(target_arch = "x86_64"), std::env::consts::ARCH),
    },
    Feature {
        name: "initial user namespace",
        need: Need::Required,
        without: "the kernel lets nobody outside it trace the host",
        measure: |_| namespace("/proc/self/ns/user".into(), INITIAL_USER_NAMESPACE),
    },
    Feature {
        name: "CAP_BPF",
        need: Need::Required,
        without: "the kernel refuses to load the probes; run as root or grant CAP_BPF (before Linux 5.8: CAP_SYS_ADMIN)",
        measure: |_| capability(CapabilitySet::BPF),
    },
    Feature {
        name: "CAP_PERFMON",
        need: Need::Required,
        without: "the kernel refuses tracing programs; run as root or grant CAP_PERFMON (before Linux 5.8: CAP_SYS_ADMIN)",
        measure: |_| capability(CapabilitySet::PERFMON),
    },
    Feature {
        name: "CAP_SYS_PTRACE",
        need: Need::Wanted,
        without: "mounts, users and secrets of processes that ran before the agent stay unknown",
        measure: |_| capability(CapabilitySet::SYS_PTRACE),
    },
    Feature {
        name: "CAP_DAC_READ_SEARCH",
        need: Need::Wanted,
        without: "secrets whose files only their owner may read cannot be learned",
        measure: |_| match capability(CapabilitySet::DAC_READ_SEARCH) {
            Finding {
                outcome: Outcome::No,
                ..
            } => capability(CapabilitySet::DAC_OVERRIDE),
            finding => finding,
        },
    },
    Feature {
        name: "kernel type information (BTF)",
        need: Need::Required,
        without: "the probes cannot find the fields of kernel structures (CONFIG_DEBUG_INFO_BTF)",
        measure: |_| match std::fs::metadata(VMLINUX_BTF) {
            Ok(file) => Finding::yes(format!("{VMLINUX_BTF}, {} bytes", file.len())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Finding::no(format!("no {VMLINUX_BTF}"))
            }
            Err(error) => Finding::unknown(format!("{VMLINUX_BTF}: {error}")),
        },
    },
    Feature {
        name: "bpf() system call",
        need: Need::Required,
        without: "the kernel, a seccomp filter or a security module refuses bpf(): no probe can be loaded",
        measure: |_| match is_map_supported(MapType::Array) {
            Ok(found) => Finding::either(found, "made an array map"),
            Err(error) => Finding::no(format!("making an array map: {}", error.io_error)),
        },
    },
    Feature {
        name: "ring buffer map",
        need: Need::Required,
        without: "records have no way to user space (Linux 5.8)",
        measure: |_| match is_map_supported(MapType::RingBuf) {
            Ok(found) => Finding::either(found, ""),
            Err(error) => Finding::unknown(error.io_error.to_string()),
        },
    },
    Feature {
        name: "reading kernel memory",
        need: Need::Required,
        without: "lockdown in confidentiality mode hides kernel memory from probes: they would see nothing",
        measure: |_| match is_helper_supported(
            ProgramType::RawTracePoint,
            BpfHelper::BPF_FUNC_probe_read_kernel,
        ) {
            Ok(found) => Finding::either(found, lockdown()),
            Err(error) => Finding::unknown(error.to_string()),
        },
    },
    Feature {
        name: "host's /proc",
        need: Need::Required,
        without: "processes and containers that ran before the agent stay unknown; set proc_root to a bind of the host's /proc",
        measure: host_proc,
    },
    Feature {
        name: "cgroup hierarchy",
        need: Need::Required,
        without: "containers cannot be told apart",
        measure: |host| match Hierarchy::choose(&host.proc_root) {
            Ok(chosen) => Finding::yes(format!(
                "{} (id {}): {}",
                chosen.mount_point.display(),
                chosen.id,
                chosen.reason()
            )),
            Err(error) => Finding::no(error.to_string()),
        },
    },
    Feature {
        name: "outside a container",
        need: Need::Wanted,
        without: "the agent has a pid namespace of its own: it needs the host's /proc, and binds of the engine sockets",
        measure: |_| namespace("/proc/self/ns/pid".into(), INITIAL_PID_NAMESPACE),
    },
    Feature {
        name: "bpffs",
        need: Need::Wanted,
        without: "probes cannot be pinned: what happens while the agent restarts is not seen",
        measure: |_| match rustix::fs::statfs("/sys/fs/bpf") {
            Ok(fs) => Finding::either(u64::try_from(fs.f_type) == Ok(BPF_FS_MAGIC), "/sys/fs/bpf"),
            Err(error) => Finding::unknown(format!("/sys/fs/bpf: {error}")),
        },
    },
    Feature {
        name: "JIT compiler",
        need: Need::Wanted,
        without: "probes are interpreted: every system call costs several times as much",
        measure: |host| match sysctl(host, "net/core/bpf_jit_enable") {
            Ok(value) => {
                Finding::either(value != "0", format!("net.core.bpf_jit_enable = {value}"))
            }
            Err(detail) => Finding::unknown(detail),
        },
    },
    Feature {
        name: "JIT without hardening",
        need: Need::Wanted,
        without: "every constant in the probes is blinded: they cost more",
        measure: |host| match sysctl(host, "net/core/bpf_jit_harden") {
            Ok(value) => {
                Finding::either(value != "2", format!("net.core.bpf_jit_harden = {value}"))
            }
            Err(detail) => Finding::unknown(detail),
        },
    },
    Feature {
        name: "probes run without preemption",
        need: Need::Wanted,
        without: "while a task is preempted inside a probe, the kernel skips that probe for all other tasks of the processor; \
                  a second look at each system call makes most of that good, the rest is counted as recursion misses",
        measure: preemption::measure,
    },
];

// Inode numbers of the initial namespaces are fixed (include/linux/proc_ns.h).
const INITIAL_USER_NAMESPACE: u64 = 0xeffffffd;
const INITIAL_PID_NAMESPACE: u64 = 0xeffffffc;
/// `BPF_FS_MAGIC` of statfs(2).
const BPF_FS_MAGIC: u64 = 0xcafe_4a11;

/// Compares the inode number in a link such as `pid:[4026531836]`.
fn namespace(link: PathBuf, initial: u64) -> Finding {
    match std::fs::read_link(&link) {
        Ok(target) => {
            let target = target.to_string_lossy().into_owned();
            let number = target
                .split_once('[')
                .and_then(|(_, rest)| rest.strip_suffix(']')?.parse::<u64>().ok());
            match number {
                Some(number) => Finding::either(number == initial, target),
                None => Finding::unknown(target),
            }
        }
        Err(error) => Finding::unknown(format!("{}: {error}", link.display())),
    }
}

/// Holds a capability, or `CAP_SYS_ADMIN`, which stood for all of them before Linux 5.8.
fn capability(wanted: CapabilitySet) -> Finding {
    match rustix::thread::capabilities(None) {
        Ok(sets) if sets.effective.contains(wanted) => Finding::yes(""),
        Ok(sets) if wanted.intersects(CapabilitySet::BPF | CapabilitySet::PERFMON) => {
            Finding::either(
                sets.effective.contains(CapabilitySet::SYS_ADMIN),
                "by CAP_SYS_ADMIN",
            )
        }
        Ok(_) => Finding::no("not effective"),
        Err(error) => Finding::unknown(error.to_string()),
    }
}

fn lockdown() -> String {
    let content = std::fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    content
        .split_whitespace()
        .find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
        .map_or_else(String::new, |mode| format!("lockdown: {mode}"))
}

fn host_proc(host: &Host) -> Finding {
    let root = host.proc_root.display();
    match procfs::is_of_the_host(&host.proc_root) {
        Ok(true) => Finding::yes(format!("{root}")),
        Ok(false) => Finding::no(format!("{root} is that of another pid namespace")),
        Err(error) => Finding::unknown(format!("{root}: {error}")),
    }
}

/// The value, or why it could not be read. Settings below `net` are hidden outside the initial network namespace.
fn sysctl(host: &Host, name: &str) -> Result<String, String> {
    let path = host.proc_root.join("sys").join(name);
    std::fs::read_to_string(&path)
        .map(|value| value.trim().to_owned())
        .map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_a_name_of_its_own_and_says_what_is_lost() {
        let mut names: Vec<_> = FEATURES.iter().map(|feature| feature.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FEATURES.len());
        for feature in FEATURES {
            assert!(feature.without.len() > 20, "{}", feature.name);
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_reported_as_missing() {
        let host = Host {
            proc_root: "/nonexistent".into(),
        };
        assert!(sysctl(&host, "net/core/bpf_jit_enable").is_err());
        assert_eq!(
            namespace("/nonexistent".into(), 1).outcome,
            Outcome::Unknown
        );
        assert_eq!(host_proc(&host).outcome, Outcome::No);
    }
}
