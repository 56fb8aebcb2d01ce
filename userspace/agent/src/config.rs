//! The configuration: one struct a section, whose defaults are the documented ones.
//!
//! A file is read into [`Config`] with every key checked: an unknown key names the nearest one, a value
//! out of bounds names the bounds, each with its line and column. Environment variables override the
//! file (see [`environment`]), flags override both. `vigia.example.yaml` beside this crate documents
//! every key; a test keeps the two together.

mod defaults;
pub mod environment;
mod load;
mod schema;
pub mod scope;
pub mod selection;
pub mod value;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use load::{ConfigError, EXAMPLE, MAX_BYTES};
pub(crate) use schema::priority_pattern;
pub use scope::Scope;
use selection::{AppendOutput, Select};
use value::{AbsolutePath, Bounded, MinimumPriority, SecretPath, Sensitive, Text, Url};

/// Where the configuration is looked for when no flag names one.
pub const DEFAULT_PATH: &str = "/etc/vigia/vigia.yaml";
/// Where rules are looked for when neither flag nor configuration names a place.
pub const DEFAULT_RULES: &str = "/etc/vigia/rules.d";
/// Where metrics and health are served unless configured: loopback only.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9376);

const DAY_S: u64 = 86_400;

/// Everything that can be configured.
///
/// Serialising it exposes [`Sensitive`] values: only the environment overlay does so, in memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The machine.
    pub node: Node,
    /// Names and values put on every alert, such as cluster and site; rules know them as `static.NAME`.
    #[serde(alias = "static_fields")]
    pub fixed_fields: BTreeMap<Text<64>, Text<256>>,
    /// Which rules, and how they are matched.
    pub rules: Rules,
    /// What is watched.
    pub scope: Scope,
    /// Where the host's /proc is mounted.
    pub proc_root: ProcRoot,
    /// Container engines to ask for metadata.
    pub engines: Engines,
    /// Domain names that rules compare with.
    pub domain_names: DomainNames,
    /// What is a secret, and who may read it.
    pub secrets: Secrets,
    /// What others found out about images.
    pub images: Images,
    /// The metrics and health endpoint.
    pub metrics: Metrics,
    /// Where alerts go.
    pub outputs: Outputs,
    /// How repeats are folded.
    pub throttle: Throttle,
    /// What is blanked out of alerts.
    pub redaction: Redaction,
    /// The kernel side.
    pub sensor: Sensor,
    /// Bounds of the process and container tables.
    pub inventory: Inventory,
    /// Where the agent keeps what outlives it.
    pub state_dir: StateDir,
    /// The agent's own log, on standard error.
    pub log: Log,
    /// What the agent may still do once it runs.
    pub privileges: Privileges,
}

/// Section `node`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// The name on every alert; the host's name if absent.
    pub name: Option<Text<253>>,
}

/// Section `rules`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Files, and folders whose `*.yaml` and `*.yml` are read in order of their names.
    pub paths: Vec<PathBuf>,
    /// Rules below it are checked but not matched.
    pub minimum_priority: MinimumPriority,
    /// Whether an event may fire one rule or several.
    pub matching: Matching,
    /// Rules switched on and off after all files are read, in this order.
    pub select: Vec<Select>,
}

/// How many rules one event may fire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Matching {
    /// The first that matches, in order of loading.
    #[default]
    First,
    /// Every rule that matches.
    All,
}

/// Section `engines`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Engines {
    /// Unix sockets of Docker, of Podman's Docker-compatible service, of containerd and of CRI-O; those absent are tried
    /// again.
    pub sockets: Vec<AbsolutePath>,
    /// Whether the usual places are looked at as well, while the agent runs: /var/run/docker.sock, /run/podman/podman.sock,
    /// /run/containerd/containerd.sock, /run/k3s/containerd/containerd.sock, /run/crio/crio.sock, and docker.sock and
    /// podman/podman.sock in the runtime folders of users, whose engines speak of their own containers only.
    pub discover: bool,
    /// How long one answer may take, seconds.
    pub timeout_s: Bounded<1, 120>,
}

