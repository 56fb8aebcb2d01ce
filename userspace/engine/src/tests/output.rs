//! Output templates.

use vigia_event::{Spelling, View};

use super::{compile, event, fields, rule};
use crate::compile::compile_with;
use crate::{Options, Source};

fn with_output(output: &str) -> String {
    rule("r", "evt.type = open").replace("output: o", &format!("output: |\n    {output}"))
}

#[test]
fn tokens_become_values() {
    let values = event(
        "open",
        0,
        "t.text=abc;t.int=-5;t.bool=true;t.list=a|b;t.any=x|y;t.bytes=a\u{1}b;t.uint=?;t.ip=::1",
    );
    let view = View {
        event: &values,
        spelling: Spelling::Given,
    };
    for (output, expected) in [
        ("plain", "plain"),
        ("  %t.text", "abc"),
        ("(%t.text)", "(abc)"),
        ("%t.text, %t.int.", "abc, -5."),
        ("%t.textual", "abcual"),
        ("%t.text.x", "abc.x"),
        ("%t.bool %t.ip", "true ::1"),
        ("%t.list %t.any", "(a,b) x y"),
        ("%t.bytes", "a.b"),
        ("%t.other %t.uint", "<NA> <NA>"),
        ("%5t.text|", "abc  |"),
        ("%2t.text|", "ab|"),
        ("%0t.text|", "abc|"),
        ("%04t.text|", "abc |"),
        ("%toupper(t.text) %len(t.text)", "ABC 3"),
        ("%t.ancestor[1]", "<NA>"),
        ("%evt.time %evt.time.s", "13:53:31.726060287 13:53:31"),
        ("%evt.time.iso8601", "2026-01-21T13:53:31.726060287+0000"),
        ("container: %container.info end", "container:  end"),
    ] {
        let compiled = compile(&with_output(output));
        let Some(ruleset) = compiled.ruleset else {
            panic!("{output} {}", compiled.diagnostics[0])
        };
        assert_eq!(ruleset.rules()[0].output.render(view), expected, "{output}");
    }
}

#[test]
fn what_cannot_be_printed_is_refused_at_its_place() {
    for (output, column) in [
        ("a %", 7),
        ("%%t.text", 5),
        ("x %nope y", 7),
        ("x %t.nope y", 7),
        ("a %t.text %(", 15),
        ("a %4097t.text", 7),
        ("%70000000t.text", 5),
        ("%99999999999999999999999t.text", 5),
    ] {
        let compiled = compile(&with_output(output));
        assert!(compiled.ruleset.is_none(), "{output}");
        let first = &compiled.diagnostics[0];
        assert_eq!((first.line, first.column), (4, column), "{output}\n{first}");
    }
}

#[test]
fn an_output_is_filled_in_no_further_than_anybody_reads() {
    let values = event("open", 0, "t.text=abc");
    let view = View {
        event: &values,
        spelling: Spelling::Given,
    };
    let ruleset = super::ruleset(&[&with_output(&"%4096t.text".repeat(1000))]);
    let line = ruleset.rules()[0].output.render(view);
    assert_eq!(line.len(), 64 << 10);
    assert!(line.starts_with("abc  "));
}

#[test]
fn the_fields_of_an_output_are_listed_once_with_their_values() {
    let values = event("open", 0, "t.text=abc");
    let view = View {
        event: &values,
        spelling: Spelling::Given,
    };
    let ruleset = super::ruleset(&[&with_output(
        "%tolower(t.text) %t.text %t.ancestor[2] %concat(t.text, t.path)",
    )]);
    let shown: Vec<&str> = ruleset.rules()[0]
        .output
        .fields(view)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    // A transformer is no field of an alert, what it reads is.
    assert_eq!(shown, ["t.text", "t.ancestor[2]", "t.path"]);
}

#[test]
fn the_suggested_fields_are_appended_where_they_are_wanted() {
    let compiled = compile_with(
        &[Source::new("x", with_output("o"))],
        &Options::default(),
        fields::CATALOGUE,
    );
    let values = event("open", 0, "");
    let view = View {
        event: &values,
        spelling: Spelling::Given,
    };
    let line = compiled.ruleset.expect("no errors").rules()[0]
        .output
        .render(view);
    assert!(
        line.starts_with("o container_id=host container_name=host container_image_repository="),
        "{line}"
    );
}
