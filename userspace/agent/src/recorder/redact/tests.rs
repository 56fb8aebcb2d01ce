//! A canary in every place where a secret travels, and none in the recording.

use vigia_alerts::RedactionOptions;
use vigia_event::container::Metadata;
use vigia_event::file::Origin as FileOrigin;
use vigia_event::secret::{Reader as SecretReader, SecretKind, SecretSource};
use vigia_event::{Container, EventType, Node, PathSpellings, Truncated};
use vigia_recording::{Ending, Limits, Losses, Origin, Reader, Writer, WriterOptions};

use super::*;

const CANARY: &str = "c4n4ry";

fn file() -> File {
    File {
        path: format!("/srv/password={CANARY}").into(),
        ..File::default()
    }
}

fn args() -> Vec<BString> {
    vec![
        "-uroot".into(),
        format!("-p{CANARY} {CANARY}").into(),
        "--api-token".into(),
        format!("{CANARY} {CANARY}").into(),
        format!("https://me:{CANARY}@host/").into(),
    ]
}

fn process() -> Process {
    Process {
        task: Task {
            comm: "mysql".into(),
            ..Task::default()
        },
        exe: format!("PASSWORD={CANARY}").into(),
        exe_path: format!("/opt/token={CANARY}/mysql").into(),
        exe_file: Some(Arc::new(file())),
        args: args().into(),
        env: vec![
            format!("DB_PASSWORD={CANARY} {CANARY} {CANARY}").into(),
            format!("URL=redis://:{CANARY}@db/0").into(),
            "PATH=/bin".into(),
        ]
        .into(),
        cwd: format!("/srv/secret={CANARY}").into(),
        exe_origin: FileOrigin::Image,
        script: Some(Script {
            path: format!("/x/token={CANARY}").into(),
            origin: FileOrigin::Image,
        }),
        ..Process::default()
    }
}

fn container() -> Container {
    let text = |prefix: &str| BString::from(format!("{prefix}password={CANARY}"));
    Container {
        id: "a".repeat(64),
        mounts: Some(Arc::new(MountTable {
            mounts: vec![Mount {
                point: text("/"),
                root: text("/"),
                source: format!("//me:x@host/?password={CANARY}").into(),
                ..Mount::default()
            }],
            secrets: vec![SecretRef {
                path: text("/run/"),
                ..SecretRef::default()
            }],
            read_ns: 0,
        })),
        users: Arc::new(Users {
            users: vec![User {
                home: text("/home/"),
                ..User::default()
            }],
            groups: Vec::new(),
            ..Users::default()
        }),
        metadata: Metadata::Known(Arc::new(Inspected {
            labels: [
                (
                    "db.password".to_owned(),
                    format!("{CANARY} {CANARY}").into(),
                ),
                ("url".to_owned(), format!("ftp://a:{CANARY}@b/").into()),
            ]
            .into(),
            pod_labels: [("api-token".to_owned(), CANARY.into())].into(),
            health_check: [vec!["mysql".into()], args()].concat(),
            mounts: vec![DeclaredMount {
                source: text("/"),
                ..DeclaredMount::default()
            }],
            ..Inspected::default()
        })),
        ..Container::default()
    }
}

fn event(what: What) -> Event {
    let container = container();
    Event {
        number: 1,
        time_ns: 1,
        event_type: Event::type_of(&what).expect("an event"),
        captured: Captured {
            cpu: 0,
            sequence: 1,
            boot_time_ns: 1,
            in_scope: true,
            is_secret: true,
            task: Task::default(),
            what,
        },
        process: Arc::new(process()),
        ancestors: vec![Arc::new(process())].into(),
        session_leader: Some(Arc::new(process())),
        group_leader: Some(Arc::new(process())),
        domain_names: Arc::default(),
        mounts: container.mounts.clone().unwrap_or_default(),
        users: Arc::clone(&container.users),
        container: Some(Arc::new(container)),
        secret: Some(Box::new(SecretAccess {
            secret: SecretRef {
                name: "db".into(),
                path: "/run/secrets/db".into(),
                kind: SecretKind::Secret,
                source: SecretSource::Swarm,
                dev: 0,
                ino: 0,
            },
            reader: SecretReader::Late,
            reason: format!("mysql -p{CANARY} was not seen before"),
            by_container_mount: true,
        })),
        node: Arc::new(Node::default()),
        paths: PathSpellings::default(),
    }
}

fn events() -> Vec<Event> {
    let call = Call {
        paths: vec![GivenPath {
            changed: None,
            given: format!("token={CANARY}").into(),
            base: Some(format!("/password={CANARY}").into()),
            truncated: false,
        }],
        texts: vec![format!("password={CANARY}").into()],
        file: Some(file()),
        ..Call::new(EventType::from_name("openat").expect("a row"), 0)
    };
    let exec = Exec {
        filename: format!("/x/token={CANARY}").into(),
        file: file(),
        args: [vec!["mysql".into()], args()].concat(),
        env: vec![format!("A_SECRET={CANARY} {CANARY}").into()],
        cwd: format!("/token={CANARY}").into(),
        truncated: Truncated::default(),
    };
    vec![
        event(What::Call(Box::new(call))),
        event(What::Exec(Box::new(exec))),
        event(What::Rename {
            comm: format!("pwd={CANARY}").into(),
        }),
    ]
}

fn recorded(enabled: bool) -> String {
    let redactor = Redactor::new(&RedactionOptions {
        enabled,
        ..RedactionOptions::default()
    })
    .expect("the table compiles");
    let mut writer = Writer::new(
        Vec::new(),
        &Origin::default(),
        Redacting::new(redactor),
        WriterOptions::default(),
    )
    .expect("a vector takes all");
    for event in events() {
        writer.write(&event, 0).expect("as above");
    }
    let (bytes, _) = writer
        .finish(Ending::Stopped, Losses::default(), 0)
        .expect("as above");
    let reader = Reader::new(bytes.as_slice(), Limits::default()).expect("a recording");
    let read: Vec<_> = reader.map(|event| event.expect("whole")).collect();
    assert_eq!(read.len(), events().len());
    format!("{read:#?}")
}

#[test]
fn no_secret_gets_into_a_recording() {
    let shown = recorded(false);
    assert!(shown.contains(CANARY));
    let hidden = recorded(true);
    let leaks: Vec<&str> = hidden
        .lines()
        .filter(|line| line.contains(CANARY))
        .collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    for kept in [
        "PATH=/bin",
        "-uroot",
        "-p[redacted]",
        "DB_PASSWORD=[redacted]",
        "/run/secrets/db",
    ] {
        assert!(hidden.contains(kept), "{kept}");
    }
}

#[test]
fn what_is_no_secret_keeps_its_bytes() {
    let redactor = Redactor::new(&RedactionOptions::default()).expect("the table compiles");
    let redacting = Redacting::new(redactor);
    let mut text = BString::from(vec![b'a', 0xff, b'b']);
    redacting.plain(&mut text);
    assert_eq!(text, vec![b'a', 0xff, b'b']);
}
