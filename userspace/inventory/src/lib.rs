//! Processes, users, mounts and containers: what an event is enriched from.

pub mod cgroup;
pub mod containers;
pub mod engines;
#[cfg(test)]
mod fixture;
pub mod mountinfo;
mod patience;
pub mod processes;
pub mod readers;
pub mod users;
pub mod waiting;
pub mod wall_clock;

pub use containers::ContainerTable;
pub use processes::ProcessTable;
pub use readers::Readers;
pub use waiting::Waiting;
pub use wall_clock::WallClock;
