//! Whether a comparison makes sense: which operators a type has, and what a constant means in it.

pub(crate) mod allowance;
pub(crate) mod hints;
pub(crate) mod posix;
mod services;

use std::net::IpAddr;

use bstr::ByteSlice;
use vigia_event::FieldType;
use vigia_event::fields::Shape;

use crate::condition::ast::{Constant, Operator};
use crate::condition::cursor;
use crate::diagnostics::Problem;
use crate::graph::{Const, OfField};
use crate::operand::{Operand, Typed};

/// Refuses an operator that the type of its left-hand side does not have.
pub(crate) fn operator(left: &Typed, operator: Operator) -> Result<(), Problem> {
    use Operator as O;
    let everywhere = matches!(
        operator,
        O::Equal | O::NotEqual | O::In | O::Intersects | O::Exists
    );
    let allowed = match (left.shape, left.field_type) {
        _ if is_domain_name(left) => matches!(operator, O::Equal | O::NotEqual | O::In | O::Exists),
        (Shape::List, _) => matches!(operator, O::In | O::Intersects | O::Exists),
        (_, FieldType::Text | FieldType::Path) => {
            !matches!(operator, O::ContainsBytes | O::StartsWithBytes)
        }
        (_, FieldType::Bytes) => {
            everywhere
                || matches!(
                    operator,
                    O::Contains
                        | O::ContainsBytes
                        | O::StartsWith
                        | O::StartsWithBytes
                        | O::EndsWith
                )
        }
        (_, FieldType::Bool | FieldType::Ip | FieldType::IpNet) => everywhere,
        _ => {
            everywhere
                || matches!(
                    operator,
                    O::Less | O::LessOrEqual | O::Greater | O::GreaterOrEqual
                )
        }
    };
    if allowed {
        return Ok(());
    }
    let left_type = match left.shape {
        _ if is_domain_name(left) => "domain name",
        Shape::List => "list",
        _ => left.field_type.name(),
    };
    Err(Problem::OperatorRefused {
        operator: operator.word(),
        left: left.text.clone(),
        left_type,
    })
}

/// Domain names are not text: an address either belongs to one or not.
fn is_domain_name(left: &Typed) -> bool {
    matches!(&left.operand, Operand::Field(field) if field.is_domain_name())
}

/// Which of several values of the left-hand side must satisfy an operator.
pub(crate) fn of_field(left: &Typed, operator: Operator) -> OfField {
    let address = matches!(
        left.field_type,
        FieldType::Ip | FieldType::IpNet | FieldType::Port
    );
    match (left.shape, operator) {
        (Shape::List, Operator::In) => OfField::EveryOrNone,
        // An address that has none of the names that rules use differs from each.
        (_, Operator::NotEqual) if is_domain_name(left) => OfField::EveryOrNone,
        // What has no address differs from none.
        (Shape::Aliases, Operator::NotEqual) if address => OfField::Every,
        (Shape::Aliases, Operator::NotEqual) => OfField::EveryOrNone,
        // Both ends of a connection differ; for every other field, some value does.
        (Shape::AnyOf, Operator::NotEqual) if address => OfField::Every,
        _ => OfField::Any,
    }
}

/// The operator with which the values of a list are compared one by one.
pub(crate) fn on_single_values(operator: Operator) -> Operator {
    match operator {
        Operator::In | Operator::Intersects => Operator::Equal,
        operator => operator,
    }
}

