//! The parts of `GET /containers/ID/json` that say what a container may do, and within which limits.

use std::collections::BTreeMap;

use bstr::BString;
use serde::Deserialize;
use vigia_event::container::{Engine, HostNamespaces, Promises, PublishedPort};

use crate::engines::declared::{
    MAX_NAMES, Variable, capabilities, cpu_millis, limit, secret_variables,
};
use crate::engines::lenient::or_default;
use crate::engines::limits;

/// Ports of a container, as in `80/tcp`, with those of the host that lead there.
pub(super) type Ports = BTreeMap<String, Option<Vec<Binding>>>;

/// Members of `Config`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct ConfigPromises {
    #[serde(deserialize_with = "or_default")]
    user: String,
    #[serde(deserialize_with = "or_default")]
    env: Vec<Variable>,
}

/// Members of `HostConfig`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct HostPromises {
    #[serde(deserialize_with = "or_default")]
    cap_add: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    cap_drop: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    security_opt: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    memory: i64,
    #[serde(deserialize_with = "or_default")]
    pids_limit: i64,
    #[serde(deserialize_with = "or_default")]
    nano_cpus: i64,
    #[serde(deserialize_with = "or_default")]
    cpu_quota: i64,
    #[serde(deserialize_with = "or_default")]
    cpu_period: i64,
    #[serde(deserialize_with = "or_default")]
    port_bindings: Ports,
    #[serde(deserialize_with = "or_default")]
    devices: Vec<Device>,
    #[serde(deserialize_with = "or_default")]
    restart_policy: RestartPolicy,
    #[serde(deserialize_with = "or_default")]
    pid_mode: String,
    #[serde(deserialize_with = "or_default")]
    network_mode: String,
    #[serde(deserialize_with = "or_default")]
    ipc_mode: String,
    #[serde(rename = "UTSMode", deserialize_with = "or_default")]
    uts_mode: String,
    #[serde(deserialize_with = "or_default")]
    userns_mode: String,
    /// Docker's name, since API 1.41, and Podman's.
    #[serde(alias = "CgroupMode", deserialize_with = "or_default")]
    cgroupns_mode: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Device {
    #[serde(deserialize_with = "or_default")]
    path_on_host: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RestartPolicy {
    #[serde(deserialize_with = "or_default")]
    name: String,
}

/// A port of the host.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Binding {
    #[serde(deserialize_with = "or_default")]
    host_ip: String,
    #[serde(deserialize_with = "or_default")]
    host_port: String,
}

impl HostPromises {
    /// The namespaces of the host that it asks for.
    pub(super) fn host_namespaces(&self) -> HostNamespaces {
        self.namespaces(|mode| mode == "host")
    }

    fn namespaces(&self, is_such: fn(&str) -> bool) -> HostNamespaces {
        HostNamespaces {
            pid: is_such(&self.pid_mode),
            network: is_such(&self.network_mode),
            ipc: is_such(&self.ipc_mode),
            uts: is_such(&self.uts_mode),
            user: is_such(&self.userns_mode),
            cgroup: is_such(&self.cgroupns_mode),
        }
    }

    /// The namespaces of which the engine does not say whether they are the host's: those of another container or pod,
    /// or by a path; and the cgroup namespace where nothing is said of it.
    fn joined_namespaces(&self, engine: Engine) -> HostNamespaces {
        let joined =
            self.namespaces(|mode| mode.starts_with("container:") || mode.starts_with("ns:"));
        // Podman 4.3 says `shareable` of a container with `--ipc host`, too.
        let is_either = engine == Engine::Podman && self.ipc_mode == "shareable";
        HostNamespaces {
            ipc: joined.ipc || is_either,
            cgroup: !self.cgroupns_mode.starts_with("private"),
            ..joined
        }
    }
}

