//! Conditions as one graph: what is written twice, in one rule or in a hundred, is one node, and is
//! evaluated once per event and spelling.

mod estimate;

use std::net::IpAddr;

use rustc_hash::{FxHashMap, FxHashSet};
use vigia_event::EventType;

use crate::condition::ast::{Operator, Quantifier};
use crate::events::EventTypes;
use crate::operand::{Operand, Typed};

pub(crate) use estimate::Estimate;

/// Index of a node.
pub(crate) type NodeId = u32;
/// Index of an operand.
pub(crate) type SlotId = u32;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Constant(bool),
    Not(NodeId),
    And(Box<[NodeId]>),
    Or(Box<[NodeId]>),
    Leaf(Leaf),
}

/// A comparison.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Leaf {
    /// The event's type is one of these.
    EventType(EventTypes),
    /// The operand has a value.
    Exists(SlotId),
    /// The operand compares with constants.
    Constants {
        slot: SlotId,
        operator: Operator,
        of_field: OfField,
        quantifier: Quantifier,
        values: Vec<Const>,
    },
    /// The operand compares with another.
    Operands {
        slot: SlotId,
        operator: Operator,
        of_field: OfField,
        right: SlotId,
    },
}

/// Which of several values of a field must satisfy a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OfField {
    /// At least one.
    Any,
    /// Every one; also none.
    EveryOrNone,
    /// Every one, and at least one.
    Every,
}

/// A constant in the type of the field it is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Const {
    Bytes(Box<[u8]>),
    Int(i128),
    Bool(bool),
    Ip(IpAddr),
    Net(IpAddr, u8),
}

/// An operand that nodes refer to.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) operand: Operand,
    pub(crate) volatile: bool,
    /// Whether its value may differ between the spellings of a path.
    pub(crate) spelled: bool,
}

/// All nodes of all rules.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    infos: Vec<Info>,
    slots: Vec<Slot>,
    node_ids: FxHashMap<Node, NodeId>,
    slot_ids: FxHashMap<Operand, SlotId>,
}

/// What is known of a node when it is made.
#[derive(Clone, Copy, Debug)]
struct Info {
    estimate: Estimate,
    depth: u32,
    /// How many constants it is compared with, itself or below it, each time it is met.
    constants: usize,
    /// Whether it reads a field whose value may differ between the spellings of a path.
    spelled: bool,
    /// Whether the type of the event decides a part of it.
    typed: bool,
    /// The event types for which it can be true, and for which its negation can be.
    types: [EventTypes; 2],
}

impl Graph {
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// What a node is expected to cost, and how often it is expected to be true.
    pub(crate) fn estimate(&self, id: NodeId) -> Estimate {
        self.infos[id as usize].estimate
    }

    /// Whether a node may be judged otherwise in another spelling of the event's path.
    pub(crate) fn is_spelled(&self, id: NodeId) -> bool {
        self.infos[id as usize].spelled
    }

    /// The condition that is left of a node where the type of the event is known. `known` remembers the answers
    /// for one type.
    pub(crate) fn specialise(
        &mut self,
        id: NodeId,
        event_type: EventType,
        known: &mut FxHashMap<NodeId, NodeId>,
    ) -> NodeId {
        if !self.infos[id as usize].typed {
            return id;
        }
        if let Some(&known) = known.get(&id) {
            return known;
        }
        let special = match self.node(id).clone() {
            Node::Leaf(Leaf::EventType(types)) => self.constant(types.contains(event_type)),
            Node::Constant(_) | Node::Leaf(_) => id,
            Node::Not(inner) => {
                let inner = self.specialise(inner, event_type, known);
                self.not(inner)
            }
            Node::And(parts) => {
                let parts = parts
                    .iter()
                    .map(|&part| self.specialise(part, event_type, known));
                let parts = parts.collect();
                self.and(parts)
            }
            Node::Or(parts) => {
                let parts = parts
                    .iter()
                    .map(|&part| self.specialise(part, event_type, known));
                let parts = parts.collect();
                self.or(parts)
            }
        };
        known.insert(id, special);
        special
    }

    /// The sets of event types that nodes below some others test.
    pub(crate) fn tested_event_types(
        &self,
        roots: impl IntoIterator<Item = NodeId>,
    ) -> Vec<EventTypes> {
        let mut tested = Vec::new();
        self.below(roots, |_, node| {
            if let Node::Leaf(Leaf::EventType(types)) = node {
                tested.push(*types);
            }
        });
        tested
    }

