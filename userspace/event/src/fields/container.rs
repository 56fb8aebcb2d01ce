//! `container.*` and `k8s.*`: the container and what it promised.

use std::collections::BTreeMap;

use bstr::{BString, ByteSlice};

use crate::container::{
    Container, DeclaredMount, Inspected, Metadata, POD_NAME, POD_NAMESPACE, POD_UID, SANDBOX_ID,
    Severity, Swarm, Vulnerabilities,
};
use crate::event::View;
use crate::mount::MountTable;
use crate::value::{Extracted, FieldType, Value};

use super::{Argument, ArgumentRule, Availability, FieldRow, Shape, Stability};

/// What Falco prints for processes outside containers.
const HOST: &str = "host";

pub(super) static FIELDS: &[FieldRow] = &[
    row!(
        "container.id",
        Text,
        Stable,
        Always,
        "The first 12 digits of the container's id; `host` outside containers.",
        "3ad7b26ded6d",
        |view, _| Value::text(container(view).map_or(HOST, Container::short_id)).into()
    ),
    row!(
        "container.full_id",
        Text,
        Stable,
        Always,
        "The container's id; `host` outside containers.",
        "3ad7b26ded6d8e7b23da7d48fe889434573036c27ae5a74837233de441c3601e",
        |view, _| Value::text(container(view).map_or(HOST, |container| container.id.as_str()))
            .into()
    ),
    row!(
        "container.type",
        Text,
        Stable,
        Always,
        "The engine: `docker`, `podman`, `containerd`, `cri-o`, `unknown`; `host` outside containers.",
        "docker",
        |view, _| Value::text(container(view).map_or(HOST, |container| container.engine.name()))
            .into()
    ),
    row!(
        "container.name",
        Text,
        Stable,
        MetadataOrHost,
        "The container's name; `host` outside containers.",
        "web",
        |view, _| inspected(view, HOST, |inspected| Some(Value::text(&inspected.name)))
    ),
    row!(
        "container.image",
        Text,
        Stable,
        MetadataOrHost,
        "The image as the container's creator named it; empty outside containers.",
        "nginx:1.27",
        |view, _| inspected(view, "", |inspected| Some(Value::text(&inspected.image)))
    ),
    row!(
        "container.image.repository",
        Text,
        Stable,
        MetadataOrHost,
        "The image without tag and digest; empty outside containers.",
        "docker.io/library/nginx",
        |view, _| inspected(view, "", |inspected| Some(Value::text(
            &inspected.image_repository
        )))
    ),
    row!(
        "container.image.tag",
        Text,
        Stable,
        MetadataOrHost,
        "The image's tag; empty outside containers.",
        "1.27",
        |view, _| inspected(view, "", |inspected| Some(Value::text(
            &inspected.image_tag
        )))
    ),
    row!(
        "container.image.digest",
        Text,
        Stable,
        MetadataOrHost,
        "The image's digest; empty outside containers.",
        "sha256:5e1e...",
        |view, _| inspected(view, "", |inspected| Some(Value::text(
            &inspected.image_digest
        )))
    ),
    row!(
        "container.image.id",
        Text,
        Stable,
        MetadataOrHost,
        "The image's id; empty outside containers.",
        "8f2b...",
        |view, _| inspected(view, "", |inspected| Some(Value::text(&inspected.image_id)))
    ),
    row!(
        "container.image.vulns.highest",
        Text,
        Stable,
        Images,
        "The highest severity among the image's known vulnerabilities: `critical`, `high`, `medium`, `low`, `negligible` or `unknown`; `none` where its report has none. Missing where there is no report for its digest.",
        "critical",
        |view, _| vulnerabilities(view, |found| {
            let word = found.highest.map_or("none", Severity::name);
            Value::text(word).into()
        })
    ),
    row!(
        "container.image.vulns.count",
        Uint,
        Stable,
        Images,
        "How many vulnerabilities are known of the image, of each package each one once.",
        "12",
        |view, _| vulnerabilities(view, |found| Value::Uint(found.count).into())
    ),
    FieldRow {
        name: "container.image.vulns.of_process",
        field_type: FieldType::Text,
        shape: Shape::List,
        argument: ArgumentRule::None,
        stability: Stability::Stable,
        availability: Availability::Images,
        doc: "Ids of the vulnerabilities of what the process's executable belongs to (its package, or all that it was built from), where the image's report says which files those have. Missing for none.",
        example: "(CVE-2024-7347,CVE-2025-23419)",
        extract: |view, _| {
            vulnerabilities(view, |found| {
                let ids: Vec<_> = found
                    .of_file(&view.event.process.exe_path)
                    .map(Value::text)
                    .collect();
                if ids.is_empty() {
                    Extracted::Missing
                } else {
                    Extracted::Many(ids.into_iter().collect())
                }
            })
        },
    },
    row!(
        "container.image.trusted",
        Bool,
        Stable,
        Images,
        "Whether the image's digest or id is on the configured list of trusted ones. Missing where no list is configured.",
        "true",
        |view, _| only_inspected(view, |inspected| {
            let trusted = inspected.image_facts.as_ref()?.trusted?;
            Some(Value::Bool(trusted))
        })
    ),
    row!(
        "container.privileged",
        Bool,
        Stable,
        Metadata,
        "Whether it was started privileged. Missing outside containers.",
        "false",
        |view, _| only_inspected(view, |inspected| Some(Value::Bool(inspected.privileged)))
    ),
    FieldRow {
        name: "container.label",
        field_type: FieldType::Text,
        shape: Shape::Single,
        argument: ArgumentRule::Name,
        stability: Stability::Stable,
        availability: Availability::Metadata,
        doc: "A label, by name in brackets or behind a dot. Missing where it is not set.",
        example: "shop",
        extract: |view, argument| match argument {
            Argument::Name(name) => label(view, &name.to_str_lossy()),
            _ => Extracted::Missing,
        },
    },
    row!(
        "container.labels",
        Text,
        Stable,
        Metadata,
        "All labels as `name:value`, joined by `, `, without those of Kubernetes.",
        "tier:web",
        |view, _| only_inspected(view, |inspected| Some(Value::made(labels(
            &inspected.labels
        ))))
    ),
    row!(
        "container.mounts",
        Text,
        Stable,
        Metadata,
        "The declared mounts as `source:destination:mode:writable:propagation`, joined by commas.",
        "/srv:/data:ro:false:rprivate",
        |view, _| only_inspected(view, |inspected| Some(Value::made(mounts(inspected))))
    ),
    mount_row(
        "container.mount",
        "A declared mount as in `container.mounts`: by number, or by its source (a name or a glob); `none` where there is no such mount.",
        "/srv:/data:ro:false:rprivate",
        |view, argument| {
            let mount = declared_mount(
                view,
                argument,
                |mount| &mount.source,
                |mount| Value::made(mount_text(mount)),
            );
            match mount {
                Extracted::Missing => only_inspected(view, |_| Some(Value::text("none"))),
                mount => mount,
            }
        },
    ),
    mount_row(
        "container.mount.propagation",
        "Propagation of a declared mount: by number, or by its source (a name or a glob).",
        "rprivate",
        |view, argument| {
            declared_mount(
                view,
                argument,
                |mount| &mount.source,
                |mount| Value::text(&mount.propagation),
            )
        },
    ),
    mount_row(
        "container.mount.source",
        "Source of a declared mount: by number, or by its destination (a name or a glob).",
        "/var/lib/docker/volumes/db/_data",
        |view, argument| {
            declared_mount(
                view,
                argument,
                |mount| &mount.destination,
                |mount| Value::text(&mount.source),
            )
        },
    ),
    mount_row(
        "container.mount.dest",
        "Destination of a declared mount: by number, or by its source (a name or a glob).",
        "/var/run/docker.sock",
        |view, argument| {
            declared_mount(
                view,
                argument,
                |mount| &mount.source,
                |mount| Value::text(&mount.destination),
            )
        },
    ),
    mount_row(
        "container.mount.mode",
        "Mode of a declared mount: by number, or by its source (a name or a glob).",
        "ro",
        |view, argument| {
            declared_mount(
                view,
                argument,
                |mount| &mount.source,
                |mount| Value::text(&mount.mode),
            )
        },
    ),
    mount_row(
        "container.mount.rdwr",
        "Whether a declared mount is writable, `true` or `false`: by number, or by its source (a name or a glob).",
        "false",
        |view, argument| {
            declared_mount(
                view,
                argument,
                |mount| &mount.source,
                |mount| Value::text(if mount.read_write { "true" } else { "false" }),
            )
        },
    ),
    row!(
        "container.start_ts",
        AbsTime,
        Stable,
        Containers,
        "When its first process started. Missing where that was not observed.",
        "1769000000000000000",
        |view, _| Extracted::from_option(
            container(view)
                .filter(|container| container.start_time_ns != 0)
                .map(|container| Value::Uint(container.start_time_ns))
        )
    ),
    row!(
        "container.duration",
        RelTime,
        Volatile,
        Containers,
        "How long ago its first process started.",
        "1500000000",
        |view, _| uptime(view)
    ),
    row!(
        "container.uptime",
        RelTime,
        Volatile,
        Containers,
        "How long ago its first process started: the same as `container.duration`.",
        "1500000000",
        |view, _| uptime(view)
    ),
    row!(
        "container.read_only",
        Bool,
        Stable,
        Containers,
        "Whether its root is meant to be read-only: as declared, or as mounted when it started, whatever was remounted since. Missing outside containers and while neither is known.",
        "true",
        |view, _| read_only(view)
    ),
    FieldRow {
        name: "container.secrets",
        field_type: FieldType::Text,
        shape: Shape::List,
        argument: ArgumentRule::None,
        stability: Stability::Stable,
        availability: Availability::Containers,
        doc: "The names of the secrets its mount table grants it. Missing outside containers and while the table is not known.",
        example: "(db_password,tls_key)",
        extract: |view, _| secrets(view),
    },
    row!(
        "container.observed",
        Bool,
        Stable,
        Containers,
        "Whether its start was observed: false for a container that ran before the agent.",
        "true",
        |view, _| Extracted::from_option(
            container(view).map(|container| Value::Bool(container.observed))
        )
    ),
    row!(
        "container.swarm.service",
        Text,
        Stable,
        Swarm,
        "The Swarm service. Missing outside Swarm.",
        "shop_web",
        |view, _| swarm(view, Swarm::service)
    ),
    row!(
        "container.swarm.task",
        Text,
        Stable,
        Swarm,
        "The Swarm task's name. Missing outside Swarm.",
        "shop_web.1.x8d3vk7",
        |view, _| swarm(view, Swarm::task)
    ),
    row!(
        "container.swarm.node",
        Text,
        Stable,
        Swarm,
        "The Swarm node's id. Missing outside Swarm.",
        "k2j1h0",
        |view, _| swarm(view, Swarm::node)
    ),
    row!(
        "container.swarm.stack",
        Text,
        Stable,
        Swarm,
        "The stack the service belongs to. Missing outside stacks.",
        "shop",
        |view, _| swarm(view, Swarm::stack)
    ),
    row!(
        "k8s.ns.name",
        Text,
        Stable,
        Kubernetes,
        "The pod's namespace. Missing outside Kubernetes.",
        "prod",
        |view, _| label(view, POD_NAMESPACE)
    ),
    row!(
        "k8s.pod.name",
        Text,
        Stable,
        Kubernetes,
        "The pod's name. Missing outside Kubernetes.",
        "web-7d8",
        |view, _| label(view, POD_NAME)
    ),
    row!(
        "k8s.pod.uid",
        Text,
        Stable,
        Kubernetes,
        "The pod's uid. Missing outside Kubernetes.",
        "2f1c...",
        |view, _| label(view, POD_UID)
    ),
    row!(
        "k8s.pod.id",
        Text,
        Stable,
        Kubernetes,
        "The same as `k8s.pod.uid`.",
        "2f1c...",
        |view, _| label(view, POD_UID)
    ),
    row!(
        "k8s.pod.full_sandbox_id",
        Text,
        Stable,
        Kubernetes,
        "The id of the pod's sandbox. Missing outside Kubernetes, and where the engine does not tell it.",
        "63060edc2d3aa803ab559f2393776b151f99fc5b05035b21db66b3b62246ad6a",
        |view, _| label(view, SANDBOX_ID)
    ),
    row!(
        "k8s.pod.sandbox_id",
        Text,
        Stable,
        Kubernetes,
        "The first 12 digits of `k8s.pod.full_sandbox_id`.",
        "63060edc2d3a",
        |view, _| only_inspected(view, |inspected| {
            let id = inspected.label(SANDBOX_ID)?;
            Some(Value::text(id.get(..12).unwrap_or(id)))
        })
    ),
    FieldRow {
        name: "k8s.pod.label",
        field_type: FieldType::Text,
        shape: Shape::Single,
        argument: ArgumentRule::Name,
        stability: Stability::Stable,
        availability: Availability::Kubernetes,
        doc: "A label of the pod, by name in brackets or behind a dot. Missing where it is not set.",
        example: "web",
        extract: |view, argument| match argument {
            Argument::Name(name) => only_inspected(view, |inspected| {
                let label = inspected.pod_labels.get(&*name.to_str_lossy());
                label.map(Value::text)
            }),
            _ => Extracted::Missing,
        },
    },
    row!(
        "k8s.pod.labels",
        Text,
        Stable,
        Kubernetes,
        "All labels of the pod as `name:value`, joined by `, `, without those of Kubernetes itself. Missing outside pods.",
        "app:web, tier:front",
        |view, _| only_inspected(view, |inspected| {
            inspected
                .pod()
                .map(|_| Value::made(labels(&inspected.pod_labels)))
        })
    ),
];

