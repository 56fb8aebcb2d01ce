//! Alert records, outputs and their delivery
pub mod redact;
mod text;
