//! Processes, users, mounts and containers: what an event is enriched from.

pub mod cgroup;
#[cfg(test)]
mod fixture;
pub mod mountinfo;
mod patience;
pub mod processes;
pub mod readers;
pub mod users;
pub mod wall_clock;

pub use processes::ProcessTable;
pub use readers::Readers;
pub use wall_clock::WallClock;
