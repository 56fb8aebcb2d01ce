//! The probes on a real kernel: each test arms them, lets a process of its own act, and compares what arrived
//! with what was done: presence, every field, and the count.
//!
//! Needs root; without, each test says so and passes.

#[cfg(test)]
mod probes {
    mod actor;
    mod acts;
    mod calls;
    mod compat;
    mod containers;
    mod counts;
    mod coverage;
    mod events;
    mod features;
    mod files;
    mod lifecycle;
    mod mounts;
    mod network;
    mod open_paths;
    mod races;
    mod rig;
    mod rings;
    mod secrets;
    mod sharing;
}