const fn mount_row(
    name: &'static str,
    doc: &'static str,
    example: &'static str,
    extract: super::Extract,
) -> FieldRow {
    FieldRow {
        name,
        field_type: FieldType::Text,
        shape: Shape::Single,
        argument: ArgumentRule::Name,
        stability: Stability::Stable,
        availability: Availability::Metadata,
        doc,
        example,
        extract,
    }
}

fn container(view: View<'_>) -> Option<&Container> {
    view.event.container.as_deref()
}

/// A value of the engine's metadata; `host` stands for it outside containers.
fn inspected<'e>(
    view: View<'e>,
    host: &'static str,
    read: impl Fn(&'e Inspected) -> Option<Value<'e>>,
) -> Extracted<'e> {
    if container(view).is_none() {
        Value::text(host).into()
    } else {
        only_inspected(view, read)
    }
}

fn only_inspected<'e>(
    view: View<'e>,
    read: impl Fn(&'e Inspected) -> Option<Value<'e>>,
) -> Extracted<'e> {
    match container(view).map(|container| &container.metadata) {
        None | Some(Metadata::Unavailable) => Extracted::Missing,
        Some(Metadata::Pending) => Extracted::Unknown,
        Some(Metadata::Known(inspected)) => Extracted::from_option(read(inspected)),
    }
}

