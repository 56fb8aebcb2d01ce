//! Which rules an event can match at all, found without asking them one by one.
//!
//! A condition that is true has parts that are true. For every rule a few such parts are chosen, of which at least
//! one holds whenever the rule matches (or may match, once unknown values come): often a path that starts with this
//! or a program named so. The parts of all rules that ask the same operand become one index over it, so that a
//! single look at the value says which rules remain, however many there are. Those are then judged in full.

mod access;
mod index;
mod trie;

use rustc_hash::FxHashMap;
use vigia_event::{EventType, Extracted, MAX_SPELLINGS};

use crate::events::EventTypes;
use crate::graph::{Graph, Node, NodeId, SlotId};
use crate::program::{Pass, Truth};
use access::{Access, Chooser};
use index::{Index, IndexBuilder};

/// Beyond this many rules, counted once per class of event types, all types share one plan: a hostile rule file
/// would fill the memory.
const CLASS_LIMIT: usize = 1 << 18;

/// Nor may there be more constants in them, counted likewise: every plan has its own indexes over them.
const CLASS_CONSTANTS_LIMIT: usize = 1 << 21;

/// What the automata of all plans may take, in bytes; without one, finding literals takes longer.
const AUTOMATA_BYTES: usize = 96 << 20;

/// Rules as positions of bits: word and bits in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hits(Vec<(u32, u64)>);

/// The plans of all event types.
#[derive(Debug)]
pub(crate) struct Plans {
    plans: Box<[Plan]>,
    /// Per event type, its plan; `None` where no rule can match.
    of_type: Box<[Option<u16>]>,
}

/// What is done with events of some types.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The rules that can match, in their order; bits stand for positions in here.
    pub(crate) asked: Box<[Asked]>,
    /// Those that may be judged otherwise in another spelling.
    spelled: Box<[u64]>,
    indexes: Box<[Index]>,
    guards: Box<[Guard]>,
}

/// A rule in a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// Its position in the ruleset.
    pub(crate) rule: u32,
    /// Its condition for events of these types.
    pub(crate) condition: NodeId,
}

/// A part of conditions that no index answers.
#[derive(Debug)]
struct Guard {
    node: NodeId,
    spelled: bool,
    hits: Hits,
}

/// Rules that are candidates, as bits; one set per spelling.
pub(crate) type Candidates = [Vec<u64>; MAX_SPELLINGS];

impl Hits {
    fn add(&mut self, position: usize) {
        let (word, bit) = (
            u32::try_from(position / 64).expect("rules are counted in 32 bits"),
            1 << (position % 64),
        );
        // Rules are added in their order.
        match self.0.last_mut() {
            Some((last, bits)) if *last == word => *bits |= bit,
            _ => self.0.push((word, bit)),
        }
    }

    #[inline]
    fn mark(&self, candidates: &mut [u64]) {
        for &(word, bits) in &self.0 {
            candidates[word as usize] |= bits;
        }
    }
}

impl Plans {
    /// Plans for rules, each with its position in the ruleset, its condition and its event types.
    pub(crate) fn new(graph: &mut Graph, rules: &[(u32, NodeId, EventTypes)]) -> Self {
        let classes = classes(graph, rules);
        let mut asked_of_class = Vec::with_capacity(classes.len());
        for class in &classes {
            let mut known = FxHashMap::default();
            let mut asked = Vec::new();
            for &(rule, condition, types) in rules {
                if types.intersection(&class.types).is_empty() {
                    continue;
                }
                let condition = match class.special {
                    Some(event_type) => graph.specialise(condition, event_type, &mut known),
                    None => condition,
                };
                if *graph.node(condition) != Node::Constant(false) {
                    asked.push(Asked { rule, condition });
                }
            }
            asked_of_class.push(asked);
        }
        let mut chooser = Chooser::new(graph, asked_of_class.iter().flatten());
        let mut of_type = vec![None; EventType::COUNT];
        let mut plans = Vec::new();
        let mut allowance = AUTOMATA_BYTES;
        for (class, asked) in classes.iter().zip(asked_of_class) {
            if asked.is_empty() {
                continue;
            }
            let number = u16::try_from(plans.len()).ok();
            for event_type in class.types.iter() {
                of_type[event_type.index()] = number;
            }
            plans.push(Plan::new(&mut chooser, asked, &mut allowance));
        }
        Self {
            plans: plans.into(),
            of_type: of_type.into(),
        }
    }

    /// The plan for an event type; `None` where no rule can match.
    #[inline]
    pub(crate) fn of(&self, event_type: EventType) -> Option<&Plan> {
        let number = self.of_type[event_type.index()]?;
        self.plans.get(usize::from(number))
    }

    /// The nodes that plans judge.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.plans.iter().flat_map(|plan| {
            let conditions = plan.asked.iter().map(|asked| asked.condition);
            conditions.chain(plan.guards.iter().map(|guard| guard.node))
        })
    }
}

/// Event types that no condition tells apart.
struct Class {
    types: EventTypes,
    /// One of them, for which conditions are specialised; `None` where the class holds all types.
    special: Option<EventType>,
}

