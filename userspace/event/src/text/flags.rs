//! Tables of flag names, in the order in which they are printed.

use super::TextStyle;

/// The names of the flags set in `value`, joined by `|`; `None` where the style has no table or no name fits.
#[must_use]
pub fn flag_names(style: TextStyle, value: u64) -> Option<String> {
    let table = match style {
        TextStyle::ResolveFlags => RESOLVE,
        TextStyle::ExecFlags => EXEC,
        TextStyle::LinkatFlags => LINKAT,
        TextStyle::RenameFlags => RENAME,
        TextStyle::UnlinkatFlags => UNLINKAT,
        TextStyle::MountFlags => MOUNT,
        TextStyle::UmountFlags => UMOUNT,
        TextStyle::CloneFlags => CLONE,
        TextStyle::OpenFlags => return Some(open_flag_names(value, false)),
        TextStyle::Mode => return mode_names(value),
        TextStyle::PtraceRequest => return Some(ptrace_request_name(value).to_owned()),
        _ => return None,
    };
    join(table, value)
}

/// Flags of `open(2)` as Falco prints them; `created` adds `O_F_CREATED`.
#[must_use]
pub fn open_flag_names(flags: u64, created: bool) -> String {
    let access = match flags & 3 {
        0 => "O_RDONLY",
        1 => "O_WRONLY",
        _ => "O_RDWR",
    };
    let is_set = |mask: u64| flags & mask == mask;
    // O_TMPFILE holds O_DIRECTORY's bit and O_SYNC holds O_DSYNC's: a name is printed only when all its bits are set.
    let names = [
        (is_set(O_LARGEFILE), "O_LARGEFILE"),
        (is_set(O_DIRECTORY) && !is_set(O_TMPFILE), "O_DIRECTORY"),
        (is_set(O_DIRECT), "O_DIRECT"),
        (is_set(O_TRUNC), "O_TRUNC"),
        (is_set(O_SYNC), "O_SYNC"),
        (is_set(O_NONBLOCK), "O_NONBLOCK"),
        (is_set(O_EXCL), "O_EXCL"),
        (is_set(O_DSYNC) && !is_set(O_SYNC), "O_DSYNC"),
        (is_set(O_APPEND), "O_APPEND"),
        (is_set(O_CREAT), "O_CREAT"),
        (true, access),
        (is_set(O_CLOEXEC), "O_CLOEXEC"),
        (is_set(O_TMPFILE), "O_TMPFILE"),
        (created, "O_F_CREATED"),
    ];
    let set: Vec<&str> = names
        .into_iter()
        .filter_map(|(set, name)| set.then_some(name))
        .collect();
    set.join("|")
}

/// Permission bits as names joined by `|`; `None` where none is set.
#[must_use]
pub fn mode_names(mode: u64) -> Option<String> {
    join(MODE, mode & 0o7777)
}

/// The name of a ptrace request.
#[must_use]
pub fn ptrace_request_name(request: u64) -> &'static str {
    PTRACE
        .iter()
        .find(|row| row.0 == request)
        .map_or("PTRACE_UNKNOWN", |row| row.1)
}

fn join(table: &[(u64, &str)], value: u64) -> Option<String> {
    let names: Vec<&str> = table
        .iter()
        .filter(|row| row.0 != 0 && value & row.0 == row.0)
        .map(|row| row.1)
        .collect();
    (!names.is_empty()).then(|| names.join("|"))
}

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

static PTRACE: &[(u64, &str)] = &[
    (0, "PTRACE_TRACEME"),
    (1, "PTRACE_PEEKTEXT"),
    (2, "PTRACE_PEEKDATA"),
    (3, "PTRACE_PEEKUSR"),
    (4, "PTRACE_POKETEXT"),
    (5, "PTRACE_POKEDATA"),
    (6, "PTRACE_POKEUSR"),
    (7, "PTRACE_CONT"),
    (8, "PTRACE_KILL"),
    (9, "PTRACE_SINGLESTEP"),
    (12, "PTRACE_GETREGS"),
    (13, "PTRACE_SETREGS"),
    (14, "PTRACE_GETFPREGS"),
    (15, "PTRACE_SETFPREGS"),
    (16, "PTRACE_ATTACH"),
    (17, "PTRACE_DETACH"),
    (18, "PTRACE_GETFPXREGS"),
    (19, "PTRACE_SETFPXREGS"),
    (21, "PTRACE_OLDSETOPTIONS"),
    (24, "PTRACE_SYSCALL"),
    (25, "PTRACE_GET_THREAD_AREA"),
    (26, "PTRACE_SET_THREAD_AREA"),
    (30, "PTRACE_ARCH_PRCTL"),
    (31, "PTRACE_SYSEMU"),
    (32, "PTRACE_SYSEMU_SINGLESTEP"),
    (33, "PTRACE_SINGLEBLOCK"),
    (0x4200, "PTRACE_SETOPTIONS"),
    (0x4201, "PTRACE_GETEVENTMSG"),
    (0x4202, "PTRACE_GETSIGINFO"),
    (0x4203, "PTRACE_SETSIGINFO"),
    (0x4204, "PTRACE_GETREGSET"),
    (0x4205, "PTRACE_SETREGSET"),
    (0x4206, "PTRACE_SEIZE"),
    (0x4207, "PTRACE_INTERRUPT"),
    (0x4208, "PTRACE_LISTEN"),
    (0x4209, "PTRACE_PEEKSIGINFO"),
    (0x420a, "PTRACE_GETSIGMASK"),
    (0x420b, "PTRACE_SETSIGMASK"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_flags_print_in_falcos_order() {
        for (flags, created, text) in [
            (0, false, "O_RDONLY"),
            (0o2_000_102, false, "O_CREAT|O_RDWR|O_CLOEXEC"),
            (0o101, true, "O_CREAT|O_WRONLY|O_F_CREATED"),
            (0o20_200_002, false, "O_RDWR|O_TMPFILE"),
            (0o200_000, false, "O_DIRECTORY|O_RDONLY"),
        ] {
            assert_eq!(open_flag_names(flags, created), text, "{flags:o}");
        }
    }

    #[test]
    fn modes_and_requests_have_names() {
        assert_eq!(mode_names(0o4100).as_deref(), Some("S_IXUSR|S_ISUID"));
        assert_eq!(mode_names(0), None);
        assert_eq!(ptrace_request_name(16), "PTRACE_ATTACH");
        assert_eq!(ptrace_request_name(999), "PTRACE_UNKNOWN");
    }
}
