//! From a case to an event. What a case does not say is that of a healthy world: a web server, `nginx`, is the main process of a
//! container that Docker started an hour ago.

mod call;
mod container;
mod process;
mod promises;
mod socket;
mod symbols;

use std::net::IpAddr;
use std::sync::Arc;

use vigia_event::call::named;
use vigia_event::names::DomainNames;
use vigia_event::secret::{Reader, SecretAccess, SecretKind, SecretRef, SecretSource};
use vigia_event::users::{User, Users};
use vigia_event::{Captured, Event, EventType, Metadata, Node as Machine};

use crate::document::{Kind, Node};
use crate::reading::{self, Keys, Result, did_you_mean};

/// Whether a key of a case names its event type.
pub(crate) fn is_event_type(key: &str) -> bool {
    event_type_of(key).is_some()
}

/// What becomes of containers is an event of Falco's name `container`, but that key says where something happens.
fn event_type_of(key: &str) -> Option<EventType> {
    match key {
        "container" => None,
        "container_event" => Some(named::CONTAINER),
        name => EventType::from_name(name),
    }
}

/// The names of all event types.
pub(crate) fn event_type_names() -> impl Iterator<Item = &'static str> {
    EventType::all().map(EventType::name)
}

/// 2026-01-05 12:00 UTC, a Monday: when events happen.
const NOW_NS: u64 = 1_767_614_400_000_000_000;
/// `CLOCK_BOOTTIME` of the event.
const BOOT_TIME_NS: u64 = 86_400_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// The event that a case tells of.
pub(crate) fn event(case: &Keys<'_>) -> Result<Event> {
    let (event_type, subject) = what_happens(case.node)?;
    let on_host = on_host(case)?;
    let mut process = process::read(case.get("process").map(|node| &**node), on_host)?;
    let what = call::what(case, event_type, subject, &mut process)?;
    let now_ns = match case.get("at") {
        None => NOW_NS,
        Some(node) => instant(node)?,
    };
    let users = Arc::new(users(&process));
    let place = container::read(case, on_host, now_ns, &users)?;
    let mut event = Event {
        number: 1,
        time_ns: now_ns,
        event_type,
        captured: Captured {
            cpu: 0,
            sequence: 1,
            boot_time_ns: BOOT_TIME_NS,
            in_scope: true,
            is_secret: case.get("secret").is_some(),
            task: process.main.task.clone(),
            what,
        },
        process: Arc::new(process.main),
        ancestors: process.ancestors.into_iter().map(Arc::new).collect(),
        session_leader: process.session_leader.map(Arc::new),
        group_leader: None,
        domain_names: Arc::new(domain_names(case)?),
        container: place.container.map(Arc::new),
        mounts: place.mounts,
        users,
        secret: case
            .get("secret")
            .map(|node| secret(node))
            .transpose()?
            .map(Box::new),
        node: Arc::new(Machine {
            name: "node-1".into(),
            hostname: "node-1".into(),
            unseen_rings: case.flag("unseen_rings")? == Some(true),
            ..Machine::default()
        }),
        paths: Default::default(),
    };
    event.prepare();
    Ok(event)
}

/// The one key of a case that is an event type, with what it is about.
fn what_happens(case: &Node) -> Result<(EventType, &Node)> {
    let mut found = None;
    for (key, value) in case.entries() {
        let Kind::Scalar(name) = &key.kind else {
            continue;
        };
        let Some(event_type) = event_type_of(name) else {
            continue;
        };
        if found.is_some() {
            return Err(key.fault(format!("`{name}` is a second event type in one case")));
        }
        found = Some((event_type, &**value));
    }
    found.ok_or_else(|| {
        case.fault("a case names its event type and what it is about, as in `open: /etc/shadow`")
    })
}

/// The addresses of domain names; `~` for one that nobody has answered yet.
fn domain_names(case: &Keys<'_>) -> Result<DomainNames> {
    let entries = case.get("dns").map_or(&[][..], |node| node.entries());
    let mut names = Vec::new();
    for (name, _) in entries {
        names.push(reading::text(name)?.to_owned());
    }
    let mut answers = DomainNames::pending(names);
    for (name, addresses) in entries {
        if matches!(addresses.kind, Kind::Null) {
            continue;
        }
        let parse = |text: &str| {
            text.parse()
                .map_err(|_| addresses.fault(format!("`{text}` is no IP address")))
        };
        let parsed: Vec<IpAddr> = reading::texts(addresses)?
            .into_iter()
            .map(parse)
            .collect::<Result<_>>()?;
        answers.answer(reading::text(name)?, parsed);
    }
    Ok(answers)
}

