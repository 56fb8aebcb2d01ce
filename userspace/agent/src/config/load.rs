//! Reading a configuration file: bounded, every mistake with its place.

use std::path::{Path, PathBuf};

use serde_saphyr::Error as YamlError;

use super::Config;
use super::environment::{self, EnvironmentError};
use crate::input::{self, InputError};

/// The documented example; reading it gives the defaults.
pub const EXAMPLE: &str = include_str!("../../vigia.example.yaml");

/// Files beyond this size are refused unread.
pub const MAX_BYTES: usize = 1 << 20;

const MAX_FIXED_FIELDS: usize = 32;
const MAX_ITEMS: usize = 256;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration")]
    Read(#[from] InputError),
    /// The file is not what it should be.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
        /// What is wrong, in words; never quotes the file.
        message: String,
    },
    /// Each value is fine, but not all of them together.
    #[error("{}: {key}: {message}", path.display())]
    Values {
        /// The file.
        path: PathBuf,
        /// The key at fault.
        key: String,
        /// What is wrong, in words.
        message: String,
    },
    /// An environment variable does not fit its key.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
}

impl Config {
    /// Reads a file; `None` stands for the default place, where a missing file is an empty one.
    ///
    /// # Errors
    /// The file cannot be read, is no YAML, has a key that does not exist or a value that is refused.
    pub fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let (path, required) = match path {
            Some(path) => (path, true),
            None => (Path::new(super::DEFAULT_PATH), false),
        };
        match input::read_text(path, MAX_BYTES) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if !required && error.is_missing() => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a file's text; `path` is for error messages.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config = parse_yaml(text).map_err(|error| locate(&error, path))?;
        config.check(path)?;
        Ok(config)
    }

    /// Applies environment variables; gives back those that start with `VIGIA_` and stand for no key.
    ///
    /// # Errors
    /// A variable's value is refused.
    pub fn override_from(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Vec<String>, ConfigError> {
        let unknown = environment::apply(self, variables)?;
        self.check(Path::new("environment"))?;
        Ok(unknown)
    }

    /// What no single value's type can say.
    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let refuse = |key: &str, message: String| {
            Err(ConfigError::Values {
                path: path.to_owned(),
                key: key.to_owned(),
                message,
            })
        };
        let lists = [
            ("fixed_fields", self.fixed_fields.len(), MAX_FIXED_FIELDS),
            ("rules.paths", self.rules.paths.len(), MAX_ITEMS),
            ("rules.select", self.rules.select.len(), MAX_ITEMS),
            (
                "outputs.append_output",
                self.outputs.append_output.len(),
                MAX_ITEMS,
            ),
            ("engines.sockets", self.engines.sockets.len(), 16),
            (
                "secrets.declared_readers",
                self.secrets.declared_readers.len(),
                64,
            ),
            ("secrets.host_readers", self.secrets.host_readers.len(), 64),
            (
                "secrets.engine_programs",
                self.secrets.engine_programs.len(),
                16,
            ),
            ("secrets.declared", self.secrets.declared.len(), 64),
            ("secrets.host_paths", self.secrets.host_paths.len(), 64),
            ("outputs.webhooks", self.outputs.webhooks.len(), 16),
            ("redaction.names", self.redaction.names.len(), MAX_ITEMS),
            ("redaction.patterns", self.redaction.patterns.len(), 64),
        ];
        if let Some((key, length, most)) = lists.into_iter().find(|(_, length, most)| length > most)
        {
            return refuse(
                key,
                format!("at most {most} entries are accepted, not {length}"),
            );
        }
        for (index, append) in self.outputs.append_output.iter().enumerate() {
            let most = append.extra_fields.len().max(append.rules.tags.len());
            if most > MAX_ITEMS {
                return refuse(
                    &format!("outputs.append_output[{index}]"),
                    format!("at most {MAX_ITEMS} entries are accepted, not {most}"),
                );
            }
        }
        if self.rules.paths.is_empty() {
            return refuse(
                "rules.paths",
                "names no place; leave the key out for the default".to_owned(),
            );
        }
        let budget = &self.sensor.budget;
        // What may come at once is bounded by the ring; below this, ordinary starts would be cut short.
        if budget.burst.get() < budget.events_per_second.get() / 10 {
            return refuse(
                "sensor.budget.burst",
                "must be at least a tenth of events_per_second".to_owned(),
            );
        }
        if let Some(bad) = self
            .privileges
            .keep
            .iter()
            .find(|name| !crate::privileges::is_capability(name))
        {
            return refuse(
                "privileges.keep",
                format!("`{bad}` is no capability; write it as CAP_SYS_ADMIN"),
            );
        }
        self.check_webhooks()
            .or_else(|(key, message)| refuse(&key, message))
    }

    fn check_webhooks(&self) -> Result<(), (String, String)> {
        let mut names: Vec<String> = Vec::new();
        for (index, webhook) in self.outputs.webhooks.iter().enumerate() {
            let key = format!("outputs.webhooks[{index}]");
            let name = webhook.name_at(index);
            if names.contains(&name) || matches!(name.as_str(), "stdout" | "file") {
                return Err((
                    format!("{key}.name"),
                    format!("`{name}` is taken by another output"),
                ));
            }
            names.push(name);
            let is_token = |name: &str| {
                name.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
            };
            let headers = webhook.headers.keys().chain(webhook.header_files.keys());
            if let Some(bad) = headers.into_iter().find(|name| !is_token(name)) {
                return Err((
                    format!("{key}.headers"),
                    format!("`{bad}` is no header name"),
                ));
            }
        }
        Ok(())
    }
}

