//! Tables of flag names, in the order in which they are printed.

use super::{TextStyle, constants};

/// The names of a value: of flags all that are set, joined by `|`; of a constant all it has. `None` where the style has
/// no table or no name fits.
#[must_use]
pub fn flag_names(style: TextStyle, value: u64) -> Option<String> {
    let flags = match style {
        TextStyle::OpenFlags => FILE,
        TextStyle::FileFlags => return join(FILE, file_flags(value)),
        TextStyle::Mode => return join(MODE, value & 0o7777),
        TextStyle::ResolveFlags => RESOLVE,
        TextStyle::ExecFlags => EXEC,
        TextStyle::LinkatFlags => LINKAT,
        TextStyle::RenameFlags => RENAME,
        TextStyle::UnlinkatFlags => UNLINKAT,
        TextStyle::MountFlags => MOUNT,
        TextStyle::UmountFlags => UMOUNT,
        TextStyle::CloneFlags => CLONE,
        TextStyle::ProtFlags => PROT,
        TextStyle::MmapFlags => MMAP,
        TextStyle::AccessFlags => ACCESS,
        TextStyle::FlockOperation => FLOCK,
        TextStyle::SpliceFlags => SPLICE,
        TextStyle::MemfdFlags => MEMFD,
        TextStyle::ModuleFlags => MODULE,
        TextStyle::CloseRangeFlags => CLOSE_RANGE,
        _ => return constants::names(style, value),
    };
    join(flags, value)
}

/// Bits of the table of file flags that no call takes: the kernel made the file; the layer of an overlay it lies on.
pub(crate) mod found {
    pub(crate) const CREATED: u64 = 1 << 14;
    pub(crate) const UPPER_LAYER: u64 = 1 << 15;
    pub(crate) const LOWER_LAYER: u64 = 1 << 16;
}

/// Flags of `open(2)` in the bits that Falco numbers them by, without `O_F_CREATED` and layers. Flags that hold the bits of another
/// (`O_SYNC`, `O_TMPFILE`) are told apart by all their bits.
#[must_use]
pub(crate) fn open_bits(flags: u64) -> u64 {
    let access = match flags & 3 {
        0 => 1,
        1 => 2,
        _ => 3,
    };
    access | file_flags(flags)
}

/// The same without the access mode: for calls that take only some of the flags.
fn file_flags(flags: u64) -> u64 {
    let is_set = |mask: u64| flags & mask == mask;
    [
        (is_set(O_CREAT), 1 << 2),
        (is_set(O_APPEND), 1 << 3),
        (is_set(O_DSYNC) && !is_set(O_SYNC), 1 << 4),
        (is_set(O_EXCL), 1 << 5),
        (is_set(O_NONBLOCK), 1 << 6),
        (is_set(O_SYNC), 1 << 7),
        (is_set(O_TRUNC), 1 << 8),
        (is_set(O_DIRECT), 1 << 9),
        (is_set(O_DIRECTORY) && !is_set(O_TMPFILE), 1 << 10),
        (is_set(O_LARGEFILE), 1 << 11),
        (is_set(O_CLOEXEC), 1 << 12),
        (is_set(O_TMPFILE), 1 << 13),
    ]
    .into_iter()
    .filter(|(set, _)| *set)
    .fold(0, |bits, (_, bit)| bits | bit)
}

/// Walks a table, taking from the value what it names; an entry that is the whole value ends the walk.
fn join(table: &[(u64, &str)], value: u64) -> Option<String> {
    let mut left = value;
    let mut names: Vec<&str> = Vec::new();
    for &(bits, name) in table {
        let fits = if bits == 0 {
            value == 0
        } else {
            left & bits == bits
        };
        if fits {
            names.push(name);
            left &= !bits;
        }
        if bits == value {
            break;
        }
    }
    (!names.is_empty()).then(|| names.join("|"))
}

