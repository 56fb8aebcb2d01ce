//! The output fields of an alert, and the object it is about.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use vigia_event::View;
use vigia_event::{Extracted, Value};

use super::texts::{NAME_BYTES, Texts};
use crate::text::lossy;

/// Fields of an alert.
const MAX_FIELDS: usize = 128;
/// Values of a list.
const MAX_VALUES: usize = 64;
/// Bytes of an object's name: more than two paths need.
const MAX_OBJECT_BYTES: usize = 8192;

/// Field to value; `evt.time` is always there.
pub(super) fn typed(
    fields: &[(&str, Extracted<'_>)],
    time_ns: u64,
    texts: &Texts<'_>,
) -> BTreeMap<String, Json> {
    let mut typed = BTreeMap::from([("evt.time".to_owned(), Json::from(time_ns))]);
    for (name, value) in fields.iter().take(MAX_FIELDS) {
        let value = json(name, value, texts);
        typed.insert(lossy(name.as_bytes(), NAME_BYTES), value);
    }
    typed
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
        Extracted::Many(values) => values
            .iter()
            .take(MAX_VALUES)
            .map(|value| one(name, value, texts))
            .collect(),
    }
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

/// What an alert is about: the values the rule groups by, else the secret, else the path, else the program.
///
/// Never shown, so nothing is hidden in it: two secrets must not become one object.
pub(super) fn object(group: &[Extracted<'_>], view: View<'_>) -> String {
    let event = view.event;
    if !group.is_empty() {
        let parts: Vec<String> = group.iter().map(part).collect();
        return parts.join("\u{1f}");
    }
    let secret = event
        .secret
        .as_ref()
        .map(|access| access.secret.name.as_slice());
    let path = || view.path().map(|path| &**path);
    let object = secret.or_else(path).unwrap_or(&event.process.exe_path);
    lossy(object, MAX_OBJECT_BYTES)
}

fn part(value: &Extracted<'_>) -> String {
    let text = |value: &Value<'_>| match value {
        Value::Bytes(bytes) => lossy(bytes, MAX_OBJECT_BYTES),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Ip(address) => address.to_string(),
    };
    match value {
        Extracted::Missing | Extracted::Unknown => String::new(),
        Extracted::One(value) => text(value),
        Extracted::Many(values) => values
            .iter()
            .take(MAX_VALUES)
            .map(text)
            .collect::<Vec<_>>()
            .join(","),
    }
}