fn vulnerabilities<'e>(
    view: View<'e>,
    read: impl Fn(&'e Vulnerabilities) -> Extracted<'e>,
) -> Extracted<'e> {
    match container(view).map(|container| &container.metadata) {
        None | Some(Metadata::Unavailable) => Extracted::Missing,
        Some(Metadata::Pending) => Extracted::Unknown,
        Some(Metadata::Known(inspected)) => inspected
            .image_facts
            .as_ref()
            .and_then(|facts| facts.vulnerabilities.as_deref())
            .map_or(Extracted::Missing, read),
    }
}

fn label<'e>(view: View<'e>, name: &str) -> Extracted<'e> {
    only_inspected(view, |inspected| inspected.label(name).map(Value::text))
}

fn labels(labels: &BTreeMap<String, BString>) -> Vec<u8> {
    let shown = labels.iter().filter(|(name, _)| {
        !name.starts_with("io.kubernetes.") && !name.starts_with("annotation.")
    });
    bstr::join(
        ", ",
        shown.map(|(name, value)| [name.as_bytes(), b":", value.as_slice()].concat()),
    )
}

fn mounts(inspected: &Inspected) -> Vec<u8> {
    bstr::join(",", inspected.mounts.iter().map(mount_text))
}

fn mount_text(mount: &DeclaredMount) -> Vec<u8> {
    let writable: &[u8] = if mount.read_write { b"true" } else { b"false" };
    bstr::join(
        ":",
        [
            &mount.source[..],
            &mount.destination[..],
            &mount.mode[..],
            writable,
            &mount.propagation[..],
        ],
    )
}

