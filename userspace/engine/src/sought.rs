//! What events rules can match beyond their types: how their calls ended, and of successful opens, the most frequent
//! calls of all, which paths they have. Whoever captures events can leave the others where they are.
//!
//! For every condition there are parts of paths of which one is in the path wherever the condition is true, or may be once
//! unknown values come; and the same for its negation. What is not understood stands for every path. The path is the one
//! that `fd.name` shows in the spelling in which a condition is judged.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use vigia_event::call::named;
use vigia_event::fields::Argument;
use vigia_event::open_paths::{MAX_PARTS, OpenPaths, PathPart};
use vigia_event::{EventType, glob};

use crate::condition::ast::{Operator, Quantifier};
use crate::fields::FieldReference;
use crate::graph::{Const, Graph, Leaf, Node, NodeId, OfField, SlotId};
use crate::operand::Operand;
use crate::pattern::required::{Place, required};
use crate::plan::{Plan, Plans};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It did what it was asked to.
    Done,
    /// With `EROFS`, `EACCES` or `EPERM`.
    Refused,
    /// With another error.
    Failed,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Failed];

    /// Its name: `done`, `refused`, `failed`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What active rules can match.
#[derive(Debug)]
pub(crate) struct Sought {
    /// Per event type, the bits of the endings.
    endings: Box<[u8]>,
    /// Of opens that only read.
    pub(crate) read_paths: OpenPaths,
    /// Of other opens that succeeded.
    pub(crate) write_paths: OpenPaths,
}

impl Sought {
    pub(crate) fn new(graph: &Graph, plans: &Plans) -> Self {
        const OPENS: [EventType; 5] = [
            named::OPEN,
            named::OPENAT,
            named::OPENAT2,
            named::CREAT,
            named::OPEN_BY_HANDLE_AT,
        ];
        let endings = |plan: &Plan| {
            Ending::ALL.into_iter().fold(0, |bits, ending| {
                match asked(graph, plan, Act::Ended(ending)) == OpenPaths::none() {
                    true => bits,
                    false => bits | ending.bit(),
                }
            })
        };
        let mut known: FxHashMap<*const Plan, u8> = FxHashMap::default();
        let of_type = |event_type| match plans.of(event_type) {
            None => 0,
            Some(plan) => *known.entry(plan).or_insert_with(|| endings(plan)),
        };
        let paths = |act| {
            OPENS
                .into_iter()
                .filter_map(|event_type| plans.of(event_type))
                .fold(OpenPaths::none(), |paths, plan| {
                    paths.or(asked(graph, plan, act))
                })
        };
        Self {
            endings: EventType::all().map(of_type).collect(),
            read_paths: paths(Act::Read),
            write_paths: paths(Act::Write),
        }
    }

    pub(crate) fn ends(&self, event_type: EventType, ending: Ending) -> bool {
        self.endings
            .get(event_type.index())
            .is_some_and(|bits| bits & ending.bit() != 0)
    }
}

/// What is known of a call before its condition is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Ended(Ending),
    /// An open that only read, of a file that is no secret.
    Read,
    /// Another one that succeeded.
    Write,
}

impl Act {
    /// What a field is for such a call.
    fn value_of(self, field: &str) -> Option<bool> {
        match (self, field) {
            (Self::Ended(ending), "evt.failed") => Some(ending != Ending::Done),
            (Self::Ended(ending), "evt.refused") => Some(ending == Ending::Refused),
            (
                Self::Read,
                "evt.failed" | "evt.refused" | "evt.is_open_write" | "evt.is_open_exec"
                | "evt.is_open_create" | "evt.is_write_call" | "fd.is_secret",
            ) => Some(false),
            (Self::Write, "evt.failed" | "evt.refused" | "fd.is_secret") => Some(false),
            _ => None,
        }
    }

    /// Whether a field has no value for such a call.
    fn lacks(self, field: &str) -> bool {
        matches!(self, Self::Read | Self::Write) && field.starts_with("fd.secret.")
    }
}

/// The paths for which some rule of a plan can match.
fn asked(graph: &Graph, plan: &Plan, act: Act) -> OpenPaths {
    let mut search = Search {
        graph,
        act,
        known: FxHashMap::default(),
    };
    let mut all = OpenPaths::none();
    for asked in &plan.asked {
        all = all.or(search.sides(asked.condition).holds);
        if all == OpenPaths::Any {
            break;
        }
    }
    all
}

/// The paths for which a condition can be true, and for which it can be false.
#[derive(Clone, Debug)]
struct Sides {
    holds: OpenPaths,
    fails: OpenPaths,
}

impl Sides {
    const UNKNOWN: Self = Self {
        holds: OpenPaths::Any,
        fails: OpenPaths::Any,
    };

    fn certain(value: bool) -> Self {
        let (any, none) = (OpenPaths::Any, OpenPaths::none());
        let (holds, fails) = if value { (any, none) } else { (none, any) };
        Self { holds, fails }
    }

    fn only(holds: OpenPaths) -> Self {
        Self {
            holds,
            fails: OpenPaths::Any,
        }
    }

    fn swapped(self) -> Self {
        Self {
            holds: self.fails,
            fails: self.holds,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            holds: self.holds.fewer(other.holds),
            fails: self.fails.or(other.fails),
        }
    }
}

struct Search<'g> {
    graph: &'g Graph,
    act: Act,
    known: FxHashMap<NodeId, Sides>,
}

