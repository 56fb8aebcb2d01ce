//! Patterns over bytes.

pub(crate) mod glob;
pub(crate) mod prefixes;
