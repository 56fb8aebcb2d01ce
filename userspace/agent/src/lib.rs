//! The `vigia` agent: reads the probes, judges what they report by rules, and raises alerts.
//!
//! This crate wires; every subject lives in a crate of its own. What is here: the command line
//! ([`cli`]), the configuration ([`config`]), what the agent counts ([`metrics`]) and answers
//! ([`health`]) about itself, and what it may do ([`privileges`]).

pub mod cli;
pub mod config;
mod engines;
mod existing;
pub mod health;
mod images;
pub mod input;
pub mod interest;
mod judge;
pub mod logging;
pub mod metrics;
pub mod names;
pub mod pipeline;
pub mod privileges;
pub mod recorder;
pub mod replay;
pub mod rules;
pub mod run;
pub mod schema;
pub mod settings;
pub mod signals;
mod survey;
