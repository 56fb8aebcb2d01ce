//! Comparisons of one operand by many rules, answered together.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};
use bstr::Finder;
use rustc_hash::FxHashMap;
use vigia_event::Value;

use super::Hits;
use super::trie::{End, Trie};
use crate::condition::ast::{Operator, Quantifier};
use crate::graph::{Const, Leaf, Node, OfField, SlotId};
use crate::pattern;
use crate::pattern::required::{Place, required};

/// An automaton with a table per state is fast, and large: only for this many bytes of literals.
const TABLE_BYTES: usize = 4096;

/// A comparison with more constants than this is judged: every plan that could look it up would hold them all.
pub(super) const CONSTANTS_LIMIT: usize = 4096;

/// How a comparison is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// By a number.
    Number,
    /// By a text in some place.
    Text(Place),
}

impl Kind {
    /// How a node is looked up; `None` for one that has to be judged.
    pub(super) fn of(node: &Node) -> Option<Self> {
        let Node::Leaf(Leaf::Constants {
            operator,
            of_field: OfField::Any,
            quantifier: Quantifier::Any,
            values,
            ..
        }) = node
        else {
            return None;
        };
        if values.len() > CONSTANTS_LIMIT {
            return None;
        }
        let kind = |value: &Const| match value {
            Const::Bytes(text) => Some(Self::Text(required(*operator, text)?.place)),
            Const::Int(_) => (*operator == Operator::Equal).then_some(Self::Number),
            _ => None,
        };
        // The first one stands for all, which mostly are alike.
        let first = kind(values.first()?)?;
        values
            .iter()
            .all(|value| kind(value).is_some())
            .then_some(first)
    }

    /// What a look costs, in nanoseconds.
    pub(super) fn cost(self) -> f32 {
        match self {
            Self::Number => 4.0,
            Self::Text(Place::Whole) => 8.0,
            Self::Text(Place::Start | Place::End) => 10.0,
            Self::Text(Place::Anywhere) => 25.0,
        }
    }
}

/// Which rules each value of an operand leaves possible.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) slot: SlotId,
    pub(super) spelled: bool,
    /// Every rule that is found by this operand.
    pub(super) all: Hits,
    texts: Option<Texts>,
    numbers: FxHashMap<i128, Hits>,
    starts: Option<Trie<Hits>>,
    ends: Option<Trie<Hits>>,
    contained: Option<Contained>,
}

/// Whole texts.
#[derive(Debug)]
struct Texts {
    /// Bit n is set where a member is n bytes long; the last one stands for all that are longer.
    lengths: u64,
    hits: FxHashMap<Box<[u8]>, Hits>,
}

/// Literals anywhere in a text.
#[derive(Debug)]
enum Contained {
    One(Box<Finder<'static>>, Hits),
    Automata {
        /// Says whether there is any at all.
        any: AhoCorasick,
        /// Says which.
        each: AhoCorasick,
        hits: Box<[Hits]>,
    },
    /// Too many for an automaton: at every place of a text, those are looked for with which the rest starts.
    Anywhere(Trie<Hits>),
}

/// An index to be.
#[derive(Debug, Default)]
pub(super) struct IndexBuilder {
    all: Hits,
    texts: FxHashMap<Box<[u8]>, Hits>,
    numbers: FxHashMap<i128, Hits>,
    starts: FxHashMap<Box<[u8]>, Hits>,
    ends: FxHashMap<Box<[u8]>, Hits>,
    contained: FxHashMap<Box<[u8]>, Hits>,
}

impl IndexBuilder {
    /// Adds a comparison that has a [`Kind`], and the rule that it finds.
    pub(super) fn add(&mut self, node: &Node, rule: usize) {
        let Node::Leaf(Leaf::Constants {
            operator, values, ..
        }) = node
        else {
            return;
        };
        self.all.add(rule);
        for value in values {
            match value {
                Const::Int(number) => self.numbers.entry(*number).or_default().add(rule),
                Const::Bytes(text) => {
                    let Some(required) = required(*operator, text) else {
                        continue;
                    };
                    let map = match required.place {
                        Place::Whole => &mut self.texts,
                        Place::Start => &mut self.starts,
                        Place::End => &mut self.ends,
                        Place::Anywhere => &mut self.contained,
                    };
                    map.entry(required.text.into()).or_default().add(rule);
                }
                _ => {}
            }
        }
    }