impl Search<'_> {
    fn sides(&mut self, id: NodeId) -> Sides {
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        let graph = self.graph;
        let sides = match graph.node(id) {
            Node::Constant(value) => Sides::certain(*value),
            Node::Not(inner) => self.sides(*inner).swapped(),
            Node::And(parts) => parts
                .iter()
                .fold(Sides::certain(true), |all, &part| all.and(self.sides(part))),
            Node::Or(parts) => parts
                .iter()
                .fold(Sides::certain(true), |all, &part| {
                    all.and(self.sides(part).swapped())
                })
                .swapped(),
            Node::Leaf(leaf) => self.of_leaf(leaf),
        };
        self.known.insert(id, sides.clone());
        sides
    }

    fn of_leaf(&self, leaf: &Leaf) -> Sides {
        match leaf {
            Leaf::Constants {
                slot,
                operator,
                of_field: OfField::Any,
                quantifier: Quantifier::Any,
                values,
            } => match self.field(*slot) {
                Some(field) => comparison(self.act, field.name(), *operator, values),
                None => Sides::UNKNOWN,
            },
            Leaf::Exists(slot) => match self.field(*slot) {
                Some(field) if self.act.lacks(field.name()) => Sides::certain(false),
                _ => Sides::UNKNOWN,
            },
            _ => Sides::UNKNOWN,
        }
    }

    /// The field an operand is, where it is one without an argument.
    fn field(&self, slot: SlotId) -> Option<&FieldReference> {
        match &self.graph.slots()[slot as usize].operand {
            Operand::Field(field) if *field.argument() == Argument::None => Some(field),
            _ => None,
        }
    }
}

fn comparison(act: Act, field: &str, operator: Operator, values: &[Const]) -> Sides {
    if act.lacks(field) {
        // Whatever it is compared with.
        return Sides::certain(false);
    }
    if let Some(value) = act.value_of(field) {
        return match (operator, values) {
            (Operator::Equal, [Const::Bool(wanted)]) => Sides::certain(value == *wanted),
            (Operator::NotEqual, [Const::Bool(wanted)]) => Sides::certain(value != *wanted),
            _ => Sides::UNKNOWN,
        };
    }
    if field == "evt.entry" && matches!(act, Act::Read | Act::Write) {
        // What comes through a ring is not left by its path.
        let is_ring = |value: &Const| matches!(value, Const::Bytes(text) if **text == *b"io_uring");
        return match operator == Operator::Equal && values.iter().all(is_ring) {
            true => Sides::certain(false),
            false => Sides::UNKNOWN,
        };
    }
    let mut parts = BTreeSet::new();
    for value in values {
        let Const::Bytes(text) = value else {
            return Sides::UNKNOWN;
        };
        match parts_of(field, operator, text) {
            Some(more) => parts.extend(more),
            None => return Sides::UNKNOWN,
        }
    }
    if parts.len() > MAX_PARTS {
        return Sides::UNKNOWN;
    }
    Sides::only(OpenPaths::Of(parts))
}

/// Parts of `fd.name`, of which one is in it wherever a field compares with a constant; `None` where there is no telling.
fn parts_of(field: &str, operator: Operator, text: &[u8]) -> Option<Vec<PathPart>> {
    use Operator::{EndsWith, Equal, Glob, PathMatch, StartsWith, StartsWithBytes};
    let start = |text: &[u8]| (!text.is_empty()).then(|| vec![PathPart::Start(text.into())]);
    let end = |text: &[u8]| (!text.is_empty()).then(|| vec![PathPart::End(text.into())]);
    match (field, operator) {
        ("fd.name", Glob) => of_glob(text).map(|part| vec![part]),
        ("fd.name" | "fd.directory", PathMatch) => start(&literal_folders(text)),
        ("fd.name", operator) => match required(operator, text)?.place {
            Place::Whole | Place::Start => start(text),
            Place::End => end(text),
            Place::Anywhere => None,
        },
        // Of a directory it is the path itself.
        ("fd.directory", Equal | StartsWith | StartsWithBytes) => start(text),
        // The root is the only one that ends with its slash.
        ("fd.directory", EndsWith) if text != b"/" => {
            let folder = PathPart::FolderEnd(text.into());
            end(text).map(|mut parts| {
                parts.push(folder);
                parts
            })
        }
        ("fd.filename", Equal) => end(&[b"/", text].concat()),
        ("fd.filename", EndsWith) => end(text),
        _ => None,
    }
}

/// What a shell pattern begins or ends with: whole components at its end say more than its start.
fn of_glob(pattern: &[u8]) -> Option<PathPart> {
    let is_special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'\\');
    let Some(first) = pattern.iter().position(is_special) else {
        return (!pattern.is_empty()).then(|| PathPart::Start(pattern.into()));
    };
    let start = &pattern[..first];
    // Behind a backslash or in brackets nothing is what it seems.
    let last = pattern
        .iter()
        .rposition(|byte| is_special(byte) || *byte == b']')
        .unwrap_or(first);
    let end = match pattern[last] {
        b'*' | b'?' => &pattern[last + 1..],
        b']' if !pattern.contains(&b'\\') => &pattern[last + 1..],
        _ => &[],
    };
    if end.contains(&b'/') || (start.is_empty() && !end.is_empty()) {
        Some(PathPart::End(end.into()))
    } else {
        (!start.is_empty()).then(|| PathPart::Start(start.into()))
    }
}

/// The components of a path up to the first that is a pattern, as they stand in a path made absolute.
fn literal_folders(path: &[u8]) -> Vec<u8> {
    let mut literal = Vec::new();
    let components = path
        .split(|&byte| byte == b'/')
        .filter(|component| !component.is_empty())
        .take_while(|component| !glob::is_pattern(component) && !component.contains(&b'\\'));
    for component in components {
        literal.push(b'/');
        literal.extend_from_slice(component);
    }
    literal
}
