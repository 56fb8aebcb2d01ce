//! The items of all rule files, put together in the order of the files: what later definitions replace is
//! replaced here, and nothing is compiled yet.

mod change;
mod exceptions;
mod item;
mod named;
mod requirement;
mod rule;

use std::cell::Cell;

use rustc_hash::FxHashMap;

use crate::condition::ast::Constant;
use crate::condition::parse::parse;
use crate::diagnostics::{Code, Problem, Report, nearest};
use crate::fields::Catalogue;
use crate::keys;
use crate::priority::Priority;
use crate::source::{Source, Span, Text};
use crate::yaml::{self, Entries, Kind, Node};

use exceptions::Exceptions;
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
    pub(crate) capture: bool,
    pub(crate) capture_duration_ms: u32,
    /// Sorted and without duplicates when all files are read.
    pub(crate) tags: Vec<String>,
    pub(crate) group_by: Vec<(String, Span)>,
    pub(crate) window_s: Option<u32>,
    /// Until all files are read, when they have become part of `condition`.
    exceptions: Exceptions,
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
    /// How much text exceptions have come to.
    exception_bytes: Cell<usize>,
}

impl Collection {
    /// Reads all files. The catalogue is for the fields of exceptions, which have no condition to stand in.
    pub(crate) fn read(
        sources: &[Source],
        catalogue: Catalogue<'_>,
        report: &mut Report<'_>,
    ) -> Self {
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
                collection.read_document(document, &source.text, catalogue, report);
            }
        }
        for rule in &mut collection.rules {
            rule.tags.sort();
            rule.tags.dedup();
            // Where the condition itself cannot be read, its mistake is shown without what would follow.
            if parse(&rule.condition).is_ok() {
                rule.exceptions.put_behind(&mut rule.condition);
            }
        }
        collection
    }

    fn read_document(
        &mut self,
        document: &Node,
        file: &str,
        catalogue: Catalogue<'_>,
        report: &mut Report<'_>,
    ) {
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
                Kind::Mapping(entries) => self.read_item(item, entries, file, catalogue, report),
                _ => report.add(Code::YamlValidate, item.span, None, Problem::NotAMap),
            }
        }
    }

    fn read_item(
        &mut self,
        item: &Node,
        entries: &Entries,
        file: &str,
        catalogue: Catalogue<'_>,
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
            "rule" => self.read_rule(&mut reader, catalogue),
            "required_engine_version" => requirement::engine_version(&mut reader),
            _ => requirement::plugin_versions(&mut reader),
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
