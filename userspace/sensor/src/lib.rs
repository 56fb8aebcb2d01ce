//! Loads the eBPF probes into the kernel, and hands on what they see, decoded.
//!
//! ```no_run
//! use vigia_sensor::{Interest, Options, Sensor};
//!
//! # async fn watch() -> Result<(), Box<dyn std::error::Error>> {
//! let mut sensor = Sensor::start(&Options::default())?;
//! sensor.set_interest(&Interest::everything())?;
//! loop {
//!     sensor.readable().await?;
//!     sensor.read(1024, |record| match record {
//!         Ok(captured) => println!("{captured:?}"),
//!         Err(malformed) => println!("{malformed}"),
//!     });
//! }
//! # }
//! ```
//!
//! This is the only crate that knows aya and the wire format. It deliberately knows no rules, no containers
//! beyond the ids of their cgroups, and keeps nothing of an event after it was handed on: who did it and what
//! that means is decided by others.

mod counters;
pub mod decode;
pub mod doctor;
mod features;
pub mod hierarchy;
mod interest;
mod load;
mod maps;
mod offsets;
mod open_paths;
mod options;
mod plain;
mod procfs;
mod ring;
mod secrets;
mod sensor;
pub mod user_namespace;

pub use counters::{Cause, Class, Counters, Table};
pub use interest::{DEFAULT_DATA_BYTES, Interest, Outcomes};
pub use load::{LoadError, ProgramResult};
pub use maps::MapFailure;
pub use offsets::OffsetError;
pub use options::{Budget, Dispatchers, Options, Scope};
pub use ring::RingUse;
pub use sensor::{Seed, Sensor, StartError};
