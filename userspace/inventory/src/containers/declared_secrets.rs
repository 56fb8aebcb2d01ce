//! Secrets of which no mount tells: what people declare for containers, and what engines keep on the host.

use bstr::{BString, ByteSlice};
use vigia_event::container::{Container, Engine};
use vigia_event::secret::SecretSource;

use crate::engines::in_short;
use crate::path_pattern;

/// The container label that names its secrets: absolute paths of files or folders, separated by commas; `*` stands for
/// anything within one folder, `**` for anything. It speaks for its own container only.
pub const LABEL: &str = "vigia.secrets";

/// Paths declared for one life of a container, and their lengths.
pub(super) const MAX_PATTERNS: usize = 64;
const MAX_PATTERN_BYTES: usize = 256;

/// Secrets that the configuration declares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredSecrets {
    /// Absolute paths in the container, as in the label.
    pub paths: Vec<String>,
    /// Which images' containers are meant, by the image's name with or without its tag; `None` for all.
    pub image: Option<String>,
    /// Which containers are meant, by name; `None` for all.
    pub container: Option<String>,
}

/// A file or folder of the host that holds secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSecret {
    /// Absolute path, as in the label.
    pub path: BString,
    /// What it is called; `None`: each file by its own name.
    pub name: Option<BString>,
    /// Who keeps it there.
    pub source: SecretSource,
}

/// What engines keep in their folders: engine, path in it, name, source.
const ENGINE_STATE: &[(Engine, &str, &str, SecretSource)] = &[
    (
        Engine::Docker,
        "swarm/raft",
        "swarm-raft",
        SecretSource::Swarm,
    ),
    (
        Engine::Docker,
        "swarm/worker",
        "swarm-worker",
        SecretSource::Swarm,
    ),
    (
        Engine::Docker,
        "swarm/certificates/*.key",
        "swarm-node-key",
        SecretSource::Swarm,
    ),
    (
        Engine::Podman,
        "secrets/filedriver",
        "podman-secrets",
        SecretSource::Podman,
    ),
];

/// Where their folders are unless they were told otherwise.
const USUAL_ROOTS: &[(Engine, &str)] = &[
    (Engine::Docker, "/var/lib/docker"),
    (Engine::Podman, "/var/lib/containers/storage"),
    (Engine::Podman, "/home/*/.local/share/containers/storage"),
];

/// What engines keep on the host where they usually do.
#[must_use]
pub fn engine_state() -> Vec<HostSecret> {
    let usual = USUAL_ROOTS.iter();
    usual
        .flat_map(|&(engine, root)| state_below(engine, root.as_bytes()))
        .collect()
}

/// What an engine keeps below its folder on the host.
pub(super) fn state_below(engine: Engine, root: &[u8]) -> impl Iterator<Item = HostSecret> {
    let root = root.strip_suffix(b"/").unwrap_or(root).to_vec();
    let own = move |state: &&(Engine, &str, &str, SecretSource)| state.0 == engine;
    let secret = move |&(_, path, name, source): &(Engine, &str, &str, SecretSource)| HostSecret {
        path: [root.as_slice(), b"/", path.as_bytes()].concat().into(),
        name: Some(name.into()),
        source,
    };
    ENGINE_STATE.iter().filter(own).map(secret)
}

/// The paths declared for a container, as far as is known now: those that can be looked for, and others.
pub(super) fn of_container(
    container: &Container,
    configured: &[DeclaredSecrets],
) -> (Vec<BString>, Vec<BString>) {
    let known = container.known();
    let configured = configured
        .iter()
        .filter(|declared| {
            let image = declared.image.as_deref().is_none_or(|pattern| {
                known.is_some_and(|known| {
                    [&known.image, &known.image_repository]
                        .iter()
                        .any(|name| is_of_image(pattern.as_bytes(), name))
                })
            });
            let name = declared.container.as_deref().is_none_or(|pattern| {
                known.is_some_and(|known| path_pattern::matches(pattern.as_bytes(), &known.name))
            });
            image && name
        })
        .flat_map(|declared| declared.paths.iter().map(|path| path.as_bytes()));
    let label = known.and_then(|known| known.label(LABEL));
    let labelled = label.into_iter().flat_map(|label| label.split_str(","));
    configured
        .chain(labelled)
        .map(|path| path.trim())
        .filter(|path| !path.is_empty())
        .take(MAX_PATTERNS)
        .map(BString::from)
        .partition(|path| can_be_declared(path))
}

