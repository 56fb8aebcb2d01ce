//! From the bytes of a record to the event model.
//!
//! The bytes come from our own probes, but a wrong object, a wrong version or a bug of either side must not
//! become a wrong event or a crash: every number is converted with a check, and every length and offset is
//! held against the record before a byte is read.

mod call;
mod descriptor;
mod file;
mod lifecycle;
mod record;
mod task;

use vigia_abi::Kind;
use vigia_abi::record::flags;
use vigia_event::Captured;

use record::Record;

/// Why the bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The record says that it is longer than what was sent, or shorter than its own header.
    #[error("a record of {actual} bytes claims to have {claimed}")]
    Length {
        /// From the header; 0 where there is no whole header.
        claimed: usize,
        /// What was sent.
        actual: usize,
    },
    /// There is no kind of record with this number.
    #[error("no kind of record has the number {0}")]
    Kind(u16),
    /// The record ends within its body.
    #[error("a record of {actual} bytes ends before its body of {needed} bytes does")]
    Body {
        /// Bytes of header and body.
        needed: usize,
        /// Bytes of the record.
        actual: usize,
    },
    /// A text lies outside of the record's text area.
    #[error("a text of {len} bytes at {offset} lies outside of its record of {actual} bytes")]
    Text {
        /// Where it claims to begin.
        offset: usize,
        /// How long it claims to be.
        len: usize,
        /// Bytes of the record.
        actual: usize,
    },
    /// No event type has this system call number.
    #[error("no system call has the number {0}")]
    SystemCall(u32),
    /// A field holds a number that means nothing.
    #[error("{field} cannot be {value}")]
    Value {
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: u32,
    },
}

/// Decodes one record of the ring.
///
/// ```
/// use vigia_sensor::decode::{Malformed, decode};
///
/// assert_eq!(decode(&[0; 3]).unwrap_err(), Malformed::Length { claimed: 0, actual: 3 });
/// ```
///
/// # Errors
/// When the bytes are not what the probes of this version send.
pub fn decode(bytes: &[u8]) -> Result<Captured, Malformed> {
    let (header, record) = Record::open(bytes)?;
    let kind = Kind::from_wire(header.kind).ok_or(Malformed::Kind(header.kind))?;
    let mut task = task::decode(&header.task)?;
    let what = match kind {
        Kind::Fork => lifecycle::fork(record)?,
        Kind::Exec => lifecycle::exec(record)?,
        Kind::Exit => lifecycle::exit(record)?,
        Kind::Rename => lifecycle::rename(record, &mut task)?,
        Kind::CgroupMkdir | Kind::CgroupRmdir | Kind::CgroupAttach => {
            lifecycle::cgroup(kind, record)?
        }
        Kind::Call => call::call(record)?,
        Kind::CompatCall => call::compat(record)?,
        Kind::SecretKey => call::secret_key(record)?,
    };
    Ok(Captured {
        cpu: narrow("cpu", header.cpu)?,
        sequence: header.sequence,
        boot_time_ns: header.boot_time_ns,
        in_scope: header.flags & flags::IN_SCOPE != 0,
        is_secret: header.flags & flags::SECRET != 0,
        task,
        what,
    })
}

/// A number that the wire holds in more bits than it may have.
fn narrow<T: TryFrom<u32>>(field: &'static str, value: u32) -> Result<T, Malformed> {
    T::try_from(value).map_err(|_| Malformed::Value { field, value })
}

/// A name that is padded with NULs.
fn padded(name: &[u8; 16]) -> &[u8] {
    name.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
