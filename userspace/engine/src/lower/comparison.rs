//! Comparisons: fields resolved, operators and constants checked, and what can be decided already decided.

use bstr::ByteSlice;
use vigia_event::call::EVENT_TYPES;
use vigia_event::fields::{Argument, Shape};
use vigia_event::{EventType, FieldType};

use super::Lowering;
use crate::check::allowance::RegexAllowance;
use crate::check::{self, hints};
use crate::condition::ast::{Check, Constant, Operator, Quantifier, Right};
use crate::condition::cursor::Failure;
use crate::diagnostics::{Problem, nearest};
use crate::events::EventTypes;
use crate::graph::{Const, Leaf, NodeId};
use crate::lists::expand_all;
use crate::operand::{self, Operand, Typed};

impl Lowering<'_> {
    /// Lowers one comparison.
    pub(super) fn check(&mut self, check: &Check) -> Result<NodeId, Vec<Failure>> {
        let left = match operand::resolve(&check.left, self.catalogue) {
            Ok(left) => left,
            Err(failure) => {
                // The other side is looked at all the same: for what is wrong with it, and so that the lists
                // it names count as used.
                let right = match self.constants(check) {
                    Ok((_, constants)) => {
                        let hint = hints::unsafe_missing(check, &constants);
                        self.hints
                            .extend(hint.map(|problem| (check.left.span, problem)));
                        Vec::new()
                    }
                    Err(failures) => failures,
                };
                return Err(std::iter::once(failure).chain(right).collect());
            }
        };
        if matches!(left.operand, Operand::Call(_))
            && left
                .operand
                .any_field(&|field| is_event_type(field.row().name))
        {
            return Err(vec![(check.left.span, Problem::EventTypeChanged)]);
        }
        if let Some(name) = plain_field(&left) {
            match name {
                name if is_event_type(name) => {
                    if let Some(node) = self.event_type_check(check)? {
                        return Ok(node);
                    }
                }
                // Events count from 1, so such a comparison can be decided here; `evt.num = 0` is how rules
                // write "never".
                "evt.num" => {
                    if let Some(value) = self.decided_number(check, &left)? {
                        return Ok(self.graph.constant(value));
                    }
                }
                _ => {}
            }
        }
        check::operator(&left, check.operator)
            .map_err(|problem| vec![(check.operator_span, problem)])?;
        let of_field = check::of_field(&left, check.operator);
        let operator = check::on_single_values(check.operator);
        let (quantifier, constants) = match &check.right {
            Right::None => {
                let slot = self.graph.slot(left);
                return Ok(self.graph.leaf(Leaf::Exists(slot)));
            }
            Right::Term(term) => {
                let right =
                    operand::resolve(term, self.catalogue).map_err(|failure| vec![failure])?;
                comparable(&left, check.operator, &right)
                    .map_err(|problem| vec![(term.span, problem)])?;
                let slot = self.graph.slot(left);
                let right = self.graph.slot(right);
                return Ok(self.graph.leaf(Leaf::Operands {
                    slot,
                    operator,
                    of_field,
                    right,
                }));
            }
            _ => self.constants(check)?,
        };
        let values = read_constants(&left, check.operator, &constants, &mut self.regexes)?;
        for constant in &constants {
            let hint = hints::constant(&left, check.operator, constant, self.catalogue);
            self.hints
                .extend(hint.map(|problem| (constant.span, problem)));
        }
        let slot = self.graph.slot(left);
        Ok(self.graph.leaf(Leaf::Constants {
            slot,
            operator,
            of_field,
            quantifier,
            values,
        }))
    }

    /// The constants of a right-hand side, with lists put in.
    fn constants(&mut self, check: &Check) -> Result<(Quantifier, Vec<Constant>), Vec<Failure>> {
        let single = |failure| vec![failure];
        Ok(match &check.right {
            Right::None | Right::Term(_) => (Quantifier::Any, Vec::new()),
            Right::Many(values) => (
                Quantifier::Any,
                expand_all(&mut self.lists, values).map_err(single)?,
            ),
            Right::Quantified(quantifier, values) => (
                *quantifier,
                expand_all(&mut self.lists, values).map_err(single)?,
            ),
            Right::One(value) | Right::Word(value) => {
                let items = self
                    .lists
                    .expand(value)
                    .map_err(|problem| vec![(value.span, problem)])?;
                match items.as_deref() {
                    None => (Quantifier::Any, vec![value.clone()]),
                    Some([only]) => (Quantifier::Any, vec![only.clone()]),
                    Some(_) => {
                        let name = value.value.to_string();
                        return Err(vec![(value.span, Problem::ListRefused { name })]);
                    }
                }
            }
        })
    }

    /// A comparison of `evt.type` that becomes a set of event types; `None` for operators on its text.
    fn event_type_check(&mut self, check: &Check) -> Result<Option<NodeId>, Vec<Failure>> {
        let negated = match (check.operator, &check.right) {
            (Operator::Exists, _) => return Ok(Some(self.graph.constant(true))),
            (_, Right::Term(term)) => return Err(vec![(term.span, Problem::EventTypeChanged)]),
            (_, Right::Quantified(..)) => return Ok(None),
            (Operator::Equal | Operator::In, _) => false,
            (Operator::NotEqual, _) => true,
            _ => return Ok(None),
        };
        let (_, constants) = self.constants(check)?;
        let mut types = EventTypes::NONE;
        let mut failures = Vec::new();
        for constant in &constants {
            let name = constant.value.to_str_lossy();
            match EventType::from_name(&name) {
                Some(event_type) => types.insert(event_type),
                None => {
                    let nearest = self
                        .catalogue
                        .may_suggest()
                        .then(|| nearest(&name, EVENT_TYPES.iter().map(|row| row.name)))
                        .flatten();
                    failures.push((
                        constant.span,
                        Problem::UnknownEventType {
                            name: name.into_owned(),
                            nearest,
                        },
                    ));
                }
            }
        }
        if !failures.is_empty() {
            return Err(failures);
        }
        let types = if negated { types.complement() } else { types };
        Ok(Some(self.graph.leaf(Leaf::EventType(types))))
    }

    /// What a comparison of `evt.num` is for every number from 1 on, where that is one answer.
    fn decided_number(
        &mut self,
        check: &Check,
        left: &Typed,
    ) -> Result<Option<bool>, Vec<Failure>> {
        use Operator as O;
        if matches!(check.right, Right::Term(_) | Right::Quantified(..))
            || check::operator(left, check.operator).is_err()
        {
            return Ok(None);
        }
        let (_, constants) = self.constants(check)?;
        let values = read_constants(left, check.operator, &constants, &mut self.regexes)?;
        let number = match values.first() {
            Some(Const::Int(number)) => *number,
            _ => return Ok((check.operator != O::Exists).then_some(false)),
        };
        Ok(match check.operator {
            O::Equal if number == 0 => Some(false),
            O::In | O::Intersects if values.iter().all(|value| *value == Const::Int(0)) => {
                Some(false)
            }
            O::NotEqual if number == 0 => Some(true),
            O::Less if number <= 1 => Some(false),
            O::LessOrEqual if number == 0 => Some(false),
            O::Greater if number == 0 => Some(true),
            O::GreaterOrEqual if number <= 1 => Some(true),
            _ => None,
        })
    }
}

