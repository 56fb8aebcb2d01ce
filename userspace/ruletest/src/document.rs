//! Test files as trees of nodes that know their line and column.
//!
//! A case is named by its event type, so its keys are no fixed set that serde could know, and every mistake of a file is
//! to be reported with its place, not only the first.

use std::collections::HashMap;
use std::rc::Rc;

use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle};

/// Nesting beyond this is refused.
const NESTING_LIMIT: usize = 32;

/// A line and a column as people count them, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// Something that is wrong in a test file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
}

/// Something with a place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Null,
    /// Text, also for what YAML calls numbers and booleans.
    Scalar(String),
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<(Rc<Node>, Rc<Node>)>),
}

impl Node {
    /// A fault here.
    pub(crate) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault {
            place: self.place,
            message: message.into(),
        }
    }

    /// The entry of a key of a mapping: its own place, and its value.
    pub(crate) fn get(&self, key: &str) -> Option<&Rc<Node>> {
        self.entries()
            .iter()
            .find(|(name, _)| matches!(&name.kind, Kind::Scalar(text) if text == key))
            .map(|(_, value)| value)
    }

    /// The entries of a mapping; none of anything else.
    pub(crate) fn entries(&self) -> &[(Rc<Node>, Rc<Node>)] {
        match &self.kind {
            Kind::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// This node laid over another: maps are joined key by key, anything else replaces.
    pub(crate) fn over(self: &Rc<Self>, base: &Rc<Self>) -> Rc<Self> {
        let (Kind::Mapping(own), Kind::Mapping(below)) = (&self.kind, &base.kind) else {
            return Rc::clone(self);
        };
        let mut joined = own.clone();
        for (key, value) in below {
            let Kind::Scalar(name) = &key.kind else {
                continue;
            };
            let same = |(other, _): &(Rc<Node>, Rc<Node>)| matches!(&other.kind, Kind::Scalar(text) if text == name);
            match joined.iter().position(same) {
                None => joined.push((Rc::clone(key), Rc::clone(value))),
                Some(at) => joined[at].1 = joined[at].1.over(value),
            }
        }
        Rc::new(Self {
            place: self.place,
            kind: Kind::Mapping(joined),
        })
    }
}

/// A collection whose end has not come yet.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Rc<Node>>,
}

impl Open {
    fn add(&mut self, node: Rc<Node>) {
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

/// Reads the one document of a file; an empty file is [`Kind::Null`].
pub(crate) fn read(text: &str) -> Result<Rc<Node>, Fault> {
    let mut root: Option<Rc<Node>> = None;
    let mut anchors: HashMap<usize, Rc<Node>> = HashMap::new();
    let mut open: Vec<Open> = Vec::new();
    let mut options = granit_parser::Options::default();
    options.emit_comments = false;
    options.flow_nesting_limit = NESTING_LIMIT;
    options.block_nesting_limit = NESTING_LIMIT;
    for item in Parser::new_from_str_with_options(text, options) {
        let (event, span) = item.map_err(|error| Fault {
            place: place(*error.marker()),
            message: error.info(),
        })?;
        let place = place(span.start);
        let start = |anchor, kind| Open {
            node: Node { place, kind },
            anchor,
            key: None,
        };
        let (node, anchor) = match event {
            Event::SequenceStart(_, anchor, _) => {
                open.push(start(anchor, Kind::Sequence(Vec::new())));
                continue;
            }
            Event::MappingStart(_, anchor, _) => {
                open.push(start(anchor, Kind::Mapping(Vec::new())));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(done) => (Rc::new(done.node), done.anchor),
                None => continue,
            },
            Event::Scalar(text, style, anchor, _) => {
                let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null");
                let kind = if null {
                    Kind::Null
                } else {
                    Kind::Scalar(text.into_owned())
                };
                (Rc::new(Node { place, kind }), anchor)
            }
            // An anchor that is still open is an ancestor of its alias: such a loop counts as nothing.
            Event::Alias(anchor) => (
                anchors
                    .get(&anchor)
                    .map_or_else(|| nothing(place), Rc::clone),
                0,
            ),
            _ => continue,
        };
        if anchor != 0 {
            anchors.insert(anchor, Rc::clone(&node));
        }
        match open.last_mut() {
            Some(parent) => parent.add(node),
            None if root.is_none() => root = Some(node),
            None => return Err(node.fault("a test file holds one YAML document")),
        }
    }
    Ok(root.unwrap_or_else(|| nothing(Place { line: 1, column: 1 })))
}

fn nothing(place: Place) -> Rc<Node> {
    Rc::new(Node {
        place,
        kind: Kind::Null,
    })
}

fn place(marker: granit_parser::Marker) -> Place {
    Place {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_know_their_place_and_numbers_stay_text() {
        let root = read("a:\n  - {b: 010, c: \"~\"}\n").unwrap();
        let Kind::Sequence(items) = &root.get("a").unwrap().kind else {
            panic!("a sequence")
        };
        let value = items[0].get("b").unwrap();
        assert_eq!(
            (
                value.place,
                matches!(&value.kind, Kind::Scalar(text) if text == "010")
            ),
            (Place { line: 2, column: 9 }, true)
        );
        assert!(matches!(&items[0].get("c").unwrap().kind, Kind::Scalar(text) if text == "~"));
    }

    #[test]
    fn maps_are_joined_key_by_key() {
        let root = read("below: {a: 1, p: {x: 1, y: 2}}\nabove: {p: {y: 3}, b: 4}\n").unwrap();
        let joined = root.get("above").unwrap().over(root.get("below").unwrap());
        let text = |node: &Node| match &node.kind {
            Kind::Scalar(text) => text.clone(),
            _ => panic!("a scalar"),
        };
        let inner = joined.get("p").unwrap();
        assert_eq!(
            [
                joined.get("a"),
                joined.get("b"),
                inner.get("x"),
                inner.get("y")
            ]
            .map(|node| text(node.unwrap())),
            ["1", "4", "1", "3"]
        );
    }

    #[test]
    fn what_is_no_yaml_and_what_nests_too_deeply_is_refused_with_its_place() {
        assert_eq!(read("a: [1\nb: 2").unwrap_err().place.line, 2);
        assert!(read(&"[".repeat(10_000)).is_err());
        assert!(read("&a [*a]").is_ok());
        assert!(read("a\n---\nb").is_err());
    }
}
