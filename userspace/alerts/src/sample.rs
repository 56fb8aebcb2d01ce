//! Events and alerts for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use bstr::BString;
use vigia_engine::Priority;
use vigia_event::call::named;
use vigia_event::captured::{Call, GivenPath, Task, What};
use vigia_event::container::{Engine, Inspected};
use vigia_event::mount::{Mount, MountKind, MountTable};
use vigia_event::process::Process;
use vigia_event::secret::{Reader, SecretAccess, SecretKind, SecretRef, SecretSource};
use vigia_event::users::{User, Users};
use vigia_event::{Captured, Container, Event, Extracted, Metadata, Node, Spelling, Value};

use crate::alert::texts::Texts;
use crate::alert::{Alert, Context, Finding};
use crate::redact::{RedactionOptions, Redactor};

pub(crate) const CANARY: &str = "c4n4ry";
/// 2023-11-14 22:13:20 UTC and one nanosecond.
pub(crate) const TIME_NS: u64 = 1_700_000_000_000_000_001;

pub(crate) fn context() -> Context {
    Context {
        redactor: Redactor::new(&RedactionOptions::default()).expect("the table compiles"),
        fixed_fields: BTreeMap::from([("cluster".to_owned(), "eu-1".to_owned())]),
        agent_version: "0.1.0",
        iso8601: false,
    }
}

/// A refused write of `path` in a read-only container, by a process with a canary in its arguments.
pub(crate) fn refused_write(path: &[u8]) -> Event {
    let users = Users {
        users: vec![User {
            uid: 33,
            name: "www-data".into(),
            ..User::default()
        }],
        groups: Vec::new(),
        ..Users::default()
    };
    let mounts = Arc::new(MountTable {
        mounts: vec![Mount {
            point: "/".into(),
            read_only: true,
            fs_type: "overlay".into(),
            kind: MountKind::Root,
            ..Mount::default()
        }],
        secrets: vec![SecretRef {
            name: "db_password".into(),
            path: "/run/secrets/db_password".into(),
            ..SecretRef::default()
        }],
        ..MountTable::default()
    });
    let labels = [
        ("com.docker.swarm.service.name", "shop_web"),
        ("com.docker.swarm.task.name", "shop_web.1.abc"),
        ("com.docker.swarm.node.id", "node1"),
        ("com.docker.stack.namespace", "shop"),
        ("api-token", CANARY),
    ];
    let inspected = Inspected {
        name: "shop_web.1.abc".into(),
        image: "nginx:1.27".into(),
        image_repository: "nginx".into(),
        image_tag: "1.27".into(),
        labels: labels
            .into_iter()
            .map(|(name, value)| (name.to_owned(), BString::from(value)))
            .collect(),
        ..Inspected::default()
    };
    let task = Task {
        pid: 4242,
        parent_pid: 4200,
        comm: "sh".into(),
        credentials: vigia_event::captured::Credentials {
            uid: 1000,
            euid: 33,
            ..Default::default()
        },
        entered: Some(false),
        ..Task::default()
    };
    let args: Vec<BString> = ["-c", "touch /x", "--password", "c4n4ry and c4n4ry"]
        .map(BString::from)
        .to_vec();
    let process = Process {
        task: task.clone(),
        exe: "sh".into(),
        exe_path: "/bin/sh".into(),
        args: args.into(),
        env: [BString::from(format!("API_TOKEN={CANARY} x"))]
            .to_vec()
            .into(),
        cwd: "/srv".into(),
        ..Process::default()
    };
    let parent = Process {
        task: Task {
            comm: "nginx".into(),
            ..Task::default()
        },
        ..Process::default()
    };
    let mut event = Event {
        number: 1,
        time_ns: TIME_NS,
        event_type: named::OPENAT,
        captured: Captured {
            cpu: 3,
            sequence: 99,
            boot_time_ns: 1234,
            in_scope: true,
            is_secret: false,
            task,
            what: What::Call(Box::new(Call {
                paths: vec![GivenPath {
                    given: path.into(),
                    ..GivenPath::default()
                }],
                ..Call::new(named::OPENAT, -30)
            })),
        },
        process: Arc::new(process),
        ancestors: vec![Arc::new(parent)].into(),
        session_leader: None,
        group_leader: None,
        container: Some(Arc::new(Container {
            id: "ab".repeat(32),
            engine: Engine::Docker,
            mounts: Some(Arc::clone(&mounts)),
            metadata: Metadata::Known(Arc::new(inspected)),
            ..Container::default()
        })),
        mounts,
        users: Arc::new(users),
        secret: None,
        node: Arc::new(Node {
            name: "node-1".into(),
            boot_id: "b00t".into(),
            ..Node::default()
        }),
        domain_names: Arc::default(),
        paths: Default::default(),
    };
    event.prepare();
    event
}

/// A read of a secret by a process that entered the container.
pub(crate) fn secret_read() -> Event {
    let mut event = refused_write(b"/run/secrets/db_password");
    event.secret = Some(Box::new(SecretAccess {
        secret: SecretRef {
            name: "db_password".into(),
            path: "/run/secrets/db_password".into(),
            kind: SecretKind::Secret,
            source: SecretSource::Swarm,
            ..SecretRef::default()
        },
        reader: Reader::Entered,
        reason: format!("sh < runc; --password {CANARY}"),
        by_container_mount: true,
    }));
    event
}

/// A finding about an event, with fields of every type.
pub(crate) fn finding(event: &Event) -> Finding<'static, '_> {
    Finding {
        rule: "Write refused",
        priority: Priority::Warning,
        source: "syscall",
        tags: &[],
        spelling: Spelling::Given,
        is_partial: false,
        message: "Write refused in web".to_owned(),
        fields: vec![
            (
                "proc.cmdline",
                Extracted::One(Value::Bytes(event.process.command_line())),
            ),
            ("proc.env[API_TOKEN]", Extracted::One(Value::text(CANARY))),
            ("user.uid", Extracted::One(Value::Uint(33))),
            ("evt.rawres", Extracted::One(Value::Int(-30))),
            ("container.read_only", Extracted::One(Value::Bool(true))),
            (
                "proc.aname",
                Extracted::Many(
                    [Value::text("nginx"), Value::text("tini")]
                        .into_iter()
                        .collect(),
                ),
            ),
            ("k8s.pod.name", Extracted::Missing),
        ],
        group: Vec::new(),
        window_s: None,
    }
}

/// The alert of a refused write of a path.
pub(crate) fn alert(path: &str) -> Alert {
    let event = refused_write(path.as_bytes());
    judged(&event, finding(&event), &context())
}

/// The alert of a finding.
pub(crate) fn judged(event: &Event, finding: Finding<'_, '_>, context: &Context) -> Alert {
    Alert::of_finding(
        event,
        finding,
        &Texts::of_event(&context.redactor, event),
        context,
    )
}
