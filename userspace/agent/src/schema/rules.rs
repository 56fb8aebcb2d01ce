//! The schema of rule files, from the table of keys that the loader reads items by.

use serde_json::{Map, Value, json};
use vigia_engine::Priority;
use vigia_engine::keys::{self, Key, Kind, Overrides, Shape};

use crate::config::priority_pattern;

pub(super) fn schema() -> Value {
    let definitions: Map<String, Value> = keys::KINDS
        .iter()
        .map(|kind| (kind.name.to_owned(), item(kind)))
        .collect();
    let items: Vec<Value> = keys::KINDS
        .iter()
        .map(|kind| json!({"$ref": format!("#/definitions/{}", kind.name)}))
        .chain([json!({"type": "null"})])
        .collect();
    json!({
        "$schema": super::DRAFT,
        "title": "Rules for Vigía and Falco",
        "description": "A sequence of lists, macros and rules.",
        "type": ["array", "null"],
        "items": {"anyOf": items},
        "definitions": definitions,
    })
}

/// An item. A rule that only changes one that exists does not need what a complete one needs.
fn item(kind: &Kind) -> Value {
    let mut schema = object(kind);
    if kind.name == keys::RULE.name {
        let changes = ["append", "override", "enabled"].map(|key| json!({"required": [key]}));
        let complete = json!({"required": schema["required"]});
        schema["anyOf"] = std::iter::once(complete).chain(changes).collect();
        schema["required"] = json!([kind.name]);
    }
    schema
}

fn object(kind: &Kind) -> Value {
    let properties: Map<String, Value> = kind
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), property(key, kind)))
        .collect();
    let required: Vec<_> = kind
        .keys
        .iter()
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    json!({
        "title": kind.name,
        "description": kind.doc,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn property(key: &Key, kind: &Kind) -> Value {
    let mut schema = shape(key.shape, kind);
    schema["description"] = key.doc.into();
    schema
}

fn shape(shape: Shape, kind: &Kind) -> Value {
    let scalar = || json!({"type": ["string", "number", "boolean"]});
    let scalars = || json!({"type": "array", "items": scalar()});
    match shape {
        Shape::Text => json!({"type": "string", "minLength": 1}),
        Shape::Scalar => scalar(),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Uint32 => json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}),
        Shape::Priority => {
            let names: Vec<_> = Priority::ALL
                .iter()
                .map(|priority| priority.name().to_uppercase())
                .collect();
            // The names are what editors offer; the pattern is what is accepted.
            json!({"anyOf": [{"enum": names}, {"type": "string", "pattern": priority_pattern()}]})
        }
        Shape::Scalars => scalars(),
        Shape::ScalarOrScalars => json!({"anyOf": [scalar(), scalars()]}),
        Shape::Values => {
            let case = json!({"type": "array", "items": {"anyOf": [scalar(), scalars()]}});
            json!({"type": "array", "items": {"anyOf": [scalar(), case]}})
        }
        Shape::EngineVersion => json!({"anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+\\.[0-9]+)?$"},
        ]}),
        Shape::Version => json!({"type": "string", "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$"}),
        Shape::Override => overrides(kind),
        Shape::Maps(kind) => json!({"type": "array", "items": object(kind)}),
    }
}

/// The map behind `override` of a kind of item.
fn overrides(kind: &Kind) -> Value {
    let properties: Map<String, Value> = kind
        .keys
        .iter()
        .filter_map(|key| {
            let operations = match key.overrides {
                Overrides::None => return None,
                Overrides::Replace => json!(["replace"]),
                Overrides::AppendOrReplace => json!(["append", "replace"]),
            };
            Some((key.name.to_owned(), json!({"enum": operations})))
        })
        .collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}
