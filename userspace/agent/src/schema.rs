//! JSON schemas, by which editors complete and check files. They are made from what the readers themselves go by:
//! the table of keys of the rule language, and the types of the configuration.
//!
//! Draft 7 is what editors understand.

mod config;
mod rules;
#[cfg(test)]
mod validator;

use serde_json::Value;

/// The draft the schemas are written in.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// What there is a schema for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Subject {
    /// Rule files
    Rules,
    /// The configuration
    Config,
}

/// The schema of a subject.
#[must_use]
pub fn of(subject: Subject) -> Value {
    match subject {
        Subject::Rules => rules::schema(),
        Subject::Config => config::schema(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The YAML documents of a text, as JSON.
    fn documents(text: &str) -> Vec<Value> {
        serde_saphyr::from_multiple(text).unwrap()
    }

    fn accepts(subject: Subject, text: &str) -> Result<(), String> {
        let schema = of(subject);
        documents(text)
            .iter()
            .try_for_each(|document| validator::validate(&schema, document))
    }

    #[test]
    fn rule_files_that_load_are_valid() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut count = 0;
        for folder in ["rules", "../shared/upstream-rules"] {
            let Ok(sources) = crate::rules::read(&[root.join(folder)]) else {
                continue;
            };
            for source in sources {
                accepts(Subject::Rules, &source.text)
                    .unwrap_or_else(|error| panic!("{}: {error}", source.name));
                count += 1;
            }
        }
        assert!(count >= 5, "{count}");
    }

    #[test]
    fn every_form_of_an_item_is_valid_and_mistakes_are_not() {
        for text in [
            "",
            "- required_engine_version: 5\n- required_engine_version: 0.5.0\n",
            "- required_plugin_versions: [{name: a, version: 1.0.0, alternatives: [{name: b, version: 0.1.0}]}]\n",
            "- {rule: a, enabled: false}\n",
            "- {rule: a, append: true, condition: and x}\n",
            "- {rule: a, condition: and x, override: {condition: append}}\n",
            "- {rule: a, tags: [x], priority: info, override: {tags: append, priority: replace}}\n",
            "- {list: a, items: [1, b, true], override: {items: append}}\n",
            "- {macro: a, condition: b}\n",
            "- {rule: a, desc: d, condition: c, output: o, priority: Warning, exceptions: [{name: e, fields: [f, g], values: [[1, [a, b]]]}, {name: g, fields: f, comps: in, values: [1]}]}\n",
        ] {
            assert_eq!(accepts(Subject::Rules, text), Ok(()), "{text}");
        }
        for text in [
            "- {rule: a}\n",
            "- {rule: a, enabled: 1}\n",
            "- {rule: a, priority: urgent, override: {priority: replace}}\n",
            "- {rule: a, priority: info, override: {priority: append}}\n",
            "- {list: a}\n",
            "- {macro: a, conditon: b}\n",
            "- {list: a, items: [], override: {condition: append}}\n",
            "- required_engine_version: five\n",
            "rule: a\n",
        ] {
            assert!(accepts(Subject::Rules, text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_example_and_each_of_its_keys_are_valid_in_the_configuration() {
        let text = crate::config::EXAMPLE;
        assert_eq!(accepts(Subject::Config, text), Ok(()));
        for (text, valid) in [
            ("scope: cgroup:/x\n", true),
            ("scope: all\n", false),
            ("static_fields: {a: b}\n", true),
            ("throttle: {window_s: 86401}\n", false),
            ("metrics: {lisen: x}\n", false),
            (
                "rules: {select: [{enable: {tag: x}}, {disable: {rule: '*'}}]}\n",
                true,
            ),
            ("rules: {select: [{enable: {name: x}}]}\n", false),
            ("rules: {minimum_priority: INFO}\n", true),
            (
                "outputs: {append_output: [{extra_fields: [a, {b: c}]}]}\n",
                true,
            ),
            ("outputs: {webhooks: [{url: 'ftp://x'}]}\n", false),
            ("sensor: {ring_bytes: 65537}\n", false),
        ] {
            assert_eq!(accepts(Subject::Config, text).is_ok(), valid, "{text}");
            let read = crate::config::Config::parse(text, Path::new("x"));
            assert_eq!(read.is_ok(), valid, "{text}");
        }
    }

    /// Every object that lists properties, with its path.
    fn properties<'s>(schema: &'s Value, path: &str, found: &mut Vec<(String, &'s Value)>) {
        match schema {
            Value::Object(entries) => {
                for (name, value) in entries {
                    let path = format!("{path}/{name}");
                    if let ("properties", Value::Object(listed)) = (name.as_str(), value) {
                        for (key, property) in listed {
                            found.push((format!("{path}/{key}"), property));
                        }
                    }
                    properties(value, &path, found);
                }
            }
            Value::Array(entries) => entries
                .iter()
                .for_each(|entry| properties(entry, path, found)),
            _ => {}
        }
    }

    #[test]
    fn every_key_is_described() {
        for subject in [Subject::Rules, Subject::Config] {
            let schema = of(subject);
            let mut found = Vec::new();
            properties(&schema, "", &mut found);
            assert!(found.len() > 20, "{}", found.len());
            for (path, property) in found {
                let described = property["description"]
                    .as_str()
                    .is_some_and(|text| text.len() > 5);
                // Inside `override` the keys are those of the item around it.
                assert!(described || path.contains("/override/"), "{path}");
            }
        }
    }

    #[test]
    fn the_schema_of_the_configuration_knows_every_key_that_is_read() {
        let schema = of(Subject::Config);
        for key in crate::config::environment::keys() {
            let path = key.path();
            let mut place = &schema;
            for part in path.split('.') {
                let reference = place["$ref"]
                    .as_str()
                    .or_else(|| place["allOf"][0]["$ref"].as_str());
                if let Some(reference) = reference {
                    place = schema.pointer(&reference[1..]).unwrap();
                }
                place = &place["properties"][part];
            }
            assert!(place.is_object(), "{path}");
        }
    }
}
