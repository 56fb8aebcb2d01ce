//! Comparisons with constants, compiled to what decides them fastest.

mod text;

use std::net::IpAddr;

use vigia_event::Value;

use crate::condition::ast::{Operator, Quantifier};
use crate::graph::Const;

pub(crate) use text::{REGEX_BYTES, TextTest, build, message, regex, translate};

/// A test of one value.
#[derive(Debug)]
pub(crate) enum Test {
    /// No value passes.
    Never,
    /// Text, paths and raw bytes.
    Text(TextTest),
    /// Numbers, ports and times.
    Number(NumberTest),
    /// Whether the value is one of these: `[false, true]`.
    Bool([bool; 2]),
    /// Addresses, alone or in networks.
    Address {
        negated: bool,
        networks: Box<[(IpAddr, u8)]>,
    },
    /// Several tests of the same value.
    Several(Quantifier, Box<[Test]>),
}

/// A test of a number.
#[derive(Debug)]
pub(crate) enum NumberTest {
    /// One of these, sorted.
    OneOf(Box<[i128]>),
    Not(i128),
    Order(Operator, i128),
}

impl Test {
    /// Compiles an operator and its constants, which are sorted.
    pub(crate) fn new(operator: Operator, quantifier: Quantifier, values: &[Const]) -> Self {
        if values.is_empty() {
            return Self::Never;
        }
        if quantifier != Quantifier::Any && values.len() > 1 {
            let each = values
                .iter()
                .map(|value| Self::new(operator, Quantifier::Any, std::slice::from_ref(value)));
            return Self::Several(quantifier, each.collect());
        }
        let negated = operator == Operator::NotEqual;
        // Several constants of an operator for which there is no set.
        let single = matches!(
            operator,
            Operator::NotEqual
                | Operator::Less
                | Operator::LessOrEqual
                | Operator::Greater
                | Operator::GreaterOrEqual
        );
        if single && values.len() > 1 {
            let each = values
                .iter()
                .map(|value| Self::new(operator, Quantifier::Any, std::slice::from_ref(value)));
            return Self::Several(Quantifier::Any, each.collect());
        }
        match &values[0] {
            Const::Bytes(_) => {
                let texts = values.iter().filter_map(|value| match value {
                    Const::Bytes(text) => Some(&**text),
                    _ => None,
                });
                Self::Text(TextTest::new(operator, texts.collect()))
            }
            Const::Int(first) => Self::Number(match operator {
                Operator::NotEqual => NumberTest::Not(*first),
                Operator::Equal => NumberTest::OneOf(
                    values
                        .iter()
                        .filter_map(|value| match value {
                            Const::Int(number) => Some(*number),
                            _ => None,
                        })
                        .collect(),
                ),
                operator => NumberTest::Order(operator, *first),
            }),
            Const::Bool(_) => {
                let passes = |value: bool| values.contains(&Const::Bool(value)) != negated;
                Self::Bool([passes(false), passes(true)])
            }
            Const::Ip(_) | Const::Net(..) => Self::Address {
                negated,
                networks: values
                    .iter()
                    .filter_map(|value| match value {
                        Const::Ip(address) => {
                            Some((*address, if address.is_ipv4() { 32 } else { 128 }))
                        }
                        Const::Net(address, length) => Some((*address, *length)),
                        _ => None,
                    })
                    .collect(),
            },
        }
    }

    /// Whether a value passes. A value of another type than the field's does not.
    pub(crate) fn passes(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Text(test), Value::Bytes(text)) => test.passes(text),
            (Self::Number(test), Value::Int(number)) => test.passes((*number).into()),
            (Self::Number(test), Value::Uint(number)) => test.passes((*number).into()),
            (Self::Bool(passing), Value::Bool(value)) => passing[usize::from(*value)],
            (Self::Address { negated, networks }, Value::Ip(address)) => {
                networks.iter().any(|network| is_inside(*address, *network)) != *negated
            }
            (Self::Several(quantifier, tests), value) => {
                let mut passing = tests.iter().filter(|test| test.passes(value));
                match quantifier {
                    Quantifier::Any => passing.next().is_some(),
                    Quantifier::All => passing.count() == tests.len(),
                    Quantifier::One => passing.count() == 1,
                }
            }
            _ => false,
        }
    }
}

impl NumberTest {
    fn passes(&self, number: i128) -> bool {
        match self {
            Self::OneOf(numbers) => numbers.binary_search(&number).is_ok(),
            Self::Not(other) => number != *other,
            Self::Order(operator, other) => in_order(*operator, &number, other),
        }
    }
}

/// Whether two values stand in the order an operator asks for.
pub(crate) fn in_order<T: Ord + ?Sized>(operator: Operator, left: &T, right: &T) -> bool {
    match operator {
        Operator::Less => left < right,
        Operator::LessOrEqual => left <= right,
        Operator::Greater => left > right,
        Operator::GreaterOrEqual => left >= right,
        Operator::Equal => left == right,
        Operator::NotEqual => left != right,
        _ => false,
    }
}

fn is_inside(address: IpAddr, (network, length): (IpAddr, u8)) -> bool {
    let same_start = |a: u128, b: u128, width: u32| {
        let shift = width - u32::from(length).min(width);
        shift == 128 || a >> shift == b >> shift
    };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same_start(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same_start(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

/// Compares two values of the same type, as `val(...)` on the right-hand side asks for.
pub(crate) fn compare(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Bytes(left), Value::Bytes(right)) => text::compare(operator, left, right),
        (Value::Int(left), Value::Int(right)) => in_order(operator, left, right),
        (Value::Uint(left), Value::Uint(right)) => in_order(operator, left, right),
        (Value::Bool(left), Value::Bool(right)) => in_order(operator, left, right),
        (Value::Ip(left), Value::Ip(right)) => match operator {
            Operator::Equal => left == right,
            Operator::NotEqual => left != right,
            _ => false,
        },
        _ => false,
    }
}
