//! What every engine declares of a container in the same words: capabilities, limits, the environment.

use bstr::BString;
use serde::{Deserialize, Deserializer};
use vigia_event::container::is_secret_variable;

use super::limits;

/// Names and ports kept of one kind.
pub(super) const MAX_NAMES: usize = 256;

/// With the prefix that engines let one leave out.
pub(super) fn capabilities(names: Vec<String>) -> Vec<BString> {
    let named = |name: String| {
        let name = name.to_ascii_uppercase();
        if name == "ALL" || name.starts_with("CAP_") {
            name
        } else {
            format!("CAP_{name}")
        }
    };
    names
        .into_iter()
        .take(MAX_NAMES)
        .map(|name| limits::text(named(name)))
        .collect()
}

/// Nothing, zero and below are no limit.
pub(super) fn limit(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// From billionths of a processor, or from a share of a period in microseconds.
pub(super) fn cpu_millis(nano_cpus: i64, quota: i64, period: i64) -> u64 {
    const DEFAULT_PERIOD: u64 = 100_000;
    if nano_cpus > 0 {
        return limit(nano_cpus) / 1_000_000;
    }
    let period = match limit(period) {
        0 => DEFAULT_PERIOD,
        period => period,
    };
    limit(quota).saturating_mul(1000) / period
}

/// A variable of the environment, of which nothing but the name is ever kept.
#[derive(Debug, Default)]
pub(super) struct Variable {
    name: String,
    is_set: bool,
    /// Whether its value is an address with a password in it.
    has_password: bool,
}

impl<'de> Deserialize<'de> for Variable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (name, value) = text.split_once('=').unwrap_or((&text, ""));
        Ok(Self {
            name: name.to_owned(),
            is_set: !value.is_empty(),
            has_password: has_password(value),
        })
    }
}

/// Whether this is an address as in `postgres://user:password@host/db`.
fn has_password(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once("://") else {
        return false;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let user = rest.get(..end).and_then(|host| host.rsplit_once('@'));
    let password = user.and_then(|(user, _)| user.split_once(':'));
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    !scheme.is_empty()
        && scheme.bytes().all(is_scheme)
        && password.is_some_and(|(_, password)| !password.is_empty())
}

/// The names of those that hold a secret by all appearance, sorted.
pub(super) fn secret_variables(variables: Vec<Variable>) -> Vec<BString> {
    let mut names: Vec<BString> = variables
        .into_iter()
        .filter(|variable| {
            variable.has_password || variable.is_set && is_secret_variable(&variable.name)
        })
        .take(MAX_NAMES)
        .map(|variable| limits::text(variable.name))
        .collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_password_in_it_is_a_secret_whatever_its_name() {
        for (value, expected) in [
            ("postgres://app:hush@db:5432/app", true),
            ("mongodb+srv://app:h@sh@db/?x=1", true),
            ("redis://:hush@cache", true),
            ("postgres://app@db/app", false),
            ("postgres://app:@db/app", false),
            ("http://host:80/a@b", false),
            ("see a b://c:d@e", false),
            ("user:hush@host", false),
            ("", false),
        ] {
            let text = serde_json::Value::from(format!("DATABASE_URL={value}"));
            let variable: Variable = serde_json::from_value(text).expect("a variable");
            assert_eq!(variable.has_password, expected, "{value}");
            let names = secret_variables(vec![variable]);
            assert_eq!(names.len(), usize::from(expected), "{value}");
        }
    }
}
