//! Alert records, outputs and their delivery
pub mod alert;
pub mod outputs;
pub mod redact;
pub mod render;
mod text;
pub mod throttle;
#[cfg(test)]
mod sample;
