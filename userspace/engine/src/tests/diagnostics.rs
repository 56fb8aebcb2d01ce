//! What is wrong is said all at once, each at its place.

use super::{compile, compile_all, rule};
use crate::{Code, Options, Source};

/// Places and codes, in order.
fn found(texts: &[&str]) -> Vec<(String, usize, usize, Code)> {
    let compiled = compile_all(texts);
    assert_eq!(
        compiled.ruleset.is_none(),
        compiled.diagnostics.iter().any(crate::Diagnostic::is_error)
    );
    compiled
        .diagnostics
        .into_iter()
        .map(|diagnostic| {
            (
                diagnostic.source,
                diagnostic.line,
                diagnostic.column,
                diagnostic.code,
            )
        })
        .collect()
}

#[test]
fn five_mistakes_in_one_file_are_five_diagnostics_at_their_places() {
    let text = "\
- list: shells
  items: [sh, bash]

- macro: is_shell
  condition: t.nmae in (shells)

- rule: One
  desc: d
  condition: >
    is_shell
    and t.text = \"a\"
    and t.int = five
  output: o %t.nope here
  priority: WARNIN

- rule: Two
  desc: d
  condition: |
    t.text = a
      and t.text bigger b
  output: o
  priority: INFO
";
    let places: Vec<(usize, usize, Code)> = found(&[text])
        .into_iter()
        .map(|(_, line, column, code)| (line, column, code))
        .collect();
    assert_eq!(
        places,
        [
            (5, 14, Code::CompileCondition),
            (12, 17, Code::CompileCondition),
            (13, 13, Code::CompileOutput),
            (14, 13, Code::YamlValidate),
            (20, 18, Code::CompileCondition),
        ]
    );
}

#[test]
fn mistakes_are_found_in_every_file() {
    let places = found(&[
        &rule("a", "t.nope = 1"),
        "- list: x\n  items: [\n",
        &rule("b", "evt.type = opne"),
    ]);
    assert_eq!(
        places[0],
        ("0.yaml".to_owned(), 6, 5, Code::CompileCondition)
    );
    assert_eq!(places[1].3, Code::YamlParse);
    assert_eq!(
        places[2],
        ("2.yaml".to_owned(), 6, 16, Code::CompileCondition)
    );
}

#[test]
fn a_diagnostic_shows_the_line_a_caret_and_the_nearest_name() {
    let compiled = compile(&rule("My \"rule\"", "t.int = 1\nand t.texd = x"));
    assert_eq!(
        compiled.diagnostics[0].to_string(),
        "\
error[LOAD_ERR_COMPILE_CONDITION]: filter_check called with nonexistent field t.texd
 --> 0.yaml:7:9
  |
7 |     and t.texd = x
  |         ^^^^^^
  = in rule \"My \"rule\"\"
  = help: did you mean 't.text'?
"
    );
}

#[test]
fn what_is_wrong_with_items() {
    for (text, code, message) in [
        ("x: y", Code::YamlValidate, "must be a sequence"),
        ("- x", Code::YamlValidate, "must be a map"),
        ("- rool: x", Code::UnknownItem, "Unknown top level item"),
        (
            "- list: x",
            Code::YamlValidate,
            "no mapping for key 'items'",
        ),
        (
            "- list: x\n  items: y",
            Code::YamlValidate,
            "sequence of scalar values",
        ),
        (
            "- list: x\n  items: [[y]]",
            Code::YamlValidate,
            "sequence of scalar values",
        ),
        (
            "- list:\n  items: []",
            Code::YamlValidate,
            "key 'list' is empty",
        ),
        (
            "- list: 'a b'\n  items: []",
            Code::InvalidListName,
            "'a b' is not a name",
        ),
        (
            "- list: x\n  items: []\n  itens: []",
            Code::UnknownKey,
            "Unknown key 'itens'",
        ),
        (
            "- list: x\n  items: []\n  append: true",
            Code::Validate,
            "no list by that name",
        ),
        (
            "- macro: x\n  condition: ''",
            Code::YamlValidate,
            "must be non-empty",
        ),
        (
            "- macro: x\n  condition: [a]",
            Code::YamlValidate,
            "not a scalar",
        ),
        (
            "- macro: a-b\n  condition: t.int = 1",
            Code::InvalidMacroName,
            "'a-b' is not a name",
        ),
        (
            "- macro: x\n  condition: t.int = 1",
            Code::UnusedMacro,
            "Macro 'x' not referred",
        ),
        (
            "- rule: x",
            Code::YamlValidate,
            "no mapping for key 'enabled'",
        ),
        (
            "- rule: x\n  enabled: false",
            Code::DeprecatedItem,
            "deprecated",
        ),
        (
            "- rule: x\n  exceptions: [{name: a}]",
            Code::YamlValidate,
            "no mapping for key 'enabled'",
        ),
        (
            "- required_engine_version: 0.99.0",
            Code::Validate,
            "engine version",
        ),
        ("- required_engine_version: x", Code::YamlValidate, "semver"),
        (
            "- required_plugin_versions: [{name: k8saudit, version: 0.1.0}]",
            Code::Validate,
            "k8saudit (>= 0.1.0)",
        ),
        (
            "- list: x\n  items: []\n  items: [a]",
            Code::YamlValidate,
            "stands twice",
        ),
    ] {
        let compiled = compile(text);
        let Some(found) = compiled.diagnostics.iter().find(|found| found.code == code) else {
            panic!("{text}\n{:?}", compiled.diagnostics)
        };
        assert!(
            found.problem.to_string().contains(message),
            "{text}\n{found}"
        );
    }
}

