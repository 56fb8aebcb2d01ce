//! Trivy's own JSON.

use std::collections::HashMap;

use serde::Deserialize;
use vigia_event::container::Severity;

use super::Found;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    #[serde(rename = "ImageID")]
    image_id: Option<String>,
    #[serde(rename = "RepoDigests")]
    repo_digests: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Scan {
    target: String,
    r#type: Option<String>,
    packages: Option<Vec<Package>>,
    vulnerabilities: Option<Vec<Vulnerability>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Package {
    name: String,
    installed_files: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Vulnerability {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    #[serde(rename = "PkgName")]
    package: String,
    #[serde(rename = "PkgPath")]
    path: Option<String>,
    #[serde(rename = "Severity")]
    severity: String,
}

impl Metadata {
    pub(super) fn images(self) -> Vec<String> {
        self.image_id
            .into_iter()
            .chain(self.repo_digests.unwrap_or_default())
            .collect()
    }
}

pub(super) fn found_in(results: Option<Vec<Scan>>) -> Found {
    let mut found = Found::default();
    for result in results.unwrap_or_default() {
        // Programs that carry what they were built from: the target is the file.
        let is_program = result
            .r#type
            .as_deref()
            .is_some_and(|kind| kind.ends_with("binary"));
        let mut installed: HashMap<String, Vec<String>> = result
            .packages
            .unwrap_or_default()
            .into_iter()
            .filter_map(|package| Some((package.name, package.installed_files?)))
            .collect();
        for one in result.vulnerabilities.unwrap_or_default() {
            let own = installed.remove(&one.package).unwrap_or_default();
            let target = is_program.then(|| result.target.clone());
            let files = own.into_iter().chain(one.path).chain(target);
            found.add(
                &one.package,
                &one.id,
                Severity::from_word(&one.severity),
                files,
            );
        }
    }
    found
}
