//! More of `container.*`: what the container's creator asked for, and what the kernel holds of it.
//!
//! Fields with several values are missing where there are none, so that rules can ask whether there are any.

use bstr::BString;

use crate::container::{Confinement, Container, Inspected, Metadata, Promises, Seccomp};
use crate::event::View;
use crate::secret::SecretKind;
use crate::text::capability_names;
use crate::value::{Extracted, FieldType, Value, Values};

use super::{ArgumentRule, Availability, FieldRow, Shape, Stability};

/// Writes a row whose field has several values.
macro_rules! list {
    ($name:literal, $availability:ident, $doc:literal, $example:literal, $extract:expr) => {
        FieldRow {
            name: $name,
            field_type: FieldType::Text,
            shape: Shape::List,
            argument: ArgumentRule::None,
            stability: Stability::Stable,
            availability: Availability::$availability,
            doc: $doc,
            example: $example,
            extract: $extract,
        }
    };
}

pub(super) static FIELDS: &[FieldRow] = &[
    row!(
        "container.host_pid",
        Bool,
        Stable,
        Containers,
        "Whether it uses the host's pid namespace: as the kernel says where its first process was looked at, else as declared.",
        "false",
        |view, _| shares(
            view,
            |kernel| Some(kernel.host_namespaces?.pid),
            |declared| declared.host_namespaces.pid
        )
    ),
    row!(
        "container.host_network",
        Bool,
        Stable,
        Containers,
        "Likewise the host's network namespace.",
        "false",
        |view, _| shares(
            view,
            |kernel| Some(kernel.host_namespaces?.network),
            |declared| declared.host_namespaces.network
        )
    ),
    row!(
        "container.host_ipc",
        Bool,
        Stable,
        Containers,
        "Likewise the host's IPC namespace.",
        "false",
        |view, _| shares(
            view,
            |kernel| Some(kernel.host_namespaces?.ipc),
            |declared| declared.host_namespaces.ipc
        )
    ),
    row!(
        "container.host_uts",
        Bool,
        Stable,
        Containers,
        "Likewise the host's UTS namespace (its host name).",
        "false",
        |view, _| shares(
            view,
            |kernel| Some(kernel.host_namespaces?.uts),
            |declared| declared.host_namespaces.uts
        )
    ),
    row!(
        "container.host_user",
        Bool,
        Stable,
        Containers,
        "Likewise the host's user namespace: root in it is root of the host, with fewer capabilities.",
        "true",
        |view, _| shares(
            view,
            |kernel| Some(kernel.host_namespaces?.user),
            |declared| declared.host_namespaces.user
        )
    ),
    row!(
        "container.host_cgroup",
        Bool,
        Stable,
        Containers,
        "Likewise the host's cgroup namespace.",
        "false",
        |view, _| shares(
            view,
            |kernel| Some(kernel.host_namespaces?.cgroup),
            |declared| declared.host_namespaces.cgroup
        )
    ),
    row!(
        "container.user",
        Text,
        Stable,
        Metadata,
        "The user, and perhaps group, it was started as; empty for root. `user.name` is who an event's process acts as.",
        "www-data",
        |view, _| declared(view, |promises| Value::text(&promises.user))
    ),
    list!(
        "container.cap_added",
        Metadata,
        "Capabilities it was given in addition, or `ALL`. Missing for none.",
        "(CAP_NET_ADMIN)",
        |view, _| declared_list(view, |promises| &promises.capabilities_added)
    ),
    list!(
        "container.cap_dropped",
        Metadata,
        "Capabilities it was to do without, or `ALL`. Missing for none.",
        "(ALL)",
        |view, _| declared_list(view, |promises| &promises.capabilities_dropped)
    ),
    list!(
        "container.capabilities",
        Containers,
        "The capabilities that no process of it can exceed, read from the kernel when it started (the bounding set). Missing where it was not looked at.",
        "(CAP_CHOWN,CAP_NET_RAW)",
        |view, _| match confinement(view) {
            Some(kernel) => names(capability_names(kernel.capabilities)),
            None => Extracted::Missing,
        }
    ),
    row!(
        "container.no_new_privileges",
        Bool,
        Stable,
        Containers,
        "Whether its processes can gain no rights by executing a program: as the kernel says, else as declared.",
        "true",
        |view, _| shares(
            view,
            |kernel| Some(kernel.no_new_privileges),
            |declared| declared.promises.no_new_privileges
        )
    ),
    row!(
        "container.seccomp",
        Text,
        Stable,
        Containers,
        "How its system calls are filtered: `filtered`, `strict` or `unconfined`; as the kernel says, else as declared.",
        "filtered",
        |view, _| seccomp(view)
    ),
    row!(
        "container.apparmor",
        Text,
        Stable,
        Metadata,
        "The AppArmor profile it was declared to have, or `unconfined`; empty for none.",
        "docker-default",
        |view, _| declared(view, |promises| Value::text(&promises.apparmor))
    ),
    row!(
        "container.selinux",
        Text,
        Stable,
        Metadata,
        "The SELinux label it was declared to have; empty for none.",
        "system_u:system_r:container_t:s0:c1,c2",
        |view, _| declared(view, |promises| Value::text(&promises.selinux))
    ),
    row!(
        "container.security_label",
        Text,
        Stable,
        Containers,
        "What the kernel's security module calls it: an AppArmor profile with its mode, or an SELinux context; empty for neither. Missing where it was not looked at.",
        "docker-default (enforce)",
        |view, _| Extracted::from_option(
            confinement(view).map(|kernel| Value::text(&kernel.label))
        )
    ),
    row!(
        "container.memory_limit",
        Uint,
        Stable,
        Metadata,
        "How many bytes of memory it may use; 0 for no limit.",
        "536870912",
        |view, _| declared(view, |promises| Value::Uint(promises.memory_limit_bytes))
    ),
    row!(
        "container.pids_limit",
        Uint,
        Stable,
        Metadata,
        "How many processes and threads it may have; 0 for no limit.",
        "100",
        |view, _| declared(view, |promises| Value::Uint(promises.pids_limit))
    ),
    row!(
        "container.cpu_limit",
        Uint,
        Stable,
        Metadata,
        "How many thousandths of a processor it may use; 0 for no limit.",
        "1500",
        |view, _| declared(view, |promises| Value::Uint(promises.cpu_limit_millis))
    ),
    list!(
        "container.ports",
        Metadata,
        "Ports of the host that lead into it. Missing for none.",
        "(0.0.0.0:8080->80/tcp)",
        |view, _| only(view, |inspected| several(
            inspected
                .promises
                .ports
                .iter()
                .map(|port| Value::made(port.text()))
        ))
    ),
    list!(
        "container.swarm.secrets",
        Swarm,
        "The secrets that its service's specification gives it: name, target, owner and permissions. Missing where there are none, and where no manager of the Swarm is asked.",
        "(db-password at /run/secrets/db-password owner=0 mode=0444)",
        |view, _| grants(view, SecretKind::Secret)
    ),
    list!(
        "container.swarm.configs",
        Swarm,
        "The configurations that its service's specification gives it, in the same way.",
        "(app.conf at /etc/app.conf owner=0 mode=0444)",
        |view, _| grants(view, SecretKind::Config)
    ),
    list!(
        "container.devices",
        Metadata,
        "Paths of the host's devices that it may use. Missing for none.",
        "(/dev/fuse)",
        |view, _| declared_list(view, |promises| &promises.devices)
    ),
    list!(
        "container.tmpfs",
        Metadata,
        "Paths of its own in memory, which stay writable where its root is read-only. Missing for none.",
        "(/tmp,/run)",
        |view, _| declared_list(view, |promises| &promises.tmpfs)
    ),
    list!(
        "container.health_check",
        Metadata,
        "Program and arguments of its health check. Missing for none.",
        "(/bin/sh,-c,curl -f localhost)",
        |view, _| only(view, |inspected| texts(&inspected.health_check))
    ),
    list!(
        "container.secret_variables",
        Metadata,
        "Names of environment variables that by their name hold a password, key or token. Their values are never kept. Missing for none.",
        "(POSTGRES_PASSWORD)",
        |view, _| declared_list(view, |promises| &promises.secret_variables)
    ),
    list!(
        "container.broken_promises",
        Metadata,
        "The promises that the kernel did not confirm when it started: of `apparmor`, `capabilities`, `host_cgroup`, `host_ipc`, `host_network`, `host_pid`, `host_uts`, `memory_limit`, `no_new_privileges`, `pids_limit`, `read_only`, `read_only_mounts` (something below one can be written to), `seccomp` and `user` (it runs as root). Missing where all of them hold, and where either side is not known.",
        "(seccomp)",
        |view, _| only(view, |_| {
            match container(view).and_then(Container::broken_promises) {
                Some(broken) => names(broken.into_iter()),
                None => Extracted::Missing,
            }
        })
    ),
];

