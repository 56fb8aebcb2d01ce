//! Reading the keys of one item, with a diagnostic for every key that is not what it must be.

use std::rc::Rc;

use crate::diagnostics::{Code, Item, Problem, Report, nearest};
use crate::keys;
use crate::source::{Span, Text};
use crate::yaml::{Kind, Node};

/// One item of a rule file.
pub(super) struct ItemReader<'i, 's> {
    span: Span,
    entries: &'i [(Rc<Node>, Rc<Node>)],
    /// The file it stands in.
    pub(super) file: &'i str,
    report: &'i mut Report<'s>,
    /// What it is, once its name is known.
    pub(super) item: Option<Item>,
}

impl<'i, 's> ItemReader<'i, 's> {
    pub(super) fn new(
        span: Span,
        entries: &'i [(Rc<Node>, Rc<Node>)],
        file: &'i str,
        report: &'i mut Report<'s>,
    ) -> Self {
        Self {
            span,
            entries,
            file,
            report,
            item: None,
        }
    }

    pub(super) fn problem(&mut self, code: Code, span: Span, problem: Problem) {
        self.report.add(code, span, self.item.as_ref(), problem);
    }

    fn invalid(&mut self, span: Span, problem: Problem) {
        self.problem(Code::YamlValidate, span, problem);
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The value of a key; of several, the first.
    pub(super) fn get(&self, key: &str) -> Option<&'i Node> {
        self.entries
            .iter()
            .find(|(name, _)| name.scalar() == Some(key))
            .map(|(_, value)| &**value)
    }

    /// Warns of unknown and duplicate keys, and refuses those of `unsupported` that mean something.
    pub(super) fn check_keys(&mut self, kind: &keys::Kind, unsupported: &[&'static str]) {
        let mut seen: Vec<&str> = Vec::new();
        for (key, value) in self.entries {
            let name = key.scalar().unwrap_or("");
            if seen.contains(&name) {
                self.invalid(
                    key.span,
                    Problem::DuplicateKey {
                        key: name.to_owned(),
                    },
                );
                continue;
            }
            if kind.key(name).is_none() {
                let nearest = nearest(name, kind.names());
                self.problem(
                    Code::UnknownKey,
                    key.span,
                    Problem::UnknownKey {
                        key: name.to_owned(),
                        nearest,
                    },
                );
                continue;
            }
            seen.push(name);
            let empty = match &value.kind {
                Kind::Null => true,
                Kind::Scalar(scalar) => name == "append" && parse_bool(&scalar.text) == Some(false),
                Kind::Sequence(items) => items.is_empty(),
                Kind::Mapping(entries) => entries.is_empty(),
            };
            if let Some(&key_name) = unsupported.iter().find(|&&key| key == name)
                && !empty
            {
                self.invalid(key.span, Problem::NotSupported { key: key_name });
            }
        }
    }

    /// The value of the key that names the item.
    pub(super) fn name(&mut self, key: &'static str) -> Option<(String, Span)> {
        let text = self.text(key)?;
        let span = text.span(0, text.text.len());
        Some((text.text, span))
    }

    /// A required scalar that is not empty.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Text> {
        let Some(node) = self.get(key) else {
            let start = Span {
                end: self.span.start + 1,
                ..self.span
            };
            self.invalid(start, Problem::MissingKey { key });
            return None;
        };
        let problem = match &node.kind {
            Kind::Null => Problem::NullValue { key },
            Kind::Scalar(scalar) if scalar.text.is_empty() => Problem::EmptyValue { key },
            Kind::Scalar(_) => return node.text(self.file),
            Kind::Sequence(_) | Kind::Mapping(_) => Problem::NotAScalar { key },
        };
        self.invalid(node.span, problem);
        None
    }

    /// An optional scalar; empty counts as absent.
    pub(super) fn optional_text(&mut self, key: &'static str) -> Option<String> {
        match &self.get(key)?.kind {
            Kind::Null => None,
            _ => self.text(key).map(|text| text.text),
        }
    }

    /// An optional boolean.
    pub(super) fn bool(&mut self, key: &'static str, default: bool) -> bool {
        let Some(node) = self.get(key) else {
            return default;
        };
        match node.scalar() {
            Some(text) => parse_bool(text).unwrap_or_else(|| {
                self.invalid(
                    node.span,
                    Problem::NotABool {
                        key,
                        given: text.to_owned(),
                    },
                );
                default
            }),
            None => {
                self.invalid(node.span, Problem::NotAScalar { key });
                default
            }
        }
    }

    /// A sequence of scalars; nothing after a problem, or where an optional one is absent.
    pub(super) fn scalars(&mut self, key: &'static str, required: bool) -> Option<Vec<&'i Node>> {
        let Some(node) = self.get(key) else {
            if required {
                let start = Span {
                    end: self.span.start + 1,
                    ..self.span
                };
                self.invalid(start, Problem::MissingKey { key });
            }
            return None;
        };
        match &node.kind {
            Kind::Null if !required => None,
            Kind::Sequence(items) => {
                for item in items.iter().filter(|item| item.scalar().is_none()) {
                    self.invalid(item.span, Problem::NotAScalarSequence { key });
                }
                Some(items.iter().map(|item| &**item).collect())
            }
            _ => {
                self.invalid(node.span, Problem::NotAScalarSequence { key });
                None
            }
        }
    }
}

/// The words that YAML 1.1, and so every existing rule file, takes for booleans.
fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => Some(true),
        "false" | "no" | "off" | "n" => Some(false),
        _ => None,
    }
}
