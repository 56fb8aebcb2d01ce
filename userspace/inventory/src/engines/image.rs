//! The parts of an image's name: `[REGISTRY[:PORT]/]REPOSITORY[:TAG][@DIGEST]`.

use crate::cgroup::is_container_id;

/// An image's name, taken apart. Parts that it does not have are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageName<'n> {
    /// Registry and path.
    pub repository: &'n str,
    /// The tag.
    pub tag: &'n str,
    /// `sha256:` and hex digits.
    pub digest: &'n str,
}

impl<'n> ImageName<'n> {
    /// Takes a name apart. What stands for no name (`<none>`, an image's id) has no parts.
    #[must_use]
    pub fn parse(name: &'n str) -> Self {
        if name
            .strip_prefix("sha256:")
            .is_some_and(|hex| is_container_id(hex.as_bytes()))
        {
            return Self::default();
        }
        let (name, digest) = name.split_once('@').unwrap_or((name, ""));
        // A colon before the last slash belongs to the registry's port.
        let path = name.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match name.get(path..).and_then(|last| last.find(':')) {
            Some(colon) => (&name[..path + colon], &name[path + colon + 1..]),
            None => (name, ""),
        };
        let none_is_empty = |part: &'n str| if part == "<none>" { "" } else { part };
        Self {
            repository: none_is_empty(repository),
            tag: none_is_empty(tag),
            digest: none_is_empty(digest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let id = format!("sha256:{}", "ab".repeat(32));
        let of_digest = format!("nginx@{id}");
        for (name, repository, tag, digest) in [
            ("nginx", "nginx", "", ""),
            ("nginx:1.27", "nginx", "1.27", ""),
            (
                "docker.io/library/nginx:1.27",
                "docker.io/library/nginx",
                "1.27",
                "",
            ),
            ("localhost:5000/team/app", "localhost:5000/team/app", "", ""),
            (
                "localhost:5000/team/app:v1",
                "localhost:5000/team/app",
                "v1",
                "",
            ),
            (
                "registry:5000/app:v1@sha256:12",
                "registry:5000/app",
                "v1",
                "sha256:12",
            ),
            (&of_digest, "nginx", "", &id),
            (&id, "", "", ""),
            ("<none>:<none>", "", "", ""),
            ("nginx@<none>", "nginx", "", ""),
            ("", "", "", ""),
            (":", "", "", ""),
            ("a/b:é", "a/b", "é", ""),
        ] {
            assert_eq!(
                ImageName::parse(name),
                ImageName {
                    repository,
                    tag,
                    digest
                },
                "{name}"
            );
        }
    }
}
