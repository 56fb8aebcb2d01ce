//! What the JSON schema of the configuration says about values whose bounds are part of their type.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use vigia_engine::Priority;

use super::scope::Scope;
use super::value::{
    AbsolutePath, Bounded, MinimumPriority, RingBytes, SecretPath, Sensitive, Text, Url,
};

/// A schema for a type that stands inline wherever the type is used.
macro_rules! schema {
    ($type:ty $(, const $name:ident: $of:ty)* => $schema:expr) => {
        impl$(<const $name: $of>)* JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Bounded<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Bounded".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }
}

schema!(Text<MAX>, const MAX: usize => json_schema!({"type": "string", "minLength": 1, "maxLength": MAX}));
schema!(RingBytes => json_schema!({
    "type": "integer",
    "enum": (RingBytes::MIN.trailing_zeros()..=RingBytes::MAX.trailing_zeros()).map(|bits| 1_u64 << bits).collect::<Vec<_>>(),
}));
schema!(SecretPath => json_schema!({"type": "string", "maxLength": 256, "pattern": "^/"}));
schema!(AbsolutePath => json_schema!({"type": "string", "pattern": "^/"}));
schema!(Sensitive => json_schema!({"type": "string"}));
schema!(Url => json_schema!({"type": "string", "pattern": "^https?://[^/?#\\s]"}));
schema!(Scope => json_schema!({"type": "string", "pattern": Scope::PATTERN}));
schema!(MinimumPriority => json_schema!({"type": "string", "pattern": priority_pattern()}));

/// The words a priority may be given by, in any case.
pub(crate) fn priority_pattern() -> String {
    let any_case = |word: &str| -> String {
        word.chars()
            .map(|letter| {
                format!(
                    "[{}{}]",
                    letter.to_ascii_uppercase(),
                    letter.to_ascii_lowercase()
                )
            })
            .collect()
    };
    let words: Vec<_> = Priority::ALL
        .iter()
        .map(|priority| any_case(priority.name()))
        .chain([any_case("info")])
        .collect();
    format!("^({})$", words.join("|"))
}
