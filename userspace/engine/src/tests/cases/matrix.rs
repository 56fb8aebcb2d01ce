//! Which operators the table tests on which fields, in which states of the field; and what it leaves out.

use std::collections::BTreeMap;
use std::fmt;

use crate::condition::ast::Operator;

/// What a field answers in a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Present,
    Missing,
    Empty,
    Unknown,
    /// The operator is not legal at all.
    Refused,
}

const EVERYWHERE: &[&str] = &["exists", "=", "!=", "in", "intersects"];
const ORDER: &[&str] = &["<", "<=", ">", ">="];
const TEXT: &[&str] = &[
    "glob",
    "iglob",
    "contains",
    "icontains",
    "startswith",
    "endswith",
    "regex",
    "pmatch",
];
const BYTES: &[&str] = &[
    "contains",
    "bcontains",
    "startswith",
    "bstartswith",
    "endswith",
];
const LIST: &[&str] = &["exists", "in", "intersects"];

/// A column: a field, its legal operators, and whether a value of it may be empty.
type Column = (&'static str, &'static [&'static [&'static str]], bool);

/// Written down once more, because what is tested must not be what the engine says.
const COLUMNS: &[Column] = &[
    ("t.text", &[EVERYWHERE, ORDER, TEXT], true),
    ("t.path", &[EVERYWHERE, ORDER, TEXT], true),
    ("t.any", &[EVERYWHERE, ORDER, TEXT], true),
    ("t.alias", &[EVERYWHERE, ORDER, TEXT], true),
    ("t.bytes", &[EVERYWHERE, BYTES], true),
    ("t.int", &[EVERYWHERE, ORDER], false),
    ("t.uint", &[EVERYWHERE, ORDER], false),
    ("t.port", &[EVERYWHERE, ORDER], false),
    ("t.ports", &[EVERYWHERE, ORDER], false),
    ("t.time", &[EVERYWHERE, ORDER], false),
    ("t.span", &[EVERYWHERE, ORDER], false),
    ("t.bool", &[EVERYWHERE], false),
    ("t.ip", &[EVERYWHERE], false),
    ("t.ends", &[EVERYWHERE], false),
    ("t.net", &[EVERYWHERE], false),
    ("t.nets", &[EVERYWHERE], false),
    ("t.list", &[LIST], true),
    ("t.ints", &[LIST], true),
];

/// Numbers of cases.
#[derive(Default)]
pub(super) struct Matrix {
    cases: BTreeMap<(String, &'static str, State), usize>,
}

impl Matrix {
    pub(super) fn add(&mut self, field: &str, operator: &str, state: State) {
        let operator = Operator::ALL
            .iter()
            .map(|operator| operator.word())
            .find(|word| *word == operator)
            .expect("an operator");
        *self
            .cases
            .entry((field.to_owned(), operator, state))
            .or_default() += 1;
    }

    fn count(&self, field: &str, operator: &'static str, state: State) -> usize {
        let key = (field.to_owned(), operator, state);
        self.cases.get(&key).copied().unwrap_or(0)
    }

    /// Cells that need a case and have none.
    pub(super) fn holes(&self) -> Vec<String> {
        let mut holes = Vec::new();
        for &(field, legal, may_be_empty) in COLUMNS {
            for operator in Operator::ALL.iter().map(|operator| operator.word()) {
                let is_legal = legal.iter().any(|some| some.contains(&operator));
                let needed: &[State] = match (is_legal, may_be_empty) {
                    (false, _) => &[State::Refused],
                    (true, false) => &[State::Present, State::Missing],
                    (true, true) => &[State::Present, State::Missing, State::Empty],
                };
                for &state in needed {
                    if self.count(field, operator, state) == 0 {
                        holes.push(format!("{field} {operator} ({state:?})"));
                    }
                }
            }
        }
        holes
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Cases by operator and field: present/missing/empty, or that it is refused"
        )?;
        write!(f, "{:11}", "")?;
        for (field, ..) in COLUMNS {
            write!(f, " {:>8}", field.trim_start_matches("t."))?;
        }
        for operator in Operator::ALL.iter().map(|operator| operator.word()) {
            write!(f, "\n{operator:11}")?;
            for (field, ..) in COLUMNS {
                let of = |state| self.count(field, operator, state);
                let cell = if of(State::Refused) > 0 {
                    "refused".to_owned()
                } else {
                    let (present, missing) = (of(State::Present), of(State::Missing));
                    format!("{present}/{missing}/{}", of(State::Empty))
                };
                write!(f, " {cell:>8}")?;
            }
        }
        Ok(())
    }
}
