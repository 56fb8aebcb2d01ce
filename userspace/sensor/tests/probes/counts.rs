//! Nothing is lost without being counted.

use vigia_event::captured::What;
use vigia_sensor::{Budget, Cause, Class, Options, Scope, Table};

use super::actor::{Actor, args};
use super::rig::{Cgroup, Rig};

const AT_FDCWD: i64 = libc::AT_FDCWD as i64;

/// What the kernel saw is in exactly one of the terms. Other processes are at work meanwhile, so the sum may be
/// off by what is in flight: it must hold at some moment, for every class.
fn assert_nothing_is_missing(rig: &Rig) {
    for class in Class::ALL {
        let mut missing = 0;
        for _ in 0..200 {
            missing = rig.counters().unaccounted(class);
            if missing == 0 {
                break;
            }
        }
        assert_eq!(missing, 0, "{}", class.name());
    }
}

#[test]
fn every_call_is_counted_and_the_sum_holds() {
    const CALLS: u64 = 2000;
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    let before = rig.counters();
    for _ in 0..CALLS {
        actor.call(libc::SYS_unlink, args!["/nonexistent/file"]);
    }
    let after = rig.counters();
    assert_eq!(rig.calls(actor.pid(), "unlink").len(), 2000);
    let grown = |cause| after.of(Class::Change, cause) - before.of(Class::Change, cause);
    assert!(grown(Cause::Seen) >= CALLS && grown(Cause::Submitted) >= CALLS);
    assert_eq!((grown(Cause::RingFull), grown(Cause::Broken)), (0, 0));
    assert_nothing_is_missing(&rig);
}

#[test]
fn what_exceeds_the_budget_is_counted_and_told_once() {
    let Some(mut rig) = Rig::with(|cgroup| Options {
        scope: Scope::Cgroup(cgroup.path.clone()),
        budget: Budget {
            rate_per_s: 1,
            burst: 50,
        },
        ..Options::default()
    }) else {
        return;
    };
    rig.sensor.add_container_cgroup(rig.cgroup.id()).unwrap();
    let mut actor = rig.actor();
    rig.sensor.take_over_budget().unwrap();
    for _ in 0..500 {
        actor.call(
            libc::SYS_openat,
            args![AT_FDCWD, "/nonexistent", libc::O_RDONLY, 0],
        );
    }
    let seen = rig.calls(actor.pid(), "openat").len();
    assert!((1..=60).contains(&seen), "{seen}");
    let over = rig.sensor.take_over_budget().unwrap();
    let (_, lost) = over
        .iter()
        .find(|(cgroup, _)| *cgroup == rig.cgroup.id())
        .expect("the container is told");
    assert_eq!(usize::try_from(*lost).unwrap() + seen, 500);
    assert!(
        !rig.sensor
            .take_over_budget()
            .unwrap()
            .iter()
            .any(|(cgroup, _)| *cgroup == rig.cgroup.id())
    );
    assert_nothing_is_missing(&rig);
}

#[test]
fn refused_calls_do_not_push_out_what_others_are_judged_by() {
    let Some(mut rig) = Rig::with(|cgroup| Options {
        scope: Scope::Cgroup(cgroup.path.clone()),
        budget: Budget {
            rate_per_s: 1,
            burst: 100,
        },
        ..Options::default()
    }) else {
        return;
    };
    rig.sensor.add_container_cgroup(rig.cgroup.id()).unwrap();
    let mut actor = rig.actor();
    let (pid, refused) = (actor.pid(), i64::from(-libc::EPERM));
    for _ in 0..500 {
        assert_eq!(actor.call(libc::SYS_unlink, args!["/proc/uptime"]), refused);
    }
    assert!(rig.calls(pid, "unlink").len() < 500);
    let child = actor.fork(0);
    actor.exec(&["/bin/true"]);
    let records = rig.read();
    assert!(records.iter().any(
        |record| matches!(&record.what, What::Fork(fork) if fork.child.pid == child)
            && record.task.pid == pid
    ));
    assert!(
        records
            .iter()
            .any(|record| matches!(record.what, What::Exec(_)) && record.task.pid == pid)
    );
}

#[test]
fn the_budgets_of_containers_that_are_gone_make_room() {
    const AT_ONCE: u32 = 8;
    let Some(mut rig) = Rig::with(|_| Options {
        max_containers: AT_ONCE,
        ..Options::default()
    }) else {
        return;
    };
    let mut engine = Actor::start();
    for number in 0..3 * AT_ONCE {
        let name = rig.cgroup.path.join(format!("{number:064x}"));
        let container = Cgroup::make_by(&mut engine, name.strip_prefix("/").unwrap());
        container.join(&mut engine);
        let nothing = args![AT_FDCWD, "/nonexistent", libc::O_RDONLY, 0];
        engine.call(libc::SYS_openat, nothing);
        rig.cgroup.join(&mut engine);
        drop(container);
        rig.sensor.take_over_budget().unwrap();
    }
    assert_eq!(rig.counters().table(Table::BudgetsFull), 0);
    assert_eq!(rig.counters().table(Table::CgroupsFull), 0);
}

#[test]
fn a_full_ring_loses_bulk_records_and_says_how_many() {
    let Some(mut rig) = Rig::with(|cgroup| Options {
        scope: Scope::Cgroup(cgroup.path.clone()),
        ring_bytes: 64 * 1024,
        budget: Budget {
            rate_per_s: 1_000_000,
            burst: 1_000_000,
        },
        ..Options::default()
    }) else {
        return;
    };
    let mut actor = rig.actor();
    let before = rig.counters().of(Class::Open, Cause::RingFull);
    for _ in 0..500 {
        actor.call(
            libc::SYS_openat,
            args![AT_FDCWD, "/nonexistent", libc::O_RDONLY, 0],
        );
    }
    let counters = rig.counters();
    let lost = counters.of(Class::Open, Cause::RingFull) - before;
    assert!(
        counters.ring.used_bytes >= counters.ring.size_bytes * 7 / 10,
        "{:?}",
        counters.ring
    );
    let child = actor.fork(0);
    let records = rig.read();
    let opens = records
        .iter()
        .filter(|record| record.task.pid == actor.pid());
    let opens = opens
        .filter(|record| matches!(record.what, vigia_event::captured::What::Call(_)))
        .count();
    assert!(lost > 0);
    assert!(
        u64::try_from(opens).unwrap() + lost >= 500,
        "{opens} + {lost}"
    );
    assert!(
        records.iter().any(|record| record.task.pid == child),
        "lifecycle still has room"
    );
    assert_eq!(rig.counters().ring.used_bytes, 0);
    assert_nothing_is_missing(&rig);
}
