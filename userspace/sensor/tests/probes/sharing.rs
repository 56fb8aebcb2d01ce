//! What is lost where several tasks share a processor. Since Linux 7 a task can be preempted inside of a probe, and the
//! kernel skips that probe for all other tasks of the processor until it runs again.
//!
//! The lines that begin with `@` are read by `cargo xtask kernels`.

use vigia_sensor::{Budget, Cause, Class, Counters, Dispatchers, Options, Scope};

use super::actor::{Actor, Meeting, args};
use super::rig::Rig;

/// How many calls all tasks together make.
const CALLS: u64 = 48_000;

/// One measurement.
#[derive(Debug)]
struct Loss {
    /// Opens that no probe saw.
    lost: u64,
    /// Calls that the sensor says no probe saw; `None` where this kernel does not tell.
    counted: Option<u64>,
}

/// Lets tasks on one processor open a file that is not there, and compares. `None` without privilege.
fn measure(dispatchers: Dispatchers, tasks: u64) -> Option<Loss> {
    let mut rig = Rig::with(|cgroup| Options {
        scope: Scope::Cgroup(cgroup.path.clone()),
        budget: Budget {
            rate_per_s: 0,
            ..Budget::default()
        },
        dispatchers,
        ..Options::default()
    })?;
    let mut actors: Vec<Actor> = (0..tasks).map(|_| rig.actor()).collect();
    for actor in &mut actors {
        let first_processor = [1, 0, 0];
        assert_eq!(
            actor.call(libc::SYS_sched_setaffinity, args![0, 24, first_processor]),
            0
        );
    }
    // While the counters are read nobody may be preempted inside of a probe, or the reading itself would be skipped.
    let path = rig.path("meeting");
    std::fs::write(&path, [0; 8]).unwrap();
    let mut meeting = Meeting::at(&path, tasks + 1);
    for actor in &mut actors {
        actor.begin_opens(CALLS / tasks, &path, tasks + 1);
    }
    meeting.wait();
    let before = rig.counters();
    meeting.wait();
    meeting.wait();
    let after = rig.counters();
    meeting.wait();
    for actor in &mut actors {
        assert_eq!(actor.answer(), i64::try_from(CALLS / tasks).unwrap());
    }
    let seen = in_scope(&after) - in_scope(&before);
    assert_eq!(after.of(Class::Open, Cause::Broken), 0);
    assert!(seen <= CALLS, "no call is reported twice: {seen}");
    let counted = unseen(&after).map(|count| count - unseen(&before).unwrap_or(0));
    let made_good = after.made_good() - before.made_good();
    println!(
        "@loss dispatchers={} tasks={tasks} made={CALLS} seen={seen} counted={} made_good={made_good}",
        if dispatchers == Dispatchers::One {
            1
        } else {
            2
        },
        counted.unwrap_or(0),
    );
    Some(Loss {
        lost: CALLS - seen,
        counted,
    })
}

/// Opens by tasks of the test, whatever became of their records.
fn in_scope(counters: &Counters) -> u64 {
    [Cause::Submitted, Cause::RingFull, Cause::OverBudget]
        .into_iter()
        .map(|cause| counters.of(Class::Open, cause))
        .sum()
}

fn unseen(counters: &Counters) -> Option<u64> {
    let calls = counters
        .recursion_misses
        .iter()
        .find(|(program, _)| *program == "calls");
    calls.map(|(_, count)| *count)
}

#[test]
fn what_the_kernel_skips_is_counted_and_a_second_dispatcher_makes_most_of_it_good() {
    for tasks in [2, 4] {
        let Some(one) = measure(Dispatchers::One, tasks) else {
            return;
        };
        let Some(two) = measure(Dispatchers::Two, tasks) else {
            return;
        };
        for loss in [&one, &two] {
            match loss.counted {
                Some(counted) => assert_eq!(counted, loss.lost, "{loss:?}"),
                None => assert_eq!(loss.lost, 0, "this kernel never skips, so it need not tell"),
            }
        }
        // With more tasks than dispatchers all of these may be held by tasks that do not run.
        let most = if tasks == 2 {
            one.lost / 10
        } else {
            one.lost / 4 * 3
        };
        assert!(two.lost <= most, "{one:?} {two:?}");
    }
}
