use super::*;

const ID: &str = "sha256:1080c4e3474155dc6d57b41472d809a797dfb5e7fb1d50eef4a5ed2473bf93cc";

fn report(id: &str, cve: &str) -> String {
    format!(
        r#"{{"SchemaVersion": 2, "Metadata": {{"ImageID": "{id}"}}, "Results": [
            {{"Vulnerabilities": [{{"VulnerabilityID": "{cve}", "PkgName": "x", "Severity": "HIGH"}}]}}]}}"#
    )
}

fn inspected(id: &str) -> Inspected {
    Inspected {
        image_id: id.into(),
        ..Inspected::default()
    }
}

struct Scene {
    folder: tempfile::TempDir,
    files: ImageFiles,
    complaints: Vec<String>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("reports")).expect("a folder");
        let files = ImageFiles::new(Options {
            reports: Some(folder.path().join("reports")),
            trusted: Some(folder.path().join("trusted")),
        });
        Self {
            folder,
            files,
            complaints: Vec::new(),
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("a file");
    }

    fn refresh(&mut self) -> Option<ImageIndex> {
        let complaints = &mut self.complaints;
        self.files
            .refresh(&mut |error| complaints.push(error.to_string()))
    }
}

#[test]
fn files_are_read_once_and_again_when_they_change() {
    let mut scene = Scene::new();
    scene.write("trusted", &format!("{ID}\n"));
    scene.write("reports/one.json", &report(ID, "CVE-2024-1"));
    scene.write("reports/readme.txt", "no report");
    let index = scene.refresh().expect("something new");
    let facts = index.of(&inspected(ID)).expect("facts");
    assert_eq!(facts.trusted, Some(true));
    assert_eq!(facts.vulnerabilities.expect("a report").count, 1);
    assert!(scene.refresh().is_none(), "nothing changed");

    scene.write(
        "reports/one.json",
        &report(ID, "CVE-2024-1").replace(
            "]}]",
            ", {\"VulnerabilityID\": \"CVE-2024-22\", \"PkgName\": \"x\"}]}]",
        ),
    );
    let index = scene.refresh().expect("a change");
    assert_eq!(
        index
            .of(&inspected(ID))
            .expect("facts")
            .vulnerabilities
            .expect("a report")
            .count,
        2
    );
    fs::remove_file(scene.folder.path().join("reports/one.json")).expect("removing it");
    let index = scene.refresh().expect("a change");
    assert_eq!(
        index.of(&inspected(ID)),
        Some(ImageFacts {
            vulnerabilities: None,
            trusted: Some(true)
        })
    );
    assert!(scene.complaints.is_empty(), "{:?}", scene.complaints);
}

#[test]
fn a_broken_file_costs_itself_and_is_told_once() {
    let mut scene = Scene::new();
    scene.write("trusted", &format!("{ID}\n"));
    scene.write("reports/one.json", &report(ID, "CVE-2024-1"));
    scene.refresh().expect("something new");
    scene.write("trusted", "nginx:latest\n");
    scene.write("reports/one.json", "{");
    scene.write("reports/two.json", "{}");
    assert!(scene.refresh().is_none(), "what was known is kept");
    assert!(scene.refresh().is_none());
    assert_eq!(scene.complaints.len(), 3, "{:?}", scene.complaints);
    assert!(
        scene
            .complaints
            .iter()
            .any(|text| text.contains("trusted: line 1"))
    );
    scene.write("reports/two.json", &report(ID, "CVE-2024-333"));
    let index = scene.refresh().expect("a change");
    let facts = index.of(&inspected(ID)).expect("facts");
    assert_eq!(facts.trusted, Some(true));
    let found = facts.vulnerabilities.expect("a report");
    assert_eq!(found.packages[0].ids, ["CVE-2024-333"], "the newest counts");
}

#[test]
fn images_that_are_not_listed_are_not_trusted_and_without_a_list_nobody_knows() {
    let mut scene = Scene::new();
    scene.write("trusted", "# none\n");
    let index = scene.refresh().expect("a list");
    assert_eq!(
        index.of(&inspected(ID)).and_then(|facts| facts.trusted),
        Some(false)
    );
    assert_eq!(ImageIndex::default().of(&inspected(ID)), None);
}

#[test]
fn files_that_are_not_there_are_told_of() {
    let mut scene = Scene::new();
    fs::remove_dir(scene.folder.path().join("reports")).expect("removing it");
    assert!(scene.refresh().is_none());
    assert!(scene.refresh().is_none());
    assert_eq!(scene.complaints.len(), 2, "{:?}", scene.complaints);
}
