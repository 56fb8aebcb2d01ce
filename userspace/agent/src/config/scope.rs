//! What is watched, as `--scope` and the configuration spell it.

use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vigia_event::mount::is_below;

/// Which tasks are watched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// Those of containers, and those that came from one.
    #[default]
    Containers,
    /// All of the machine.
    Host,
    /// Those in one cgroup and below it; an absolute path from the root of the cgroup hierarchy.
    Cgroup(PathBuf),
}

impl Scope {
    /// Whether what happens in the cgroup of a container is watched.
    #[must_use]
    pub fn contains(&self, cgroup_path: &[u8]) -> bool {
        match self {
            Self::Containers | Self::Host => true,
            Self::Cgroup(path) => is_below(cgroup_path, path.as_os_str().as_bytes()),
        }
    }
}

/// The text is no scope.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no scope; write containers, host or cgroup:/PATH")]
pub struct ScopeError(String);

impl Scope {
    /// What a scope looks like, as a regular expression.
    pub(super) const PATTERN: &str = "^(containers|host|cgroup:/.*)$";
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        match text {
            "containers" => Ok(Self::Containers),
            "host" => Ok(Self::Host),
            _ => match text.strip_prefix("cgroup:") {
                Some(path) if path.starts_with('/') => Ok(Self::Cgroup(path.into())),
                _ => Err(ScopeError(text.to_owned())),
            },
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Containers => f.write_str("containers"),
            Self::Host => f.write_str("host"),
            Self::Cgroup(path) => write!(f, "cgroup:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_as_they_are_written() {
        for text in ["containers", "host", "cgroup:/system.slice/x.service"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for bad in ["", "container", "cgroup:", "cgroup:relative", "Host"] {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
    }

    #[test]
    fn containers_outside_of_a_cgroup_are_not_watched() {
        for (scope, path, expected) in [
            ("containers", "/docker/a", true),
            ("host", "/docker/a", true),
            ("cgroup:/docker", "/docker/a", true),
            ("cgroup:/docker/a", "/docker/a", true),
            ("cgroup:/dock", "/docker/a", false),
            ("cgroup:/docker/a/b", "/docker/a", false),
        ] {
            let scope: Scope = scope.parse().unwrap();
            assert_eq!(scope.contains(path.as_bytes()), expected, "{scope} {path}");
        }
    }
}