    pub(crate) fn into_slots(self) -> Vec<Slot> {
        self.slots
    }

    /// How many nodes stand on the longest way down.
    pub(crate) fn depth(&self, id: NodeId) -> u32 {
        self.infos[id as usize].depth
    }

    /// How many constants stand in a node and below it, those of a shared part once for each use.
    pub(crate) fn constants(&self, id: NodeId) -> usize {
        self.infos[id as usize].constants
    }

    /// The event types for which a node can be true.
    ///
    /// Only `evt.type` decides that. Every other comparison may be true for any event, and so may its
    /// negation: `not proc.name = x` says nothing about types.
    pub(crate) fn event_types(&self, id: NodeId) -> EventTypes {
        self.infos[id as usize].types[0]
    }

    /// The operands a node reads, itself or below it.
    pub(crate) fn slots_below(&self, roots: impl IntoIterator<Item = NodeId>) -> Vec<SlotId> {
        let mut slots = Vec::new();
        self.below(roots, |_, node| {
            if let Node::Leaf(leaf) = node {
                slots.extend(leaf.slots());
            }
        });
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// Visits nodes and what is below them, each once.
    pub(crate) fn below(
        &self,
        roots: impl IntoIterator<Item = NodeId>,
        mut visit: impl FnMut(NodeId, &Node),
    ) {
        let mut seen = FxHashSet::default();
        let mut open: Vec<NodeId> = roots.into_iter().collect();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let node = self.node(id);
            visit(id, node);
            match node {
                Node::Constant(_) | Node::Leaf(_) => {}
                Node::Not(inner) => open.push(*inner),
                Node::And(parts) | Node::Or(parts) => open.extend_from_slice(parts),
            }
        }
    }

    /// The slot of an operand.
    pub(crate) fn slot(&mut self, typed: Typed) -> SlotId {
        if let Some(&id) = self.slot_ids.get(&typed.operand) {
            return id;
        }
        let id = index(self.slots.len());
        let volatile = typed.operand.any_field(&|field| field.is_volatile());
        let spelled = typed.operand.any_field(&|field| field.is_spelled());
        self.slot_ids.insert(typed.operand.clone(), id);
        self.slots.push(Slot {
            operand: typed.operand,
            volatile,
            spelled,
        });
        id
    }

    pub(crate) fn constant(&mut self, value: bool) -> NodeId {
        self.intern(Node::Constant(value))
    }

    pub(crate) fn leaf(&mut self, mut leaf: Leaf) -> NodeId {
        if let Leaf::Constants {
            values, quantifier, ..
        } = &mut leaf
        {
            values.sort_unstable();
            // `oneof (a, a)` matches twice, and so never.
            if *quantifier != Quantifier::One {
                values.dedup();
            }
        }
        self.intern(Node::Leaf(leaf))
    }

    pub(crate) fn not(&mut self, id: NodeId) -> NodeId {
        match self.node(id) {
            Node::Constant(value) => {
                let value = !value;
                self.constant(value)
            }
            Node::Not(inner) => *inner,
            Node::Leaf(Leaf::EventType(types)) => {
                let types = types.complement();
                self.leaf(Leaf::EventType(types))
            }
            _ => self.intern(Node::Not(id)),
        }
    }

    pub(crate) fn and(&mut self, parts: Vec<NodeId>) -> NodeId {
        self.join(parts, true)
    }

    pub(crate) fn or(&mut self, parts: Vec<NodeId>) -> NodeId {
        let parts = self.merge(parts);
        self.join(parts, false)
    }

    /// Joins parts by `and` (whose neutral element is true) or by `or` (whose is false), in the order in which
    /// they decide soonest.
    fn join(&mut self, mut parts: Vec<NodeId>, neutral: bool) -> NodeId {
        let absorbing = self.constant(!neutral);
        if parts.contains(&absorbing) {
            return absorbing;
        }
        let identity = self.constant(neutral);
        parts.retain(|&part| part != identity);
        parts.sort_unstable_by_key(|&part| {
            let estimate = self.infos[part as usize].estimate;
            (estimate.rank(!neutral), part)
        });
        parts.dedup();
        match parts.as_slice() {
            [] => identity,
            [only] => *only,
            _ if neutral => self.intern(Node::And(parts.into())),
            _ => self.intern(Node::Or(parts.into())),
        }
    }

