//! What the operators mean, value by value.

use bstr::ByteSlice;
use vigia_event::{Extracted, Value, glob};

use super::Constant;
use crate::condition::ast::{Operator, Quantifier};
use crate::graph::{Const, OfField};

/// Asks the values of a field.
pub(super) fn values(
    extracted: &Extracted<'_>,
    of_field: OfField,
    test: impl Fn(&Value<'_>) -> bool,
) -> bool {
    match (extracted, of_field) {
        (Extracted::Missing | Extracted::Unknown, _) => false,
        (Extracted::One(value), _) => test(value),
        (Extracted::Many(values), OfField::Any) => values.iter().any(|value| test(&value)),
        (Extracted::Many(values), OfField::EveryOrNone) => values.iter().all(|value| test(&value)),
        (Extracted::Many(values), OfField::Every) => {
            !values.is_empty() && values.iter().all(|value| test(&value))
        }
    }
}

/// Asks the values of the other operand: one must pass, but all must differ.
pub(super) fn other_values(
    operator: Operator,
    extracted: &Extracted<'_>,
    test: impl Fn(&Value<'_>) -> bool,
) -> bool {
    let of_field = match operator {
        Operator::NotEqual => OfField::EveryOrNone,
        _ => OfField::Any,
    };
    values(extracted, of_field, test)
}

/// Compares a value with constants.
pub(super) fn constants(
    operator: Operator,
    value: &Value<'_>,
    quantifier: Quantifier,
    constants: &[Constant],
) -> bool {
    let passing = constants
        .iter()
        .filter(|right| constant(operator, value, right))
        .count();
    match quantifier {
        Quantifier::Any => passing > 0,
        Quantifier::All => passing > 0 && passing == constants.len(),
        Quantifier::One => passing == 1,
    }
}

fn constant(operator: Operator, left: &Value<'_>, right: &Constant) -> bool {
    let right = match right {
        Constant::Value(right) => right,
        Constant::Pattern(pattern) => {
            return matches!(left, Value::Bytes(text) if pattern.is_match(&text.to_str_lossy()));
        }
    };
    match (left, right) {
        (Value::Bytes(left), Const::Bytes(right)) => text(operator, left, right),
        (Value::Int(left), Const::Int(right)) => ordered(operator, &i128::from(*left), right),
        (Value::Uint(left), Const::Int(right)) => ordered(operator, &i128::from(*left), right),
        (Value::Bool(left), Const::Bool(right)) => equal(operator, left == right),
        (Value::Ip(left), Const::Ip(right)) => equal(operator, left == right),
        (Value::Ip(left), Const::Net(network, length)) => {
            equal(operator, inside(*left, *network, *length))
        }
        _ => false,
    }
}

/// Compares a value with one of another operand.
pub(super) fn operands(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Bytes(left), Value::Bytes(right)) => text(operator, left, right),
        (Value::Int(left), Value::Int(right)) => ordered(operator, left, right),
        (Value::Uint(left), Value::Uint(right)) => ordered(operator, left, right),
        (Value::Bool(left), Value::Bool(right)) => equal(operator, left == right),
        (Value::Ip(left), Value::Ip(right)) => equal(operator, left == right),
        _ => false,
    }
}

fn equal(operator: Operator, equal: bool) -> bool {
    equal != (operator == Operator::NotEqual)
}

fn ordered<T: Ord + ?Sized>(operator: Operator, left: &T, right: &T) -> bool {
    match operator {
        Operator::Equal | Operator::In | Operator::Intersects => left == right,
        Operator::NotEqual => left != right,
        Operator::Less => left < right,
        Operator::LessOrEqual => left <= right,
        Operator::Greater => left > right,
        Operator::GreaterOrEqual => left >= right,
        _ => false,
    }
}

fn text(operator: Operator, left: &[u8], right: &[u8]) -> bool {
    match operator {
        Operator::Contains | Operator::ContainsBytes => contains(left, right),
        Operator::ContainsFolded => {
            contains(&left.to_ascii_lowercase(), &right.to_ascii_lowercase())
        }
        Operator::StartsWith | Operator::StartsWithBytes => left.starts_with(right),
        Operator::EndsWith => left.ends_with(right),
        Operator::Glob => glob::matches(right, left, false),
        Operator::GlobFolded => glob::matches(right, left, true),
        Operator::PathMatch => path_starts_with(left, right),
        operator => ordered(operator, left, right),
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    (0..=text.len()).any(|start| text[start..].starts_with(part))
}

/// `pmatch`: the components of the pattern, which may hold wildcards, are the first of the path.
fn path_starts_with(path: &[u8], pattern: &[u8]) -> bool {
    let components = |path: &[u8]| -> Vec<Vec<u8>> {
        path.split(|&byte| byte == b'/')
            .filter(|component| !component.is_empty())
            .map(<[u8]>::to_vec)
            .collect()
    };
    let (path, pattern) = (components(path), components(pattern));
    pattern.len() <= path.len()
        && pattern.iter().zip(&path).all(|(pattern, component)| {
            if pattern.contains_str("?") || pattern.contains_str("*") || pattern.contains_str("[") {
                glob::matches(pattern, component, false)
            } else {
                pattern == component
            }
        })
}

fn inside(address: std::net::IpAddr, network: std::net::IpAddr, length: u8) -> bool {
    use std::net::IpAddr::{V4, V6};
    let bits = |address| -> Vec<bool> {
        let octets: Vec<u8> = match address {
            V4(address) => address.octets().into(),
            V6(address) => address.octets().into(),
        };
        octets
            .iter()
            .flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1 == 1))
            .collect()
    };
    let (address, network) = (bits(address), bits(network));
    let length = usize::from(length);
    address.len() == network.len()
        && address
            .iter()
            .zip(&network)
            .take(length)
            .all(|(a, b)| a == b)
}
