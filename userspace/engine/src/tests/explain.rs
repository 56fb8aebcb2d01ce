//! Explanations say what evaluation answered, and which part decided.

use super::{event, rule, ruleset};
use crate::{NotAsked, Outcome, Step, StepKind, Truth};

const RULES: &str = "
- list: words
  items: [x, y]
- macro: known
  condition: (t.text in (words, z) and not t.int = 5)
";

fn explained(condition: &str, values: &str) -> crate::Explanation {
    let ruleset = ruleset(&[RULES, &rule("r", condition)]);
    ruleset
        .explain(0, &event("open", 0, values))
        .expect("conditions are kept")
}

/// The comparisons that decided.
fn deciding(explanation: &crate::Explanation) -> Vec<String> {
    let mut found = Vec::new();
    explanation.passes[0].condition.visit(&mut |step: &Step| {
        if let (true, StepKind::Comparison(text)) = (step.decides, &step.kind) {
            found.push(format!("{text}: {}", step.truth.word()));
        }
    });
    found
}

#[test]
fn the_parts_that_decide_are_marked_and_no_others() {
    for (condition, values, outcome, parts) in [
        (
            "known",
            "t.text=x;t.int=1",
            Some(Outcome::Fires),
            &["t.text in (words, z): true", "t.int = 5: false"][..],
        ),
        ("known", "t.text=x;t.int=5", None, &["t.int = 5: true"]),
        (
            "known",
            "t.text=q;t.int=5",
            None,
            &["t.text in (words, z): false", "t.int = 5: true"],
        ),
        (
            "known",
            "t.text=?;t.int=1",
            Some(Outcome::Partial),
            &["t.text in (words, z): unknown"],
        ),
        (
            "known or t.int = 1",
            "t.text=q;t.int=1",
            Some(Outcome::Fires),
            &["t.int = 1: true"],
        ),
        (
            "not known",
            "t.text=q;t.int=1",
            Some(Outcome::Fires),
            &["t.text in (words, z): false"],
        ),
        (
            "t.text = val(t.other)",
            "t.text=x",
            None,
            &["t.text = val(t.other): false"],
        ),
    ] {
        let explanation = explained(condition, values);
        assert_eq!(explanation.outcome, outcome, "{condition} with {values}");
        assert_eq!(deciding(&explanation), parts, "{condition} with {values}");
    }
}

#[test]
fn what_was_seen_is_told_and_what_is_missing_too() {
    let explanation = explained(
        "known and t.text != val(t.other)",
        "t.text=\u{1b}[31mx;t.int=1",
    );
    let text = explanation.to_string();
    assert!(text.contains("t.other has no value"), "{text}");
    assert!(text.contains("does not fire"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    let Some(step) = explanation.passes[0].condition.parts.first() else {
        panic!("two parts")
    };
    assert_eq!(
        (&step.kind, step.truth),
        (&StepKind::Macro("known".to_owned()), Truth::False)
    );
}

#[test]
fn a_rule_that_is_not_asked_says_why() {
    let rules = format!(
        "{}{}",
        rule("types", "evt.type = mkdir"),
        rule("off", "t.int = 1") + "  enabled: false\n"
    );
    let ruleset = ruleset(&[&rules]);
    let event = event("open", 0, "t.int=1");
    let why = |index| {
        ruleset
            .explain(index, &event)
            .expect("conditions are kept")
            .not_asked
    };
    assert_eq!(why(0), Some(NotAsked::EventType));
    assert_eq!(why(1), Some(NotAsked::Inactive));
    assert!(ruleset.explain(2, &event).is_none());
}

#[test]
fn a_rule_is_taken_apart() {
    let ruleset = ruleset(&[
        RULES,
        &rule(
            "r",
            "evt.type in (open, openat) and known and (t.path = a or tolower(t.other) = b)",
        ),
    ]);
    let described = ruleset.describe(0).expect("conditions are kept");
    assert_eq!(
        described.condition,
        [
            "evt.type in (open, openat)",
            "known",
            "(t.path = a or tolower(t.other) = b)"
        ]
    );
    let place = described.place.expect("a place");
    assert_eq!((place.file.as_str(), place.line), ("1.yaml", 1));
    assert_eq!(
        described.macros[0].condition,
        "t.text in (words, z) and not t.int = 5"
    );
    assert_eq!(
        described.macros[0].place.as_ref().map(|place| place.line),
        Some(4)
    );
    assert_eq!(described.lists[0].0, "words");
    assert_eq!(described.lists[0].1, ["x", "y"]);
    assert_eq!(described.event_types.len(), 2);
    let fields: Vec<&str> = described
        .fields
        .iter()
        .map(crate::FieldReference::name)
        .collect();
    assert_eq!(fields, ["evt.type", "t.int", "t.other", "t.path", "t.text"]);
    // Macros are dissolved, lists put in, and what the event type decides is gone.
    assert_eq!(described.judged.len(), 2);
    let judged: Vec<&str> = described
        .judged
        .iter()
        .map(|judged| judged.text.as_str())
        .collect();
    let known = "(not t.int = 5 and t.text in (\"x\", \"y\", \"z\"))";
    assert!(judged.contains(&known), "{judged:?}");
}

#[test]
fn macros_that_double_in_size_are_not_explained_rather_than_walked_for_ever() {
    let mut text = "- macro: m0\n  condition: (t.int = 1)\n".to_owned();
    for level in 1..60 {
        let below = level - 1;
        text += &format!(
            "- macro: m{level}\n  condition: (m{below} and t.text = a{level} or m{below} and t.text = b{level})\n"
        );
    }
    text += &rule("r", "m59");
    let ruleset = ruleset(&[&text]);
    assert!(ruleset.explain(0, &event("open", 0, "t.int=1")).is_none());
    assert!(ruleset.describe(0).is_none());
}
