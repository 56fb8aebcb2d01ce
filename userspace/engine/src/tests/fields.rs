//! Fields of every type and shape, read from strings that an event carries: `t.text=x`, missing where there
//! is none, and unknown where it is `?`.

use std::cell::Cell;

use vigia_event::fields::{Argument, ArgumentRule, Availability, FieldRow, Shape, Stability};
use vigia_event::{Extracted, FieldType, Value, View};

use crate::fields::Catalogue;

/// The fields of the tests, and those of the event model.
pub(super) const CATALOGUE: Catalogue =
    Catalogue::of(|| Box::new(FIELDS.iter().chain(vigia_event::fields::all())));

thread_local! {
    /// How often `t.counted` was read.
    pub(super) static READS: Cell<u32> = const { Cell::new(0) };
}

macro_rules! field {
    ($name:literal $field_type:ident $shape:ident $argument:ident $stability:ident) => {
        FieldRow {
            name: $name,
            field_type: FieldType::$field_type,
            shape: Shape::$shape,
            argument: ArgumentRule::$argument,
            stability: Stability::$stability,
            availability: Availability::Always,
            doc: "A field of a test.",
            example: "",
            extract: |view, argument| {
                read(view, argument, $name, FieldType::$field_type, Shape::$shape)
            },
        }
    };
}

static FIELDS: &[FieldRow] = &[
    field!("t.text" Text Single None Stable),
    field!("t.other" Text Single None Stable),
    field!("t.path" Path Single None Stable),
    field!("t.bytes" Bytes Single None Stable),
    field!("t.int" Int Single None Stable),
    field!("t.uint" Uint Single None Stable),
    field!("t.bool" Bool Single None Stable),
    field!("t.port" Port Single None Stable),
    field!("t.ip" Ip Single None Stable),
    field!("t.net" IpNet Single None Stable),
    field!("t.ends" Ip Aliases None Stable),
    field!("t.nets" IpNet Aliases None Stable),
    field!("t.ports" Port Aliases None Stable),
    field!("t.alias" Text Aliases None Stable),
    field!("t.time" AbsTime Single None Stable),
    field!("t.span" RelTime Single None Stable),
    field!("t.list" Text List None Stable),
    field!("t.ints" Int List None Stable),
    field!("t.any" Text AnyOf None Stable),
    field!("t.ancestor" Text AnyOfUnlessIndexed OptionalIndex Stable),
    field!("t.volatile" Text Single None Volatile),
    field!("t.named" Text Single Name Stable),
    FieldRow {
        name: "t.counted",
        field_type: FieldType::Text,
        shape: Shape::Single,
        argument: ArgumentRule::None,
        stability: Stability::Stable,
        availability: Availability::Always,
        doc: "Counts how often it is read.",
        example: "",
        extract: |_, _| {
            READS.set(READS.get() + 1);
            Value::text("x").into()
        },
    },
    FieldRow {
        name: "t.spelled",
        field_type: FieldType::Path,
        shape: Shape::Single,
        argument: ArgumentRule::None,
        stability: Stability::Stable,
        availability: Availability::Always,
        doc: "The path in the spelling of the pass.",
        example: "",
        extract: |view, _| Extracted::text(view.path()),
    },
];

fn read<'e>(
    view: View<'e>,
    argument: &Argument,
    name: &str,
    field_type: FieldType,
    shape: Shape,
) -> Extracted<'e> {
    let values = view.event.process.env.iter();
    let mut values =
        values.filter_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    let Some(text) = values.next() else {
        return Extracted::Missing;
    };
    if text == b"?" {
        return Extracted::Unknown;
    }
    let parts = || {
        text.split(|&byte| byte == b'|')
            .filter(|part| !part.is_empty())
    };
    match (shape, argument) {
        (Shape::AnyOfUnlessIndexed, Argument::Index(index)) => {
            Extracted::text(parts().nth(*index as usize))
        }
        (Shape::Single, _) => Extracted::from_option(value(text, field_type)),
        _ => Extracted::Many(parts().filter_map(|part| value(part, field_type)).collect()),
    }
}

fn value(text: &[u8], field_type: FieldType) -> Option<Value<'_>> {
    let text_value = std::str::from_utf8(text).ok();
    Some(match field_type {
        FieldType::Text | FieldType::Path | FieldType::Bytes => Value::text(text),
        FieldType::Int => Value::Int(text_value?.parse().ok()?),
        FieldType::Uint | FieldType::Port | FieldType::AbsTime | FieldType::RelTime => {
            Value::Uint(text_value?.parse().ok()?)
        }
        FieldType::Bool => Value::Bool(text_value?.parse().ok()?),
        FieldType::Ip | FieldType::IpNet => Value::Ip(text_value?.parse().ok()?),
    })
}
