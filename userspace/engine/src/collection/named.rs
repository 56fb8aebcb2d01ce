//! Lists and macros.

use super::change::Change;
use super::item::ItemReader;
use super::{Collection, List, Macro};
use crate::condition::parse::list_item;
use crate::diagnostics::{Code, Item, Problem, nearest};
use crate::keys;

impl Collection {
    pub(super) fn read_list(&mut self, item: &mut ItemReader<'_, '_>) {
        let Some((name, name_span)) = item.name("list") else {
            return;
        };
        item.item = Some(Item::List(name.clone()));
        item.check_keys(&keys::LIST);
        let is_delimiter = |byte: u8| b"()\"'=,".contains(&byte) || byte.is_ascii_whitespace();
        if name.bytes().any(is_delimiter) {
            let name = name.clone();
            item.problem(
                Code::InvalidListName,
                name_span,
                Problem::InvalidName { name },
            );
        }
        let change = Change::read(item, &keys::LIST);
        let items = item.scalars("items", true);
        let (Some(change), Some(items)) = (change, items) else {
            return;
        };
        let items = items
            .iter()
            .filter_map(|node| node.text(item.file))
            .map(|text| list_item(&text));
        let slot = self.list_slots.get(&name).copied();
        match slot {
            Some(slot) if change.appends("items") => self.lists[slot].items.extend(items),
            Some(slot) => {
                self.lists[slot] = List {
                    name,
                    name_span,
                    items: items.collect(),
                };
            }
            None if change.appends("items") => {
                let names = self.lists.iter().map(|list| list.name.as_str());
                let problem = Problem::NothingToAppendTo {
                    kind: "List",
                    key: "items",
                    nearest: nearest(&name, names),
                };
                item.problem(Code::Validate, name_span, problem);
            }
            None => {
                self.list_slots.insert(name.clone(), self.lists.len());
                self.lists.push(List {
                    name,
                    name_span,
                    items: items.collect(),
                });
            }
        }
    }

    pub(super) fn read_macro(&mut self, item: &mut ItemReader<'_, '_>) {
        let Some((name, name_span)) = item.name("macro") else {
            return;
        };
        item.item = Some(Item::Macro(name.clone()));
        item.check_keys(&keys::MACRO);
        let lexes = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !lexes {
            let name = name.clone();
            item.problem(
                Code::InvalidMacroName,
                name_span,
                Problem::InvalidName { name },
            );
        }
        let change = Change::read(item, &keys::MACRO);
        let condition = item.text("condition");
        let (Some(change), Some(condition)) = (change, condition) else {
            return;
        };
        self.definitions += 1;
        match self.macro_slots.get(&name).copied() {
            Some(slot) => {
                let defined = &mut self.macros[slot];
                if change.appends("condition") {
                    defined.condition.push_made(" ", condition.whole());
                    defined.condition.push(&condition);
                } else {
                    defined.condition = condition;
                    defined.name_span = name_span;
                }
                defined.visibility = self.definitions;
            }
            None if change.appends("condition") => {
                let names = self.macros.iter().map(|defined| defined.name.as_str());
                let problem = Problem::NothingToAppendTo {
                    kind: "Macro",
                    key: "condition",
                    nearest: nearest(&name, names),
                };
                item.problem(Code::Validate, name_span, problem);
            }
            None => {
                self.macro_slots.insert(name.clone(), self.macros.len());
                self.macros.push(Macro {
                    name,
                    name_span,
                    condition,
                    index: self.definitions,
                    visibility: self.definitions,
                });
            }
        }
    }
}
