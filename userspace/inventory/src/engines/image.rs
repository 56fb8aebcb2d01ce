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
    /// Whether this is no name but an image's id: `sha256:` and hex digits, or the digits alone.
    #[must_use]
    pub(super) fn is_id(name: &str) -> bool {
        is_container_id(name.strip_prefix("sha256:").unwrap_or(name).as_bytes())
    }

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

    /// The parts of the name that a container's creator gave, with what it leaves out from what the engine knows of the
    /// image: its id, tags and digests.
    #[must_use]
    pub(super) fn complete(
        named: &'n str,
        id: &str,
        tags: &'n [String],
        digests: &'n [String],
    ) -> Self {
        let hex = id.strip_prefix("sha256:").unwrap_or(id);
        let is_id = !named.is_empty() && (hex.starts_with(named) || id.starts_with(named));
        let tagged = tags.first().map(String::as_str).unwrap_or_default();
        let mut name = Self::parse(if is_id { tagged } else { named });
        if name.tag.is_empty() && name.digest.is_empty() && !name.repository.is_empty() {
            name.tag = "latest";
        }
        if name.digest.is_empty() {
            // Whatever it was pulled as: a digest tells what the image is, not what it is called.
            let mut known = digests
                .iter()
                .map(|digest| Self::parse(digest))
                .filter(|digest| !digest.digest.is_empty());
            let of_name = known
                .clone()
                .find(|digest| same_repository(digest.repository, name.repository));
            let digest = of_name.or_else(|| known.next());
            name.digest = digest.unwrap_or_default().digest;
        }
        name
    }
}

/// Whether two names are of one repository, however they are written.
pub(super) fn same_repository(one: &str, other: &str) -> bool {
    in_short(one.as_bytes()) == in_short(other.as_bytes())
}

/// An image's name as Docker writes it: `nginx` where Podman and registries write `docker.io/library/nginx`.
pub(crate) fn in_short(name: &[u8]) -> &[u8] {
    let rest = name.strip_prefix(b"docker.io/").unwrap_or(name);
    rest.strip_prefix(b"library/").unwrap_or(rest)
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

    #[test]
    fn what_a_name_leaves_out_is_asked_of_the_image() {
        const ID: &str = "sha256:1080c4e3474155dc6d57b41472d809a797dfb5e7fb1d50eef4a5ed2473bf93cc";
        for (named, tag, digest, expected) in [
            ("nginx", "", "", ("nginx", "latest", "sha256:00")),
            (
                "nginx:1",
                "x:2",
                "nginx@sha256:12",
                ("nginx", "1", "sha256:12"),
            ),
            (
                "nginx:1",
                "",
                "docker.io/library/nginx@sha256:12",
                ("nginx", "1", "sha256:12"),
            ),
            (
                "nginx:1@sha256:34",
                "",
                "nginx@sha256:12",
                ("nginx", "1", "sha256:34"),
            ),
            ("nginx@sha256:34", "", "", ("nginx", "", "sha256:34")),
            (
                ID,
                "team/web:3",
                "team/web@sha256:12",
                ("team/web", "3", "sha256:12"),
            ),
            (
                "1080c4e34741",
                "team/web:3",
                "",
                ("team/web", "3", "sha256:00"),
            ),
            (ID, "", "", ("", "", "sha256:00")),
            ("", "x:1", "", ("", "", "sha256:00")),
        ] {
            let tags: Vec<String> = [tag]
                .into_iter()
                .filter(|tag| !tag.is_empty())
                .map(str::to_owned)
                .collect();
            let digests = ["other@sha256:00".to_owned(), digest.to_owned()];
            let name = ImageName::complete(named, ID, &tags, &digests);
            assert_eq!(
                (name.repository, name.tag, name.digest),
                expected,
                "{named}"
            );
        }
    }
}
