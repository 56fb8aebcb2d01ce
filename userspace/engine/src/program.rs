//! The graph, compiled: what is run per event.

use vigia_event::{Event, Extracted, MAX_SPELLINGS, Spelling, Value, View};

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

/// A node, compiled.
#[derive(Debug)]
struct Step {
    /// Whether it is judged anew in each spelling of the event's path.
    spelled: bool,
    what: What,
}

/// What a step asks; node ids are positions.
#[derive(Debug)]
enum What {
    /// Nothing leads here.
    Unreachable,
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
    /// Compiles the nodes that some others lead to.
    pub(crate) fn new(graph: Graph, roots: impl IntoIterator<Item = NodeId>) -> Self {
        let mut steps: Vec<Step> = graph
            .nodes()
            .iter()
            .map(|_| Step {
                spelled: false,
                what: What::Unreachable,
            })
            .collect();
        graph.below(roots, |id, node| {
            steps[id as usize] = Step {
                spelled: graph.is_spelled(id),
                what: compile(node),
            };
        });
        Self {
            steps: steps.into(),
            slots: graph.into_slots().into(),
        }
    }

    pub(crate) fn memory(&self) -> Memory {
        Memory {
            generation: 0,
            truths: vec![[0; MAX_SPELLINGS]; self.steps.len()],
            places: vec![[(0, 0); MAX_SPELLINGS]; self.slots.len()],
            values: Vec::with_capacity(2 * self.slots.len()),
        }
    }
}

fn compile(node: &Node) -> What {
    match node {
        Node::Constant(value) => What::Constant(*value),
        Node::Not(inner) => What::Not(*inner),
        Node::And(parts) => What::And(parts.clone()),
        Node::Or(parts) => What::Or(parts.clone()),
        Node::Leaf(Leaf::EventType(types)) => What::EventType(Box::new(*types)),
        Node::Leaf(Leaf::Exists(slot)) => What::Exists(*slot),
        Node::Leaf(Leaf::Constants {
            slot,
            operator,
            of_field,
            quantifier,
            values,
        }) => What::Test {
            slot: *slot,
            of_field: *of_field,
            test: Box::new(Test::new(*operator, *quantifier, values)),
        },
        Node::Leaf(Leaf::Operands {
            slot,
            operator,
            of_field,
            right,
        }) => What::Compare {
            slot: *slot,
            operator: *operator,
            of_field: *of_field,
            right: *right,
        },
    }
}

/// What is remembered while an event is judged. Kept between events, so that judging allocates nothing; a
/// generation number makes forgetting free.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Of the current event, from 1; entries of other generations are void.
    generation: u32,
    /// Per node and spelling: generation and truth.
    truths: Vec<[u32; MAX_SPELLINGS]>,
    /// Per slot and spelling: generation and position in `values`.
    places: Vec<[(u32, u32); MAX_SPELLINGS]>,
    /// Empty between events: only its capacity is kept.
    values: Vec<Extracted<'static>>,
}

/// Generations share their 32 bits with a truth.
const LAST_GENERATION: u32 = u32::MAX >> 2;

/// One event on its way through the conditions. What does not depend on the spelling of its path is judged once,
/// in the first one.
pub(crate) struct Pass<'m, 'p, 'e> {
    program: &'p Program,
    memory: &'m mut Memory,
    values: Vec<Extracted<'e>>,
    event: &'e Event,
    spellings: &'static [Spelling],
    pub(crate) touched: Touched,
}

impl<'m, 'p, 'e> Pass<'m, 'p, 'e> {
    pub(crate) fn new(program: &'p Program, memory: &'m mut Memory, event: &'e Event) -> Self {
        if (memory.truths.len(), memory.places.len()) != (program.steps.len(), program.slots.len())
        {
            *memory = program.memory();
        }
        if memory.generation == LAST_GENERATION {
            memory.truths.fill([0; MAX_SPELLINGS]);
            memory.places.fill([(0, 0); MAX_SPELLINGS]);
            memory.generation = 0;
        }
        memory.generation += 1;
        let values = recycle(std::mem::take(&mut memory.values));
        Self {
            program,
            memory,
            values,
            event,
            spellings: event.spellings(),
            touched: Touched::default(),
        }
    }

    /// In how many spellings the event's path is judged.
    pub(crate) fn spellings(&self) -> usize {
        self.spellings.len()
    }

    /// A spelling by its number, from 0.
    pub(crate) fn spelling(&self, number: usize) -> Spelling {
        self.spellings
            .get(number)
            .copied()
            .unwrap_or(Spelling::Given)
    }

