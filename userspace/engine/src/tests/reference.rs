//! The language once more, as simply as it can be written, to compare the compiled conditions with: straight
//! over the syntax tree, left to right, without sets, sharing or reordering.

use proptest::prelude::*;
use vigia_event::fields::Shape;
use vigia_event::glob;
use vigia_event::{Event, Extracted, Spelling, Value, View};

use super::{event, fields, matches, rule, ruleset};
use crate::condition::ast::{Check, Constant, Expr, Operator, Quantifier, Right, Term};
use crate::condition::parse::parse;
use crate::operand;
use crate::program::Truth;
use crate::source::Text;

fn judge(expr: &Expr, event: &Event) -> Truth {
    match expr {
        Expr::Not(inner) => match judge(inner, event) {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            Truth::Unknown => Truth::Unknown,
        },
        Expr::And(parts) => {
            let truths: Vec<Truth> = parts.iter().map(|part| judge(part, event)).collect();
            if truths.contains(&Truth::False) {
                Truth::False
            } else if truths.contains(&Truth::Unknown) {
                Truth::Unknown
            } else {
                Truth::True
            }
        }
        Expr::Or(parts) => {
            let truths: Vec<Truth> = parts.iter().map(|part| judge(part, event)).collect();
            if truths.contains(&Truth::True) {
                Truth::True
            } else if truths.contains(&Truth::Unknown) {
                Truth::Unknown
            } else {
                Truth::False
            }
        }
        Expr::Macro { .. } => panic!("the generator makes no macros"),
        Expr::Check(check) => compare(check, event),
    }
}

fn values(term: &Term, event: &Event) -> (Shape, Extracted<'static>) {
    let typed = operand::resolve(term, fields::CATALOGUE).expect("a valid term");
    let extracted = match typed.operand.extract(View {
        event,
        spelling: Spelling::Given,
    }) {
        Extracted::Missing => Extracted::Missing,
        Extracted::Unknown => Extracted::Unknown,
        Extracted::One(value) => Extracted::One(owned(&value)),
        Extracted::Many(values) => Extracted::Many(values.iter().map(owned).collect()),
    };
    (typed.shape, extracted)
}

fn owned(value: &Value<'_>) -> Value<'static> {
    match value {
        Value::Bytes(text) => Value::made(text.to_vec()),
        Value::Int(number) => Value::Int(*number),
        Value::Uint(number) => Value::Uint(*number),
        Value::Bool(value) => Value::Bool(*value),
        Value::Ip(address) => Value::Ip(*address),
    }
}

fn compare(check: &Check, event: &Event) -> Truth {
    let (shape, left) = values(&check.left, event);
    if let Right::Term(term) = &check.right
        && values(term, event).1 == Extracted::Missing
    {
        return Truth::False;
    }
    let left: Vec<Value<'_>> = match left {
        Extracted::Missing => return Truth::False,
        Extracted::Unknown => return Truth::Unknown,
        Extracted::One(value) => vec![value],
        Extracted::Many(values) => values.into_vec(),
    };
    let truth = match &check.right {
        Right::None => true,
        Right::Term(term) => match values(term, event).1 {
            Extracted::Missing => return Truth::False,
            Extracted::Unknown => return Truth::Unknown,
            Extracted::One(right) => left.iter().any(|left| {
                let Value::Bytes(right) = &right else {
                    panic!("the generator compares texts")
                };
                let constant = Constant {
                    value: right.to_vec().into(),
                    quoted: true,
                    span: check.operator_span,
                };
                one(check.operator, left, &constant)
            }),
            Extracted::Many(_) => panic!("the generator compares single values"),
        },
        Right::One(constant) | Right::Word(constant) => left
            .iter()
            .any(|value| one(check.operator, value, constant)),
        Right::Many(constants) => {
            let found = |value: &Value<'_>| {
                constants
                    .iter()
                    .any(|constant| one(check.operator, value, constant))
            };
            if shape == Shape::List && check.operator == Operator::In {
                left.iter().all(found)
            } else {
                left.iter().any(found)
            }
        }
        Right::Quantified(quantifier, constants) => left.iter().any(|value| {
            let count = constants
                .iter()
                .filter(|constant| one(check.operator, value, constant))
                .count();
            match quantifier {
                Quantifier::Any => count > 0,
                Quantifier::All => count == constants.len() && count > 0,
                Quantifier::One => count == 1,
            }
        }),
    };
    if truth { Truth::True } else { Truth::False }
}

/// Compares one value with one constant.
fn one(operator: Operator, value: &Value<'_>, constant: &Constant) -> bool {
    let right: &[u8] = &constant.value;
    match value {
        Value::Bytes(left) => text(operator, left, right),
        Value::Int(left) => number(operator, i128::from(*left), right),
        Value::Uint(left) => number(operator, i128::from(*left), right),
        Value::Bool(left) => {
            let equal = left.to_string().as_bytes() == right;
            equal == (operator != Operator::NotEqual)
        }
        Value::Ip(left) => {
            let equal = left.to_string().as_bytes() == right;
            equal == (operator != Operator::NotEqual)
        }
    }
}

fn number(operator: Operator, left: i128, right: &[u8]) -> bool {
    let right: i128 = String::from_utf8_lossy(right).parse().expect("a number");
    match operator {
        Operator::Equal | Operator::In | Operator::Intersects => left == right,
        Operator::NotEqual => left != right,
        Operator::Less => left < right,
        Operator::LessOrEqual => left <= right,
        Operator::Greater => left > right,
        Operator::GreaterOrEqual => left >= right,
        _ => panic!("no operator of numbers"),
    }
}

fn text(operator: Operator, left: &[u8], right: &[u8]) -> bool {
    let contains =
        |left: &[u8], right: &[u8]| (0..=left.len()).any(|start| left[start..].starts_with(right));
    match operator {
        Operator::Equal | Operator::In | Operator::Intersects => left == right,
        Operator::NotEqual => left != right,
        Operator::Contains => contains(left, right),
        Operator::ContainsFolded => {
            contains(&left.to_ascii_lowercase(), &right.to_ascii_lowercase())
        }
        Operator::StartsWith => left.starts_with(right),
        Operator::EndsWith => left.ends_with(right),
        Operator::Glob => glob::matches(right, left, false),
        Operator::PathMatch => {
            let parts = |path: &[u8]| -> Vec<Vec<u8>> {
                path.split(|&byte| byte == b'/')
                    .filter(|part| !part.is_empty())
                    .map(<[u8]>::to_vec)
                    .collect()
            };
            parts(left).starts_with(&parts(right))
        }
        _ => panic!("no operator the generator makes"),
    }
}

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
            let expected: Vec<String> = conditions
                .iter()
                .enumerate()
                .filter_map(|(index, condition)| {
                    let text = Text { text: condition.clone(), origins: vec![0; condition.len() + 1], source: 0 };
                    match judge(&parse(&text).expect("a condition"), &event) {
                        Truth::False => None,
                        Truth::True => Some(index.to_string()),
                        Truth::Unknown => Some(format!("{index}?")),
                    }
                })
                .collect();
            prop_assert_eq!(matches(&ruleset, &event).0, expected, "{:?} with {}", conditions, values);
        }
    }
}