/// Section `domain_names`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DomainNames {
    /// Whether the names that rules compare with are resolved.
    pub resolve: bool,
    /// How long an answer counts, seconds.
    pub refresh_s: Bounded<5, DAY_S>,
}

/// Section `secrets`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// How long after the main process's last exec a container counts as starting, seconds.
    pub window_s: Bounded<1, DAY_S>,
    /// Executables that may always read secrets: absolute paths or globs.
    pub declared_readers: Vec<Text<256>>,
    /// Executables of the host that may always read secrets: absolute paths or globs.
    pub host_readers: Vec<Text<256>>,
    /// Executables of container engines in unusual places: absolute paths.
    pub engine_programs: Vec<AbsolutePath>,
    /// Files of containers that are secrets although no mount says so.
    pub declared: Vec<DeclaredSecrets>,
    /// Files of the host that are secrets, beside those that engines keep there: absolute paths or globs.
    pub host_paths: Vec<SecretPath>,
    /// Where learned reader chains are kept; `readers.json` in the state folder if absent.
    pub state_file: Option<AbsolutePath>,
}

/// An item of `secrets.declared`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeclaredSecrets {
    /// Absolute paths or globs in the container.
    pub paths: Vec<SecretPath>,
    /// Which images' containers are meant: the image's name with or without its tag, or a glob; all if absent.
    pub image: Option<Text<512>>,
    /// Which containers are meant: the name, or a glob; all if absent.
    pub container: Option<Text<256>>,
}

/// Section `images`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Images {
    /// A folder of scanners' reports (`*.json` of Trivy, of Grype, or CycloneDX); none if absent.
    pub reports: Option<AbsolutePath>,
    /// A list of trusted digests: lines, or what `cosign verify` or `docker trust inspect` print; none if absent.
    pub trusted: Option<AbsolutePath>,
}

/// Section `metrics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Whether `/metrics`, `/healthz` and `/readyz` are served.
    pub enabled: bool,
    /// Address and port.
    pub listen: SocketAddr,
    /// How old the pipeline's heartbeat may be before `/healthz` fails, seconds.
    pub heartbeat_s: Bounded<2, 3600>,
}

/// Section `outputs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Outputs {
    /// How many alerts may wait for one output.
    pub queue: Bounded<1, 1_000_000>,
    /// How long outputs may take to drain when the agent stops, seconds.
    pub drain_s: Bounded<0, 300>,
    /// Standard output.
    pub stdout: Stdout,
    /// A file.
    pub file: FileOutput,
    /// HTTP receivers.
    pub webhooks: Vec<Webhook>,
    /// What is appended to the outputs of rules.
    pub append_output: Vec<AppendOutput>,
    /// Whether text lines begin with date, time and zone (UTC) instead of the local time of day.
    pub time_format_iso_8601: bool,
    /// Whether buffers are printed in base64 instead of with a dot for every byte that cannot be printed.
    pub buffer_format_base64: bool,
    /// What a JSON line holds.
    pub json: JsonLine,
}

/// Section `outputs.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JsonLine {
    /// Whether there is `message`: the rule's output without time and priority.
    pub include_message_property: bool,
    /// Whether there is `output`: the whole text line.
    pub include_output_property: bool,
    /// Whether there are `output_fields`.
    pub include_output_fields_property: bool,
    /// Whether there are `tags`.
    pub include_tags_property: bool,
}

/// Section `outputs.stdout`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stdout {
    /// Whether alerts are printed.
    pub enabled: bool,
    /// As what.
    pub format: StdoutFormat,
}

/// How alerts are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StdoutFormat {
    /// Readable on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// One line, as Falco prints it.
    Text,
    /// Several lines for a person.
    Readable,
}

/// Section `outputs.file`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FileOutput {
    /// The file alerts are appended to; none if absent.
    pub path: Option<AbsolutePath>,
    /// As what.
    pub format: FileFormat,
}

/// How alerts are written to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// One readable line.
    Text,
}