    /// `allowance` is how many bytes automata may still take, over all indexes.
    pub(super) fn build(self, slot: SlotId, spelled: bool, allowance: &mut usize) -> Index {
        Index {
            slot,
            spelled,
            texts: (!self.texts.is_empty()).then(|| Texts {
                lengths: self
                    .texts
                    .keys()
                    .fold(0, |bits, text| bits | length_bit(text)),
                hits: self.texts,
            }),
            numbers: self.numbers,
            starts: trie(End::Front, self.starts),
            ends: trie(End::Back, self.ends),
            contained: Contained::new(self.contained, allowance),
            all: self.all,
        }
    }
}

fn length_bit(text: &[u8]) -> u64 {
    1 << text.len().min(63)
}

fn trie(end: End, members: FxHashMap<Box<[u8]>, Hits>) -> Option<Trie<Hits>> {
    let mut trie = Trie::new(end);
    for (member, hits) in members {
        *trie.entry(&member) = Some(hits);
    }
    (!trie.is_empty()).then_some(trie)
}

impl Contained {
    fn new(literals: FxHashMap<Box<[u8]>, Hits>, allowance: &mut usize) -> Option<Self> {
        if literals.is_empty() {
            return None;
        }
        let (literals, mut hits): (Vec<Box<[u8]>>, Vec<Hits>) = literals.into_iter().unzip();
        if let [only] = &*literals {
            let finder = Finder::new(only).into_owned();
            return hits.pop().map(|hits| Self::One(Box::new(finder), hits));
        }
        if pattern::fits_automaton(&literals) && *allowance > 0 {
            let bytes: usize = literals.iter().map(|literal| literal.len()).sum();
            let kind = (bytes <= TABLE_BYTES).then_some(AhoCorasickKind::DFA);
            let build = |matching| {
                AhoCorasickBuilder::new()
                    .match_kind(matching)
                    .kind(kind)
                    .build(&literals)
            };
            // Only the leftmost kind has the fast search for where a match may start.
            if let (Ok(any), Ok(each)) =
                (build(MatchKind::LeftmostFirst), build(MatchKind::Standard))
            {
                *allowance = allowance.saturating_sub(any.memory_usage() + each.memory_usage());
                return Some(Self::Automata {
                    any,
                    each,
                    hits: hits.into(),
                });
            }
        }
        let members = literals.into_iter().zip(hits).collect();
        trie(End::Front, members).map(Self::Anywhere)
    }

    fn mark(&self, text: &[u8], found: &mut [u64]) {
        match self {
            Self::One(finder, hits) => {
                if finder.find(text).is_some() {
                    hits.mark(found);
                }
            }
            Self::Automata { any, each, hits } => {
                if any.is_match(text) {
                    for literal in each.find_overlapping_iter(text) {
                        hits[literal.pattern().as_usize()].mark(found);
                    }
                }
            }
            Self::Anywhere(starts) => {
                for at in 0..=text.len() {
                    starts.visit(&text[at..], |hits| hits.mark(found));
                }
            }
        }
    }
}

impl Index {
    /// Marks the rules that one value leaves possible.
    #[inline]
    pub(super) fn matching(&self, value: &Value<'_>, found: &mut [u64]) {
        let text: &[u8] = match value {
            Value::Bytes(text) => text,
            Value::Int(number) => return self.number((*number).into(), found),
            Value::Uint(number) => return self.number((*number).into(), found),
            Value::Bool(_) | Value::Ip(_) => return,
        };
        if let Some(texts) = &self.texts
            && texts.lengths & length_bit(text) != 0
            && let Some(hits) = texts.hits.get(text)
        {
            hits.mark(found);
        }
        if let Some(starts) = &self.starts {
            starts.visit(text, |hits| hits.mark(found));
        }
        if let Some(ends) = &self.ends {
            ends.visit(text, |hits| hits.mark(found));
        }
        if let Some(contained) = &self.contained {
            contained.mark(text, found);
        }
    }

    fn number(&self, number: i128, found: &mut [u64]) {
        if let Some(hits) = self.numbers.get(&number) {
            hits.mark(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::AUTOMATON_LITERALS;

    fn contained(literals: usize, allowance: &mut usize) -> Option<Contained> {
        let literal = |number: usize| {
            let mut hits = Hits::default();
            hits.add(number);
            (format!("w{number}.").into_bytes().into(), hits)
        };
        Contained::new((0..literals).map(literal).collect(), allowance)
    }

    #[test]
    fn literals_are_found_with_and_without_an_automaton() {
        const AMPLE: usize = 64 << 20;
        for (literals, mut allowance, is_automaton) in [
            (2, AMPLE, true),
            (AUTOMATON_LITERALS, AMPLE, true),
            (AUTOMATON_LITERALS + 1, AMPLE, false),
            (2, 0, false),
        ] {
            let before = allowance;
            let contained = contained(literals, &mut allowance).expect("there are literals");
            assert_eq!(
                matches!(contained, Contained::Automata { .. }),
                is_automaton,
                "{literals}"
            );
            assert_eq!(allowance < before, is_automaton, "{literals}");
            for (text, expected) in [("a w1.w0.", 0b11), ("w1.", 0b10), ("w1", 0), ("", 0)] {
                let mut found = vec![0; literals.div_ceil(64)];
                contained.mark(text.as_bytes(), &mut found);
                assert_eq!(found[0], expected, "{literals} {text}");
            }
        }
    }

    #[test]
    fn a_comparison_with_too_many_constants_is_judged() {
        for (count, expected) in [
            (CONSTANTS_LIMIT, Some(Kind::Text(Place::Anywhere))),
            (CONSTANTS_LIMIT + 1, None),
        ] {
            let node = Node::Leaf(Leaf::Constants {
                slot: 0,
                operator: Operator::Contains,
                of_field: OfField::Any,
                quantifier: Quantifier::Any,
                values: vec![Const::Bytes(Box::from(*b"x")); count],
            });
            assert_eq!(Kind::of(&node), expected);
        }
    }
}
