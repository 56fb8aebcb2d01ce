//! Guesses about nodes: what judging one costs, and how often it is true. Only the order of evaluation follows
//! from them, never an answer.

use super::{Const, Leaf, OfField, Slot};
use crate::condition::ast::{Operator, Quantifier};
use crate::pattern::required::{Place, Required, required};

/// What is expected of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    /// Roughly nanoseconds.
    pub(crate) cost: f32,
    /// How often it is true, from 0 to 1.
    pub(crate) odds: f32,
    /// Whether it may read a field that holds no longer than the event.
    pub(crate) volatile: bool,
}

impl Estimate {
    pub(super) fn of_constant(value: bool) -> Self {
        Self {
            cost: 0.0,
            odds: if value { 1.0 } else { 0.0 },
            volatile: false,
        }
    }

    pub(super) fn of_leaf(leaf: &Leaf, slots: &[Slot]) -> Self {
        let read: f32 = leaf
            .slots()
            .map(|slot| slots[slot as usize].operand.cost())
            .sum();
        let (test, odds) = match leaf {
            Leaf::EventType(_) => (0.0, 0.5),
            Leaf::Exists(_) => (0.0, 0.9),
            Leaf::Operands { .. } => (10.0, 0.3),
            Leaf::Constants {
                operator,
                quantifier,
                of_field,
                values,
                ..
            } => {
                let each = values.iter().map(|value| odds(*operator, value));
                let odds = match (quantifier, of_field) {
                    (_, OfField::EveryOrNone) => 0.5,
                    (Quantifier::All, _) => each.product(),
                    _ => any_of(each),
                };
                (test_cost(*operator, values.len()), odds)
            }
        };
        Self {
            cost: read + test,
            odds,
            volatile: leaf.slots().any(|slot| slots[slot as usize].volatile),
        }
    }

    pub(super) fn negated(self) -> Self {
        Self {
            odds: 1.0 - self.odds,
            ..self
        }
    }

    /// This one joined with a next one, which is only judged where this one leaves the answer open.
    pub(super) fn then(self, next: Self, is_and: bool) -> Self {
        let open = if is_and { self.odds } else { 1.0 - self.odds };
        Self {
            cost: self.cost + open * next.cost + 1.0,
            odds: if is_and {
                self.odds * next.odds
            } else {
                1.0 - open * (1.0 - next.odds)
            },
            volatile: self.volatile || next.volatile,
        }
    }

    /// Where it stands among the parts of an `or` (which is decided by what is true) or of an `and`: the least
    /// comes first. Parts that read volatile fields come last, so that an event which needs none of them can be
    /// recognised when it comes again.
    pub(super) fn rank(self, decided_by: bool) -> (bool, u32) {
        let decides = if decided_by {
            self.odds
        } else {
            1.0 - self.odds
        };
        let rank = 1.0 + self.cost / decides.max(0.001);
        // Positive floats sort like their bits.
        (self.volatile, rank.to_bits())
    }
}

/// How often one of several is true.
fn any_of(odds: impl Iterator<Item = f32>) -> f32 {
    1.0 - odds.map(|odds| 1.0 - odds).product::<f32>()
}

/// How often a value compares with a constant.
fn odds(operator: Operator, value: &Const) -> f32 {
    use Operator as O;
    if let Const::Bytes(text) = value
        && let Some(required) = required(operator, text)
    {
        return of_text(required);
    }
    let equal = match value {
        Const::Bytes(_) => 0.05,
        Const::Int(_) | Const::Bool(_) => 0.5,
        Const::Ip(_) => 0.02,
        Const::Net(..) => 0.2,
    };
    match operator {
        O::NotEqual => match value {
            Const::Bytes(text) => 1.0 - odds(O::Equal, &Const::Bytes(text.clone())),
            _ => 1.0 - equal,
        },
        O::Exists => 0.9,
        O::Less | O::LessOrEqual | O::Greater | O::GreaterOrEqual => 0.8,
        _ => equal,
    }
}

/// How often a value has a text in some place: the longer the text, the more seldom. One character is a kind of
/// thing, and most things are of one kind.
fn of_text(required: Required<'_>) -> f32 {
    match (required.place, required.text.len()) {
        (Place::Whole, 0) => 0.1,
        (Place::Whole, 1) => 0.9,
        (Place::Whole, _) => 0.01,
        (_, 0) => 1.0,
        (Place::Start, 1) => 0.6,
        (_, 1) => 0.4,
        (_, 2..=3) => 0.1,
        (Place::Start, 4..=6) => 0.05,
        _ => 0.01,
    }
}

/// What comparing a value with constants costs.
fn test_cost(operator: Operator, constants: usize) -> f32 {
    #[allow(
        clippy::cast_precision_loss,
        reason = "an estimate of a cost needs no precision"
    )]
    let count = constants.min(1000) as f32;
    match operator {
        Operator::Contains | Operator::ContainsFolded | Operator::ContainsBytes => {
            if constants > 1 { 60.0 } else { 15.0 }
        }
        Operator::Glob | Operator::GlobFolded => 30.0 * count,
        Operator::Regex => 200.0 * count,
        Operator::PathMatch => 40.0,
        Operator::StartsWith | Operator::EndsWith if constants > 1 => 20.0,
        _ if constants > 1 => 8.0,
        _ => 3.0,
    }
}
