//! Processes, users, mounts and containers: what an event is enriched from.

pub mod cgroup;
#[cfg(test)]
mod fixture;
mod patience;
pub mod processes;
pub mod users;
pub mod wall_clock;

pub use processes::ProcessTable;
pub use wall_clock::WallClock;
