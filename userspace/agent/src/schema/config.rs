//! The schema of the configuration, from the types it is read into.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::config::Config;

/// Keys that may be written under another name, which the types cannot tell.
const ALIASES: &[(&str, &str)] = &[("fixed_fields", "static_fields")];

pub(super) fn schema() -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<Config>().to_value();
    schema["title"] = "Vigía's configuration".into();
    for (key, alias) in ALIASES {
        let property = schema["properties"][key].clone();
        schema["properties"][alias] = property;
    }
    describe_variants(&mut schema);
    schema
}

/// Of a choice between keys, what a key means is said of the map that holds it; editors look for it at the key.
fn describe_variants(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            let description = entries.get("description").cloned();
            if let (Some(description), Some(Value::Object(properties))) =
                (description, entries.get_mut("properties"))
                && let [property] = &mut properties.values_mut().collect::<Vec<_>>()[..]
                && property.get("description").is_none()
            {
                property["description"] = description;
            }
            entries.values_mut().for_each(describe_variants);
        }
        Value::Array(entries) => entries.iter_mut().for_each(describe_variants),
        _ => {}
    }
}
