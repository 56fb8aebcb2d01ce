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
/// Instead of an argument with a descriptor: the result is the descriptor, and of a failed call the first argument.
pub const RESULT_OR_0: u8 = 0xfc;

/// Bits of a word of the interest table.
///
/// The low byte says which outcomes are reported (of tasks in scope); the next one which outcomes the
/// dispatcher hands on at all (those, and those that state or secrets need); the third the stage they go to; the
/// fourth whether its paths are captured at entry.
pub mod interest {
    /// It succeeded; for the open family: with write access, or one that could have made or emptied the file.
    pub const SUCCEEDED: u32 = 1;
    /// It failed with `EROFS`, `EACCES` or `EPERM`.
    pub const REFUSED: u32 = 2;
    /// It failed otherwise.
    pub const FAILED: u32 = 4;
    /// A successful open that could not have changed anything: without write access, `O_CREAT` and `O_TRUNC`; the open
    /// family only.
    pub const READ: u32 = 8;
    /// All outcomes.
    pub const ALL: u32 = SUCCEEDED | REFUSED | FAILED | READ;
    /// Position of the second byte.
    pub const DISPATCH_SHIFT: u32 = 8;
    /// Position of the third byte.
    pub const STAGE_SHIFT: u32 = 16;
    /// What the third byte may hold.
    pub const STAGE_MASK: u32 = 0xff;
    /// The paths are captured when the call begins.
    pub const ENTRY: u32 = 1 << 24;
    /// As [`ENTRY`], where its flags say that it may write or create.
    pub const ENTRY_OF_WRITES: u32 = 1 << 25;
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
    /// The argument that is a descriptor whose file is captured, [`RESULT`], [`RESULT_OR_0`] or [`NONE`].
    pub fd: u8,
    /// [`Class`] as a number.
    pub class: u8,
    /// The argument that points to a socket address, to a message ([`shape::MESSAGE`]), or [`NONE`].
    pub address: u8,
    /// The argument that points to the data that are moved, or [`NONE`]; those of a message are found through it.
    pub data: u8,
    /// See [`shape`].
    pub shape: u8,
    /// See [`note`].
    pub note: u8,
}

/// Values of [`CallSpec::shape`]: how the address and the data of a call are passed.
pub mod shape {
    /// The length of the address is the argument behind it; that of the data, too.
    pub const DIRECT: u8 = 0;
    /// The argument behind the address points to its length, and the data are as long as the result.
    pub const RECEIVED: u8 = 1;
    /// A `struct msghdr` holds both (of several messages the first).
    pub const MESSAGE: u8 = 2;
}

/// Bits of [`CallSpec::note`].
pub mod note {
    /// The working directory after the call is captured.
    pub const CWD: u8 = 1;
    /// The call moves data from the program into a socket.
    pub const SENDS: u8 = 2;
    /// The call moves data from a socket into the program.
    pub const RECEIVES: u8 = 4;
    /// The call connects the socket, as the client.
    pub const CONNECTS: u8 = 8;
    /// The new socket is a server's end of a connection.
    pub const ACCEPTS: u8 = 16;
    /// The first text is one only for `PR_SET_NAME`.
    pub const PRCTL: u8 = 32;
    /// The paths are captured at entry, too: the kernel object is not known at exit, and the memory may have
    /// changed in between.
    pub const ENTRY: u8 = 64;
    /// As [`ENTRY`], where the call may write or create.
    pub const ENTRY_OF_WRITES: u8 = 128;
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
        let mut word =
            report | dispatch << interest::DISPATCH_SHIFT | self.stage << interest::STAGE_SHIFT;
        if report != 0 && self.spec.note & note::ENTRY != 0 {
            word |= interest::ENTRY;
        }
        // Of an open that succeeds the kernel itself tells the file.
        if report & (interest::REFUSED | interest::FAILED) != 0
            && self.spec.note & note::ENTRY_OF_WRITES != 0
        {
            word |= interest::ENTRY_OF_WRITES;
        }
        word
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

/// A call of which only numbers are captured; the functions below add to it.
const fn call(number: u16, class: Class) -> CallRow {
    CallRow {
        number,
        stage: stage::PLAIN,
        always: 0,
        spec: CallSpec {
            paths: [NO_PATH; 2],
            texts: [NONE; 2],
            fd: NONE,
            class: class as u8,
            address: NONE,
            data: NONE,
            shape: shape::DIRECT,
            note: 0,
        },
    }
}

impl CallRow {
    const fn paths(mut self, first: PathArg, second: PathArg) -> Self {
        self.spec.paths = [first, second];
        self.noting(note::ENTRY)
    }

