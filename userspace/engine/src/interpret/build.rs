//! From the items of rule files to conditions that can be interpreted.

use std::collections::BTreeMap;
use std::sync::Arc;

use bstr::BString;

use super::{Comparison, Constant, Macro, Part, Right};
use crate::check;
use crate::collection::Collection;
use crate::condition::ast::{self, Check, Expr, Operator, Quantifier};
use crate::condition::parse::parse;
use crate::explain::{Judged, Place};
use crate::fields::Catalogue;
use crate::lists::Lists;
use crate::operand::{self, Typed};
use crate::predicate;
use crate::source::{Source, Span, line_starts, position};

/// What nests deeper is not kept: judging recurses. The compiled form is flatter, so a condition may exceed this and load.
const DEPTH_LIMIT: u32 = 1000;
/// Nor is what is larger with its macros put in: each use of a macro is judged again.
const SIZE_LIMIT: u32 = 100_000;

/// The conditions of all rules, as written, and what else only explanations need.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Per rule of the ruleset; `None` for one that nests too deeply or is too large.
    pub(crate) conditions: Vec<Option<Part>>,
    /// Per rule, where it is defined.
    pub(crate) places: Vec<Option<Place>>,
    /// The lists that conditions name, with the lists in them put in.
    pub(crate) lists: BTreeMap<String, Vec<BString>>,
    /// Per rule, its compiled form.
    pub(crate) outlines: Vec<Vec<Judged>>,
}

/// How large a part is, with macros put in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    depth: u32,
    size: u32,
}

impl Extent {
    fn beside(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            size: self.size.saturating_add(other.size),
        }
    }

    /// This one below one more; `None` where that is too much.
    fn below(self) -> Option<Self> {
        let whole = Self {
            depth: self.depth + 1,
            size: self.size.saturating_add(1),
        };
        (whole.depth <= DEPTH_LIMIT && whole.size <= SIZE_LIMIT).then_some(whole)
    }
}

/// Resolves conditions that the compiler has accepted.
pub(crate) struct Builder<'c> {
    collection: &'c Collection,
    catalogue: Catalogue<'c>,
    sources: &'c [Source],
    line_starts: Vec<Vec<usize>>,
    lists: Lists<'c>,
    named: BTreeMap<String, Vec<BString>>,
    macros: Vec<Option<Option<Arc<Macro>>>>,
}

impl<'c> Builder<'c> {
    pub(crate) fn new(
        collection: &'c Collection,
        catalogue: Catalogue<'c>,
        sources: &'c [Source],
    ) -> Self {
        Self {
            collection,
            catalogue,
            sources,
            line_starts: sources
                .iter()
                .map(|source| line_starts(&source.text))
                .collect(),
            lists: Lists::new(collection),
            named: BTreeMap::new(),
            macros: collection.macros.iter().map(|_| None).collect(),
        }
    }

    /// The conditions of the rules of these names.
    pub(crate) fn rules<'n>(mut self, names: impl Iterator<Item = &'n str>, kept: &mut Kept) {
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
        for name in names {
            let definition = by_name.get(name);
            kept.places
                .push(definition.and_then(|rule| self.place(rule.name_span)));
            kept.conditions.push(definition.and_then(|rule| {
                let expr = parse(&rule.condition).ok()?;
                self.part(&expr, DEPTH_LIMIT).map(|(part, _)| part)
            }));
        }
        kept.lists = self.named;
    }

    fn place(&self, span: Span) -> Option<Place> {
        let source = self.sources.get(span.source as usize)?;
        let place = position(
            &source.text,
            self.line_starts.get(span.source as usize)?,
            span.start as usize,
        );
        Some(Place {
            file: source.name.clone(),
            line: place.line,
            column: place.column,
        })
    }

    /// A part and its extent; `None` for what does not compile or is too large.
    fn part(&mut self, expr: &Expr, room: u32) -> Option<(Part, Extent)> {
        let room = room.checked_sub(1)?;
        let (part, inside) = match expr {
            Expr::And(parts) => {
                let (parts, inside) = self.parts(parts, room)?;
                (Part::And(parts), inside)
            }
            Expr::Or(parts) => {
                let (parts, inside) = self.parts(parts, room)?;
                (Part::Or(parts), inside)
            }
            Expr::Not(inner) => {
                let (inner, inside) = self.part(inner, room)?;
                (Part::Not(Box::new(inner)), inside)
            }
            Expr::Macro { name, .. } => {
                let slot = *self.collection.macro_slots.get(name)?;
                let named = self.named(slot)?;
                let inside = named.extent;
                (Part::Macro(named), inside)
            }
            Expr::Check(check) => {
                let comparison = self.comparison(check)?;
                (Part::Comparison(Box::new(comparison)), Extent::default())
            }
        };
        inside.below().map(|whole| (part, whole))
    }

    fn parts(&mut self, parts: &[Expr], room: u32) -> Option<(Vec<Part>, Extent)> {
        let mut inside = Extent::default();
        let parts = parts
            .iter()
            .map(|part| {
                let (part, extent) = self.part(part, room)?;
                inside = inside.beside(extent);
                Some(part)
            })
            .collect::<Option<_>>()?;
        Some((parts, inside))
    }

    fn named(&mut self, slot: usize) -> Option<Arc<Macro>> {
        if let Some(done) = &self.macros[slot] {
            return done.clone();
        }
        // While it is being built it is nothing: one that leads to itself does not compile.
        self.macros[slot] = Some(None);
        let definition = &self.collection.macros[slot];
        let built = parse(&definition.condition)
            .ok()
            .and_then(|expr| self.part(&expr, DEPTH_LIMIT));
        let place = self.place(definition.name_span);
        let named = built.map(|(body, extent)| {
            Arc::new(Macro {
                name: definition.name.clone(),
                place,
                body,
                extent,
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
