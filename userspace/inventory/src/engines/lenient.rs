//! Reading JSON of which any member may be odd.

use serde::{Deserialize, Deserializer};

/// `null` and a value of an unexpected type count as absent.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Lenient<T> {
        Value(T),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Lenient::deserialize(from)? {
        Lenient::Value(value) => value,
        Lenient::Other(_) => T::default(),
    })
}
