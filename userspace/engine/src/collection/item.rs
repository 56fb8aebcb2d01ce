//! Reading the keys of one item, with a diagnostic for every key that is not what it must be.

use crate::diagnostics::{Code, Item, Problem, Report, nearest};
use crate::keys;
use crate::source::{Span, Text};
use crate::yaml::{Entries, Kind, Node};

/// One item of a rule file.
pub(super) struct ItemReader<'i, 's> {
    span: Span,
    entries: &'i Entries,
    /// The file it stands in.
    pub(super) file: &'i str,
    report: &'i mut Report<'s>,
    /// What it is, once its name is known.
    pub(super) item: Option<Item>,
}

impl<'i, 's> ItemReader<'i, 's> {
    pub(super) fn new(
        span: Span,
        entries: &'i Entries,
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

    pub(super) fn invalid(&mut self, span: Span, problem: Problem) {
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

    /// Where a key stands; where there is none, the start of the item.
    pub(super) fn key_span(&self, key: &str) -> Span {
        self.entries
            .iter()
            .find(|(name, _)| name.scalar() == Some(key))
            .map_or(self.start(), |(name, _)| name.span)
    }

    /// The keys of it that mean something, with their places.
    pub(super) fn keys(&self, kind: &keys::Kind) -> Vec<(Span, &'static keys::Key)> {
        self.entries
            .iter()
            .filter_map(|(name, _)| Some((name.span, kind.key(name.scalar()?)?)))
            .collect()
    }

    /// Its first character: the whole of it is too much to underline.
    fn start(&self) -> Span {
        Span {
            end: self.span.start + 1,
            ..self.span
        }
    }

    /// Warns of unknown keys, and refuses those that stand twice.
    pub(super) fn check_keys(&mut self, kind: &keys::Kind) {
        let mut seen: Vec<&str> = Vec::new();
        for (key, _) in self.entries {
            let name = key.scalar().unwrap_or("");
            if seen.contains(&name) {
                let key_name = name.to_owned();
                self.invalid(key.span, Problem::DuplicateKey { key: key_name });
            } else if kind.key(name).is_some() {
                seen.push(name);
            } else {
                let problem = Problem::UnknownKey {
                    key: name.to_owned(),
                    nearest: nearest(name, kind.names()),
                };
                self.problem(Code::UnknownKey, key.span, problem);
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
            self.invalid(self.start(), Problem::MissingKey { key });
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

    /// An optional scalar; null and empty count as absent.
    pub(super) fn optional_text(&mut self, key: &'static str) -> Option<Text> {
        match &self.get(key)?.kind {
            Kind::Null => None,
            Kind::Scalar(scalar) if scalar.text.is_empty() => None,
            _ => self.text(key),
        }
    }

    /// An optional number.
    pub(super) fn number(&mut self, key: &'static str) -> u32 {
        let Some(node) = self.get(key) else {
            return 0;
        };
        let problem = match &node.kind {
            Kind::Null => return 0,
            Kind::Scalar(scalar) => match scalar.text.parse() {
                Ok(number) => return number,
                Err(_) => Problem::NotANumber {
                    key,
                    given: scalar.text.clone(),
                },
            },
            Kind::Sequence(_) | Kind::Mapping(_) => Problem::NotAScalar { key },
        };
        self.invalid(node.span, problem);
        0
    }

    /// An optional boolean.
    pub(super) fn bool(&mut self, key: &'static str, default: bool) -> bool {
        let Some(node) = self.get(key) else {
            return default;
        };
        let problem = match &node.kind {
            Kind::Null => return default,
            Kind::Scalar(scalar) => match parse_bool(&scalar.text) {
                Some(value) => return value,
                None => Problem::NotABool {
                    key,
                    given: scalar.text.clone(),
                },
            },
            Kind::Sequence(_) | Kind::Mapping(_) => Problem::NotAScalar { key },
        };
        self.invalid(node.span, problem);
        default
    }

    /// The maps of a sequence, each to be read like an item.
    pub(super) fn maps(&mut self, key: &'static str) -> Vec<(Span, &'i Entries)> {
        let mut maps = Vec::new();
        let items = match self.get(key).map(|node| (&node.kind, node.span)) {
            None | Some((Kind::Null, _)) => return maps,
            Some((Kind::Sequence(items), _)) => items,
            Some((_, span)) => {
                self.invalid(span, Problem::NotAMapSequence { key });
                return maps;
            }
        };
        for item in items {
            match &item.kind {
                Kind::Mapping(entries) => maps.push((item.span, entries.as_slice())),
                _ => self.invalid(item.span, Problem::NotAMapSequence { key }),
            }
        }
        maps
    }

    /// A reader of a map inside this item.
    pub(super) fn inner(&mut self, span: Span, entries: &'i Entries) -> ItemReader<'_, 's>
    where
        's: 'i,
    {
        ItemReader {
            span,
            entries,
            file: self.file,
            report: self.report,
            item: self.item.clone(),
        }
    }

    /// A sequence of scalars; nothing after a problem, or where an optional one is absent.
    pub(super) fn scalars(&mut self, key: &'static str, required: bool) -> Option<Vec<&'i Node>> {
        let Some(node) = self.get(key) else {
            if required {
                self.invalid(self.start(), Problem::MissingKey { key });
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
