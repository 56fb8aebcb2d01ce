//! Which system calls the probes deliver, and where in their arguments paths, texts and descriptors are.

use crate::counters::Class;
use crate::maps::stage;

/// One past the highest x86-64 system call number the probes look at.
pub const NUMBERS: u32 = 512;

/// No such argument.
pub const NONE: u8 = 0xff;
/// Instead of an argument with a directory descriptor: the path starts from the working directory.
pub const CWD: u8 = 0xfe;
/// Instead of an argument with a descriptor: the result is the descriptor.
pub const RESULT: u8 = 0xfd;

/// Bits of a word of the interest table.
///
/// The low byte says which outcomes are reported (of tasks in scope); the next one which outcomes the
/// dispatcher hands on at all (those, and those that state or secrets need); the third the stage they go to.
pub mod interest {
    /// It succeeded; for the open family: with write access, or it created the file.
    pub const SUCCEEDED: u32 = 1;
    /// It failed with `EROFS`, `EACCES` or `EPERM`.
    pub const REFUSED: u32 = 2;
    /// It failed otherwise.
    pub const FAILED: u32 = 4;
    /// A successful open of an existing file without write access; the open family only.
    pub const READ: u32 = 8;
    /// All outcomes.
    pub const ALL: u32 = SUCCEEDED | REFUSED | FAILED | READ;
    /// Position of the second byte.
    pub const DISPATCH_SHIFT: u32 = 8;
    /// Position of the third byte.
    pub const STAGE_SHIFT: u32 = 16;
}

/// Where a call's path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct PathArg {
    /// The argument that points to it, or [`NONE`].
    pub arg: u8,
    /// The argument with the directory descriptor, or [`CWD`].
    pub dir: u8,
}

/// Arguments of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CallSpec {
    /// Its paths.
    pub paths: [PathArg; 2],
    /// Arguments that point to texts, or [`NONE`].
    pub texts: [u8; 2],
    /// The argument that is a descriptor whose file is captured, [`RESULT`] or [`NONE`].
    pub fd: u8,
    /// [`Class`] as a number.
    pub class: u8,
}

/// A row of [`CALLS`].
#[derive(Clone, Copy, Debug)]
pub struct CallRow {
    /// x86-64 number.
    pub number: u16,
    /// Its first stage, see [`stage`].
    pub stage: u32,
    /// Outcomes that must reach that stage whether reported or not, see [`interest`].
    pub always: u32,
    /// Its arguments.
    pub spec: CallSpec,
}

impl CallRow {
    /// The word of the interest table by which outcomes `report` (bits of [`interest`]) are reported.
    #[must_use]
    pub const fn interest(&self, report: u32) -> u32 {
        let report = report & interest::ALL;
        let mut dispatch = report | self.always;
        if dispatch & interest::READ != 0 {
            // The dispatcher sees only whether it succeeded.
            dispatch |= interest::SUCCEEDED;
        }
        report | dispatch << interest::DISPATCH_SHIFT | self.stage << interest::STAGE_SHIFT
    }
}

/// The row of a system call.
#[must_use]
pub fn find(number: u16) -> Option<&'static CallRow> {
    CALLS.iter().find(|row| row.number == number)
}

const NO_PATH: PathArg = PathArg {
    arg: NONE,
    dir: NONE,
};

const fn at(dir: u8, arg: u8) -> PathArg {
    PathArg { arg, dir }
}

const fn open(number: u16, path: PathArg) -> CallRow {
    let spec = CallSpec {
        paths: [path, NO_PATH],
        texts: [NONE; 2],
        fd: RESULT,
        class: Class::Open as u8,
    };
    CallRow {
        number,
        stage: stage::OPEN,
        always: interest::SUCCEEDED,
        spec,
    }
}

const fn plain(number: u16, class: Class, paths: [PathArg; 2], text: u8, fd: u8) -> CallRow {
    let spec = CallSpec {
        paths,
        texts: [text, NONE],
        fd,
        class: class as u8,
    };
    CallRow {
        number,
        stage: stage::PLAIN,
        always: 0,
        spec,
    }
}

const fn path(number: u16, path: PathArg) -> CallRow {
    plain(number, Class::Change, [path, NO_PATH], NONE, NONE)
}

const fn two_paths(number: u16, from: PathArg, to: PathArg) -> CallRow {
    plain(number, Class::Change, [from, to], NONE, NONE)
}

const fn path_and_text(number: u16, path: PathArg, text: u8) -> CallRow {
    plain(number, Class::Change, [path, NO_PATH], text, NONE)
}

const fn descriptor(number: u16) -> CallRow {
    plain(number, Class::Change, [NO_PATH; 2], NONE, 0)
}

const fn descriptor_and_text(number: u16) -> CallRow {
    plain(number, Class::Change, [NO_PATH; 2], 1, 0)
}

const fn numbers_only(number: u16, class: Class) -> CallRow {
    plain(number, class, [NO_PATH; 2], NONE, NONE)
}

/// The file system's type, then the source, which is a path only for some types.
const fn mount(number: u16) -> CallRow {
    let row = plain(number, Class::Mount, [at(CWD, 1), NO_PATH], NONE, NONE);
    CallRow {
        spec: CallSpec {
            texts: [2, 0],
            ..row.spec
        },
        ..row
    }
}

