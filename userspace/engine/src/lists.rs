//! Lists, with the lists they name put in place of their names.
//!
//! Falco replaces list names in the text of a condition before it parses it. Here they are replaced where a
//! value stands, which is the same for every rule that loads there, keeps quoted strings what they are, and
//! keeps the place of every item.

use std::rc::Rc;

use bstr::ByteSlice;

use crate::collection::Collection;
use crate::condition::ast::Constant;
use crate::diagnostics::{Code, Item, Problem, Report};
use crate::source::Span;

/// How deeply lists may name lists.
const DEPTH_LIMIT: usize = 64;

/// How many items all uses of all lists may come to: far beyond real rules, and small enough for any host.
const ITEM_LIMIT: usize = 1_000_000;

/// The lists of a collection.
pub(crate) struct Lists<'c> {
    collection: &'c Collection,
    slots: Vec<Slot>,
    budget: usize,
}

#[derive(Clone, Default)]
struct Slot {
    state: State,
    used: bool,
}

#[derive(Clone, Default)]
enum State {
    #[default]
    New,
    Open,
    Done(Rc<[Constant]>),
}

impl<'c> Lists<'c> {
    pub(crate) fn new(collection: &'c Collection) -> Self {
        Self {
            collection,
            slots: vec![Slot::default(); collection.lists.len()],
            budget: ITEM_LIMIT,
        }
    }

    /// The items of the list a constant names; `None` where it is an ordinary value.
    pub(crate) fn expand(
        &mut self,
        constant: &Constant,
    ) -> Result<Option<Rc<[Constant]>>, Problem> {
        let slot = (!constant.quoted)
            .then(|| constant.value.to_str().ok())
            .flatten()
            .and_then(|name| self.collection.list_slots.get(name));
        match slot {
            None => Ok(None),
            Some(&slot) => {
                self.slots[slot].used = true;
                let items = self.resolve(slot, 0)?;
                self.spend(&items)?;
                Ok(Some(items))
            }
        }
    }

    fn spend(&mut self, items: &[Constant]) -> Result<(), Problem> {
        // A long item counts as several.
        let cost = |item: &Constant| 1 + item.value.len() / 64;
        let items: usize = items.iter().map(cost).sum();
        self.budget = self
            .budget
            .checked_sub(items)
            .ok_or(Problem::ListsTooLarge {
                maximum: ITEM_LIMIT,
            })?;
        Ok(())
    }

    fn resolve(&mut self, slot: usize, depth: usize) -> Result<Rc<[Constant]>, Problem> {
        if let State::Done(items) = &self.slots[slot].state {
            return Ok(Rc::clone(items));
        }
        if depth == DEPTH_LIMIT {
            return Err(Problem::ListsTooDeep);
        }
        self.slots[slot].state = State::Open;
        let collection = self.collection;
        let mut items = Vec::new();
        for item in &collection.lists[slot].items {
            let named = (!item.quoted)
                .then(|| item.value.to_str().ok())
                .flatten()
                .and_then(|name| collection.list_slots.get(name).copied());
            match named {
                // A list that (also) contains its own name means the name.
                Some(inner) if !matches!(self.slots[inner].state, State::Open) => {
                    self.slots[inner].used = true;
                    let inner = self.resolve(inner, depth + 1)?;
                    self.spend(&inner)?;
                    items.extend(inner.iter().cloned());
                }
                _ => items.push(item.clone()),
            }
        }
        let items: Rc<[Constant]> = items.into();
        self.slots[slot].state = State::Done(Rc::clone(&items));
        Ok(items)
    }

    /// Warns of lists nothing names.
    pub(crate) fn report_unused(&mut self, report: &mut Report<'_>) {
        // A list that only other lists name counts as used, so all are resolved first.
        for slot in 0..self.slots.len() {
            if let Err(problem) = self.resolve(slot, 0) {
                let span = self.collection.lists[slot].name_span;
                report.add(Code::Validate, span, None, problem);
                return;
            }
        }
        if report.has_errors() {
            // What does not compile uses nothing.
            return;
        }
        for (slot, list) in self.slots.iter().zip(&self.collection.lists) {
            if !slot.used {
                let item = Item::List(list.name.clone());
                report.add(
                    Code::UnusedList,
                    list.name_span,
                    Some(&item),
                    Problem::UnusedList {
                        name: list.name.clone(),
                    },
                );
            }
        }
    }
}

/// Replaces list names among the values of a list; a problem comes with the place of its value.
pub(crate) fn expand_all(
    lists: &mut Lists<'_>,
    values: &[Constant],
) -> Result<Vec<Constant>, (Span, Problem)> {
    let mut expanded = Vec::with_capacity(values.len());
    for value in values {
        match lists
            .expand(value)
            .map_err(|problem| (value.span, problem))?
        {
            None => expanded.push(value.clone()),
            Some(items) => expanded.extend(items.iter().cloned()),
        }
    }
    Ok(expanded)
}
