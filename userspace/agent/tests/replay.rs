//! A committed recording of real containers, judged by the default rules: the same alerts on every machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn replay(file: &Path, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vigia"))
        .arg("replay")
        .arg(file)
        .arg("-r")
        .arg(repository().join("rules"))
        .args(flags)
        .env_clear()
        .env("TZ", "UTC")
        .output()
        .expect("the program of this crate")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What does not change with the agent's version.
fn essence(line: &str) -> String {
    let alert: Value = serde_json::from_str(line).expect("a JSON line");
    let part = |name: &str| alert[name].as_str().unwrap_or_default().to_owned();
    format!("{}: {}\n", part("rule"), part("output"))
}

/// `UPDATE_EXPECT=1` writes the expected alerts anew.
#[test]
fn a_recording_gives_the_same_alerts_everywhere() {
    let recording = repository().join("tests/data/mix.vigia");
    let expected_file = repository().join("tests/data/mix.alerts");
    let output = replay(&recording, &["--output", "json"]);
    let stderr = text(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("10000 events judged"), "{stderr}");
    let found: String = text(&output.stdout).lines().map(essence).collect();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&expected_file, &found).expect("a file of ours");
    }
    let expected = std::fs::read_to_string(&expected_file).expect("the expected alerts");
    assert!(!expected.is_empty());
    assert_eq!(found, expected);
    assert_eq!(
        replay(&recording, &["--output", "json"]).stdout,
        output.stdout
    );
}

#[test]
fn every_match_is_an_alert_where_that_is_asked_for() {
    let recording = repository().join("tests/data/mix.vigia");
    let folded = text(&replay(&recording, &["--output", "text"]).stdout);
    let output = replay(&recording, &["--output", "text", "--all-matches"]);
    let all = text(&output.stdout).lines().count();
    assert!(all > folded.lines().count());
    let said = format!("{all} matches, {all} alerts");
    assert!(
        text(&output.stderr).contains(&said),
        "{said}: {}",
        text(&output.stderr)
    );
}

#[test]
fn a_file_that_is_no_whole_recording_is_judged_as_far_as_it_goes() {
    let whole = std::fs::read(repository().join("tests/data/mix.vigia")).expect("a recording");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    for (bytes, judged, error) in [
        (&whole[..whole.len() / 2], true, "was cut off after"),
        (&b"something else altogether"[..], false, "not a recording"),
        (&b""[..], false, "not a recording"),
    ] {
        std::fs::write(&path, bytes).expect("a file of ours");
        let output = replay(&path, &["--output", "json"]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(error), "{stderr}");
        assert_eq!(!output.stdout.is_empty(), judged, "{stderr}");
    }
    let missing = replay(&folder.path().join("nothing"), &[]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("cannot open"));
}
