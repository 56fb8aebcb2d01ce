//! Processes, users, mounts and containers: what an event is enriched from.
//!
//! The tables are shown every record in turn, and hand out immutable snapshots:
//!
//! ```
//! use vigia_event::captured::{Captured, Exec, Task, What};
//! use vigia_event::File;
//! use vigia_inventory::{ProcessTable, processes};
//!
//! let mut processes = ProcessTable::new(processes::Options::default());
//! let file = File { path: "/usr/sbin/nginx".into(), ..File::default() };
//! let exec = Exec { file, args: vec!["nginx".into()], ..Exec::default() };
//! let captured = Captured {
//!     cpu: 0,
//!     sequence: 1,
//!     boot_time_ns: 1,
//!     in_scope: true,
//!     is_secret: false,
//!     task: Task { pid: 42, tid: 42, ..Task::default() },
//!     what: What::Exec(Box::new(exec)),
//! };
//! assert_eq!(processes.observe(&captured, 0).exe_path, "/usr/sbin/nginx");
//! ```
//!
//! It keeps no descriptors: the kernel resolves those at the event. It judges no rules, and its tables read no
//! clock; times come with the records.

pub mod cgroup;
mod confinement;
pub mod containers;
pub mod engines;
#[cfg(test)]
mod fixture;
pub mod images;
pub mod mountinfo;
mod path_pattern;
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
