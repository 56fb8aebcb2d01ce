//! The ring of records: waiting for it, and emptying it.

use std::io;
use std::os::fd::AsFd as _;

use aya::maps::{MapData, RingBuf};
use tokio::io::unix::AsyncFd;

mod raw;

use raw::Usage;

/// The reading end of the ring.
pub(crate) struct Ring {
    ring: AsyncFd<RingBuf<MapData>>,
    usage: Usage,
    /// Whether the last read stopped before the end: the kernel announces only records that find the reader
    /// caught up, so there would be no announcement to wait for.
    has_more: bool,
}

/// How much of the ring is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingUse {
    /// Bytes that were written and not yet read.
    pub used_bytes: u64,
    /// Bytes of the ring.
    pub size_bytes: u64,
}

impl Ring {
    /// Must be called within a tokio runtime.
    pub(crate) fn new(ring: RingBuf<MapData>, size_bytes: u32) -> io::Result<Self> {
        let usage = Usage::map(ring.as_fd(), size_bytes)?;
        let ring = raw::register(ring)?;
        // What was sent before the registration was announced to nobody.
        Ok(Self {
            ring,
            usage,
            has_more: true,
        })
    }

    /// Returns when there may be something to read.
    pub(crate) async fn readable(&mut self) -> io::Result<()> {
        if self.has_more {
            return Ok(());
        }
        // Readiness is cleared before reading: a record that comes after the last read announces itself anew.
        self.ring.readable().await?.clear_ready();
        Ok(())
    }

    /// Hands up to `max` records over, oldest first; answers how many there were.
    pub(crate) fn read(&mut self, max: usize, mut each: impl FnMut(&[u8])) -> usize {
        let ring = self.ring.get_mut();
        for count in 0..max {
            let Some(record) = ring.next() else {
                self.has_more = false;
                return count;
            };
            each(&record);
        }
        self.has_more = true;
        max
    }

    pub(crate) fn usage(&self) -> RingUse {
        self.usage.read()
    }
}