/// In the order in which they are printed, by the bits of [`open_bits`].
static FILE: &[(u64, &str)] = &[
    (1 << 11, "O_LARGEFILE"),
    (1 << 10, "O_DIRECTORY"),
    (1 << 9, "O_DIRECT"),
    (1 << 8, "O_TRUNC"),
    (1 << 7, "O_SYNC"),
    (1 << 6, "O_NONBLOCK"),
    (1 << 5, "O_EXCL"),
    (1 << 4, "O_DSYNC"),
    (1 << 3, "O_APPEND"),
    (1 << 2, "O_CREAT"),
    (3, "O_RDWR"),
    (2, "O_WRONLY"),
    (1, "O_RDONLY"),
    (1 << 12, "O_CLOEXEC"),
    (0, "O_NONE"),
    (1 << 13, "O_TMPFILE"),
    (found::CREATED, "O_F_CREATED"),
    (found::UPPER_LAYER, "FD_UPPER_LAYER"),
    (found::LOWER_LAYER, "FD_LOWER_LAYER"),
];

static PROT: &[(u64, &str)] = &[
    (1, "PROT_READ"),
    (2, "PROT_WRITE"),
    (4, "PROT_EXEC"),
    (8, "PROT_SEM"),
    (0x0100_0000, "PROT_GROWSDOWN"),
    (0x0200_0000, "PROT_GROWSUP"),
    (0, "PROT_NONE"),
];

static MMAP: &[(u64, &str)] = &[
    (0x01, "MAP_SHARED"),
    (0x02, "MAP_PRIVATE"),
    (0x10, "MAP_FIXED"),
    (0x20, "MAP_ANONYMOUS"),
    (0x40, "MAP_32BIT"),
    (0x100, "MAP_GROWSDOWN"),
    (0x800, "MAP_DENYWRITE"),
    (0x1000, "MAP_EXECUTABLE"),
    (0x2000, "MAP_LOCKED"),
    (0x4000, "MAP_NORESERVE"),
    (0x8000, "MAP_POPULATE"),
    (0x1_0000, "MAP_NONBLOCK"),
    (0x2_0000, "MAP_STACK"),
    (0x4_0000, "MAP_HUGETLB"),
];

static ACCESS: &[(u64, &str)] = &[(0, "F_OK"), (1, "X_OK"), (2, "W_OK"), (4, "R_OK")];

static FLOCK: &[(u64, &str)] = &[
    (1, "LOCK_SH"),
    (2, "LOCK_EX"),
    (4, "LOCK_NB"),
    (8, "LOCK_UN"),
];

static SPLICE: &[(u64, &str)] = &[
    (1, "SPLICE_F_MOVE"),
    (2, "SPLICE_F_NONBLOCK"),
    (4, "SPLICE_F_MORE"),
    (8, "SPLICE_F_GIFT"),
];

static MEMFD: &[(u64, &str)] = &[
    (1, "MFD_CLOEXEC"),
    (2, "MFD_ALLOW_SEALING"),
    (4, "MFD_HUGETLB"),
];

static MODULE: &[(u64, &str)] = &[
    (1, "MODULE_INIT_IGNORE_MODVERSIONS"),
    (2, "MODULE_INIT_IGNORE_VERMAGIC"),
    (4, "MODULE_INIT_COMPRESSED_FILE"),
];

static CLOSE_RANGE: &[(u64, &str)] = &[(2, "CLOSE_RANGE_UNSHARE"), (4, "CLOSE_RANGE_CLOEXEC")];

/// Bits of `open(2)` on x86-64.
pub(crate) const O_CREAT: u64 = 0o100;
const O_EXCL: u64 = 0o200;
const O_TRUNC: u64 = 0o1000;
const O_APPEND: u64 = 0o2000;
const O_NONBLOCK: u64 = 0o4000;
const O_DSYNC: u64 = 0o10_000;
const O_DIRECT: u64 = 0o40_000;
const O_LARGEFILE: u64 = 0o100_000;
const O_DIRECTORY: u64 = 0o200_000;
const O_CLOEXEC: u64 = 0o2_000_000;
const O_SYNC: u64 = 0o4_010_000;
pub(crate) const O_TMPFILE: u64 = 0o20_200_000;

