//! Conditions as text and as syntax trees.

pub(crate) mod ast;
pub(crate) mod cursor;
pub(crate) mod parse;
mod print;
