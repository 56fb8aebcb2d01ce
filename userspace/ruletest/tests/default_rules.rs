//! What the default rules promise beyond their cases, which `vigia test rules` runs.

use std::path::{Path, PathBuf};

use vigia_engine::{Options, RuleMatching, Ruleset, Selection, Selector, Source, compile};
use vigia_ruletest::{Coverage, judge, read};

/// The files of the folder of default rules whose name ends in `.yaml`, and whether they are test files.
fn files() -> Vec<(PathBuf, bool)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let entries = std::fs::read_dir(folder).expect("the folder of default rules");
    let mut files: Vec<(PathBuf, bool)> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            let (is_yaml, is_test) = (name.ends_with(".yaml"), name.ends_with(".test.yaml"));
            is_yaml.then(|| (path.clone(), is_test))
        })
        .collect();
    files.sort();
    files
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a readable file")
}

/// All of them in one, as an agent loads them.
fn default_ruleset() -> Ruleset {
    let sources: Vec<Source> = files()
        .into_iter()
        .filter(|(_, is_test)| !is_test)
        .map(|(path, _)| Source::new(path.display().to_string(), text(&path)))
        .collect();
    assert!(!sources.is_empty(), "no default rules");
    let options = Options {
        // Those that are off by default are tested all the same.
        selections: vec![Selection {
            enable: true,
            rules: Selector::Name("*".to_owned()),
        }],
        rule_matching: RuleMatching::All,
        keep_conditions: true,
        ..Options::default()
    };
    let compiled = compile(&sources, &options);
    let diagnostics: Vec<String> = compiled
        .diagnostics
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(diagnostics.is_empty(), "{}", diagnostics.join("\n"));
    compiled.ruleset.expect("no errors")
}

#[test]
fn every_default_rule_has_cases_of_both_kinds_that_pass_also_when_all_files_are_loaded() {
    let ruleset = default_ruleset();
    let mut coverage = Coverage::default();
    for (path, _) in files().into_iter().filter(|(_, is_test)| *is_test) {
        let file = read(&text(&path), &mut |_| Err("no recordings".to_owned()))
            .unwrap_or_else(|faults| panic!("{}: {faults:?}", path.display()));
        let cases = judge(&file, &ruleset, &mut coverage)
            .unwrap_or_else(|faults| panic!("{}: {faults:?}", path.display()));
        for case in cases {
            assert!(case.passed, "{}:{}: {case:#?}", path.display(), case.line);
        }
    }
    for rule in coverage.of(&ruleset) {
        assert!(
            rule.has_both_kinds(),
            "{}: {} must fire, {} must not",
            rule.rule,
            rule.fires,
            rule.stays_silent
        );
    }
}

#[test]
fn every_default_rule_is_described_as_a_runbook() {
    for rule in default_ruleset().rules() {
        for part in ["What it means:", "What to check:", "How to except:"] {
            assert!(
                rule.description.contains(part),
                "{}: its description lacks `{part}`",
                rule.name
            );
        }
    }
}

#[test]
fn no_call_that_changes_files_is_missing_from_the_rules_about_refused_writes() {
    let ruleset = default_ruleset();
    let rule = ruleset
        .rules()
        .iter()
        .find(|rule| rule.name == "Write Refused in Read-Only Container");
    let rule = rule.expect("it is a default rule");
    for event_type in
        vigia_event::EventType::all().filter(|event_type| event_type.row().changes_files)
    {
        assert!(rule.event_types.contains(event_type), "{event_type:?}");
    }
}