    /// Joins the comparisons of an `or` that ask the same of the same operand into one with a set.
    fn merge(&mut self, parts: Vec<NodeId>) -> Vec<NodeId> {
        let mut merged: Vec<(SlotId, Operator, Vec<Const>)> = Vec::new();
        let mut places: FxHashMap<(SlotId, Operator), usize> = FxHashMap::default();
        let mut types = EventTypes::NONE;
        let mut rest = Vec::new();
        for part in parts {
            match &self.nodes[part as usize] {
                Node::Leaf(Leaf::EventType(more)) => types = types.union(more),
                Node::Leaf(Leaf::Constants {
                    slot,
                    operator,
                    of_field: OfField::Any,
                    quantifier: Quantifier::Any,
                    values,
                }) => {
                    let place = *places.entry((*slot, *operator)).or_insert(merged.len());
                    match merged.get_mut(place) {
                        Some((_, _, all)) => all.extend(values.iter().cloned()),
                        None => merged.push((*slot, *operator, values.clone())),
                    }
                }
                _ => rest.push(part),
            }
        }
        if !types.is_empty() {
            rest.push(self.leaf(Leaf::EventType(types)));
        }
        for (slot, operator, values) in merged {
            let (of_field, quantifier) = (OfField::Any, Quantifier::Any);
            rest.push(self.leaf(Leaf::Constants {
                slot,
                operator,
                of_field,
                quantifier,
                values,
            }));
        }
        rest
    }

    fn intern(&mut self, node: Node) -> NodeId {
        if let Some(&id) = self.node_ids.get(&node) {
            return id;
        }
        let info = self.info(&node);
        let id = index(self.nodes.len());
        self.infos.push(info);
        self.nodes.push(node.clone());
        self.node_ids.insert(node, id);
        id
    }

    fn info(&self, node: &Node) -> Info {
        let (none, all) = (EventTypes::NONE, EventTypes::all());
        let of = |id: &NodeId| self.infos[*id as usize];
        let alone = Info {
            estimate: Estimate::of_constant(true),
            depth: 1,
            constants: 0,
            spelled: false,
            typed: false,
            types: [all, all],
        };
        match node {
            Node::Constant(value) => Info {
                estimate: Estimate::of_constant(*value),
                types: if *value { [all, none] } else { [none, all] },
                ..alone
            },
            Node::Leaf(Leaf::EventType(types)) => Info {
                typed: true,
                types: [*types, types.complement()],
                ..alone
            },
            Node::Leaf(leaf) => Info {
                estimate: Estimate::of_leaf(leaf, &self.slots),
                constants: match leaf {
                    Leaf::Constants { values, .. } => values.len(),
                    _ => 0,
                },
                spelled: leaf.slots().any(|slot| self.slots[slot as usize].spelled),
                ..alone
            },
            Node::Not(inner) => {
                let inner = of(inner);
                let [when, unless] = inner.types;
                Info {
                    estimate: inner.estimate.negated(),
                    depth: inner.depth + 1,
                    types: [unless, when],
                    ..inner
                }
            }
            Node::And(parts) | Node::Or(parts) => {
                let is_and = matches!(node, Node::And(_));
                let mut info = Info {
                    estimate: Estimate::of_constant(is_and),
                    depth: 0,
                    types: if is_and { [all, none] } else { [none, all] },
                    ..alone
                };
                for part in parts.iter().map(of) {
                    let [when, unless] = info.types;
                    info.types = if is_and {
                        [
                            when.intersection(&part.types[0]),
                            unless.union(&part.types[1]),
                        ]
                    } else {
                        [
                            when.union(&part.types[0]),
                            unless.intersection(&part.types[1]),
                        ]
                    };
                    info.estimate = info.estimate.then(part.estimate, is_and);
                    info.depth = info.depth.max(part.depth);
                    info.constants = info.constants.saturating_add(part.constants);
                    info.spelled |= part.spelled;
                    info.typed |= part.typed;
                }
                Info {
                    depth: info.depth + 1,
                    ..info
                }
            }
        }
    }
}

impl Leaf {
    /// The operands it reads.
    pub(crate) fn slots(&self) -> impl Iterator<Item = SlotId> {
        let (left, right) = match self {
            Self::EventType(_) => (None, None),
            Self::Exists(slot) | Self::Constants { slot, .. } => (Some(*slot), None),
            Self::Operands { slot, right, .. } => (Some(*slot), Some(*right)),
        };
        left.into_iter().chain(right)
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).expect("rule files are capped far below 2^32 nodes")
}
