//! Maps that user space opens: their names, keys, values and default sizes.

use crate::wire::wire;

/// Names of the maps in the object.
pub mod names {
    /// Ring buffer of records.
    pub const EVENTS: &str = "EVENTS";
    /// Array of one [`Config`](super::Config).
    pub const CONFIG: &str = "CONFIG";
    /// Array by system call number of `u32`, see [`crate::calls::interest`].
    pub const INTEREST: &str = "INTEREST";
    /// Hash: process id -> [`TaskMark`](super::TaskMark).
    pub const TASKS: &str = "TASKS";
    /// Hash: kernfs id (`u64`) -> kernfs id of the container's cgroup that it is or lies below (`u64`).
    pub const CGROUPS: &str = "CGROUPS";
    /// Hash: device (`u32`) -> [`SecretValue`](super::SecretValue).
    pub const SECRET_DEVS: &str = "SECRET_DEVS";
    /// Hash: [`SecretKey`](super::SecretKey) -> [`SecretValue`](super::SecretValue).
    pub const SECRET_FILES: &str = "SECRET_FILES";
    /// LPM trie: [`PathKey`](super::PathKey) -> `u32`: how paths begin and end of which opens are reported, see
    /// [`config::READS_BY_PATH`](super::config::READS_BY_PATH).
    pub const OPEN_PATHS: &str = "OPEN_PATHS";
    /// Hash: kernfs id of a container's cgroup, 0 for everything else -> [`Budget`](super::Budget).
    pub const BUDGETS: &str = "BUDGETS";
    /// LRU hash: [`SocketKey`](super::SocketKey) -> [`SocketMark`](super::SocketMark).
    pub const SOCKETS: &str = "SOCKETS";
    /// Per-CPU array of one array of `u64`, see [`crate::counters`]: in one piece, so that all counters are read at one
    /// moment. Reading them is a system call, and counted.
    pub const COUNTERS: &str = "COUNTERS";
    /// Program array of the stages of a system call.
    pub const CALL_STAGES: &str = "CALL_STAGES";
    /// Program array of the stages of an execution.
    pub const EXEC_STAGES: &str = "EXEC_STAGES";
    /// Program array of the stages of a completed request of io_uring.
    pub const RING_STAGES: &str = "RING_STAGES";
    /// Per-CPU array of the memory in which records of system calls are put together, one per dispatcher.
    pub const CALL_SCRATCH: &str = "CALL_SCRATCH";
    /// Array by thread id / [`MARKS_PER_PAGE`](super::sizes::MARKS_PER_PAGE) of as many bytes: 1 for a thread whose
    /// call the first of two dispatchers took.
    pub const CALL_MARKS: &str = "CALL_MARKS";
}

/// Default sizes; the loader may set others.
pub mod sizes {
    /// Bytes of the ring: a power of two.
    pub const EVENTS: u32 = 8 * 1024 * 1024;
    /// Processes.
    pub const TASKS: u32 = 65_536;
    /// Cgroups that are or lie below a container's.
    pub const CGROUPS: u32 = 16_384;
    /// Devices with secrets.
    pub const SECRET_DEVS: u32 = 4_096;
    /// Secret files.
    pub const SECRET_FILES: u32 = 16_384;
    /// Beginnings and ends of paths.
    pub const OPEN_PATHS: u32 = 4_096;
    /// Containers with a budget.
    pub const BUDGETS: u32 = 8_192;
    /// Sockets of which something is remembered.
    pub const SOCKETS: u32 = 16_384;
    /// Slots for paths captured at the entry of a call, shared by the thread ids that are equal modulo this power of two.
    pub const ENTRIES: u32 = 256;
    /// Slots for requests of io_uring under way: a power of two.
    pub const RING_REQUESTS: u32 = 256;
    /// Marks of threads in one entry.
    pub const MARKS_PER_PAGE: u32 = 4_096;
    /// Entries for every thread id there can be (`PID_MAX_LIMIT`); one entry without a second dispatcher.
    pub const MARK_PAGES: u32 = 4 * 1024 * 1024 / MARKS_PER_PAGE;
}

