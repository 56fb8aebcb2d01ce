//! The compiled form of a condition as text: the order in which its parts are judged, with lists put in and what is the
//! same twice written once.

use bstr::ByteSlice;

use crate::condition::ast::{Operator, Quantifier};
use crate::events::EventTypes;
use crate::graph::{Const, Graph, Leaf, Node, NodeId, SlotId};

/// A part that is longer is cut: lists of a thousand values, macros that use macros twice.
const TEXT_LIMIT: usize = 400;
/// Of more constants than this only the number is told.
const CONSTANTS_LIMIT: usize = 6;

/// A part of a condition, in the order in which it is judged.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Judged {
    /// What it asks.
    pub text: String,
    /// Roughly what it costs to judge, in nanoseconds.
    pub cost_ns: u32,
}

/// The parts of a condition that must all hold, in the order in which they are judged.
pub(crate) fn of(graph: &Graph, condition: NodeId) -> Vec<Judged> {
    let single = [condition];
    let parts: &[NodeId] = match graph.node(condition) {
        Node::And(parts) => parts,
        _ => &single,
    };
    parts
        .iter()
        .map(|&part| {
            let mut text = String::new();
            node(graph, part, &mut text);
            if text.len() > TEXT_LIMIT {
                let end = text.floor_char_boundary(TEXT_LIMIT);
                text.truncate(end);
                text.push_str(" ...");
            }
            Judged {
                text,
                cost_ns: rounded(graph.estimate(part).cost),
            }
        })
        .collect()
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cost is a small positive number, and the cast saturates"
)]
fn rounded(cost: f32) -> u32 {
    cost.round() as u32
}

/// Stops when there is more than enough: as a tree, a graph can be exponentially large.
fn node(graph: &Graph, id: NodeId, text: &mut String) {
    if text.len() > TEXT_LIMIT {
        return;
    }
    match graph.node(id) {
        Node::Constant(value) => text.push_str(if *value { "true" } else { "false" }),
        Node::Not(inner) => {
            text.push_str("not ");
            node(graph, *inner, text);
        }
        Node::And(parts) => joined(graph, parts, " and ", text),
        Node::Or(parts) => joined(graph, parts, " or ", text),
        Node::Leaf(it) => leaf(graph, it, text),
    }
}

fn joined(graph: &Graph, parts: &[NodeId], word: &str, text: &mut String) {
    text.push('(');
    for (index, &part) in parts.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { word });
        node(graph, part, text);
        if text.len() > TEXT_LIMIT {
            return;
        }
    }
    text.push(')');
}

fn leaf(graph: &Graph, leaf: &Leaf, text: &mut String) {
    let slot = |slot: SlotId| graph.slots()[slot as usize].operand.to_string();
    match leaf {
        Leaf::EventType(types) => text.push_str(&event_types(types)),
        Leaf::Exists(left) => text.push_str(&format!("{} exists", slot(*left))),
        Leaf::Operands {
            slot: left,
            operator,
            right,
            ..
        } => text.push_str(&format!(
            "{} {} {}",
            slot(*left),
            operator.word(),
            slot(*right)
        )),
        Leaf::Constants {
            slot: left,
            operator,
            quantifier,
            values,
            ..
        } => {
            let word = match (operator, quantifier, values.len()) {
                (operator, _, 1) => operator.word().to_owned(),
                (Operator::Equal, Quantifier::Any, _) => Operator::In.word().to_owned(),
                (operator, quantifier, _) => format!("{} {}", operator.word(), quantifier.word()),
            };
            text.push_str(&format!("{} {word} {}", slot(*left), constants(values)));
        }
    }
}

fn event_types(types: &EventTypes) -> String {
    if types.len() > CONSTANTS_LIMIT {
        return format!("evt.type is one of {}", types.len());
    }
    let names: Vec<&str> = types.iter().map(vigia_event::EventType::name).collect();
    format!("evt.type in ({})", names.join(", "))
}

fn constants(values: &[Const]) -> String {
    let one = |value: &Const| match value {
        Const::Bytes(bytes) => format!("{:?}", bytes.to_str_lossy()),
        Const::Int(number) => number.to_string(),
        Const::Bool(value) => value.to_string(),
        Const::Ip(address) => address.to_string(),
        Const::Net(address, length) => format!("{address}/{length}"),
    };
    match values {
        [only] => one(only),
        _ => {
            let mut shown: Vec<String> = values.iter().take(CONSTANTS_LIMIT).map(one).collect();
            if values.len() > CONSTANTS_LIMIT {
                shown.push(format!("... {} in all", values.len()));
            }
            format!("({})", shown.join(", "))
        }
    }
}
