//! From the embedded object to programs that run.
//!
//! The object is the same for every kernel. What differs - where structure members lie, which hierarchy of
//! cgroups counts, what the verifier accepts - is written into its frozen read-only data before it is loaded.

mod programs;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use aya::maps::{MapError, ProgramArray};
use aya::{Btf, Ebpf, EbpfError, EbpfLoader};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::CapabilitySet;
use vigia_abi::maps::{
    CALL_STAGES, EXEC_STAGES, OPEN_PATHS, RING_STAGES, SECOND_DISPATCHER, names, sizes,
};
use vigia_abi::settings::{NO_SUBSYSTEM, SETTING_COUNT, SETTINGS, Setting};
use vigia_abi::{ABI_VERSION, offsets};

use crate::features::{Host, Outcome, preemption};
use crate::hierarchy::Hierarchy;
use crate::offsets::{KernelTypes, OffsetError};
use crate::options::{Dispatchers, Options};

pub(crate) use programs::{attach, attach_on_demand};

/// The probes, as `cargo xtask ebpf` built them.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../ebpf/vigia.bpf.o");

/// Bulk records stop when the ring is this full, in percent.
const BULK_PERCENT: u64 = 80;

/// Programs without which the agent still does its work; what is lost is said in the doctor's table.
pub(crate) const DISPENSABLE: [&str; 10] = [
    "rename",
    "cgroup_rmdir",
    "cgroup_attach",
    "call_compat",
    SECOND_DISPATCHER,
    "entries",
    "ring_submit",
    "ring_complete",
    "ring_walk",
    OPEN_PATHS,
];

/// Attached only once somebody needs it: it runs at every system call of the machine.
pub(crate) const ON_DEMAND: &str = "entries";

/// Values that the tracepoint of completions hands to its programs where the completion itself is one of them.
const COMPLETION_PARAMETERS: usize = 3;

