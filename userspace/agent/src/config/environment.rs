//! Environment variables that override the configuration file.
//!
//! Every key has one: `VIGIA_` and the key's path in capitals, joined by `_`, so that `metrics.listen` is
//! `VIGIA_METRICS_LISTEN`. `VIGIA_NODE` is short for `VIGIA_NODE_NAME`, and `VIGIA_STATIC_FIELDS` is Falco's name
//! for `VIGIA_FIXED_FIELDS`. Lists are comma separated or
//! written as YAML (`[a, b]`), mappings as `key=value,key=value` or YAML (`{key: value}`).

use serde_json::{Map, Value};

use super::Config;

const PREFIX: &str = "VIGIA_";
const MAX_BYTES: usize = 64 << 10;

/// An environment variable that cannot override a key.
#[derive(Debug, thiserror::Error)]
#[error("environment variable {variable}: {reason}")]
pub struct EnvironmentError {
    /// Its name.
    pub variable: String,
    /// What is wrong with its value.
    pub reason: String,
}

/// Applies overrides; gives back the names that start with `VIGIA_` and stand for no key.
///
/// Those are not errors: an orchestrator makes variables of its own (`VIGIA_PORT`,
/// `VIGIA_SERVICE_HOST`) for a service of our name.
///
/// # Errors
/// The first variable, by name, whose value its key does not accept.
pub fn apply(
    config: &mut Config,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<String>, EnvironmentError> {
    let mut overrides: Vec<_> = variables
        .into_iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    overrides.sort();
    if overrides.is_empty() {
        return Ok(Vec::new());
    }
    let keys = keys();
    let mut unknown = Vec::new();
    for (variable, text) in overrides {
        match keys
            .iter()
            .find(|key| key.variable() == variable || key.is_short(&variable))
        {
            Some(key) => key
                .set(config, &text)
                .map_err(|reason| EnvironmentError { variable, reason })?,
            None => unknown.push(variable),
        }
    }
    Ok(unknown)
}

/// A key of the configuration that holds a value.
#[derive(Clone, Debug)]
pub struct Key {
    path: Vec<String>,
    default: Value,
}

/// Every key that holds a value, in the order of their paths.
///
/// # Panics
/// Never: the defaults are plain data.
#[must_use]
pub fn keys() -> Vec<Key> {
    let defaults = to_value(&Config::default());
    let mut keys = Vec::new();
    collect(&mut keys, &mut Vec::new(), &defaults);
    keys
}

fn to_value(config: &Config) -> Value {
    serde_json::to_value(config).expect("a configuration is plain data with text keys")
}

fn collect(keys: &mut Vec<Key>, path: &mut Vec<String>, value: &Value) {
    match value {
        Value::Object(section) if !section.is_empty() => {
            for (name, value) in section {
                path.push(name.clone());
                collect(keys, path, value);
                path.pop();
            }
        }
        _ => keys.push(Key {
            path: path.clone(),
            default: value.clone(),
        }),
    }
}

impl Key {
    /// Its path, as in `metrics.listen`.
    #[must_use]
    pub fn path(&self) -> String {
        self.path.join(".")
    }

    /// The environment variable that overrides it.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.path.join("_").to_uppercase())
    }

    fn is_short(&self, variable: &str) -> bool {
        (variable == "VIGIA_NODE" && self.path == ["node", "name"])
            || (variable == "VIGIA_STATIC_FIELDS" && self.path == ["fixed_fields"])
    }

    fn set(&self, config: &mut Config, text: &str) -> Result<(), String> {
        if text.len() > MAX_BYTES {
            return Err(format!("longer than {MAX_BYTES} bytes"));
        }
        let mut whole = to_value(config);
        *self.place(&mut whole) = self.parse(text);
        *config = serde_json::from_value(whole).map_err(|error| error.to_string())?;
        Ok(())
    }

    fn place<'v>(&self, whole: &'v mut Value) -> &'v mut Value {
        self.path
            .iter()
            .fold(whole, |value, part| &mut value[part.as_str()])
    }

    /// Reads text as what the key's default is; text that is not stays text, for the typed reading to
    /// refuse it in its own words.
    fn parse(&self, text: &str) -> Value {
        match &self.default {
            Value::Null if text.is_empty() => Value::Null,
            Value::Null | Value::String(_) => text.into(),
            Value::Array(_) => match serde_saphyr::from_str::<Value>(text) {
                Ok(Value::Array(items)) => Value::Array(items),
                _ => text
                    .split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(Value::from)
                    .collect(),
            },
            Value::Object(_) => match serde_saphyr::from_str::<Value>(text) {
                Ok(Value::Object(entries)) => Value::Object(entries),
                _ => pairs(text).map_or_else(|| text.into(), Value::Object),
            },
            Value::Bool(_) | Value::Number(_) => {
                serde_json::from_str(text.trim()).unwrap_or_else(|_| Value::from(text))
            }
        }
    }
}