/// What was asked for. `bound` are the ports in use, which only a running container has; `apparmor` and `selinux` are
/// what the engine has made of the options.
pub(super) fn of(
    engine: Engine,
    config: ConfigPromises,
    host: HostPromises,
    bound: Ports,
    apparmor: String,
    selinux: String,
) -> Promises {
    let joined_namespaces = host.joined_namespaces(engine);
    let asked = if bound.is_empty() {
        host.port_bindings
    } else {
        bound
    };
    Promises {
        user: limits::text(config.user),
        capabilities_added: capabilities(host.cap_add),
        capabilities_dropped: capabilities(host.cap_drop),
        no_new_privileges: host
            .security_opt
            .iter()
            .any(|option| refuses_privileges(option)),
        seccomp: seccomp(&host.security_opt),
        apparmor: limits::text(apparmor),
        selinux: limits::text(selinux),
        memory_limit_bytes: limit(host.memory),
        pids_limit: limit(host.pids_limit),
        cpu_limit_millis: cpu_millis(host.nano_cpus, host.cpu_quota, host.cpu_period),
        ports: ports(asked),
        devices: host
            .devices
            .into_iter()
            .take(MAX_NAMES)
            .map(|device| limits::text(device.path_on_host))
            .collect(),
        tmpfs: Vec::new(),
        joined_namespaces,
        secret_variables: secret_variables(config.env),
        restart_policy: limits::text(host.restart_policy.name),
    }
}

/// `no-new-privileges`, with `:true`, `=true` or nothing behind it.
fn refuses_privileges(option: &str) -> bool {
    option
        .strip_prefix("no-new-privileges")
        .is_some_and(|value| matches!(value, "" | ":true" | "=true"))
}

/// `seccomp=unconfined`, or a profile of the creator's own: its text, which is not kept.
fn seccomp(options: &[String]) -> BString {
    let asked = options
        .iter()
        .find_map(|option| option.strip_prefix("seccomp")?.strip_prefix(['=', ':']));
    match asked {
        None | Some("builtin") => "",
        Some("unconfined") => "unconfined",
        Some(_) => "custom",
    }
    .into()
}

