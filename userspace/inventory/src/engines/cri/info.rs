//! The verbose part of a status: JSON of the engine's own, with what it asked of the runtime and what it was asked for.
//!
//! Containerd and CRI-O both give the runtime's specification (OCI); only containerd repeats what it was asked for.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::messages::NamespaceOption;
use crate::engines::declared::Variable;
use crate::engines::lenient::or_default;

/// `info` of a container or sandbox.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Info {
    #[serde(rename = "sandboxID", deserialize_with = "or_default")]
    pub(super) sandbox_id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) pid: u32,
    /// A sandbox's image: its name or id.
    #[serde(deserialize_with = "or_default")]
    pub(super) image: String,
    /// Only CRI-O says it here.
    #[serde(deserialize_with = "or_default")]
    pub(super) privileged: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) config: Config,
    #[serde(deserialize_with = "or_default")]
    pub(super) runtime_spec: Option<Spec>,
}

/// What containerd was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Config {
    #[serde(deserialize_with = "or_default")]
    pub(super) image: ConfigImage,
    #[serde(deserialize_with = "or_default")]
    pub(super) devices: Vec<Device>,
    #[serde(deserialize_with = "or_default")]
    pub(super) linux: ConfigLinux,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ConfigImage {
    /// The image's id where a kubelet asked for it.
    #[serde(deserialize_with = "or_default")]
    pub(super) image: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Device {
    #[serde(deserialize_with = "or_default")]
    pub(super) host_path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ConfigLinux {
    #[serde(deserialize_with = "or_default")]
    pub(super) security_context: SecurityContext,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SecurityContext {
    #[serde(deserialize_with = "or_default")]
    pub(super) privileged: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) capabilities: Option<AskedCapabilities>,
    #[serde(deserialize_with = "or_default")]
    pub(super) namespace_options: Option<AskedNamespaces>,
    #[serde(deserialize_with = "or_default")]
    pub(super) seccomp: AskedSeccomp,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AskedCapabilities {
    #[serde(deserialize_with = "or_default")]
    pub(super) add_capabilities: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) drop_capabilities: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AskedNamespaces {
    #[serde(deserialize_with = "or_default")]
    network: i32,
    #[serde(deserialize_with = "or_default")]
    pid: i32,
    #[serde(deserialize_with = "or_default")]
    ipc: i32,
}

impl From<AskedNamespaces> for NamespaceOption {
    fn from(asked: AskedNamespaces) -> Self {
        let AskedNamespaces { network, pid, ipc } = asked;
        Self { network, pid, ipc }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AskedSeccomp {
    /// 0 the engine's own, 1 none, 2 one from a file.
    #[serde(deserialize_with = "or_default")]
    pub(super) profile_type: i32,
}

/// The runtime's specification.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    #[serde(deserialize_with = "or_default")]
    pub(super) process: Process,
    #[serde(deserialize_with = "or_default")]
    pub(super) root: Root,
    #[serde(deserialize_with = "or_default")]
    pub(super) mounts: Vec<SpecMount>,
    #[serde(deserialize_with = "or_default")]
    pub(super) linux: Linux,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Process {
    #[serde(deserialize_with = "or_default")]
    pub(super) user: User,
    #[serde(deserialize_with = "or_default")]
    pub(super) env: Vec<Variable>,
    #[serde(deserialize_with = "or_default")]
    pub(super) capabilities: Capabilities,
    #[serde(deserialize_with = "or_default")]
    pub(super) no_new_privileges: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) apparmor_profile: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) selinux_label: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    #[serde(deserialize_with = "or_default")]
    pub(super) uid: u32,
    #[serde(deserialize_with = "or_default")]
    pub(super) gid: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Capabilities {
    #[serde(deserialize_with = "or_default")]
    pub(super) bounding: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Root {
    #[serde(deserialize_with = "or_default")]
    pub(super) readonly: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SpecMount {
    #[serde(deserialize_with = "or_default")]
    pub(super) destination: String,
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub(super) kind: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) options: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Linux {
    #[serde(deserialize_with = "or_default")]
    pub(super) namespaces: Vec<SpecNamespace>,
    #[serde(deserialize_with = "or_default")]
    pub(super) resources: Resources,
    #[serde(deserialize_with = "or_default")]
    pub(super) devices: Vec<SpecDevice>,
    /// Whether there is a filter is all that is asked.
    #[serde(deserialize_with = "or_default")]
    pub(super) seccomp: Option<HashMap<String, IgnoredAny>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SpecNamespace {
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub(super) kind: String,
    /// Whose; empty for a new one.
    #[serde(deserialize_with = "or_default")]
    pub(super) path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SpecDevice {
    #[serde(deserialize_with = "or_default")]
    pub(super) path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Resources {
    #[serde(deserialize_with = "or_default")]
    pub(super) memory: Limit,
    #[serde(deserialize_with = "or_default")]
    pub(super) pids: Limit,
    #[serde(deserialize_with = "or_default")]
    pub(super) cpu: Cpu,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Limit {
    #[serde(deserialize_with = "or_default")]
    pub(super) limit: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cpu {
    #[serde(deserialize_with = "or_default")]
    pub(super) quota: i64,
    #[serde(deserialize_with = "or_default")]
    pub(super) period: i64,
}

impl Info {
    /// Reads it; nothing where there is none, or it is not understood.
    pub(super) fn read(info: &HashMap<String, String>) -> Self {
        info.get("info")
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }
}
