//! The language as tables: what tests/cases says, held against the engine.

mod matrix;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use serde::Deserialize;
use vigia_event::{Event, EventType, Spelling, View};

use super::printing::{text, without_places};
use super::{compile_all, event, fields, matches, rule, ruleset};
use crate::condition::ast::{Expr, TermKind};
use crate::condition::parse::parse;
use crate::events::EventTypes;
use crate::program::Truth;
use crate::template::{Printing, Template};
use matrix::{Matrix, State};

/// Reads a table.
pub(super) fn table<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/cases")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Fields with a value, and conditions by answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    fields: Vec<String>,
    /// Of each field; `None` for missing, `?` for unknown.
    value: Option<String>,
    /// Values of other fields.
    #[serde(default)]
    with: BTreeMap<String, String>,
    #[serde(default, rename = "true")]
    holds: Vec<String>,
    #[serde(default, rename = "false")]
    fails: Vec<String>,
    #[serde(default)]
    unknown: Vec<String>,
}

impl Group {
    /// The event for one of its fields.
    fn event(&self, field: &str) -> Event {
        let field = field.split('[').next().unwrap_or(field);
        let own = self.value.as_ref().map(|value| (field, value.as_str()));
        let others = self
            .with
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let values: Vec<String> = own
            .into_iter()
            .chain(others)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        event("open", 0, &values.join(";"))
    }

    fn cases(&self) -> impl Iterator<Item = (&str, Truth)> {
        self.holds
            .iter()
            .map(|condition| (condition.as_str(), Truth::True))
            .chain(
                self.fails
                    .iter()
                    .map(|condition| (condition.as_str(), Truth::False)),
            )
            .chain(
                self.unknown
                    .iter()
                    .map(|condition| (condition.as_str(), Truth::Unknown)),
            )
    }

    fn state(&self) -> State {
        match self.value.as_deref() {
            None => State::Missing,
            Some("") => State::Empty,
            Some("?") => State::Unknown,
            Some(_) => State::Present,
        }
    }
}

