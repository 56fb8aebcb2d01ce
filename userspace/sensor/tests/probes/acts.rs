#![allow(
    unsafe_code,
    reason = "system calls are made by number, as a program under watch would make them"
)]
//! What the actor can do beyond one 64-bit call: values in memory, 32-bit calls, requests of io_uring, races, children
//! by any call that makes them.

use std::arch::asm;
use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::actor::Request;

/// An argument as it lies in the actor's memory.
pub(crate) enum Value {
    Number(i64),
    Text(CString),
    Words(Vec<u64>),
    Bytes(Vec<u8>),
    Message(Box<Message>),
}

/// A message and what it points to.
pub(crate) struct Message {
    name: Vec<u8>,
    data: Vec<u8>,
    vector: [u64; 2],
    header: [u64; 8],
}

impl Value {
    /// As [`super::actor`] writes it.
    pub(crate) fn read(arg: &str) -> Self {
        match arg.split_at(1) {
            ("i", number) => Self::Number(number.parse().unwrap()),
            ("s", text) => Self::Text(CString::new(text).unwrap()),
            ("w", words) => {
                Self::Words(words.split(',').map(|word| word.parse().unwrap()).collect())
            }
            ("b", hex) => Self::Bytes(bytes(hex)),
            ("m", message) => {
                let (name, data) = message.split_once(',').unwrap();
                Self::Message(Box::new(Message {
                    name: bytes(name),
                    data: bytes(data),
                    vector: [0; 2],
                    header: [0; 8],
                }))
            }
            ("h", path) => Self::Bytes(handle(&CString::new(bytes(path)).unwrap())),
            _ => panic!("what is {arg:?}?"),
        }
    }

    /// What a register holds for it: good as long as this value lives.
    pub(crate) fn register(&mut self) -> i64 {
        match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.as_ptr().expose_provenance() as i64,
            Self::Words(words) => words.as_mut_ptr().expose_provenance() as i64,
            Self::Bytes(bytes) => bytes.as_mut_ptr().expose_provenance() as i64,
            Self::Message(message) => {
                let Message {
                    name,
                    data,
                    vector,
                    header,
                } = &mut **message;
                let name_at = if name.is_empty() {
                    0
                } else {
                    name.as_mut_ptr().expose_provenance() as u64
                };
                *vector = [
                    data.as_mut_ptr().expose_provenance() as u64,
                    data.len() as u64,
                ];
                // msg_name, msg_namelen, msg_iov, msg_iovlen, and nothing behind them.
                header[..4].copy_from_slice(&[
                    name_at,
                    name.len() as u64,
                    vector.as_mut_ptr().expose_provenance() as u64,
                    1,
                ]);
                header.as_mut_ptr().expose_provenance() as i64
            }
        }
    }

    /// The bytes behind a pointer; none for a number.
    fn pointed(&self) -> Option<Vec<u8>> {
        match self {
            Self::Number(_) => None,
            Self::Text(text) => Some(text.as_bytes_with_nul().to_vec()),
            Self::Words(words) => Some(words.iter().flat_map(|word| word.to_le_bytes()).collect()),
            Self::Bytes(bytes) => Some(bytes.clone()),
            Self::Message(_) => panic!("a 32-bit message is laid out otherwise"),
        }
    }
}

/// The `struct file_handle` of a path: `handle_bytes`, `handle_type` and what only the file system understands.
fn handle(path: &CStr) -> Vec<u8> {
    let mut handle = vec![0u8; 8 + libc::MAX_HANDLE_SZ.cast_unsigned() as usize];
    handle[..4].copy_from_slice(&libc::MAX_HANDLE_SZ.to_le_bytes());
    let mut mount = 0i32;
    // SAFETY: the handle has the room that its head says, and the mount's number is one.
    let named = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            path.as_ptr(),
            handle.as_mut_ptr(),
            &raw mut mount,
            0,
        )
    };
    if named != 0 {
        handle[..4].fill(0);
    }
    handle
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap())
        .collect()
}

/// Makes a call through the 32-bit entry, with what its arguments point to where 32 bits reach.
pub(crate) fn call_32(number: i64, args: &[&str]) -> i64 {
    const ROOM: usize = 64 * 1024;
    // SAFETY: new memory, which is given back below.
    let memory = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            ROOM,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
            -1,
            0,
        )
    };
    assert_ne!(memory, libc::MAP_FAILED);
    let mut used = 0;
    let mut raw = [0i64; 5];
    for (slot, arg) in raw.iter_mut().zip(args) {
        // An array of 32-bit words, of which those above the rest of the arguments point to them.
        let value = Value::read(arg);
        *slot = match (&value, value.pointed()) {
            (Value::Number(number), _) => *number,
            (_, Some(bytes)) => {
                assert!(used + bytes.len() <= ROOM);
                // SAFETY: inside the memory, as just checked.
                let place = unsafe { memory.cast::<u8>().add(used) };
                // SAFETY: as above; the two do not overlap.
                unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
                used += bytes.len().next_multiple_of(8);
                place.expose_provenance() as i64
            }
            (_, None) => unreachable!(),
        };
    }
    let mut result: i64 = number;
    // SAFETY: the tests call only what leaves this process's memory alone; the 32-bit entry clobbers r8 to r11, and
    // rbx, which the compiler keeps for itself, is put back.
    unsafe {
        asm!("xchg rbx, {first}", "int 0x80", "xchg rbx, {first}", first = inout(reg) raw[0] => _,
            in("rcx") raw[1], in("rdx") raw[2], in("rsi") raw[3], in("rdi") raw[4],
            inout("rax") result, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    // SAFETY: made above, and nothing points to it any more.
    unsafe { libc::munmap(memory, ROOM) };
    result
}

/// Makes a child that ends at once, by a call that may let it run on the stack of its parent.
pub(crate) fn fork_by(number: i64, args: &[&str]) -> i64 {
    let mut values: Vec<Value> = args.iter().map(|arg| Value::read(arg)).collect();
    let mut raw = [0i64; 5];
    for (slot, value) in raw.iter_mut().zip(&mut values) {
        *slot = value.register();
    }
    let mut child: i64 = number;
    // SAFETY: the child touches no memory before its end, so that the parent finds its own as it was; what pointers
    // point to lives until the end of this function. A system call clobbers rcx and r11.
    unsafe {
        asm!("syscall", "test rax, rax", "jnz 2f", "xor edi, edi", "mov eax, {exit}", "syscall", "2:",
            exit = const libc::SYS_exit_group, inout("rax") child,
            inout("rdi") raw[0] => _, in("rsi") raw[1], in("rdx") raw[2], in("r10") raw[3], in("r8") raw[4],
            out("rcx") _, out("r11") _);
    }
    if let Ok(pid) = i32::try_from(child)
        && pid > 0
    {
        // SAFETY: asks for no status.
        assert_eq!(unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) }, pid);
    }
    child
}