fn parse_yaml(text: &str) -> Result<Config, YamlError> {
    // Without snippets: a message must not quote a line that may hold credentials. Comments are cheap
    // and the file is bounded, so that a long explanation above a key is no reason to refuse it.
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_buffered_comment_events: 10_000,
            max_aliases: 64,
        },
    };
    Ok(serde_saphyr::from_str_with_options::<Option<Config>>(text, options)?.unwrap_or_default())
}

fn locate(error: &YamlError, path: &Path) -> ConfigError {
    let error = error.without_snippet();
    let location = error.location();
    ConfigError::Syntax {
        path: path.to_owned(),
        line: location.map_or(1, |location| location.line()),
        column: location.map_or(1, |location| location.column()),
        message: describe(error),
    }
}

fn describe(error: &YamlError) -> String {
    match error {
        YamlError::SerdeUnknownField {
            field, expected, ..
        } => unknown("key", field, expected),
        YamlError::SerdeUnknownVariant {
            variant, expected, ..
        } => unknown("value", variant, expected),
        YamlError::SerdeInvalidValue {
            unexpected,
            expected,
            ..
        }
        | YamlError::SerdeInvalidType {
            unexpected,
            expected,
            ..
        } => format!("found {unexpected}, expected {expected}"),
        YamlError::Message { msg, .. } => msg.clone(),
        other => {
            // The library ends its messages with the place, which ours begin with.
            let text = other.to_string();
            match text.rfind(" at line ") {
                Some(end) => text[..end].to_owned(),
                None => text,
            }
        }
    }
}

