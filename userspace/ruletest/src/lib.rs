//! Tests of rules: what must fire a rule, and what must not, in a few lines of YAML.
//!
//! ```
//! let file = vigia_ruletest::read("
//! - rule: Read sensitive file untrusted
//!   fires:
//!     - {open: /etc/shadow, process: cat /etc/shadow}
//! ", &mut |_| Err("no recordings here".to_owned())).expect("a test file");
//! assert_eq!(file.tests[0].cases[0].events[0].event_type.name(), "open");
//! ```
//!
//! This crate reads test files, makes events of their cases, has the engine judge them, and says what came of it and what was
//! never tried. It loads no rules, and prints nothing: that is the agent's `vigia test`.

mod case;
mod coverage;
mod document;
mod judge;
mod reading;
mod report;
mod scene;

pub use case::{Case, Recordings, RuleTest, TestFile, Verdict, read, read_events};
pub use coverage::{Coverage, RuleCoverage};
pub use document::{Fault, Place};
pub use judge::judge;
pub use report::{AlertReport, CaseReport, FileReport, Report, junit};
