//! CycloneDX documents, and what they say of exploitability (VEX).

use std::collections::HashMap;

use serde::Deserialize;
use vigia_event::container::Severity;

use super::{Document, Found};

/// Components of a bill of materials that are looked at, and how deep they may lie in each other.
const MAX_COMPONENTS: usize = 1 << 18;
pub(super) const MAX_DEPTH: usize = 16;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    component: Component,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Component {
    #[serde(rename = "bom-ref")]
    reference: Option<String>,
    name: String,
    version: Option<String>,
    purl: Option<String>,
    properties: Option<Vec<Property>>,
    /// What it consists of.
    components: Option<Vec<Component>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Property {
    name: String,
    value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Vulnerability {
    id: String,
    ratings: Option<Vec<Rating>>,
    affects: Option<Vec<Affected>>,
    analysis: Option<Analysis>,
}

/// What somebody found when they looked at it, in this very image (VEX).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Analysis {
    state: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rating {
    severity: Option<String>,
    score: Option<f64>,
    method: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Affected {
    r#ref: String,
}

impl Vulnerability {
    /// Whether it was found to be none of this image, or no more.
    fn is_dismissed(&self) -> bool {
        let state = self.analysis.as_ref().and_then(|one| one.state.as_deref());
        matches!(
            state,
            Some("not_affected" | "false_positive" | "resolved" | "resolved_with_pedigree")
        )
    }
}

impl Rating {
    /// By its word, or else by its score: CVSS's own scale. Scores of other methods, such as EPSS, mean something else.
    fn severity(&self) -> Severity {
        let word = Severity::from_word(self.severity.as_deref().unwrap_or_default());
        let method = self.method.as_deref().unwrap_or("CVSS");
        match self.score.filter(|_| method.starts_with("CVSS")) {
            Some(score) if word == Severity::Unknown => match score {
                9.0.. => Severity::Critical,
                7.0.. => Severity::High,
                4.0.. => Severity::Medium,
                score if score > 0.0 => Severity::Low,
                _ => Severity::Unknown,
            },
            _ => word,
        }
    }
}

pub(super) fn found_in(document: Document) -> (Vec<String>, Found) {
    let own = document.metadata.component;
    let listed = [document.components, own.components];
    let of_image = |property: &Property| {
        property.name.ends_with(":RepoDigest") || property.name.ends_with(":ImageID")
    };
    let images = own
        .version
        .into_iter()
        .chain(
            own.purl
                .map(|purl| purl.replace("%3A", ":").replace("%3a", ":")),
        )
        .chain(
            own.properties
                .unwrap_or_default()
                .into_iter()
                .filter(of_image)
                .filter_map(|property| property.value),
        )
        .collect();
    let components = by_reference(listed.into_iter().flatten().flatten());
    let mut found = Found::default();
    let vulnerabilities = document.vulnerabilities.unwrap_or_default().into_iter();
    for one in vulnerabilities.filter(|one| !one.is_dismissed()) {
        let ratings = one.ratings.iter().flatten();
        let severity = ratings
            .map(Rating::severity)
            .max()
            .unwrap_or(Severity::Unknown);
        let affects = one.affects.unwrap_or_default();
        if affects.is_empty() {
            // Of the image, and of nobody knows what in it.
            found.add("", &one.id, severity, std::iter::empty());
        }
        for affected in affects {
            let component = components.get(&affected.r#ref);
            let name = component.map_or(affected.r#ref.as_str(), |one| one.name.as_str());
            let files = component
                .iter()
                .flat_map(|component| component.properties.iter().flatten())
                .filter(|property| is_path(&property.name))
                .filter_map(|property| property.value.clone());
            found.add(name, &one.id, severity, files);
        }
    }
    (images, found)
}

/// Components, and what they consist of, by the name under which vulnerabilities refer to them.
fn by_reference(listed: impl Iterator<Item = Component>) -> HashMap<String, Component> {
    let mut found = HashMap::new();
    let mut level: Vec<_> = listed.take(MAX_COMPONENTS).collect();
    let mut room = MAX_COMPONENTS;
    for _ in 0..MAX_DEPTH {
        let mut next = Vec::new();
        for mut component in level.into_iter().take(room) {
            room -= 1;
            next.extend(component.components.take().unwrap_or_default());
            if let Some(reference) = component.reference.clone() {
                found.insert(reference, component);
            }
        }
        level = next;
    }
    found
}

/// `syft:location:0:path`, `aquasecurity:trivy:FilePath`.
fn is_path(property: &str) -> bool {
    property.ends_with(":FilePath")
        || (property.starts_with("syft:location:") && property.ends_with(":path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_components_are_looked_at_and_no_more() {
        let many = (0..MAX_COMPONENTS + 9).map(|number| Component {
            reference: Some(number.to_string()),
            ..Component::default()
        });
        assert_eq!(by_reference(many).len(), MAX_COMPONENTS);
    }
}
