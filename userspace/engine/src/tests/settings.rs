//! What settings outside the rule files change: which rules are on, and what alerts carry.

use vigia_event::{Extracted, Value, View};

use super::{event, fields, matches, rule};
use crate::compile::compile_with;
use crate::{AppendField, AppendOutput, Code, Compiled, Options, Selection, Selector, Source};

fn compile(text: &str, options: &Options) -> Compiled {
    let options = Options {
        keep_conditions: true,
        ..options.clone()
    };
    compile_with(&[Source::new("0.yaml", text)], &options, fields::CATALOGUE)
}

fn three_rules() -> String {
    let tagged = |name: &str, tags: &str| {
        format!(
            "{}  tags: {tags}\n",
            rule(name, "evt.type = open and t.int = 1")
        )
    };
    [
        tagged("Read a", "[read, a]"),
        tagged("Read b", "[read]"),
        tagged("Write a", "[write]") + "  enabled: false\n",
    ]
    .concat()
}

fn enabled(selections: &[(bool, Selector)]) -> (Vec<String>, Vec<String>) {
    let selections = selections
        .iter()
        .map(|(enable, rules)| Selection {
            enable: *enable,
            rules: rules.clone(),
        })
        .collect();
    let options = Options {
        selections,
        ..Options::default()
    };
    let compiled = compile(&three_rules(), &options);
    let warnings = compiled
        .diagnostics
        .iter()
        .map(|found| format!("{} {}", found.source, found.snippet))
        .collect();
    let ruleset = compiled.ruleset.expect("no errors");
    let rules = ruleset.rules().iter().filter(|rule| rule.enabled);
    (rules.map(|rule| rule.name.clone()).collect(), warnings)
}

