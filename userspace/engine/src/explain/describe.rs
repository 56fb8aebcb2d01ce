//! What a rule is made of, and what became of it: for somebody who reads it for the first time, or wonders what it costs.

use std::collections::BTreeMap;

use bstr::BString;

use super::{Judged, Place};
use crate::condition::ast::{self, Constant};
use crate::events::EventTypes;
use crate::fields::FieldReference;
use crate::interpret::{Kept, Part, Right};
use crate::operand::Operand;
use crate::ruleset::Ruleset;

/// A rule, taken apart.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Description {
    /// Its name.
    pub rule: String,
    /// Where it is defined.
    pub place: Option<Place>,
    /// The parts of its condition that must all hold, as written.
    pub condition: Vec<String>,
    /// The macros it uses, also through others, in the order in which they are met.
    pub macros: Vec<Named>,
    /// The lists it names, with the lists in them put in.
    pub lists: Vec<(String, Vec<BString>)>,
    /// The event types about which it is asked.
    pub event_types: EventTypes,
    /// The fields its condition reads, by name.
    pub fields: Vec<FieldReference>,
    /// The compiled form of its condition for the first of its event types: parts that must all hold, in the order in which
    /// they are judged. What the type decides is gone.
    pub judged: Vec<Judged>,
}

/// A macro.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Where it is defined.
    pub place: Option<Place>,
    /// Its condition, as written.
    pub condition: String,
}

impl Ruleset {
    /// Takes a rule apart, by its position in [`Ruleset::rules`]. `None` unless
    /// [`Options::keep_conditions`](crate::Options) was set (or for a condition that is too large to be shown).
    #[must_use]
    pub fn describe(&self, index: usize) -> Option<Description> {
        let kept = self.kept.as_ref()?;
        let condition = kept.conditions.get(index)?.as_ref()?;
        let rule = self.rules.get(index)?;
        let mut found = Found::new(kept);
        found.part(condition);
        let parts = match condition {
            Part::And(parts) => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        Some(Description {
            rule: rule.name.clone(),
            place: kept.places.get(index).cloned().flatten(),
            condition: parts.iter().map(shown_alone).collect(),
            macros: found.macros,
            lists: found
                .lists
                .into_iter()
                .map(|(name, items)| (name.to_owned(), items.clone()))
                .collect(),
            event_types: rule.event_types,
            fields: found.fields.into_values().collect(),
            judged: kept.outlines.get(index).cloned().unwrap_or_default(),
        })
    }
}

/// One of several parts that are joined by `and` elsewhere.
fn shown_alone(part: &Part) -> String {
    match part {
        Part::Or(_) => format!("({part})"),
        _ => part.to_string(),
    }
}

/// What a condition names.
struct Found<'k> {
    kept: &'k Kept,
    macros: Vec<Named>,
    lists: BTreeMap<&'k str, &'k Vec<BString>>,
    fields: BTreeMap<String, FieldReference>,
}

impl<'k> Found<'k> {
    fn new(kept: &'k Kept) -> Self {
        Self {
            kept,
            macros: Vec::new(),
            lists: BTreeMap::new(),
            fields: BTreeMap::new(),
        }
    }

    fn part(&mut self, part: &'k Part) {
        match part {
            Part::And(parts) | Part::Or(parts) => parts.iter().for_each(|part| self.part(part)),
            Part::Not(inner) => self.part(inner),
            Part::Macro(named) => {
                if self.macros.iter().any(|known| known.name == named.name) {
                    return;
                }
                self.macros.push(Named {
                    name: named.name.clone(),
                    place: named.place.clone(),
                    condition: named.body.to_string(),
                });
                self.part(&named.body);
            }
            Part::Comparison(comparison) => {
                self.operand(&comparison.left.operand);
                if let Right::Operand(right) = &comparison.right {
                    self.operand(&right.operand);
                }
                match &comparison.written.right {
                    ast::Right::One(value) | ast::Right::Word(value) => self.list(value),
                    ast::Right::Many(values) | ast::Right::Quantified(_, values) => {
                        values.iter().for_each(|value| self.list(value));
                    }
                    ast::Right::None | ast::Right::Term(_) => {}
                }
            }
        }
    }

    fn operand(&mut self, operand: &Operand) {
        operand.each_field(&mut |field| {
            self.fields.insert(field.to_string(), field.clone());
        });
    }

    fn list(&mut self, value: &Constant) {
        if value.quoted {
            return;
        }
        let name = value.value.to_string();
        if let Some((name, items)) = self.kept.lists.get_key_value(&name) {
            self.lists.insert(name, items);
        }
    }
}