/// `host: true`, or `container: host`.
fn on_host(case: &Keys<'_>) -> Result<bool> {
    let named = case
        .get("container")
        .is_some_and(|node| matches!(&node.kind, Kind::Scalar(text) if text == "host"));
    Ok(named || case.flag("host")? == Some(true))
}

fn instant(node: &Node) -> Result<u64> {
    let given = reading::text(node)?;
    let refuse = || node.fault(format!("`{given}` is no time such as 2026-01-31T23:59:59Z"));
    let parsed: jiff::Timestamp = given.parse().map_err(|_| refuse())?;
    u64::try_from(parsed.as_nanosecond()).map_err(|_| refuse())
}

/// The users of the root the process sees: those of many an image, and the one that acts.
fn users(process: &process::Cast) -> Users {
    let line = |uid, name: &str, home: &str, shell: &str| User {
        uid,
        name: name.into(),
        home: home.into(),
        shell: shell.into(),
    };
    let mut users = vec![
        line(0, "root", "/root", "/bin/sh"),
        line(33, "www-data", "/var/www", "/usr/sbin/nologin"),
        line(65534, "nobody", "/nonexistent", "/usr/sbin/nologin"),
    ];
    if let Some(name) = &process.user {
        let uid = process.main.task.credentials.uid;
        users.retain(|user| user.uid != uid);
        users.push(line(uid, name, &format!("/home/{name}"), "/bin/sh"));
    }
    users.sort_by_key(|user| user.uid);
    let groups = users
        .iter()
        .map(|user| (user.uid, user.name.clone()))
        .collect();
    Users {
        users,
        groups,
        ..Users::default()
    }
}

/// A secret that is read: who reads it, or a map.
fn secret(node: &Node) -> Result<SecretAccess> {
    const KINDS: [SecretKind; 3] = [SecretKind::Secret, SecretKind::Config, SecretKind::Unknown];
    const READERS: [Reader; 12] = [
        Reader::Engine,
        Reader::Host,
        Reader::Foreign,
        Reader::Probe,
        Reader::Entered,
        Reader::Dropped,
        Reader::Declared,
        Reader::Main,
        Reader::Startup,
        Reader::Lineage,
        Reader::Late,
        Reader::Unknown,
    ];
    let reader = |node: &Node| reading::one_of(node, &READERS, Reader::name);
    let (kind, reader, name, source, by_container_mount) = if let Kind::Scalar(_) = &node.kind {
        (SecretKind::Secret, reader(node)?, None, None, None)
    } else {
        let keys = Keys::only(
            node,
            &["reader", "kind", "name", "source", "by_container_mount"],
        )?;
        let who = keys
            .get("reader")
            .ok_or_else(|| node.fault("a secret needs its `reader`"))?;
        let kind = keys
            .get("kind")
            .map(|node| reading::one_of(node, &KINDS, SecretKind::name));
        (
            kind.transpose()?.unwrap_or_default(),
            reader(who)?,
            keys.text("name")?,
            keys.get("source")
                .map(|node| reading::one_of(node, &SecretSource::ALL, SecretSource::name))
                .transpose()?,
            keys.flag("by_container_mount")?,
        )
    };
    let name = name.unwrap_or("db_password");
    Ok(SecretAccess {
        secret: SecretRef {
            name: name.into(),
            path: format!("/run/secrets/{name}").into(),
            kind,
            source: source.unwrap_or(SecretSource::Swarm),
            ..SecretRef::default()
        },
        reader,
        reason: "as the case says".to_owned(),
        by_container_mount: by_container_mount
            .unwrap_or(!matches!(reader, Reader::Host | Reader::Engine)),
    })
}

/// Takes what the engine says of the container away, as if it had not come yet, and checks that this makes unknown what the
/// case says is.
pub(crate) fn make_unknown(event: &mut Event, fields: &Node) -> Result<()> {
    let container = event.container.as_mut().ok_or_else(|| {
        fields.fault(
            "only what is known of a container can be on its way, and this happens on the host",
        )
    })?;
    Arc::make_mut(container).metadata = Metadata::Pending;
    for field in reading::items(fields)? {
        let name = reading::text(field)?;
        let row = vigia_event::fields::find(name).ok_or_else(|| {
            let nearest = did_you_mean(name, vigia_event::fields::all().map(|row| row.name));
            field.fault(format!("unknown field `{name}`{nearest}"))
        })?;
        let view = vigia_event::View {
            event,
            spelling: vigia_event::Spelling::Given,
        };
        if (row.extract)(view, &vigia_event::fields::Argument::None)
            != vigia_event::Extracted::Unknown
        {
            return Err(field.fault(format!(
                "`{name}` does not come from the engine, so it is never on its way"
            )));
        }
    }
    Ok(())
}

fn command_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