/// Why the probes could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The process lacks privilege.
    #[error(
        "loading the probes needs root, or the capabilities CAP_BPF and CAP_PERFMON (before Linux 5.8: CAP_SYS_ADMIN)"
    )]
    NotPermitted,
    /// The embedded file is no object of the probes.
    #[error(
        "this build of the agent holds no probes: build them with `cargo xtask ebpf`, then build the agent again"
    )]
    NotBuilt,
    /// The embedded object is not that of this source.
    #[error(
        "the probes speak version {found} of the wire format and this agent {ABI_VERSION}: rebuild them with `cargo xtask ebpf`"
    )]
    OtherAbi {
        /// The object's version.
        found: u32,
    },
    /// The kernel does not have what the probes read.
    #[error(transparent)]
    Offsets(#[from] OffsetError),
    /// The kernel's types cannot be read by the loader.
    #[error("cannot read this kernel's type information")]
    Btf(#[source] Box<aya::BtfError>),
    /// The controller of the chosen hierarchy is none this kernel knows.
    #[error("this kernel has no cgroup controller {0}")]
    NoController(&'static str),
    /// The mount namespace of the host could not be told.
    #[error("cannot tell the host's mount namespace")]
    HostNamespace(#[source] std::io::Error),
    /// The object could not be taken apart, or its maps could not be made.
    #[error("the kernel refuses the maps of the probes")]
    Object(#[source] Box<EbpfError>),
    /// A program the agent cannot do without was refused.
    #[error("the kernel refuses the probe {program}: {reason}")]
    Program {
        /// The program.
        program: &'static str,
        /// The last lines of what the kernel says of it.
        reason: String,
    },
    /// A stage could not be linked to the others.
    #[error("cannot link the probe {program} to the others")]
    Stage {
        /// The program.
        program: &'static str,
        /// What the kernel answered.
        #[source]
        source: Box<MapError>,
    },
}

/// One program of the object, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramResult {
    /// Its name.
    pub program: &'static str,
    /// The tracepoint it belongs to.
    pub tracepoint: &'static str,
    /// Why the kernel refused it, in its last lines; `None` for success.
    pub refused: Option<String>,
}

/// The object in the kernel.
pub(crate) struct Loaded {
    pub(crate) bpf: Ebpf,
    /// Every program, attached ones first.
    pub(crate) programs: Vec<ProgramResult>,
    /// Whether kernel structures are read by typed loads, which cost less.
    pub(crate) typed_loads: bool,
}

/// Loads every program, and attaches none.
pub(crate) fn load(options: &Options, hierarchy: &Hierarchy) -> Result<Loaded, LoadError> {
    check_permission()?;
    check_abi(OBJECT)?;
    // Before Linux 5.11 maps count against the limit of locked memory; later kernels ignore it.
    let _ = setrlimit(
        Resource::Memlock,
        Rlimit {
            current: None,
            maximum: None,
        },
    );

    let types = KernelTypes::read()?;
    let offsets = types.offsets()?;
    let dispatchers = dispatchers(options);
    let settings = settings(&types, options, hierarchy, dispatchers)?;
    let has_task_btf = types
        .enumerator("bpf_func_id", "BPF_FUNC_get_current_task_btf")
        .is_some();
    let btf = Btf::from_sys_fs().map_err(|source| LoadError::Btf(Box::new(source)))?;

    // What typed loads the verifier accepts differs between kernels, so they are tried, and left where they fail.
    let attempts: &[bool] = if has_task_btf {
        &[true, false]
    } else {
        &[false]
    };
    let mut refused = None;
    for &typed_loads in attempts {
        let mut settings = settings;
        settings.set(Setting::TypedLoads, u32::from(typed_loads));
        let mut bpf = load_object(options, &offsets, &settings, dispatchers, &btf)?;
        let programs = programs::load_programs(&mut bpf, dispatchers, &btf, &types);
        let loaded = Loaded {
            bpf,
            programs,
            typed_loads,
        };
        match loaded.essential_refusal() {
            None => return loaded.link_stages(),
            Some(refusal) => refused = Some(refusal),
        }
    }
    Err(refused.unwrap_or(LoadError::NotPermitted))
}

impl Loaded {
    fn essential_refusal(&self) -> Option<LoadError> {
        self.programs.iter().find_map(|result| {
            let reason = result.refused.clone()?;
            (!DISPENSABLE.contains(&result.program)).then_some(LoadError::Program {
                program: result.program,
                reason,
            })
        })
    }

    /// Puts the stages into the arrays through which programs call each other.
    fn link_stages(mut self) -> Result<Self, LoadError> {
        for (array, stages) in [
            (names::CALL_STAGES, CALL_STAGES.as_slice()),
            (names::EXEC_STAGES, &EXEC_STAGES),
            (names::RING_STAGES, &RING_STAGES),
        ] {
            for &(slot, program) in stages {
                if self
                    .programs
                    .iter()
                    .any(|result| result.program == program && result.refused.is_some())
                {
                    continue;
                }
                link(&mut self.bpf, array, slot, program).map_err(|source| LoadError::Stage {
                    program,
                    source: Box::new(source),
                })?;
            }
        }
        Ok(self)
    }
}

fn link(bpf: &mut Ebpf, array: &str, slot: u32, program: &str) -> Result<(), MapError> {
    let missing = |name: &str| MapError::InvalidName {
        name: name.to_owned(),
    };
    let fd = bpf
        .program(program)
        .ok_or_else(|| missing(program))?
        .fd()
        .and_then(|fd| Ok(fd.try_clone()?));
    let fd = fd.map_err(|_| missing(program))?;
    // The array stays with the object: the kernel empties it when user space lets go of it.
    let map = bpf.map_mut(array).ok_or_else(|| missing(array))?;
    ProgramArray::try_from(map)?.set(slot, &fd, 0)
}

/// Whether this process may load tracing programs, by its capabilities.
pub(crate) fn check_permission() -> Result<(), LoadError> {
    let Ok(sets) = rustix::thread::capabilities(None) else {
        return Ok(());
    };
    let enough = [
        CapabilitySet::SYS_ADMIN,
        CapabilitySet::BPF | CapabilitySet::PERFMON,
    ];
    if enough.iter().any(|&needed| sets.effective.contains(needed)) {
        Ok(())
    } else {
        Err(LoadError::NotPermitted)
    }
}

fn check_abi(object: &[u8]) -> Result<(), LoadError> {
    match vigia_abi::abi_version_of(object) {
        Some(ABI_VERSION) => Ok(()),
        Some(found) => Err(LoadError::OtherAbi { found }),
        None => Err(LoadError::NotBuilt),
    }
}

/// The words of [`SETTINGS`].
#[derive(Clone, Copy)]
struct Settings([u32; SETTING_COUNT]);

impl Settings {
    fn set(&mut self, setting: Setting, value: u32) {
        if let Some(word) = self.0.get_mut(setting as usize) {
            *word = value;
        }
    }
}

fn settings(
    types: &KernelTypes,
    options: &Options,
    hierarchy: &Hierarchy,
    dispatchers: u32,
) -> Result<Settings, LoadError> {
    let subsystem = match hierarchy.controller {
        None => NO_SUBSYSTEM,
        Some(name) => types
            .enumerator("cgroup_subsys_id", &format!("{name}_cgrp_id"))
            .ok_or(LoadError::NoController(name))?,
    };
    let bulk_limit = u64::from(options.ring_size()) * BULK_PERCENT / 100;
    let exit_tells_group = types
        .tracepoint_parameters("sched_process_exit")
        .is_some_and(|count| count > 1);

    let mut settings = Settings([0; SETTING_COUNT]);
    settings.set(Setting::ExitTellsGroup, u32::from(exit_tells_group));
    settings.set(
        Setting::CompletionIsStruct,
        u32::from(types.tracepoint_parameters("io_uring_complete") == Some(COMPLETION_PARAMETERS)),
    );
    settings.set(Setting::Hierarchy, hierarchy.id);
    settings.set(Setting::Dispatchers, dispatchers);
    settings.set(Setting::Subsystem, subsystem);
    settings.set(
        Setting::HostMountNamespace,
        host_mount_namespace(&options.proc_root)?,
    );
    settings.set(
        Setting::BulkLimit,
        u32::try_from(bulk_limit).unwrap_or(u32::MAX),
    );
    Ok(settings)
}

/// How many programs there are to be on the return of system calls.
fn dispatchers(options: &Options) -> u32 {
    let host = Host {
        proc_root: options.proc_root.clone(),
    };
    match options.dispatchers {
        Dispatchers::One => 1,
        Dispatchers::Two => 2,
        Dispatchers::AsNeeded => match preemption::measure(&host).outcome {
            Outcome::No => 2,
            Outcome::Yes | Outcome::Unknown => 1,
        },
    }
}

/// The inode number of the host's mount namespace.
///
/// Asks the host's init, then the first kernel thread, which shares it and is always readable; this process
/// itself only where neither may be looked at, and then it is right only outside of a container.
fn host_mount_namespace(proc_root: &Path) -> Result<u32, LoadError> {
    let ask = |path: &Path| fs::metadata(path).map(|file| file.ino());
    let inode = ask(&proc_root.join("1/ns/mnt"))
        .or_else(|_| ask(&proc_root.join("2/ns/mnt")))
        .or_else(|_| ask(Path::new("/proc/self/ns/mnt")))
        .map_err(LoadError::HostNamespace)?;
    u32::try_from(inode).map_err(|error| LoadError::HostNamespace(std::io::Error::other(error)))
}

fn load_object(
    options: &Options,
    offsets: &[u32],
    settings: &Settings,
    dispatchers: u32,
    btf: &Btf,
) -> Result<Ebpf, LoadError> {
    let mark_pages = if dispatchers > 1 {
        sizes::MARK_PAGES
    } else {
        1
    };
    EbpfLoader::new()
        .btf(Some(btf))
        .override_global(offsets::SYMBOL, offsets, true)
        .override_global(SETTINGS, settings.0.as_slice(), true)
        .map_max_entries(names::EVENTS, options.ring_size())
        .map_max_entries(names::CALL_SCRATCH, dispatchers)
        .map_max_entries(names::CALL_MARKS, mark_pages)
        .map_max_entries(names::TASKS, options.max_tasks.max(1))
        .map_max_entries(
            names::CGROUPS,
            options.max_containers.max(1).saturating_mul(4),
        )
        .map_max_entries(
            names::BUDGETS,
            options.max_containers.max(1).saturating_add(1),
        )
        .load(OBJECT)
        .map_err(|source| LoadError::Object(Box::new(source)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_another_version_is_refused() {
        let other = vigia_abi::abi_mark(ABI_VERSION + 1);
        let error = check_abi(&other).unwrap_err();
        assert!(matches!(error, LoadError::OtherAbi { found } if found == ABI_VERSION + 1));
        assert!(matches!(check_abi(b"no object"), Err(LoadError::NotBuilt)));
        check_abi(&vigia_abi::abi_mark(ABI_VERSION)).unwrap();
    }
}