/// `struct io_sqring_offsets` or `io_cqring_offsets`, as far as needed: head, tail, mask, ..., array or cqes.
const PARAMS_WORDS: usize = 30;

/// One request to a ring of its own.
pub(crate) fn ring(request: &Request, args: &[&str]) -> i64 {
    let mut values: Vec<Value> = args.iter().map(|arg| Value::read(arg)).collect();
    let mut pointers = [0u64; 2];
    for (slot, value) in pointers.iter_mut().zip(&mut values) {
        *slot = value.register().cast_unsigned();
    }
    let mut params = [0u32; PARAMS_WORDS];
    // SAFETY: the structure is as large as the kernel's.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, params.as_mut_ptr()) };
    if ring < 0 {
        return -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap());
    }
    let fd = i32::try_from(ring).unwrap();
    // Submission: sq_off begins at word 10, completion: cq_off at word 20.
    let sq = &params[10..20];
    let cq = &params[20..30];
    let sq_bytes = (sq[6] + params[0] * 4) as usize;
    let cq_bytes = (cq[5] + params[1] * 16) as usize;
    let map = |bytes: usize, offset: i64| {
        // SAFETY: new memory, given back with the process.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd,
                offset,
            )
        };
        assert_ne!(memory, libc::MAP_FAILED);
        memory.cast::<u8>()
    };
    let submission = map(sq_bytes, 0);
    let completion = map(cq_bytes, 0x800_0000);
    let entries = map(params[0] as usize * 64, 0x1000_0000);
    if request.slot != 0 {
        let mut none = [-1i32; 4];
        // SAFETY: the array lives until the call returns. IORING_REGISTER_FILES.
        let registered =
            unsafe { libc::syscall(libc::SYS_io_uring_register, fd, 2, none.as_mut_ptr(), 4) };
        assert_eq!(registered, 0);
    }
    let mut entry = [0u8; 64];
    entry[0] = request.opcode;
    entry[1] = request.how;
    entry[4..8].copy_from_slice(&i32::try_from(request.fd).unwrap().to_le_bytes());
    entry[8..16].copy_from_slice(&pointers[1].to_le_bytes());
    entry[16..24].copy_from_slice(&pointers[0].to_le_bytes());
    entry[24..28].copy_from_slice(&request.len.to_le_bytes());
    entry[28..32].copy_from_slice(&request.flags.to_le_bytes());
    entry[44..48].copy_from_slice(&request.slot.to_le_bytes());
    // SAFETY: all offsets are those that the kernel gave for memory of the sizes that it asked for.
    unsafe {
        entries.copy_from_nonoverlapping(entry.as_ptr(), entry.len());
        submission.add(sq[6] as usize).cast::<u32>().write(0);
        let tail = AtomicU32::from_ptr(submission.add(sq[1] as usize).cast());
        tail.store(1, Ordering::Release);
        let submitted = libc::syscall(
            libc::SYS_io_uring_enter,
            fd,
            1,
            1,
            1,
            std::ptr::null::<u8>(),
            0,
        );
        assert_eq!(submitted, 1);
        let done = AtomicU32::from_ptr(completion.add(cq[1] as usize).cast());
        assert_eq!(done.load(Ordering::Acquire), 1);
        let result = completion.add(cq[5] as usize + 8).cast::<i32>().read();
        libc::munmap(submission.cast(), sq_bytes);
        libc::munmap(completion.cast(), cq_bytes);
        libc::munmap(entries.cast(), params[0] as usize * 64);
        libc::close(fd);
        result.into()
    }
}

/// Removes a path while a second thread writes it anew.
pub(crate) fn race(one: &str, other: &str, attempts: u32) -> i64 {
    assert_eq!(one.len(), other.len());
    let path = CString::new(one).unwrap().into_raw();
    let place = path.expose_provenance();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let path: *mut u8 = std::ptr::with_exposed_provenance_mut(place);
            for text in [other, one].iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                for (at, &byte) in text.as_bytes().iter().enumerate() {
                    // SAFETY: inside the string; that another thread reads it is the point of it.
                    unsafe { path.add(at).write_volatile(byte) };
                }
            }
        });
        for _ in 0..attempts {
            // SAFETY: the string lives until the end of this function.
            unsafe { libc::syscall(libc::SYS_unlink, path) };
        }
        stop.store(true, Ordering::Relaxed);
    });
    // SAFETY: made above, and the thread that wrote to it has ended.
    drop(unsafe { CString::from_raw(path) });
    attempts.into()
}