fn declared_mount<'e>(
    view: View<'e>,
    argument: &Argument,
    key: impl Fn(&'e DeclaredMount) -> &'e BString,
    read: impl Fn(&'e DeclaredMount) -> Value<'e>,
) -> Extracted<'e> {
    only_inspected(view, |inspected| {
        let mut mounts = inspected.mounts.iter();
        let mount = match numbered(argument) {
            Argument::Index(index) => mounts.nth(index as usize),
            Argument::Name(name) => {
                mounts.find(|mount| crate::glob::matches(&name, key(mount), false))
            }
            Argument::None => None,
        };
        mount.map(&read)
    })
}

/// All digits are a number.
fn numbered(argument: &Argument) -> Argument {
    match argument {
        Argument::Name(name) => {
            let index = name.to_str().ok().and_then(|name| name.parse().ok());
            index.map_or_else(|| argument.clone(), Argument::Index)
        }
        _ => argument.clone(),
    }
}

fn uptime(view: View<'_>) -> Extracted<'_> {
    let start = container(view).map_or(0, |container| container.start_time_ns);
    if start == 0 {
        Extracted::Missing
    } else {
        Value::Uint(view.event.time_ns.saturating_sub(start)).into()
    }
}

fn mount_table(container: &Container) -> Option<&MountTable> {
    container.mounts.as_deref()
}

fn read_only(view: View<'_>) -> Extracted<'_> {
    let Some(container) = container(view) else {
        return Extracted::Missing;
    };
    match (container.is_read_only(), &container.metadata) {
        (Some(read_only), _) => Value::Bool(read_only).into(),
        (None, Metadata::Pending) => Extracted::Unknown,
        (None, _) => Extracted::Missing,
    }
}

fn secrets(view: View<'_>) -> Extracted<'_> {
    let Some(mounts) = container(view).and_then(mount_table) else {
        return if view.awaits_mounts() {
            Extracted::Unknown
        } else {
            Extracted::Missing
        };
    };
    Extracted::Many(
        mounts
            .granted()
            .map(|secret| Value::text(&secret.name))
            .collect(),
    )
}

fn swarm<'e>(view: View<'e>, read: impl Fn(Swarm<'e>) -> Option<&'e BString>) -> Extracted<'e> {
    only_inspected(view, |inspected| {
        inspected.swarm().and_then(&read).map(Value::text)
    })
}
