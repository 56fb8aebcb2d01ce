//! Calls that are not made as calls: the kernel takes them from a ring (`io_uring(7)`).

use std::ffi::CStr;
use std::io;
use std::sync::atomic::{Ordering, fence};

use anyhow::{Context as _, Result};

use crate::raw::{Arg, address, call, shared};

/// Who in the kernel does what a ring asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Doer {
    /// The process that submits, while it is in the call.
    Caller,
    /// A worker thread of the kernel's.
    Worker,
    /// A thread of the kernel's that looks for submissions by itself.
    Poller,
}

/// What a submission asks for.
#[derive(Debug, Default)]
pub(crate) struct Submission {
    opcode: u8,
    fd: i32,
    offset: u64,
    address: u64,
    length: u32,
    flags: u32,
    /// One more than the place among the ring's own files that an open fills; 0 for an ordinary descriptor.
    place: u32,
    /// Whether `fd` is a place among the ring's own files.
    is_own_file: bool,
}

impl Submission {
    /// `openat(AT_FDCWD, path, flags, 0644)`.
    pub(crate) fn open(path: &CStr, flags: i32) -> Self {
        Self {
            opcode: 18,
            fd: libc::AT_FDCWD,
            address: address(path.to_bytes_with_nul()),
            length: 0o644,
            flags: flags.cast_unsigned(),
            ..Self::default()
        }
    }

    /// The same, into the first place among the ring's own files instead of a descriptor.
    pub(crate) fn open_into_ring(path: &CStr, flags: i32) -> Self {
        Self {
            place: 1,
            ..Self::open(path, flags)
        }
    }

    /// `read` from the first of the ring's own files.
    pub(crate) fn read_from_ring(room: &[u8]) -> Result<Self> {
        Ok(Self {
            opcode: 22,
            fd: 0,
            address: address(room),
            length: room.len().try_into()?,
            is_own_file: true,
            ..Self::default()
        })
    }

    /// `connect(fd, address)`.
    pub(crate) fn connect(fd: i32, socket_address: &[u8]) -> Self {
        Self {
            opcode: 16,
            fd,
            address: address(socket_address),
            offset: socket_address.len() as u64,
            ..Self::default()
        }
    }

    fn bytes(&self, doer: Doer) -> Vec<u8> {
        const FIXED_FILE: u8 = 1 << 0;
        const ASYNC: u8 = 1 << 4;
        let mut flags = 0;
        if matches!(doer, Doer::Worker) {
            flags |= ASYNC;
        }
        if self.is_own_file {
            flags |= FIXED_FILE;
        }
        let mut bytes = vec![self.opcode, flags, 0, 0];
        bytes.extend(self.fd.to_ne_bytes());
        bytes.extend(self.offset.to_ne_bytes());
        bytes.extend(self.address.to_ne_bytes());
        bytes.extend(self.length.to_ne_bytes());
        bytes.extend(self.flags.to_ne_bytes());
        bytes.resize(44, 0);
        bytes.extend(self.place.to_ne_bytes());
        bytes.resize(64, 0);
        bytes
    }
}

/// Has one submission done by a ring of its own; what the call would have returned.
pub(crate) fn perform(submission: &Submission, doer: Doer) -> Result<i32> {
    Ring::new(doer)?.perform(submission)
}

/// A ring that does one thing at a time.
pub(crate) struct Ring {
    fd: i64,
    doer: Doer,
    rings: &'static mut [u8],
    slots: &'static mut [u8],
    /// Where in `rings` the counter of submissions stands, the place of the next one, and the completions.
    tail: usize,
    array: usize,
    completions: usize,
    /// Submissions so far.
    done: u32,
}

impl Ring {
    pub(crate) fn new(doer: Doer) -> Result<Self> {
        const SUBMISSIONS: i64 = 0x1000_0000;
        const POLLED: u32 = 1 << 1;
        let mut params = [0_u8; 120];
        let is_polled = matches!(doer, Doer::Poller);
        put(&mut params, 8, if is_polled { POLLED } else { 0 })?;
        let fd = call(
            libc::SYS_io_uring_setup,
            &mut [Arg::Int(1), Arg::Room(&mut params)],
        )
        .context("io_uring_setup")?;
        let number = i32::try_from(fd)?;
        let offset = |at: usize| word(&params, at).map(|offset| offset as usize);
        let (tail, array) = (offset(44)?, offset(64)?);
        let entries = offset(4)?;
        let completions = offset(100)?;
        // Both rings are one mapping since Linux 5.4.
        let length = (array + 4).max(completions + 16 * entries);
        Ok(Self {
            fd,
            doer,
            rings: shared(number, 0, length).context("mapping the rings")?,
            slots: shared(number, SUBMISSIONS, 64).context("mapping the submissions")?,
            tail,
            array,
            completions,
            done: 0,
        })
    }

    /// Makes one empty place for a file of the ring's own.
    pub(crate) fn make_place(&self) -> Result<()> {
        const REGISTER_FILES: i64 = 2;
        call(
            libc::SYS_io_uring_register,
            &mut [
                Arg::Int(self.fd),
                Arg::Int(REGISTER_FILES),
                Arg::Bytes(&(-1_i32).to_ne_bytes()),
                Arg::Int(1),
            ],
        )
        .context("io_uring_register")?;
        Ok(())
    }

    /// What the call would have returned.
    pub(crate) fn perform(&mut self, submission: &Submission) -> Result<i32> {
        const WAIT: i64 = 1 << 0;
        const WAKE: i64 = 1 << 1;
        const COMPLETION_BYTES: usize = 16;
        // With room for one submission there is room for two completions, used in turn.
        let completion = self.completions + COMPLETION_BYTES * (self.done % 2) as usize;
        self.slots.copy_from_slice(&submission.bytes(self.doer));
        put(self.rings, self.array, 0)?;
        // A poller may look at any moment.
        fence(Ordering::Release);
        self.done += 1;
        put(self.rings, self.tail, self.done)?;
        let is_polled = matches!(self.doer, Doer::Poller);
        call(
            libc::SYS_io_uring_enter,
            &mut [
                Arg::Int(self.fd),
                Arg::Int(1),
                Arg::Int(i64::from(self.done)),
                Arg::Int(if is_polled { WAIT | WAKE } else { WAIT }),
                Arg::Int(0),
                Arg::Int(0),
            ],
        )
        .context("io_uring_enter")?;
        let result = word(self.rings, completion + 8)?.cast_signed();
        if result < 0 {
            return Err(io::Error::from_raw_os_error(-result).into());
        }
        Ok(result)
    }
}

fn word(bytes: &[u8], at: usize) -> Result<u32> {
    let bytes = bytes.get(at..at + 4).context("inside the ring")?;
    Ok(u32::from_ne_bytes(bytes.try_into()?))
}

fn put(bytes: &mut [u8], at: usize, value: u32) -> Result<()> {
    bytes
        .get_mut(at..at + 4)
        .context("inside the ring")?
        .copy_from_slice(&value.to_ne_bytes());
    Ok(())
}