fn read_constants(
    left: &Typed,
    operator: Operator,
    constants: &[Constant],
    regexes: &mut RegexAllowance,
) -> Result<Vec<Const>, Vec<Failure>> {
    let mut values = Vec::with_capacity(constants.len());
    let mut failures = Vec::new();
    for constant in constants {
        let value = check::constant(left, operator, constant).and_then(|value| {
            if operator == Operator::Regex {
                regexes.admit(&constant.value)?;
            }
            Ok(value)
        });
        match value {
            Ok(value) => values.push(value),
            Err(problem) => failures.push((constant.span, problem)),
        }
    }
    if failures.is_empty() {
        Ok(values)
    } else {
        Err(failures)
    }
}

/// Whether two operands can be compared.
fn comparable(left: &Typed, operator: Operator, right: &Typed) -> Result<(), Problem> {
    let reason = if matches!(operator, Operator::PathMatch | Operator::Regex) {
        Some("'pmatch' and 'regex' need constants")
    } else if left.field_type == FieldType::IpNet {
        Some("networks are compared with constants only")
    } else if !same_type(left.field_type, right.field_type) {
        Some("their types differ")
    } else if right.shape == Shape::AnyOf
        || (right.shape == Shape::List) != (left.shape == Shape::List)
    {
        Some("one of them is a list")
    } else {
        None
    };
    match reason {
        None => Ok(()),
        Some(reason) => Err(Problem::FieldsDiffer {
            left: left.text.clone(),
            right: right.text.clone(),
            reason,
        }),
    }
}

/// A path is text too: nothing but documentation tells the two apart.
fn same_type(left: FieldType, right: FieldType) -> bool {
    let plain = |field_type| match field_type {
        FieldType::Path => FieldType::Text,
        other => other,
    };
    plain(left) == plain(right)
}

fn is_event_type(field: &str) -> bool {
    matches!(field, "evt.type" | "syscall.type")
}

fn plain_field(left: &Typed) -> Option<&'static str> {
    match &left.operand {
        Operand::Field(field) if *field.argument() == Argument::None => Some(field.row().name),
        _ => None,
    }
}
