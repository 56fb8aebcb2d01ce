//! Conditions as one graph: what is written twice, in one rule or in a hundred, is one node, and is
//! evaluated once per event and spelling.

use std::net::IpAddr;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::condition::ast::{Operator, Quantifier};
use crate::events::EventTypes;
use crate::operand::{Operand, Typed};

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
    cost: u32,
    depth: u32,
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

    pub(crate) fn into_slots(self) -> Vec<Slot> {
        self.slots
    }

    /// How many nodes stand on the longest way down.
    pub(crate) fn depth(&self, id: NodeId) -> u32 {
        self.infos[id as usize].depth
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
        let mut seen = FxHashSet::default();
        let mut open: Vec<NodeId> = roots.into_iter().collect();
        let mut slots = Vec::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            match self.node(id) {
                Node::Constant(_) | Node::Leaf(Leaf::EventType(_)) => {}
                Node::Not(inner) => open.push(*inner),
                Node::And(parts) | Node::Or(parts) => open.extend_from_slice(parts),
                Node::Leaf(Leaf::Exists(slot) | Leaf::Constants { slot, .. }) => slots.push(*slot),
                Node::Leaf(Leaf::Operands { slot, right, .. }) => slots.extend([*slot, *right]),
            }
        }
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// The slot of an operand.
    pub(crate) fn slot(&mut self, typed: Typed) -> SlotId {
        if let Some(&id) = self.slot_ids.get(&typed.operand) {
            return id;
        }
        let id = index(self.slots.len());
        let volatile = typed.operand.any_field(&|field| field.is_volatile());
        self.slot_ids.insert(typed.operand.clone(), id);
        self.slots.push(Slot {
            operand: typed.operand,
            volatile,
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

    /// Joins parts by `and` (whose neutral element is true) or by `or` (whose is false), cheapest first.
    fn join(&mut self, mut parts: Vec<NodeId>, neutral: bool) -> NodeId {
        let absorbing = self.constant(!neutral);
        if parts.contains(&absorbing) {
            return absorbing;
        }
        let identity = self.constant(neutral);
        parts.retain(|&part| part != identity);
        parts.sort_unstable_by_key(|&part| (self.infos[part as usize].cost, part));
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
                }) => match merged
                    .iter_mut()
                    .find(|(other, same, _)| (other, same) == (slot, operator))
                {
                    Some((_, _, all)) => all.extend(values.iter().cloned()),
                    None => merged.push((*slot, *operator, values.clone())),
                },
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
        match node {
            Node::Constant(value) => Info {
                cost: 0,
                depth: 1,
                types: if *value { [all, none] } else { [none, all] },
            },
            Node::Leaf(Leaf::EventType(types)) => Info {
                cost: 0,
                depth: 1,
                types: [*types, types.complement()],
            },
            Node::Leaf(leaf) => Info {
                cost: self.leaf_cost(leaf),
                depth: 1,
                types: [all, all],
            },
            Node::Not(inner) => {
                let Info {
                    cost,
                    depth,
                    types: [when, unless],
                } = of(inner);
                Info {
                    cost,
                    depth: depth + 1,
                    types: [unless, when],
                }
            }
            Node::And(parts) | Node::Or(parts) => {
                let is_and = matches!(node, Node::And(_));
                let mut info = Info {
                    cost: 1,
                    depth: 0,
                    types: if is_and { [all, none] } else { [none, all] },
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
                    info.cost = info.cost.saturating_add(part.cost);
                    info.depth = info.depth.max(part.depth);
                }
                Info {
                    depth: info.depth + 1,
                    ..info
                }
            }
        }
    }

    fn leaf_cost(&self, leaf: &Leaf) -> u32 {
        let read = |slot: &SlotId| self.slots[*slot as usize].operand.cost();
        match leaf {
            Leaf::EventType(_) => 0,
            Leaf::Exists(slot) => read(slot),
            Leaf::Operands { slot, right, .. } => read(slot) + read(right),
            Leaf::Constants {
                slot,
                operator,
                values,
                ..
            } => {
                let several = u32::from(values.len() > 1);
                let test = match operator {
                    Operator::Contains | Operator::ContainsFolded | Operator::ContainsBytes => {
                        10 + 10 * several
                    }
                    Operator::Glob | Operator::GlobFolded => 10 * index(values.len()).min(10),
                    Operator::Regex => 50 * index(values.len()).min(10),
                    Operator::PathMatch => 10,
                    _ => 1 + 2 * several,
                };
                read(slot).saturating_add(test)
            }
        }
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).expect("rule files are capped far below 2^32 nodes")
}
