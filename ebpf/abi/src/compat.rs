//! The table of the 32-bit entry: which 64-bit call does the same with the same arguments.
//!
//! Only calls that the probes deliver are in it. Arguments are 32 bits wide and stand in the same order; what they
//! point to may be laid out differently (`struct msghdr`).

use crate::calls::NUMBERS;

/// No 64-bit call does the same.
pub const NONE: u16 = 0xffff;
/// `socketcall`: the call is the first argument, its arguments are an array that the second one points to.
pub const SOCKETCALL: u32 = 102;

/// i386 number, x86-64 number.
const ROWS: &[(u16, u16)] = &[
    (5, 2),     // open
    (8, 85),    // creat
    (9, 86),    // link
    (10, 87),   // unlink
    (11, 59),   // execve
    (12, 80),   // chdir
    (14, 133),  // mknod
    (15, 90),   // chmod
    (21, 165),  // mount
    (22, 166),  // umount; its second argument is none
    (23, 105),  // setuid16
    (26, 101),  // ptrace
    (37, 62),   // kill
    (38, 82),   // rename
    (39, 83),   // mkdir
    (40, 84),   // rmdir
    (41, 32),   // dup
    (46, 106),  // setgid16
    (52, 166),  // umount2
    (57, 109),  // setpgid
    (61, 161),  // chroot
    (63, 33),   // dup2
    (66, 112),  // setsid
    (70, 113),  // setreuid16
    (71, 114),  // setregid16
    (75, 160),  // setrlimit
    (81, 116),  // setgroups16
    (83, 88),   // symlink
    (87, 167),  // swapon
    (88, 169),  // reboot
    (92, 76),   // truncate
    (93, 77),   // ftruncate
    (94, 91),   // fchmod
    (95, 93),   // fchown16
    (101, 173), // ioperm
    (110, 172), // iopl
    (115, 168), // swapoff
    (128, 175), // init_module
    (129, 176), // delete_module
    (133, 81),  // fchdir
    (138, 122), // setfsuid16
    (139, 123), // setfsgid16
    (164, 117), // setresuid16
    (170, 119), // setresgid16
    (172, 157), // prctl
    (178, 129), // rt_sigqueueinfo
    (182, 92),  // chown16
    (185, 126), // capset
    (193, 76),  // truncate64
    (194, 77),  // ftruncate64
    (198, 94),  // lchown
    (203, 113), // setreuid
    (204, 114), // setregid
    (206, 116), // setgroups
    (207, 93),  // fchown
    (208, 117), // setresuid
    (210, 119), // setresgid
    (212, 92),  // chown
    (213, 105), // setuid
    (214, 106), // setgid
    (215, 122), // setfsuid
    (216, 123), // setfsgid
    (217, 155), // pivot_root
    (226, 188), // setxattr
    (227, 189), // lsetxattr
    (228, 190), // fsetxattr
    (235, 197), // removexattr
    (236, 198), // lremovexattr
    (237, 199), // fremovexattr
    (238, 200), // tkill
    (270, 234), // tgkill
    (271, 235), // utimes
    (30, 132),  // utime
    (16, 94),   // lchown16
    (283, 246), // kexec_load
    (286, 248), // add_key
    (287, 249), // request_key
    (288, 250), // keyctl
    (295, 257), // openat
    (296, 258), // mkdirat
    (297, 259), // mknodat
    (298, 260), // fchownat
    (299, 261), // futimesat
    (301, 263), // unlinkat
    (302, 264), // renameat
    (303, 265), // linkat
    (304, 266), // symlinkat
    (306, 268), // fchmodat
    (310, 272), // unshare
    (320, 280), // utimensat
    (330, 292), // dup3
    (336, 298), // perf_event_open
    (338, 300), // fanotify_init
    (340, 302), // prlimit64
    (342, 304), // open_by_handle_at
    (346, 308), // setns
    (347, 310), // process_vm_readv
    (348, 311), // process_vm_writev
    (350, 313), // finit_module
    (353, 316), // renameat2
    (354, 317), // seccomp
    (356, 319), // memfd_create
    (357, 321), // bpf
    (358, 322), // execveat
    (359, 41),  // socket
    (360, 53),  // socketpair
    (361, 49),  // bind
    (362, 42),  // connect
    (363, 50),  // listen
    (364, 288), // accept4
    (369, 44),  // sendto
    (370, 46),  // sendmsg
    (345, 307), // sendmmsg
    (337, 299), // recvmmsg
    (371, 45),  // recvfrom
    (372, 47),  // recvmsg
    (373, 48),  // shutdown
    (374, 323), // userfaultfd
    (412, 280), // utimensat_time64
    (424, 424), // pidfd_send_signal
    (425, 425), // io_uring_setup
    (428, 428), // open_tree
    (429, 429), // move_mount
    (430, 430), // fsopen
    (431, 431), // fsconfig
    (432, 432), // fsmount
    (433, 433), // fspick
    (434, 434), // pidfd_open
    (437, 437), // openat2
    (438, 438), // pidfd_getfd
    (442, 442), // mount_setattr
    (447, 447), // memfd_secret
    (452, 452), // fchmodat2
    (463, 463), // setxattrat
    (466, 466), // removexattrat
];

