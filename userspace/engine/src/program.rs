//! The graph, compiled: what is run per event.

use vigia_event::{Event, Extracted, View};

use crate::condition::ast::Operator;
use crate::events::EventTypes;
use crate::graph::{Graph, Leaf, Node, NodeId, OfField, Slot, SlotId};
use crate::predicate::{self, Test};
use crate::ruleset::Touched;

/// True, false, or not known yet. What is unknown stays so unless the rest decides (Kleene).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    False = 0,
    Unknown = 1,
    True = 2,
}

impl Truth {
    fn of(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// A step of a program; node ids are positions.
#[derive(Debug)]
enum Step {
    Constant(bool),
    Not(NodeId),
    And(Box<[NodeId]>),
    Or(Box<[NodeId]>),
    EventType(Box<EventTypes>),
    Exists(SlotId),
    Test {
        slot: SlotId,
        of_field: OfField,
        test: Box<Test>,
    },
    Compare {
        slot: SlotId,
        operator: Operator,
        of_field: OfField,
        right: SlotId,
    },
}

/// All conditions of a ruleset.
#[derive(Debug)]
pub(crate) struct Program {
    steps: Box<[Step]>,
    slots: Box<[Slot]>,
}

impl Program {
    pub(crate) fn new(graph: Graph) -> Self {
        let steps = graph.nodes().iter().map(compile).collect();
        Self {
            steps,
            slots: graph.into_slots().into(),
        }
    }

    pub(crate) fn memory(&self) -> Memory {
        Memory {
            generation: 0,
            truths: vec![0; self.steps.len()],
            places: vec![(0, 0); self.slots.len()],
            values: Vec::with_capacity(self.slots.len()),
        }
    }
}

fn compile(node: &Node) -> Step {
    match node {
        Node::Constant(value) => Step::Constant(*value),
        Node::Not(inner) => Step::Not(*inner),
        Node::And(parts) => Step::And(parts.clone()),
        Node::Or(parts) => Step::Or(parts.clone()),
        Node::Leaf(Leaf::EventType(types)) => Step::EventType(Box::new(*types)),
        Node::Leaf(Leaf::Exists(slot)) => Step::Exists(*slot),
        Node::Leaf(Leaf::Constants {
            slot,
            operator,
            of_field,
            quantifier,
            values,
        }) => {
            let test = Test::new(*operator, *quantifier, values);
            Step::Test {
                slot: *slot,
                of_field: *of_field,
                test: Box::new(test),
            }
        }
        Node::Leaf(Leaf::Operands {
            slot,
            operator,
            of_field,
            right,
        }) => Step::Compare {
            slot: *slot,
            operator: *operator,
            of_field: *of_field,
            right: *right,
        },
    }
}

/// What one pass over an event remembers. Kept between events, so that a pass allocates nothing; a
/// generation number makes forgetting free.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Of the current pass, from 1; entries of other generations are void.
    generation: u32,
    /// Per node: generation and truth.
    truths: Vec<u32>,
    /// Per slot: generation and position in `values`.
    places: Vec<(u32, u32)>,
    /// Empty between passes: only its capacity is kept.
    values: Vec<Extracted<'static>>,
}

/// Generations share their 32 bits with a truth.
const LAST_GENERATION: u32 = u32::MAX >> 2;

/// One event in one spelling, on its way through the conditions.
pub(crate) struct Pass<'m, 'p, 'e> {
    program: &'p Program,
    memory: &'m mut Memory,
    values: Vec<Extracted<'e>>,
    view: View<'e>,
    pub(crate) touched: Touched,
}

impl<'m, 'p, 'e> Pass<'m, 'p, 'e> {
    pub(crate) fn new(program: &'p Program, memory: &'m mut Memory, view: View<'e>) -> Self {
        if (memory.truths.len(), memory.places.len()) != (program.steps.len(), program.slots.len())
        {
            *memory = program.memory();
        }
        if memory.generation == LAST_GENERATION {
            memory.truths.fill(0);
            memory.places.fill((0, 0));
            memory.generation = 0;
        }
        memory.generation += 1;
        let values = recycle(std::mem::take(&mut memory.values));
        Self {
            program,
            memory,
            values,
            view,
            touched: Touched::default(),
        }
    }