/// Whether an image's name matches a pattern, in whichever of its forms: Docker leaves out what others write of the usual place.
fn is_of_image(pattern: &[u8], name: &[u8]) -> bool {
    let short = in_short(name);
    let is_pattern = pattern.iter().any(path_pattern::is_wildcard);
    path_pattern::matches(pattern, name)
        || path_pattern::matches(pattern, short)
        || !is_pattern && in_short(pattern) == short
}

/// Whether a path can be looked for: absolute, at most 256 bytes, without detours, and not all of a root.
#[must_use]
pub fn can_be_declared(path: &[u8]) -> bool {
    let (folder, _) = path_pattern::split(path);
    path.len() <= MAX_PATTERN_BYTES
        && folder.starts_with(b"/")
        && folder.len() > 1
        && path.split_str("/").all(|part| part != b"..")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use vigia_event::container::{Inspected, Metadata};

    use super::*;

    fn container(label: &str) -> Container {
        let inspected = Inspected {
            name: "shop-1".into(),
            image: "registry/shop:2".into(),
            image_repository: "registry/shop".into(),
            labels: [(LABEL.to_owned(), label.into())].into(),
            ..Inspected::default()
        };
        Container {
            metadata: Metadata::Known(Arc::new(inspected)),
            ..Container::default()
        }
    }

    #[test]
    fn a_label_names_absolute_paths_and_never_a_whole_root() {
        for (label, usable, others) in [
            ("/srv/key", &["/srv/key"][..], 0),
            (
                " /srv/key , /srv/keys/*.pem,",
                &["/srv/key", "/srv/keys/*.pem"],
                0,
            ),
            ("relative,../x,/a/../b,/,/*,/**,*", &[], 7),
            ("", &[], 0),
        ] {
            let found = of_container(&container(label), &[]);
            assert_eq!(found.0, usable, "{label}");
            assert_eq!(found.1.len(), others, "{label}");
        }
        let long = format!("/srv/{}", "x".repeat(300));
        assert!(of_container(&container(&long), &[]).0.is_empty());
        let many = "/srv/x,".repeat(100);
        assert_eq!(of_container(&container(&many), &[]).0.len(), MAX_PATTERNS);
    }

    #[test]
    fn the_configuration_says_whose_secrets_it_means() {
        let declared = |image: Option<&str>, name: Option<&str>| DeclaredSecrets {
            paths: vec!["/srv/key".to_owned()],
            image: image.map(str::to_owned),
            container: name.map(str::to_owned),
        };
        for (image, name, expected) in [
            (None, None, 1),
            (Some("registry/shop"), None, 1),
            (Some("registry/shop:2"), None, 1),
            (Some("registry/*"), Some("shop-*"), 1),
            (Some("registry/*"), Some("web-*"), 0),
            (Some("shop"), None, 0),
        ] {
            let (found, _) = of_container(&container(""), &[declared(image, name)]);
            assert_eq!(found.len(), expected, "{image:?} {name:?}");
        }
        let mut hub = container("");
        for (pattern, image, expected) in [
            ("docker.io/library/bb", "bb", 1),
            ("bb:1", "docker.io/library/bb:1", 1),
            ("team/app", "docker.io/team/app", 1),
            ("bb", "quay.io/library/bb", 0),
            ("docker.io/**", "quay.io/team/app", 0),
            ("docker*/**", "docker.io/library/bb", 1),
            ("b*", "docker.io/library/bb", 1),
        ] {
            let inspected = Inspected {
                image: image.into(),
                ..Inspected::default()
            };
            hub.metadata = Metadata::Known(Arc::new(inspected));
            let (found, _) = of_container(&hub, &[declared(Some(pattern), None)]);
            assert_eq!(found.len(), expected, "{pattern} {image}");
        }
        let unknown = Container::default();
        let found = |declared| of_container(&unknown, &[declared]).0.len();
        assert_eq!(found(declared(None, None)), 1);
        assert_eq!(found(declared(Some("*"), None)), 0);
    }
}
