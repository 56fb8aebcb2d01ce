//! Conditions in the form in which they were written, judged as simply as that can be done: down the syntax tree, value by
//! value, without sets, sharing or reordering.
//!
//! This is what an explanation walks, and what the compiled form is compared with: in tests for its answers, in
//! benchmarks for its speed. So nothing here is shared with [`crate::program`] and [`crate::predicate`] but the
//! compiler of regular expressions.

mod build;
mod compare;

use std::fmt;
use std::sync::Arc;

use regex::Regex;
use vigia_event::{Extracted, View};

pub(crate) use build::{Builder, Kept};

use crate::condition::ast::{Check, Quantifier};
use crate::explain::Place;
use crate::graph::{Const, OfField};
use crate::operand::Typed;
use crate::program::Truth;

/// A condition or a part of one, with everything in it resolved.
#[derive(Debug)]
pub(crate) enum Part {
    And(Vec<Part>),
    Or(Vec<Part>),
    Not(Box<Part>),
    Macro(Arc<Macro>),
    Comparison(Box<Comparison>),
}

/// A macro, shared by all that name it.
#[derive(Debug)]
pub(crate) struct Macro {
    pub(crate) name: String,
    pub(crate) body: Part,
    /// Where it is defined.
    pub(crate) place: Option<Place>,
    /// How large it is.
    extent: build::Extent,
}

/// One comparison.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// As it was written, with the names of lists.
    pub(crate) written: Check,
    pub(crate) left: Typed,
    pub(crate) right: Right,
    of_field: OfField,
}

/// The right-hand side of a comparison.
#[derive(Debug)]
pub(crate) enum Right {
    /// `exists` has none.
    Nothing,
    /// Another operand.
    Operand(Typed),
    /// Constants, with lists put in.
    Constants(Quantifier, Vec<Constant>),
}

/// A constant in the type of what it is compared with.
#[derive(Debug)]
pub(crate) enum Constant {
    Value(Const),
    Pattern(Regex),
}

/// As it was written, without what macros stand for.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            for (index, part) in parts.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { word })?;
                if matches!(part, Self::And(_) | Self::Or(_)) {
                    write!(f, "({part})")?;
                } else {
                    part.fmt(f)?;
                }
            }
            Ok(())
        };
        match self {
            Self::And(parts) => joined(f, parts, " and "),
            Self::Or(parts) => joined(f, parts, " or "),
            Self::Not(inner) if matches!(**inner, Self::And(_) | Self::Or(_)) => {
                write!(f, "not ({inner})")
            }
            Self::Not(inner) => write!(f, "not {inner}"),
            Self::Macro(named) => f.write_str(&named.name),
            Self::Comparison(comparison) => comparison.written.fmt(f),
        }
    }
}

impl Part {
    /// Judges it for an event in one spelling.
    pub(crate) fn judge(&self, view: View<'_>) -> Truth {
        match self {
            Self::And(parts) => all(parts.iter().map(|part| part.judge(view))),
            Self::Or(parts) => any(parts.iter().map(|part| part.judge(view))),
            Self::Not(inner) => not(inner.judge(view)),
            Self::Macro(named) => named.body.judge(view),
            Self::Comparison(comparison) => comparison.judge(view),
        }
    }
}

impl Comparison {
    /// Judges it for an event in one spelling.
    pub(crate) fn judge(&self, view: View<'_>) -> Truth {
        let left = self.left.operand.extract(view);
        let right = match &self.right {
            Right::Operand(right) => Some(right.operand.extract(view)),
            Right::Nothing | Right::Constants(..) => None,
        };
        self.judge_values(&left, right.as_ref())
    }

    /// Judges values that were extracted: of the left-hand side, and of an operand on the right.
    pub(crate) fn judge_values<'e>(
        &self,
        left: &Extracted<'e>,
        right: Option<&Extracted<'e>>,
    ) -> Truth {
        let sides = || std::iter::once(left).chain(right);
        if sides().any(|side| matches!(side, Extracted::Missing)) {
            return Truth::False;
        }
        if sides().any(|side| matches!(side, Extracted::Unknown)) {
            return Truth::Unknown;
        }
        let operator = self.written.operator;
        let holds = match (&self.right, right) {
            (Right::Constants(quantifier, constants), _) => {
                compare::values(left, self.of_field, |value| {
                    compare::constants(operator, value, *quantifier, constants)
                })
            }
            (Right::Operand(_), Some(right)) => compare::values(left, self.of_field, |value| {
                compare::other_values(operator, right, |right| {
                    compare::operands(operator, value, right)
                })
            }),
            (Right::Nothing | Right::Operand(_), _) => true,
        };
        if holds { Truth::True } else { Truth::False }
    }
}

/// What `and` makes of its parts.
pub(crate) fn all(truths: impl Iterator<Item = Truth>) -> Truth {
    truths.fold(Truth::True, |all, one| match (all, one) {
        (Truth::False, _) | (_, Truth::False) => Truth::False,
        (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
        _ => Truth::True,
    })
}

/// What `or` makes of its parts.
pub(crate) fn any(truths: impl Iterator<Item = Truth>) -> Truth {
    not(all(truths.map(not)))
}

/// What `not` makes of its part.
pub(crate) fn not(truth: Truth) -> Truth {
    match truth {
        Truth::True => Truth::False,
        Truth::Unknown => Truth::Unknown,
        Truth::False => Truth::True,
    }
}
