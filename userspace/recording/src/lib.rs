//! Recordings: events with everything a rule may test, written on one machine and judged on any.
//!
//! A recording holds what the pipeline judged: each event as it was decoded and enriched, and the snapshots it refers
//! to (processes, containers, mounts, users, the machine), each snapshot once. Reading it back gives the same
//! [`Event`](vigia_event::Event)s, so the same rules find the same things, without root and without the machine.
//!
//! ```
//! use vigia_recording::{Ending, Limits, Losses, Origin, Plain, Reader, Writer, WriterOptions};
//!
//! let mut file = Vec::new();
//! let writer = Writer::new(&mut file, &Origin::default(), Plain, WriterOptions::default())?;
//! writer.finish(Ending::Stopped, Losses::default(), 0)?;
//!
//! let mut reader = Reader::new(file.as_slice(), Limits::default())?;
//! assert!(reader.next().is_none());
//! assert_eq!(reader.trailer().map(|trailer| trailer.events), Some(0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What must not leave a machine is removed before it is written: whoever makes a [`Writer`] says how ([`Redact`]).
//! This crate captures nothing and judges nothing; it knows neither rules nor probes.
//! `docs/decisions/0005-recordings.md` says why the format is what it is.

mod file;
mod format;
mod reader;
mod redact;
mod shared;
#[cfg(test)]
mod tests;
mod writer;

pub use file::{CreateError, PartialFile, create};
pub use format::{Ending, Losses, MAX_RECORD_BYTES, Origin, Recorded, Trailer, VERSION};
pub use reader::{Limits, ReadError, Reader, open};
pub use redact::{Plain, Redact};
pub use writer::{Outcome, WriteError, Writer, WriterOptions};
