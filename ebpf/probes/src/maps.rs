//! Every map of the object. Names, keys and values are those of [`vigia_abi::maps`].

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, ProgramArray, RingBuf};
use vigia_abi::maps::{
    Budget, Config, PathKey, SecretKey, SecretValue, SocketKey, SocketMark, TaskMark, sizes, stage,
};
use vigia_abi::{calls, counters};

use crate::calls::MarkPage;
use crate::entries::{Entry, EntryScratch};
use crate::record::{CgroupScratch, LargeScratch, SmallScratch};
use crate::ring::{Request, SubmitScratch};

#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(sizes::EVENTS, 0);
#[map]
pub(crate) static CONFIG: Array<Config> = Array::with_max_entries(1, 0);
#[map]
pub(crate) static INTEREST: Array<u32> = Array::with_max_entries(calls::NUMBERS, 0);
#[map]
pub(crate) static TASKS: HashMap<u32, TaskMark> = HashMap::with_max_entries(sizes::TASKS, 0);
#[map]
pub(crate) static CGROUPS: HashMap<u64, u64> = HashMap::with_max_entries(sizes::CGROUPS, 0);
#[map]
pub(crate) static SECRET_DEVS: HashMap<u32, SecretValue> =
    HashMap::with_max_entries(sizes::SECRET_DEVS, 0);
#[map]
pub(crate) static SECRET_FILES: HashMap<SecretKey, SecretValue> =
    HashMap::with_max_entries(sizes::SECRET_FILES, 0);
#[map]
pub(crate) static OPEN_PATHS: LpmTrie<PathKey, u32> =
    LpmTrie::with_max_entries(sizes::OPEN_PATHS, 0);
#[map]
pub(crate) static BUDGETS: HashMap<u64, Budget> = HashMap::with_max_entries(sizes::BUDGETS, 0);
#[map]
pub(crate) static SOCKETS: LruHashMap<SocketKey, SocketMark> =
    LruHashMap::with_max_entries(sizes::SOCKETS, 0);
/// By thread id modulo its size: a slot is written where a call begins and read where it returns, so that a table
/// that must be kept free of what never returned would cost more than it is worth.
#[map]
pub(crate) static ENTRIES: Array<Entry> = Array::with_max_entries(sizes::ENTRIES, 0);
/// By the address of the request modulo its size, for the same reason.
#[map]
pub(crate) static RING_REQUESTS: Array<Request> = Array::with_max_entries(sizes::RING_REQUESTS, 0);
#[map]
pub(crate) static COUNTERS: PerCpuArray<[u64; counters::COUNTER_SLOTS]> =
    PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static SEQUENCE: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static CALL_STAGES: ProgramArray = ProgramArray::with_max_entries(stage::CALL_SLOTS, 0);
#[map]
pub(crate) static EXEC_STAGES: ProgramArray = ProgramArray::with_max_entries(stage::EXEC_SLOTS, 0);
#[map]
pub(crate) static RING_STAGES: ProgramArray = ProgramArray::with_max_entries(stage::RING_SLOTS, 0);

/// One page here, and as many as there can be threads where the loader wants a second dispatcher.
#[map]
pub(crate) static CALL_MARKS: Array<MarkPage> = Array::with_max_entries(1, 0);

// One scratch per attached program and never a shared one: where the kernel lets programs be preempted, two
// programs on one processor interleave, and only a program's own recursion guard keeps it from doing so with itself.
// Those of system calls have as many as there are dispatchers, see `calls::dispatchers`.
#[map]
pub(crate) static CALL_SCRATCH: PerCpuArray<LargeScratch> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static ENTRY_SCRATCH: PerCpuArray<EntryScratch> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static SUBMIT_SCRATCH: PerCpuArray<SubmitScratch> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static RING_SCRATCH: PerCpuArray<LargeScratch> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static EXEC_SCRATCH: PerCpuArray<LargeScratch> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static FORK_SCRATCH: PerCpuArray<SmallScratch> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static EXIT_SCRATCH: PerCpuArray<SmallScratch> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static RENAME_SCRATCH: PerCpuArray<SmallScratch> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static MKDIR_SCRATCH: PerCpuArray<CgroupScratch> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static RMDIR_SCRATCH: PerCpuArray<CgroupScratch> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static ATTACH_SCRATCH: PerCpuArray<CgroupScratch> = PerCpuArray::with_max_entries(1, 0);
