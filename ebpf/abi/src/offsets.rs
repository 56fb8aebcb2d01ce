//! *The* table of kernel structure members the probes read.
//!
//! The loader looks each row up in the running kernel's type information and writes the offset into the
//! probes' frozen read-only data, at the row's position. A row has the names a member has had over time.

/// Name of the array of `u32` that [`OFFSETS`] fills.
pub const SYMBOL: &str = "OFFSETS";

/// The offset of a member that this kernel does not have; only for rows that are not required.
pub const ABSENT: u32 = u32::MAX;

/// A row of [`OFFSETS`].
#[derive(Clone, Copy, Debug)]
pub struct OffsetRow {
    /// The structure.
    pub structure: &'static str,
    /// Paths of the member, the newest spelling first: `a.b` is a member of a member; the empty path stands for
    /// the size of the structure.
    pub members: &'static [&'static str],
    /// What is lost without it; `None` if the probes cannot work without it.
    pub lost_without: Option<&'static str>,
}

macro_rules! offsets {
    ($( $constant:ident = $structure:literal [ $($member:literal)+ ] $($lost:literal)? ; )*) => {
        /// Counts the rows.
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "named as the constants are")]
        enum Position { $( $constant, )* }

        $(
            #[allow(missing_docs, reason = "the row says which member it is")]
            pub const $constant: usize = Position::$constant as usize;
        )*

        /// Every member the probes read, in the order of the array.
        pub static OFFSETS: &[OffsetRow] = &[
            $( OffsetRow { structure: $structure, members: &[$($member),+], lost_without: offsets!(@lost $($lost)?) }, )*
        ];
        /// How many rows there are.
        pub const COUNT: usize = [ $( $structure ),* ].len();
    };
    (@lost) => { None };
    (@lost $lost:literal) => { Some($lost) };
}

