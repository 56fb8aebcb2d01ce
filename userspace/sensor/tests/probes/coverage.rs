//! That every event the probes deliver has a test of its own, by the text of the tests, so that it needs no root.
//! `cargo xtask kernels` judges by what came when they ran.

use vigia_event::EventType;

/// The tests of this folder, as text: a test that makes an event happen names it.
const TESTS: [&str; 10] = [
    include_str!("calls.rs"),
    include_str!("compat.rs"),
    include_str!("containers.rs"),
    include_str!("events.rs"),
    include_str!("files.rs"),
    include_str!("lifecycle.rs"),
    include_str!("mounts.rs"),
    include_str!("network.rs"),
    include_str!("rings.rs"),
    include_str!("secrets.rs"),
];

/// Events whose tests name what is captured and not the event.
const OTHERWISE: [&str; 9] = [
    // A fork and an execution, an exit, a new name, a 32-bit call: kinds of records of their own.
    "clone",
    "clone3",
    "fork",
    "vfork",
    "procexit",
    "task_rename",
    "compat_syscall",
    // Made in user space from the budgets that counts.rs empties.
    "budget_exceeded",
    // Made in user space of what the container table says.
    "container",
];

#[test]
fn every_event_that_is_delivered_is_tested() {
    let untested: Vec<_> = EventType::all()
        .filter(|event_type| event_type.is_delivered())
        .map(EventType::name)
        .filter(|name| !OTHERWISE.contains(name))
        .filter(|name| {
            let quoted = format!("\"{name}\"");
            !TESTS.iter().any(|test| test.contains(&quoted))
        })
        .collect();
    assert!(untested.is_empty(), "{untested:?}");
}