    fn event(&self) -> &'e Event {
        self.view.event
    }

    /// Judges a condition.
    pub(crate) fn judge(&mut self, id: NodeId) -> Truth {
        let remembered = self.memory.truths[id as usize];
        if remembered >> 2 == self.memory.generation {
            return match remembered & 3 {
                0 => Truth::False,
                1 => Truth::Unknown,
                _ => Truth::True,
            };
        }
        let program = self.program;
        let truth = match &program.steps[id as usize] {
            Step::Constant(value) => Truth::of(*value),
            Step::Not(inner) => match self.judge(*inner) {
                Truth::False => Truth::True,
                Truth::Unknown => Truth::Unknown,
                Truth::True => Truth::False,
            },
            Step::And(parts) => self.join(parts, Truth::False, Truth::True),
            Step::Or(parts) => self.join(parts, Truth::True, Truth::False),
            Step::EventType(types) => Truth::of(types.contains(self.event().event_type)),
            Step::Exists(slot) => match self.value(*slot) {
                Extracted::Missing => Truth::False,
                Extracted::Unknown => Truth::Unknown,
                Extracted::One(_) | Extracted::Many(_) => Truth::True,
            },
            Step::Test {
                slot,
                of_field,
                test,
            } => match_values(self.value(*slot), *of_field, |value| test.passes(value)),
            Step::Compare {
                slot,
                operator,
                of_field,
                right,
            } => self.compare(*slot, *operator, *of_field, *right),
        };
        self.memory.truths[id as usize] = self.memory.generation << 2 | truth as u32;
        truth
    }

    /// Joins parts, of which one that is `decisive` decides.
    fn join(&mut self, parts: &[NodeId], decisive: Truth, otherwise: Truth) -> Truth {
        let mut joined = otherwise;
        for part in parts {
            match self.judge(*part) {
                truth if truth == decisive => return decisive,
                Truth::Unknown => joined = Truth::Unknown,
                _ => {}
            }
        }
        joined
    }

    fn compare(
        &mut self,
        slot: SlotId,
        operator: Operator,
        of_field: OfField,
        right: SlotId,
    ) -> Truth {
        let (left, right) = (self.place(slot), self.place(right));
        let (left, right) = (&self.values[left], &self.values[right]);
        match (left, right) {
            (Extracted::Missing, _) | (_, Extracted::Missing) => Truth::False,
            (Extracted::Unknown, _) | (_, Extracted::Unknown) => Truth::Unknown,
            (left, Extracted::One(right)) => match_values(left, of_field, |left| {
                predicate::compare(operator, left, right)
            }),
            (left, Extracted::Many(rights)) => match_values(left, of_field, |left| {
                let mut rights = rights.iter();
                let holds = |right| predicate::compare(operator, left, right);
                // Only several values for the same can differ: all of them then.
                match operator {
                    Operator::NotEqual => rights.all(holds),
                    _ => rights.any(holds),
                }
            }),
        }
    }

    fn value(&mut self, slot: SlotId) -> &Extracted<'e> {
        let place = self.place(slot);
        &self.values[place]
    }

    /// Reads a slot, once per pass, and says where its value is.
    fn place(&mut self, slot: SlotId) -> usize {
        let (generation, place) = self.memory.places[slot as usize];
        if generation == self.memory.generation {
            return place as usize;
        }
        let Slot {
            operand, volatile, ..
        } = &self.program.slots[slot as usize];
        let value = operand.extract(self.view);
        self.touched.volatile |= volatile;
        self.touched.unknown |= value == Extracted::Unknown;
        let place = self.values.len();
        self.values.push(value);
        self.memory.places[slot as usize] = (
            self.memory.generation,
            u32::try_from(place).unwrap_or(u32::MAX),
        );
        place
    }
}

impl Drop for Pass<'_, '_, '_> {
    fn drop(&mut self) {
        self.memory.values = recycle(std::mem::take(&mut self.values));
    }
}

/// Asks the values of a field.
fn match_values(
    extracted: &Extracted<'_>,
    of_field: OfField,
    passes: impl Fn(&vigia_event::Value<'_>) -> bool,
) -> Truth {
    match extracted {
        Extracted::Missing => Truth::False,
        Extracted::Unknown => Truth::Unknown,
        Extracted::One(value) => Truth::of(passes(value)),
        Extracted::Many(values) => Truth::of(match of_field {
            OfField::Any => values.iter().any(passes),
            OfField::EveryOrNone => values.iter().all(passes),
            OfField::Every => !values.is_empty() && values.iter().all(passes),
        }),
    }
}

/// An empty vector for values of another lifetime, in the same memory: the standard library collects a
/// mapped vector in place where the layouts agree, and two lifetimes of one type do.
fn recycle<'a, 'b>(mut values: Vec<Extracted<'a>>) -> Vec<Extracted<'b>> {
    values.clear();
    values.into_iter().map(|_| Extracted::Missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recycled_vector_keeps_its_memory() {
        let values: Vec<Extracted<'_>> = Vec::with_capacity(100);
        let before = (values.as_ptr().addr(), values.capacity());
        let values = recycle(values);
        assert_eq!((values.as_ptr().addr(), values.capacity()), before);
    }
}
