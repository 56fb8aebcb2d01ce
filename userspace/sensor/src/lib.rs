//! Loads the eBPF probes, reads their ring buffer, and decodes what they send.

mod agent;
mod counters;
pub mod decode;
pub mod doctor;
mod features;
pub mod hierarchy;
mod interest;
mod load;
mod maps;
mod offsets;
mod options;
mod plain;
mod ring;
mod secrets;
mod sensor;

pub use counters::{Cause, Class, Counters, Table};
pub use interest::{Interest, Outcomes};
pub use load::{LoadError, ProgramResult};
pub use maps::MapFailure;
pub use offsets::OffsetError;
pub use options::{Budget, Options, Scope};
pub use ring::RingUse;
pub use sensor::{Seed, Sensor, StartError};
