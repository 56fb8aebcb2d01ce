//! Types of configuration values whose bounds are part of the type, so that a wrong value is refused
//! where it is read, with its line and column.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use vigia_engine::Priority;
use vigia_inventory::containers::can_be_declared;

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Bounded<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Bounded<MIN, MAX> {
    /// A number known when compiling; one out of bounds does not compile.
    #[must_use]
    pub const fn of<const NUMBER: u64>() -> Self {
        const { assert!(NUMBER >= MIN && NUMBER <= MAX) }
        Self(NUMBER)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number as a count of things in memory.
    #[must_use]
    pub fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// The number as seconds.
    #[must_use]
    pub const fn seconds(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(Number { min: MIN, max: MAX })
            .map(Self)
    }
}

struct Number {
    min: u64,
    max: u64,
}

impl Visitor<'_> for Number {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {} to {}", self.min, self.max)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        if (self.min..=self.max).contains(&number) {
            Ok(number)
        } else {
            Err(E::invalid_value(Unexpected::Unsigned(number), &self))
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }
}

/// The least urgent priority that counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinimumPriority(pub Priority);

impl Serialize for MinimumPriority {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.name().to_lowercase())
    }
}

impl<'de> Deserialize<'de> for MinimumPriority {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        word.parse().map(Self).map_err(|_| {
            let known = Priority::ALL
                .map(|priority| priority.name().to_lowercase())
                .join(", ");
            D::Error::custom(format_args!("`{word}` is no priority; known are {known}"))
        })
    }
}

/// Size of the ring in bytes: a power of two from 64 KiB to 1 GiB, as the kernel demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RingBytes(u32);

impl RingBytes {
    pub(super) const MIN: u32 = 64 << 10;
    pub(super) const MAX: u32 = 1 << 30;

    /// The size in bytes.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for RingBytes {
    fn default() -> Self {
        Self(8 << 20)
    }
}

impl<'de> Deserialize<'de> for RingBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bounds = Number {
            min: Self::MIN.into(),
            max: Self::MAX.into(),
        };
        let bytes = deserializer.deserialize_any(bounds)?;
        u32::try_from(bytes)
            .ok()
            .filter(|bytes| bytes.is_power_of_two())
            .map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("{bytes} is not a power of two")))
    }
}

/// Text of 1 to `MAX` bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// Checks text.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn new(text: String) -> Result<Self, String> {
        match text.len() {
            0 => Err("must not be empty".to_owned()),
            len if len > MAX => Err(format!("must be at most {MAX} bytes long, not {len}")),
            _ if text.chars().any(char::is_control) => {
                Err("must not contain control characters".to_owned())
            }
            _ => Ok(Self(text)),
        }
    }
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A path from the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AbsolutePath(PathBuf);

impl AbsolutePath {
    /// A path known when compiling.
    pub(super) fn fixed(path: &'static str) -> Self {
        debug_assert!(path.starts_with('/'));
        Self(path.into())
    }
}

impl Deref for AbsolutePath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl<'de> Deserialize<'de> for AbsolutePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = PathBuf::deserialize(deserializer)?;
        if path.is_absolute() {
            Ok(Self(path))
        } else {
            Err(D::Error::custom(format_args!(
                "{} must be an absolute path",
                path.display()
            )))
        }
    }
}

/// Where secrets are: a path from the root of a file or a folder, or a glob below a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SecretPath(Text<256>);

impl Deref for SecretPath {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for SecretPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = Text::deserialize(deserializer)?;
        if can_be_declared(path.as_bytes()) {
            Ok(Self(path))
        } else {
            Err(D::Error::custom(format_args!(
                "`{path}` must be an absolute path without `..`, or a glob below a folder such as `/srv/keys/*.pem`"
            )))
        }
    }
}

/// Text that no log, error message or `Debug` output shows.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Sensitive(String);

impl Sensitive {
    /// The text, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}

impl<'de> Deserialize<'de> for Sensitive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Hidden).map(Self)
    }
}

/// Accepts text; unlike the default, its messages never quote what was found.
struct Hidden;

impl Visitor<'_> for Hidden {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        const MAX: usize = 8192;
        match text.len() {
            len if len > MAX => Err(E::custom(format_args!(
                "must be at most {MAX} bytes long, not {len}"
            ))),
            _ if text.chars().any(char::is_control) => {
                Err(E::custom("must not contain control characters"))
            }
            _ => Ok(text.to_owned()),
        }
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<String, E> {
        Err(E::custom("must be text: put it in quotes"))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<String, E> {
        self.visit_bool(true)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<String, E> {
        self.visit_bool(true)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<String, E> {
        self.visit_bool(true)
    }
}

/// An `http://` or `https://` address. It may carry credentials, so that only its host is ever shown.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Url(Sensitive);

impl Url {
    /// The whole address, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Scheme, host and port: what may be shown.
    #[must_use]
    pub fn shown(&self) -> String {
        let Some((scheme, rest)) = self.expose().split_once("://") else {
            return String::new();
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        format!("{scheme}://{host}")
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let url = Self(Sensitive::deserialize(deserializer)?);
        let scheme = url.expose().split("://").next().unwrap_or_default();
        let has_host = url.shown().len() > scheme.len() + "://".len();
        if matches!(scheme, "http" | "https")
            && has_host
            && !url.expose().contains(char::is_whitespace)
        {
            Ok(url)
        } else {
            Err(D::Error::custom(
                "must be an http:// or https:// address without blanks",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_bounds_are_refused_naming_the_bounds() {
        let parse = |text: &str| serde_json::from_str::<Bounded<1, 10>>(text);
        assert_eq!(parse("10").unwrap().get(), 10);
        for bad in ["0", "11", "-1", "\"ten\"", "1.5", "null"] {
            let message = parse(bad).unwrap_err().to_string();
            assert!(
                message.contains("a whole number from 1 to 10"),
                "{bad}: {message}"
            );
        }
    }

    #[test]
    fn the_ring_is_a_power_of_two() {
        let parse = |text: &str| serde_json::from_str::<RingBytes>(text);
        assert_eq!(parse("65536").unwrap().get(), 65536);
        for bad in ["65537", "1024", "4294967296"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn credentials_in_an_address_are_never_shown() {
        for (address, shown) in [
            (
                "https://user:canary@hooks.example.org:8443/in?token=canary",
                "https://hooks.example.org:8443",
            ),
            ("http://10.0.0.1/canary", "http://10.0.0.1"),
            ("http://[::1]:80/#canary", "http://[::1]:80"),
        ] {
            let url: Url = serde_json::from_value(address.into()).unwrap();
            assert_eq!(url.shown(), shown);
            assert!(!format!("{url:?}").contains("canary"));
        }
    }

    #[test]
    fn only_http_addresses_with_a_host_are_accepted() {
        for bad in [
            "",
            "ftp://host",
            "https://",
            "host/path",
            "https:///path",
            "https://ho st/",
        ] {
            let parsed: Result<Url, _> = serde_json::from_value(bad.into());
            assert!(parsed.is_err(), "{bad}");
        }
    }

    #[test]
    fn sensitive_values_stay_out_of_messages() {
        let long = format!("canary{}", "x".repeat(9000));
        for bad in [
            serde_json::json!(long),
            serde_json::json!("canary\n"),
            serde_json::json!(["canary"]),
            4711.into(),
        ] {
            let message = serde_json::from_value::<Sensitive>(bad)
                .unwrap_err()
                .to_string();
            assert!(
                !message.contains("canary") && !message.contains("4711"),
                "{message}"
            );
        }
    }
}