static MODE: &[(u64, &str)] = &[
    (0o0001, "S_IXOTH"),
    (0o0002, "S_IWOTH"),
    (0o0004, "S_IROTH"),
    (0o0010, "S_IXGRP"),
    (0o0020, "S_IWGRP"),
    (0o0040, "S_IRGRP"),
    (0o0100, "S_IXUSR"),
    (0o0200, "S_IWUSR"),
    (0o0400, "S_IRUSR"),
    (0o1000, "S_ISVTX"),
    (0o2000, "S_ISGID"),
    (0o4000, "S_ISUID"),
];

static RESOLVE: &[(u64, &str)] = &[
    (0x08, "RESOLVE_BENEATH"),
    (0x10, "RESOLVE_IN_ROOT"),
    (0x02, "RESOLVE_NO_MAGICLINKS"),
    (0x04, "RESOLVE_NO_SYMLINKS"),
    (0x01, "RESOLVE_NO_XDEV"),
    (0x20, "RESOLVE_CACHED"),
];

/// Bits of our own: see the `flags` parameter of `execve`.
static EXEC: &[(u64, &str)] = &[
    (1, "EXE_WRITABLE"),
    (2, "EXE_UPPER_LAYER"),
    (4, "EXE_FROM_MEMFD"),
    (8, "EXE_LOWER_LAYER"),
];

static LINKAT: &[(u64, &str)] = &[(0x400, "AT_SYMLINK_FOLLOW"), (0x1000, "AT_EMPTY_PATH")];

static RENAME: &[(u64, &str)] = &[
    (1, "RENAME_NOREPLACE"),
    (2, "RENAME_EXCHANGE"),
    (4, "RENAME_WHITEOUT"),
];

static UNLINKAT: &[(u64, &str)] = &[(0x200, "AT_REMOVEDIR")];

static MOUNT: &[(u64, &str)] = &[
    (1 << 0, "RDONLY"),
    (1 << 1, "NOSUID"),
    (1 << 2, "NODEV"),
    (1 << 3, "NOEXEC"),
    (1 << 4, "SYNCHRONOUS"),
    (1 << 5, "REMOUNT"),
    (1 << 6, "MANDLOCK"),
    (1 << 7, "DIRSYNC"),
    (1 << 10, "NOATIME"),
    (1 << 11, "NODIRATIME"),
    (1 << 12, "BIND"),
    (1 << 13, "MOVE"),
    (1 << 14, "REC"),
    (1 << 15, "SILENT"),
    (1 << 16, "POSIXACL"),
    (1 << 17, "UNBINDABLE"),
    (1 << 18, "PRIVATE"),
    (1 << 19, "SLAVE"),
    (1 << 20, "SHARED"),
    (1 << 21, "RELATIME"),
    (1 << 22, "KERNMOUNT"),
    (1 << 23, "I_VERSION"),
    (1 << 24, "STRICTATIME"),
    (1 << 25, "LAZYTIME"),
    (1 << 28, "NOSEC"),
    (1 << 29, "BORN"),
    (1 << 30, "ACTIVE"),
    (1 << 31, "NOUSER"),
];

static UMOUNT: &[(u64, &str)] = &[(1, "FORCE"), (2, "DETACH"), (4, "EXPIRE"), (8, "NOFOLLOW")];

