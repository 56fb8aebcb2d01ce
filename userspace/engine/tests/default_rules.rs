//! Every default rule, with the cases of its `*.test.yaml`: what must fire it, and what must not.
//!
//! A case says what is special about its event; everything else is that of a healthy web server in a running container.
//! A rule without a case of both kinds fails.

mod default_rules {
    pub(super) mod case;
    pub(super) mod scene;
}

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use default_rules::case::RuleCases;
use vigia_engine::{Options, Outcome, RuleMatching, Ruleset, Source, compile};

fn rules_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules")
}

/// The files of the folder whose name ends in `ending`, by name, with their text.
fn files(keep: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(rules_folder()).expect("the folder of default rules");
    let mut files: Vec<(String, String)> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), path)))
        .filter(|(name, _)| keep(name))
        .map(|(name, path)| {
            (
                name,
                std::fs::read_to_string(path).expect("a readable file"),
            )
        })
        .collect();
    files.sort();
    files
}

fn is_cases(name: &str) -> bool {
    name.ends_with(".test.yaml")
}

fn default_ruleset() -> Ruleset {
    let sources: Vec<Source> = files(|name| name.ends_with(".yaml") && !is_cases(name))
        .into_iter()
        .map(|(name, text)| Source { name, text })
        .collect();
    assert!(!sources.is_empty(), "no default rules");
    let options = Options {
        rule_matching: RuleMatching::All,
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

fn all_cases() -> Vec<RuleCases> {
    files(is_cases)
        .into_iter()
        .flat_map(|(name, text)| {
            let cases: Vec<RuleCases> =
                serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            cases
        })
        .collect()
}

#[test]
fn every_default_rule_fires_when_it_must_and_only_then() {
    let ruleset = default_ruleset();
    let mut scratch = ruleset.scratch();
    let mut wrong = Vec::new();
    for cases in all_cases() {
        assert!(
            ruleset.rules().iter().any(|rule| rule.name == cases.rule),
            "no rule `{}`",
            cases.rule
        );
        for (must_fire, case) in cases.all() {
            let event = case.event();
            let mut fired: Vec<(String, String)> = Vec::new();
            ruleset.evaluate(&event, &mut scratch, &mut |found| {
                assert_eq!(found.outcome, Outcome::Fires, "{}: undecided", case.name);
                let view = vigia_event::View {
                    event: &event,
                    spelling: found.spelling,
                };
                fired.push((found.rule.name.clone(), found.rule.output.render(view)));
            });
            let output = fired
                .iter()
                .find(|(rule, _)| *rule == cases.rule)
                .map(|(_, output)| output);
            if output.is_some() != must_fire {
                let names: Vec<&String> = fired.iter().map(|(rule, _)| rule).collect();
                wrong.push(format!(
                    "{}: {}: must_fire={must_fire}, fired: {names:?}",
                    cases.rule, case.name
                ));
            }
            if let (Some(output), true) = (output, !case.says.is_empty()) {
                assert!(
                    output.contains(&case.says),
                    "{}: `{output}` does not say `{}`",
                    case.name,
                    case.says
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_default_rule_has_cases_of_both_kinds_and_a_runbook() {
    let mut seen: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for cases in all_cases() {
        let (fires, silent) = seen.entry(cases.rule).or_default();
        *fires += cases.fires.len();
        *silent += cases.stays_silent.len();
    }
    for rule in default_ruleset().rules() {
        let (fires, silent) = seen.get(&rule.name).copied().unwrap_or_default();
        assert!(
            fires > 0 && silent > 0,
            "{}: {fires} cases that must fire, {silent} that must not",
            rule.name
        );
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
