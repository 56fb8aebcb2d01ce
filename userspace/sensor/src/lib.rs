//! Loads the eBPF probes, reads their ring buffer, and decodes what they send.

pub mod hierarchy;
