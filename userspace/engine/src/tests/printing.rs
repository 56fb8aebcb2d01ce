//! What is printed parses to the same tree.

use bstr::BString;
use proptest::prelude::*;

use crate::condition::ast::{
    Check, Constant, Expr, Operator, Quantifier, Right, Term, TermKind, Transformer,
};
use crate::condition::parse::parse;
use crate::source::{Span, Text};

/// A condition without a file around it.
pub(super) fn text(condition: &str) -> Text {
    Text::of_source(0, condition.to_owned())
}

/// A tree whose places are all the same, so that it can be compared with one that was built.
fn parsed(condition: &str) -> Result<Expr, String> {
    parse(&text(condition))
        .map(without_places)
        .map_err(|failures| format!("{condition}: {}", failures[0].1))
}

pub(super) fn without_places(expr: Expr) -> Expr {
    let all = |parts: Vec<Expr>| parts.into_iter().map(without_places).collect();
    match expr {
        Expr::And(parts) => Expr::And(all(parts)),
        Expr::Or(parts) => Expr::Or(all(parts)),
        Expr::Not(inner) => Expr::Not(Box::new(without_places(*inner))),
        Expr::Macro { name, .. } => Expr::Macro {
            name,
            span: Span::default(),
        },
        Expr::Check(check) => {
            let constants =
                |constants: Vec<Constant>| constants.into_iter().map(constant_without).collect();
            Expr::Check(Box::new(Check {
                left: term_without(check.left),
                operator: check.operator,
                operator_span: Span::default(),
                right: match check.right {
                    Right::None => Right::None,
                    Right::One(constant) => Right::One(constant_without(constant)),
                    Right::Word(constant) => Right::Word(constant_without(constant)),
                    Right::Many(many) => Right::Many(constants(many)),
                    Right::Quantified(quantifier, many) => {
                        Right::Quantified(quantifier, constants(many))
                    }
                    Right::Term(term) => Right::Term(term_without(term)),
                },
            }))
        }
    }
}

fn constant_without(constant: Constant) -> Constant {
    Constant {
        span: Span::default(),
        ..constant
    }
}

fn term_without(term: Term) -> Term {
    let all = |terms: Vec<Term>| terms.into_iter().map(term_without).collect();
    let kind = match term.kind {
        TermKind::Call {
            transformer,
            arguments,
            selector,
        } => TermKind::Call {
            transformer,
            arguments: all(arguments),
            selector,
        },
        TermKind::List(terms) => TermKind::List(all(terms)),
        other => other,
    };
    place(kind)
}

fn place(kind: TermKind) -> Term {
    Term {
        kind,
        span: Span::default(),
    }
}

#[test]
fn conditions_print_as_people_write_them() {
    for (written, printed) in [
        ("a.b=c", "a.b = c"),
        ("a.b==c", "a.b = c"),
        ("a.b='c'", "a.b = \"c\""),
        ("a.b='c d\\n'", "a.b = \"c d\\n\""),
        ("a.b = '\"\\\\'", "a.b = \"\\\"\\\\\""),
        ("a.b=\"\\xff\\x01\"", "a.b = \"\\xff\\x01\""),
        ("a.b exists", "a.b exists"),
        ("a.b in(c,'d')", "a.b in (c, \"d\")"),
        ("a.b in ()", "a.b in ()"),
        ("a.b in names", "a.b in names"),
        ("a.b startswith  anyof(c)", "a.b startswith anyof (c)"),
        ("a.b = val( c.d )", "a.b = val(c.d)"),
        ("tolower( a.b )=c", "tolower(a.b) = c"),
        (
            "join( ',' , (a.b,\"x\",5))=c",
            "join(\",\", (a.b, \"x\", \"5\")) = c",
        ),
        ("getopt(a.b,'x:')[x]=c", "getopt(a.b, \"x:\")[x] = c"),
        ("a.b[1] = c", "a.b[1] = c"),
        ("a.b['x y'] = c", "a.b[\"x y\"] = c"),
        ("a.b[\"\"] = c", "a.b[\"\"] = c"),
        ("x and(y or z)", "x and (y or z)"),
        ("(x and y) or z", "x and y or z"),
        ("x or (y or z)", "x or (y or z)"),
        ("not(x)", "not x"),
        ("not not not x", "not x"),
        ("not (not x)", "not (not x)"),
        ("not (x and y)", "not (x and y)"),
        ("((x))", "x"),
    ] {
        let tree = parsed(written).expect("a condition");
        assert_eq!(tree.to_string(), printed, "{written}");
        assert_eq!(parsed(printed), Ok(tree), "{written}");
    }
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_]{0,3}".prop_filter("a keyword", |name| {
        !["and", "or", "not", "val"].contains(&name.as_str())
            && Transformer::ALL
                .iter()
                .all(|transformer| transformer.word() != name)
    })
}

