//! What was seen: process, file, secret and result behind an alert.

use serde::Serialize;
use vigia_event::View;
use vigia_event::secret::SecretAccess;
use vigia_event::text::result_text;

use super::texts::{NAME_BYTES, Texts};

/// Ancestors that are named.
const MAX_ANCESTORS: usize = 16;

/// The evidence of an alert. Keys stand in alphabetical order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// How many events the alert stands for.
    pub count: u64,
    /// What was called or happened, as in `openat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<&'static str>,
    /// The file it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileEvidence>,
    /// Whether the rule's answer depends on values that are not known yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessEvidence>,
    /// What the call returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultEvidence>,
    /// Paths of the events a summary stands for, the first few different ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<String>,
    /// The secret it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretEvidence>,
    /// For a summary: the id of the alert whose repeats it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary_of: Option<String>,
    /// Fields that are incomplete: longer than what is captured, or in memory that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub truncated: Vec<&'static str>,
    /// Fields of the output that are not known yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// For a summary: over how many seconds it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_s: Option<u64>,
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProcessEvidence {
    /// Names of its ancestors, parent first.
    pub ancestors: Vec<String>,
    /// Name and arguments, redacted.
    pub cmdline: String,
    /// Working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Whether it, or an ancestor, came into the container from outside; `None` where that was not observed.
    pub entered: Option<bool>,
    /// Where its program comes from: `image`, `upper`, `volume`, `tmpfs`, `memfd` or `unknown`.
    pub exe_origin: &'static str,
    /// Path of its program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exe_path: Option<String>,
    /// Its name.
    pub name: String,
    /// Process id on the host.
    pub pid: u32,
    /// Process id of its parent on the host.
    pub ppid: u32,
    /// The script it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Whom it acts as.
    pub user: UserEvidence,
}

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UserEvidence {
    /// The name in the container's passwd file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The number as the kernel sees it.
    pub uid: u32,
}

/// A file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileEvidence {
    /// The mount it lies on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount: Option<MountEvidence>,
    /// The path as the program gave it, made absolute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The path as the kernel resolved it, by the name that no mount hides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub real_path: Option<String>,
}

/// A mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MountEvidence {
    /// What it is to the container: `root`, `volume`, `tmpfs`, `secret`, `engine`, `kernel` or `other`.
    pub kind: &'static str,
    /// Where it stands.
    pub point: String,
    /// Whether it is read-only.
    pub read_only: bool,
    /// File system type.
    #[serde(rename = "type")]
    pub fs_type: String,
}

/// What a call returned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ResultEvidence {
    /// `SUCCESS`, or the name of the error.
    pub name: String,
    /// The number.
    pub value: i64,
}

/// A secret and its reader. The content is never captured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SecretEvidence {
    /// `secret`, `config` or `unknown`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Where the container finds it.
    pub path: String,
    /// Who the reader is, as in `entered`.
    pub reader: &'static str,
    /// Why the reader is judged so, with the chain of programs.
    pub reason: String,
    /// Who provides it, as in `swarm`.
    pub source: &'static str,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            count: 1,
            event: None,
            file: None,
            partial: false,
            process: None,
            result: None,
            samples: Vec::new(),
            secret: None,
            summary_of: None,
            truncated: Vec::new(),
            unknown: Vec::new(),
            window_s: None,
        }
    }
}

impl Evidence {
    pub(super) fn of_view(view: View<'_>, texts: &Texts<'_>) -> Self {
        let event = view.event;
        Self {
            event: Some(event.event_type.name()),
            file: FileEvidence::of(view, texts),
            process: Some(ProcessEvidence::of(view, texts)),
            result: event.result().map(|value| ResultEvidence {
                name: result_text(value).into_owned(),
                value,
            }),
            secret: event
                .secret
                .as_deref()
                .map(|access| SecretEvidence::of(access, texts)),
            truncated: event.truncated().collect(),
            ..Self::default()
        }
    }

    /// The path worth listing as a sample.
    pub(crate) fn sample(&self) -> Option<&str> {
        let file = self.file.as_ref()?;
        file.path.as_deref().or(file.real_path.as_deref())
    }
}

impl ProcessEvidence {
    fn of(view: View<'_>, texts: &Texts<'_>) -> Self {
        let event = view.event;
        let process = &*event.process;
        let ancestors = event.ancestors.iter().take(MAX_ANCESTORS);
        let credentials = &event.captured.task.credentials;
        Self {
            ancestors: ancestors
                .map(|ancestor| texts.bounded(&ancestor.task.comm, NAME_BYTES))
                .collect(),
            cmdline: texts.text(&process.command_line()),
            cwd: texts.some(&process.cwd),
            entered: process.task.entered,
            exe_origin: process.exe_origin.name(),
            exe_path: texts.some(&process.exe_path),
            name: texts.bounded(&process.task.comm, NAME_BYTES),
            pid: process.task.pid,
            ppid: process.task.parent_pid,
            script: process
                .script
                .as_ref()
                .and_then(|script| texts.some(&script.path)),
            user: UserEvidence {
                name: event
                    .users
                    .user(credentials.ns_uid.unwrap_or(credentials.euid))
                    .map(|user| texts.bounded(&user.name, NAME_BYTES)),
                uid: credentials.euid,
            },
        }
    }
}

impl FileEvidence {
    fn of(view: View<'_>, texts: &Texts<'_>) -> Option<Self> {
        view.path()?;
        let paths = &view.event.paths;
        Some(Self {
            mount: view.mount().map(|mount| MountEvidence {
                kind: mount.kind.name(),
                point: texts.text(&mount.point),
                read_only: mount.read_only,
                fs_type: texts.bounded(&mount.fs_type, NAME_BYTES),
            }),
            path: paths.given.as_ref().and_then(|path| texts.some(path)),
            real_path: paths
                .underlying
                .as_ref()
                .or(paths.real.as_ref())
                .and_then(|path| texts.some(path)),
        })
    }
}

impl SecretEvidence {
    fn of(access: &SecretAccess, texts: &Texts<'_>) -> Self {
        Self {
            kind: access.secret.kind.name(),
            name: texts.bounded(&access.secret.name, NAME_BYTES),
            path: texts.text(&access.secret.path),
            reader: access.reader.name(),
            reason: texts.text(access.reason.as_bytes()),
            source: access.secret.source.name(),
        }
    }
}
