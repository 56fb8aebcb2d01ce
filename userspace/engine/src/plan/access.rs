//! Choosing the parts of a condition by which its rule is found.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::Asked;
use super::index::Kind;
use crate::graph::{Graph, Leaf, Node, NodeId, SlotId};

/// What is to be paid where a rule is found in vain, in nanoseconds.
const JUDGING_NS: f32 = 60.0;
/// More parts than this make no index worth it.
const PARTS_LIMIT: usize = 64;
/// Choices depend on what other rules chose, so they are made this often.
const ROUNDS: usize = 3;

/// One way to find a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Access {
    /// By the value of an operand: the comparison is one of the node's kind.
    Leaf(SlotId, NodeId),
    /// By judging a node.
    Guard(NodeId),
}

/// Parts of which one is not false wherever their condition is not.
#[derive(Clone, Debug)]
struct Choice {
    parts: Rc<[Access]>,
    /// What looking costs and what being found in vain costs, per event.
    score: f32,
}

/// Chooses for all rules together.
pub(super) struct Chooser<'g> {
    graph: &'g Graph,
    /// How many rules are found in the same look.
    looks: FxHashMap<(SlotId, Kind), f32>,
    guards: FxHashMap<NodeId, f32>,
    known: FxHashMap<NodeId, Choice>,
}

impl<'g> Chooser<'g> {
    pub(super) fn new<'a>(
        graph: &'g Graph,
        asked: impl Iterator<Item = &'a Asked> + Clone,
    ) -> Self {
        let mut guards: FxHashMap<NodeId, f32> = FxHashMap::default();
        for asked in asked.clone() {
            if let Node::And(parts) = graph.node(asked.condition) {
                for &part in parts {
                    *guards.entry(part).or_default() += 1.0;
                }
            }
        }
        let mut chooser = Self {
            graph,
            looks: FxHashMap::default(),
            guards,
            known: FxHashMap::default(),
        };
        for _ in 1..ROUNDS {
            let mut looks: FxHashMap<(SlotId, Kind), f32> = FxHashMap::default();
            for asked in asked.clone() {
                for access in chooser.choose(asked.condition).iter() {
                    if let Access::Leaf(slot, node) = *access
                        && let Some(kind) = chooser.kind(node)
                    {
                        *looks.entry((slot, kind)).or_default() += 1.0;
                    }
                }
            }
            chooser.looks = looks;
            chooser.known.clear();
        }
        chooser
    }

    pub(super) fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// The parts by which a condition's rule is found.
    pub(super) fn choose(&mut self, condition: NodeId) -> Rc<[Access]> {
        self.best(condition).parts
    }

    fn best(&mut self, id: NodeId) -> Choice {
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        let mut best = self.guard(id);
        match self.graph.node(id) {
            Node::And(parts) => {
                for &part in parts {
                    let choice = self.best(part);
                    if choice.score < best.score {
                        best = choice;
                    }
                }
            }
            Node::Or(parts) => {
                if let Some(choice) = self.all_of(parts)
                    && choice.score < best.score
                {
                    best = choice;
                }
            }
            Node::Leaf(leaf) => {
                if let Some(choice) = self.leaf(id, leaf)
                    && choice.score < best.score
                {
                    best = choice;
                }
            }
            Node::Constant(_) | Node::Not(_) => {}
        }
        self.known.insert(id, best.clone());
        best
    }

    fn guard(&self, id: NodeId) -> Choice {
        let estimate = self.graph.estimate(id);
        let shared = self.guards.get(&id).copied().unwrap_or(1.0);
        let volatile = if estimate.volatile { JUDGING_NS } else { 0.0 };
        Choice {
            parts: Rc::new([Access::Guard(id)]),
            score: (estimate.cost + 5.0 + volatile) / shared + estimate.odds * JUDGING_NS,
        }
    }

    /// The parts of an `or`, each by its best.
    fn all_of(&mut self, parts: &[NodeId]) -> Option<Choice> {
        let mut all = Vec::new();
        let mut score = 0.0;
        for &part in parts {
            let choice = self.best(part);
            all.extend_from_slice(&choice.parts);
            score += choice.score;
            if all.len() > PARTS_LIMIT {
                return None;
            }
        }
        all.sort_unstable();
        all.dedup();
        Some(Choice {
            parts: all.into(),
            score,
        })
    }

    fn leaf(&self, id: NodeId, leaf: &Leaf) -> Option<Choice> {
        let kind = self.kind(id)?;
        let slot = leaf.slots().next()?;
        let estimate = self.graph.estimate(id);
        // Nobody has chosen yet: count on some company.
        let shared = self
            .looks
            .get(&(slot, kind))
            .copied()
            .unwrap_or(if self.looks.is_empty() { 4.0 } else { 1.0 });
        let volatile = if estimate.volatile { JUDGING_NS } else { 0.0 };
        let read = self.graph.slots()[slot as usize].operand.cost();
        Some(Choice {
            parts: Rc::new([Access::Leaf(slot, id)]),
            score: (read + kind.cost() + volatile) / shared + estimate.odds * JUDGING_NS,
        })
    }

    fn kind(&self, id: NodeId) -> Option<Kind> {
        Kind::of(self.graph.node(id))
    }
}