fn ports(asked: Ports) -> Vec<PublishedPort> {
    let mut ports = Vec::new();
    for (port, bindings) in asked {
        let (number, protocol) = port.split_once('/').unwrap_or((&port, "tcp"));
        let Ok(number) = number.parse() else { continue };
        for binding in bindings.unwrap_or_default() {
            ports.push(PublishedPort {
                address: limits::text(binding.host_ip),
                host_port: binding.host_port.parse().unwrap_or(0),
                port: number,
                protocol: limits::text(protocol.to_owned()),
            });
            if ports.len() >= MAX_NAMES {
                return ports;
            }
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An engine that says nothing of the cgroup namespace.
    const UNSAID: HostNamespaces = HostNamespaces {
        pid: false,
        network: false,
        ipc: false,
        uts: false,
        user: false,
        cgroup: true,
    };

    #[test]
    fn namespaces_are_the_hosts_or_ones_own_or_another_containers() {
        let host: HostPromises = serde_json::from_str(
            r#"{"PidMode": "container:abc", "NetworkMode": "host", "IpcMode": "shareable", "UTSMode": "host", "CgroupMode": "private"}"#,
        )
        .expect("a host's configuration");
        let expected = HostNamespaces {
            network: true,
            uts: true,
            ..HostNamespaces::default()
        };
        assert_eq!(host.host_namespaces(), expected);
        let expected = HostNamespaces {
            pid: true,
            ..HostNamespaces::default()
        };
        assert_eq!(host.joined_namespaces(Engine::Docker), expected);
        let expected = HostNamespaces {
            ipc: true,
            ..expected
        };
        assert_eq!(host.joined_namespaces(Engine::Podman), expected);
        let named_alike: HostPromises = serde_json::from_str(
            r#"{"NetworkMode": "hosting_default", "CgroupnsMode": "private"}"#,
        )
        .expect("a host's configuration");
        assert_eq!(named_alike.host_namespaces(), HostNamespaces::default());
        let own: HostPromises =
            serde_json::from_str(r#"{"IpcMode": "private", "CgroupMode": "private"}"#)
                .expect("a host's configuration");
        let joined = own.joined_namespaces(Engine::Podman);
        assert_eq!(joined, HostNamespaces::default());
    }

    fn of_json(config: &str, host: &str) -> Promises {
        of(
            Engine::Docker,
            serde_json::from_str(config).expect("a configuration"),
            serde_json::from_str(host).expect("a host's configuration"),
            Ports::new(),
            "docker-default".to_owned(),
            String::new(),
        )
    }

    #[test]
    fn what_docker_was_asked_for_is_read() {
        let promises = of_json(
            r#"{"User": "1000:1000", "Env": ["PATH=/bin", "DB_PASSWORD=hush", "API_TOKEN=", "KEY_FILE=/k", "broken"]}"#,
            r#"{"CapAdd": ["NET_ADMIN", "cap_sys_time"], "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges:true", "seccomp=unconfined"],
                "Memory": 536870912, "PidsLimit": 100, "NanoCpus": 1500000000, "Devices": [{"PathOnHost": "/dev/fuse"}],
                "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "53/udp": null, "x": [{}]},
                "RestartPolicy": {"Name": "always"}}"#,
        );
        let expected = Promises {
            user: "1000:1000".into(),
            capabilities_added: vec!["CAP_NET_ADMIN".into(), "CAP_SYS_TIME".into()],
            capabilities_dropped: vec!["ALL".into()],
            no_new_privileges: true,
            seccomp: "unconfined".into(),
            apparmor: "docker-default".into(),
            memory_limit_bytes: 512 << 20,
            pids_limit: 100,
            cpu_limit_millis: 1500,
            ports: vec![PublishedPort {
                address: "127.0.0.1".into(),
                host_port: 8080,
                port: 80,
                protocol: "tcp".into(),
            }],
            devices: vec!["/dev/fuse".into()],
            secret_variables: vec!["DB_PASSWORD".into()],
            restart_policy: "always".into(),
            joined_namespaces: UNSAID,
            ..Promises::default()
        };
        assert_eq!(promises, expected);
    }

    #[test]
    fn nothing_asked_for_is_nothing_promised() {
        for host in [
            "{}",
            r#"{"CapAdd": null, "PidsLimit": null, "Memory": 0, "SecurityOpt": null, "PortBindings": {}}"#,
            r#"{"PidsLimit": -1, "CpuQuota": -1, "SecurityOpt": ["no-new-privileges:false", "seccomp=builtin"]}"#,
            r#"{"CapAdd": "ALL", "Memory": "much", "Devices": 7, "RestartPolicy": []}"#,
        ] {
            let expected = Promises {
                apparmor: "docker-default".into(),
                joined_namespaces: UNSAID,
                ..Promises::default()
            };
            assert_eq!(of_json("{}", host), expected, "{host}");
        }
    }

    #[test]
    fn options_are_read_in_every_spelling() {
        for (option, expected) in [
            ("no-new-privileges", true),
            ("no-new-privileges:true", true),
            ("no-new-privileges=true", true),
            ("no-new-privileges=false", false),
            ("no-new-privileges-at-all", false),
        ] {
            assert_eq!(refuses_privileges(option), expected, "{option}");
        }
        for (option, expected) in [
            ("seccomp=unconfined", "unconfined"),
            ("seccomp:unconfined", "unconfined"),
            (r#"seccomp={"defaultAction": "SCMP_ACT_ALLOW"}"#, "custom"),
            ("apparmor=unconfined", ""),
        ] {
            assert_eq!(seccomp(&[option.to_owned()]), expected, "{option}");
        }
        for (nano_cpus, quota, period, expected) in [
            (0, 50_000, 0, 500),
            (0, 50_000, 25_000, 2000),
            (250_000_000, 50_000, 0, 250),
            (0, -1, 0, 0),
            (0, i64::MAX, 1, u64::MAX),
        ] {
            assert_eq!(cpu_millis(nano_cpus, quota, period), expected);
        }
    }
}
