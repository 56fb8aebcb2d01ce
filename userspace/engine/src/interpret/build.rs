//! From the items of rule files to conditions that can be interpreted.

use std::collections::BTreeMap;
use std::sync::Arc;

use bstr::BString;

use super::{Comparison, Constant, Macro, Part, Right};
use crate::check;
use crate::collection::Collection;
use crate::condition::ast::{self, Check, Expr, Operator, Quantifier};
use crate::condition::parse::parse;
use crate::fields::Catalogue;
use crate::lists::Lists;
use crate::operand::{self, Typed};
use crate::predicate;

/// What nests deeper is not kept: judging recurses. The compiled form is flatter, so a condition may exceed this and load.
const DEPTH_LIMIT: u32 = 1000;

/// The conditions of all rules, as written.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Per rule of the ruleset; `None` for one that nests too deeply.
    pub(crate) conditions: Vec<Option<Part>>,
    /// The lists that conditions name, with the lists in them put in.
    #[allow(dead_code, reason = "explanations print them")]
    pub(crate) lists: BTreeMap<String, Vec<BString>>,
}

/// Resolves conditions that the compiler has accepted.
pub(crate) struct Builder<'c> {
    collection: &'c Collection,
    catalogue: Catalogue<'c>,
    lists: Lists<'c>,
    named: BTreeMap<String, Vec<BString>>,
    macros: Vec<Option<Option<Arc<Macro>>>>,
}

impl<'c> Builder<'c> {
    pub(crate) fn new(collection: &'c Collection, catalogue: Catalogue<'c>) -> Self {
        Self {
            collection,
            catalogue,
            lists: Lists::new(collection),
            named: BTreeMap::new(),
            macros: collection.macros.iter().map(|_| None).collect(),
        }
    }

    /// The conditions of the rules of these names.
    pub(crate) fn rules<'n>(mut self, names: impl Iterator<Item = &'n str>) -> Kept {
        let collection = self.collection;
        let by_name: BTreeMap<&str, _> = collection
            .rules
            .iter()
            .map(|rule| (rule.name.as_str(), rule))
            .collect();
        // In order, so that a macro that names another finds it done.
        for slot in 0..self.macros.len() {
            self.named(slot);
        }
        let conditions = names
            .map(|name| {
                let expr = parse(&by_name.get(name)?.condition).ok()?;
                self.part(&expr, DEPTH_LIMIT).map(|(part, _)| part)
            })
            .collect();
        Kept {
            conditions,
            lists: self.named,
        }
    }

    /// A part and how deeply it nests; `None` for what does not compile or nests too deeply.
    fn part(&mut self, expr: &Expr, room: u32) -> Option<(Part, u32)> {
        let room = room.checked_sub(1)?;
        let (part, below) = match expr {
            Expr::And(parts) => {
                let (parts, below) = self.parts(parts, room)?;
                (Part::And(parts), below)
            }
            Expr::Or(parts) => {
                let (parts, below) = self.parts(parts, room)?;
                (Part::Or(parts), below)
            }
            Expr::Not(inner) => {
                let (inner, below) = self.part(inner, room)?;
                (Part::Not(Box::new(inner)), below)
            }
            Expr::Macro { name, .. } => {
                let slot = *self.collection.macro_slots.get(name)?;
                let named = self.named(slot)?;
                let depth = named.depth;
                (Part::Macro(named), depth)
            }
            Expr::Check(check) => (Part::Comparison(Box::new(self.comparison(check)?)), 0),
        };
        (below <= room).then_some((part, below + 1))
    }

    fn parts(&mut self, parts: &[Expr], room: u32) -> Option<(Vec<Part>, u32)> {
        let mut deepest = 0;
        let parts = parts
            .iter()
            .map(|part| {
                let (part, depth) = self.part(part, room)?;
                deepest = deepest.max(depth);
                Some(part)
            })
            .collect::<Option<_>>()?;
        Some((parts, deepest))
    }

    fn named(&mut self, slot: usize) -> Option<Arc<Macro>> {
        if let Some(done) = &self.macros[slot] {
            return done.clone();
        }
        // While it is being built it is nothing: one that leads to itself does not compile.
        self.macros[slot] = Some(None);
        let definition = &self.collection.macros[slot];
        let named = parse(&definition.condition)
            .ok()
            .and_then(|expr| self.part(&expr, DEPTH_LIMIT))
            .map(|(body, depth)| {
                Arc::new(Macro {
                    name: definition.name.clone(),
                    body,
                    depth,
                })
            });
        self.macros[slot] = Some(named.clone());
        named
    }

    fn comparison(&mut self, check: &Check) -> Option<Comparison> {
        let left = operand::resolve(&check.left, self.catalogue).ok()?;
        let right = self.right(check, &left)?;
        Some(Comparison {
            of_field: check::of_field(&left, check.operator),
            written: check.clone(),
            left,
            right,
        })
    }

    fn right(&mut self, check: &Check, left: &Typed) -> Option<Right> {
        let (quantifier, written) = match &check.right {
            ast::Right::None => return Some(Right::Nothing),
            ast::Right::Term(term) => {
                return operand::resolve(term, self.catalogue)
                    .ok()
                    .map(Right::Operand);
            }
            ast::Right::One(value) | ast::Right::Word(value) => {
                (Quantifier::Any, std::slice::from_ref(value))
            }
            ast::Right::Many(values) => (Quantifier::Any, values.as_slice()),
            ast::Right::Quantified(quantifier, values) => (*quantifier, values.as_slice()),
        };
        let mut constants = Vec::with_capacity(written.len());
        for value in written {
            match self.lists.expand(value).ok()? {
                None => constants.push(self::constant(left, check.operator, value)?),
                Some(items) => {
                    self.named
                        .entry(value.value.to_string())
                        .or_insert_with(|| items.iter().map(|item| item.value.clone()).collect());
                    for item in items.iter() {
                        constants.push(self::constant(left, check.operator, item)?);
                    }
                }
            }
        }
        Some(Right::Constants(quantifier, constants))
    }
}

fn constant(left: &Typed, operator: Operator, written: &ast::Constant) -> Option<Constant> {
    if operator == Operator::Regex {
        return predicate::regex(&written.value).ok().map(Constant::Pattern);
    }
    check::constant(left, operator, written)
        .ok()
        .map(Constant::Value)
}
