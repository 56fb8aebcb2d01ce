//! Waiting, but not for ever, for work that a hostile container can make hang.
//!
//! Reading a process's command line means reading its memory, and reading a file below its root means asking
//! its file systems. Both may be served by a program of the container's own (userfaultfd, FUSE) that never
//! answers. Such work runs on a thread of its own, which is left behind when it does not end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Threads that may hang at one time; beyond it such work is refused at once.
const MAX_STUCK: usize = 32;

/// Threads at work or stuck.
static BUSY: AtomicUsize = AtomicUsize::new(0);

struct Busy;

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Does the work on another thread; `None` if it takes longer than `patience`, or too much hangs already.
pub(crate) fn wait_for<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    if BUSY.fetch_add(1, Ordering::Relaxed) >= MAX_STUCK {
        BUSY.fetch_sub(1, Ordering::Relaxed);
        return None;
    }
    let busy = Busy;
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("vigia-patience".into())
        .spawn(move || {
            let result = work();
            drop(busy);
            // The other side may have lost its patience.
            let _ = sender.send(result);
        })
        .ok()?;
    receiver.recv_timeout(patience).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_hangs_is_left_behind() {
        let (release, hang) = mpsc::channel::<()>();
        assert_eq!(wait_for(Duration::from_secs(5), || 7), Some(7));
        assert_eq!(
            wait_for(Duration::from_millis(1), move || hang.recv().is_err()),
            None
        );
        drop(release);
    }
}
