//! What the configuration does to rules that it does not own: switching them on and off, and adding to what their
//! alerts say.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::value::Text;

/// An item of `rules.select`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Select {
    /// Switch rules on.
    Enable(Which),
    /// Switch rules off.
    Disable(Which),
}

/// Which rules an item of `rules.select` is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// Those whose whole name matches, where `*` stands for any text.
    Rule(Text<512>),
    /// Those that have this tag.
    Tag(Text<128>),
}

/// An item of `outputs.append_output`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AppendOutput {
    /// Which rules it is for; all, if absent.
    #[serde(rename = "match")]
    pub rules: AppendMatch,
    /// Text with `%field` tokens, appended to the output behind a blank.
    pub extra_output: Option<Text<4096>>,
    /// Fields that alerts carry besides those of the output.
    pub extra_fields: Vec<ExtraField>,
    /// Append who the container is, and the fixed fields.
    pub suggested_output: bool,
}

/// Which rules an item of `outputs.append_output` is for: those that all given conditions pick.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AppendMatch {
    /// Rules of this source of events.
    pub source: Option<Text<64>>,
    /// Rules that have all of these tags.
    pub tags: Vec<Text<128>>,
    /// The rule of this name.
    pub rule: Option<Text<512>>,
}

/// An item of `extra_fields`: the name of a field, or one name with a text of `%field` tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ExtraField {
    /// A field under its own name and with its own type.
    Field(Text<512>),
    /// Text under a name of its own: exactly one entry.
    Text(BTreeMap<Text<128>, Text<4096>>),
}

impl<'de> Deserialize<'de> for ExtraField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not `untagged`: that would lose what is wrong and where.
        struct FieldOrText;

        impl<'de> Visitor<'de> for FieldOrText {
            type Value = ExtraField;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field, or one name with a text")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<ExtraField, E> {
                Text::new(name.to_owned())
                    .map(ExtraField::Field)
                    .map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ExtraField, A::Error> {
                let named = BTreeMap::<Text<128>, _>::deserialize(MapAccessDeserializer::new(map))?;
                if named.len() == 1 {
                    Ok(ExtraField::Text(named))
                } else {
                    Err(A::Error::invalid_length(named.len(), &self))
                }
            }
        }

        deserializer.deserialize_any(FieldOrText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_fields_are_names_or_one_named_text() {
        let read = |json: &str| serde_json::from_str::<ExtraField>(json);
        assert!(matches!(read(r#""proc.name""#), Ok(ExtraField::Field(_))));
        let Ok(ExtraField::Text(named)) = read(r#"{"who": "%user.name"}"#) else {
            panic!("a text")
        };
        assert_eq!(named.len(), 1);
        for (bad, part) in [
            ("{}", "length 0, expected the name"),
            (r#"{"a": "b", "c": "d"}"#, "length 2"),
            ("[]", "expected the name of a field"),
            (r#""""#, "empty"),
        ] {
            let message = read(bad).unwrap_err().to_string();
            assert!(message.contains(part), "{bad}: {message}");
        }
    }
}
