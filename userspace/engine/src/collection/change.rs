//! What an item does to one of its name that is defined already: nothing, `append: true` or `override`.

use super::item::ItemReader;
use crate::diagnostics::{Code, Problem};
use crate::keys::{self, Overrides};
use crate::source::Span;
use crate::yaml::{Kind, Node};

/// How an item takes effect.
pub(super) enum Change {
    /// As a whole: it replaces what has its name.
    Define,
    /// By the deprecated `append: true`.
    Append,
    /// Key by key.
    Override(Update),
}

/// The keys that `override` names; both lists follow the item's keys, which all exist.
#[derive(Default)]
pub(super) struct Update {
    pub(super) append: Vec<&'static str>,
    pub(super) replace: Vec<&'static str>,
}

impl Change {
    /// Reads `append` and `override`; nothing if they contradict the item.
    pub(super) fn read(item: &mut ItemReader<'_, '_>, kind: &keys::Kind) -> Option<Self> {
        let appends = item.bool("append", false);
        let append_span = item.key_span("append");
        if appends {
            let what = "'append: true'".to_owned();
            item.problem(
                Code::DeprecatedItem,
                append_span,
                Problem::Deprecated { what },
            );
        }
        let entries = match item.get("override").map(|node| (&node.kind, node.span)) {
            None | Some((Kind::Null, _)) => &[],
            Some((Kind::Mapping(entries), _)) => entries.as_slice(),
            Some((_, span)) => {
                item.invalid(span, Problem::NotAMapValue { key: "override" });
                return None;
            }
        };
        if entries.is_empty() {
            return Some(if appends { Self::Append } else { Self::Define });
        }
        if appends {
            item.invalid(append_span, Problem::OverrideWithAppend);
            return None;
        }
        let mut update = Update::default();
        let mut valid = true;
        for (key, operation) in entries {
            let name = key.scalar().unwrap_or("");
            if let Err((span, problem)) = update.read(kind, key, operation) {
                item.invalid(span, problem);
                valid = false;
            } else if !item.has(name)
                && let Some(row) = kind.key(name)
            {
                let operation = if update.append.contains(&name) {
                    "An append"
                } else {
                    "A replace"
                };
                let problem = Problem::OverrideWithoutKey {
                    operation,
                    key: row.name,
                };
                item.invalid(key.span, problem);
                valid = false;
            }
        }
        for (span, key) in item.keys(kind) {
            let named = entries
                .iter()
                .any(|(name, _)| name.scalar() == Some(key.name));
            if key.overrides != Overrides::None && !named {
                item.invalid(span, Problem::UnexpectedKey { key: key.name });
                valid = false;
            }
        }
        valid.then_some(Self::Override(update))
    }

    /// Whether it adds to a key.
    pub(super) fn appends(&self, key: &str) -> bool {
        match self {
            Self::Define => false,
            Self::Append => true,
            Self::Override(update) => update.append.contains(&key),
        }
    }
}

impl Update {
    fn names(&self, key: &str) -> bool {
        self.append.contains(&key) || self.replace.contains(&key)
    }

    /// Reads one entry of `override`.
    fn read(
        &mut self,
        kind: &keys::Kind,
        key: &Node,
        operation: &Node,
    ) -> Result<(), (Span, Problem)> {
        let name = key.scalar().unwrap_or("");
        let given = || name.to_owned();
        if self.names(name) {
            return Err((key.span, Problem::DuplicateKey { key: given() }));
        }
        let row = kind.key(name);
        let overrides = row.map_or(Overrides::None, |row| row.overrides);
        match (operation.scalar(), overrides, row) {
            (Some("append"), Overrides::AppendOrReplace, Some(row)) => self.append.push(row.name),
            (Some("replace"), Overrides::AppendOrReplace | Overrides::Replace, Some(row)) => {
                self.replace.push(row.name);
            }
            (Some("append"), ..) => {
                let replaceable = overrides == Overrides::Replace;
                let key_name = given();
                let problem = Problem::CannotAppend {
                    key: key_name,
                    replaceable,
                };
                return Err((key.span, problem));
            }
            (Some("replace"), ..) => {
                return Err((key.span, Problem::CannotReplace { key: given() }));
            }
            (operation_word, ..) => {
                let problem = Problem::InvalidOverride {
                    key: given(),
                    given: operation_word.unwrap_or("").to_owned(),
                };
                return Err((operation.span, problem));
            }
        }
        Ok(())
    }
}
