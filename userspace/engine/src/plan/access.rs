//! Choosing the parts of a condition by which its rule is found.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::Asked;
use super::index::Kind;
use crate::graph::{Graph, Leaf, Node, NodeId, SlotId};

/// What is to be paid where a rule is found in vain, in nanoseconds: it is judged, and what it reads may be volatile.
const IN_VAIN_NS: f32 = 250.0;
/// What it is worth not to read a volatile field: an event that reads none can be recognised when it comes again.
const VOLATILE_NS: f32 = 150.0;
/// What judging a node costs beyond its comparisons, and one that has parts.
const GUARD_NS: f32 = 10.0;
const JOINT_NS: f32 = 30.0;
/// How many rules share a look, as long as nobody has chosen.
const COMPANY: f32 = 16.0;
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
    /// What looking costs per event, in nanoseconds.
    cost: f32,
    /// How often a rule is found.
    odds: f32,
    volatile: bool,
}

impl Choice {
    fn score(&self) -> f32 {
        let volatile = if self.volatile { VOLATILE_NS } else { 0.0 };
        self.cost + volatile + self.odds.min(1.0) * IN_VAIN_NS
    }
}

/// Chooses for all rules together.
pub(super) struct Chooser<'g> {
    graph: &'g Graph,
    /// How many rules look at an operand, in all and in the same way; `None` before the first choice.
    looks: Option<FxHashMap<(SlotId, Option<Kind>), f32>>,
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
            looks: None,
            guards,
            known: FxHashMap::default(),
        };
        for _ in 1..ROUNDS {
            let mut looks: FxHashMap<(SlotId, Option<Kind>), f32> = FxHashMap::default();
            for asked in asked.clone() {
                for access in chooser.choose(asked.condition).iter() {
                    if let Access::Leaf(slot, node) = *access {
                        *looks.entry((slot, None)).or_default() += 1.0;
                        *looks.entry((slot, chooser.kind(node))).or_default() += 1.0;
                    }
                }
            }
            chooser.looks = Some(looks);
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
        let best = match self.graph.node(id) {
            Node::And(parts) => {
                let choices: Vec<Choice> = parts.iter().map(|&part| self.best(part)).collect();
                let own = self.guard(id);
                choices.into_iter().fold(own, better)
            }
            Node::Or(parts) => {
                let own = self.guard(id);
                self.all_of(parts)
                    .map_or(own.clone(), |choice| better(own, choice))
            }
            Node::Leaf(leaf) => self.leaf(id, leaf).unwrap_or_else(|| self.guard(id)),
            Node::Constant(_) | Node::Not(_) => self.guard(id),
        };
        self.known.insert(id, best.clone());
        best
    }

    fn guard(&self, id: NodeId) -> Choice {
        let estimate = self.graph.estimate(id);
        let shared = self.guards.get(&id).copied().unwrap_or(1.0);
        let own = match self.graph.node(id) {
            Node::And(_) | Node::Or(_) => GUARD_NS + JOINT_NS,
            _ => GUARD_NS,
        };
        Choice {
            parts: Rc::new([Access::Guard(id)]),
            cost: (estimate.cost + own) / shared,
            odds: estimate.odds,
            volatile: estimate.volatile,
        }
    }

    /// The parts of an `or`, each by its best.
    fn all_of(&mut self, parts: &[NodeId]) -> Option<Choice> {
        let mut all = Vec::new();
        let (mut cost, mut odds, mut volatile) = (0.0, 0.0, false);
        for &part in parts {
            let choice = self.best(part);
            all.extend_from_slice(&choice.parts);
            cost += choice.cost;
            odds += choice.odds;
            volatile |= choice.volatile;
            if all.len() > PARTS_LIMIT {
                return None;
            }
        }
        all.sort_unstable();
        all.dedup();
        Some(Choice {
            parts: all.into(),
            cost,
            odds,
            volatile,
        })
    }

    fn leaf(&self, id: NodeId, leaf: &Leaf) -> Option<Choice> {
        let kind = self.kind(id)?;
        let slot = leaf.slots().next()?;
        let estimate = self.graph.estimate(id);
        let others = |looks: &FxHashMap<_, f32>, look| looks.get(&look).copied().unwrap_or(1.0);
        let (of_slot, of_kind) = match &self.looks {
            None => (COMPANY, COMPANY),
            Some(looks) => (
                others(looks, (slot, None)),
                others(looks, (slot, Some(kind))),
            ),
        };
        let read = self.graph.slots()[slot as usize].operand.cost();
        Some(Choice {
            parts: Rc::new([Access::Leaf(slot, id)]),
            cost: read / of_slot + kind.cost() / of_kind,
            odds: estimate.odds,
            volatile: estimate.volatile,
        })
    }

    fn kind(&self, id: NodeId) -> Option<Kind> {
        Kind::of(self.graph.node(id))
    }
}

fn better(one: Choice, other: Choice) -> Choice {
    if other.score() < one.score() {
        other
    } else {
        one
    }
}
