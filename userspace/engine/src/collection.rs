//! The items of all rule files, put together in the order of the files: what later definitions replace is
//! replaced here, and nothing is compiled yet.

mod item;
mod requirement;

use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::condition::ast::Constant;
use crate::condition::parse::list_item;
use crate::diagnostics::{Code, Item, Problem, Report, nearest};
use crate::keys;
use crate::priority::Priority;
use crate::source::{Source, Span, Text};
use crate::yaml::{self, Kind, Node};

use item::ItemReader;

/// A list.
pub(crate) struct List {
    pub(crate) name: String,
    pub(crate) name_span: Span,
    pub(crate) items: Vec<Constant>,
}

/// A macro.
pub(crate) struct Macro {
    pub(crate) name: String,
    pub(crate) name_span: Span,
    pub(crate) condition: Text,
    /// The counter of definitions when it was first defined.
    pub(crate) index: u32,
    /// The counter of definitions when it was last defined: it may use what has a lower `index`.
    pub(crate) visibility: u32,
}

/// A rule, not yet compiled.
pub(crate) struct RuleDefinition {
    pub(crate) name: String,
    pub(crate) name_span: Span,
    pub(crate) condition: Text,
    pub(crate) output: Text,
    pub(crate) description: String,
    pub(crate) priority: Priority,
    pub(crate) source: String,
    pub(crate) enabled: bool,
    pub(crate) warn_event_types: bool,
    pub(crate) skip_if_unknown_filter: bool,
    /// Sorted, without duplicates.
    pub(crate) tags: Vec<String>,
    pub(crate) group_by: Vec<(String, Span)>,
}

/// All items, each in the slot of its first definition.
#[derive(Default)]
pub(crate) struct Collection {
    pub(crate) lists: Vec<List>,
    pub(crate) macros: Vec<Macro>,
    pub(crate) rules: Vec<RuleDefinition>,
    pub(crate) list_slots: FxHashMap<String, usize>,
    pub(crate) macro_slots: FxHashMap<String, usize>,
    rule_slots: FxHashMap<String, usize>,
    definitions: u32,
}