/// Slots of [`names::CALL_STAGES`] and the program for each.
pub const CALL_STAGES: [(u32, &str); 9] = [
    (stage::OPEN, "call_open"),
    (stage::PLAIN, "call_plain"),
    (stage::NAMESPACE, "call_namespace"),
    (stage::GATHER, "call_gather"),
    (stage::WALK, "call_walk"),
    (stage::COMPAT, "call_compat"),
    (stage::NETWORK, "call_network"),
    (stage::SOCKET, "call_socket"),
    (stage::OPEN_PATHS, OPEN_PATHS),
];

/// Slots of [`names::EXEC_STAGES`] and the program for each.
pub const EXEC_STAGES: [(u32, &str); 1] = [(stage::EXEC_WALK, "exec_walk")];

/// Slots of [`names::RING_STAGES`] and the program for each.
pub const RING_STAGES: [(u32, &str); 1] = [(stage::RING_WALK, "ring_walk")];

/// Slots of the program arrays.
pub mod stage {
    /// First stage of the open family.
    pub const OPEN: u32 = 1;
    /// First stage of calls that need nothing special.
    pub const PLAIN: u32 = 2;
    /// First stage of `setns` and `unshare`.
    pub const NAMESPACE: u32 = 3;
    /// Strings of any call.
    pub const GATHER: u32 = 4;
    /// Kernel paths of any call, then submission.
    pub const WALK: u32 = 5;
    /// 32-bit calls.
    pub const COMPAT: u32 = 6;
    /// First stage of calls on sockets.
    pub const NETWORK: u32 = 7;
    /// Socket, address and data of any call.
    pub const SOCKET: u32 = 8;
    /// The paths of a successful open, then submission.
    pub const OPEN_PATHS: u32 = 9;
    /// Slots of the array.
    pub const CALL_SLOTS: u32 = 10;
    /// Kernel paths of an execution, then submission.
    pub const EXEC_WALK: u32 = 0;
    /// Slots of the array.
    pub const EXEC_SLOTS: u32 = 1;
    /// Kernel paths of a request, then submission.
    pub const RING_WALK: u32 = 0;
    /// Slots of the array.
    pub const RING_SLOTS: u32 = 1;
}

/// The stage that drops opens by their paths. Without it all are reported.
pub const OPEN_PATHS: &str = "call_open_paths";
/// The dispatcher of system calls.
pub const FIRST_DISPATCHER: &str = "calls";
/// The second one. It is attached only where tasks can be preempted inside of programs, and
/// after the first, so that it runs after it.
pub const SECOND_DISPATCHER: &str = "calls_again";

/// Attached programs: program, BTF tracepoint. Where a tracepoint has had several names, the newest.
pub const ATTACHED: [(&str, &str); 12] = [
    ("cgroup_mkdir", "cgroup_mkdir"),
    ("cgroup_rmdir", "cgroup_rmdir"),
    ("cgroup_attach", "cgroup_attach_task"),
    ("fork", "sched_process_fork"),
    ("exec", "sched_process_exec"),
    ("exit", "sched_process_exit"),
    ("rename", "task_rename"),
    ("ring_submit", "io_uring_submit_req"),
    ("ring_complete", "io_uring_complete"),
    ("entries", "sys_enter"),
    (FIRST_DISPATCHER, "sys_exit"),
    (SECOND_DISPATCHER, "sys_exit"),
];

/// Bits of [`Config::flags`].
pub mod config {
    /// Capture the environment at exec.
    pub const ENV: u32 = 1;
    /// There are secrets to look for: opens of tasks out of scope are looked at, too.
    pub const SECRETS: u32 = 2;
    /// Of opens with the outcome [`READ`](crate::calls::interest::READ) those are reported whose path is in
    /// [`names::OPEN_PATHS`](super::names), and those of which the probes cannot say.
    pub const READS_BY_PATH: u32 = 4;
    /// The same for [`SUCCEEDED`](crate::calls::interest::SUCCEEDED).
    pub const WRITES_BY_PATH: u32 = 8;
    /// The environments that proc shows of processes count as secrets: opens of tasks out of scope are looked at, too.
    pub const ENVIRONMENTS: u32 = 16;
}

/// How much of a path one entry of [`names::OPEN_PATHS`] holds.
pub const PATH_PART_MAX: usize = 47;

