//! What stands in a recording.
//!
//! ```text
//! 8 bytes   "VIGIAREC"
//! 2 bytes   version, little endian
//! 6 bytes   zero
//! one zstd frame with a checksum, holding records:
//!     4 bytes   length, little endian
//!     a CBOR value: one `Record`
//! ```
//!
//! The first record is the [`Origin`], the last one the [`Trailer`]. A snapshot stands before the first event that
//! refers to it, and has no number written to it: it is the n-th of its kind since the last [`Record::Forget`].

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use vigia_event::captured::Captured;
use vigia_event::container::Inspected;
use vigia_event::mount::MountTable;
use vigia_event::names::DomainNames;
use vigia_event::secret::SecretAccess;
use vigia_event::users::Users;
use vigia_event::{Container, Event, EventType, File, Node, Process};

/// The format this crate writes, and the only one it reads.
///
/// It is raised whenever a reader of the version before would judge differently: a field that it would not look at
/// is such a change, a field with a default for recordings that do not have it is not.
pub const VERSION: u16 = 1;
/// Encoded bytes of one record: the longest table of mounts that makes sense.
pub const MAX_RECORD_BYTES: usize = 4 << 20;

pub(crate) const MAGIC: &[u8; 8] = b"VIGIAREC";
pub(crate) const HEADER_BYTES: usize = 16;
/// Ancestors of one event.
pub(crate) const MAX_ANCESTORS: usize = 256;
/// Snapshots of one kind that may be referred to at a time.
pub(crate) const MAX_SHARED: usize = 32 * 1024;

/// Where a recording comes from and what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// The version of the agent that wrote it.
    pub agent_version: String,
    /// The kernel's release, as `uname -r` prints it.
    pub kernel: String,
    /// When it was begun, nanoseconds since the epoch.
    pub started_ns: u64,
    /// Names of the event types that were recorded: what is not in here may have happened all the same.
    pub event_types: Vec<String>,
    /// Whether processes have their environment.
    pub environment: bool,
    /// Whether secrets were removed.
    pub redacted: bool,
}

/// The last record: how a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trailer {
    /// Events in the recording.
    pub events: u64,
    /// Events that are not.
    pub lost: Losses,
    /// Why it ended.
    pub ending: Ending,
    /// When it ended, on the clock of [`Recorded::judged_ns`].
    pub ended_ns: u64,
}

/// Events that were to be recorded and were not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Losses {
    /// Nobody saw them: the probes or the ring had lost them already.
    pub unseen: u64,
    /// The writer could not keep up.
    pub overflow: u64,
    /// What they refer to is longer than a recording takes.
    pub too_large: u64,
    /// The recording had reached its size or its number of events, and went on being offered more.
    pub after_end: u64,
}

impl Losses {
    /// These and others.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            unseen: self.unseen.saturating_add(other.unseen),
            overflow: self.overflow.saturating_add(other.overflow),
            too_large: self.too_large.saturating_add(other.too_large),
            after_end: self.after_end.saturating_add(other.after_end),
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.unseen
            .saturating_add(self.overflow)
            .saturating_add(self.too_large)
            .saturating_add(self.after_end)
    }
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Somebody stopped it.
    Stopped,
    /// Its time was over.
    Duration,
    /// The file may not become longer.
    MaxBytes,
    /// It has as many events as it may.
    MaxEvents,
}

impl Ending {
    /// Why, in words.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Stopped => "it was stopped",
            Self::Duration => "its time was over",
            Self::MaxBytes => "the file reached its size",
            Self::MaxEvents => "it has as many events as it may",
        }
    }
}

/// One event of a recording.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The event, with its spellings made.
    pub event: Event,
    /// When it was judged, `CLOCK_BOOTTIME` of the machine in nanoseconds: an event may have waited.
    pub judged_ns: u64,
}

/// One record of the stream.
#[derive(Serialize, Deserialize)]
pub(crate) enum Record<'r> {
    Origin(Cow<'r, Origin>),
    /// All snapshots up to here are done with; counting begins at 0 again.
    Forget,
    File(Cow<'r, File>),
    Users(Cow<'r, Users>),
    Mounts(Cow<'r, MountTable>),
    Inspected(Cow<'r, Inspected>),
    Node(Cow<'r, Node>),
    DomainNames(Cow<'r, DomainNames>),
    Process(Box<ProcessRecord<'r>>),
    Container(Box<ContainerRecord<'r>>),
    Event(Box<EventRecord<'r>>),
    Trailer(Trailer),
}

/// A process with the numbers of what it shares.
#[derive(Serialize, Deserialize)]
pub(crate) struct ProcessRecord<'r> {
    pub(crate) process: Cow<'r, Process>,
    pub(crate) exe_file: Option<u32>,
}

/// A container with the numbers of what it shares.
#[derive(Serialize, Deserialize)]
pub(crate) struct ContainerRecord<'r> {
    pub(crate) container: Cow<'r, Container>,
    pub(crate) mounts: Option<u32>,
    pub(crate) users: u32,
    pub(crate) metadata: MetadataRecord,
}

/// See [`vigia_event::Metadata`].
#[derive(Serialize, Deserialize)]
pub(crate) enum MetadataRecord {
    Pending,
    Unavailable,
    Known(u32),
}

/// An event with the numbers of what it refers to.
#[derive(Serialize, Deserialize)]
pub(crate) struct EventRecord<'r> {
    pub(crate) number: u64,
    pub(crate) time_ns: u64,
    pub(crate) judged_ns: u64,
    pub(crate) event_type: EventType,
    pub(crate) captured: Cow<'r, Captured>,
    pub(crate) process: u32,
    pub(crate) ancestors: Vec<u32>,
    pub(crate) session_leader: Option<u32>,
    pub(crate) group_leader: Option<u32>,
    pub(crate) container: Option<u32>,
    pub(crate) mounts: u32,
    pub(crate) users: u32,
    pub(crate) secret: Option<Cow<'r, SecretAccess>>,
    pub(crate) node: u32,
    pub(crate) domain_names: u32,
}
