//! Which rules an event is shown to, and what comes of it.

use std::sync::Arc;

use bstr::BString;
use vigia_event::{Process, Spelling};

use super::{event, fields, judge, matches, rule, ruleset};
use crate::compile::compile_with;
use crate::program::Truth;
use crate::{EventTypes, Match, Options, Priority, RuleMatching, Source};

#[test]
fn event_types_follow_from_the_condition() {
    for (condition, expected) in [
        ("evt.type = open", "open"),
        ("evt.type in (open, openat) and t.text = a", "open openat"),
        ("evt.type = open or evt.type = creat", "open creat"),
        ("evt.type = open and evt.type = creat", ""),
        ("evt.type = open or t.text = a", "all"),
        ("evt.type = open and not t.text = a", "open"),
        ("not (evt.type = open and t.text = a)", "all"),
        ("not (evt.type != open)", "open"),
        ("not (evt.type != open or t.text = a)", "open"),
        ("evt.type exists", "all"),
        ("not evt.type exists", ""),
        ("evt.type = open and evt.num = 0", ""),
        ("evt.type = open and not evt.num = 0", "open"),
        ("evt.type = open and evt.num < 1", ""),
        ("evt.type = open and evt.num > 0", "open"),
        ("evt.type = open and evt.num > 5", "open"),
        ("evt.type = open and evt.num in (0)", ""),
        ("evt.type startswith op", "all"),
        ("not evt.type startswith op", "all"),
        ("not t.text = a", "all"),
        (
            "(evt.type = open and t.int = 1) or (evt.type = creat and t.int = 2)",
            "open creat",
        ),
    ] {
        let ruleset = ruleset(&[&rule("r", condition)]);
        let types = ruleset.rules()[0].event_types;
        let shown = if types == EventTypes::all() {
            "all".to_owned()
        } else {
            types
                .iter()
                .map(|event_type| event_type.name())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(shown, expected, "{condition}");
        assert_eq!(*ruleset.event_types(), types);
    }
}

#[test]
fn rules_are_asked_in_order_and_the_first_that_fires_ends_it() {
    let text = format!(
        "{}{}{}",
        rule("a", "t.text = x"),
        rule("b", "t.int = 1"),
        rule("c", "t.int = 1")
    );
    let values = event("open", 0, "t.int=1;t.text=?");
    assert_eq!(matches(&ruleset(&[&text]), &values).0, ["a?", "b", "c"]);
    let options = Options {
        rule_matching: RuleMatching::First,
        keep_conditions: true,
        ..Options::default()
    };
    let compiled = compile_with(&[Source::new("x", text)], &options, fields::CATALOGUE);
    let first = compiled.ruleset.expect("no errors");
    assert_eq!(matches(&first, &values).0, ["a?", "b"]);
    // A container has many properties at once, and rules about it say one each.
    let of_container = event("container", 0, "t.int=1;t.text=?");
    assert_eq!(matches(&first, &of_container).0, ["a?", "b", "c"]);
}

#[test]
fn rules_that_are_off_or_not_urgent_enough_are_not_asked() {
    let off = format!("{}  enabled: false\n", rule("off", "evt.type = open"));
    let text = format!("{off}{}", rule("info", "evt.type = creat"));
    let options = Options {
        minimum_priority: Priority::Notice,
        ..Options::default()
    };
    let compiled = compile_with(&[Source::new("x", text)], &options, fields::CATALOGUE);
    let ruleset = compiled.ruleset.expect("no errors");
    assert_eq!(ruleset.rules().len(), 2);
    assert!(ruleset.event_types().is_empty());
    assert!(matches(&ruleset, &event("open", 0, "")).0.is_empty());
}

#[test]
fn a_path_is_judged_in_both_spellings_and_never_in_a_mix_of_both() {
    let mut values = event("open", 3, "");
    values.paths.given = Some("/tmp/link".into());
    values.paths.real = Some("/etc/shadow".into());
    for (condition, expected) in [
        ("t.spelled = /etc/shadow", Some(Spelling::Real)),
        ("t.spelled = /tmp/link", Some(Spelling::Given)),
        ("t.spelled startswith /", Some(Spelling::Given)),
        (
            "t.spelled startswith /etc and not t.spelled startswith /tmp",
            Some(Spelling::Real),
        ),
        (
            "t.spelled startswith /etc and t.spelled startswith /tmp",
            None,
        ),
        ("t.spelled = /nowhere", None),
    ] {
        let ruleset = ruleset(&[&rule("r", condition)]);
        let mut found = None;
        let mut count = 0;
        ruleset.evaluate(&values, &mut ruleset.scratch(), &mut |hit: Match<'_>| {
            found = Some(hit.spelling);
            count += 1;
        });
        assert_eq!(found, expected, "{condition}");
        assert!(count <= 1, "{condition}");
    }
}

#[test]
fn a_failed_execution_is_shown_only_to_rules_that_ask_for_the_result() {
    let text = format!(
        "{}{}{}{}",
        rule("plain", "evt.type = execve"),
        rule("res", "evt.type = execve and evt.res != EPERM"),
        rule("raw", "evt.type in (execve, open) and evt.rawres < 0"),
        "- macro: failed\n  condition: evt.failed = true\n".to_owned()
            + &rule("macro", "evt.type = execve and failed")
    );
    let ruleset = ruleset(&[&text]);
    assert_eq!(
        matches(&ruleset, &event("execve", -2, "")).0,
        ["res", "raw", "macro"]
    );
    assert_eq!(
        matches(&ruleset, &event("execve", 0, "")).0,
        ["plain", "res"]
    );
    assert_eq!(matches(&ruleset, &event("open", -2, "")).0, ["raw"]);
}

