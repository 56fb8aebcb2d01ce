//! The binary as people and scripts meet it. Needs no privileges.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers, too")]

use std::path::Path;
use std::process::{Command, Output};

fn vigia(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vigia"))
        .args(arguments)
        .env_remove("VIGIA_NODE")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// An error is one line on standard error and exit code 1.
fn assert_fails(arguments: &[&str], part: &str) {
    let output = vigia(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    assert!(
        said.starts_with("vigia: ") && said.contains(part),
        "{arguments:?}: {said}"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn the_example_it_prints_is_a_configuration_it_accepts() {
    let example = vigia(&["config", "--example"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vigia.yaml");
    std::fs::write(&path, &example.stdout).unwrap();
    let output = vigia(&["config", "-c", path.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("VIGIA_METRICS_LISTEN"));
}

#[test]
fn it_tells_which_calls_are_captured_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.yaml");
    let rule = "- rule: Traced\n  desc: d\n  condition: evt.type = ptrace\n  output: o\n  priority: INFO\n";
    std::fs::write(&path, rule).unwrap();
    let path = path.to_str().unwrap();
    let output = vigia(&["explain", "--syscalls", "-r", path]);
    let said = text(&output.stdout);
    let line = |name: &str| said.lines().find(|line| line.starts_with(name));
    assert!(
        line("ptrace ").unwrap().ends_with("rules: Traced"),
        "{said}"
    );
    assert!(line("mount ").unwrap().contains("state: tables of mounts"));
    assert_eq!(line("bpf "), None);
    assert!(said.contains("opens that only read: secrets\n"), "{said}");
    let reads = "- rule: Reads\n  desc: d\n  condition: evt.type = open and evt.failed = false and fd.name startswith /etc/\n  output: o\n  priority: INFO\n";
    let other = folder.path().join("reads.yaml");
    std::fs::write(&other, reads).unwrap();
    let output = vigia(&["explain", "--syscalls", "-r", other.to_str().unwrap()]);
    let said = text(&output.stdout);
    assert!(said.contains("rules: Reads (only done)"), "{said}");
    assert!(
        said.contains("secrets, and paths that begin with /etc/\n"),
        "{said}"
    );
    let output = vigia(&["explain", "--syscalls", "--json", "-r", path]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["ptrace"]["rules"][0], "Traced");
}

#[test]
fn mistakes_end_in_one_line_and_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let config = file("bad.yaml", "metrics:\n  listen_on: x\n");
    assert_fails(
        &["config", "-c", &config],
        "bad.yaml:2:3: unknown key `listen_on`; did you mean `listen`?",
    );
    assert_fails(&["run", "-c", &config], "bad.yaml:2:3");
    let pattern = file("pattern.yaml", "redaction: {patterns: ['(']}\n");
    assert_fails(&["config", "-c", &pattern], "redaction pattern");
    assert_fails(
        &["config", "-c", "/nonexistent/x.yaml"],
        "cannot read /nonexistent/x.yaml: No such file",
    );
    assert_fails(
        &["health", "--url", "http://127.0.0.1:1/healthz"],
        "not healthy",
    );
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for (path, said) in [
        ("/nonexistent/x.yaml", "cannot read /nonexistent/x.yaml"),
        (empty.to_str().unwrap(), "no rule files"),
    ] {
        let output = vigia(&["check", path]);
        assert_eq!(output.status.code(), Some(1));
        let found = text(&output.stdout);
        assert!(
            found.contains("error[LOAD_ERR_FILE_READ]") && found.contains(said),
            "{found}"
        );
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [
        &["fly"][..],
        &["run", "--scope", "everything"],
        &["check"],
        &[],
    ] {
        assert_eq!(vigia(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn without_privileges_it_says_what_it_needs() {
    let is_root = std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status
            .lines()
            .any(|line| line.starts_with("CapEff:") && !line.ends_with("0000000000000000"))
    });
    if is_root {
        println!("skipped: this process has capabilities");
        return;
    }
    assert_fails(&["run"], "must run as root");
}

#[test]
fn the_default_rules_hold() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let output = vigia(&["check", "--json", rules.to_str().unwrap()]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["summary"]["successful"], true, "{document:#}");
    assert_eq!(document["summary"]["warnings"], 0, "{document:#}");
}

#[test]
fn completions_name_every_command() {
    let script = text(&vigia(&["completions", "bash"]).stdout);
    for command in ["run", "check", "fields", "doctor", "health", "config"] {
        assert!(script.contains(command), "{command}");
    }
}

#[test]
fn a_full_disk_behind_standard_error_is_no_panic() {
    let full = || {
        std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let output = Command::new(env!("CARGO_BIN_EXE_vigia"))
        .args(["run", "-r", "/nonexistent"])
        // Makes the agent log before it fails.
        .env("VIGIA_NO_SUCH_KEY", "1")
        .stderr(full())
        .status()
        .unwrap();
    assert_eq!(output.code(), Some(1));
}

const RULE: &str = "- rule: A\n  desc: d\n  condition: evt.type = open and fd.name = /a\n  output: o\n  priority: NOTICE\n";

/// A folder with a rule file and its test file.
fn tested(cases: &str) -> (tempfile::TempDir, Output) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.yaml"), RULE).unwrap();
    std::fs::write(folder.path().join("x.test.yaml"), cases).unwrap();
    let junit = folder.path().join("junit.xml");
    let output = vigia(&[
        "test",
        folder.path().to_str().unwrap(),
        "--junit",
        junit.to_str().unwrap(),
    ]);
    (folder, output)
}

#[test]
fn rule_tests_pass_or_say_why_not() {
    let (_folder, output) =
        tested("- rule: A\n  fires: [{open: /a}]\n  stays_silent: [{open: /b}]\n");
    assert!(output.status.success(), "{}", text(&output.stdout));

    let (folder, output) = tested("- rule: A\n  fires: [{open: /b}]\n");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("x.test.yaml:2:11: A: open /b by nginx"),
        "{said}"
    );
    assert!(said.contains("fd.name = /a   <- fd.name is /b"), "{said}");
    let junit = std::fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    assert!(junit.contains("failures=\"1\""), "{junit}");

    let (_folder, output) = tested("- rule: B\n  fires: [{opne: /b}]\n");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("x.test.yaml:2:12: unknown key `opne`, did you mean `open`?"),
        "{said}"
    );
}

#[test]
fn a_test_file_without_rules_keeps_no_other_from_running() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let cases = "- rule: A\n  fires: [{open: /b}]\n";
    file("a.test.yaml", cases);
    file(
        "b.test.yaml",
        &format!("rules: [none.yaml]\ntests:\n{cases}"),
    );
    file("x.test.yaml", cases);
    file("x.yaml", RULE);
    let output = vigia(&["test", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let (said, found) = (text(&output.stderr), text(&output.stdout));
    assert!(said.contains("a.test.yaml: which rules"), "{said}");
    assert!(said.contains("none.yaml"), "{said}");
    assert!(found.contains("x.test.yaml:2:11: A:"), "{found}");
}

#[test]
fn a_rule_is_explained_and_a_misspelt_one_found() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, event) = (
        folder.path().join("x.yaml"),
        folder.path().join("event.yaml"),
    );
    std::fs::write(&rules, RULE).unwrap();
    std::fs::write(&event, "{open: /b}\n").unwrap();
    let (rules, event) = (rules.to_str().unwrap(), event.to_str().unwrap());
    let said = text(&vigia(&["explain", "A", "-r", rules]).stdout);
    assert!(
        said.contains("fd.name = /a") && said.contains("events of type open"),
        "{said}"
    );
    let said = text(&vigia(&["explain", "--event", event, "-r", rules]).stdout);
    assert!(
        said.contains("A does not fire: fd.name = /a is false (fd.name is /b)"),
        "{said}"
    );
    assert_fails(
        &["explain", "Credential File", "--json"],
        "did you mean `Credential File Read in Container`?",
    );
}