fn pairs(text: &str) -> Option<Map<String, Value>> {
    text.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            pair.split_once('=')
                .map(|(key, value)| (key.trim().to_owned(), value.trim().into()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<(Config, Vec<String>), EnvironmentError> {
        let mut config = Config::default();
        let variables = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let unknown = apply(&mut config, variables)?;
        Ok((config, unknown))
    }

    #[test]
    fn every_kind_of_key_can_be_overridden() {
        let (config, unknown) = with(&[
            ("VIGIA_NODE", "007"),
            ("VIGIA_SCOPE", "cgroup:/x"),
            ("VIGIA_METRICS_LISTEN", "0.0.0.0:1"),
            ("VIGIA_METRICS_ENABLED", "false"),
            ("VIGIA_SENSOR_BUDGET_BURST", "7"),
            ("VIGIA_RULES_PATHS", "/a, b"),
            ("VIGIA_ENGINES_SOCKETS", "[/run/x.sock]"),
            ("VIGIA_FIXED_FIELDS", "cluster=prod,site=eu"),
            ("VIGIA_OUTPUTS_FILE_PATH", "/var/log/alerts"),
            (
                "VIGIA_OUTPUTS_WEBHOOKS",
                "[{url: 'https://x/', headers: {Authorization: canary}}]",
            ),
            ("VIGIA_RULES_SELECT", "[{disable: {tag: noisy}}]"),
            ("VIGIA_OUTPUTS_JSON_INCLUDE_TAGS_PROPERTY", "false"),
            ("HOME", "/root"),
        ])
        .unwrap();
        assert_eq!(unknown, [""; 0]);
        assert_eq!(config.node.name.as_deref(), Some("007"));
        assert_eq!(config.scope, super::super::Scope::Cgroup("/x".into()));
        assert_eq!(config.metrics.listen.port(), 1);
        assert!(!config.metrics.enabled);
        assert_eq!(config.sensor.budget.burst.get(), 7);
        assert_eq!(config.rules.paths.len(), 2);
        assert_eq!(config.engines.sockets.len(), 1);
        assert_eq!(config.fixed_fields.len(), 2);
        assert_eq!(config.rules.select.len(), 1);
        assert!(!config.outputs.json.include_tags_property);
        assert_eq!(
            config.outputs.webhooks[0]
                .headers
                .values()
                .next()
                .unwrap()
                .expose(),
            "canary"
        );
        assert!(!format!("{config:?}").contains("canary"));
    }

    #[test]
    fn a_bad_value_names_its_variable_and_what_is_accepted() {
        for (variable, value, part) in [
            ("VIGIA_THROTTLE_WINDOW_S", "-1", "from 0 to 86400"),
            ("VIGIA_THROTTLE_WINDOW_S", "soon", "from 0 to 86400"),
            ("VIGIA_METRICS_ENABLED", "yes please", "boolean"),
            ("VIGIA_SCOPE", "everything", "cgroup:/PATH"),
            ("VIGIA_PROC_ROOT", "proc", "absolute"),
            ("VIGIA_LOG_LEVEL", "loud", "loud"),
            ("VIGIA_FIXED_FIELDS", "cluster", "map"),
        ] {
            let message = with(&[(variable, value)]).unwrap_err().to_string();
            assert!(
                message.contains(variable) && message.contains(part),
                "{message}"
            );
        }
    }

    #[test]
    fn variables_an_orchestrator_makes_are_reported_and_ignored() {
        let (config, unknown) = with(&[
            ("VIGIA_SERVICE_HOST", "10.0.0.1"),
            ("VIGIA_PORT", "tcp://x"),
        ])
        .unwrap();
        assert_eq!(unknown, ["VIGIA_PORT", "VIGIA_SERVICE_HOST"]);
        assert_eq!(config, Config::default());
    }

    #[test]
    fn no_two_keys_share_a_variable() {
        let mut variables: Vec<_> = keys().iter().map(Key::variable).collect();
        let count = variables.len();
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), count);
    }
}
