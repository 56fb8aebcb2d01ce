//! Patterns over bytes.

pub(crate) mod prefixes;
pub(crate) mod required;
