//! Reports of scanners: Trivy's and Grype's own JSON, and CycloneDX.
//!
//! Only what is asked for is read, every member is optional, and every list is bounded: reports are made from images,
//! which anybody may have made.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;
use vigia_event::container::{Severity, Vulnerabilities, VulnerablePackage};

/// Packages of one image that are kept, files of a package, and names of an image.
const MAX_PACKAGES: usize = 16_384;
const MAX_FILES: usize = 4096;
const MAX_IMAGES: usize = 64;
/// Components of a bill of materials that are looked at, and how deep they may lie in each other.
const MAX_COMPONENTS: usize = 1 << 18;
const MAX_DEPTH: usize = 16;
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
        cyclone_dx(document)
    } else if let Some(matches) = document.matches {
        (document.source.images(), grype(matches))
    } else if document.schema_version.is_some() {
        (document.metadata_of_trivy.images(), trivy(document.results))
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
    metadata_of_trivy: TrivyMetadata,
    #[serde(rename = "Results")]
    results: Option<Vec<TrivyResult>>,
    matches: Option<Vec<GrypeMatch>>,
    source: GrypeSource,
    #[serde(rename = "bomFormat")]
    bom_format: Option<String>,
    metadata: BomMetadata,
    components: Option<Vec<Component>>,
    vulnerabilities: Option<Vec<BomVulnerability>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TrivyMetadata {
    #[serde(rename = "ImageID")]
    image_id: Option<String>,
    #[serde(rename = "RepoDigests")]
    repo_digests: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TrivyResult {
    target: String,
    r#type: Option<String>,
    packages: Option<Vec<TrivyPackage>>,
    vulnerabilities: Option<Vec<TrivyVulnerability>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TrivyPackage {
    name: String,
    installed_files: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TrivyVulnerability {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    #[serde(rename = "PkgName")]
    package: String,
    #[serde(rename = "PkgPath")]
    path: Option<String>,
    #[serde(rename = "Severity")]
    severity: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GrypeMatch {
    vulnerability: GrypeVulnerability,
    artifact: GrypeArtifact,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GrypeVulnerability {
    id: String,
    severity: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GrypeArtifact {
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
struct GrypeSource {
    target: GrypeTarget,
}

/// Of a folder it is a text, and no image.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum GrypeTarget {
    Image(GrypeImage),
    Other(serde::de::IgnoredAny),
}

impl Default for GrypeTarget {
    fn default() -> Self {
        Self::Image(GrypeImage::default())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GrypeImage {
    #[serde(rename = "imageID")]
    image_id: Option<String>,
    manifest_digest: Option<String>,
    repo_digests: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BomMetadata {
    component: Component,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Component {
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
struct BomVulnerability {
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

impl BomVulnerability {
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

impl TrivyMetadata {
    fn images(self) -> Vec<String> {
        self.image_id
            .into_iter()
            .chain(self.repo_digests.unwrap_or_default())
            .collect()
    }
}

impl GrypeSource {
    fn images(self) -> Vec<String> {
        let GrypeTarget::Image(image) = self.target else {
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

fn trivy(results: Option<Vec<TrivyResult>>) -> Found {
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

fn grype(matches: Vec<GrypeMatch>) -> Found {
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

fn cyclone_dx(document: Document) -> (Vec<String>, Found) {
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
mod tests {
    use super::*;

    const ID: &str = "sha256:1080c4e3474155dc6d57b41472d809a797dfb5e7fb1d50eef4a5ed2473bf93cc";
    const DIGEST: &str = "sha256:2080c4e3474155dc6d57b41472d809a797dfb5e7fb1d50eef4a5ed2473bf93cc";

    fn summary(report: &Report) -> (Option<Severity>, u64, Vec<String>) {
        let packages = report.found.packages.iter().map(|package| {
            format!(
                "{} {} {}",
                package.name,
                bstr::join(",", &package.ids).escape_ascii(),
                bstr::join(",", &package.files).escape_ascii()
            )
        });
        (report.found.highest, report.found.count, packages.collect())
    }

    #[test]
    fn a_report_of_trivy_is_read() {
        let text = format!(
            r#"{{"SchemaVersion": 2, "ArtifactName": "web:1", "Metadata": {{"ImageID": "{ID}", "RepoDigests": ["web@{DIGEST}"]}},
            "Results": [
              {{"Target": "web:1 (debian 12)", "Class": "os-pkgs", "Type": "debian",
                "Packages": [{{"Name": "nginx", "InstalledFiles": ["/usr/sbin/nginx", "/etc/init.d/nginx"]}}, {{"Name": "libc6"}}],
                "Vulnerabilities": [
                  {{"VulnerabilityID": "CVE-2024-1", "PkgName": "nginx", "Severity": "HIGH"}},
                  {{"VulnerabilityID": "CVE-2024-2", "PkgName": "nginx", "Severity": "LOW"}},
                  {{"VulnerabilityID": "CVE-2024-3", "PkgName": "libc6", "Severity": "CRITICAL"}}]}},
              {{"Target": "app/server", "Class": "lang-pkgs", "Type": "gobinary",
                "Vulnerabilities": [{{"VulnerabilityID": "CVE-2024-4", "PkgName": "stdlib", "Severity": "MEDIUM"}}]}},
              {{"Target": "Java", "Vulnerabilities": [{{"VulnerabilityID": "CVE-2021-44228", "PkgName": "log4j", "PkgPath": "opt/log4j.jar", "Severity": "CRITICAL"}}]}},
              {{"Target": "clean", "Vulnerabilities": null}}]}}"#
        );
        let report = parse(text.as_bytes()).unwrap();
        assert_eq!(report.images, [ID, DIGEST]);
        assert_eq!(
            summary(&report),
            (
                Some(Severity::Critical),
                5,
                vec![
                    "libc6 CVE-2024-3 ".to_owned(),
                    "log4j CVE-2021-44228 /opt/log4j.jar".to_owned(),
                    "nginx CVE-2024-1,CVE-2024-2 /etc/init.d/nginx,/usr/sbin/nginx".to_owned(),
                    "stdlib CVE-2024-4 /app/server".to_owned(),
                ]
            )
        );
        let of = |file: &'static [u8]| report.found.of_file(file).count();
        assert_eq!((of(b"/usr/sbin/nginx"), of(b"/bin/sh")), (2, 0));
    }

    #[test]
    fn a_report_of_grype_is_read() {
        let text = format!(
            r#"{{"matches": [
              {{"vulnerability": {{"id": "CVE-2024-1", "severity": "High"}}, "artifact": {{"name": "busybox", "locations": [{{"path": "/bin/busybox", "layerID": "x"}}]}}}},
              {{"vulnerability": {{"id": "CVE-2024-1", "severity": "High"}}, "artifact": {{"name": "busybox", "locations": []}}}},
              {{"vulnerability": {{"id": "GHSA-1", "severity": "Negligible"}}, "artifact": {{"name": "x"}}}}],
            "source": {{"type": "image", "target": {{"userInput": "web", "imageID": "{ID}", "manifestDigest": "{DIGEST}", "repoDigests": []}}}}}}"#
        );
        let report = parse(text.as_bytes()).unwrap();
        assert_eq!(report.images, [ID, DIGEST]);
        assert_eq!(
            summary(&report),
            (
                Some(Severity::High),
                2,
                vec![
                    "busybox CVE-2024-1 /bin/busybox".to_owned(),
                    "x GHSA-1 ".to_owned()
                ]
            )
        );
    }

    #[test]
    fn a_bill_says_what_is_no_harm_and_scores_without_words() {
        let text = format!(
            r#"{{"bomFormat": "CycloneDX", "metadata": {{"component": {{"version": "{DIGEST}"}}}},
            "components": [{{"name": "outer", "components": [{{"bom-ref": "r1", "name": "inner"}}]}}],
            "vulnerabilities": [
              {{"id": "CVE-1", "ratings": [{{"score": 7.5}}], "affects": [{{"ref": "r1"}}]}},
              {{"id": "CVE-2", "ratings": [{{"severity": "low", "score": 9.8}}]}},
              {{"id": "CVE-3", "ratings": [{{"score": 9.8}}], "analysis": {{"state": "not_affected"}}}},
              {{"id": "CVE-4", "ratings": [{{"score": 0.1}}], "analysis": {{"state": "exploitable"}}}}]}}"#
        );
        let report = parse(text.as_bytes()).unwrap();
        assert_eq!(
            summary(&report),
            (
                Some(Severity::High),
                3,
                vec![" CVE-2,CVE-4 ".to_owned(), "inner CVE-1 ".to_owned()]
            )
        );
    }

    #[test]
    fn a_bill_of_materials_is_read() {
        let text = format!(
            r#"{{"bomFormat": "CycloneDX", "specVersion": "1.5",
            "metadata": {{"component": {{"type": "container", "name": "web", "purl": "pkg:oci/web@sha256%3A{}?arch=amd64",
              "properties": [{{"name": "aquasecurity:trivy:ImageID", "value": "{ID}"}}, {{"name": "aquasecurity:trivy:Size", "value": "1"}}]}}}},
            "components": [{{"bom-ref": "r1", "name": "openssl", "properties": [{{"name": "syft:location:0:path", "value": "/usr/bin/openssl"}}]}}],
            "vulnerabilities": [
              {{"id": "CVE-2024-1", "ratings": [{{"severity": "low"}}, {{"severity": "critical"}}], "affects": [{{"ref": "r1"}}, {{"ref": "r2"}}]}},
              {{"id": "CVE-2024-2", "affects": [{{"ref": "r1"}}]}}]}}"#,
            &DIGEST[7..]
        );
        let report = parse(text.as_bytes()).unwrap();
        assert_eq!(report.images, [ID, DIGEST]);
        assert_eq!(
            summary(&report),
            (
                Some(Severity::Critical),
                3,
                vec![
                    "openssl CVE-2024-1,CVE-2024-2 /usr/bin/openssl".to_owned(),
                    "r2 CVE-2024-1 ".to_owned()
                ]
            )
        );
    }

    /// A bill of materials about an image, with these members.
    fn bill(members: &str) -> Report {
        let text = format!(
            r#"{{"bomFormat": "CycloneDX", "metadata": {{"component": {{"version": "{ID}"}}}}, {members}}}"#
        );
        parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_vulnerability_of_a_bill_counts_unless_it_was_dismissed() {
        for (member, highest) in [
            (r#""x": 1"#, Some(Severity::Unknown)),
            (r#""affects": null"#, Some(Severity::Unknown)),
            (r#""affects": []"#, Some(Severity::Unknown)),
            (r#""analysis": null"#, Some(Severity::Unknown)),
            (
                r#""analysis": {"state": "exploitable"}"#,
                Some(Severity::Unknown),
            ),
            (
                r#""analysis": {"state": "in_triage"}"#,
                Some(Severity::Unknown),
            ),
            (r#""analysis": {"state": "not_affected"}"#, None),
            (r#""analysis": {"state": "false_positive"}"#, None),
            (r#""analysis": {"state": "resolved"}"#, None),
            (r#""analysis": {"state": "resolved_with_pedigree"}"#, None),
            (r#""ratings": [{"score": 9}]"#, Some(Severity::Critical)),
            (r#""ratings": [{"score": 10.0}]"#, Some(Severity::Critical)),
            (r#""ratings": [{"score": 8.9}]"#, Some(Severity::High)),
            (r#""ratings": [{"score": 6.9}]"#, Some(Severity::Medium)),
            (r#""ratings": [{"score": 3.9}]"#, Some(Severity::Low)),
            (r#""ratings": [{"score": 0}]"#, Some(Severity::Unknown)),
            (
                r#""ratings": [{"score": 7, "method": "CVSSv31"}]"#,
                Some(Severity::High),
            ),
            (
                r#""ratings": [{"score": 7, "method": "other"}]"#,
                Some(Severity::Unknown),
            ),
            (
                r#""ratings": [{"score": 7, "severity": "unknown"}]"#,
                Some(Severity::High),
            ),
            (
                r#""ratings": [{"score": 9.8, "severity": "low"}]"#,
                Some(Severity::Low),
            ),
            (
                r#""ratings": [{"severity": "low"}, {"score": 7}]"#,
                Some(Severity::High),
            ),
        ] {
            let report = bill(&format!(
                r#""vulnerabilities": [{{"id": "CVE-2024-1", {member}}}]"#
            ));
            let packages = match highest {
                Some(_) => vec![" CVE-2024-1 ".to_owned()],
                None => vec![],
            };
            let expected = (highest, packages.len() as u64, packages);
            assert_eq!(summary(&report), expected, "{member}");
        }
    }

    #[test]
    fn components_are_found_within_others_down_to_a_depth() {
        let nested = |depth: usize| {
            let inner = r#"{"bom-ref": "r1", "name": "inner", "properties": [{"name": "syft:location:0:path", "value": "/a"}]}"#;
            (1..depth).fold(inner.to_owned(), |inner, _| {
                format!(r#"{{"bom-ref": "r0", "name": "outer", "components": [{inner}]}}"#)
            })
        };
        for (depth, expected) in [
            (1, "inner CVE-2024-1 /a"),
            (2, "inner CVE-2024-1 /a"),
            (MAX_DEPTH, "inner CVE-2024-1 /a"),
            (MAX_DEPTH + 1, "r1 CVE-2024-1 "),
        ] {
            let report = bill(&format!(
                r#""components": [{{"name": "x"}}, {}], "vulnerabilities": [{{"id": "CVE-2024-1", "affects": [{{"ref": "r1"}}]}}]"#,
                nested(depth)
            ));
            let (_, _, packages) = summary(&report);
            assert_eq!(packages, [expected], "{depth}");
        }
        let many = (0..MAX_COMPONENTS + 9).map(|number| Component {
            reference: Some(number.to_string()),
            ..Component::default()
        });
        assert_eq!(by_reference(many).len(), MAX_COMPONENTS);
    }

    #[test]
    fn an_image_without_findings_has_none() {
        let text = format!(r#"{{"SchemaVersion": 2, "Metadata": {{"ImageID": "{ID}"}}}}"#);
        let report = parse(text.as_bytes()).unwrap();
        assert_eq!(report.found, Vulnerabilities::default());
    }

    #[test]
    fn what_is_no_report_is_refused_with_the_reason() {
        for (text, expected) in [
            ("{}", "neither a report of Trivy"),
            ("[]", "neither a report of Trivy"),
            (r#"{"SchemaVersion": 2, "Results": [{]}"#, "line 1 column"),
            (
                r#"{"SchemaVersion": "hush"}"#,
                "another type than a report has",
            ),
            (r#"{"SchemaVersion": 2}"#, "which image"),
            (
                r#"{"SchemaVersion": 2, "Metadata": {"ImageID": "sha256:12"}}"#,
                "which image",
            ),
            (
                r#"{"matches": [], "source": {"type": "directory", "target": "/srv"}}"#,
                "which image",
            ),
            (r#"{"bomFormat": "CycloneDX"}"#, "which image"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
