//! The examples of docs/rules.md hold.

use std::path::Path;

use vigia_engine::{Options, RuleMatching, Source, compile};
use vigia_ruletest::{Coverage, judge, read};

/// The YAML blocks of the section "Testing rules".
fn blocks() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let (_, section) = page
        .split_once("\n## Testing rules\n")
        .expect("the section");
    let section = section.split("\n## ").next().unwrap_or(section);
    let blocks = section.split("```yaml\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn the_cases_of_the_tutorial_pass() {
    let blocks = blocks();
    let [rules, cases, elsewhere] = blocks.as_slice() else {
        panic!("three examples: {blocks:?}")
    };
    let options = Options {
        rule_matching: RuleMatching::All,
        keep_conditions: true,
        ..Options::default()
    };
    let compiled = compile(&[Source::new("shells.yaml", rules.as_str())], &options);
    assert!(
        compiled.diagnostics.is_empty(),
        "{:?}",
        compiled.diagnostics
    );
    let ruleset = compiled.ruleset.expect("rules");
    let mut none = |_: &str| Err("no recordings".to_owned());
    let file = read(cases, &mut none).unwrap_or_else(|faults| panic!("{faults:?}"));
    let reports = judge(&file, &ruleset, &mut Coverage::default())
        .unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(reports.len(), 6);
    for report in reports {
        assert!(report.passed, "{report:#?}");
    }
    let elsewhere = read(elsewhere, &mut none).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(elsewhere.tests[0].cases.len(), 3);
    assert!(
        elsewhere_is_short(&blocks[2]),
        "the test of one rule fits into ten lines"
    );
}

fn elsewhere_is_short(block: &str) -> bool {
    block.lines().count() < 10
}
