//! How fast rules are judged.
//!
//! ```
//! use vigia_bench::{rules, stream};
//!
//! let (rules, _) = rules::best().expect("our own rules compile");
//! let ruleset = rules.compile().expect("rules without errors");
//! let events = stream::mix(1000);
//! let mut scratch = ruleset.scratch();
//! for event in &events {
//!     ruleset.evaluate(event, &mut scratch, &mut |_| {});
//! }
//! ```
//!
//! The stream is the same in every run, so instruction counts compare between runs and machines; times only within
//! one run. Linking this crate counts allocations: it is for measuring, and part of nothing that is shipped.

pub mod measure;
pub mod profiler;
pub mod results;
pub mod rules;
pub mod stream;
