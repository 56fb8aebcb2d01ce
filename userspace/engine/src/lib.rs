//! Rule files to compiled rules to matches.
//!
//! ```
//! use vigia_engine::{Options, Source, compile};
//!
//! let rules = "
//! - rule: Shell
//!   desc: A shell runs.
//!   condition: evt.type = execve and proc.name in (sh, bash)
//!   output: a shell runs (%proc.name)
//!   priority: NOTICE
//! ";
//! let compiled = compile(&[Source::new("rules.yaml", rules)], &Options::default());
//! for diagnostic in &compiled.diagnostics {
//!     eprintln!("{diagnostic}");
//! }
//! let ruleset = compiled.ruleset.expect("no errors");
//! assert_eq!(ruleset.rules()[0].name, "Shell");
//! ```
//!
//! [`compile()`] reads, checks and compiles; [`Ruleset::evaluate`] judges an event. The language is Falco's.
//!
//! This crate reads no files and no clock, captures nothing, and delivers nothing: it gets the text of rule
//! files and events, and answers with matches.

mod appended;
mod check;
mod collection;
mod compile;
mod condition;
mod diagnostics;
mod domains;
mod events;
mod explain;
mod fields;
mod graph;
mod interpret;
pub mod keys;
mod lists;
mod lower;
mod operand;
mod pattern;
mod plan;
mod predicate;
mod priority;
mod program;
mod ruleset;
mod selection;
mod sought;
mod source;
mod template;
#[cfg(test)]
mod tests;
mod yaml;

pub use appended::{AppendField, AppendOutput, ExtraField};
pub use compile::{Compiled, Options, compile};
pub use diagnostics::{Code, Diagnostic, Item, Problem, Severity};
pub use events::EventTypes;
pub use explain::{
    Description, Explained, Explanation, Judged, Named, NotAsked, Place, Step, StepKind, Truth,
};
pub use fields::FieldReference;
pub use priority::{NotAPriority, Priority};
pub use ruleset::{Match, Outcome, Rule, RuleMatching, Ruleset, Scratch, Touched};
pub use selection::{Selection, Selector};
pub use sought::Ending;
pub use source::Source;
pub use template::Template;