/// An item of `outputs.webhooks`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// What metrics and logs call it; `webhook-1`, `webhook-2`, ... if absent.
    #[serde(default)]
    pub name: Option<Text<64>>,
    /// Where each alert is posted.
    pub url: Url,
    /// Additional request headers.
    #[serde(default)]
    pub headers: BTreeMap<Text<128>, Sensitive>,
    /// Additional request headers whose value is read from a file at start, such as a mounted secret.
    #[serde(default)]
    pub header_files: BTreeMap<Text<128>, AbsolutePath>,
    /// Certificates (PEM) to trust instead of the system's.
    #[serde(default)]
    pub ca_file: Option<AbsolutePath>,
    /// How long one request may take, seconds.
    #[serde(default = "defaults::webhook_timeout")]
    pub timeout_s: Bounded<1, 300>,
    /// How long delivery of an alert is retried, seconds.
    #[serde(default = "defaults::webhook_retry_age")]
    pub retry_age_s: Bounded<0, DAY_S>,
    /// How many alerts may wait; `outputs.queue` if absent.
    #[serde(default)]
    pub queue: Option<Bounded<1, 1_000_000>>,
}

/// Section `throttle`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Throttle {
    /// How long repeats are folded into one summary, seconds; 0 sends every alert.
    pub window_s: Bounded<0, DAY_S>,
    /// How many (rule, container, object) may be remembered.
    pub max_keys: Bounded<16, 1_000_000>,
}

/// Section `redaction`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Redaction {
    /// Whether anything is blanked out.
    pub enabled: bool,
    /// Words, in addition to the built-in ones, that announce a secret in the name of a flag, variable or
    /// label.
    pub names: Vec<Text<64>>,
    /// Regular expressions in addition to the built-in table; what a match's first group (or, without
    /// groups, the whole match) covers is blanked out.
    pub patterns: Vec<Text<1024>>,
}

/// Section `sensor`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sensor {
    /// Size of the ring between kernel and agent, bytes; a power of two.
    pub ring_bytes: value::RingBytes,
    /// How many events one container may raise.
    pub budget: Budget,
    /// How many tasks the kernel side remembers.
    pub max_tasks: Bounded<1024, 4_194_304>,
}

/// Section `sensor.budget`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Sustained, for each container.
    pub events_per_second: Bounded<1, 10_000_000>,
    /// At once, for each container.
    pub burst: Bounded<1, 10_000_000>,
}

/// Section `inventory`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Inventory {
    /// How many processes are remembered, ended ones included.
    pub max_processes: Bounded<1024, 4_194_304>,
    /// How many containers are remembered, ended ones included.
    pub max_containers: Bounded<16, 65_536>,
}

/// Section `log`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is logged.
    pub level: LogLevel,
    /// As what.
    pub format: LogFormat,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are those of the levels")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One readable line an event.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Section `privileges`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Privileges {
    /// Whether capabilities that the agent does not need are given up at start.
    pub drop: bool,
    /// Capabilities to keep all the same, such as `CAP_DAC_OVERRIDE`.
    pub keep: Vec<Text<32>>,
}

/// Where the host's /proc is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ProcRoot(pub AbsolutePath);

/// Where the agent keeps what outlives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct StateDir(pub AbsolutePath);

impl Config {
    /// Where the host's /proc is.
    #[must_use]
    pub fn proc_root(&self) -> &Path {
        &self.proc_root.0
    }

    /// Where the agent keeps what outlives it.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.state_dir.0
    }

    /// Where learned reader chains are kept.
    #[must_use]
    pub fn readers_file(&self) -> PathBuf {
        match &self.secrets.state_file {
            Some(path) => path.to_path_buf(),
            None => self.state_dir().join("readers.json"),
        }
    }
}

impl Webhook {
    /// What metrics and logs call the webhook at a position in the list.
    #[must_use]
    pub fn name_at(&self, index: usize) -> String {
        match &self.name {
            Some(name) => name.to_string(),
            None => format!("webhook-{}", index + 1),
        }
    }
}
