//! Lines are valid, sorted, bounded, and harmless to look at.

use serde_json::Value as Json;
use vigia_event::{Extracted, Value};

use super::*;
use crate::sample::{self, TIME_NS, alert, context, finding, refused_write};

fn rendered(alert: Alert) -> Rendered {
    Rendered::new(
        alert,
        RenderOptions {
            time: TimeStyle {
                zone: TimeZone::UTC,
                iso8601: false,
            },
            ..RenderOptions::default()
        },
    )
}

/// The keys of every object in the order in which they stand in the line.
fn assert_sorted(line: &str) {
    fn walk(value: &Json, line: &str) {
        if let Json::Object(entries) = value {
            let positions: Vec<_> = entries
                .keys()
                .map(|key| line.find(&format!("\"{key}\":")))
                .collect();
            assert!(positions.iter().all(Option::is_some), "{positions:?}");
        }
    }
    let parsed: Json = serde_json::from_str(line).expect("valid JSON");
    walk(&parsed, line);
    // Parsing sorts the keys; the same text again means that they were sorted.
    assert_eq!(serde_json::to_string(&parsed).expect("plain data"), line);
}

#[test]
fn the_json_line_has_falcos_keys_and_ours_sorted() {
    let rendered = rendered(alert("/x"));
    let line = rendered.json();
    assert_sorted(line);
    let parsed: Json = serde_json::from_str(line).expect("valid JSON");
    assert_eq!(parsed["time"], "2023-11-14T22:13:20.000000001Z");
    assert_eq!(
        parsed["output"],
        "22:13:20.000000001: Warning Write refused in web"
    );
    assert_eq!(parsed["priority"], "Warning");
    assert_eq!(parsed["source"], "syscall");
    assert_eq!(parsed["hostname"], "node-1");
    for key in [
        "container",
        "evidence",
        "metadata",
        "output_fields",
        "rule",
        "tags",
        "id",
    ] {
        assert!(!parsed[key].is_null(), "{key}");
    }
    assert!(parsed.get("truncated").is_none());
}

#[test]
fn no_form_carries_a_raw_control_character() {
    let hostile = "/x\u{1b}[2J\u{9b}31m\n\r\u{202e}\u{7f}";
    let event = refused_write(&[hostile.as_bytes(), b"\xff"].concat());
    let mut finding = finding(&event);
    finding.message = format!("wrote {hostile}");
    finding.fields.push((
        "fd.name",
        Extracted::One(Value::made([hostile.as_bytes(), b"\xff"].concat())),
    ));
    let rendered = rendered(sample::judged(&event, finding, &context()));
    for form in [rendered.json(), rendered.text(), &rendered.readable(false)] {
        let controls = form
            .chars()
            .filter(|character| *character != '\n' && crate::text::is_deceptive(*character));
        assert_eq!(controls.count(), 0, "{form:?}");
    }
    assert!(!rendered.json().contains('\n') && !rendered.text().contains('\n'));
    assert!(
        rendered
            .json()
            .contains("\\u001b[2J\\u009b31m\\n\\r\\u202e"),
        "{}",
        rendered.json()
    );
    assert!(rendered.json().contains('\u{fffd}'));
    serde_json::from_str::<Json>(rendered.json()).expect("valid JSON");
}

#[test]
fn a_line_is_bounded_and_says_what_it_lost() {
    let long = "\u{1}".repeat(60_000);
    let names: Vec<String> = (0..200)
        .map(|number| format!("proc.env[{}{number}]", "N".repeat(600)))
        .collect();
    let event = refused_write(long.as_bytes());
    let mut finding = finding(&event);
    finding.message = long.clone();
    for name in &names {
        finding.fields.push((
            name,
            Extracted::Many(std::iter::repeat_n(Value::text(&long), 70).collect()),
        ));
    }
    let rendered = rendered(sample::judged(&event, finding, &context()));
    let line = rendered.json();
    assert!(line.len() <= MAX_LINE_BYTES, "{}", line.len());
    let parsed: Json = serde_json::from_str(line).expect("valid JSON");
    assert_eq!(parsed["truncated"], true);
    assert_eq!(parsed["rule"], "Write refused");
    assert!(
        parsed["output_fields"]
            .as_object()
            .is_some_and(|fields| !fields.is_empty())
    );
}