fn classes(graph: &Graph, rules: &[(u32, NodeId, EventTypes)]) -> Vec<Class> {
    let mut tested = graph.tested_event_types(rules.iter().map(|&(_, condition, _)| condition));
    tested.sort_unstable();
    tested.dedup();
    let mut classes: Vec<EventTypes> = vec![EventTypes::all()];
    for set in &tested {
        if classes.len() == EventType::COUNT {
            break;
        }
        let split = |class: EventTypes| {
            [
                class.intersection(set),
                class.intersection(&set.complement()),
            ]
        };
        classes = classes
            .into_iter()
            .flat_map(split)
            .filter(|class| !class.is_empty())
            .collect();
    }
    let (mut asked, mut constants) = (0_usize, 0_usize);
    for class in &classes {
        for (_, condition, types) in rules {
            if !types.intersection(class).is_empty() {
                asked += 1;
                constants = constants.saturating_add(graph.constants(*condition));
            }
        }
    }
    if asked > CLASS_LIMIT || constants > CLASS_CONSTANTS_LIMIT {
        return vec![Class {
            types: EventTypes::all(),
            special: None,
        }];
    }
    let with_member = |types: EventTypes| Class {
        types,
        special: types.iter().next(),
    };
    classes.into_iter().map(with_member).collect()
}

impl Plan {
    fn new(chooser: &mut Chooser<'_>, asked: Vec<Asked>, allowance: &mut usize) -> Self {
        let mut indexes: Vec<(SlotId, IndexBuilder)> = Vec::new();
        let mut guards: FxHashMap<NodeId, Hits> = FxHashMap::default();
        let mut spelled = vec![0_u64; asked.len().div_ceil(64)];
        for (position, asked) in asked.iter().enumerate() {
            if chooser.graph().is_spelled(asked.condition) {
                spelled[position / 64] |= 1 << (position % 64);
            }
            for &access in chooser.choose(asked.condition).iter() {
                match access {
                    Access::Guard(node) => guards.entry(node).or_default().add(position),
                    Access::Leaf(slot, node) => {
                        let at = indexes.iter().position(|(other, _)| *other == slot);
                        let at = at.unwrap_or_else(|| {
                            indexes.push((slot, IndexBuilder::default()));
                            indexes.len() - 1
                        });
                        indexes[at].1.add(chooser.graph().node(node), position);
                    }
                }
            }
        }
        let graph = chooser.graph();
        let build = |(slot, builder): (SlotId, IndexBuilder)| {
            builder.build(slot, graph.slots()[slot as usize].spelled, allowance)
        };
        let mut guards: Vec<Guard> = guards
            .into_iter()
            .map(|(node, hits)| Guard {
                node,
                spelled: graph.is_spelled(node),
                hits,
            })
            .collect();
        guards.sort_unstable_by_key(|guard| guard.node);
        Self {
            asked: asked.into(),
            spelled: spelled.into(),
            indexes: indexes.into_iter().map(build).collect(),
            guards: guards.into(),
        }
    }

    /// Finds the rules that may match: one set of bits per spelling. In all but the first only those count that may be
    /// judged otherwise than in the first.
    pub(crate) fn candidates(&self, pass: &mut Pass<'_, '_, '_>, candidates: &mut Candidates) {
        let [first, others @ ..] = candidates;
        first.clear();
        first.resize(self.spelled.len(), 0);
        for index in self.indexes.iter().filter(|index| !index.spelled) {
            index.look(pass.value(index.slot, 0), first);
        }
        for guard in self.guards.iter().filter(|guard| !guard.spelled) {
            guard.look(pass, 0, first);
        }
        for (before, other) in others.iter_mut().enumerate() {
            let spelling = before + 1;
            other.clear();
            if spelling >= pass.spellings() {
                other.resize(self.spelled.len(), 0);
                continue;
            }
            other.extend_from_slice(first);
            self.look_at_spelling(pass, spelling, other);
            for (bits, spelled) in other.iter_mut().zip(&self.spelled) {
                *bits &= spelled;
            }
        }
        self.look_at_spelling(pass, 0, first);
    }

    fn look_at_spelling(&self, pass: &mut Pass<'_, '_, '_>, spelling: usize, found: &mut [u64]) {
        for index in self.indexes.iter().filter(|index| index.spelled) {
            index.look(pass.value(index.slot, spelling), found);
        }
        for guard in self.guards.iter().filter(|guard| guard.spelled) {
            guard.look(pass, spelling, found);
        }
    }
}

impl Guard {
    fn look(&self, pass: &mut Pass<'_, '_, '_>, spelling: usize, found: &mut [u64]) {
        if pass.judge(self.node, spelling) != Truth::False {
            self.hits.mark(found);
        }
    }
}

impl Index {
    /// Marks the rules that a value leaves possible; while it is unknown, all that are in here.
    fn look(&self, value: &Extracted<'_>, found: &mut [u64]) {
        match value {
            Extracted::Missing => {}
            Extracted::Unknown => self.all.mark(found),
            Extracted::One(value) => self.matching(value, found),
            Extracted::Many(values) => values.iter().for_each(|value| self.matching(&value, found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Source, compile};

    #[test]
    fn plans_share_one_where_each_would_hold_too_many_constants() {
        let types: Vec<&str> = EventType::all().map(EventType::name).take(40).collect();
        for (constants, expected) in [(10, 30..=41), (100_000, 1..=1)] {
            let rule = |name: &str, condition: &str| {
                format!(
                    "- {{rule: {name}, desc: d, output: o, priority: INFO, condition: '{condition}'}}\n"
                )
            };
            let names: Vec<String> = (0..constants).map(|number| format!("n{number}")).collect();
            let mut rules = rule("Many", &format!("proc.name in ({})", names.join(",")));
            for event_type in &types {
                rules += &rule(event_type, &format!("evt.type = {event_type}"));
            }
            let compiled = compile(&[Source::new("r.yaml", rules)], &Options::default());
            let plans = compiled.ruleset.expect("no errors").plans.plans.len();
            assert!(expected.contains(&plans), "{constants}: {plans}");
        }
    }
}
