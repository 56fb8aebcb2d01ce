//! How values look in an output.

use std::fmt::Write;

use bstr::ByteSlice;
use vigia_event::fields::Shape;
use vigia_event::{Extracted, FieldType, Value};

use super::time::{self, TimeFormat};

/// What stands for a value that an event does not have.
const MISSING: &str = "<NA>";

/// How an agent prints values, whatever the field.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Printing {
    /// How far local time is ahead of UTC.
    pub(crate) utc_offset_seconds: i32,
    /// Buffers are printed in base64.
    pub(crate) base64: bool,
}

/// How the values of a field are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    /// In parentheses, separated by commas.
    List,
    /// Separated by blanks.
    Words,
    /// Raw bytes, with dots for what cannot be printed.
    Bytes,
    /// A number in hexadecimal.
    Hex,
    Time(TimeFormat),
}

impl Style {
    pub(super) fn of(name: &str, field_type: FieldType, shape: Shape) -> Self {
        let time = match name {
            "evt.time" => Some(TimeFormat::TimeOfDay { fraction: true }),
            "evt.time.s" => Some(TimeFormat::TimeOfDay { fraction: false }),
            "evt.time.iso8601" => Some(TimeFormat::Iso8601),
            "evt.datetime" => Some(TimeFormat::DateTime { fraction: true }),
            "evt.datetime.s" => Some(TimeFormat::DateTime { fraction: false }),
            _ => None,
        };
        match (time, shape, field_type) {
            (Some(format), _, _) => Self::Time(format),
            (_, Shape::List, _) => Self::List,
            (_, Shape::AnyOf | Shape::AnyOfUnlessIndexed, _) => Self::Words,
            (_, _, FieldType::Bytes) => Self::Bytes,
            _ if name == "fd.dev" => Self::Hex,
            _ => Self::Plain,
        }
    }
}

/// Appends the text of what a field answered.
pub(super) fn print(
    line: &mut String,
    style: Style,
    printing: Printing,
    extracted: &Extracted<'_>,
) {
    match extracted {
        Extracted::Missing | Extracted::Unknown => line.push_str(MISSING),
        Extracted::One(value) => one(line, style, printing, value),
        Extracted::Many(values) => {
            let (open, between, close) = if style == Style::List {
                ("(", ",", ")")
            } else {
                ("", " ", "")
            };
            line.push_str(open);
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    line.push_str(between);
                }
                one(line, style, printing, &value);
            }
            line.push_str(close);
        }
    }
}

/// A value as alerts carry it: of its own type, unless only its text says what it is.
pub(super) fn typed<'e>(
    style: Style,
    printing: Printing,
    extracted: Extracted<'e>,
) -> Extracted<'e> {
    if !matches!(style, Style::Bytes | Style::Hex) {
        return extracted;
    }
    let typed = |value: Value<'e>| {
        let mut text = String::new();
        one(&mut text, style, printing, &value);
        Value::made(text.into_bytes())
    };
    match extracted {
        Extracted::Missing | Extracted::Unknown => extracted,
        Extracted::One(value) => Extracted::One(typed(value)),
        Extracted::Many(values) => Extracted::Many(values.into_iter().map(typed).collect()),
    }
}

fn one(line: &mut String, style: Style, printing: Printing, value: &Value<'_>) {
    // Writing to a string cannot fail.
    let _ = match (style, value) {
        (Style::Time(format), Value::Uint(ns)) => {
            return time::print(line, format, *ns, printing.utc_offset_seconds);
        }
        (Style::Bytes, Value::Bytes(bytes)) if printing.base64 => {
            return base64(line, bytes);
        }
        (Style::Hex, Value::Uint(number)) => write!(line, "{number:X}"),
        (Style::Bytes, Value::Bytes(bytes)) => {
            line.extend(bytes.iter().map(|&byte| match byte {
                b' '..=b'~' => char::from(byte),
                _ => '.',
            }));
            return;
        }
        (_, Value::Bytes(text)) => return line.push_str(&text.to_str_lossy()),
        (_, Value::Int(number)) => write!(line, "{number}"),
        (_, Value::Uint(number)) => write!(line, "{number}"),
        (_, Value::Bool(value)) => write!(line, "{value}"),
        (_, Value::Ip(address)) => write!(line, "{address}"),
    };
}

/// Appends bytes in base64, padded.
fn base64(line: &mut String, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, index| {
            bits << 8 | usize::from(chunk.get(index).copied().unwrap_or(0))
        });
        for index in 0..4 {
            if index <= chunk.len() {
                line.push(char::from(ALPHABET[bits >> (18 - 6 * index) & 63]));
            } else {
                line.push('=');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_look_as_their_field_wants_it() {
        let plain = Printing::default();
        let encoded = Printing {
            base64: true,
            ..plain
        };
        for (style, printing, value, expected) in [
            (Style::Plain, plain, Value::Int(-30), "-30"),
            (Style::Plain, plain, Value::Bool(true), "true"),
            (Style::Hex, plain, Value::Uint(0xFD01), "FD01"),
            (Style::Plain, plain, Value::text(b"a\xff"), "a\u{fffd}"),
            (Style::Bytes, plain, Value::text(b"a\n\xff~"), "a..~"),
            (Style::Bytes, encoded, Value::text(b""), ""),
            (Style::Bytes, encoded, Value::text(b"f"), "Zg=="),
            (Style::Bytes, encoded, Value::text(b"fo"), "Zm8="),
            (Style::Bytes, encoded, Value::text(b"foo"), "Zm9v"),
            (Style::Bytes, encoded, Value::text(b"\xff\xfe"), "//4="),
        ] {
            let mut line = String::new();
            one(&mut line, style, printing, &value);
            assert_eq!(line, expected, "{value:?}");
        }
    }
}
