//! The tables of cases under tests/cases/loader: rule files, what is said about them, and what becomes of them.
//!
//! A case has the texts of its files (`base`, shared by the cases of its table, is file 0), and every diagnostic
//! as `CODE FILE:LINE:COLUMN words of the message`, in order; nothing else may be said. Where it states rules,
//! lists or macros, these are compared as far as they are stated, but there may be no others of their kind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;

use crate::collection::Collection;
use crate::diagnostics::Report;
use crate::fields::Catalogue;
use crate::{Code, Options, Source, compile};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    #[serde(default)]
    base: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    /// The only file behind the base, or
    #[serde(default)]
    text: Option<String>,
    /// the files behind the base.
    #[serde(default)]
    files: Vec<String>,
    /// Larger rule files are refused.
    #[serde(default)]
    maximum_bytes: Option<usize>,
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    rules: Option<Vec<ExpectedRule>>,
    /// The items of lists.
    #[serde(default)]
    lists: Option<BTreeMap<String, Vec<String>>>,
    /// The conditions of macros.
    #[serde(default)]
    macros: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedRule {
    rule: String,
    condition: Option<String>,
    output: Option<String>,
    desc: Option<String>,
    priority: Option<String>,
    source: Option<String>,
    tags: Option<Vec<String>>,
    enabled: Option<bool>,
    warn_evttypes: Option<bool>,
    skip_if_unknown_filter: Option<bool>,
    capture: Option<bool>,
    capture_duration: Option<u32>,
    group_by: Option<Vec<String>>,
    window_s: Option<u32>,
    /// Whether it is left out of the compiled rules.
    #[serde(default)]
    skipped: bool,
}

impl Table {
    /// The texts of all its files.
    pub(super) fn into_texts(self) -> impl Iterator<Item = String> {
        let cases = self.cases.into_iter();
        let texts = cases.flat_map(|case| case.text.into_iter().chain(case.files));
        std::iter::once(self.base).chain(texts)
    }
}

pub(super) fn tables() -> Vec<(String, Table)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/loader");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder of tables")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a table");
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let table =
                serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, table)
        })
        .collect()
}

