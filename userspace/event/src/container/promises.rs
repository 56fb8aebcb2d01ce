//! What the creator of a container asked its engine for: rights, limits and ways in, as the engine declares them.

use bstr::BString;
use serde::{Deserialize, Serialize};

use super::HostNamespaces;

/// What an engine declares of a container beside its names and mounts.
///
/// An engine says what it was asked for; what came of it is in [`super::Confinement`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Promises {
    /// User and perhaps group, as in `www-data` or `1000:1000`; empty for root.
    pub user: BString,
    /// Capabilities added, as in `CAP_NET_ADMIN`, or `ALL`.
    pub capabilities_added: Vec<BString>,
    /// Capabilities dropped, likewise.
    pub capabilities_dropped: Vec<BString>,
    /// Whether its processes can gain no rights by executing a program.
    pub no_new_privileges: bool,
    /// The filter of system calls: `unconfined`, `custom`, or empty for the engine's own.
    pub seccomp: BString,
    /// The AppArmor profile: its name, or `unconfined`; empty for none.
    pub apparmor: BString,
    /// The SELinux label of its processes; empty for none.
    pub selinux: BString,
    /// Memory in bytes; 0 for no limit.
    pub memory_limit_bytes: u64,
    /// Processes and threads; 0 for no limit.
    pub pids_limit: u64,
    /// Thousandths of a processor; 0 for no limit.
    pub cpu_limit_millis: u64,
    /// Ports of the host that lead into it.
    pub ports: Vec<PublishedPort>,
    /// Paths of devices of the host that it may use.
    pub devices: Vec<BString>,
    /// Paths of file systems in memory, which stay writable where the root is read-only.
    pub tmpfs: Vec<BString>,
    /// Names of environment variables that by their name hold a password, key or token. The values are never kept.
    pub secret_variables: Vec<BString>,
    /// Namespaces of which the engine does not say whether they are the host's: another container's, mostly.
    pub joined_namespaces: HostNamespaces,
    /// Restarts: `no`, `always`, `unless-stopped`, `on-failure`; empty for unknown.
    pub restart_policy: BString,
}

/// A port of the host that leads into a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct PublishedPort {
    /// The address of the host, as in `0.0.0.0`; empty for all.
    pub address: BString,
    /// The port on the host; 0 for one that the engine chooses.
    pub host_port: u16,
    /// The port in the container.
    pub port: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: BString,
}

impl PublishedPort {
    /// As engines print it: `0.0.0.0:8080->80/tcp`.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let address = match self.address.as_slice() {
            b"" => "*".to_owned(),
            // Or its colons would run into that of the port.
            address if address.contains(&b':') => format!("[{}]", self.address),
            _ => self.address.to_string(),
        };
        format!(
            "{address}:{}->{}/{}",
            self.host_port, self.port, self.protocol
        )
        .into_bytes()
    }
}

/// Whether an environment variable of this name holds a secret by all appearance.
///
/// One that ends in `_FILE` names where the secret lies, which is what images do to keep it out of the environment.
#[must_use]
pub fn is_secret_variable(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "SECRET",
        "APIKEY",
        "API_KEY",
        "ACCESS_KEY",
        "PRIVATE_KEY",
        "SIGNING_KEY",
        "ENCRYPTION_KEY",
        "CREDENTIAL",
        "PWD_HASH",
    ];
    // Settings about secrets, which are none.
    const SETTINGS: [&str; 6] = ["_FILE", "_PATH", "_DIR", "_LENGTH", "_POLICY", "_NAME"];
    let name = name.to_ascii_uppercase();
    let is_setting = SETTINGS.iter().any(|ending| name.ends_with(ending));
    // `ALLOW_EMPTY_PASSWORD=yes` and `POSTGRES_RANDOM_ROOT_PASSWORD` are switches of well-known images.
    let is_switch = ["ALLOW_", "DISABLE_", "ENABLE_", "RANDOM_", "USE_", "HAS_"]
        .iter()
        .any(|start| name.starts_with(start) || name.contains(&format!("_{start}")));
    // `PWD` alone is the working directory, and tokenizers have settings.
    let mut parts = name.split('_');
    let is_token = parts.any(|part| part.ends_with("TOKEN"));
    let is_named = is_token
        || name == "PASS"
        || ["_PASS", "_PWD", "_PAT"]
            .iter()
            .any(|ending| name.ends_with(ending))
        || WORDS.iter().any(|word| name.contains(word));
    is_named && !is_setting && !is_switch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_hold_secrets_are_told_by_their_names() {
        for name in [
            "POSTGRES_PASSWORD",
            "mysql_root_password",
            "DB_PASS",
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_TOKEN",
            "STRIPE_API_KEY",
            "MYSQL_PWD",
            "JWT_SIGNING_KEY",
            "GITHUB_PAT",
            "ACCESSTOKEN",
            "JWT_SECRET",
            "REDIS_PASSWD",
        ] {
            assert!(is_secret_variable(name), "{name}");
        }
        for name in [
            "POSTGRES_PASSWORD_FILE",
            "PATH",
            "PASSENGER_APP_ENV",
            "COMPASS",
            "ALLOW_EMPTY_PASSWORD",
            "MYSQL_ALLOW_EMPTY_PASSWORD",
            "MYSQL_RANDOM_ROOT_PASSWORD",
            "PASSWORD_LENGTH",
            "SECRET_NAME",
            "KEYBOARD",
            "PWD",
            "OLDPWD",
            "TOKENIZERS_PARALLELISM",
            "MAX_TOKENS",
            "PATTERN",
            "",
        ] {
            assert!(!is_secret_variable(name), "{name}");
        }
    }

    #[test]
    fn ports_are_written_as_engines_do() {
        for (address, expected) in [
            ("0.0.0.0", "0.0.0.0:8080->80/tcp"),
            ("::", "[::]:8080->80/tcp"),
            ("", "*:8080->80/tcp"),
        ] {
            let port = PublishedPort {
                address: address.into(),
                host_port: 8080,
                port: 80,
                protocol: "tcp".into(),
            };
            assert_eq!(port.text(), expected.as_bytes());
        }
    }
}