const fn namespace(number: u16) -> CallRow {
    CallRow {
        stage: stage::NAMESPACE,
        always: interest::SUCCEEDED,
        ..numbers_only(number, Class::Namespace)
    }
}

/// Every call the probes deliver.
pub static CALLS: &[CallRow] = &[
    open(2, at(CWD, 0)),                                            // open
    open(85, at(CWD, 0)),                                           // creat
    open(257, at(0, 1)),                                            // openat
    open(437, at(0, 1)),                                            // openat2
    open(304, NO_PATH),                                             // open_by_handle_at
    path(76, at(CWD, 0)),                                           // truncate
    descriptor(77),                                                 // ftruncate
    two_paths(82, at(CWD, 0), at(CWD, 1)),                          // rename
    path(83, at(CWD, 0)),                                           // mkdir
    path(84, at(CWD, 0)),                                           // rmdir
    two_paths(86, at(CWD, 0), at(CWD, 1)),                          // link
    path(87, at(CWD, 0)),                                           // unlink
    path_and_text(88, at(CWD, 1), 0),                               // symlink
    path(90, at(CWD, 0)),                                           // chmod
    descriptor(91),                                                 // fchmod
    path(92, at(CWD, 0)),                                           // chown
    descriptor(93),                                                 // fchown
    path(94, at(CWD, 0)),                                           // lchown
    path(132, at(CWD, 0)),                                          // utime
    path(133, at(CWD, 0)),                                          // mknod
    path_and_text(188, at(CWD, 0), 1),                              // setxattr
    path_and_text(189, at(CWD, 0), 1),                              // lsetxattr
    descriptor_and_text(190),                                       // fsetxattr
    path_and_text(197, at(CWD, 0), 1),                              // removexattr
    path_and_text(198, at(CWD, 0), 1),                              // lremovexattr
    descriptor_and_text(199),                                       // fremovexattr
    path(235, at(CWD, 0)),                                          // utimes
    path_and_text(463, at(0, 1), 3),                                // setxattrat
    path_and_text(466, at(0, 1), 3),                                // removexattrat
    path(258, at(0, 1)),                                            // mkdirat
    path(259, at(0, 1)),                                            // mknodat
    path(260, at(0, 1)),                                            // fchownat
    path(261, at(0, 1)),                                            // futimesat
    path(263, at(0, 1)),                                            // unlinkat
    two_paths(264, at(0, 1), at(2, 3)),                             // renameat
    two_paths(265, at(0, 1), at(2, 3)),                             // linkat
    path_and_text(266, at(1, 2), 0),                                // symlinkat
    path(268, at(0, 1)),                                            // fchmodat
    path(280, at(0, 1)),                                            // utimensat
    two_paths(316, at(0, 1), at(2, 3)),                             // renameat2
    path(452, at(0, 1)),                                            // fchmodat2
    plain(155, Class::Mount, [at(CWD, 0), at(CWD, 1)], NONE, NONE), // pivot_root
    plain(161, Class::Mount, [at(CWD, 0), NO_PATH], NONE, NONE),    // chroot
    mount(165),
    plain(166, Class::Mount, [at(CWD, 0), NO_PATH], NONE, NONE), // umount2
    plain(428, Class::Mount, [at(0, 1), NO_PATH], NONE, NONE),   // open_tree
    plain(429, Class::Mount, [at(0, 1), at(2, 3)], NONE, NONE),  // move_mount
    plain(430, Class::Mount, [NO_PATH; 2], 0, NONE),             // fsopen
    plain(433, Class::Mount, [at(0, 1), NO_PATH], NONE, NONE),   // fspick
    plain(442, Class::Mount, [at(0, 1), NO_PATH], NONE, NONE),   // mount_setattr
    namespace(272),                                              // unshare
    namespace(308),                                              // setns
    plain(59, Class::ExecFailed, [at(CWD, 0), NO_PATH], NONE, NONE), // execve
    plain(322, Class::ExecFailed, [at(0, 1), NO_PATH], NONE, NONE), // execveat
    numbers_only(101, Class::Access),                            // ptrace
    numbers_only(310, Class::Access),                            // process_vm_readv
    numbers_only(311, Class::Access),                            // process_vm_writev
    numbers_only(434, Class::Access),                            // pidfd_open
    numbers_only(438, Class::Access),                            // pidfd_getfd
];

/// [`CALLS`] by system call number, for the probes.
pub const SPECS: [CallSpec; NUMBERS as usize] = {
    let empty = CallSpec {
        paths: [NO_PATH; 2],
        texts: [NONE; 2],
        fd: NONE,
        class: 0,
    };
    let mut specs = [empty; NUMBERS as usize];
    let mut index = 0;
    while index < CALLS.len() {
        specs[CALLS[index].number as usize] = CALLS[index].spec;
        index += 1;
    }
    specs
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_stands_twice() {
        for (index, row) in CALLS.iter().enumerate() {
            assert!(
                CALLS[..index]
                    .iter()
                    .all(|other| other.number != row.number),
                "{}",
                row.number
            );
        }
    }

    #[test]
    fn an_interest_in_reads_lets_successes_through() {
        let row = find(257).expect("openat is delivered");
        let word = row.interest(interest::READ);
        assert_eq!(word & 0xff, interest::READ);
        assert_ne!(word >> interest::DISPATCH_SHIFT & interest::SUCCEEDED, 0);
        assert_eq!(word >> interest::STAGE_SHIFT, stage::OPEN);
    }
}