#[test]
fn shared_conditions_and_fields_are_read_once_per_event() {
    let shared = "- macro: shared\n  condition: t.counted = x and t.counted startswith x\n";
    let rules: String = (0..50)
        .map(|index| {
            rule(
                &format!("r{index}"),
                &format!("shared and t.int = {index} or t.counted = y{index}"),
            )
        })
        .collect();
    let ruleset = ruleset(&[shared, &rules]);
    let mut scratch = ruleset.scratch();
    let values = event("open", 0, "t.int=7");
    for _ in 0..3 {
        fields::READS.set(0);
        let mut count = 0;
        ruleset.evaluate(&values, &mut scratch, &mut |_| count += 1);
        assert_eq!((count, fields::READS.get()), (1, 1));
    }
}

#[test]
fn touching_volatile_and_unknown_fields_is_told() {
    let ruleset = ruleset(&[&rule(
        "r",
        "evt.type = open and t.int = 1 and t.volatile = x",
    )]);
    let touched = |values: &str| {
        let touched = matches(&ruleset, &event("open", 0, values)).1;
        (touched.volatile, touched.unknown)
    };
    assert_eq!(
        touched("t.int=2;t.volatile=y"),
        (false, false),
        "the stable field decided"
    );
    assert_eq!(touched("t.int=1;t.volatile=y"), (true, false));
    assert_eq!(touched("t.int=?;t.volatile=y"), (true, true));
    assert_eq!(touched("t.int=?"), (true, true));
}

#[test]
fn the_arguments_of_a_process_are_a_list_to_what_takes_one() {
    let mut tested = event("openat", 3, "");
    let words = |words: &[&str]| words.iter().map(|word| BString::from(*word)).collect();
    tested.process = Arc::new(Process {
        args: words(&["-a", "-b", "x y", "rest"]),
        ..Process::default()
    });
    for (condition, expected) in [
        (r#"getopt(proc.args, "ab:")[b] = "x y""#, Truth::True),
        (r#"getopt(proc.args, "ab:")[c] exists"#, Truth::False),
        (r#"join(",", proc.args) = "-a,-b,x y,rest""#, Truth::True),
        (r#"proc.args = "-a -b x y rest""#, Truth::True),
        ("len(proc.args) = 14", Truth::True),
        ("proc.arglist intersects (rest)", Truth::True),
    ] {
        assert_eq!(judge(condition, &tested), expected, "{condition}");
    }
}

#[test]
fn the_environment_is_wanted_only_by_rules_that_read_it() {
    for (text, expected) in [
        (rule("r", "evt.type = open"), false),
        (rule("r", "proc.env[HOME] = x"), true),
        (rule("r", "evt.arg.env contains x"), true),
        (
            rule("r", "evt.type = open").replace("output: o", "output: o %proc.env"),
            true,
        ),
        (
            format!("{}  enabled: false\n", rule("r", "proc.env contains x")),
            false,
        ),
    ] {
        assert_eq!(ruleset(&[&text]).uses_environment(), expected, "{text}");
    }
}

#[test]
fn data_are_wanted_only_by_rules_that_read_them() {
    for (condition, expected) in [
        ("evt.type = recvfrom and evt.buffer contains x", true),
        ("evt.type = sendto and evt.arg.data contains x", true),
        ("evt.type = sendto and evt.rawarg.data contains x", true),
        ("evt.type = sendto and evt.arg.size > 10", false),
    ] {
        let text = rule("r", condition);
        assert_eq!(ruleset(&[&text]).uses_data(), expected, "{condition}");
    }
}

#[test]
fn a_rule_says_what_its_matches_are_grouped_by() {
    let text = format!(
        "{}  group_by: [t.text, 't.ancestor[2]']\n",
        rule("r", "t.int = 1")
    );
    let ruleset = ruleset(&[&text]);
    let names: Vec<&str> = ruleset.rules()[0]
        .group_by
        .iter()
        .map(crate::FieldReference::name)
        .collect();
    assert_eq!(names, ["t.text", "t.ancestor[2]"]);
}

#[test]
fn working_memory_serves_many_events_and_other_rulesets() {
    let small = ruleset(&[&rule("a", "t.int = 1")]);
    let large = ruleset(&[
        &rule("a", "t.int = 1 and t.text = x"),
        &rule("b", "t.other = y or t.any = z"),
    ]);
    let mut scratch = small.scratch();
    for (ruleset, values, expected) in [
        (&small, "t.int=1", 1),
        (&small, "t.int=2", 0),
        (&large, "t.int=1;t.text=x;t.any=z", 2),
        (&large, "t.int=1;t.text=y", 0),
        (&small, "t.int=1", 1),
    ] {
        let mut count = 0;
        ruleset.evaluate(&event("open", 0, values), &mut scratch, &mut |_| count += 1);
        assert_eq!(count, expected, "{values}");
    }
}
