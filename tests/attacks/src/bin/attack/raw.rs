//! System calls made by number, as an attacker's own code makes them, and the few other things Rust's library has
//! no safe way to do.

#![allow(
    unsafe_code,
    reason = "system calls are made by number, as a program under watch would make them"
)]

use std::arch::asm;
use std::ffi::{CStr, CString, c_long};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// One argument of a system call.
#[derive(Debug)]
pub(crate) enum Arg<'a> {
    /// A number.
    Int(i64),
    /// A pointer to a string.
    Text(&'a CStr),
    /// A pointer to bytes that the kernel reads.
    Bytes(&'a [u8]),
    /// A pointer to bytes that the kernel may write.
    Room(&'a mut [u8]),
    /// An array of pointers to strings, ended by a null pointer.
    Texts(&'a [CString]),
}

/// Makes a system call.
///
/// Lengths that go with pointers are arguments of their own: callers pass those of the slices they pass.
pub(crate) fn call(number: c_long, args: &mut [Arg<'_>]) -> io::Result<i64> {
    let arrays: Vec<Vec<*const libc::c_char>> = args
        .iter()
        .map(|arg| match arg {
            Arg::Texts(texts) => texts
                .iter()
                .map(|text| text.as_ptr())
                .chain([std::ptr::null()])
                .collect(),
            _ => Vec::new(),
        })
        .collect();
    let mut words = [0_usize; 6];
    for ((word, arg), array) in words.iter_mut().zip(args).zip(&arrays) {
        *word = match arg {
            Arg::Int(number) => usize::from_ne_bytes(number.to_ne_bytes()),
            Arg::Text(text) => text.as_ptr().addr(),
            Arg::Bytes(bytes) => bytes.as_ptr().addr(),
            Arg::Room(bytes) => bytes.as_mut_ptr().addr(),
            Arg::Texts(_) => array.as_ptr().addr(),
        };
    }
    let [a, b, c, d, e, f] = words;
    // SAFETY: every pointer is that of a slice, string or array that outlives the call; no call that changes the
    // memory map or the stack is made through here.
    answer(unsafe { libc::syscall(number, a, b, c, d, e, f) })
}

fn answer(result: c_long) -> io::Result<i64> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Which side of a fork one is on.
pub(crate) enum Side {
    Parent(i32),
    Child,
}

/// Forks. Only for deeds without a second thread.
pub(crate) fn fork() -> io::Result<Side> {
    // SAFETY: the process has one thread, so that the child finds no lock held.
    match answer(unsafe { libc::fork() }.into())? {
        0 => Ok(Side::Child),
        pid => Ok(Side::Parent(i32::try_from(pid).map_err(io::Error::other)?)),
    }
}

/// Waits for a child; its wait status.
pub(crate) fn wait(pid: i32) -> io::Result<i32> {
    let mut status = 0;
    // SAFETY: the status outlives the call.
    answer(unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) }.into())?;
    Ok(status)
}

/// Ends the process at once, as a forked child must.
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: nothing of the parent's is flushed or run.
    unsafe { libc::_exit(code) }
}

/// `ptrace(2)` without pointers.
pub(crate) fn ptrace(request: i64, pid: i32) -> io::Result<()> {
    call(
        libc::SYS_ptrace,
        &mut [
            Arg::Int(request),
            Arg::Int(pid.into()),
            Arg::Int(0),
            Arg::Int(0),
        ],
    )
    .map(drop)
}

/// Has the child of a command offer itself to its parent before it executes.
pub(crate) fn offer_to_parent(command: &mut Command) {
    // SAFETY: the closure makes one system call and allocates only when that fails.
    unsafe { command.pre_exec(|| ptrace(0, 0)) };
}

/// A page below 4 GiB, where the 32-bit entry finds pointers. Stays mapped until the process ends.
pub(crate) fn low_page(content: &[u8]) -> io::Result<u32> {
    const PAGE: usize = 8192;
    // SAFETY: a new mapping that nothing else knows.
    let page = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            PAGE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    if content.len() >= PAGE {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: the page is ours, writable and longer than the content; it is zero behind it.
    unsafe { std::ptr::copy_nonoverlapping(content.as_ptr(), page.cast(), content.len()) };
    u32::try_from(page.addr()).map_err(io::Error::other)
}

/// Makes a system call through the 32-bit entry, with the numbers of that table.
pub(crate) fn call_32(number: u32, args: [u32; 5]) -> io::Result<i32> {
    let [b, c, d, e, f] = args;
    let mut result = u64::from(number);
    // SAFETY: pointers among the arguments are those of `low_page`; rbx, which the compiler keeps for itself, is
    // put back, and the entry changes no other register than rax and, on old kernels, r8 to r11.
    unsafe {
        asm!(
            "xchg rbx, {b}",
            "int 0x80",
            "xchg rbx, {b}",
            b = inout(reg) u64::from(b) => _,
            inout("rax") result,
            in("rcx") u64::from(c),
            in("rdx") u64::from(d),
            in("rsi") u64::from(e),
            in("rdi") u64::from(f),
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    let low = result & 0xffff_ffff;
    let value = i32::from_ne_bytes(u32::try_from(low).unwrap_or_default().to_ne_bytes());
    if value < 0 {
        Err(io::Error::from_raw_os_error(-value))
    } else {
        Ok(value)
    }
}

/// Maps a piece of a file that kernel and process share, such as a ring. Stays mapped until the process ends.
pub(crate) fn shared(fd: i32, offset: i64, bytes: usize) -> io::Result<&'static mut [u8]> {
    // SAFETY: a new mapping that nothing else knows.
    let place = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_POPULATE,
            fd,
            offset,
        )
    };
    if place == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping has this length and lives as long as the process; its other user is the kernel, which
    // is asked to look at it, and done, within a call.
    Ok(unsafe { std::slice::from_raw_parts_mut(place.cast(), bytes) })
}

/// The address of a slice, for structures that carry pointers.
pub(crate) fn address(bytes: &[u8]) -> u64 {
    bytes.as_ptr().addr() as u64
}

/// Stores a letter into a string that another thread hands to the kernel at the same time.
pub(crate) fn store(place: *mut u8, letter: u8) {
    // SAFETY: callers pass a byte of a buffer that was leaked; a torn value is impossible for a byte.
    unsafe { place.write_volatile(letter) };
}