/// x32 numbers above 511 (without the bit that marks the table), x86-64 number: calls whose pointers lie in memory.
const X32_ROWS: &[(u16, u16)] = &[
    (517, 45),  // recvfrom
    (518, 46),  // sendmsg
    (519, 47),  // recvmsg
    (520, 59),  // execve
    (521, 101), // ptrace
    (524, 129), // rt_sigqueueinfo
    (528, 246), // kexec_load
    (537, 299), // recvmmsg
    (538, 307), // sendmmsg
    (539, 310), // process_vm_readv
    (540, 311), // process_vm_writev
    (545, 322), // execveat
];

/// The calls of `socketcall` by its first argument; 0 for those that the probes do not deliver.
pub const SOCKETCALLS: [u16; 32] = {
    let mut calls = [0; 32];
    calls[1] = 41; // socket
    calls[2] = 49; // bind
    calls[3] = 42; // connect
    calls[4] = 50; // listen
    calls[5] = 43; // accept
    calls[8] = 53; // socketpair
    calls[9] = 44; // send
    calls[10] = 45; // recv
    calls[11] = 44; // sendto
    calls[12] = 45; // recvfrom
    calls[13] = 48; // shutdown
    calls[16] = 46; // sendmsg
    calls[17] = 47; // recvmsg
    calls[18] = 288; // accept4
    calls[19] = 299; // recvmmsg
    calls[20] = 307; // sendmmsg
    calls
};

/// x86-64 numbers by i386 number, or [`NONE`].
pub const I386: [u16; NUMBERS as usize] = by_number(ROWS, 0);
/// x86-64 numbers by x32 number minus 512, or [`NONE`]; those below 512 are the x86-64 numbers.
pub const X32: [u16; 64] = by_number(X32_ROWS, 512);

const fn by_number<const N: usize>(rows: &[(u16, u16)], first: u16) -> [u16; N] {
    let mut table = [NONE; N];
    let mut index = 0;
    while index < rows.len() {
        table[(rows[index].0 - first) as usize] = rows[index].1;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls;

    #[test]
    fn every_call_of_the_tables_is_delivered() {
        let all = ROWS.iter().chain(X32_ROWS).map(|row| row.1);
        let multiplexed = SOCKETCALLS.into_iter().filter(|number| *number != 0);
        for number in all.chain(multiplexed) {
            assert!(calls::find(number).is_some(), "{number}");
        }
    }

    #[test]
    fn no_number_stands_twice() {
        for rows in [ROWS, X32_ROWS] {
            for (index, row) in rows.iter().enumerate() {
                assert!(
                    rows[..index].iter().all(|other| other.0 != row.0),
                    "{row:?}"
                );
            }
        }
    }

    #[test]
    fn every_delivered_call_but_those_that_a_32_bit_task_lacks_has_a_number() {
        // accept has none of its own: it is a call of socketcall.
        for row in calls::CALLS {
            let known =
                ROWS.iter().any(|known| known.1 == row.number) || SOCKETCALLS.contains(&row.number);
            assert!(known || LACKING.contains(&row.number), "{}", row.number);
        }
    }

    /// rt_sigqueueinfo carries a structure only; kexec_file_load is a 64-bit call.
    const LACKING: &[u16] = &[129, 320];
}
