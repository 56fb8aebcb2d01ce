//! The `vigia` binary.
fn main() {}
