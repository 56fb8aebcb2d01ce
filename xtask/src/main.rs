//! Developer commands: `cargo xtask VERB`.
fn main() {}