    const fn path(self, path: PathArg) -> Self {
        self.paths(path, NO_PATH)
    }

    const fn texts(mut self, first: u8, second: u8) -> Self {
        self.spec.texts = [first, second];
        self
    }

    const fn text(self, text: u8) -> Self {
        self.texts(text, NONE)
    }

    const fn fd(mut self, fd: u8) -> Self {
        self.spec.fd = fd;
        self
    }

    const fn noting(mut self, note: u8) -> Self {
        self.spec.note |= note;
        self
    }

    /// At `stage`, which must see these outcomes whether reported or not.
    const fn first(mut self, stage: u32, always: u32) -> Self {
        self.stage = stage;
        self.always = always;
        self
    }

    const fn moving(mut self, shape: u8, address: u8, data: u8) -> Self {
        self.spec.shape = shape;
        self.spec.address = address;
        self.spec.data = data;
        self
    }
}

const fn open(number: u16, path: PathArg) -> CallRow {
    let mut row = call(number, Class::Open).fd(RESULT);
    row.spec.paths = [path, NO_PATH];
    row.noting(note::ENTRY_OF_WRITES)
        .first(stage::OPEN, interest::SUCCEEDED)
}

const fn path(number: u16, path: PathArg) -> CallRow {
    call(number, Class::Change).path(path)
}

const fn two_paths(number: u16, from: PathArg, to: PathArg) -> CallRow {
    call(number, Class::Change).paths(from, to)
}

const fn path_and_text(number: u16, path: PathArg, text: u8) -> CallRow {
    call(number, Class::Change).path(path).text(text)
}

const fn descriptor(number: u16) -> CallRow {
    call(number, Class::Change).fd(0)
}

const fn descriptor_and_text(number: u16) -> CallRow {
    descriptor(number).text(1)
}

const fn mounting(number: u16) -> CallRow {
    call(number, Class::Mount)
}

const fn namespace(number: u16) -> CallRow {
    call(number, Class::Namespace).first(stage::NAMESPACE, interest::SUCCEEDED)
}

/// A call that failed to execute: what succeeds is reported as the execution itself.
const fn execution(number: u16, path: PathArg) -> CallRow {
    let mut row = call(number, Class::ExecFailed);
    row.spec.paths = [path, NO_PATH];
    row
}

/// A call on a socket.
const fn socket(number: u16, fd: u8) -> CallRow {
    call(number, Class::Network).fd(fd).first(stage::NETWORK, 0)
}

/// A call that moves data through a socket.
const fn transfer(number: u16, note: u8, shape: u8, address: u8, data: u8) -> CallRow {
    let row = call(number, Class::Transfer)
        .fd(0)
        .noting(note)
        .moving(shape, address, data);
    row.first(stage::NETWORK, 0)
}

/// Every call the probes deliver.
pub static CALLS: &[CallRow] = &[
    open(2, at(CWD, 0)),                         // open
    open(85, at(CWD, 0)),                        // creat
    open(257, at(0, 1)),                         // openat
    open(437, at(0, 1)),                         // openat2
    open(304, NO_PATH),                          // open_by_handle_at
    path(76, at(CWD, 0)),                        // truncate
    descriptor(77),                              // ftruncate
    two_paths(82, at(CWD, 0), at(CWD, 1)),       // rename
    path(83, at(CWD, 0)),                        // mkdir
    path(84, at(CWD, 0)),                        // rmdir
    two_paths(86, at(CWD, 0), at(CWD, 1)),       // link
    path(87, at(CWD, 0)),                        // unlink
    path_and_text(88, at(CWD, 1), 0),            // symlink
    path(90, at(CWD, 0)),                        // chmod
    descriptor(91),                              // fchmod
    path(92, at(CWD, 0)),                        // chown
    descriptor(93),                              // fchown
    path(94, at(CWD, 0)),                        // lchown
    path(132, at(CWD, 0)),                       // utime
    path(133, at(CWD, 0)),                       // mknod
    path_and_text(188, at(CWD, 0), 1),           // setxattr
    path_and_text(189, at(CWD, 0), 1),           // lsetxattr
    descriptor_and_text(190),                    // fsetxattr
    path_and_text(197, at(CWD, 0), 1),           // removexattr
    path_and_text(198, at(CWD, 0), 1),           // lremovexattr
    descriptor_and_text(199),                    // fremovexattr
    path(235, at(CWD, 0)),                       // utimes
    path_and_text(463, at(0, 1), 3),             // setxattrat
    path_and_text(466, at(0, 1), 3),             // removexattrat
    path(258, at(0, 1)),                         // mkdirat
    path(259, at(0, 1)),                         // mknodat
    path(260, at(0, 1)),                         // fchownat
    path(261, at(0, 1)),                         // futimesat
    path(263, at(0, 1)),                         // unlinkat
    two_paths(264, at(0, 1), at(2, 3)),          // renameat
    two_paths(265, at(0, 1), at(2, 3)),          // linkat
    path_and_text(266, at(1, 2), 0),             // symlinkat
    path(268, at(0, 1)),                         // fchmodat
    path(280, at(0, 1)),                         // utimensat
    two_paths(316, at(0, 1), at(2, 3)),          // renameat2
    path(452, at(0, 1)),                         // fchmodat2
    mounting(155).paths(at(CWD, 0), at(CWD, 1)), // pivot_root
    mounting(161).path(at(CWD, 0)),              // chroot
    // The file system's type, then the source, which is a path only for some types.
    mounting(165).path(at(CWD, 1)).texts(2, 0), // mount
    mounting(166).path(at(CWD, 0)),             // umount2
    mounting(428).path(at(0, 1)).fd(RESULT),    // open_tree
    mounting(429).paths(at(0, 1), at(2, 3)),    // move_mount
    mounting(430).text(0).fd(RESULT),           // fsopen
    mounting(431).texts(2, 3).fd(0),            // fsconfig
    mounting(432).fd(RESULT),                   // fsmount
    mounting(433).path(at(0, 1)).fd(RESULT),    // fspick
    mounting(442).path(at(0, 1)),               // mount_setattr
    namespace(272),                             // unshare
    namespace(308).fd(0),                       // setns
    execution(59, at(CWD, 0)),                  // execve
    execution(322, at(0, 1)),                   // execveat
    call(101, Class::Access),                   // ptrace
    call(310, Class::Access),                   // process_vm_readv
    call(311, Class::Access),                   // process_vm_writev
    call(434, Class::Access).fd(RESULT),        // pidfd_open
    call(438, Class::Access).fd(RESULT),        // pidfd_getfd
    call(62, Class::Signal),                    // kill
    call(129, Class::Signal),                   // rt_sigqueueinfo
    call(200, Class::Signal),                   // tkill
    call(234, Class::Signal),                   // tgkill
    call(424, Class::Signal).fd(0),             // pidfd_send_signal
    call(80, Class::Identity).path(at(CWD, 0)).noting(note::CWD), // chdir
    call(81, Class::Identity).fd(0).noting(note::CWD), // fchdir
    call(105, Class::Identity),                 // setuid
    call(106, Class::Identity),                 // setgid
    call(109, Class::Identity),                 // setpgid
    call(112, Class::Identity),                 // setsid
    call(113, Class::Identity),                 // setreuid
    call(114, Class::Identity),                 // setregid
    call(116, Class::Identity),                 // setgroups
    call(117, Class::Identity),                 // setresuid
    call(119, Class::Identity),                 // setresgid
    call(122, Class::Identity),                 // setfsuid
    call(123, Class::Identity),                 // setfsgid
    call(126, Class::Identity),                 // capset
    call(157, Class::Identity).text(1).noting(note::PRCTL), // prctl
    call(160, Class::Identity),                 // setrlimit
    call(302, Class::Identity),                 // prlimit64
    call(317, Class::Identity),                 // seccomp
    call(248, Class::System).texts(0, 1),       // add_key
    call(249, Class::System).texts(0, 1),       // request_key
    call(250, Class::System),                   // keyctl
    call(167, Class::System).path(at(CWD, 0)),  // swapon
    call(168, Class::System).path(at(CWD, 0)),  // swapoff
    call(169, Class::System),                   // reboot
    call(172, Class::System),                   // iopl
    call(173, Class::System),                   // ioperm
    call(175, Class::System)
        .text(2)
        .moving(shape::DIRECT, NONE, 0), // init_module
    call(176, Class::System).text(0),           // delete_module
    call(246, Class::System),                   // kexec_load
    call(298, Class::System).fd(RESULT),        // perf_event_open
    call(300, Class::System).fd(RESULT),        // fanotify_init
    call(313, Class::System).text(1).fd(0),     // finit_module
    call(320, Class::System).fd(0),             // kexec_file_load
    call(321, Class::System).fd(RESULT),        // bpf
    call(323, Class::System).fd(RESULT),        // userfaultfd
    call(425, Class::System).fd(RESULT),        // io_uring_setup
    call(319, Class::Descriptor).text(0).fd(RESULT), // memfd_create
    call(447, Class::Descriptor).fd(RESULT),    // memfd_secret
    call(32, Class::Descriptor).fd(RESULT_OR_0), // dup
    call(33, Class::Descriptor).fd(RESULT_OR_0), // dup2
    call(292, Class::Descriptor).fd(RESULT_OR_0), // dup3
    socket(41, RESULT),                         // socket
    socket(42, 0)
        .noting(note::CONNECTS)
        .moving(shape::DIRECT, 1, NONE)
        .first(stage::NETWORK, interest::SUCCEEDED | interest::FAILED), // connect
    socket(43, RESULT)
        .noting(note::ACCEPTS)
        .first(stage::NETWORK, interest::SUCCEEDED), // accept
    socket(288, RESULT)
        .noting(note::ACCEPTS)
        .first(stage::NETWORK, interest::SUCCEEDED), // accept4
    socket(48, 0),                              // shutdown
    socket(49, 0).moving(shape::DIRECT, 1, NONE), // bind
    socket(50, 0),                              // listen
    socket(53, NONE),                           // socketpair
    transfer(44, note::SENDS, shape::DIRECT, 4, 1), // sendto
    transfer(45, note::RECEIVES, shape::RECEIVED, 4, 1), // recvfrom
    transfer(46, note::SENDS, shape::MESSAGE, 1, NONE), // sendmsg
    transfer(47, note::RECEIVES, shape::MESSAGE, 1, NONE), // recvmsg
    transfer(307, note::SENDS, shape::MESSAGE, 1, NONE), // sendmmsg
    transfer(299, note::RECEIVES, shape::MESSAGE, 1, NONE), // recvmmsg
];

/// [`CALLS`] by system call number, for the probes.
pub const SPECS: [CallSpec; NUMBERS as usize] = {
    let mut specs = [call(0, Class::Fork).spec; NUMBERS as usize];
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
        assert_eq!(
            word >> interest::STAGE_SHIFT & interest::STAGE_MASK,
            stage::OPEN
        );
    }
}
