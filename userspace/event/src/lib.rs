//! The event model, and *the* table of fields a rule may test.
//!
//! An [`Event`] is what one stage of the agent hands to the next: what the kernel captured
//! ([`Captured`]) together with immutable snapshots of the process, its ancestors, its container and
//! the mounts it sees. [`fields::all`] says which of it a rule can name, of which type, and how it is
//! read.
//!
//! ```
//! use vigia_event::fields;
//!
//! let field = fields::find("proc.name").expect("a documented field");
//! assert_eq!(field.example, "nginx");
//! ```
//!
//! This crate is pure: it does no I/O, reads no clock, and knows neither the wire format of the probes
//! nor how rules are written.

pub mod call;
pub mod captured;
pub mod container;
pub mod descriptor;
mod event;
pub mod fields;
pub mod file;
pub mod glob;
pub mod mount;
pub mod names;
pub mod open_paths;
mod params;
pub mod process;
pub mod secret;
pub mod socket;
#[cfg(test)]
mod testing;
pub mod text;
mod truncation;
pub mod users;
mod value;

pub use call::EventType;
pub use captured::Captured;
pub use container::{Container, Metadata};
pub use descriptor::Descriptor;
pub use event::{Event, MAX_SPELLINGS, Node, PathSpellings, Spelling, View};
pub use file::File;
pub use process::Process;
pub use socket::Socket;
pub use truncation::Truncated;
pub use value::{Extracted, FieldType, Value, Values};
