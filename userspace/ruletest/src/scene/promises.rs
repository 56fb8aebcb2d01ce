//! What the container of a case was started with, and what the kernel holds of it.

use std::sync::Arc;

use bstr::BString;
use vigia_event::container::{
    CgroupLimits, Confinement, HostNamespaces, ImageFacts, Promises, PublishedPort, Seccomp,
    Severity, Vulnerabilities, VulnerablePackage,
};
use vigia_event::text::capability_bits;

use crate::document::Node;
use crate::reading::{self, Keys, Result};

/// The program of a case that names none: what `of_process` is about.
const DEFAULT_PROGRAM: &str = "/usr/sbin/nginx";

/// What a case can say of the kernel's side.
const KERNEL_KEYS: &[&str] = &[
    "uid",
    "capabilities",
    "no_new_privileges",
    "seccomp",
    "label",
    "memory_limit",
    "pids_limit",
    "host_pid",
    "host_network",
    "host_ipc",
    "host_uts",
    "host_user",
    "host_cgroup",
];

/// What the engine declares.
pub(super) fn declared(keys: &Keys<'_>) -> Result<Promises> {
    let text = |key| keys.text(key).map(|text| text.unwrap_or_default().into());
    let texts = |key| {
        let texts = keys.texts(key)?;
        Ok(texts.into_iter().map(BString::from).collect())
    };
    let number = |key| keys.number(key).map(Option::unwrap_or_default);
    Ok(Promises {
        user: text("user")?,
        capabilities_added: texts("cap_added")?,
        capabilities_dropped: texts("cap_dropped")?,
        no_new_privileges: keys.flag("no_new_privileges")?.unwrap_or(false),
        seccomp: text("seccomp")?,
        apparmor: text("apparmor")?,
        selinux: text("selinux")?,
        memory_limit_bytes: number("memory_limit")?,
        pids_limit: number("pids_limit")?,
        cpu_limit_millis: number("cpu_limit")?,
        ports: keys
            .items("ports")?
            .iter()
            .map(|node| port(node))
            .collect::<Result<Vec<PublishedPort>>>()?,
        devices: texts("devices")?,
        tmpfs: texts("tmpfs")?,
        secret_variables: texts("secret_variables")?,
        ..Promises::default()
    })
}

/// The namespaces of the host among the keys.
pub(super) fn host_namespaces(keys: &Keys<'_>) -> Result<HostNamespaces> {
    let flag = |key| keys.flag(key).map(|flag| flag.unwrap_or(false));
    Ok(HostNamespaces {
        pid: flag("host_pid")?,
        network: flag("host_network")?,
        ipc: flag("host_ipc")?,
        uts: flag("host_uts")?,
        user: flag("host_user")?,
        cgroup: flag("host_cgroup")?,
    })
}

/// What the kernel holds, where the case says so.
pub(super) fn kernel(keys: &Keys<'_>) -> Result<Option<Confinement>> {
    const SECCOMP: [Seccomp; 3] = [Seccomp::Unconfined, Seccomp::Strict, Seccomp::Filtered];
    let Some(node) = keys.get("kernel") else {
        return Ok(None);
    };
    let keys = Keys::only(node, KERNEL_KEYS)?;
    let mut capabilities = 0;
    if let Some(node) = keys.get("capabilities") {
        for name in reading::texts(node)? {
            capabilities |= bits(node, name)?;
        }
    }
    Ok(Some(Confinement {
        uid: keys.number("uid")?.unwrap_or(0),
        root_uid: 0,
        capabilities,
        no_new_privileges: keys.flag("no_new_privileges")?.unwrap_or(false),
        seccomp: keys.get("seccomp").map_or(Ok(Seccomp::Filtered), |node| {
            reading::one_of(node, &SECCOMP, Seccomp::name)
        })?,
        label: keys.text("label")?.unwrap_or_default().into(),
        host_namespaces: Some(host_namespaces(&keys)?),
        limits: CgroupLimits {
            memory_bytes: keys.number("memory_limit")?,
            pids: keys.number("pids_limit")?,
        },
    }))
}

/// What others found out about the image, where the case says so.
pub(super) fn image_facts(keys: &Keys<'_>) -> Result<Option<ImageFacts>> {
    const SEVERITIES: [Severity; 6] = [
        Severity::Unknown,
        Severity::Negligible,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];
    let Some(node) = keys.get("image_facts") else {
        return Ok(None);
    };
    let keys = Keys::only(node, &["trusted", "highest", "count", "of_process"])?;
    let highest = match keys.get("highest") {
        None => None,
        Some(node) => Some(reading::one_of(node, &SEVERITIES, Severity::name)?),
    };
    let has_report = highest.is_some() || keys.has("count") || keys.has("of_process");
    let package = VulnerablePackage {
        name: "package".into(),
        files: vec![DEFAULT_PROGRAM.into()],
        ids: keys
            .texts("of_process")?
            .into_iter()
            .map(BString::from)
            .collect(),
    };
    Ok(Some(ImageFacts {
        trusted: keys.flag("trusted")?,
        vulnerabilities: match has_report {
            false => None,
            true => Some(Arc::new(Vulnerabilities {
                highest,
                count: keys.number("count")?.unwrap_or(0),
                packages: vec![package],
            })),
        },
    }))
}

/// The bits of a capability's name.
pub(super) fn bits(node: &Node, name: &str) -> Result<u64> {
    capability_bits(name.as_bytes()).ok_or_else(|| {
        node.fault(format!(
            "`{name}` is no capability such as CAP_SYS_ADMIN, nor `all`"
        ))
    })
}

/// `127.0.0.1:8080->80/tcp`, of which address, port of the host and protocol may be left out.
fn port(node: &Node) -> Result<PublishedPort> {
    let text = reading::text(node)?;
    let fault = || {
        node.fault(format!(
            "`{text}` is no port such as 127.0.0.1:8080->80/tcp"
        ))
    };
    let (host, inside) = text.rsplit_once("->").unwrap_or(("", text));
    let (address, host_port) = host.rsplit_once(':').unwrap_or(("", host));
    let (port, protocol) = inside.split_once('/').unwrap_or((inside, "tcp"));
    Ok(PublishedPort {
        address: address.trim_start_matches('[').trim_end_matches(']').into(),
        host_port: match host_port {
            "" => 0,
            digits => digits.parse().map_err(|_| fault())?,
        },
        port: port.parse().map_err(|_| fault())?,
        protocol: protocol.into(),
    })
}
