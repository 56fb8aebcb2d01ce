//! How values look in an output.

use std::fmt::Write;

use bstr::ByteSlice;
use vigia_event::fields::Shape;
use vigia_event::{Extracted, FieldType, Value};

use super::time::{self, TimeFormat};

/// What stands for a value that an event does not have.
const MISSING: &str = "<NA>";

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
            _ => Self::Plain,
        }
    }
}

/// Appends the text of what a field answered.
pub(super) fn print(
    line: &mut String,
    style: Style,
    utc_offset_seconds: i32,
    extracted: &Extracted<'_>,
) {
    match extracted {
        Extracted::Missing | Extracted::Unknown => line.push_str(MISSING),
        Extracted::One(value) => one(line, style, utc_offset_seconds, value),
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
                one(line, style, utc_offset_seconds, value);
            }
            line.push_str(close);
        }
    }
}

fn one(line: &mut String, style: Style, utc_offset_seconds: i32, value: &Value<'_>) {
    // Writing to a string cannot fail.
    let _ = match (style, value) {
        (Style::Time(format), Value::Uint(ns)) => {
            return time::print(line, format, *ns, utc_offset_seconds);
        }
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
