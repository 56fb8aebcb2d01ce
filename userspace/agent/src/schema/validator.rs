//! As much of JSON schema as our schemas use. A keyword it does not know is a failure, so that none goes unchecked.

use serde_json::Value;

/// Checks a document against a schema; the error says where and which keyword.
pub(super) fn validate(schema: &Value, document: &Value) -> Result<(), String> {
    check(schema, schema, document, "")
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let Value::Object(keywords) = schema else {
        return match schema.as_bool() {
            Some(true) => Ok(()),
            _ => Err(format!("{place}: not allowed")),
        };
    };
    for (keyword, given) in keywords {
        let fits = match keyword.as_str() {
            "$schema" | "title" | "description" | "default" | "definitions" | "format" => true,
            // Together, below.
            "properties" | "additionalProperties" => true,
            "$ref" => {
                let target = root.pointer(&given.as_str().unwrap()[1..]).unwrap();
                check(root, target, value, place)?;
                true
            }
            "type" => match given {
                Value::Array(types) => types.iter().any(|one| is(one, value)),
                one => is(one, value),
            },
            "enum" => given.as_array().unwrap().contains(value),
            "const" => given == value,
            "minimum" => value
                .as_f64()
                .is_none_or(|number| number >= given.as_f64().unwrap()),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| number <= given.as_f64().unwrap()),
            "minLength" => length(value).is_none_or(|length| length >= given.as_u64().unwrap()),
            "maxLength" => length(value).is_none_or(|length| length <= given.as_u64().unwrap()),
            "pattern" => value.as_str().is_none_or(|text| {
                regex::Regex::new(given.as_str().unwrap())
                    .unwrap()
                    .is_match(text)
            }),
            "required" => value.as_object().is_none_or(|entries| {
                let mut keys = given.as_array().unwrap().iter();
                keys.all(|key| entries.contains_key(key.as_str().unwrap()))
            }),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, given, item, &format!("{place}/{index}"))?;
                }
                true
            }
            "anyOf" => alternatives(root, given, value, place) > 0,
            "oneOf" => alternatives(root, given, value, place) == 1,
            "allOf" => alternatives(root, given, value, place) == given.as_array().unwrap().len(),
            other => panic!("{other} is a keyword this validator does not know"),
        };
        if !fits {
            return Err(format!("{place}: {keyword}: {value}"));
        }
    }
    properties(root, schema, value, place)
}

fn properties(root: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    for (key, value) in value.as_object().into_iter().flatten() {
        let place = format!("{place}/{key}");
        let property = schema["properties"].get(key);
        if let Some(schema) = property.or_else(|| schema.get("additionalProperties")) {
            check(root, schema, value, &place)?;
        }
    }
    Ok(())
}

fn alternatives(root: &Value, schemas: &Value, value: &Value, place: &str) -> usize {
    let schemas = schemas.as_array().unwrap();
    let fits = |schema: &&Value| check(root, schema, value, place).is_ok();
    schemas.iter().filter(fits).count()
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    use serde_json::json;
    for (schema, good, bad) in [
        (json!({"type": ["string", "null"]}), json!(null), json!(1)),
        (json!({"enum": ["a"]}), json!("a"), json!("b")),
        (json!({"minimum": 1, "maximum": 2}), json!(2), json!(3)),
        (
            json!({"minLength": 1, "maxLength": 2}),
            json!("éé"),
            json!(""),
        ),
        (json!({"pattern": "^a"}), json!("ab"), json!("b")),
        (json!({"required": ["a"]}), json!({"a": 1}), json!({"b": 1})),
        (
            json!({"items": {"type": "integer"}}),
            json!([1]),
            json!([1, "a"]),
        ),
        (
            json!({"anyOf": [{"type": "null"}, {"const": 1}]}),
            json!(1),
            json!(2),
        ),
        (
            json!({"oneOf": [{"minimum": 1}, {"minimum": 5}]}),
            json!(2),
            json!(6),
        ),
        (
            json!({"allOf": [{"minimum": 1}, {"maximum": 5}]}),
            json!(2),
            json!(6),
        ),
        (
            json!({"properties": {"a": {"type": "null"}}, "additionalProperties": false}),
            json!({"a": null}),
            json!({"b": null}),
        ),
        (
            json!({"$ref": "#/definitions/x", "definitions": {"x": {"type": "null"}}}),
            json!(null),
            json!(1),
        ),
    ] {
        assert_eq!(validate(&schema, &good), Ok(()), "{schema}");
        assert!(validate(&schema, &bad).is_err(), "{schema}");
    }
}