/// Holds groups against the engine: each condition, and its negation, compiled and interpreted.
fn hold(groups: &[Group], mut each: impl FnMut(&str, &str, State)) -> usize {
    let mut wrong = Vec::new();
    let mut count = 0;
    for group in groups {
        for field in &group.fields {
            let cases: Vec<(String, Truth)> = group
                .cases()
                .map(|(condition, truth)| (condition.replace('$', field), truth))
                .collect();
            let rules: Vec<String> = cases
                .iter()
                .enumerate()
                .flat_map(|(index, (condition, _))| {
                    [
                        rule(&index.to_string(), condition),
                        rule(&format!("not {index}"), &format!("not ({condition})")),
                    ]
                })
                .collect();
            let event = group.event(field);
            let (found, _) = matches(&ruleset(&[&rules.concat()]), &event);
            let truth = |name: &str| {
                if found.iter().any(|found| found == name) {
                    Truth::True
                } else if found.contains(&format!("{name}?")) {
                    Truth::Unknown
                } else {
                    Truth::False
                }
            };
            for (index, (condition, expected)) in cases.iter().enumerate() {
                let negated = match expected {
                    Truth::True => Truth::False,
                    Truth::False => Truth::True,
                    Truth::Unknown => Truth::Unknown,
                };
                let answers = [truth(&index.to_string()), truth(&format!("not {index}"))];
                if answers != [*expected, negated] {
                    let value = group.value.as_deref().unwrap_or("no value");
                    wrong.push(format!(
                        "{condition} with {value}: {answers:?}, not {expected:?}"
                    ));
                }
                each(field, condition, group.state());
                count += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    count
}

/// What is refused: rows `CONDITION => COLUMN WORDS | COLUMN WORDS`.
fn hold_refused(rows: &[String], failures: impl Fn(&str) -> Vec<(usize, String)>) {
    let mut wrong = Vec::new();
    for row in rows {
        let (condition, expected) = row
            .rsplit_once("=> ")
            .unwrap_or_else(|| panic!("{row}: nothing is expected"));
        let condition = condition.strip_suffix(' ').unwrap_or(condition);
        let expected: Vec<(usize, &str)> = expected
            .split(" | ")
            .map(|one| {
                let (column, words) = one.split_once(' ').expect("a column and words");
                (column.parse().expect("a column"), words)
            })
            .collect();
        let found = failures(condition);
        let same = found.len() == expected.len()
            && found
                .iter()
                .zip(&expected)
                .all(|((at, message), (column, words))| at == column && message.contains(words));
        if !same {
            wrong.push(format!("{row}\n    found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The errors of a condition, by column.
fn errors(definitions: &str, condition: &str) -> Vec<(usize, String)> {
    const INDENT: usize = "    ".len();
    compile_all(&[definitions, &rule("r", condition)])
        .diagnostics
        .iter()
        .filter(|found| found.is_error())
        .map(|found| {
            (
                found.column.saturating_sub(INDENT),
                found.problem.to_string(),
            )
        })
        .collect()
}

/// The operator of a comparison of one of the fields of the tests, where a condition is just that.
fn operator_of(condition: &str) -> Option<&'static str> {
    match parse(&text(condition)).ok()? {
        Expr::Check(check) if matches!(check.left.kind, TermKind::Field { .. }) => {
            Some(check.operator.word())
        }
        _ => None,
    }
}

/// Operators that the type of a field does not have, or rows of [`hold_refused`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default)]
    operators: Vec<String>,
    #[serde(default)]
    refused: Vec<String>,
}

#[test]
fn operators_answer_as_the_table_says_and_the_table_has_no_hole() {
    let mut matrix = Matrix::default();
    let groups: Vec<Group> = table("operators.yaml");
    let mut count = hold(&groups, |field, condition, state| {
        if let Some(operator) = operator_of(condition)
            && condition.starts_with(field)
        {
            matrix.add(field, operator, state);
        }
    });
    for group in table::<Vec<Refused>>("refused.yaml") {
        for field in &group.fields {
            for operator in &group.operators {
                let right = match operator.as_str() {
                    "<" | "<=" | ">" | ">=" => "5",
                    "pmatch" => "(a)",
                    "bcontains" | "bstartswith" => "61",
                    _ => "a",
                };
                let condition = format!("{field} {operator} {right}");
                let found = errors("", &condition);
                let refused =
                    format!("operator '{operator}' is not allowed for {field}").replace("'a'", "a");
                assert!(
                    found.len() == 1
                        && found[0].0 == field.len() + 2
                        && found[0].1.starts_with(&refused),
                    "{condition}: {found:?}"
                );
                matrix.add(field, operator, State::Refused);
                count += 1;
            }
        }
        hold_refused(&group.refused, |condition| errors("", condition));
        count += group.refused.len();
    }
    println!("{matrix}\n{count} cases of operators");
    let holes = matrix.holes();
    assert!(holes.is_empty(), "no case for {}", holes.join(", "));
}

#[test]
fn transformers_answer_as_the_table_says() {
    let groups: Vec<Group> = table("transformers.yaml");
    let count = hold(&groups, |_, _, _| {});
    println!("{count} cases of transformers");
}

const DEFINITIONS: &str = "
- macro: x
  condition: t.text = a
- macro: y
  condition: t.int = 5
- list: letters
  items: [a, b]
- list: letters_and_more
  items: [c]
- list: one
  items: [a]
- list: number
  items: [5]
- list: nothing
  items: []
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grammar {
    accepted: Vec<String>,
    same: Vec<(String, String)>,
    refused: Vec<String>,
}

#[test]
fn conditions_are_read_as_the_table_says() {
    let grammar: Grammar = table("grammar.yaml");
    let wrong: Vec<String> = grammar
        .accepted
        .iter()
        .map(|condition| (condition, errors(DEFINITIONS, condition)))
        .filter(|(_, errors)| !errors.is_empty())
        .map(|(condition, errors)| format!("{condition}: {errors:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    hold_refused(&grammar.refused, |condition| errors(DEFINITIONS, condition));
    let count = grammar.accepted.len() + grammar.same.len() + grammar.refused.len();
    println!("{count} cases of the grammar");
}

#[test]
fn conditions_that_are_accepted_print_to_what_they_mean() {
    let grammar: Grammar = table("grammar.yaml");
    for condition in grammar
        .accepted
        .iter()
        .chain(grammar.same.iter().flat_map(|(a, b)| [a, b]))
    {
        let tree = parse(&text(condition)).expect("a condition");
        let printed = tree.to_string();
        let again = parse(&text(&printed)).expect("a condition");
        assert_eq!(again.to_string(), printed, "{condition}");
        assert_eq!(without_places(again), without_places(tree), "{condition}");
    }
}

#[test]
fn conditions_that_mean_the_same_answer_the_same() {
    let grammar: Grammar = table("grammar.yaml");
    let values = [
        "",
        "t.text=a",
        "t.text=ab",
        "t.text=c",
        "t.text=?",
        "t.text=A/",
    ];
    let numbers = ["", ";t.int=5", ";t.int=?", ";t.int=6"];
    for (left, right) in &grammar.same {
        let rules = [rule("left", left), rule("right", right)].concat();
        let ruleset = ruleset(&[DEFINITIONS, &rules]);
        for values in values {
            for number in numbers {
                let event = event("open", 0, &format!("{values}{number}"));
                let found = matches(&ruleset, &event).0;
                let side = |name: &str| -> Vec<String> {
                    let of_side = found.iter().filter(|found| found.starts_with(name));
                    of_side.map(|found| found.replace(name, "")).collect()
                };
                assert_eq!(
                    side("left"),
                    side("right"),
                    "{left} and {right} with {values}{number}"
                );
            }
        }
    }
}

#[test]
fn conditions_can_be_true_for_the_event_types_that_the_table_says() {
    let rows: Vec<(String, String)> = table("event_types.yaml");
    for (condition, expected) in &rows {
        let types = |names: &str| -> EventTypes {
            names
                .split(',')
                .map(|name| EventType::from_name(name).unwrap_or_else(|| panic!("{name}")))
                .collect()
        };
        let expected = match expected.as_str() {
            "all" => EventTypes::all(),
            "none" => EventTypes::NONE,
            names => match names.strip_prefix("all but ") {
                Some(names) => types(names).complement(),
                None => types(names),
            },
        };
        let ruleset = ruleset(&[&rule("r", condition)]);
        assert_eq!(ruleset.rules()[0].event_types, expected, "{condition}");
    }
    println!("{} cases of event types", rows.len());
}

/// Values of an event, and what templates print of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Output {
    values: HashMap<String, String>,
    prints: Vec<(String, String)>,
    #[serde(default)]
    refused: Vec<String>,
}

#[test]
fn outputs_print_as_the_table_says() {
    let outputs: Vec<Output> = table("outputs.yaml");
    let mut count = 0;
    for output in &outputs {
        let values: Vec<String> = output
            .values
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let event = event("open", 0, &values.join(";"));
        let view = View {
            event: &event,
            spelling: Spelling::Given,
        };
        for (template, expected) in &output.prints {
            let (compiled, failures) =
                Template::compile(&text(template), fields::CATALOGUE, Printing::default());
            assert!(failures.is_empty(), "{template}: {failures:?}");
            assert_eq!(compiled.render(view), *expected, "{template}");
        }
        hold_refused(&output.refused, |template| {
            let (_, failures) =
                Template::compile(&text(template), fields::CATALOGUE, Printing::default());
            failures
                .iter()
                .map(|(span, problem)| (span.start as usize + 1, problem.to_string()))
                .collect()
        });
        count += output.prints.len() + output.refused.len();
    }
    println!("{count} cases of outputs");
}
