//! The wire format between the eBPF probes and user space: records, map values, and the tables both
//! sides must agree on.
//!
//! A record of the ring is a [`Header`], the fixed body of its [`Kind`], and then the bytes of its
//! strings, each found through a [`Text`]. Everything is little-endian integers and byte arrays; no Rust
//! enum ever lies in shared memory.
//!
//! ```
//! use vigia_abi::{Kind, Wire};
//!
//! assert_eq!(Kind::from_wire(Kind::Exec as u16), Some(Kind::Exec));
//! assert_eq!(Kind::from_wire(60_000), None);
//! assert_eq!(u32::read(&[1, 0, 0]), None, "three bytes are no u32");
//! ```
//!
//! This crate knows neither aya nor the event model: `sensor` turns what is here into `vigia-event`.
#![no_std]

pub mod calls;
pub mod compat;
pub mod counters;
pub mod maps;
pub mod offsets;
pub mod record;
pub mod settings;
mod wire;

pub use calls::{CallRow, CallSpec};
pub use counters::{Cause, Class};
pub use record::{
    CallBody, CgroupBody, CompatBody, ExecBody, ExitBody, File, ForkBody, GivenPath, Header, Kind,
    RenameBody, Socket, Task, Text,
};
pub use wire::Wire;

/// Grows with every change of what is in this crate; the loader refuses an object of another version.
pub const ABI_VERSION: u32 = 3;

/// What [`abi_mark`] begins with.
const MARK: [u8; 12] = *b"vigia-abi-v\0";

/// The bytes by which an object file tells the version it was built with: the object holds them once.
#[must_use]
pub const fn abi_mark(version: u32) -> [u8; 16] {
    let mut mark = [0; 16];
    let mut index = 0;
    while index < MARK.len() {
        mark[index] = MARK[index];
        index += 1;
    }
    let version = version.to_le_bytes();
    let mut index = 0;
    while index < version.len() {
        mark[MARK.len() + index] = version[index];
        index += 1;
    }
    mark
}

/// The version an object file was built with; `None` for a file that is no object of the probes.
#[must_use]
pub fn abi_version_of(object: &[u8]) -> Option<u32> {
    let at = object
        .windows(MARK.len())
        .position(|window| window == MARK)?;
    u32::read(object.get(at + MARK.len()..)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_tells_its_version() {
        let mut object = [7; 64];
        object[20..36].copy_from_slice(&abi_mark(258));
        assert_eq!(abi_version_of(&object), Some(258));
        assert_eq!(abi_version_of(&object[..34]), None);
        assert_eq!(abi_version_of(&[]), None);
    }
}
