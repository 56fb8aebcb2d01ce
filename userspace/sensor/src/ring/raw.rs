#![allow(
    unsafe_code,
    reason = "memory the kernel shares, and a descriptor the reactor keeps, are beyond the compiler's sight"
)]
//! What about the ring the compiler cannot check: how full it is, told only by the two position pages that the
//! kernel shares, and its registration with the reactor.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use aya::maps::{MapData, RingBuf};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::RingUse;

/// Lets the reactor of the current tokio runtime watch the ring.
pub(super) fn register(ring: RingBuf<MapData>) -> io::Result<AsyncFd<RingBuf<MapData>>> {
    // SAFETY: the ring owns the descriptor of its map, answers always the same one, and closes it only when it
    // is dropped, together with the registration.
    let registered = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) };
    registered.map_err(io::Error::from)
}

/// The positions of reader and writer, which only grow.
pub(super) struct Usage {
    consumer: Page,
    producer: Page,
    size_bytes: u64,
}

impl Usage {
    pub(super) fn map(ring: BorrowedFd<'_>, size_bytes: u32) -> io::Result<Self> {
        // The reader's position is on the first page of the map, the writer's on the second.
        let page_bytes = rustix::param::page_size();
        Ok(Self {
            consumer: Page::map(ring, 0, page_bytes)?,
            producer: Page::map(ring, page_bytes, page_bytes)?,
            size_bytes: u64::from(size_bytes),
        })
    }

    pub(super) fn read(&self) -> RingUse {
        // The reader first: the other order could show it ahead of the writer.
        let consumer = self.consumer.position();
        let producer = self.producer.position();
        let used_bytes = producer.wrapping_sub(consumer).min(self.size_bytes);
        RingUse {
            used_bytes,
            size_bytes: self.size_bytes,
        }
    }
}

/// One page of the map, mapped read-only.
struct Page {
    address: NonNull<libc::c_void>,
    len: usize,
}

// SAFETY: the page is only read, and only through an atomic.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

impl Page {
    fn map(ring: BorrowedFd<'_>, offset: usize, len: usize) -> io::Result<Self> {
        let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: asks for a new mapping at a place of the kernel's choice; nothing that exists is touched.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ,
                libc::MAP_SHARED,
                ring.as_raw_fd(),
                offset,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let address = NonNull::new(address).ok_or_else(|| io::Error::other("mapped at zero"))?;
        Ok(Self { address, len })
    }

    fn position(&self) -> u64 {
        // SAFETY: the mapping is a whole page, aligned to a page, and lives as long as self; the kernel keeps an
        // aligned 64-bit counter at its beginning and writes it atomically.
        let position = unsafe { self.address.cast::<AtomicU64>().as_ref() };
        position.load(Ordering::Acquire)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly what `map` mapped; no reference into it outlives `position`.
        unsafe { libc::munmap(self.address.as_ptr(), self.len) };
    }
}
