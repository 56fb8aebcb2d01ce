//! Patterns over bytes.

pub(crate) mod prefixes;
