//! What is a condition, and what it means.

use super::{compile, compile_all, event, judge, matches, rule};
use crate::program::Truth;

#[test]
fn deep_nesting_is_refused_and_does_no_harm() {
    let alternating = |depth: usize| {
        let opened = "t.text = a and (t.text = b or (".repeat(depth / 2);
        format!("{opened}t.text = a{}", ")".repeat(depth / 2 * 2))
    };
    for (condition, accepted) in [
        (
            format!("{}t.text = a{}", "(".repeat(1000), ")".repeat(1000)),
            true,
        ),
        (
            format!("{}t.text = a{}", "(".repeat(1001), ")".repeat(1001)),
            false,
        ),
        (
            format!("{}t.text = a{}", "(".repeat(100_000), ")".repeat(100_000)),
            false,
        ),
        (format!("{}t.text = a", "(".repeat(100_000)), false),
        (format!("{}t.text = a", "not ".repeat(20_000)), true),
        (
            format!("{}t.text{} = a", "tolower(".repeat(20), ")".repeat(20)),
            true,
        ),
        (
            format!(
                "{}t.text{} = a",
                "tolower(".repeat(20_000),
                ")".repeat(20_000)
            ),
            false,
        ),
        (
            format!("t.text = a{}", " and t.text = a".repeat(20_000)),
            true,
        ),
        (alternating(300), true),
        (alternating(398), true),
        (alternating(1000), false),
        (alternating(1002), false),
    ] {
        let ruleset = compile(&rule("r", &condition)).ruleset;
        // Judging recurses.
        if let Some(ruleset) = &ruleset {
            matches(ruleset, &event("open", 0, "t.text=a"));
            matches(ruleset, &event("open", 0, ""));
        }
        let compiled = ruleset.is_some();
        let start: String = condition.chars().take(40).collect();
        assert_eq!(compiled, accepted, "{start} ({} bytes)", condition.len());
    }
}

#[test]
fn every_syntax_error_of_a_condition_is_told() {
    for (condition, expected) in [
        (
            "t.text = a b and t.int bigger 5",
            &["1:12 unexpected", "1:24 unknown operator"][..],
        ),
        (
            "t.text ? a and (t.int = 5 or t.text = \"x\\q\" or t.text = (a))",
            &[
                "1:8 expected an operator",
                "1:41 unknown escape",
                "1:57 expected a value",
            ],
        ),
        (
            "t.text not in (a) and t.int 5",
            &["1:8 'not' stands before", "1:29 expected an operator"],
        ),
        ("t.text in (a b) and t.text = a", &["1:14 expected ','"]),
        (
            "t.text = \"a and t.int = x y",
            &["1:10 this quote is not closed"],
        ),
        ("(t.text = a and t.int = 5", &["1:26 expected ')'"]),
        (
            "(t.text a) and t.int 5",
            &["1:9 unknown operator", "1:22 expected an operator"],
        ),
        (
            "t.text = a) or t.int 5",
            &["1:11 unexpected token", "1:22 expected an operator"],
        ),
        (
            "t.text = a and and t.int = 5 x",
            &["1:16 expected a field", "1:30 unexpected"],
        ),
        ("and", &["1:1 expected a field"]),
        ("t.text = a or", &["1:14 expected a field"]),
        ("t.text = a or ", &["1:14 expected a field"]),
    ] {
        let failures =
            crate::condition::parse::parse(&super::printing::text(condition)).expect_err(condition);
        let shown: Vec<String> = failures
            .iter()
            .map(|(span, problem)| format!("1:{} {problem}", span.start + 1))
            .collect();
        assert_eq!(shown.len(), expected.len(), "{condition}: {shown:#?}");
        for (shown, expected) in shown.iter().zip(expected) {
            assert!(shown.starts_with(expected), "{condition}: {shown}");
        }
    }
}

#[test]
fn not_binds_closest_then_and_then_or() {
    let values = event("open", 0, "t.text=a;t.int=1");
    for (condition, expected) in [
        ("t.text = a or t.text = b and t.int = 2", Truth::True),
        ("(t.text = a or t.text = b) and t.int = 2", Truth::False),
        ("not t.text = b and t.int = 1", Truth::True),
        ("not (t.text = b and t.int = 1)", Truth::True),
        ("not not t.text = a", Truth::True),
    ] {
        assert_eq!(judge(condition, &values), expected, "{condition}");
    }
}

#[test]
fn strings_are_unescaped() {
    for (condition, values) in [
        ("t.text = \"a\\x41\"", "t.text=aA"),
        ("t.text = 'a\\ b'", "t.text=a\\b"),
        ("t.text = \"(x)\"", "t.text=(x)"),
        ("t.text = 'a\\tb'", "t.text=a\tb"),
        ("t.text = a\\b", "t.text=a\\b"),
    ] {
        assert_eq!(
            judge(condition, &event("open", 0, values)),
            Truth::True,
            "{condition}"
        );
    }
}