    /// Judges a condition in a spelling, by its number from 0.
    #[inline]
    pub(crate) fn judge(&mut self, id: NodeId, spelling: usize) -> Truth {
        let program = self.program;
        let step = &program.steps[id as usize];
        let spelling = if step.spelled { spelling } else { 0 };
        let remembered = self.memory.truths[id as usize][spelling];
        if remembered >> 2 == self.memory.generation {
            return match remembered & 3 {
                0 => Truth::False,
                1 => Truth::Unknown,
                _ => Truth::True,
            };
        }
        let truth = self.find_out(&step.what, spelling);
        self.memory.truths[id as usize][spelling] = self.memory.generation << 2 | truth as u32;
        truth
    }

    fn find_out(&mut self, what: &'p What, spelling: usize) -> Truth {
        match what {
            What::Unreachable => unreachable!("only nodes below the roots are judged"),
            What::Constant(value) => Truth::of(*value),
            What::Not(inner) => match self.judge(*inner, spelling) {
                Truth::False => Truth::True,
                Truth::Unknown => Truth::Unknown,
                Truth::True => Truth::False,
            },
            What::And(parts) => self.join(parts, spelling, Truth::False, Truth::True),
            What::Or(parts) => self.join(parts, spelling, Truth::True, Truth::False),
            What::EventType(types) => Truth::of(types.contains(self.event.event_type)),
            What::Exists(slot) => match self.value(*slot, spelling) {
                Extracted::Missing => Truth::False,
                Extracted::Unknown => Truth::Unknown,
                Extracted::One(_) | Extracted::Many(_) => Truth::True,
            },
            What::Test {
                slot,
                of_field,
                test,
            } => match_values(self.value(*slot, spelling), *of_field, |value| {
                test.passes(value)
            }),
            What::Compare {
                slot,
                operator,
                of_field,
                right,
            } => {
                let places = [*slot, *right].map(|slot| self.place(slot, spelling));
                self.compare(places, *operator, *of_field)
            }
        }
    }

    /// Joins parts, of which one that is `decisive` decides.
    fn join(
        &mut self,
        parts: &[NodeId],
        spelling: usize,
        decisive: Truth,
        otherwise: Truth,
    ) -> Truth {
        let mut joined = otherwise;
        for part in parts {
            match self.judge(*part, spelling) {
                truth if truth == decisive => return decisive,
                Truth::Unknown => joined = Truth::Unknown,
                _ => {}
            }
        }
        joined
    }

    fn compare(&self, [left, right]: [usize; 2], operator: Operator, of_field: OfField) -> Truth {
        match (&self.values[left], &self.values[right]) {
            (Extracted::Missing, _) | (_, Extracted::Missing) => Truth::False,
            (Extracted::Unknown, _) | (_, Extracted::Unknown) => Truth::Unknown,
            (left, Extracted::One(right)) => match_values(left, of_field, |left| {
                predicate::compare(operator, left, right)
            }),
            (left, Extracted::Many(rights)) => match_values(left, of_field, |left| {
                let mut rights = rights.iter();
                let holds = |right: Value<'_>| predicate::compare(operator, left, &right);
                // Only several values for the same can differ: all of them then.
                match operator {
                    Operator::NotEqual => rights.all(holds),
                    _ => rights.any(holds),
                }
            }),
        }
    }

    /// The value of a slot in a spelling, by its number from 0.
    #[inline]
    pub(crate) fn value(&mut self, slot: SlotId, spelling: usize) -> &Extracted<'e> {
        let place = self.place(slot, spelling);
        &self.values[place]
    }

    /// Reads a slot, at most once, and says where its value is.
    #[inline]
    fn place(&mut self, id: SlotId, spelling: usize) -> usize {
        let program = self.program;
        let slot = &program.slots[id as usize];
        let spelling = if slot.spelled { spelling } else { 0 };
        let (generation, place) = self.memory.places[id as usize][spelling];
        if generation == self.memory.generation {
            return place as usize;
        }
        let view = View {
            event: self.event,
            spelling: self.spelling(spelling),
        };
        let value = slot.operand.extract(view);
        self.touched.volatile |= slot.volatile;
        self.touched.unknown |= matches!(value, Extracted::Unknown);
        let place = self.values.len();
        self.values.push(value);
        self.memory.places[id as usize][spelling] = (
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
    passes: impl Fn(&Value<'_>) -> bool,
) -> Truth {
    match extracted {
        Extracted::Missing => Truth::False,
        Extracted::Unknown => Truth::Unknown,
        Extracted::One(value) => Truth::of(passes(value)),
        Extracted::Many(values) => Truth::of(match of_field {
            OfField::Any => values.iter().any(|value| passes(&value)),
            OfField::EveryOrNone => values.iter().all(|value| passes(&value)),
            OfField::Every => !values.is_empty() && values.iter().all(|value| passes(&value)),
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
