//! Repeats are folded, and none is lost.

use vigia_engine::{Options, Ruleset, Source, compile};
use vigia_event::{Extracted, Value};

use super::*;
use crate::sample;

const WINDOW: Duration = Duration::from_secs(60);

fn throttle(max_keys: usize) -> Throttle {
    Throttle::new(ThrottleOptions {
        window: WINDOW,
        max_keys,
        max_samples: 2,
        ..ThrottleOptions::default()
    })
}

fn alert(object: &str, path: &str) -> Alert {
    let event = sample::refused_write(path.as_bytes());
    let mut finding = sample::finding(&event);
    finding.group = vec![Extracted::One(Value::made(object.into()))];
    sample::judged(&event, finding, &sample::context())
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
    let event = sample::refused_write(b"/x");
    let mut elsewhere = event.clone();
    elsewhere.container = None;
    let mut another_rule = sample::finding(&event);
    another_rule.rule = "Another";
    let context = sample::context();
    for alert in [
        sample::judged(&event, sample::finding(&event), &context),
        alert("b", "/x"),
        sample::judged(&elsewhere, sample::finding(&elsewhere), &context),
        sample::judged(&event, another_rule, &context),
    ] {
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
fn a_rule_may_fold_its_repeats_for_longer_than_others() {
    let start = Instant::now();
    let seconds = Duration::from_secs;
    for window in [WINDOW, Duration::ZERO] {
        let mut throttle = Throttle::new(ThrottleOptions {
            window,
            ..ThrottleOptions::default()
        });
        let daily = || Alert {
            window_s: Some(86_400),
            ..alert("daily", "/x")
        };
        assert!(throttle.admit(daily(), start).is_some());
        assert!(
            throttle
                .admit(alert("a", "/x"), start + seconds(1))
                .is_some()
        );
        assert!(throttle.admit(daily(), start + seconds(3600)).is_none());
        assert_eq!(throttle.next_deadline(), Some(start + seconds(86_400)));
        let summaries = throttle.expire(start + seconds(86_400));
        assert_eq!(summaries.len(), 1);
        assert_eq!(summaries[0].evidence.window_s, Some(86_400));
    }
    let mut throttle = throttle(10);
    assert!(throttle.admit(alert("a", "/x"), start).is_some());
    let long = Alert {
        window_s: Some(86_400),
        ..alert("b", "/x")
    };
    assert!(throttle.admit(long, start).is_some());
    assert_eq!(
        throttle.next_deadline(),
        Some(start + WINDOW),
        "the next to end, whenever it began"
    );
}

#[test]
fn what_is_undecided_is_one_key_for_rule_and_container() {
    let start = Instant::now();
    let mut throttle = throttle(10);
    let undecided = |path: &str| {
        let event = sample::refused_write(path.as_bytes());
        let mut finding = sample::finding(&event);
        finding.is_partial = true;
        sample::judged(&event, finding, &sample::context())
    };
    assert!(throttle.admit(undecided("/x"), start).is_some());
    assert!(throttle.admit(undecided("/y"), start).is_none());
    assert!(
        throttle.admit(sample::alert("/x"), start).is_some(),
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
fn whoever_makes_ever_new_objects_does_not_make_ever_more_alerts() {
    let start = Instant::now();
    let mut throttle = Throttle::new(ThrottleOptions {
        max_objects: 3,
        max_samples: 2,
        ..ThrottleOptions::default()
    });
    let mut out = Vec::new();
    for number in 0..100 {
        let object = number.to_string();
        out.extend(throttle.admit(alert(&object, &format!("/{number}")), start));
    }
    assert_eq!(out.len(), 4, "three objects, and one for all others");
    assert!(
        throttle.admit(alert("0", "/0"), start).is_none(),
        "a known object is still told apart"
    );
    let event = sample::refused_write(b"/x");
    let mut elsewhere = event.clone();
    elsewhere.container = None;
    let elsewhere = sample::judged(&elsewhere, sample::finding(&elsewhere), &sample::context());
    assert!(
        throttle.admit(elsewhere, start).is_some(),
        "another container is not affected"
    );
    let summaries = throttle.expire(start + WINDOW);
    let counts: Vec<(u64, &str)> = summaries
        .iter()
        .map(|summary| (summary.evidence.count, summary.message.as_str()))
        .collect();
    assert_eq!(
        counts,
        [
            (1, "1 more in 60 s: Write refused in web"),
            (96, "96 more of many kinds in 60 s: Write refused in web"),
        ]
    );
    assert_eq!(summaries[1].evidence.samples, ["/4", "/5"]);
    assert_eq!((throttle.keys(), throttle.objects.len()), (0, 0));
    assert!(
        throttle.admit(alert("99", "/99"), start + WINDOW).is_some(),
        "afterwards all are told apart again"
    );
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

/// A ruleset with one rule that fires for every refused call.
fn ruleset() -> Ruleset {
    let text = "\
- rule: Refused
  desc: x
  condition: evt.type = openat and evt.refused = true
  output: refused %fd.name
  priority: NOTICE
  group_by: [proc.name]
";
    let source = Source {
        name: "x.yaml".into(),
        text: text.into(),
    };
    compile(&[source], &Options::default())
        .ruleset
        .expect("a valid rule")
}

#[test]
fn a_match_that_is_folded_without_its_alert_counts_like_any_other() {
    let (ruleset, context, start) = (ruleset(), sample::context(), Instant::now());
    let mut scratch = ruleset.scratch();
    let mut throttle = throttle(10);
    let mut passed = Vec::new();
    let mut made = 0;
    for path in ["/a", "/b?token=c4n4ry", "/b?token=c4n4ry", "/c", "/d", "/d"] {
        let event = sample::refused_write(path.as_bytes());
        ruleset.evaluate(&event, &mut scratch, &mut |found| {
            if !throttle.fold(&event, &found, &context, start) {
                made += 1;
                passed.extend(throttle.admit(Alert::new(&event, &found, &context), start));
            }
        });
    }
    assert_eq!(
        (passed.len(), made),
        (1, 2),
        "one passes, one speaks for the repeats, the rest are not made"
    );
    let summaries = throttle.flush(start);
    assert_eq!(summaries[0].evidence.count, 5);
    assert_eq!(summaries[0].evidence.samples, ["/b?token=[redacted]", "/c"]);
    assert_eq!(throttle.counters().folded, 5);
}