/// Names the nearest word that exists, or all of them where none is near.
fn unknown(what: &str, found: &str, expected: &[&str]) -> String {
    let found: String = found
        .chars()
        .take(64)
        .filter(|character| !character.is_control())
        .collect();
    let nearest = expected
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&found, name), name))
        .filter(|(distance, name)| *distance <= name.len().max(found.len()) / 2)
        .min();
    match nearest {
        Some((_, name)) => format!("unknown {what} `{found}`; did you mean `{name}`?"),
        None => format!(
            "unknown {what} `{found}`; known are {}",
            expected.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("x.yaml"))
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        for text in ["", "\n", "# nothing\n", "---\n", "{}"] {
            assert_eq!(parse(text).unwrap(), Config::default(), "{text:?}");
        }
    }

    #[test]
    fn the_example_states_the_defaults() {
        assert_eq!(parse(EXAMPLE).unwrap(), Config::default());
    }

    #[test]
    fn the_example_names_every_key() {
        for key in environment::keys() {
            let path = key.path();
            let name = path.rsplit('.').next().unwrap();
            let named = EXAMPLE.lines().any(|line| {
                line.trim_start_matches([' ', '#'])
                    .starts_with(&format!("{name}:"))
            });
            assert!(named, "{path} is missing");
        }
    }

    #[test]
    fn the_commented_part_of_the_example_is_valid_too() {
        let text: String = EXAMPLE
            .lines()
            .filter(|line| *line != "  webhooks: []")
            .map(|line| {
                line.strip_prefix("  #: ")
                    .map_or_else(|| line.to_owned(), |line| format!("  {line}"))
            })
            .collect::<Vec<_>>()
            .join("\n");
        let config = parse(&text).unwrap();
        let [webhook] = &config.outputs.webhooks[..] else {
            panic!("one webhook")
        };
        assert_eq!(webhook.timeout_s, super::super::defaults::webhook_timeout());
        assert_eq!(
            webhook.retry_age_s,
            super::super::defaults::webhook_retry_age()
        );
        let whole = serde_json::to_value(webhook).unwrap();
        for key in whole.as_object().unwrap().keys() {
            assert!(EXAMPLE.contains(&format!("{key}:")), "{key} is missing");
        }
    }

    #[test]
    fn mistakes_name_their_place_and_what_would_be_right() {
        for (text, expected) in [
            (
                "metric: {}\n",
                "x.yaml:1:1: unknown key `metric`; did you mean `metrics`?",
            ),
            (
                "metrics:\n  lisen: 1\n",
                "x.yaml:2:3: unknown key `lisen`; did you mean `listen`?",
            ),
            (
                "qqqqqqqqqqqqqq: 1\n",
                "x.yaml:1:1: unknown key `qqqqqqqqqqqqqq`; known are node, ",
            ),
            (
                "throttle:\n  window_s: 86401\n",
                "x.yaml:2:3: found integer `86401`, expected a whole number from 0 to 86400",
            ),
            ("throttle:\n  window_s: soon\n", "x.yaml:2:3: found string"),
            ("scope: all\n", "x.yaml:1:8: `all` is no scope"),
            (
                "rules: {select: [{enable: {name: x}}]}\n",
                "x.yaml:1:28: unknown value `name`; known are rule, tag",
            ),
            (
                "rules:\n  select:\n    - disabel: {tag: x}\n",
                "x.yaml:3:7: unknown value `disabel`; did you mean `disable`?",
            ),
            (
                "outputs: {append_output: [{match: {tag: [x]}}]}\n",
                "unknown key `tag`; did you mean `tags`?",
            ),
            (
                "outputs: {append_output: [{extra_fields: [[]]}]}\n",
                "the name of a field, or one name with a text",
            ),
            (
                "rules: {matching: best}\n",
                "x.yaml:1:19: unknown value `best`",
            ),
            (
                "metrics: {listen: nowhere}\n",
                "x.yaml:1:19: invalid socket address",
            ),
            (
                "state_dir: var\n",
                "x.yaml:1:12: var must be an absolute path",
            ),
            (
                "secrets: {host_paths: [/srv/a, '/**']}\n",
                "x.yaml:1:32: `/**` must be an absolute path without `..`, or a glob below a folder",
            ),
            (
                "secrets: {declared: [{paths: [srv/a]}]}\n",
                "x.yaml:1:31: `srv/a` must be an absolute path",
            ),
            ("node: {name: ''}\n", "x.yaml:1:14: must not be empty"),
            (
                "outputs:\n  webhooks:\n    - url: gopher://canary\n",
                "x.yaml:3:12: must be an http",
            ),
            (
                "outputs: {webhooks: [{headers: {}}]}\n",
                "missing field `url`",
            ),
            ("scope: host\nscope: host\n", "x.yaml:2:1: duplicate"),
            (
                "rules: {paths: []}\n",
                "x.yaml: rules.paths: names no place",
            ),
            (
                "sensor: {budget: {burst: 1}}\n",
                "x.yaml: sensor.budget.burst: ",
            ),
            (
                "privileges: {keep: [SYS_ADMIN]}\n",
                "x.yaml: privileges.keep: `SYS_ADMIN` is no capability",
            ),
            (
                "outputs: {webhooks: [{url: 'http://a', name: file}]}\n",
                "x.yaml: outputs.webhooks[0].name: ",
            ),
            (
                "outputs: {webhooks: [{url: 'http://a', headers: {'a b': c}}]}\n",
                "`a b` is no header name",
            ),
            ("a: [\n", "x.yaml:"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
            assert!(!message.contains("canary"), "{message}");
        }
    }

    #[test]
    fn a_file_that_is_missing_is_an_error_only_where_it_was_asked_for() {
        let error = Config::read(Some(Path::new("/nonexistent/vigia.yaml"))).unwrap_err();
        assert!(matches!(error, ConfigError::Read(_)));
    }
}
