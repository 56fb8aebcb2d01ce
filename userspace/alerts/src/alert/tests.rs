//! What an alert holds, and what it must not.

use serde_json::json;
use vigia_event::container::Container;

use super::*;
use crate::render::{RenderOptions, Rendered};
use crate::sample::{self, CANARY, TIME_NS, alert, context, finding, refused_write, secret_read};

#[test]
fn output_fields_are_typed_and_missing_ones_are_null() {
    let fields = alert("/x").output_fields;
    for (name, expected) in [
        ("evt.time", json!(TIME_NS)),
        ("user.uid", json!(33)),
        ("evt.rawres", json!(-30)),
        ("container.read_only", json!(true)),
        ("proc.aname", json!("nginx tini")),
        ("k8s.pod.name", json!(null)),
        ("proc.env[API_TOKEN]", json!("[redacted]")),
        (
            "proc.cmdline",
            json!("sh -c touch /x --password [redacted]"),
        ),
    ] {
        assert_eq!(fields.get(name), Some(&expected), "{name}");
    }
}

#[test]
fn evidence_names_process_file_mount_result_and_container() {
    let alert = alert("/etc//x");
    let evidence = serde_json::to_value(&alert.evidence).expect("evidence is plain data");
    assert_eq!(evidence["file"]["path"], "/etc/x");
    assert_eq!(
        evidence["file"]["mount"],
        json!({"kind": "root", "point": "/", "read_only": true, "type": "overlay"})
    );
    assert_eq!(evidence["result"], json!({"name": "EROFS", "value": -30}));
    assert_eq!(evidence["process"]["ancestors"], json!(["nginx"]));
    assert_eq!(
        evidence["process"]["user"],
        json!({"name": "www-data", "uid": 33})
    );
    assert_eq!(evidence["process"]["entered"], json!(false));
    assert_eq!(evidence["count"], 1);
    let container = serde_json::to_value(&alert.container).expect("plain data");
    assert_eq!(container["name"], "shop_web.1.abc");
    assert_eq!(container["image"], "nginx:1.27");
    assert_eq!(container["read_only"], true);
    assert_eq!(container["secrets"], json!(["db_password"]));
    assert_eq!(container["swarm"]["service"], "shop_web");
    assert_eq!(alert.metadata.container, Some("known"));
    assert_eq!(alert.metadata.fields["cluster"], "eu-1");
    assert_eq!(alert.hostname, "node-1");
}

#[test]
fn a_secret_in_argv_environment_or_label_appears_nowhere() {
    for event in [refused_write(b"/x?password=c4n4ry"), secret_read()] {
        let alert = sample::judged(&event, finding(&event), &context());
        let rendered = Rendered::new(alert, RenderOptions::default());
        for form in [rendered.json(), rendered.text(), &rendered.readable(false)] {
            assert!(!form.contains(CANARY), "{form}");
        }
    }
}

#[test]
fn the_id_follows_from_what_happened() {
    let context = context();
    let event = refused_write(b"/x");
    let id = |event: &Event, change: fn(&mut Finding<'_, '_>)| {
        let mut finding = finding(event);
        change(&mut finding);
        sample::judged(event, finding, &context).id
    };
    let first = id(&event, |_| ());
    assert_eq!(first, id(&event, |_| ()));
    assert_eq!(first.as_str().len(), 32);
    assert_ne!(first, id(&event, |finding| finding.rule = "Another"));
    assert_ne!(
        first,
        id(&event, |finding| finding.spelling = Spelling::Real)
    );
    let mut later = event.clone();
    later.captured.sequence += 1;
    assert_ne!(first, id(&later, |_| ()));
}

#[test]
fn what_is_undecided_is_a_note_and_says_what_is_unknown() {
    let mut event = refused_write(b"/x");
    let pending = Container {
        metadata: Metadata::Pending,
        ..Container::clone(event.container.as_ref().expect("set"))
    };
    event.container = Some(std::sync::Arc::new(pending));
    let mut finding = finding(&event);
    finding.is_partial = true;
    finding.priority = Priority::Critical;
    finding.fields.push(("container.name", Extracted::Unknown));
    let alert = sample::judged(&event, finding, &context());
    assert_eq!(alert.priority, Priority::Notice);
    assert!(alert.evidence.partial);
    assert_eq!(alert.evidence.unknown, ["container.name"]);
    assert_eq!(alert.metadata.container, Some("pending"));
    assert_eq!(alert.output_fields["container.name"], json!(null));
}

#[test]
fn the_object_is_the_group_else_the_secret_else_the_path_else_the_program() {
    let subject = |event: &Event, group: &[Option<&'static str>]| {
        let mut finding = finding(event);
        finding.group = group.iter().map(|value| Extracted::text(*value)).collect();
        sample::judged(event, finding, &context()).subject
    };
    let write = refused_write(b"/etc/x");
    let other_path = refused_write(b"/etc/y");
    assert_ne!(subject(&write, &[]), subject(&other_path, &[]));
    assert_eq!(
        subject(&write, &[Some("/bin/sh"), None]),
        subject(&other_path, &[Some("/bin/sh"), None])
    );
    assert_ne!(
        subject(&write, &[Some("/bin/sh"), None]),
        subject(&write, &[None, Some("/bin/sh")])
    );
    let mut through_a_link = secret_read();
    through_a_link.paths = other_path.paths.clone();
    assert_eq!(subject(&secret_read(), &[]), subject(&through_a_link, &[]));
    let (mut no_path, mut other_program) = (write.clone(), write);
    no_path.paths = Default::default();
    other_program.paths = Default::default();
    std::sync::Arc::make_mut(&mut other_program.process).exe_path = "/bin/other".into();
    assert_ne!(subject(&no_path, &[]), subject(&other_program, &[]));
}
