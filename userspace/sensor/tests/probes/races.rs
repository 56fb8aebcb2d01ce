//! Memory that a second thread changes while the kernel reads it.

use std::collections::BTreeSet;

use vigia_sensor::{Budget, Options, Scope};

use super::rig::{Cgroup, Rig};

#[test]
fn a_path_that_changes_during_the_call_is_told_in_both_forms() {
    const ATTEMPTS: u32 = 2_000;
    const ROUNDS: u32 = 50;
    // Without a budget: every single call is counted.
    let options = |cgroup: &Cgroup| Options {
        scope: Scope::Cgroup(cgroup.path.clone()),
        budget: Budget {
            rate_per_s: 0,
            burst: 0,
        },
        ..Options::default()
    };
    let Some(mut rig) = Rig::with(options) else {
        return;
    };
    let (one, other) = (
        "/nonexistent/aaaaaaaaaaaaaaaa",
        "/nonexistent/bbbbbbbbbbbbbbbb",
    );
    let mut actor = rig.actor();
    let mut seen = BTreeSet::new();
    for _ in 0..ROUNDS {
        assert_eq!(actor.race(one, other, ATTEMPTS), i64::from(ATTEMPTS));
        let calls = rig.calls(actor.pid(), "unlink");
        assert_eq!(
            calls.len(),
            ATTEMPTS as usize,
            "a changed path loses no event"
        );
        for call in calls {
            let path = &call.paths[0];
            if let Some(changed) = &path.changed {
                assert_ne!(*changed, path.given);
                seen.insert(true);
            }
        }
        if seen.contains(&true) {
            return;
        }
    }
    panic!("no path changed in {} calls", ATTEMPTS * ROUNDS);
}

#[test]
fn a_path_that_nobody_changes_is_told_once() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    let long = format!("/{}", "x/".repeat(2000));
    for path in ["/nonexistent/a", "", long.as_str()] {
        actor.call(libc::SYS_unlink, super::actor::args![path]);
        let call = rig.only_call(actor.pid(), "unlink");
        assert_eq!(call.paths[0].given, path);
        assert_eq!(call.paths[0].changed, None);
    }
}