fn container(view: View<'_>) -> Option<&Container> {
    view.event.container.as_deref()
}

fn confinement(view: View<'_>) -> Option<&Confinement> {
    container(view)?.confinement.as_ref()
}

/// A value of the engine's metadata.
fn only<'e>(view: View<'e>, read: impl Fn(&'e Inspected) -> Extracted<'e>) -> Extracted<'e> {
    match container(view).map(|container| &container.metadata) {
        None | Some(Metadata::Unavailable) => Extracted::Missing,
        Some(Metadata::Pending) => Extracted::Unknown,
        Some(Metadata::Known(inspected)) => read(inspected),
    }
}

fn declared<'e>(view: View<'e>, read: impl Fn(&'e Promises) -> Value<'e>) -> Extracted<'e> {
    only(view, |inspected| read(&inspected.promises).into())
}

fn declared_list<'e>(
    view: View<'e>,
    read: impl Fn(&'e Promises) -> &'e Vec<BString>,
) -> Extracted<'e> {
    only(view, |inspected| texts(read(&inspected.promises)))
}

fn texts(texts: &[BString]) -> Extracted<'_> {
    if texts.is_empty() {
        Extracted::Missing
    } else {
        Extracted::Many(Values::of_texts(texts))
    }
}

fn names<'e>(names: impl Iterator<Item = &'static str>) -> Extracted<'e> {
    several(names.map(|name| Value::text(name.as_bytes())))
}

