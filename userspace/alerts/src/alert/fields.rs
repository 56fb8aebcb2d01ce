//! The output fields of an alert.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use vigia_event::fields::{Argument, Shape, find};
use vigia_event::{Event, Extracted, Spelling, Value, View};

use super::Context;
use super::texts::{NAME_BYTES, Texts};
use crate::text::lossy;

/// Fields of an alert.
const MAX_FIELDS: usize = 128;
/// Values of a list.
const MAX_VALUES: usize = 64;

/// Field to value; `time`, a name and nanoseconds since the epoch, is always there.
pub(super) fn typed(
    fields: &[(&str, Extracted<'_>)],
    time: (String, u64),
    texts: &Texts<'_>,
) -> BTreeMap<String, Json> {
    let mut typed = BTreeMap::from([(time.0, Json::from(time.1))]);
    for (name, value) in fields.iter().take(MAX_FIELDS) {
        let value = json(name, value, texts);
        typed.insert(lossy(name.as_bytes(), NAME_BYTES), value);
    }
    typed
}

/// The values of fields that take no argument, redacted as those of an alert are; those without a value are left out.
#[must_use]
pub fn shown<'n>(
    event: &Event,
    names: impl IntoIterator<Item = &'n str>,
    context: &Context,
) -> BTreeMap<&'n str, Json> {
    let texts = Texts::of_event(&context.redactor, event);
    let view = View {
        event,
        spelling: Spelling::Given,
    };
    names
        .into_iter()
        .filter_map(|name| {
            let value = (find(name)?.extract)(view, &Argument::None);
            let value = json(name, &value, &texts);
            (!value.is_null()).then_some((name, value))
        })
        .collect()
}

/// Names of the fields whose value is not known yet.
pub(super) fn unknown(fields: &[(&str, Extracted<'_>)]) -> Vec<String> {
    let unknown = fields
        .iter()
        .take(MAX_FIELDS)
        .filter(|(_, value)| matches!(value, Extracted::Unknown));
    unknown
        .map(|(name, _)| lossy(name.as_bytes(), NAME_BYTES))
        .collect()
}

fn json(name: &str, value: &Extracted<'_>, texts: &Texts<'_>) -> Json {
    match value {
        Extracted::Missing | Extracted::Unknown => Json::Null,
        Extracted::One(value) => one(name, value, texts),
        // Any of several is one text, as outputs print it; only lists are lists.
        Extracted::Many(values) if is_any_of(name) => {
            let texts: Vec<String> = values
                .iter()
                .take(MAX_VALUES)
                .map(|value| match one(name, &value, texts) {
                    Json::String(text) => text,
                    other => other.to_string(),
                })
                .collect();
            texts.join(" ").into()
        }
        Extracted::Many(values) => values
            .iter()
            .take(MAX_VALUES)
            .map(|value| one(name, &value, texts))
            .collect(),
    }
}

fn is_any_of(name: &str) -> bool {
    find(name).is_some_and(|row| matches!(row.shape, Shape::AnyOf | Shape::AnyOfUnlessIndexed))
}

fn one(name: &str, value: &Value<'_>, texts: &Texts<'_>) -> Json {
    match value {
        Value::Bytes(bytes) => texts.field(name, bytes).into(),
        Value::Int(number) => (*number).into(),
        Value::Uint(number) => (*number).into(),
        Value::Bool(truth) => (*truth).into(),
        Value::Ip(address) => address.to_string().into(),
    }
}
