//! End-to-end tests: the built agent, a real kernel, real containers.
//!
//! The library is the stage: a container engine, a small image, a running agent whose alerts can be
//! awaited, a webhook receiver, a Prometheus. The plays are in `tests/*.rs`, one file per subject.
//! They are a deliberate act: `cargo xtask test` builds what they need and says so through the
//! environment (see [`scene`]); under a plain `cargo test` each of them prints why it is skipped.
//!
//! Nothing here sleeps for a fixed time: [`wait`] looks for a condition until a deadline. Everything made on
//! the machine is removed when its value is dropped, also by a panic.

pub mod agent;
pub mod command;
pub mod containerd;
pub mod debian;
pub mod docker;
pub mod http;
pub mod identity;
pub mod image;
pub mod imposture;
pub mod metrics;
pub mod mounts;
pub mod orders;
pub mod podman;
pub mod prometheus;
pub mod proxy;
pub mod quiet;
pub mod rules;
pub mod scene;
pub mod sums;
pub mod user;
pub mod wait;
pub mod webhook;

pub use agent::{Agent, Alert};
pub use containerd::Containerd;
pub use docker::Docker;
pub use scene::Scene;
