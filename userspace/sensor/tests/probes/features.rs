//! What the kernel under test offers. The lines that begin with `@` are read by `cargo xtask kernels`.

use vigia_sensor::Options;
use vigia_sensor::doctor::examine;

#[test]
fn the_doctor_finds_nothing_that_stands_in_the_way() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let report = examine(&Options::default());
    for row in &report.rows {
        println!("@feature {row}");
    }
    let obstacles: Vec<String> = report.obstacles().map(ToString::to_string).collect();
    assert!(obstacles.is_empty(), "{obstacles:#?}");
}
