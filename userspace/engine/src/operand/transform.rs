//! What transformers do to values.

use std::borrow::Cow;

use vigia_event::{Extracted, Value, Values, View};

use super::{Call, Operand, getopt};
use crate::condition::ast::Transformer;

/// Why there is no value.
enum Nothing {
    Missing,
    Unknown,
}

impl From<Nothing> for Extracted<'_> {
    fn from(nothing: Nothing) -> Self {
        match nothing {
            Nothing::Missing => Self::Missing,
            Nothing::Unknown => Self::Unknown,
        }
    }
}

/// Applies a transformer. What it needs and the event lacks makes its result missing; what is still on its
/// way makes it unknown.
pub(super) fn apply<'e>(call: &Call, view: View<'e>) -> Extracted<'e> {
    match call.transformer {
        Transformer::ToLower => each(call, view, |text| Some(text.to_ascii_lowercase())),
        Transformer::ToUpper => each(call, view, |text| Some(text.to_ascii_uppercase())),
        Transformer::Basename => each(call, view, |text| {
            Some(
                text.rsplit(|&byte| byte == b'/')
                    .next()
                    .unwrap_or(text)
                    .to_vec(),
            )
        }),
        Transformer::Base64 => each(call, view, decode_base64),
        Transformer::Len => match call.arguments[0].extract(view) {
            Extracted::One(Value::Bytes(text)) => Value::Uint(text.len() as u64).into(),
            Extracted::One(_) => Extracted::Missing,
            Extracted::Many(values) => Value::Uint(values.len() as u64).into(),
            nothing => nothing,
        },
        Transformer::Join => join(call, view),
        Transformer::Concat => match all(&call.arguments, view) {
            Ok(parts) => Value::made(parts.concat()).into(),
            Err(nothing) => nothing.into(),
        },
        Transformer::GetOpt => options(call, view),
    }
}

/// The values of the list of `join`.
pub(super) fn list<'e>(parts: &[Operand], view: View<'e>) -> Extracted<'e> {
    match all(parts, view) {
        Ok(values) => Extracted::Many(values.into_iter().map(Value::Bytes).collect()),
        Err(nothing) => nothing.into(),
    }
}

/// The single values of several operands, or why there are none.
fn all<'e>(operands: &[Operand], view: View<'e>) -> Result<Vec<Cow<'e, [u8]>>, Nothing> {
    let mut values = Vec::with_capacity(operands.len());
    let mut unknown = false;
    for operand in operands {
        match operand.extract(view) {
            Extracted::One(Value::Bytes(text)) => values.push(text),
            Extracted::Unknown => unknown = true,
            _ => return Err(Nothing::Missing),
        }
    }
    if unknown {
        Err(Nothing::Unknown)
    } else {
        Ok(values)
    }
}

fn each<'e>(call: &Call, view: View<'e>, change: fn(&[u8]) -> Option<Vec<u8>>) -> Extracted<'e> {
    let change_value = |value: Value<'e>| match value {
        Value::Bytes(text) => change(&text).map(Value::made),
        _ => None,
    };
    match call.arguments[0].extract(view) {
        Extracted::One(value) => Extracted::from_option(change_value(value)),
        Extracted::Many(values) => {
            let changed: Option<Values<'e>> = values.into_iter().map(change_value).collect();
            changed.map_or(Extracted::Missing, Extracted::Many)
        }
        nothing => nothing,
    }
}

fn join<'e>(call: &Call, view: View<'e>) -> Extracted<'e> {
    let separator = match all(&call.arguments[..1], view) {
        Ok(mut parts) => parts.swap_remove(0),
        Err(nothing) => return nothing.into(),
    };
    match texts(call.arguments[1].extract(view)) {
        Ok(parts) => Value::made(parts.join(&*separator)).into(),
        Err(nothing) => nothing.into(),
    }
}

fn options<'e>(call: &Call, view: View<'e>) -> Extracted<'e> {
    let arguments = match texts(call.arguments[0].extract(view)) {
        Ok(arguments) => arguments,
        Err(nothing) => return nothing.into(),
    };
    let known = match all(&call.arguments[1..], view) {
        Ok(mut parts) => parts.swap_remove(0),
        Err(nothing) => return nothing.into(),
    };
    let found = getopt::parse(&arguments, &known);
    match call.selector {
        None => Extracted::Many(
            found
                .into_iter()
                .flat_map(getopt::Found::texts)
                .map(Value::made)
                .collect(),
        ),
        Some(option) => {
            let last = found.into_iter().rev().find(|found| found.option == option);
            Extracted::from_option(
                last.map(|found| Value::made(found.value.unwrap_or_else(|| vec![option]))),
            )
        }
    }
}

/// The texts of a list value.
fn texts<'e>(values: Extracted<'e>) -> Result<Vec<Cow<'e, [u8]>>, Nothing> {
    let values: Values<'e> = match values {
        Extracted::Many(values) => values,
        Extracted::One(value) => std::iter::once(value).collect(),
        Extracted::Missing => return Err(Nothing::Missing),
        Extracted::Unknown => return Err(Nothing::Unknown),
    };
    let texts = values.into_iter().map(|value| match value {
        Value::Bytes(text) => Some(text),
        _ => None,
    });
    texts.collect::<Option<_>>().ok_or(Nothing::Missing)
}

/// Standard alphabet, with or without padding.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text
        .strip_suffix(b"==")
        .or_else(|| text.strip_suffix(b"="))
        .unwrap_or(text);
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for &byte in group {
            let digit = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(digit);
        }
        let bytes = (bits << (6 * (4 - group.len()))).to_be_bytes();
        match group.len() {
            1 => return None,
            digits => decoded.extend_from_slice(&bytes[1..digits]),
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_with_and_without_padding() {
        for (text, expected) in [
            ("", Some("")),
            ("aGVsbG8=", Some("hello")),
            ("aGVsbG8", Some("hello")),
            ("aGk=", Some("hi")),
            ("YQ==", Some("a")),
            ("YQ", Some("a")),
            ("Y", None),
            ("Y!==", None),
        ] {
            assert_eq!(
                decode_base64(text.as_bytes()).as_deref(),
                expected.map(str::as_bytes),
                "{text}"
            );
        }
    }
}
