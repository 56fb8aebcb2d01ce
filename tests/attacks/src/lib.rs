//! Attacks: what is done, where, what it must effect, and which alert it must raise.
//!
//! The table ([`table::all`]) is data that the program `attack` performs inside containers and the runner judges from
//! outside:
//!
//! ```
//! let row = vigia_attacks::table::find("clear-log-activities").expect("it is in the table");
//! assert_eq!(row.rule.name(), Some("Clear Log Activities"));
//! ```
//!
//! Nothing here is simulated: an attack that had no effect fails, whatever was reported. Nothing leaves the
//! machine, either: what is contacted lies on the loopback interface of the container's own network namespace.

pub mod images;
pub mod judge;
pub mod order;
pub mod peers;
pub mod row;
pub mod stage;
pub mod suite;
pub mod table;