impl Collection {
    /// Reads all files.
    pub(crate) fn read(sources: &[Source], report: &mut Report<'_>) -> Self {
        let mut collection = Self::default();
        for (index, source) in sources.iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let (documents, error) = yaml::read(index, &source.text);
            if let Some(error) = error {
                report.add(
                    Code::YamlParse,
                    error.span,
                    None,
                    Problem::Yaml {
                        message: error.message,
                    },
                );
            }
            for document in &documents {
                collection.read_document(document, &source.text, report);
            }
        }
        collection
    }

    fn read_document(&mut self, document: &Node, file: &str, report: &mut Report<'_>) {
        let items = match &document.kind {
            Kind::Null => return,
            Kind::Sequence(items) => items,
            _ => {
                return report.add(
                    Code::YamlValidate,
                    first_line(document),
                    None,
                    Problem::NotASequence,
                );
            }
        };
        for item in items {
            match &item.kind {
                Kind::Null => {}
                Kind::Mapping(entries) => self.read_item(item, entries, file, report),
                _ => report.add(Code::YamlValidate, item.span, None, Problem::NotAMap),
            }
        }
    }

    fn read_item(
        &mut self,
        item: &Node,
        entries: &[(Rc<Node>, Rc<Node>)],
        file: &str,
        report: &mut Report<'_>,
    ) {
        let has = |key: &str| entries.iter().any(|(name, _)| name.scalar() == Some(key));
        let kinds = keys::KINDS.iter().map(|kind| kind.name);
        let Some(kind) = kinds.clone().find(|kind| has(kind)) else {
            let first = entries.first().map(|(key, _)| key);
            let nearest = first.and_then(|key| nearest(key.scalar()?, kinds));
            let span = first.map_or(item.span, |key| key.span);
            return report.add(
                Code::UnknownItem,
                span,
                None,
                Problem::UnknownItem { nearest },
            );
        };
        let mut reader = ItemReader::new(item.span, entries, file, report);
        match kind {
            "list" => self.read_list(&mut reader),
            "macro" => self.read_macro(&mut reader),
            "rule" => self.read_rule(&mut reader),
            "required_engine_version" => requirement::engine_version(&mut reader),
            _ => requirement::plugin_versions(&mut reader),
        }
    }

    fn read_list(&mut self, item: &mut ItemReader<'_, '_>) {
        let Some((name, name_span)) = item.name("list") else {
            return;
        };
        item.item = Some(Item::List(name.clone()));
        item.check_keys(&keys::LIST, &["append", "override"]);
        if name.is_empty()
            || name
                .bytes()
                .any(|byte| b"()\"'=,".contains(&byte) || byte.is_ascii_whitespace())
        {
            item.problem(
                Code::InvalidListName,
                name_span,
                Problem::InvalidName { name: name.clone() },
            );
        }
        let Some(items) = item.scalars("items", true) else {
            return;
        };
        let items = items
            .iter()
            .filter_map(|node| node.text(item.file))
            .map(|text| list_item(&text))
            .collect();
        self.definitions += 1;
        let list = List {
            name: name.clone(),
            name_span,
            items,
        };
        match self.list_slots.get(&name) {
            Some(&slot) => self.lists[slot] = list,
            None => {
                self.list_slots.insert(name, self.lists.len());
                self.lists.push(list);
            }
        }
    }

    fn read_macro(&mut self, item: &mut ItemReader<'_, '_>) {
        let Some((name, name_span)) = item.name("macro") else {
            return;
        };
        item.item = Some(Item::Macro(name.clone()));
        item.check_keys(&keys::MACRO, &["append", "override"]);
        let lexes = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !lexes {
            item.problem(
                Code::InvalidMacroName,
                name_span,
                Problem::InvalidName { name: name.clone() },
            );
        }
        let Some(condition) = item.text("condition") else {
            return;
        };
        self.definitions += 1;
        let slot = self.macro_slots.get(&name).copied();
        let index = slot.map_or(self.definitions, |slot| self.macros[slot].index);
        let defined = Macro {
            name: name.clone(),
            name_span,
            condition,
            index,
            visibility: self.definitions,
        };
        match slot {
            Some(slot) => self.macros[slot] = defined,
            None => {
                self.macro_slots.insert(name, self.macros.len());
                self.macros.push(defined);
            }
        }
    }

    fn read_rule(&mut self, item: &mut ItemReader<'_, '_>) {
        let Some((name, name_span)) = item.name("rule") else {
            return;
        };
        item.item = Some(Item::Rule(name.clone()));
        item.check_keys(&keys::RULE, &["append", "override", "exceptions"]);
        if ![
            "condition",
            "output",
            "desc",
            "priority",
            "append",
            "override",
        ]
        .iter()
        .any(|key| item.has(key))
        {
            return self.read_enabled_only(item, &name, name_span);
        }
        let condition = item.text("condition");
        let output = item.text("output");
        let description = item.text("desc").map(|text| text.text);
        let priority = item.text("priority").and_then(|text| {
            let priority = text.text.parse().ok();
            if priority.is_none() {
                let span = text.span(0, text.text.len());
                item.problem(
                    Code::YamlValidate,
                    span,
                    Problem::InvalidPriority { given: text.text },
                );
            }
            priority
        });
        let enabled = item.bool("enabled", true);
        let warn_event_types = item.bool("warn_evttypes", true);
        let skip_if_unknown_filter = item.bool("skip-if-unknown-filter", false);
        let source = item
            .optional_text("source")
            .unwrap_or_else(|| "syscall".to_owned());
        let mut tags: Vec<String> = item
            .scalars("tags", false)
            .unwrap_or_default()
            .iter()
            .filter_map(|node| node.scalar().map(str::to_owned))
            .collect();
        tags.sort();
        tags.dedup();
        let group_by = item
            .scalars("group_by", false)
            .unwrap_or_default()
            .iter()
            .filter_map(|node| Some((node.scalar()?.to_owned(), node.span)))
            .collect();
        // A rule that lacks something else is checked all the same, so that all its mistakes show at once.
        let Some(condition) = condition else { return };
        let (output, description) = (output.unwrap_or_default(), description.unwrap_or_default());
        let rule = RuleDefinition {
            name: name.clone(),
            name_span,
            condition,
            output,
            description: description.trim_end().to_owned(),
            priority: priority.unwrap_or_default(),
            source,
            enabled,
            warn_event_types,
            skip_if_unknown_filter,
            tags,
            group_by,
        };
        self.definitions += 1;
        match self.rule_slots.get(&name) {
            Some(&slot) if self.rules[slot].source != rule.source => {
                item.problem(Code::YamlValidate, name_span, Problem::SourceChanged);
            }
            Some(&slot) => self.rules[slot] = rule,
            None => {
                self.rule_slots.insert(name, self.rules.len());
                self.rules.push(rule);
            }
        }
    }

    /// The old way to switch off a rule that an earlier file defined.
    fn read_enabled_only(&mut self, item: &mut ItemReader<'_, '_>, name: &str, name_span: Span) {
        if !item.has("enabled") {
            if !item.has("exceptions") {
                item.problem(
                    Code::YamlValidate,
                    name_span,
                    Problem::MissingKey { key: "enabled" },
                );
            }
            return;
        }
        let enabled = item.bool("enabled", true);
        let what = "'enabled' without a rule definition".to_owned();
        item.problem(
            Code::DeprecatedItem,
            name_span,
            Problem::Deprecated { what },
        );
        match self.rule_slots.get(name) {
            Some(&slot) => self.rules[slot].enabled = enabled,
            None => {
                item.problem(
                    Code::Validate,
                    name_span,
                    Problem::EnabledWithoutRule {
                        name: name.to_owned(),
                    },
                );
            }
        }
    }
}

/// A whole document is too much to underline.
fn first_line(node: &Node) -> Span {
    Span {
        end: node.span.start + 1,
        ..node.span
    }
}