offsets! {
    TASK_STACK = "task_struct" ["stack"];
    TASK_STATUS = "task_struct" ["thread_info.status"];
    TASK_TGID = "task_struct" ["tgid"];
    TASK_PID = "task_struct" ["pid"];
    TASK_COMM = "task_struct" ["comm"];
    TASK_REAL_PARENT = "task_struct" ["real_parent"];
    TASK_GROUP_LEADER = "task_struct" ["group_leader"];
    TASK_START_BOOTTIME = "task_struct" ["start_boottime" "real_start_time"];
    TASK_SELF_EXEC_ID = "task_struct" ["self_exec_id"];
    TASK_EXIT_CODE = "task_struct" ["exit_code"];
    TASK_THREAD_PID = "task_struct" ["thread_pid"];
    TASK_SIGNAL = "task_struct" ["signal"];
    TASK_CRED = "task_struct" ["cred"];
    TASK_LOGINUID = "task_struct" ["loginuid"] "user.loginuid: the kernel has no audit";
    TASK_NSPROXY = "task_struct" ["nsproxy"];
    TASK_CGROUPS = "task_struct" ["cgroups"];
    TASK_FS = "task_struct" ["fs"];
    TASK_FILES = "task_struct" ["files"];
    TASK_MM = "task_struct" ["mm"];

    SIGNAL_PIDS = "signal_struct" ["pids"];
    SIGNAL_TTY = "signal_struct" ["tty"];
    SIGNAL_LIVE = "signal_struct" ["live.counter"];
    SIGNAL_FLAGS = "signal_struct" ["flags"];
    SIGNAL_GROUP_EXIT_CODE = "signal_struct" ["group_exit_code"];
    TTY_DRIVER = "tty_struct" ["driver"];
    TTY_INDEX = "tty_struct" ["index"];
    TTY_DRIVER_MAJOR = "tty_driver" ["major"];
    TTY_DRIVER_MINOR_START = "tty_driver" ["minor_start"];

    PID_LEVEL = "pid" ["level"];
    PID_NUMBERS = "pid" ["numbers"];
    UPID_NR = "upid" ["nr"];
    UPID_NS = "upid" ["ns"];
    UPID_SIZE = "upid" [""];

    CRED_UID = "cred" ["uid"];
    CRED_GID = "cred" ["gid"];
    CRED_EUID = "cred" ["euid"];
    CRED_EGID = "cred" ["egid"];
    CRED_CAP_INHERITABLE = "cred" ["cap_inheritable"];
    CRED_CAP_PERMITTED = "cred" ["cap_permitted"];
    CRED_CAP_EFFECTIVE = "cred" ["cap_effective"];
    CRED_USER_NS = "cred" ["user_ns"];

    NSPROXY_MNT = "nsproxy" ["mnt_ns"];
    NSPROXY_NET = "nsproxy" ["net_ns"];
    MNT_NS_INUM = "mnt_namespace" ["ns.inum"];
    PID_NS_INUM = "pid_namespace" ["ns.inum"];
    USER_NS_INUM = "user_namespace" ["ns.inum"];
    USER_NS_UID_MAP = "user_namespace" ["uid_map"];
    ID_MAP_EXTENTS = "uid_gid_map" ["extent"];
    ID_MAP_COUNT = "uid_gid_map" ["nr_extents"];
    NET_NS_INUM = "net" ["ns.inum"];

    CSS_SET_SUBSYS = "css_set" ["subsys"];
    CSS_SET_DFL_CGRP = "css_set" ["dfl_cgrp"];
    CSS_CGROUP = "cgroup_subsys_state" ["cgroup"];
    CGROUP_KN = "cgroup" ["kn"];
    CGROUP_ROOT = "cgroup" ["root"];
    CGROUP_ROOT_HIERARCHY = "cgroup_root" ["hierarchy_id"];
    KERNFS_ID = "kernfs_node" ["id"];
    KERNFS_PARENT = "kernfs_node" ["__parent" "parent"];
    KERNFS_NAME = "kernfs_node" ["name"];

    FS_ROOT = "fs_struct" ["root"];
    FS_PWD = "fs_struct" ["pwd"];
    PATH_MNT = "path" ["mnt"];
    PATH_DENTRY = "path" ["dentry"];
    FILES_FDT = "files_struct" ["fdt"];
    FDTABLE_FD = "fdtable" ["fd"];
    FDTABLE_MAX_FDS = "fdtable" ["max_fds"];
    FILE_PATH = "file" ["f_path"];
    FILE_INODE = "file" ["f_inode"];
    FILE_MODE = "file" ["f_mode"];
    FILE_FLAGS = "file" ["f_flags"];
    FILE_PRIVATE = "file" ["private_data"];

    SOCKET_SK = "socket" ["sk"];
    SOCK_FAMILY = "sock" ["__sk_common.skc_family"];
    SOCK_STATE = "sock" ["__sk_common.skc_state"];
    SOCK_DADDR = "sock" ["__sk_common.skc_daddr"];
    SOCK_RCV_SADDR = "sock" ["__sk_common.skc_rcv_saddr"];
    SOCK_DPORT = "sock" ["__sk_common.skc_dport"];
    SOCK_NUM = "sock" ["__sk_common.skc_num"];
    SOCK_V6_DADDR = "sock" ["__sk_common.skc_v6_daddr"] "addresses of IPv6 sockets: the kernel has no IPv6";
    SOCK_V6_RCV_SADDR = "sock" ["__sk_common.skc_v6_rcv_saddr"] "addresses of IPv6 sockets: the kernel has no IPv6";
    SOCK_PROTOCOL = "sock" ["sk_protocol"];
    SOCK_TYPE = "sock" ["sk_type"];
    UNIX_ADDR = "unix_sock" ["addr"] "names of Unix sockets: they are a module here";
    UNIX_PEER = "unix_sock" ["peer"] "names of Unix sockets: they are a module here";
    UNIX_ADDRESS_LEN = "unix_address" ["len"] "names of Unix sockets: they are a module here";
    UNIX_ADDRESS_NAME = "unix_address" ["name"] "names of Unix sockets: they are a module here";

    RING_REQUEST_OPCODE = "io_kiocb" ["opcode"] "io_uring: the kernel has none";
    RING_REQUEST_FLAGS = "io_kiocb" ["flags"] "io_uring: the kernel has none";
    RING_REQUEST_FILE = "io_kiocb" ["file"] "io_uring: the kernel has none";
    RING_OPEN_DFD = "io_open" ["dfd"] "opens through io_uring";
    RING_OPEN_SLOT = "io_open" ["file_slot"] "opens through io_uring into fixed slots";
    RING_OPEN_FILENAME = "io_open" ["filename"] "opens through io_uring";
    RING_OPEN_HOW = "io_open" ["how"] "opens through io_uring";
    RING_CONNECT_ADDR = "io_connect" ["addr"] "connects through io_uring";
    RING_CONNECT_LEN = "io_connect" ["addr_len"] "connects through io_uring";
    RING_UNLINK_DFD = "io_unlink" ["dfd"] "unlinks through io_uring";
    RING_UNLINK_FLAGS = "io_unlink" ["flags"] "unlinks through io_uring";
    RING_UNLINK_FILENAME = "io_unlink" ["filename"] "unlinks through io_uring";
    RING_RENAME_OLD_DFD = "io_rename" ["old_dfd"] "renames through io_uring";
    RING_RENAME_NEW_DFD = "io_rename" ["new_dfd"] "renames through io_uring";
    RING_RENAME_OLD = "io_rename" ["oldpath"] "renames through io_uring";
    RING_RENAME_NEW = "io_rename" ["newpath"] "renames through io_uring";
    RING_RENAME_FLAGS = "io_rename" ["flags"] "renames through io_uring";
    RING_MKDIR_DFD = "io_mkdir" ["dfd"] "new folders through io_uring";
    RING_MKDIR_MODE = "io_mkdir" ["mode"] "new folders through io_uring";
    RING_MKDIR_FILENAME = "io_mkdir" ["filename"] "new folders through io_uring";
    RING_LINK_OLD_DFD = "io_link" ["old_dfd"] "links through io_uring";
    RING_LINK_NEW_DFD = "io_link" ["new_dfd"] "links through io_uring";
    RING_LINK_OLD = "io_link" ["oldpath"] "links through io_uring";
    RING_LINK_NEW = "io_link" ["newpath"] "links through io_uring";
    RING_LINK_FLAGS = "io_link" ["flags"] "links through io_uring";
    FILENAME_NAME = "filename" ["name"];

    DENTRY_PARENT = "dentry" ["d_parent"];
    DENTRY_NAME_HASH_LEN = "dentry" ["d_name.hash_len"];
    DENTRY_NAME_NAME = "dentry" ["d_name.name"];
    DENTRY_HASH_PPREV = "dentry" ["d_hash.pprev"];
    DENTRY_INODE = "dentry" ["d_inode"];
    MOUNT_MNT = "mount" ["mnt"];
    MOUNT_PARENT = "mount" ["mnt_parent"];
    MOUNT_MOUNTPOINT = "mount" ["mnt_mountpoint"];
    MOUNT_ROOT = "mount" ["mnt.mnt_root"];
    MOUNT_ID = "mount" ["mnt_id"];
    VFSMOUNT_FLAGS = "vfsmount" ["mnt_flags"];

    INODE_SIZE = "inode" [""];
    INODE_SB = "inode" ["i_sb"];
    INODE_INO = "inode" ["i_ino"];
    INODE_GENERATION = "inode" ["i_generation"];
    INODE_MODE = "inode" ["i_mode"];
    INODE_NLINK = "inode" ["i_nlink"];
    INODE_CTIME_SEC = "inode" ["i_ctime_sec" "__i_ctime.tv_sec" "i_ctime.tv_sec"] "proc.exe_ino.ctime";
    INODE_CTIME_NSEC = "inode" ["i_ctime_nsec" "__i_ctime.tv_nsec" "i_ctime.tv_nsec"] "proc.exe_ino.ctime";
    INODE_MTIME_SEC = "inode" ["i_mtime_sec" "__i_mtime.tv_sec" "i_mtime.tv_sec"] "proc.exe_ino.mtime";
    INODE_MTIME_NSEC = "inode" ["i_mtime_nsec" "__i_mtime.tv_nsec" "i_mtime.tv_nsec"] "proc.exe_ino.mtime";
    PROC_INODE_PID = "proc_inode" ["pid"] "opens of the environments of processes";
    PROC_INODE_INODE = "proc_inode" ["vfs_inode"] "opens of the environments of processes";
    PID_TASKS = "pid" ["tasks"];
    TASK_PID_LINKS = "task_struct" ["pid_links"];
    SB_DEV = "super_block" ["s_dev"];
    SB_MAGIC = "super_block" ["s_magic"];
    SB_FLAGS = "super_block" ["s_flags"];

    MM_ARG_START = "mm_struct" ["arg_start"];
    MM_ARG_END = "mm_struct" ["arg_end"];
    MM_ENV_START = "mm_struct" ["env_start"];
    MM_ENV_END = "mm_struct" ["env_end"];
    BPRM_FILE = "linux_binprm" ["file"];
    BPRM_FILENAME = "linux_binprm" ["filename"];
}

/// Members that must follow each other without a gap, 8 bytes each: the probes read them at once.
pub const ADJACENT: [[usize; 3]; 2] = [
    [DENTRY_PARENT, DENTRY_NAME_HASH_LEN, DENTRY_NAME_NAME],
    [MOUNT_PARENT, MOUNT_MOUNTPOINT, MOUNT_ROOT],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constant_is_the_position_of_its_row() {
        assert_eq!(OFFSETS.len(), COUNT);
        assert_eq!(OFFSETS[DENTRY_PARENT].members, ["d_parent"]);
        assert_eq!(OFFSETS[BPRM_FILENAME].structure, "linux_binprm");
    }
}
