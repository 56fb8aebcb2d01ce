//! Grype's own JSON.

use serde::Deserialize;
use vigia_event::container::Severity;

use super::Found;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Match {
    vulnerability: Vulnerability,
    artifact: Artifact,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Vulnerability {
    id: String,
    severity: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Artifact {
    name: String,
    locations: Option<Vec<Location>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location {
    path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Source {
    target: Target,
}

/// Of a folder it is a text, and no image.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Target {
    Image(Image),
    Other(serde::de::IgnoredAny),
}

impl Default for Target {
    fn default() -> Self {
        Self::Image(Image::default())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Image {
    #[serde(rename = "imageID")]
    image_id: Option<String>,
    manifest_digest: Option<String>,
    repo_digests: Option<Vec<String>>,
}

impl Source {
    pub(super) fn images(self) -> Vec<String> {
        let Target::Image(image) = self.target else {
            return Vec::new();
        };
        image
            .image_id
            .into_iter()
            .chain(image.manifest_digest)
            .chain(image.repo_digests.unwrap_or_default())
            .collect()
    }
}

pub(super) fn found_in(matches: Vec<Match>) -> Found {
    let mut found = Found::default();
    for one in matches {
        let locations = one.artifact.locations.unwrap_or_default();
        found.add(
            &one.artifact.name,
            &one.vulnerability.id,
            Severity::from_word(&one.vulnerability.severity),
            locations.into_iter().map(|location| location.path),
        );
    }
    found
}
