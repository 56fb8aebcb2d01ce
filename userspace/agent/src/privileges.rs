//! Giving up what the agent may do and does not need.
//!
//! Capabilities belong to threads, so this happens on the first thread before there is another one. What
//! stays is what reading kernel events and other processes' files takes, in [`NEEDED`]; the agent then
//! cannot change a file it does not own, load a module, trace or signal a process, or configure the
//! network, and neither can anything that takes it over.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{self, CapabilitySet, CapabilitySets};

/// A capability that the agent keeps if it has it.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// The capability.
    pub capability: CapabilitySet,
    /// What for.
    pub reason: &'static str,
}

/// What the agent keeps.
pub const NEEDED: &[Need] = &[
    Need {
        capability: CapabilitySet::BPF,
        reason: "load programs, read maps and the ring",
    },
    Need {
        capability: CapabilitySet::PERFMON,
        reason: "attach programs to kernel tracepoints",
    },
    Need {
        capability: CapabilitySet::SYS_PTRACE,
        reason: "follow /proc/PID/root, exe, cwd and ns of other users' processes",
    },
    Need {
        capability: CapabilitySet::DAC_READ_SEARCH,
        reason: "read passwd files and secrets' inode numbers inside containers",
    },
];

/// Where the two above are not to be had (engines older than Docker 23 do not know them), this stands in.
const STAND_IN: CapabilitySet = CapabilitySet::SYS_ADMIN;

/// What [`restrict`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Names of what is left.
    pub kept: Vec<&'static str>,
    /// How many were given up.
    pub dropped: u32,
}

/// The agent may not do what it must.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// The kernel would refuse the probes.
    #[error(
        "must run as root, or with the capabilities CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN on older engines) \
         with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
    )]
    Missing,
    /// A system call failed.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
}

fn system(action: &'static str) -> impl FnOnce(rustix::io::Errno) -> PrivilegeError {
    move |errno| PrivilegeError::System {
        action,
        source: errno.into(),
    }
}

/// Checks that the kernel will let the agent load its probes.
///
/// # Errors
/// [`PrivilegeError::Missing`] if it will not.
pub fn require() -> Result<(), PrivilegeError> {
    let held = thread::capabilities(None)
        .map_err(system("read own capabilities"))?
        .effective;
    let modern = CapabilitySet::BPF | CapabilitySet::PERFMON;
    if held.contains(modern) || held.contains(STAND_IN) {
        Ok(())
    } else {
        Err(PrivilegeError::Missing)
    }
}

/// Gives up everything but [`NEEDED`] and what `keep` names, for good, and forbids core dumps.
///
/// To be called before a second thread exists; see the module.
///
/// # Errors
/// A system call failed.
pub fn restrict<'a>(keep: impl IntoIterator<Item = &'a str>) -> Result<Outcome, PrivilegeError> {
    // Kernels before 5.11 charge maps to this limit; raising it takes CAP_SYS_RESOURCE, which goes below.
    // A refusal is no reason to stop: newer kernels do not ask.
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    let _ = setrlimit(Resource::Memlock, unlimited);
    // A core would hold what processes of other users passed as arguments.
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    );

    thread::set_no_new_privs(true).map_err(system("forbid new privileges"))?;
    let held = thread::capabilities(None).map_err(system("read own capabilities"))?;
    let wanted = wanted(held.permitted) | keep.into_iter().filter_map(capability).collect();
    let left = held.permitted & wanted;
    for (_, capability) in NAMES
        .iter()
        .filter(|(_, capability)| !wanted.contains(*capability))
    {
        // Refused without CAP_SETPCAP and unknown to older kernels; the sets below are what counts.
        let _ = thread::remove_capability_from_bounding_set(*capability);
    }
    let _ = thread::clear_ambient_capability_set();
    let sets = CapabilitySets {
        effective: left,
        permitted: left,
        inheritable: CapabilitySet::empty(),
    };
    thread::set_capabilities(None, sets).map_err(system("give up capabilities"))?;
    Ok(Outcome {
        kept: NAMES
            .iter()
            .filter(|(_, one)| left.contains(*one))
            .map(|(name, _)| *name)
            .collect(),
        dropped: (held.permitted - left).bits().count_ones(),
    })
}

fn wanted(permitted: CapabilitySet) -> CapabilitySet {
    let needed = NEEDED
        .iter()
        .map(|need| need.capability)
        .collect::<CapabilitySet>();
    let modern = CapabilitySet::BPF | CapabilitySet::PERFMON;
    if permitted.contains(modern) {
        needed
    } else {
        needed | STAND_IN
    }
}

fn capability(name: &str) -> Option<CapabilitySet> {
    NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, capability)| *capability)
}

/// Whether a name is one of the kernel's capabilities, as in `CAP_SYS_ADMIN`.
#[must_use]
pub fn is_capability(name: &str) -> bool {
    capability(name).is_some()
}

macro_rules! capabilities {
    ($($name:ident)*) => {
        const NAMES: &[(&str, CapabilitySet)] =
            &[$((concat!("CAP_", stringify!($name)), CapabilitySet::$name)),*];
    };
}

capabilities! {
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
    SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
    AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
    PERFMON BPF CHECKPOINT_RESTORE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stand_in_stays_only_where_the_finer_ones_are_missing() {
        assert!(!wanted(CapabilitySet::all()).contains(STAND_IN));
        assert!(wanted(CapabilitySet::SYS_ADMIN | CapabilitySet::SYS_PTRACE).contains(STAND_IN));
        assert!(wanted(CapabilitySet::BPF).contains(STAND_IN));
    }

    #[test]
    fn a_restricted_thread_holds_nothing_but_what_is_needed() {
        // On a thread of its own: the others of the test process stay as they are.
        let (outcome, left) = std::thread::spawn(|| {
            let outcome = restrict(["CAP_NET_RAW"]).unwrap();
            (outcome, thread::capabilities(None).unwrap())
        })
        .join()
        .unwrap();
        let most = NEEDED.len() + 2;
        assert!(outcome.kept.len() <= most, "{outcome:?}");
        assert_eq!(
            left.effective.bits().count_ones() as usize,
            outcome.kept.len()
        );
        assert!(!left.permitted.contains(CapabilitySet::SYS_MODULE));
    }

    #[test]
    fn capabilities_are_known_by_the_kernels_names() {
        assert!(is_capability("CAP_SYS_ADMIN"));
        assert!(!is_capability("SYS_ADMIN"));
        assert!(!is_capability("CAP_EVERYTHING"));
    }
}
