//! Reports of each form, whole and broken.

use super::cyclone_dx::MAX_DEPTH;
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
