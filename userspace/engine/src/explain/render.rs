//! Explanations as text for people: the parts that decided, one a line, each with its answer and what it saw.

use std::fmt;

use bstr::ByteSlice;
use vigia_event::{Extracted, Spelling, Value};

use super::{Explained, Explanation, NotAsked, Step, StepKind, Truth};
use crate::ruleset::Outcome;

/// Longer values are cut: a command line can be a book.
const VALUE_LIMIT: usize = 200;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.outcome {
            Some(Outcome::Fires) => "fires",
            Some(Outcome::Partial) => "is undecided",
            None => "does not fire",
        };
        write!(f, "{} {verdict}", shown(&self.rule))?;
        match self.not_asked {
            Some(NotAsked::Inactive) => return writeln!(f, ": it is switched off"),
            Some(NotAsked::EventType) => return writeln!(f, ": it is about other event types"),
            Some(NotAsked::FailedExecution) => {
                return writeln!(
                    f,
                    ": the execution failed, and only rules that name evt.res, evt.rawres, evt.failed or evt.refused see those"
                );
            }
            None => writeln!(f, ", because")?,
        }
        // Where one spelling fires, the other is of no interest.
        let fires = self.outcome == Some(Outcome::Fires);
        let passes = self
            .passes
            .iter()
            .filter(|pass| !fires || pass.condition.truth == Truth::True);
        for pass in passes {
            if self.passes.len() > 1 {
                let spelling = match pass.spelling {
                    Spelling::Given => "as the program gave it",
                    Spelling::Real => "as the kernel resolved it",
                    Spelling::Underlying => "as it is called below the mount that shows it",
                };
                let path = pass.path.as_deref().unwrap_or_default();
                writeln!(f, "with the path {spelling}, {}:", shown(path))?;
            }
            write!(f, "{pass}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, &self.condition, 1)
    }
}

/// One part that decided, and below it those it follows from.
fn line(f: &mut fmt::Formatter<'_>, step: &Step, depth: usize) -> fmt::Result {
    // More levels than this are shown flat: no terminal is that wide.
    let indent = 2 * depth.min(12);
    write!(f, "{:indent$}{:<8}", "", step.truth.word())?;
    match &step.kind {
        StepKind::And => writeln!(
            f,
            "{}",
            if step.truth == Truth::True {
                "all of"
            } else {
                "not all of"
            }
        )?,
        StepKind::Or => writeln!(
            f,
            "{}",
            if step.truth == Truth::True {
                "one of"
            } else {
                "none of"
            }
        )?,
        StepKind::Macro(name) => writeln!(f, "{}", shown(name))?,
        StepKind::Comparison(text) => return compared(f, text, step),
        // A comparison or a macro behind `not` reads better in one line.
        StepKind::Not => match step.parts.as_slice() {
            [
                Step {
                    kind: StepKind::Comparison(text),
                    ..
                },
            ] => return compared(f, &format!("not {text}"), &step.parts[0]),
            [
                inner @ Step {
                    kind: StepKind::Macro(name),
                    ..
                },
            ] => {
                writeln!(f, "not {}", shown(name))?;
                return below(f, inner, depth + 1);
            }
            _ => writeln!(f, "not")?,
        },
    }
    below(f, step, depth + 1)
}

fn below(f: &mut fmt::Formatter<'_>, step: &Step, depth: usize) -> fmt::Result {
    step.parts
        .iter()
        .filter(|part| part.decides)
        .try_for_each(|part| line(f, part, depth))
}

fn compared(f: &mut fmt::Formatter<'_>, text: &str, step: &Step) -> fmt::Result {
    f.write_str(&shown(text))?;
    for (index, (operand, value)) in step.values.iter().enumerate() {
        f.write_str(if index == 0 { "   <- " } else { ", " })?;
        match value {
            Some(value) => write!(f, "{} is {}", shown(operand), shown(value))?,
            None => write!(f, "{} has no value", shown(operand))?,
        }
    }
    writeln!(f)
}

/// The text of a value.
pub(super) fn value(extracted: &Extracted<'_>) -> String {
    let one = |value: &Value<'_>| match value {
        Value::Bytes(text) if text.is_empty() => "\"\"".to_owned(),
        Value::Bytes(text) => text.to_str_lossy().into_owned(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Ip(address) => address.to_string(),
    };
    match extracted {
        Extracted::Missing | Extracted::Unknown => String::new(),
        Extracted::One(value) => one(value),
        Extracted::Many(values) => {
            let values: Vec<String> = values.iter().map(|value| one(&value)).collect();
            format!("({})", values.join(", "))
        }
    }
}

/// What rule files and events say, cut, and without what steers a terminal.
fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(VALUE_LIMIT)
        .map(|character| {
            if character.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                character
            }
        })
        .collect();
    if text.chars().nth(VALUE_LIMIT).is_some() {
        shown.push_str("...");
    }
    shown
}
