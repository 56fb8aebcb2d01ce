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
        const ASYNC: u8 = 1 << 4;
        let flags = if matches!(doer, Doer::Worker) {
            ASYNC
        } else {
            0
        };
        let mut bytes = vec![self.opcode, flags, 0, 0];
        bytes.extend(self.fd.to_ne_bytes());
        bytes.extend(self.offset.to_ne_bytes());
        bytes.extend(self.address.to_ne_bytes());
        bytes.extend(self.length.to_ne_bytes());
        bytes.extend(self.flags.to_ne_bytes());
        bytes.resize(64, 0);
        bytes
    }
}

/// Has one submission done by a ring of its own; what the call would have returned.
pub(crate) fn perform(submission: &Submission, doer: Doer) -> Result<i32> {
    const SUBMISSIONS: i64 = 0x1000_0000;
    const POLLED: u32 = 1 << 1;
    const WAIT: i64 = 1 << 0;
    const WAKE: i64 = 1 << 1;
    let is_polled = matches!(doer, Doer::Poller);
    let mut params = [0_u8; 120];
    put(&mut params, 8, if is_polled { POLLED } else { 0 })?;
    let ring = call(
        libc::SYS_io_uring_setup,
        &mut [Arg::Int(1), Arg::Room(&mut params)],
    )
    .context("io_uring_setup")?;
    let fd = i32::try_from(ring)?;
    let offset = |at: usize| word(&params, at).map(|offset| offset as usize);
    let (tail, array) = (offset(44)?, offset(64)?);
    let entries = offset(4)?;
    let completions = offset(100)?;
    // Both rings are one mapping since Linux 5.4.
    let length = (array + 4).max(completions + 16 * entries);
    let rings = shared(fd, 0, length).context("mapping the rings")?;
    let slots = shared(fd, SUBMISSIONS, 64).context("mapping the submissions")?;
    slots.copy_from_slice(&submission.bytes(doer));
    put(rings, array, 0)?;
    // A poller may look at any moment.
    fence(Ordering::Release);
    put(rings, tail, 1)?;
    call(
        libc::SYS_io_uring_enter,
        &mut [
            Arg::Int(ring),
            Arg::Int(1),
            Arg::Int(1),
            Arg::Int(if is_polled { WAIT | WAKE } else { WAIT }),
            Arg::Int(0),
            Arg::Int(0),
        ],
    )
    .context("io_uring_enter")?;
    let result = word(rings, completions + 8)?.cast_signed();
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result).into());
    }
    Ok(result)
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