#[test]
fn all_missing_keys_of_a_rule_are_named() {
    let compiled = compile("- rule: x\n  output: o\n");
    let shown: Vec<String> = compiled
        .diagnostics
        .iter()
        .map(|found| found.problem.to_string())
        .collect();
    assert_eq!(
        shown,
        [
            "Item has no mapping for key 'condition'",
            "Item has no mapping for key 'desc'",
            "Item has no mapping for key 'priority'"
        ]
    );
}

#[test]
fn what_existing_files_have_is_accepted() {
    let text = "
- required_engine_version: 0.57.0
- required_engine_version: 2
- required_plugin_versions:
  - name: container
    version: 0.4.0
---
---
- rule: a
  desc: d
  condition: evt.type = open and t.text = a
  output: o
  priority: info
  enabled: on
  tags: [b, a, b]
  exceptions: []
  append: false
";
    let compiled = compile(text);
    assert!(
        compiled.diagnostics.is_empty(),
        "{}",
        compiled.diagnostics[0]
    );
    let ruleset = compiled.ruleset.expect("no errors");
    assert_eq!(ruleset.rules()[0].tags, ["a", "b"]);
}

#[test]
fn rules_can_be_skipped_singly() {
    for (extra, code) in [
        ("  source: k8s_audit\n", Code::UnknownSource),
        ("  skip-if-unknown-filter: true\n", Code::UnknownFilter),
    ] {
        let compiled = compile(&format!("{}{extra}", rule("r", "t.nope = 1")));
        assert_eq!(
            compiled
                .diagnostics
                .iter()
                .map(|found| found.code)
                .collect::<Vec<_>>(),
            [code]
        );
        assert!(compiled.ruleset.expect("no errors").rules().is_empty());
    }
    let compiled = compile(&format!(
        "{}  skip-if-unknown-filter: true\n",
        rule("r", "t.text = ")
    ));
    assert!(compiled.ruleset.is_none());
}

#[test]
fn what_later_files_define_again_replaces_what_was_there() {
    let first = format!("{}{}", rule("a", "t.int = 1"), rule("b", "t.int = 1"));
    let ruleset = super::ruleset(&[
        &first,
        &rule("a", "t.int = 2"),
        "- rule: b\n  enabled: false\n",
    ]);
    let names: Vec<&str> = ruleset
        .rules()
        .iter()
        .map(|rule| rule.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(
        super::matches(&ruleset, &super::event("open", 0, "t.int=1")).0,
        [""; 0]
    );
    assert_eq!(
        super::matches(&ruleset, &super::event("open", 0, "t.int=2")).0,
        ["a"]
    );
}

#[test]
fn files_beyond_the_limit_are_refused_unread() {
    let options = Options {
        maximum_bytes: 10,
        ..Options::default()
    };
    let compiled = crate::compile(
        &[Source::new("big.yaml", "- list: x\n  items: []\n")],
        &options,
    );
    assert!(compiled.ruleset.is_none());
    assert_eq!(compiled.diagnostics[0].code, Code::FileRead);
}

#[test]
fn garbage_never_panics() {
    let text = format!(
        "{}{}",
        rule("r", "t.text in (a, \"b\") and not (t.int > 5)"),
        "- list: l\n  items: ['a', b]\n"
    );
    for cut in (0..text.len()).step_by(3) {
        compile(&text[..cut]);
        let mut changed = text.clone().into_bytes();
        for byte in [b'(', b'"', b'%', b'\\', b'\t', b'&', b'*', 0x80] {
            changed[cut] = byte;
            compile(&String::from_utf8_lossy(&changed));
        }
    }
}

#[test]
fn of_very_many_mistakes_the_first_are_shown_and_the_rest_counted() {
    let names: Vec<String> = (0..20_000).map(|index| format!("opne{index}")).collect();
    let text = format!(
        "{}{}",
        rule("r", &format!("evt.type in ({})", names.join(", "))),
        "- lsit: x\n".repeat(300)
    );
    let compiled = compile(&text);
    assert!(compiled.ruleset.is_none());
    let shown = |code| {
        let of_code = compiled
            .diagnostics
            .iter()
            .filter(|found| found.code == code);
        let messages: Vec<String> = of_code.map(|found| found.problem.to_string()).collect();
        (messages.len(), messages.last().cloned().unwrap_or_default())
    };
    assert_eq!(
        shown(Code::CompileCondition),
        (
            101,
            "and 19900 more like this, or of other kinds, in this file".to_owned()
        )
    );
    assert_eq!(
        shown(Code::UnknownItem),
        (
            101,
            "and 200 more like this, or of other kinds, in this file".to_owned()
        )
    );
}

#[test]
fn what_aliases_stand_for_is_bounded() {
    let text = format!(
        "- list: l\n  items: &i [{}]\n{}",
        "item, ".repeat(10_000),
        "- {list: m, items: *i}\n".repeat(1000)
    );
    let compiled = compile(&text);
    assert_eq!(compiled.diagnostics[0].code, Code::YamlParse);
    let message = compiled.diagnostics[0].problem.to_string();
    assert!(message.contains("aliases stand for more than"), "{message}");
}

#[test]
fn a_message_is_not_as_long_as_a_name() {
    let long = "x".repeat(100_000);
    let compiled = compile(&rule("r", &format!("proc.{long} = a")));
    assert!(compiled.diagnostics[0].to_string().len() < 2000);
    let compiled = compile(&format!("- rule: {long}\n  enabled: true\n"));
    assert!(compiled.diagnostics[0].to_string().len() < 2000);
}

#[test]
fn a_list_in_brackets_is_told_how_lists_are_written() {
    let compiled = super::compile(&super::rule("r", "evt.type in [open,openat]"));
    let message = compiled.diagnostics[0].message();
    assert!(message.ends_with("write (open,openat)"), "{message}");
}
