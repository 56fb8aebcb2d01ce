//! Repeats are folded, and none is lost.

use super::*;
use crate::sample;

const WINDOW: Duration = Duration::from_secs(60);

fn throttle(max_keys: usize) -> Throttle {
    Throttle::new(ThrottleOptions {
        window: WINDOW,
        max_keys,
        max_samples: 2,
    })
}

fn alert(object: &str, path: &str) -> Alert {
    Alert {
        object: object.to_owned(),
        ..sample::alert(path)
    }
}

#[test]
fn the_first_passes_and_repeats_become_one_summary() {
    let start = Instant::now();
    let mut throttle = throttle(10);
    let first = throttle
        .admit(alert("a", "/x/1"), start)
        .expect("the first passes");
    for path in ["/x/2", "/x/2", "/x/3", "/x/4"] {
        assert_eq!(throttle.admit(alert("a", path), start + WINDOW / 2), None);
    }
    assert_eq!(throttle.next_deadline(), Some(start + WINDOW));
    assert!(throttle.expire(start + WINDOW / 2).is_empty());
    let summaries = throttle.expire(start + WINDOW);
    let [summary] = summaries.as_slice() else {
        panic!("one summary, not {}", summaries.len())
    };
    assert_eq!(summary.evidence.count, 4);
    assert_eq!(summary.evidence.samples, ["/x/2", "/x/3"]);
    assert_eq!(
        summary.evidence.summary_of.as_deref(),
        Some(first.id.as_str())
    );
    assert_eq!(summary.message, "4 more in 60 s: Write refused in web");
    assert_ne!(summary.id, first.id);
    assert_eq!(throttle.next_deadline(), None);
    assert!(
        throttle.admit(alert("a", "/x/1"), start + WINDOW).is_some(),
        "a new window begins"
    );
}

#[test]
fn another_object_container_or_rule_is_another_key() {
    let start = Instant::now();
    let mut throttle = throttle(10);
    let base = alert("a", "/x");
    let mut other_container = base.clone();
    other_container.container = None;
    let other_rule = Alert {
        rule: "Another".into(),
        ..base.clone()
    };
    for alert in [base, alert("b", "/x"), other_container, other_rule] {
        assert!(throttle.admit(alert, start).is_some());
    }
    assert_eq!(throttle.keys(), 4);
}

#[test]
fn a_window_without_repeats_ends_without_a_word() {
    let start = Instant::now();
    let mut throttle = throttle(10);
    assert!(throttle.admit(alert("a", "/x"), start).is_some());
    assert!(throttle.expire(start + WINDOW).is_empty());
    assert_eq!(throttle.keys(), 0);
}

#[test]
fn what_is_undecided_is_one_key_for_rule_and_container() {
    let start = Instant::now();
    let mut throttle = throttle(10);
    let mut undecided = alert("a", "/x");
    undecided.evidence.partial = true;
    let other = Alert {
        object: "b".into(),
        ..undecided.clone()
    };
    assert!(throttle.admit(undecided, start).is_some());
    assert!(throttle.admit(other, start).is_none());
    assert!(
        throttle.admit(alert("a", "/x"), start).is_some(),
        "what is decided is not hidden by what is not"
    );
}

#[test]
fn too_many_keys_end_the_oldest_window_early_and_lose_nothing() {
    let start = Instant::now();
    let mut throttle = throttle(2);
    let mut out = Vec::new();
    let mut admitted = 0;
    for round in 0..5 {
        for object in ["a", "b", "c", "d"] {
            for _ in 0..3 {
                admitted += 1;
                out.extend(throttle.admit(alert(object, "/x"), start + Duration::from_secs(round)));
            }
        }
        out.extend(throttle.expire(start + Duration::from_secs(round)));
    }
    out.extend(throttle.flush(start + Duration::from_secs(5)));
    let told: u64 = out.iter().map(|alert| alert.evidence.count).sum();
    assert_eq!(told, admitted);
    let counters = throttle.counters();
    assert_eq!(counters.passed + counters.folded, admitted);
    assert_eq!(out.len() as u64, counters.passed + counters.summaries);
    assert!(counters.evicted > 0);
}

#[test]
fn a_summary_that_waits_is_due_at_once() {
    let start = Instant::now();
    let mut throttle = throttle(1);
    assert!(throttle.admit(alert("a", "/x"), start).is_some());
    assert!(throttle.admit(alert("a", "/x"), start).is_none());
    assert!(
        throttle
            .admit(alert("b", "/x"), start + WINDOW / 2)
            .is_some()
    );
    assert_eq!(throttle.next_deadline(), Some(start + WINDOW / 2));
    assert_eq!(throttle.expire(start + WINDOW / 2).len(), 1);
    assert_eq!(throttle.next_deadline(), Some(start + WINDOW / 2 + WINDOW));
}

#[test]
fn a_window_of_zero_lets_everything_pass() {
    let start = Instant::now();
    let mut throttle = Throttle::new(ThrottleOptions {
        window: Duration::ZERO,
        ..ThrottleOptions::default()
    });
    for _ in 0..3 {
        assert!(throttle.admit(alert("a", "/x"), start).is_some());
    }
    assert_eq!(throttle.next_deadline(), None);
}
