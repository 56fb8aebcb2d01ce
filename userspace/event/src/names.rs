//! Domain names that rules compare with, and the addresses they stand for.
//!
//! A rule such as `fd.sip.name = example.com` is about an address of a socket. Nothing is looked up while an event
//! is judged: somebody else resolves the names that rules use, in the background, and every event carries the
//! latest answers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Names with the addresses they resolve to, as far as known; bounded by the rules that use them.
///
/// ```
/// use vigia_event::names::DomainNames;
///
/// let mut names = DomainNames::pending(["example.com".to_owned()]);
/// assert!(names.is_pending());
/// let address = "192.0.2.7".parse().unwrap();
/// names.answer("example.com", [address]);
/// assert_eq!(names.of(address).collect::<Vec<_>>(), ["example.com"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainNames {
    /// Sorted addresses; `None` while there is no answer.
    names: BTreeMap<String, Option<Box<[IpAddr]>>>,
}

impl DomainNames {
    /// Names that nobody has answered yet.
    #[must_use]
    pub fn pending(names: impl IntoIterator<Item = String>) -> Self {
        let names = names.into_iter().map(|name| (name, None)).collect();
        Self { names }
    }

    /// Sets the addresses of a name, in place of what was known; none for a name that does not exist. An
    /// IPv4-mapped IPv6 address is the IPv4 address.
    pub fn answer(&mut self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        let mut addresses: Vec<IpAddr> = addresses
            .into_iter()
            .map(|address| address.to_canonical())
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        self.names
            .insert(name.to_owned(), Some(addresses.into_boxed_slice()));
    }

    /// Whether some name has no answer yet: until then nobody can say that an address has no name.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.names.values().any(Option::is_none)
    }

    /// The names an address belongs to, in alphabetical order.
    pub fn of(&self, address: IpAddr) -> impl Iterator<Item = &str> {
        let address = address.to_canonical();
        self.names.iter().filter_map(move |(name, addresses)| {
            let addresses = addresses.as_deref()?;
            addresses
                .binary_search(&address)
                .is_ok()
                .then_some(name.as_str())
        })
    }

    /// All names with their addresses, `None` for those without an answer.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&[IpAddr]>)> {
        self.names
            .iter()
            .map(|(name, addresses)| (name.as_str(), addresses.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_every_name_that_resolves_to_it() {
        let mut names = DomainNames::pending(["b.test", "a.test", "c.test"].map(str::to_owned));
        let address: IpAddr = "192.0.2.1".parse().expect("an address");
        names.answer(
            "b.test",
            [address, "2001:db8::1".parse().expect("an address")],
        );
        names.answer("a.test", ["::ffff:192.0.2.1".parse().expect("an address")]);
        assert!(names.is_pending());
        names.answer("c.test", []);
        assert!(!names.is_pending());
        assert_eq!(names.of(address).collect::<Vec<_>>(), ["a.test", "b.test"]);
        assert_eq!(names.iter().count(), 3);
    }
}
