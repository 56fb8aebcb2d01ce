//! The rule files people already have: they must be read, and mean what they mean to Falco.

use std::path::PathBuf;

use serde::Deserialize;

use super::cases::table;
use crate::{Options, Source, compile};

/// The rule files of Falco, where the checkout has them.
fn sources() -> Vec<Source> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/upstream-rules");
    let sources: Option<Vec<Source>> = ["falco_rules.yaml", "falco-incubating_rules.yaml"]
        .into_iter()
        .map(|name| {
            Some(Source::new(
                name,
                std::fs::read_to_string(folder.join(name)).ok()?,
            ))
        })
        .collect();
    if sources.is_none() {
        eprintln!("skipped: no upstream rules");
    }
    sources.unwrap_or_default()
}

/// Warnings that say nothing about the language: what only rules of other files use, and what no probe delivers yet.
const EXPECTED: &[&str] = &[
    "LOAD_UNUSED_MACRO",
    "LOAD_UNUSED_LIST",
    "LOAD_UNSUPPORTED_EVTTYPE",
];

#[test]
fn upstream_rule_files_load_alone_and_together() {
    let sources = sources();
    let alone = sources.iter().map(std::slice::from_ref);
    for sources in alone.chain([sources.as_slice()]) {
        let compiled = compile(sources, &Options::default());
        let strange: Vec<String> = compiled
            .diagnostics
            .iter()
            .filter(|found| !EXPECTED.contains(&found.code.name()))
            .map(ToString::to_string)
            .collect();
        assert!(strange.is_empty(), "{}", strange.join("\n"));
        assert!(compiled.ruleset.is_some());
    }
}

/// Event types, and the rules that have them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    types: String,
    rules: Vec<String>,
}

#[test]
fn upstream_rules_have_the_event_types_they_have_in_falco() {
    let rows: Vec<Row> = table("upstream.yaml");
    let mut compared = 0;
    for source in sources() {
        let ruleset = compile(&[source], &Options::default())
            .ruleset
            .expect("no errors");
        for rule in ruleset.rules() {
            let row = rows.iter().find(|row| row.rules.contains(&rule.name));
            let row = row.unwrap_or_else(|| panic!("'{}' is not in the table", rule.name));
            let mut names: Vec<&str> = rule
                .event_types
                .iter()
                .map(|event_type| event_type.name())
                .collect();
            names.sort_unstable();
            assert_eq!(names.join(","), row.types, "{}", rule.name);
            compared += 1;
        }
    }
    assert!(compared == 0 || compared == 56, "{compared} rules");
}