#[test]
fn the_last_selection_that_picks_a_rule_counts() {
    let name = |name: &str| Selector::Name(name.to_owned());
    let tag = |tag: &str| Selector::Tag(tag.to_owned());
    for (selections, expected) in [
        (vec![], vec!["Read a", "Read b"]),
        (vec![(false, name("*"))], vec![]),
        (
            vec![(false, name("*")), (true, tag("write"))],
            vec!["Write a"],
        ),
        (vec![(true, tag("write")), (false, name("*"))], vec![]),
        (vec![(false, name("* a"))], vec!["Read b"]),
        (
            vec![(false, tag("read")), (true, name("Read a"))],
            vec!["Read a"],
        ),
        (vec![(true, name("*"))], vec!["Read a", "Read b", "Write a"]),
    ] {
        let (enabled, warnings) = enabled(&selections);
        assert_eq!(enabled, expected, "{selections:?}");
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

#[test]
fn a_selection_that_picks_nothing_is_pointed_out() {
    let (enabled, warnings) = enabled(&[
        (false, Selector::Name("Raed a".to_owned())),
        (true, Selector::Tag("raed".to_owned())),
    ]);
    assert_eq!(enabled, ["Read a", "Read b"]);
    assert_eq!(
        warnings,
        [
            "selection 1 disable: {rule: Raed a}",
            "selection 2 enable: {tag: raed}"
        ]
    );
}

#[test]
fn outputs_get_what_is_meant_for_them() {
    let extra = |text: &str| Some(text.to_owned());
    let append_output = vec![
        AppendOutput {
            extra_output: extra("int=%t.int"),
            ..AppendOutput::default()
        },
        AppendOutput {
            tags: vec!["a".to_owned(), "read".to_owned()],
            extra_output: extra("tagged"),
            ..AppendOutput::default()
        },
        AppendOutput {
            rule: Some("Read b".to_owned()),
            extra_output: extra("named %static.site"),
            ..AppendOutput::default()
        },
        AppendOutput {
            source: Some("k8s_audit".to_owned()),
            extra_output: extra("never"),
            ..AppendOutput::default()
        },
    ];
    let options = Options {
        append_output,
        static_fields: vec![("site".to_owned(), "north".to_owned())],
        ..Options::default()
    };
    let compiled = compile(&three_rules(), &options);
    assert!(
        compiled.diagnostics.is_empty(),
        "{:?}",
        compiled.diagnostics
    );
    let ruleset = compiled.ruleset.expect("no errors");
    let event = event("open", 0, "t.int=7");
    let view = View {
        event: &event,
        spelling: vigia_event::Spelling::Given,
    };
    let shown: Vec<String> = ruleset
        .rules()
        .iter()
        .map(|rule| rule.output.render(view))
        .collect();
    assert_eq!(shown, ["o int=7 tagged", "o int=7 named north", "o int=7"]);
}

#[test]
fn extra_fields_keep_their_types_and_the_later_of_two_counts() {
    let field = |name: &str| AppendField::Field(name.to_owned());
    let text = |name: &str, format: &str| AppendField::Text {
        name: name.to_owned(),
        format: format.to_owned(),
    };
    let options = Options {
        append_output: vec![AppendOutput {
            extra_fields: vec![
                text("t.int", "replaced"),
                field("t.int"),
                field("static.site"),
                text("both", "%t.int and %t.text"),
            ],
            ..AppendOutput::default()
        }],
        static_fields: vec![("site".to_owned(), "north".to_owned())],
        ..Options::default()
    };
    let ruleset = compile(&rule("r", "evt.type = open and t.int = 7"), &options)
        .ruleset
        .expect("no errors");
    let event = event("open", 0, "t.int=7");
    let view = View {
        event: &event,
        spelling: vigia_event::Spelling::Given,
    };
    let fields: Vec<(&str, Extracted<'_>)> = ruleset.rules()[0]
        .extra_fields
        .iter()
        .map(|field| (field.name(), field.extract(view)))
        .collect();
    let made = |text: &str| Extracted::One(Value::made(text.into()));
    assert_eq!(
        fields,
        [
            ("t.int", Extracted::One(Value::Int(7))),
            ("static.site", made("north")),
            ("both", made("7 and <NA>")),
        ]
    );
}

#[test]
fn static_fields_are_fields_in_conditions_and_are_suggested_for_outputs() {
    let options = Options {
        append_output: vec![AppendOutput::suggested(), AppendOutput::suggested()],
        static_fields: vec![
            ("site".to_owned(), "north".to_owned()),
            ("rack".to_owned(), "7".to_owned()),
        ],
        ..Options::default()
    };
    let text = format!(
        "{}{}",
        rule("here", "static.site = north"),
        rule("there", "static.site in (south, west)")
    );
    let compiled = compile(
        &text,
        &Options {
            rule_matching: crate::RuleMatching::All,
            keep_conditions: true,
            ..options
        },
    );
    let ruleset = compiled.ruleset.expect("no errors");
    let event = event("open", 0, "");
    assert_eq!(matches(&ruleset, &event).0, ["here"]);
    let view = View {
        event: &event,
        spelling: vigia_event::Spelling::Given,
    };
    let output = ruleset.rules()[0].output.render(view);
    assert!(
        output.starts_with("o container_id=")
            && output.ends_with(" static_site=north static_rack=7")
            && output.matches("container_id=").count() == 1,
        "{output}"
    );
}

#[test]
fn mistakes_in_settings_are_shown_in_their_own_text() {
    let options = Options {
        append_output: vec![
            AppendOutput {
                extra_output: Some("a %t.nope".to_owned()),
                extra_fields: vec![
                    AppendField::Field("t.int and more".to_owned()),
                    AppendField::Field("t.itn".to_owned()),
                    AppendField::Field(String::new()),
                    AppendField::Text {
                        name: "x".to_owned(),
                        format: "100 %".to_owned(),
                    },
                ],
                ..AppendOutput::default()
            },
            AppendOutput {
                rule: Some("s".to_owned()),
                extra_output: Some("b".to_owned()),
                ..AppendOutput::default()
            },
        ],
        ..Options::default()
    };
    let compiled = compile(&rule("r", "evt.type = open and t.int = 7"), &options);
    assert!(compiled.ruleset.is_none());
    let found: Vec<(&str, usize, Code)> = compiled
        .diagnostics
        .iter()
        .map(|found| (found.source.as_str(), found.column, found.code))
        .collect();
    let fields = "append_output 1, extra_fields";
    assert_eq!(
        found,
        [
            ("append_output 1, extra_output", 3, Code::CompileOutput),
            (fields, 1, Code::CompileOutput),
            (fields, 1, Code::CompileOutput),
            (fields, 1, Code::CompileOutput),
            (fields, 5, Code::CompileOutput),
            ("append_output 2", 1, Code::UnmatchedSelection),
        ]
    );
    assert_eq!(
        compiled.diagnostics[2].problem.help().as_deref(),
        Some("did you mean 't.int'?")
    );
}
