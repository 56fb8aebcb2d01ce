//! Rule files as trees of nodes that know where they stand.
//!
//! The tree is built from parser events rather than through serde: unknown keys are warnings here, not
//! errors, and a condition needs to know which byte of the file each byte of its text came from.

mod origins;

use std::rc::Rc;

use rustc_hash::FxHashMap;
use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle};

use crate::source::{Span, Text};

/// Nesting beyond this is refused: the deepest item of the language has five levels.
const NESTING_LIMIT: usize = 32;

/// Keys and values in the order of the file.
pub(crate) type Entries = [(Rc<Node>, Rc<Node>)];

/// How much all aliases of a file may stand for, in bytes of scalars and nodes: what an alias repeats is shared
/// in memory, but is read each time.
const ALIAS_LIMIT: usize = 4 << 20;

/// A node of a rule file.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where it stands.
    pub(crate) span: Span,
    /// How many bytes of scalars and nodes are in it, aliases included.
    weight: usize,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Nothing, or `null`.
    Null,
    /// Text, also for what YAML calls numbers and booleans.
    Scalar(Scalar),
    /// Nodes in order.
    Sequence(Vec<Rc<Node>>),
    /// Keys and values in order.
    Mapping(Vec<(Rc<Node>, Rc<Node>)>),
}

/// A scalar.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    /// Its decoded text.
    pub(crate) text: String,
    style: ScalarStyle,
}

/// A file that is not YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) span: Span,
    pub(crate) message: String,
}

impl Node {
    /// The scalar, if it is one.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The scalar with the way back from its text to the file, if it is one.
    pub(crate) fn text(&self, file: &str) -> Option<Text> {
        let Kind::Scalar(scalar) = &self.kind else {
            return None;
        };
        let origins = origins::of(file, self.span, scalar.style, &scalar.text);
        Some(Text::new(scalar.text.clone(), origins, self.span.source))
    }
}

/// A collection whose end has not come yet.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Rc<Node>>,
}

/// Reads all documents of a file; after a syntax error, what came before it stays usable.
pub(crate) fn read(source: u32, text: &str) -> (Vec<Rc<Node>>, Option<SyntaxError>) {
    let mut documents = Vec::new();
    let mut anchors: FxHashMap<usize, Rc<Node>> = FxHashMap::default();
    let mut open: Vec<Open> = Vec::new();
    let mut aliased = 0;

    let mut options = granit_parser::Options::default();
    options.emit_comments = false;
    options.flow_nesting_limit = NESTING_LIMIT;
    options.block_nesting_limit = NESTING_LIMIT;
    for item in Parser::new_from_str_with_options(text, options) {
        let (event, place) = match item {
            Ok(item) => item,
            Err(error) => {
                let start = byte_offset(text, *error.marker());
                let span = Span {
                    source,
                    start,
                    end: start + 1,
                };
                return (
                    documents,
                    Some(SyntaxError {
                        span,
                        message: error.info(),
                    }),
                );
            }
        };
        let span = Span {
            source,
            start: byte_offset(text, place.start),
            end: byte_offset(text, place.end),
        };
        let (node, anchor) = match event {
            Event::SequenceStart(_, anchor, _) => {
                open.push(Open {
                    node: Node {
                        span,
                        weight: 1,
                        kind: Kind::Sequence(Vec::new()),
                    },
                    anchor,
                    key: None,
                });
                continue;
            }
            Event::MappingStart(_, anchor, _) => {
                open.push(Open {
                    node: Node {
                        span,
                        weight: 1,
                        kind: Kind::Mapping(Vec::new()),
                    },
                    anchor,
                    key: None,
                });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(done) => (Rc::new(done.node), done.anchor),
                None => continue,
            },
            Event::Scalar(text, style, anchor, _) => {
                let null = style == ScalarStyle::Plain
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let kind = if null {
                    Kind::Null
                } else {
                    Kind::Scalar(Scalar {
                        text: text.into_owned(),
                        style,
                    })
                };
                let weight = match &kind {
                    Kind::Scalar(scalar) => 1 + scalar.text.len(),
                    _ => 1,
                };
                (Rc::new(Node { span, weight, kind }), anchor)
            }
            // An anchor that is still open is an ancestor of its alias: such a loop counts as nothing.
            Event::Alias(anchor) => match anchors.get(&anchor) {
                Some(node) => {
                    aliased += node.weight;
                    if aliased > ALIAS_LIMIT {
                        let message = format!("aliases stand for more than {ALIAS_LIMIT} bytes");
                        return (documents, Some(SyntaxError { span, message }));
                    }
                    (Rc::clone(node), 0)
                }
                None => (
                    Rc::new(Node {
                        span,
                        weight: 1,
                        kind: Kind::Null,
                    }),
                    0,
                ),
            },
            _ => continue,
        };
        if anchor != 0 {
            anchors.insert(anchor, Rc::clone(&node));
        }
        match open.last_mut() {
            None => documents.push(node),
            Some(parent) => parent.add(node),
        }
    }
    (documents, None)
}

impl Open {
    fn add(&mut self, node: Rc<Node>) {
        self.node.weight = self.node.weight.saturating_add(node.weight);
        match &mut self.node.kind {
            Kind::Sequence(items) => items.push(node),
            Kind::Mapping(entries) => match self.key.take() {
                None => self.key = Some(node),
                Some(key) => entries.push((key, node)),
            },
            Kind::Null | Kind::Scalar(_) => {}
        }
    }
}

fn byte_offset(text: &str, marker: granit_parser::Marker) -> u32 {
    let offset = marker.byte_offset().unwrap_or_else(|| {
        text.char_indices()
            .nth(marker.index())
            .map_or(text.len(), |(offset, _)| offset)
    });
    u32::try_from(offset.min(text.len())).unwrap_or(u32::MAX)
}