fn grants(view: View<'_>, kind: SecretKind) -> Extracted<'_> {
    only(view, |inspected| {
        let grants = inspected.swarm_grants.iter();
        let of_kind = grants.filter(|grant| grant.kind == kind);
        several(of_kind.map(|grant| Value::made(grant.text())))
    })
}

/// Several values; missing where there are none.
fn several<'e>(values: impl Iterator<Item = Value<'e>>) -> Extracted<'e> {
    let values: Vec<_> = values.collect();
    if values.is_empty() {
        Extracted::Missing
    } else {
        Extracted::Many(values.into_iter().collect())
    }
}

/// What the kernel says, else what the engine declares.
fn shares(
    view: View<'_>,
    kernel: fn(&Confinement) -> Option<bool>,
    declared: fn(&Inspected) -> bool,
) -> Extracted<'_> {
    match confinement(view).and_then(kernel) {
        Some(answer) => Value::Bool(answer).into(),
        None => only(view, |inspected| Value::Bool(declared(inspected)).into()),
    }
}

fn seccomp(view: View<'_>) -> Extracted<'_> {
    match confinement(view) {
        Some(kernel) => Value::text(kernel.seccomp.name()).into(),
        None => only(view, |inspected| {
            let is_unconfined = inspected.privileged || inspected.promises.seccomp == "unconfined";
            let mode = if is_unconfined {
                Seccomp::Unconfined
            } else {
                Seccomp::Filtered
            };
            Value::text(mode.name()).into()
        }),
    }
}