/// Reads a constant in the type of the field it is compared with.
pub(crate) fn constant(
    left: &Typed,
    operator: Operator,
    constant: &Constant,
) -> Result<Const, Problem> {
    let bytes = constant.value.as_bytes();
    let invalid = |expected| Problem::InvalidConstant {
        given: constant.value.to_string(),
        expected,
    };
    let text = || constant.value.to_str().map_err(|_| invalid("text"));
    Ok(match left.field_type {
        FieldType::Text | FieldType::Path | FieldType::Bytes => {
            if matches!(
                operator,
                Operator::ContainsBytes | Operator::StartsWithBytes
            ) {
                let decoded = decode_hex(bytes)
                    .ok_or_else(|| invalid("an even number of hexadecimal digits"))?;
                return Ok(Const::Bytes(decoded.into()));
            }
            // Only the name of a list gets here without being a number, or what stands in that list.
            if operator.takes_number() && !is_number(constant) {
                return Err(invalid(
                    "a number, which '<', '<=', '>' and '>=' compare with",
                ));
            }
            Const::Bytes(bytes.into())
        }
        FieldType::Int => {
            let number = parse_number(text()?).filter(|number| i64::try_from(*number).is_ok());
            Const::Int(number.ok_or_else(|| invalid("a whole number"))?)
        }
        FieldType::Uint | FieldType::AbsTime | FieldType::RelTime => {
            let number = parse_number(text()?).ok_or_else(|| invalid("a whole number"))?;
            // A negative constant wraps, as in Falco: it is the greatest number, not an error.
            let past = 1_i128 << bits(left);
            let wrapped = if number < 0 { number + past } else { number };
            if !(0..past).contains(&wrapped) {
                return Err(out_of_range(left, constant));
            }
            Const::Int(wrapped)
        }
        FieldType::Port => {
            let text = text()?;
            let port = match text {
                "" => Some(0),
                digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                    let port = digits.parse().map_err(|_| out_of_range(left, constant));
                    Some(port?)
                }
                name => services::port(name),
            };
            Const::Int(
                port.ok_or_else(|| invalid("a port or a well-known service"))?
                    .into(),
            )
        }
        FieldType::Bool => match bytes {
            b"true" => Const::Bool(true),
            b"false" => Const::Bool(false),
            _ => return Err(invalid("true or false")),
        },
        FieldType::Ip => Const::Ip(parse_address(text()?).ok_or_else(|| invalid("an IP address"))?),
        FieldType::IpNet => {
            let (address, length) = parse_network(text()?)
                .ok_or_else(|| invalid("a network such as 10.0.0.0/8 or fd00::/8"))?;
            Const::Net(address, length)
        }
    })
}

/// How many bits the numbers of a left-hand side have.
fn bits(left: &Typed) -> u32 {
    match &left.operand {
        Operand::Field(field) => field.row().bits(),
        _ if left.field_type == FieldType::Port => 16,
        _ => 64,
    }
}

fn out_of_range(left: &Typed, constant: &Constant) -> Problem {
    Problem::ConstantOutOfRange {
        given: constant.value.to_string(),
        field: left.text.clone(),
        maximum: u64::MAX >> (64 - bits(left)),
    }
}

/// Whether a constant is one number as conditions write it.
fn is_number(constant: &Constant) -> bool {
    let Ok(text) = constant.value.to_str() else {
        return false;
    };
    !text.is_empty() && cursor::number(text).len() == text.len()
}

fn parse_number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = match digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        Some(hex) => u64::from_str_radix(hex, 16)
            .ok()
            .filter(|_| !hex.starts_with(['+', '-'])),
        None => digits
            .parse::<u64>()
            .ok()
            .filter(|_| digits.starts_with(|first: char| first.is_ascii_digit())),
    }?;
    Some(if negative {
        -i128::from(magnitude)
    } else {
        magnitude.into()
    })
}

/// An address with a dot is one of IPv4: events have no others, so an IPv6 address that ends like one would match
/// nothing.
fn parse_address(text: &str) -> Option<IpAddr> {
    if text.contains('.') {
        text.parse().ok().map(IpAddr::V4)
    } else {
        text.parse().ok().map(IpAddr::V6)
    }
}

fn parse_network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    let address = parse_address(address)?;
    let length: u8 = length
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| length.parse().ok())??;
    let valid = match address {
        IpAddr::V4(_) => length <= 32,
        IpAddr::V6(_) => (1..=128).contains(&length),
    };
    valid.then_some((address, length))
}

fn decode_hex(digits: &[u8]) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    digits
        .chunks(2)
        .map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_decimal_and_hexadecimal() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("+5", Some(5)),
            ("0x1F", Some(31)),
            ("-0x10", Some(-16)),
            ("18446744073709551615", Some(u64::MAX.into())),
            ("", None),
            ("-", None),
            ("--1", None),
            ("0x-1", None),
            ("1.5", None),
            ("ten", None),
        ] {
            assert_eq!(parse_number(text), expected, "{text}");
        }
    }

    #[test]
    fn networks_need_a_length_that_fits() {
        for (text, valid) in [
            ("10.0.0.0/8", true),
            ("0.0.0.0/0", true),
            ("10.0.0.0/33", false),
            ("10.0.0.0", false),
            ("10.0.0.0/+8", false),
            ("::ffff:10.0.0.0/104", false),
            ("fd00::/8", true),
            ("::/0", false),
            ("::1/129", false),
        ] {
            assert_eq!(parse_network(text).is_some(), valid, "{text}");
        }
    }

    #[test]
    fn hexadecimal_bytes_come_in_pairs() {
        assert_eq!(decode_hex(b"caFE"), Some(vec![0xca, 0xfe]));
        assert_eq!(decode_hex(b"caf"), None);
        assert_eq!(decode_hex(b"cx"), None);
    }
}