/// What a key of [`names::OPEN_PATHS`] tells: the end of a path that it is about, then that part from the end on inwards.
/// The kernel compares as many bits as its length says.
pub type PathKey = [u8; PATH_PART_MAX + 1];

/// First bytes of a [`PathKey`].
pub mod path_end {
    /// It is how a path begins.
    pub const START: u8 = 1;
    /// It is how a path ends, the last byte first.
    pub const BACK: u8 = 2;
    /// It is how the folder of a path ends, the last byte first.
    pub const FOLDER: u8 = 3;
}

/// Values of [`Config::scope`].
pub mod scope {
    /// Containers, tasks with a mount namespace of their own, and what came out of a container.
    pub const CONTAINERS: u32 = 0;
    /// Everything.
    pub const HOST: u32 = 1;
    /// The cgroup [`Config::scope_cgroup`](super::Config::scope_cgroup) and what lies at most
    /// [`LEVELS`] below it.
    pub const CGROUP: u32 = 2;
    /// How deep a cgroup scope reaches.
    pub const LEVELS: usize = 8;
}

/// Values of [`SecretValue::kind`].
pub mod secret {
    /// Look the file up in the map of files (only in the map of devices).
    pub const BY_FILE: u32 = 1;
    /// A secret.
    pub const SECRET: u32 = 2;
    /// A configuration.
    pub const CONFIG: u32 = 3;
    /// One of the two.
    pub const UNKNOWN: u32 = 4;
    /// What a process was started with, as proc shows it; in no map.
    pub const ENVIRONMENT: u32 = 5;
}

wire! {
    /// What user space may change while the probes run.
    pub struct Config {
        /// See [`config`].
        pub flags: u32,
        /// See [`scope`].
        pub scope: u32,
        /// Kernfs id for [`scope::CGROUP`].
        pub scope_cgroup: u64,
        /// Start of the agent, `CLOCK_BOOTTIME` in ticks of 10 ms, as field 22 of `/proc/self/stat`.
        pub agent_start_ticks: u64,
        /// Process id of the agent on the host: never traced.
        pub agent_pid: u32,
        /// Thread of the agent whose opens are answered with a secret's key; 0 for none.
        pub learn_tid: u32,
        /// Nanoseconds of one token of a container's bucket; 0 for no budget.
        pub budget_token_ns: u64,
        /// How far ahead of time a bucket may be, in nanoseconds: burst x token. Records that are not bulk get a
        /// quarter more, and those that others are judged by another.
        pub budget_burst_ns: u64,
        /// Bytes of data of a call to capture at most; 0 for none.
        pub data_bytes: u64,
    }

    /// Names a socket.
    pub struct SocketKey {
        /// Its address in the kernel.
        pub address: u64,
        /// Its inode number, since addresses are given away again.
        pub ino: u64,
    }

    /// What the kernel does not remember of a socket.
    pub struct SocketMark {
        /// The address of the other end that it was last connected to, or exchanged a datagram with.
        pub remote: [u64; 2],
        /// That end's port.
        pub remote_port: u32,
        /// [`CLIENT`](crate::record::socket::CLIENT) or [`SERVER`](crate::record::socket::SERVER).
        pub role: u32,
    }

    /// What is known of a process.
    pub struct TaskMark {
        /// Its start, `CLOCK_BOOTTIME` in nanoseconds: another one is another process with the same id.
        pub start_boottime_ns: u64,
        /// See [`Task::origin_cgroup_id`](crate::Task::origin_cgroup_id).
        pub origin_cgroup_id: u64,
        /// Mount namespace it was last seen in.
        pub ns_mnt: u32,
        /// See [`entered`](crate::record::entered).
        pub entered: u32,
    }

    /// Names a file as the kernel does.
    pub struct SecretKey {
        /// Inode number.
        pub ino: u64,
        /// Device, `major << 20 | minor`.
        pub dev: u32,
        /// Zero.
        pub padding: u32,
    }

    /// What a device or file is.
    pub struct SecretValue {
        /// See [`secret`].
        pub kind: u32,
    }

    /// The bucket of a container.
    pub struct Budget {
        /// `CLOCK_BOOTTIME` at which the bucket is full again, in nanoseconds.
        pub full_at_ns: u64,
        /// Records that passed.
        pub passed: u64,
        /// Records that did not.
        pub over: u64,
    }
}
