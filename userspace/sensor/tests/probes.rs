//! The probes on a real kernel: each test arms them, lets a process of its own act, and compares what arrived
//! with what was done: presence, every field, and the count.
//!
//! Needs root; without, each test says so and passes.

#[cfg(test)]
mod probes {
    mod actor;
    mod calls;
    mod containers;
    mod counts;
    mod files;
    mod lifecycle;
    mod rig;
    mod secrets;
}
