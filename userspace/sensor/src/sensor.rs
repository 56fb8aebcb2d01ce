//! The probes as the rest of the agent sees them.

mod secrets;

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Mutex;

use aya::Ebpf;
use aya::maps::MapError;
use vigia_abi::maps::{Config, OPEN_PATHS, TaskMark, config, names, scope};
use vigia_abi::record::entered;
use vigia_event::Captured;
use vigia_event::open_paths::OpenPaths;

use crate::counters::{self, Counters, OverBudget, UnseenCalls};
use crate::decode::{Malformed, decode};
use crate::hierarchy::{Hierarchy, HierarchyError};
use crate::interest::Interest;
use crate::load::{self, LoadError, ProgramResult};
use crate::maps::{MapFailure, Maps, is_absent, is_present};
use crate::open_paths;
use crate::options::{Budget, Options, Scope};
use crate::plain::Plain;
use crate::procfs::{self, Agent};
use crate::ring::Ring;
use crate::secrets::Watches;

/// Flags of a map update (`BPF_ANY`, `BPF_NOEXIST`).
const ANY: u64 = 0;
const ONLY_NEW: u64 = 1;

/// Why the probes do not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Containers cannot be told apart.
    #[error("cannot tell containers apart")]
    Hierarchy(#[from] HierarchyError),
    /// The probes could not be loaded or attached.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A map of the probes could not be set up.
    #[error(transparent)]
    Map(#[from] MapFailure),
    /// The given /proc does not show the host.
    #[error(
        "{proc_root} shows another pid namespace than the host's: bind the host's /proc and name it with proc_root"
    )]
    NotHostProc {
        /// Where the host was looked for.
        proc_root: PathBuf,
    },
    /// This process could not be found in the host's /proc.
    #[error("cannot find this process in {proc_root}: is it the host's /proc?")]
    Agent {
        /// Where it was looked for.
        proc_root: PathBuf,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
    /// The cgroup to be watched does not exist.
    #[error("cannot watch the cgroup {path}")]
    Scope {
        /// Where it was looked for.
        path: PathBuf,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
    /// The ring of records could not be opened.
    #[error("cannot read the ring of records")]
    Ring(#[source] io::Error),
}

/// A process that ran before the probes did, as /proc tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seed {
    /// Process id on the host.
    pub pid: u32,
    /// Start, `CLOCK_BOOTTIME` in nanoseconds; /proc knows it only to 10 ms, and that is enough.
    pub start_boottime_ns: u64,
    /// The cgroup of its container; 0 for none.
    pub origin_cgroup_id: u64,
    /// Inode number of its mount namespace.
    pub mnt_ns: u32,
    /// Whether it entered its container from outside, where that is known.
    pub entered: Option<bool>,
}

/// The running probes. They stop when it is dropped.
pub struct Sensor {
    bpf: Ebpf,
    maps: Maps,
    ring: Ring,
    config: Config,
    hierarchy: Hierarchy,
    proc_root: PathBuf,
    programs: Vec<ProgramResult>,
    typed_loads: bool,
    watches: Watches,
    over_budget: OverBudget,
    unseen_calls: Mutex<UnseenCalls>,
}

impl Sensor {
    /// Loads and attaches the probes. Reports lifecycle only, until [`Sensor::set_interest`] asks for more.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// One clear sentence per cause: no privilege, no type information, another wire format, refused by the
    /// verifier, no usable cgroup hierarchy.
    pub fn start(options: &Options) -> Result<Self, StartError> {
        // First, since whoever lacks privilege may not see much of /proc either.
        load::check_permission()?;
        // Where that cannot be told, go on: the ids below are right on every host that is not nested.
        if let Ok(false) = procfs::is_of_the_host(&options.proc_root) {
            return Err(StartError::NotHostProc {
                proc_root: options.proc_root.clone(),
            });
        }
        let hierarchy = Hierarchy::choose(&options.proc_root)?;
        let config = first_config(options, &hierarchy)?;
        let mut loaded = load::load(options, &hierarchy)?;
        let (maps, ring) = Maps::take(&mut loaded.bpf)?;
        let ring = Ring::new(ring, options.ring_size()).map_err(StartError::Ring)?;
        let mut sensor = Self {
            bpf: loaded.bpf,
            maps,
            ring,
            config,
            hierarchy,
            proc_root: options.proc_root.clone(),
            programs: Vec::new(),
            typed_loads: loaded.typed_loads,
            watches: Watches::default(),
            over_budget: OverBudget::default(),
            unseen_calls: Mutex::default(),
        };
        // Before the first event: the probes must know whom they never report.
        sensor.write_config()?;
        sensor.set_interest(&Interest::nothing())?;
        sensor.programs = load::attach(&mut sensor.bpf, loaded.programs)?;
        Ok(sensor)
    }

    /// The hierarchy of cgroups whose ids are in the records.
    #[must_use]
    pub fn hierarchy(&self) -> &Hierarchy {
        &self.hierarchy
    }

    /// What became of each program; refused ones are those that the agent can do without.
    #[must_use]
    pub fn programs(&self) -> &[ProgramResult] {
        &self.programs
    }

    /// Whether the verifier accepted the faster way to read kernel structures.
    #[must_use]
    pub fn has_typed_loads(&self) -> bool {
        self.typed_loads
    }

    /// Whether this kernel tells what programs have io_uring do.
    #[must_use]
    pub fn sees_rings(&self) -> bool {
        let mut programs = self.programs.iter();
        !programs.any(|result| result.program.starts_with("ring_") && result.refused.is_some())
    }

    /// Returns when there may be something to read. Safe to cancel.
    ///
    /// # Errors
    /// When the reactor is gone.
    pub async fn readable(&mut self) -> io::Result<()> {
        self.ring.readable().await
    }

    /// Decodes up to `max` records, oldest first, without waiting; answers how many there were.
    pub fn read(&mut self, max: usize, mut each: impl FnMut(Result<Captured, Malformed>)) -> usize {
        self.ring.read(max, |bytes| each(decode(bytes)))
    }

    /// Says what is reported from now on.
    ///
    /// # Errors
    /// When the kernel refuses the change.
    pub fn set_interest(&mut self, interest: &Interest) -> Result<(), StartError> {
        for (number, word) in interest.words() {
            self.maps
                .interest
                .set(number, word, ANY)
                .map_err(MapFailure::new("write", names::INTEREST))?;
        }
        if interest.needs_entries() {
            load::attach_on_demand(&mut self.bpf, &mut self.programs)?;
        }
        self.config.data_bytes = interest.data_bytes.into();
        self.write_config()?;
        self.set_open_paths(&interest.read_paths, &interest.write_paths)?;
        Ok(self.set_flag(config::ENV, interest.environment)?)
    }

    fn set_open_paths(&mut self, reads: &OpenPaths, writes: &OpenPaths) -> Result<(), MapFailure> {
        let known = self.maps.open_paths.keys().collect::<Result<Vec<_>, _>>();
        let known = known.map_err(MapFailure::new("read", names::OPEN_PATHS))?;
        // Meanwhile every path is reported.
        self.set_flag(config::READS_BY_PATH | config::WRITES_BY_PATH, false)?;
        let map = &mut self.maps.open_paths;
        for key in known {
            absent_is_fine(map.remove(&key))
                .map_err(MapFailure::new("write", names::OPEN_PATHS))?;
        }
        let is_refused =
            |result: &ProgramResult| result.program == OPEN_PATHS && result.refused.is_some();
        if self.programs.iter().any(is_refused) {
            return Ok(());
        }
        let (keys, flags) = open_paths::keys(reads, writes);
        for key in keys {
            map.insert(&key, 0, ANY)
                .map_err(MapFailure::new("write", names::OPEN_PATHS))?;
        }
        self.set_flag(flags, true)
    }

    /// Says what one container may report.
    ///
    /// # Errors
    /// When the kernel refuses the change.
    pub fn set_budget(&mut self, budget: Budget) -> Result<(), MapFailure> {
        budget_into(&mut self.config, budget);
        self.write_config()
    }

    /// Says that a cgroup that exists already is a container's. Those that are made later, the probes find
    /// themselves.
    ///
    /// # Errors
    /// When the table is full.
    pub fn add_container_cgroup(&mut self, id: u64) -> Result<(), MapFailure> {
        self.add_cgroup_below(id, id)
    }

    /// Says that a cgroup that exists already lies below a container's.
    ///
    /// # Errors
    /// When the table is full.
    pub fn add_cgroup_below(&mut self, id: u64, container: u64) -> Result<(), MapFailure> {
        self.maps
            .cgroups
            .insert(id, container, ANY)
            .map_err(MapFailure::new("write", names::CGROUPS))
    }

    /// Forgets a container's cgroup and its budget.
    ///
    /// # Errors
    /// When the kernel refuses the change; that there is no such cgroup is no error.
    pub fn remove_container_cgroup(&mut self, id: u64) -> Result<(), MapFailure> {
        absent_is_fine(self.maps.budgets.remove(&id))
            .map_err(MapFailure::new("write", names::BUDGETS))?;
        absent_is_fine(self.maps.cgroups.remove(&id))
            .map_err(MapFailure::new("write", names::CGROUPS))
    }

    /// Gives a process that ran before the probes its marks. What the probes saw of it themselves is kept: an
    /// event never loses to the scan.
    ///
    /// # Errors
    /// When the table is full.
    pub fn seed_process(&mut self, seed: &Seed) -> Result<(), MapFailure> {
        let mark = TaskMark {
            start_boottime_ns: seed.start_boottime_ns,
            origin_cgroup_id: seed.origin_cgroup_id,
            ns_mnt: seed.mnt_ns,
            entered: match seed.entered {
                None => entered::UNKNOWN,
                Some(false) => entered::NO,
                Some(true) => entered::YES,
            },
        };
        match self.maps.tasks.insert(seed.pid, Plain(mark), ONLY_NEW) {
            Err(error) if !is_present(&error) => Err(MapFailure::new("write", names::TASKS)(error)),
            _ => Ok(()),
        }
    }

    /// Everything the kernel side counted.
    ///
    /// # Errors
    /// When the counters cannot be read.
    pub fn counters(&self) -> Result<Counters, MapFailure> {
        let ring = self.ring.usage();
        counters::read(&self.bpf, &self.maps.counters, ring, &self.unseen_calls)
    }

    /// Which containers lost how many records to their budget since the last call, by cgroup; 0 stands for
    /// everything outside containers.
    ///
    /// # Errors
    /// When the budgets cannot be read.
    pub fn take_over_budget(&mut self) -> Result<Vec<(u64, u64)>, MapFailure> {
        let mut totals = Vec::new();
        let mut idle = Vec::new();
        let now_ns = boot_time_ns();
        for row in self.maps.budgets.iter() {
            match row {
                Ok((cgroup, Plain(budget))) => {
                    totals.push((cgroup, budget.over));
                    if budget.full_at_ns <= now_ns {
                        idle.push(cgroup);
                    }
                }
                // A bucket that went while the table was walked.
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(MapFailure::new("read", names::BUDGETS)(error)),
            }
        }
        let new = self.over_budget.take(totals);
        self.forget_budgets(&idle)?;
        Ok(new)
    }

    /// Drops the buckets of containers that are gone. Only full ones: a process that outlives its container keeps
    /// its bucket while it draws on it, or each drop would fill the bucket anew.
    fn forget_budgets(&mut self, idle: &[u64]) -> Result<(), MapFailure> {
        for cgroup in idle {
            let is_gone =
                matches!(self.maps.cgroups.get(cgroup, ANY), Err(error) if is_absent(&error));
            if *cgroup != 0 && is_gone {
                absent_is_fine(self.maps.budgets.remove(cgroup))
                    .map_err(MapFailure::new("write", names::BUDGETS))?;
            }
        }
        Ok(())
    }

    fn set_flag(&mut self, flag: u32, wanted: bool) -> Result<(), MapFailure> {
        let flags = if wanted {
            self.config.flags | flag
        } else {
            self.config.flags & !flag
        };
        if flags == self.config.flags {
            return Ok(());
        }
        self.config.flags = flags;
        self.write_config()
    }

    fn write_config(&mut self) -> Result<(), MapFailure> {
        self.maps
            .config
            .set(0, Plain(self.config), ANY)
            .map_err(MapFailure::new("write", names::CONFIG))
    }
}

fn first_config(options: &Options, hierarchy: &Hierarchy) -> Result<Config, StartError> {
    let agent = Agent::identify(&options.proc_root).map_err(|source| StartError::Agent {
        proc_root: options.proc_root.clone(),
        source,
    })?;
    let mut config = Config {
        agent_pid: agent.pid,
        agent_start_ticks: agent.start_ticks,
        ..Config::default()
    };
    budget_into(&mut config, options.budget);
    match &options.scope {
        Scope::Containers => config.scope = scope::CONTAINERS,
        Scope::Host => config.scope = scope::HOST,
        Scope::Cgroup(path) => {
            let inside = path.strip_prefix("/").unwrap_or(path);
            let path = hierarchy.folder(&options.proc_root).join(inside);
            // The inode number of a cgroup's folder is the id of its kernfs node.
            let folder =
                std::fs::metadata(&path).map_err(|source| StartError::Scope { path, source })?;
            config.scope = scope::CGROUP;
            config.scope_cgroup = folder.ino();
        }
    }
    Ok(config)
}

fn budget_into(config: &mut Config, budget: Budget) {
    const SECOND_NS: u64 = 1_000_000_000;
    config.budget_token_ns = if budget.rate_per_s == 0 {
        0
    } else {
        SECOND_NS / u64::from(budget.rate_per_s)
    };
    config.budget_burst_ns = config
        .budget_token_ns
        .saturating_mul(u64::from(budget.burst));
}

fn boot_time_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanoseconds) = (now.tv_sec.cast_unsigned(), now.tv_nsec.cast_unsigned());
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}

fn absent_is_fine(result: Result<(), MapError>) -> Result<(), MapError> {
    result.or_else(|error| {
        if is_absent(&error) {
            Ok(())
        } else {
            Err(error)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sensor_can_move_to_the_task_that_owns_the_state() {
        fn assert_send<T: Send>() {}
        assert_send::<Sensor>();
    }

    #[test]
    fn a_budget_is_a_token_and_a_burst_of_tokens() {
        for (rate_per_s, burst, token_ns, burst_ns) in [
            (1000, 5, 1_000_000, 5_000_000),
            (0, 5, 0, 0),
            (u32::MAX, u32::MAX, 0, 0),
            (3, 1, 333_333_333, 333_333_333),
        ] {
            let mut config = Config::default();
            budget_into(&mut config, Budget { rate_per_s, burst });
            assert_eq!(
                (config.budget_token_ns, config.budget_burst_ns),
                (token_ns, burst_ns),
                "{rate_per_s}"
            );
        }
    }
}
