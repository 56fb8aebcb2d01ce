//! Why a rule fires for an event, or does not, in the words in which the rule was written.
//!
//! What was compiled has forgotten macros and the order of the text. So an explanation judges the condition again, as
//! written, and keeps every answer on the way: also those of parts that no longer mattered, since they are what somebody
//! who changes a rule wants to know.

mod describe;
pub(crate) mod outline;
mod render;

pub use describe::{Description, Named};
pub use outline::Judged;
use vigia_event::{Event, Extracted, Spelling, View};

use crate::condition::ast::Check;
use crate::interpret::{self, Comparison, Part, Right};
use crate::operand::Typed;
use crate::program;
use crate::ruleset::{Outcome, Ruleset};

/// What a condition or a part of one is for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Truth {
    /// It does not hold.
    False,
    /// It depends on values that have not come.
    Unknown,
    /// It holds.
    True,
}

impl Truth {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::False => "false",
            Self::Unknown => "unknown",
            Self::True => "true",
        }
    }
}

/// Why a rule fires for an event, or does not. `Display` shows the parts that decided, one a line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The rule.
    pub rule: String,
    /// What became of it; `None` if it does not fire.
    pub outcome: Option<Outcome>,
    /// What kept the rule from being asked at all.
    pub not_asked: Option<NotAsked>,
    /// The condition, once for each spelling of the event's path.
    pub passes: Vec<Explained>,
}

/// Where something is defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the rule file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// Why a rule is not asked about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAsked {
    /// It is switched off, or less urgent than what is loaded.
    Inactive,
    /// Its condition cannot be true for events of this type.
    EventType,
    /// The event is an execution that failed, and the condition does not ask for results.
    FailedExecution,
}

/// A condition in one spelling of the event's path.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explained {
    /// The spelling.
    pub spelling: Spelling,
    /// The path in it; `None` for an event without one.
    pub path: Option<String>,
    /// The condition.
    pub condition: Step,
}

/// A condition or a part of one, with its answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Step {
    /// What kind of part it is.
    pub kind: StepKind,
    /// Its answer.
    pub truth: Truth,
    /// Whether the answer of the whole condition follows from it: with another answer here (and in the other deciding
    /// parts beside it) the condition's would be another.
    pub decides: bool,
    /// What a comparison saw: operands as written, and their values; `None` for one that is missing.
    pub values: Vec<(String, Option<String>)>,
    /// The parts of `and`, `or` and `not`, and what a macro stands for.
    pub parts: Vec<Step>,
}

/// What kind of part of a condition it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StepKind {
    /// All parts must hold.
    And,
    /// One part must hold.
    Or,
    /// The part must not hold.
    Not,
    /// A macro, by name.
    Macro(String),
    /// A comparison, as written.
    Comparison(String),
}

impl Ruleset {
    /// Says why a rule, by its position in [`Ruleset::rules`], fires for an event or does not. `None` unless
    /// [`Options::keep_conditions`](crate::Options) was set (or for a condition of a thousand levels).
    #[must_use]
    pub fn explain(&self, index: usize, event: &Event) -> Option<Explanation> {
        let condition = self.kept.as_ref()?.conditions.get(index)?.as_ref()?;
        let rule = self.rules.get(index)?;
        let not_asked = if !self.active.contains(&index) {
            Some(NotAsked::Inactive)
        } else if self.hides(index, event) {
            Some(NotAsked::FailedExecution)
        } else if !rule.event_types.contains(event.event_type) {
            Some(NotAsked::EventType)
        } else {
            None
        };
        let passes: Vec<Explained> = event
            .spellings()
            .iter()
            .map(|&spelling| {
                let view = View { event, spelling };
                let mut condition = step(condition, view);
                condition.mark();
                Explained {
                    spelling,
                    path: view.path().map(ToString::to_string),
                    condition,
                }
            })
            .collect();
        let outcome = match passes.iter().map(|pass| pass.condition.truth).max() {
            _ if not_asked.is_some() => None,
            Some(Truth::True) => Some(Outcome::Fires),
            Some(Truth::Unknown) => Some(Outcome::Partial),
            Some(Truth::False) | None => None,
        };
        Some(Explanation {
            rule: rule.name.clone(),
            outcome,
            not_asked,
            passes,
        })
    }
}

impl Step {
    /// Marks what decides, downwards.
    fn mark(&mut self) {
        self.decides = true;
        let truth = self.truth;
        for part in &mut self.parts {
            let follows = match self.kind {
                // All that hold together, or each that spoils it.
                StepKind::And | StepKind::Or => part.truth == truth,
                StepKind::Not | StepKind::Macro(_) | StepKind::Comparison(_) => true,
            };
            if follows {
                part.mark();
            }
        }
    }

    /// Visits this part and all below it, parents first.
    pub fn visit<'s>(&'s self, each: &mut dyn FnMut(&'s Self)) {
        each(self);
        for part in &self.parts {
            part.visit(each);
        }
    }
}

fn step(part: &Part, view: View<'_>) -> Step {
    let below = |kind, parts: Vec<Step>| {
        let truths = || parts.iter().map(|part| part.truth.into());
        let truth = match kind {
            StepKind::And => interpret::all(truths()),
            StepKind::Or => interpret::any(truths()),
            StepKind::Not => interpret::not(interpret::all(truths())),
            StepKind::Macro(_) | StepKind::Comparison(_) => interpret::all(truths()),
        };
        Step {
            kind,
            truth: truth.into(),
            decides: false,
            values: Vec::new(),
            parts,
        }
    };
    let all = |parts: &[Part]| parts.iter().map(|part| step(part, view)).collect();
    match part {
        Part::And(parts) => below(StepKind::And, all(parts)),
        Part::Or(parts) => below(StepKind::Or, all(parts)),
        Part::Not(inner) => below(StepKind::Not, vec![step(inner, view)]),
        Part::Macro(named) => below(
            StepKind::Macro(named.name.clone()),
            vec![step(&named.body, view)],
        ),
        Part::Comparison(comparison) => compared(comparison, view),
    }
}

fn compared(comparison: &Comparison, view: View<'_>) -> Step {
    let left = comparison.left.operand.extract(view);
    let right = match &comparison.right {
        Right::Operand(right) => Some((right, right.operand.extract(view))),
        Right::Nothing | Right::Constants(..) => None,
    };
    let truth = comparison.judge_values(&left, right.as_ref().map(|(_, value)| value));
    let mut values = vec![seen(&comparison.left, &left)];
    values.extend(right.as_ref().map(|(typed, value)| seen(typed, value)));
    Step {
        kind: StepKind::Comparison(written(&comparison.written)),
        truth: truth.into(),
        decides: false,
        values,
        parts: Vec::new(),
    }
}

fn written(check: &Check) -> String {
    check.to_string()
}

fn seen(typed: &Typed, value: &Extracted<'_>) -> (String, Option<String>) {
    let text = match value {
        Extracted::Missing => None,
        Extracted::Unknown => Some("(not known yet)".to_owned()),
        Extracted::One(_) | Extracted::Many(_) => Some(render::value(value)),
    };
    (typed.text.clone(), text)
}

impl From<program::Truth> for Truth {
    fn from(truth: program::Truth) -> Self {
        match truth {
            program::Truth::False => Self::False,
            program::Truth::Unknown => Self::Unknown,
            program::Truth::True => Self::True,
        }
    }
}

impl From<Truth> for program::Truth {
    fn from(truth: Truth) -> Self {
        match truth {
            Truth::False => Self::False,
            Truth::Unknown => Self::Unknown,
            Truth::True => Self::True,
        }
    }
}
