//! Names of users and groups, from the passwd and group files of one root.

use bstr::BString;
use serde::{Deserialize, Serialize};

/// The users and groups of one root, small enough to search.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Users {
    /// uid, name, home, shell; sorted by uid.
    pub users: Vec<User>,
    /// gid and name; sorted by gid.
    pub groups: Vec<(u32, BString)>,
    /// How gids are mapped, where these are the groups of another user namespace than the host's.
    pub gid_ranges: Vec<IdRange>,
}

/// Ids of a user namespace that follow each other for the host, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first, as the namespace counts.
    pub inside: u32,
    /// The same as the host counts.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// A line of passwd.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of passwd(5)")]
pub struct User {
    pub uid: u32,
    pub name: BString,
    pub home: BString,
    pub shell: BString,
}

impl Users {
    /// The user's line.
    #[must_use]
    pub fn user(&self, uid: u32) -> Option<&User> {
        let index = self
            .users
            .binary_search_by_key(&uid, |user| user.uid)
            .ok()?;
        self.users.get(index)
    }

    /// The name of a group that the host knows by this id.
    #[must_use]
    pub fn group_outside(&self, gid: u32) -> Option<&BString> {
        if self.gid_ranges.is_empty() {
            return self.group(gid);
        }
        self.gid_ranges.iter().find_map(|range| {
            let offset = gid.checked_sub(range.outside)?;
            let inside = range.inside.checked_add(offset)?;
            (offset < range.count).then(|| self.group(inside))?
        })
    }

    /// The group's name.
    #[must_use]
    pub fn group(&self, gid: u32) -> Option<&BString> {
        let index = self
            .groups
            .binary_search_by_key(&gid, |group| group.0)
            .ok()?;
        self.groups.get(index).map(|group| &group.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_what_the_host_calls_them() {
        let mut users = Users {
            groups: vec![(0, "root".into()), (1000, "web".into())],
            ..Users::default()
        };
        let name = |users: &Users, gid| users.group_outside(gid).map(ToString::to_string);
        assert_eq!(name(&users, 1000).as_deref(), Some("web"));
        let range = |inside, outside, count| IdRange {
            inside,
            outside,
            count,
        };
        users.gid_ranges = vec![range(0, 1002, 1), range(1, 100_000, 65_536)];
        for (gid, expected) in [
            (1002, Some("root")),
            (100_999, Some("web")),
            (1000, None),
            (0, None),
            (u32::MAX, None),
        ] {
            assert_eq!(name(&users, gid).as_deref(), expected, "{gid}");
        }
    }
}