#[test]
fn times_are_printed_as_falco_prints_them() {
    let style = |iso8601| TimeStyle {
        zone: TimeZone::UTC,
        iso8601,
    };
    assert_eq!(style(false).print(TIME_NS), "22:13:20.000000001");
    assert_eq!(
        style(true).print(TIME_NS),
        "2023-11-14T22:13:20.000000001+0000"
    );
    assert_eq!(utc(u64::MAX), "2554-07-21T23:34:33.709551615Z");
}

#[test]
fn the_readable_form_tells_what_who_and_where() {
    let rendered = rendered(alert("/etc/x"));
    let text = rendered.readable(false);
    let expected = "\
22:13:20  Warning  Write refused
          Write refused in web
          container shop_web.1.abc (nginx:1.27), service shop_web, read-only
          process   sh -c touch /x --password [redacted] [pid 4242] < nginx
          file      /etc/x, EROFS
";
    assert_eq!(text, expected);
    assert!(rendered.readable(true).starts_with("\u{1b}[2m22:13:20"));
}

/// From the text of a rule to the lines of its alert: Falco's keys, types and order.
#[test]
fn the_lines_of_a_rule_are_those_of_falco() {
    use vigia_engine::{AppendField, AppendOutput, Options, Source, compile};

    let rule = "- rule: Refused\n  desc: d\n  condition: evt.type = openat\n  priority: WARNING\n  tags: [b, a]\n  \
                output: \"%6user.name|%3proc.name|%toupper(user.name) %k8s.pod.name\"\n";
    let options = Options {
        append_output: vec![AppendOutput {
            extra_output: Some("uid=%user.uid".to_owned()),
            extra_fields: vec![
                AppendField::Field("evt.rawres".to_owned()),
                AppendField::Text {
                    name: "who".to_owned(),
                    format: "%proc.pname/%user.uid".to_owned(),
                },
            ],
            ..AppendOutput::default()
        }],
        ..Options::default()
    };
    let ruleset = compile(&[Source::new("r.yaml", rule)], &options)
        .ruleset
        .expect("no errors");
    let event = refused_write(b"/x");
    let mut alerts = Vec::new();
    ruleset.evaluate(&event, &mut ruleset.scratch(), &mut |found| {
        alerts.push(Alert::new(&event, &found, &context()));
    });
    let [alert] = &alerts[..] else {
        panic!("one alert")
    };
    let rendered = rendered(alert.clone());
    assert_eq!(
        rendered.text(),
        "22:13:20.000000001: Warning www-da|sh |WWW-DATA <NA> uid=33"
    );
    let parsed: Json = serde_json::from_str(rendered.json()).expect("valid JSON");
    assert_eq!(
        parsed["output_fields"],
        serde_json::json!({
            "evt.time": TIME_NS,
            "evt.rawres": -30,
            "k8s.pod.name": null,
            "proc.name": "sh",
            "user.name": "www-data",
            "user.uid": 33,
            "who": "nginx/33",
        })
    );
    assert_eq!(parsed["tags"], serde_json::json!(["a", "b"]));
    assert!(parsed.get("message").is_none());
    let only_message = Rendered::new(
        alert.clone(),
        RenderOptions {
            json: JsonProperties {
                message: true,
                output: false,
                output_fields: false,
                tags: false,
            },
            ..RenderOptions::default()
        },
    );
    let parsed: Json = serde_json::from_str(only_message.json()).expect("valid JSON");
    assert_eq!(parsed["message"], "www-da|sh |WWW-DATA <NA> uid=33");
    for key in ["output", "output_fields", "tags"] {
        assert!(parsed.get(key).is_none(), "{key}");
    }
}
