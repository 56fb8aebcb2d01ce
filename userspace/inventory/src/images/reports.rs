//! Reports of scanners: Trivy's and Grype's own JSON, and CycloneDX.
//!
//! Only what is asked for is read, every member is optional, and every list is bounded: reports are made from images,
//! which anybody may have made.

mod cyclone_dx;
mod grype;
mod trivy;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use vigia_event::container::{Severity, Vulnerabilities, VulnerablePackage};

/// Packages of one image that are kept, files of a package, and names of an image.
const MAX_PACKAGES: usize = 16_384;
const MAX_FILES: usize = 4096;
const MAX_IMAGES: usize = 64;
/// Bytes of a name, a path or an id.
const MAX_TEXT: usize = 4096;

/// One report.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// Digests and ids of the image, as in `sha256:...`.
    pub(super) images: Vec<String>,
    pub(super) found: Vulnerabilities,
}

/// Reads a report of any of the known forms.
///
/// # Errors
/// It is none, or does not say which image it is about.
pub(super) fn parse(text: &[u8]) -> Result<Report, String> {
    let document: Document =
        serde_json::from_slice(text).map_err(|error| not_understood(&error))?;
    let (images, found) = if document.bom_format.as_deref() == Some("CycloneDX") {
        cyclone_dx::found_in(document)
    } else if let Some(matches) = document.matches {
        (document.source.images(), grype::found_in(matches))
    } else if document.schema_version.is_some() {
        (
            document.metadata_of_trivy.images(),
            trivy::found_in(document.results),
        )
    } else {
        return Err(
            "neither a report of Trivy (`SchemaVersion`) or Grype (`matches`) nor CycloneDX (`bomFormat`)".to_owned(),
        );
    };
    let images: BTreeSet<String> = images.iter().filter_map(|name| digest_in(name)).collect();
    if images.is_empty() {
        return Err("it does not say which image it is about: no digest and no id".to_owned());
    }
    Ok(Report {
        images: images.into_iter().take(MAX_IMAGES).collect(),
        found: found.into_vulnerabilities(),
    })
}

/// What is wrong and where; nothing of the file is quoted.
pub(super) fn not_understood(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Io => "it cannot be read",
        serde_json::error::Category::Syntax => "it is not JSON",
        serde_json::error::Category::Data => "it has a value of another type than a report has",
        serde_json::error::Category::Eof => "it breaks off",
    };
    format!("line {} column {}: {what}", error.line(), error.column())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(rename = "SchemaVersion")]
    schema_version: Option<u64>,
    #[serde(rename = "Metadata")]
    metadata_of_trivy: trivy::Metadata,
    #[serde(rename = "Results")]
    results: Option<Vec<trivy::Scan>>,
    matches: Option<Vec<grype::Match>>,
    source: grype::Source,
    #[serde(rename = "bomFormat")]
    bom_format: Option<String>,
    metadata: cyclone_dx::Metadata,
    components: Option<Vec<cyclone_dx::Component>>,
    vulnerabilities: Option<Vec<cyclone_dx::Vulnerability>>,
}

/// What was found so far: per package its files, and the vulnerabilities with their severity.
#[derive(Debug, Default)]
struct Found {
    packages: BTreeMap<String, Package>,
    highest: Option<Severity>,
}

#[derive(Debug, Default)]
struct Package {
    files: BTreeSet<String>,
    ids: BTreeSet<String>,
}

impl Found {
    fn add(
        &mut self,
        package: &str,
        id: &str,
        severity: Severity,
        files: impl Iterator<Item = String>,
    ) {
        if id.is_empty() || id.len() > MAX_TEXT || package.len() > MAX_TEXT {
            return;
        }
        self.highest = self.highest.max(Some(severity));
        if self.packages.len() >= MAX_PACKAGES && !self.packages.contains_key(package) {
            return;
        }
        let entry = self.packages.entry(package.to_owned()).or_default();
        entry.ids.insert(id.to_owned());
        let room = MAX_FILES.saturating_sub(entry.files.len());
        entry.files.extend(
            files
                .filter(|path| !path.is_empty() && path.len() <= MAX_TEXT)
                .take(room)
                .map(|path| absolute(&path)),
        );
    }

    fn into_vulnerabilities(self) -> Vulnerabilities {
        let packages: Vec<VulnerablePackage> = self
            .packages
            .into_iter()
            .map(|(name, package)| VulnerablePackage {
                name: name.into(),
                files: package.files.into_iter().map(Into::into).collect(),
                ids: package.ids.into_iter().map(Into::into).collect(),
            })
            .collect();
        Vulnerabilities {
            highest: self.highest,
            count: packages
                .iter()
                .map(|package| package.ids.len() as u64)
                .sum(),
            packages,
        }
    }
}

/// Trivy leaves the slash out.
fn absolute(path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    }
}

/// `sha256:...` in a digest, a name with one, or a package URL.
fn digest_in(name: &str) -> Option<String> {
    const PREFIX: &str = "sha256:";
    let hex = name.get(name.find(PREFIX)? + PREFIX.len()..)?.get(..64)?;
    hex.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        .then(|| format!("{PREFIX}{hex}"))
}

#[cfg(test)]
mod tests;