#[test]
fn every_case_of_the_tables_holds() {
    let mut failures = Vec::new();
    let mut count = 0;
    for (name, table) in tables() {
        for case in &table.cases {
            count += 1;
            if let Err(failure) = check(&table.base, case) {
                failures.push(format!("{name}: {}\n{failure}", case.case));
            }
        }
    }
    assert!(count > 0, "there are no cases");
    assert!(
        failures.is_empty(),
        "{} of {count} cases\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}

#[test]
fn every_code_occurs_in_the_tables() {
    let said: BTreeSet<String> = tables()
        .iter()
        .flat_map(|(_, table)| &table.cases)
        .flat_map(|case| &case.says)
        .filter_map(|line| Some(line.split_once(' ')?.0.to_owned()))
        .collect();
    let missing: Vec<&str> = Code::ALL
        .iter()
        // What settings select is no part of a file; tests of settings have it.
        .filter(|code| **code != Code::UnmatchedSelection)
        .map(|code| code.name())
        .filter(|name| !said.contains(*name))
        .collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

fn check(base: &str, case: &Case) -> Result<(), String> {
    let texts = std::iter::once(base)
        .chain(case.text.as_deref())
        .chain(case.files.iter().map(String::as_str));
    let sources: Vec<Source> = texts
        .enumerate()
        .map(|(index, text)| Source::new(index.to_string(), text))
        .collect();
    let mut options = Options::default();
    options.maximum_bytes = case.maximum_bytes.unwrap_or(options.maximum_bytes);
    let compiled = compile(&sources, &options);

    let said: Vec<String> = compiled
        .diagnostics
        .iter()
        .map(|found| {
            let (line, column) = (found.line, found.column);
            format!(
                "{} {}:{line}:{column} {}",
                found.code, found.source, found.problem
            )
        })
        .collect();
    let fits = |expected: &String, said: &String| {
        let mut expected = expected.splitn(3, ' ');
        let mut said = said.splitn(3, ' ');
        expected.next() == said.next()
            && expected.next() == said.next()
            && said
                .next()
                .unwrap_or("")
                .contains(expected.next().unwrap_or("").trim())
    };
    if said.len() != case.says.len()
        || !case
            .says
            .iter()
            .zip(&said)
            .all(|(expected, said)| fits(expected, said))
    {
        return Err(format!("says\n  {}", said.join("\n  ")));
    }
    let has_errors = compiled.diagnostics.iter().any(crate::Diagnostic::is_error);
    if has_errors != compiled.ruleset.is_none() {
        return Err("there is a ruleset if and only if there is no error".to_owned());
    }

    let collection = Collection::read(&sources, Catalogue::EVENT, &mut Report::new(&sources));
    let mut wrong = Vec::new();
    if let Some(expected) = &case.rules {
        rules(expected, &collection, &mut wrong);
        if let Some(ruleset) = &compiled.ruleset {
            let names: Vec<&str> = ruleset
                .rules()
                .iter()
                .map(|rule| rule.name.as_str())
                .collect();
            let kept = expected.iter().filter(|rule| !rule.skipped);
            let kept: Vec<&str> = kept.map(|rule| rule.rule.as_str()).collect();
            differ(&mut wrong, "compiled rules", Some(&kept), &names);
        }
    }
    if let Some(expected) = &case.lists {
        let lists = collection.lists.iter().map(|list| {
            let items = list
                .items
                .iter()
                .map(|item| item.value.to_string())
                .collect();
            (list.name.clone(), items)
        });
        differ(&mut wrong, "lists", Some(expected), &lists.collect());
    }
    if let Some(expected) = &case.macros {
        let macros = collection.macros.iter();
        let macros = macros.map(|defined| (defined.name.clone(), words(&defined.condition.text)));
        differ(&mut wrong, "macros", Some(expected), &macros.collect());
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

fn rules(expected: &[ExpectedRule], collection: &Collection, wrong: &mut Vec<String>) {
    let names: Vec<&str> = collection
        .rules
        .iter()
        .map(|rule| rule.name.as_str())
        .collect();
    let stated: Vec<&str> = expected.iter().map(|rule| rule.rule.as_str()).collect();
    differ(wrong, "rules", Some(&stated), &names);
    for (expected, rule) in expected.iter().zip(&collection.rules) {
        let priority = rule.priority.to_string();
        let group_by = rule.group_by.iter().map(|(name, _)| name.clone()).collect();
        differ(
            wrong,
            "condition",
            expected.condition.as_ref(),
            &words(&rule.condition.text),
        );
        differ(wrong, "output", expected.output.as_ref(), &rule.output.text);
        differ(wrong, "desc", expected.desc.as_ref(), &rule.description);
        differ(wrong, "priority", expected.priority.as_ref(), &priority);
        differ(wrong, "source", expected.source.as_ref(), &rule.source);
        differ(wrong, "tags", expected.tags.as_ref(), &rule.tags);
        differ(wrong, "enabled", expected.enabled.as_ref(), &rule.enabled);
        let warns = &rule.warn_event_types;
        differ(
            wrong,
            "warn_evttypes",
            expected.warn_evttypes.as_ref(),
            warns,
        );
        let skips = &rule.skip_if_unknown_filter;
        differ(
            wrong,
            "skips",
            expected.skip_if_unknown_filter.as_ref(),
            skips,
        );
        differ(wrong, "capture", expected.capture.as_ref(), &rule.capture);
        let duration = &rule.capture_duration_ms;
        differ(
            wrong,
            "capture_duration",
            expected.capture_duration.as_ref(),
            duration,
        );
        differ(wrong, "group_by", expected.group_by.as_ref(), &group_by);
        if expected.window_s.is_some() && rule.window_s != expected.window_s {
            wrong.push(format!("window_s: {:?}", rule.window_s));
        }
    }
}

/// Blanks between words count as one.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn differ<T: PartialEq + std::fmt::Debug>(
    wrong: &mut Vec<String>,
    what: &str,
    expected: Option<&T>,
    found: &T,
) {
    if expected.is_some_and(|expected| expected != found) {
        wrong.push(format!("{what}: expected {expected:?}\n  found {found:?}"));
    }
}
