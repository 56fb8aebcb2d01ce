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