static CLONE: &[(u64, &str)] = &[
    (0x400, "CLONE_FILES"),
    (0x200, "CLONE_FS"),
    (0x8000_0000, "CLONE_IO"),
    (0x0800_0000, "CLONE_NEWIPC"),
    (0x4000_0000, "CLONE_NEWNET"),
    (0x0002_0000, "CLONE_NEWNS"),
    (0x2000_0000, "CLONE_NEWPID"),
    (0x0400_0000, "CLONE_NEWUTS"),
    (0x8000, "CLONE_PARENT"),
    (0x0010_0000, "CLONE_PARENT_SETTID"),
    (0x2000, "CLONE_PTRACE"),
    (0x800, "CLONE_SIGHAND"),
    (0x0004_0000, "CLONE_SYSVSEM"),
    (0x0001_0000, "CLONE_THREAD"),
    (0x0080_0000, "CLONE_UNTRACED"),
    (0x100, "CLONE_VM"),
    (0x1000_0000, "CLONE_NEWUSER"),
    (0x0020_0000, "CLONE_CHILD_CLEARTID"),
    (0x0100_0000, "CLONE_CHILD_SETTID"),
    (0x0008_0000, "CLONE_SETTLS"),
    (0x4000, "CLONE_VFORK"),
    (0x0200_0000, "CLONE_NEWCGROUP"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_flags_print_in_falcos_order() {
        for (flags, found, text) in [
            (0, 0, "O_RDONLY"),
            (0o2_000_102, 0, "O_CREAT|O_RDWR|O_CLOEXEC"),
            (0o101, found::CREATED, "O_CREAT|O_WRONLY|O_F_CREATED"),
            (0o20_200_002, 0, "O_RDWR|O_TMPFILE"),
            (0o200_000, 0, "O_DIRECTORY|O_RDONLY"),
            (0o10_001, 0, "O_DSYNC|O_WRONLY"),
            (0o4_010_001, 0, "O_SYNC|O_WRONLY"),
            (0o1, found::UPPER_LAYER, "O_WRONLY|FD_UPPER_LAYER"),
        ] {
            let names = flag_names(TextStyle::OpenFlags, open_bits(flags) | found);
            assert_eq!(names.as_deref(), Some(text), "{flags:o}");
        }
    }

    #[test]
    fn flags_have_names_and_zero_only_where_it_has_one() {
        use TextStyle as S;
        for (style, value, names) in [
            (S::Mode, 0o4100, Some("S_IXUSR|S_ISUID")),
            (S::Mode, 0, None),
            (S::FileFlags, 0, Some("O_NONE")),
            (S::FileFlags, 0o2_000_000, Some("O_CLOEXEC")),
            (S::ExecFlags, 0, None),
            (S::ExecFlags, 6, Some("EXE_UPPER_LAYER|EXE_FROM_MEMFD")),
            (
                S::CloneFlags,
                0x1002_0000,
                Some("CLONE_NEWNS|CLONE_NEWUSER"),
            ),
            (S::UnlinkatFlags, 0x200, Some("AT_REMOVEDIR")),
            (
                S::LinkatFlags,
                0x1400,
                Some("AT_SYMLINK_FOLLOW|AT_EMPTY_PATH"),
            ),
            (S::RenameFlags, 3, Some("RENAME_NOREPLACE|RENAME_EXCHANGE")),
            (S::UmountFlags, 2, Some("DETACH")),
            (S::MountFlags, 1 << 12 | 1, Some("RDONLY|BIND")),
            (S::MemfdFlags, 3, Some("MFD_CLOEXEC|MFD_ALLOW_SEALING")),
            (S::ModuleFlags, 4, Some("MODULE_INIT_COMPRESSED_FILE")),
            (S::ResolveFlags, 9, Some("RESOLVE_BENEATH|RESOLVE_NO_XDEV")),
            (S::ProtFlags, 7, Some("PROT_READ|PROT_WRITE|PROT_EXEC")),
            (S::AccessFlags, 0, Some("F_OK")),
            (S::UnlinkatFlags, 1 << 40, None),
            (S::Uint, 1, None),
        ] {
            assert_eq!(
                flag_names(style, value).as_deref(),
                names,
                "{style:?} {value:x}"
            );
        }
    }
}
