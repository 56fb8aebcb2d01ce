//! What the loader writes into the frozen read-only data: the verifier sees these words as constants and
//! leaves out the branches they exclude.

/// Name of the array of `u32` that [`Setting`] indexes.
pub const SETTINGS: &str = "SETTINGS";

/// A word of [`SETTINGS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Setting {
    /// 1: read kernel structures by typed loads; 0: by `bpf_probe_read_kernel`. Typed loads are faster, but
    /// what the verifier accepts differs between kernels, so the loader tries and falls back. They need
    /// `bpf_get_current_task_btf` (Linux 5.11).
    TypedLoads = 0,
    /// 1: `sched_process_exit` tells whether the whole process ended (Linux 6.16).
    ExitTellsGroup = 1,
    /// Number of the cgroup hierarchy in which engines make their groups; 0 for the unified one.
    Hierarchy = 2,
    /// Index of its controller in `css_set.subsys`; [`NO_SUBSYSTEM`] for the unified hierarchy.
    Subsystem = 3,
    /// Inode number of the host's mount namespace.
    HostMountNamespace = 4,
    /// Bytes of unread records above which bulk classes stop.
    BulkLimit = 5,
    /// 1: `io_uring_complete` passes the completion itself (Linux 6.15); 0: its members.
    CompletionIsStruct = 6,
    /// How many dispatchers of system calls there are: 1 or 2.
    Dispatchers = 7,
}

/// Words of [`SETTINGS`].
pub const SETTING_COUNT: usize = 8;
/// See [`Setting::Subsystem`].
pub const NO_SUBSYSTEM: u32 = u32::MAX;
