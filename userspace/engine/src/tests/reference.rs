//! The compiled conditions answer like the interpreter of what was written: the plainest form of the language.

use proptest::prelude::*;

use super::{event, interpreted, matches, rule, ruleset};

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a", "ab", "abc", "b", "ba", "A", "/a", "/a/b", "/ab", "/",
    ])
}

fn words() -> impl Strategy<Value = String> {
    prop::collection::vec(word(), 0..4).prop_map(|words| words.join(", "))
}

fn check_text() -> impl Strategy<Value = String> {
    let field = || {
        prop::sample::select(vec![
            "t.text",
            "t.other",
            "t.path",
            "t.any",
            "tolower(t.text)",
        ])
    };
    let operator = || {
        prop::sample::select(vec![
            "=",
            "!=",
            "contains",
            "icontains",
            "startswith",
            "endswith",
            "glob",
        ])
    };
    let quantifier = prop::sample::select(vec!["anyof", "allof", "oneof"]);
    let single = prop::sample::select(vec!["t.text", "t.other"]);
    prop_oneof![
        4 => (field(), operator(), word()).prop_map(|(field, operator, word)| format!("{field} {operator} {word}")),
        2 => (field(), words()).prop_map(|(field, words)| format!("{field} in ({words})")),
        1 => (field(), words()).prop_map(|(field, words)| format!("{field} pmatch ({words})")),
        1 => (field(), operator(), quantifier, words())
            .prop_map(|(field, operator, quantifier, words)| format!("{field} {operator} {quantifier} ({words})")),
        1 => (single, operator()).prop_map(|(field, operator)| format!("{field} {operator} val(t.other)")),
        1 => (Just("t.list"), prop::sample::select(vec!["in", "intersects"]), words())
            .prop_map(|(field, operator, words)| format!("{field} {operator} ({words})")),
        1 => (prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]), -2..3)
            .prop_map(|(operator, number)| format!("t.int {operator} {number}")),
        1 => (prop::sample::select(vec!["=", "!="]), any::<bool>())
            .prop_map(|(operator, value)| format!("t.bool {operator} {value}")),
        1 => field().prop_filter("exists takes fields", |field| !field.contains('('))
            .prop_map(|field| format!("{field} exists")),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    check_text().prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|inner| format!("not ({inner})")),
        ]
    })
}

fn values_of_event() -> impl Strategy<Value = String> {
    let text = || prop_oneof![2 => word().prop_map(Some), 1 => Just(Some("?")), 1 => Just(None), 1 => Just(Some(""))];
    let list = || {
        prop::sample::select(vec![
            Some("a|ab"),
            Some("a"),
            Some(""),
            Some("/a|b"),
            Some("?"),
            None,
        ])
    };
    let int = prop::sample::select(vec![Some("-1"), Some("0"), Some("1"), Some("?"), None]);
    let boolean = prop::sample::select(vec![Some("true"), Some("false"), Some("?"), None]);
    (text(), text(), text(), list(), list(), int, boolean).prop_map(|(a, b, c, d, e, f, g)| {
        [
            ("text", a),
            ("other", b),
            ("path", c),
            ("any", d),
            ("list", e),
            ("int", f),
            ("bool", g),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("t.{name}={}", value?)))
        .collect::<Vec<_>>()
        .join(";")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn compiled_conditions_answer_like_the_reference(
        conditions in prop::collection::vec(condition(), 1..4),
        events in prop::collection::vec(values_of_event(), 1..6),
    ) {
        let rules: Vec<String> =
            conditions.iter().enumerate().map(|(index, condition)| rule(&index.to_string(), condition)).collect();
        let ruleset = ruleset(&[&rules.concat()]);
        for values in &events {
            let event = event("open", 0, values);
            let expected = interpreted(&ruleset, &event);
            prop_assert_eq!(matches(&ruleset, &event).0, expected, "{:?} with {}", conditions, values);
        }
    }
}
