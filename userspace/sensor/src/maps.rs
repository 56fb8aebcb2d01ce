//! The maps of the loaded object, each with the types of its keys and values.

use aya::Ebpf;
use aya::maps::lpm_trie::LpmTrie;
use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray, RingBuf};
use vigia_abi::counters::COUNTER_SLOTS;
use vigia_abi::maps::{Budget, Config, PathKey, SecretKey, SecretValue, TaskMark, names};

use crate::plain::Plain;

/// Every map that user space reads or writes while the probes run.
pub(crate) struct Maps {
    pub(crate) config: Array<MapData, Plain<Config>>,
    pub(crate) interest: Array<MapData, u32>,
    pub(crate) tasks: HashMap<MapData, u32, Plain<TaskMark>>,
    pub(crate) cgroups: HashMap<MapData, u64, u64>,
    pub(crate) secret_devs: HashMap<MapData, u32, Plain<SecretValue>>,
    pub(crate) secret_files: HashMap<MapData, Plain<SecretKey>, Plain<SecretValue>>,
    pub(crate) open_paths: LpmTrie<MapData, PathKey, u32>,
    pub(crate) budgets: HashMap<MapData, u64, Plain<Budget>>,
    pub(crate) counters: PerCpuArray<MapData, Plain<[u64; COUNTER_SLOTS]>>,
}

/// What went wrong with a map.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} the map {map}")]
pub struct MapFailure {
    /// What was being done: `open`, `read`, `write`.
    pub action: &'static str,
    /// The map.
    pub map: &'static str,
    /// What aya or the kernel answered.
    #[source]
    pub source: Box<MapError>,
}

impl MapFailure {
    pub(crate) fn new(action: &'static str, map: &'static str) -> impl FnOnce(MapError) -> Self {
        move |source| Self {
            action,
            map,
            source: Box::new(source),
        }
    }
}

impl Maps {
    /// Takes the maps out of the object, and the ring, which is read on its own.
    pub(crate) fn take(bpf: &mut Ebpf) -> Result<(Self, RingBuf<MapData>), MapFailure> {
        let maps = Self {
            config: typed(bpf, names::CONFIG)?,
            interest: typed(bpf, names::INTEREST)?,
            tasks: typed(bpf, names::TASKS)?,
            cgroups: typed(bpf, names::CGROUPS)?,
            secret_devs: typed(bpf, names::SECRET_DEVS)?,
            secret_files: typed(bpf, names::SECRET_FILES)?,
            open_paths: typed(bpf, names::OPEN_PATHS)?,
            budgets: typed(bpf, names::BUDGETS)?,
            counters: typed(bpf, names::COUNTERS)?,
        };
        Ok((maps, typed(bpf, names::EVENTS)?))
    }
}

fn typed<T: TryFrom<Map, Error = MapError>>(
    bpf: &mut Ebpf,
    name: &'static str,
) -> Result<T, MapFailure> {
    let missing = || MapError::InvalidName {
        name: name.to_owned(),
    };
    bpf.take_map(name)
        .ok_or_else(missing)
        .and_then(T::try_from)
        .map_err(MapFailure::new("open", name))
}

/// Whether the answer is that there is no such key.
pub(crate) fn is_absent(error: &MapError) -> bool {
    match error {
        MapError::KeyNotFound => true,
        MapError::SyscallError(error) => error.io_error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// Whether the answer is that there is such a key already.
pub(crate) fn is_present(error: &MapError) -> bool {
    matches!(error, MapError::SyscallError(error) if error.io_error.kind() == std::io::ErrorKind::AlreadyExists)
}