#[test]
fn lists_and_macros_stand_for_what_they_hold() {
    let defined = "
- list: letters
  items: [a, b]
- list: more
  items: [letters, '\"(c)\"', 'd e', more]
- list: numbers
  items: [1, 0x10]
- list: one
  items: [a]
- list: later
  items: [after]
- list: after
  items: [z]
- list: nothing
  items: []
- macro: is_letter
  condition: t.text in (letters)
- macro: is_letter_and_one
  condition: is_letter and t.int = 1
";
    for (condition, values, expected) in [
        ("t.text in (letters)", "t.text=b", Truth::True),
        ("t.text in (x, letters, y)", "t.text=b", Truth::True),
        ("t.text in (more)", "t.text=b", Truth::True),
        ("t.text in (more)", "t.text=(c)", Truth::True),
        ("t.text in (more)", "t.text=d e", Truth::True),
        ("t.text in (more)", "t.text=more", Truth::True),
        ("t.text in (\"letters\")", "t.text=letters", Truth::True),
        ("t.text in ('letters')", "t.text=a", Truth::False),
        ("t.text = 'x letters y'", "t.text=x letters y", Truth::True),
        ("t.text = one", "t.text=a", Truth::True),
        ("t.text in one", "t.text=a", Truth::True),
        ("t.text in (later)", "t.text=z", Truth::True),
        ("t.text in (nothing)", "t.text=z", Truth::False),
        ("t.text in (nothing, z)", "t.text=z", Truth::True),
        (
            "t.text startswith anyof (letters)",
            "t.text=bcd",
            Truth::True,
        ),
        ("t.int in (numbers)", "t.int=16", Truth::True),
        ("is_letter", "t.text=a", Truth::True),
        ("not is_letter", "t.text=c", Truth::True),
        (
            "is_letter_and_one or t.int = 2",
            "t.text=a;t.int=1",
            Truth::True,
        ),
        (
            "is_letter_and_one or t.int = 2",
            "t.text=c;t.int=1",
            Truth::False,
        ),
    ] {
        let ruleset = super::ruleset(&[defined, &rule("r", condition)]);
        let (names, _) = super::matches(&ruleset, &event("open", 0, values));
        assert_eq!(
            !names.is_empty(),
            expected == Truth::True,
            "{condition} with {values}"
        );
    }
}

#[test]
fn a_list_of_several_items_cannot_stand_for_one_value() {
    let list = "- list: letters\n  items: [a, b]\n";
    let compiled = compile_all(&[list, &rule("r", "t.text = letters")]);
    assert!(
        compiled.diagnostics[0]
            .to_string()
            .contains("write `in (letters)`")
    );
}

#[test]
fn hostile_lists_and_macros_are_refused_in_no_time() {
    let mut doubling = String::from("- list: l0\n  items: [a, b]\n");
    let mut chain = String::from("- macro: m0\n  condition: t.text = a\n");
    for index in 1..64 {
        let below = index - 1;
        doubling.push_str(&format!(
            "- list: l{index}\n  items: [l{below}, l{below}]\n"
        ));
    }
    for index in 1..1000 {
        let below = index - 1;
        chain.push_str(&format!(
            "- macro: m{index}\n  condition: not (m{below} and m{below} and t.int = {index})\n"
        ));
    }
    let compiled = compile_all(&[&doubling, &rule("r", "t.text in (l63)")]);
    assert!(
        compiled
            .diagnostics
            .iter()
            .any(|found| found.problem.to_string().contains("lists expand to more"))
    );
    let compiled = compile_all(&[&chain, &rule("r", "m999")]);
    assert!(
        compiled
            .diagnostics
            .iter()
            .any(|found| found.problem.to_string().contains("nested too deeply"))
    );
    let compiled = compile_all(&[&chain, &rule("r", "m40")]);
    let relevant = compiled.diagnostics.iter().filter(|found| {
        found.is_error()
            && found
                .item
                .as_ref()
                .is_some_and(|item| item.to_string().contains("rule"))
    });
    assert_eq!(relevant.count(), 0);
}

#[test]
fn a_macro_sees_only_macros_before_it() {
    for (files, message) in [
        (
            &["- macro: a\n  condition: b\n- macro: b\n  condition: t.text = x\n"][..],
            "Undefined macro 'b'",
        ),
        (
            &["- macro: a\n  condition: a\n"],
            "reference loop in macro 'a'",
        ),
        (
            &[
                "- macro: a\n  condition: t.int = 1\n- macro: b\n  condition: a\n- macro: a\n  condition: b\n",
            ],
            "reference loop",
        ),
    ] {
        let rule = rule("r", "a");
        let mut all = files.to_vec();
        all.push(&rule);
        let compiled = compile_all(&all);
        assert!(compiled.ruleset.is_none(), "{files:?}");
        assert!(
            compiled
                .diagnostics
                .iter()
                .any(|found| found.problem.to_string().contains(message)),
            "{files:?} {:?}",
            compiled.diagnostics
        );
    }
}
