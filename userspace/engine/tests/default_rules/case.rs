//! The form of a `*.test.yaml` file.

use serde::Deserialize;

/// The cases of one rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleCases {
    pub(crate) rule: String,
    pub(crate) fires: Vec<Case>,
    pub(crate) stays_silent: Vec<Case>,
}

/// One event, as far as it differs from an everyday one.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Case {
    /// What happens, in words.
    pub(crate) name: String,
    /// The event type.
    pub(crate) call: String,
    /// The path as the program gives it.
    pub(crate) path: Option<String>,
    /// The second path of a call with two.
    pub(crate) target: Option<String>,
    /// The path the kernel resolves it to; the given one if a call succeeds and nothing is said.
    pub(crate) real_path: Option<String>,
    /// Flags of an open or a mount, or the request of ptrace, joined by `|`.
    pub(crate) flags: String,
    /// The name of the error; success if nothing is said.
    pub(crate) error: Option<String>,
    /// The number of a 32-bit call, or the count of an overrun budget.
    pub(crate) number: u64,
    pub(crate) process: ProcessCase,
    /// Where it happens; `host: true` for outside containers.
    pub(crate) container: ContainerCase,
    pub(crate) secret: Option<SecretCase>,
    /// For a case that fires: what the output must contain.
    pub(crate) says: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProcessCase {
    pub(crate) name: String,
    pub(crate) exe: String,
    pub(crate) args: Vec<String>,
    /// Names, parent first.
    pub(crate) ancestors: Vec<String>,
    pub(crate) origin: String,
    pub(crate) script: Option<String>,
    pub(crate) script_origin: String,
    pub(crate) entered: Option<bool>,
    pub(crate) tty: u32,
    pub(crate) uid: u32,
    pub(crate) privileged: bool,
}

impl Default for ProcessCase {
    fn default() -> Self {
        Self {
            name: "nginx".into(),
            exe: "/usr/sbin/nginx".into(),
            args: Vec::new(),
            ancestors: vec!["nginx".into()],
            origin: "image".into(),
            script: None,
            script_origin: "image".into(),
            entered: Some(false),
            tty: 0,
            uid: 0,
            privileged: false,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ContainerCase {
    pub(crate) host: bool,
    pub(crate) read_only: bool,
    /// Seconds since its first program started; `~` while the engine still sets it up.
    pub(crate) uptime_s: Option<u64>,
    /// Whether the agent saw it start.
    pub(crate) observed: bool,
}

impl Default for ContainerCase {
    fn default() -> Self {
        Self {
            host: false,
            read_only: false,
            uptime_s: Some(3600),
            observed: true,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretCase {
    pub(crate) reader: String,
    #[serde(default = "a_secret")]
    pub(crate) kind: String,
}

fn a_secret() -> String {
    "secret".to_owned()
}

impl RuleCases {
    /// Every case, and whether it must fire.
    pub(crate) fn all(&self) -> impl Iterator<Item = (bool, &Case)> {
        let silent = self.stays_silent.iter().map(|case| (false, case));
        self.fires.iter().map(|case| (true, case)).chain(silent)
    }
}