fn bytes() -> impl Strategy<Value = BString> {
    prop_oneof![
        "[ -~\\n\\t\u{e9}\u{1f600}]{0,6}".prop_map(BString::from),
        prop::collection::vec(1..=255_u8, 0..6).prop_map(BString::from),
    ]
}

fn constant() -> impl Strategy<Value = Constant> {
    let bare = "[!-~]{1,6}".prop_filter("a bare string", |text| {
        !text.contains(['(', ')', '"', '\'', '=', ',']) && !text.ends_with("of")
    });
    prop_oneof![
        bare.prop_map(|text| (BString::from(text), false)),
        bytes().prop_map(|text| (text, true)),
    ]
    .prop_map(|(value, quoted)| Constant {
        value,
        quoted,
        span: Span::default(),
    })
}

fn field() -> impl Strategy<Value = Term> {
    let argument = prop::option::weighted(0.3, bytes());
    (name(), name(), argument).prop_map(|(family, name, argument)| {
        place(TermKind::Field {
            name: format!("{family}.{name}"),
            argument,
        })
    })
}

fn term() -> impl Strategy<Value = Term> {
    field().prop_recursive(3, 8, 3, |inner| {
        let argument = prop_oneof![
            3 => inner.clone(),
            1 => bytes().prop_map(|text| place(TermKind::Constant(text))),
            1 => prop::collection::vec(inner, 0..3).prop_map(|terms| place(TermKind::List(terms))),
        ];
        (
            prop::sample::select(Transformer::ALL),
            prop::collection::vec(argument, 1..3),
            prop::option::weighted(0.2, bytes()),
        )
            .prop_map(|(transformer, arguments, selector)| {
                place(TermKind::Call {
                    transformer,
                    arguments,
                    selector,
                })
            })
    })
}

fn check() -> impl Strategy<Value = Expr> {
    let right = |operator: Operator| -> BoxedStrategy<Right> {
        let many = || prop::collection::vec(constant(), 0..3);
        let number = "(0x)?[0-9]{1,3}".prop_map(|number| Constant {
            value: number.into(),
            quoted: false,
            span: Span::default(),
        });
        let term = term().prop_map(Right::Term);
        if operator == Operator::Exists {
            Just(Right::None).boxed()
        } else if operator.takes_list() {
            let word = name().prop_map(|name| Constant {
                value: name.into(),
                quoted: false,
                span: Span::default(),
            });
            prop_oneof![
                many().prop_map(Right::Many),
                word.prop_map(Right::Word),
                term
            ]
            .boxed()
        } else if operator.takes_number() {
            prop_oneof![number.prop_map(Right::One), term].boxed()
        } else {
            let quantifier =
                prop::sample::select(vec![Quantifier::Any, Quantifier::All, Quantifier::One]);
            let quantified = (quantifier, many())
                .prop_map(|(quantifier, many)| Right::Quantified(quantifier, many));
            prop_oneof![constant().prop_map(Right::One), quantified, term].boxed()
        }
    };
    (term(), prop::sample::select(Operator::ALL))
        .prop_flat_map(move |(left, operator)| (Just(left), Just(operator), right(operator)))
        .prop_map(|(left, operator, right)| {
            Expr::Check(Box::new(Check {
                left,
                operator,
                operator_span: Span::default(),
                right,
            }))
        })
}

fn expr() -> impl Strategy<Value = Expr> {
    let reference = name().prop_map(|name| Expr::Macro {
        name,
        span: Span::default(),
    });
    prop_oneof![3 => check(), 1 => reference].prop_recursive(5, 30, 4, |inner| {
        let parts = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            parts().prop_map(Expr::And),
            parts().prop_map(Expr::Or),
            inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_tree_survives_printing_and_parsing(tree in expr()) {
        let printed = tree.to_string();
        prop_assert_eq!(parsed(&printed), Ok(tree), "{}", printed);
    }
}
