//! Loads the eBPF probes, reads their ring buffer, and decodes what they send.

pub mod decode;
pub mod doctor;
mod features;
pub mod hierarchy;
mod interest;
mod options;

pub use interest::{Interest, Outcomes};
pub use options::{Budget, Options, Scope};
