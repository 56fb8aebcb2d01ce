//! Reading, from files that anybody may have made.
//!
//! Every length is checked before anything of that length is made, and what is held at a time is weighed: a file of a
//! few kilobytes that unpacks to gigabytes, or a record of a million empty texts, is refused in bounded memory.

use std::fs::File as DiskFile;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use vigia_event::container::Inspected;
use vigia_event::mount::MountTable;
use vigia_event::names::DomainNames;
use vigia_event::users::Users;
use vigia_event::{Container, Event, File, Metadata, Node, PathSpellings, Process};
use zstd::stream::read::Decoder;

use crate::format::{
    ContainerRecord, EventRecord, HEADER_BYTES, MAGIC, MAX_ANCESTORS, MAX_RECORD_BYTES,
    MetadataRecord, Origin, ProcessRecord, Record, Recorded, Trailer, VERSION,
};
use crate::shared::{Known, MAX_WEIGHT, Weigh};

/// Values inside values that a record may have: far more than the deepest of ours.
const MAX_DEPTH: usize = 32;
/// The memory that unpacking may take, as a power of two: what the writer's level uses, and two more.
const WINDOW_LOG_MAX: u32 = 23;

/// Bounds of what is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Unpacked bytes.
    pub max_bytes: u64,
    /// Events.
    pub max_events: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 16 << 30,
            max_events: u64::MAX,
        }
    }
}

/// Why a recording, or the rest of it, cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file cannot be opened.
    #[error("cannot open {path}")]
    Open {
        /// Which one.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file cannot be read on.
    #[error("cannot read the recording")]
    Io(#[source] io::Error),
    /// The file is something else.
    #[error("this is not a recording")]
    NotARecording,
    /// Another version of the agent wrote it.
    #[error("the recording has format {found}; this version of vigia reads format {VERSION}")]
    Version {
        /// The format it has.
        found: u16,
    },
    /// The file ends too early: its writer was killed, or it was not copied whole.
    #[error("the recording was cut off after {events} event(s): it has no end")]
    Cut {
        /// Events that could be read.
        events: u64,
    },
    /// What stands there is not what a writer writes.
    #[error("the recording is damaged after {events} event(s): {reason}")]
    Damaged {
        /// Events that could be read.
        events: u64,
        /// What is wrong.
        reason: String,
    },
    /// It has more than the caller wants, or than anybody can keep in memory.
    #[error("the recording has more {what} than {limit} after {events} event(s)")]
    TooLarge {
        /// Of what there is too much.
        what: &'static str,
        /// How much there may be.
        limit: u64,
        /// Events that could be read.
        events: u64,
    },
}

/// Reads one recording, event by event.
///
/// After an error, and after the last event, there is nothing more.
pub struct Reader<R: Read> {
    input: Decoder<'static, BufReader<R>>,
    limits: Limits,
    origin: Origin,
    trailer: Option<Trailer>,
    snapshots: Snapshots,
    buffer: Vec<u8>,
    bytes: u64,
    events: u64,
    is_done: bool,
}

/// What events may refer to.
#[derive(Default)]
struct Snapshots {
    files: Known<File>,
    users: Known<Users>,
    mounts: Known<MountTable>,
    inspected: Known<Inspected>,
    nodes: Known<Node>,
    domain_names: Known<DomainNames>,
    processes: Known<Process>,
    containers: Known<Container>,
    weight: usize,
}

/// Why a record cannot be decoded; the decoder says it as its source code would.
fn in_words<E>(error: ciborium::de::Error<E>) -> String {
    use ciborium::de::Error;
    match error {
        Error::Io(_) => "a record ends too early".to_owned(),
        Error::Syntax(at) => format!("byte {at} of a record is no CBOR"),
        Error::Semantic(_, message) => message,
        Error::RecursionLimitExceeded => "a record nests too deeply".to_owned(),
    }
}

/// What is wrong with a record.
enum Fault {
    /// It refers to something that does not stand before it.
    Dangling(&'static str),
    /// There is no room for it.
    Room,
    /// It must not stand here.
    Misplaced,
}

/// Opens a recording on disk.
///
/// # Errors
/// [`ReadError`]: it cannot be opened, is none, or is of another version.
pub fn open(path: &Path, limits: Limits) -> Result<Reader<DiskFile>, ReadError> {
    let file = DiskFile::open(path).map_err(|source| ReadError::Open {
        path: path.display().to_string(),
        source,
    })?;
    Reader::new(file, limits)
}

impl<R: Read> Reader<R> {
    /// Reads what stands before the first event.
    ///
    /// # Errors
    /// [`ReadError`]: this is no recording, or of another version.
    pub fn new(mut input: R, limits: Limits) -> Result<Self, ReadError> {
        let mut header = [0; HEADER_BYTES];
        input
            .read_exact(&mut header)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => ReadError::NotARecording,
                _ => ReadError::Io(error),
            })?;
        if !header.starts_with(MAGIC) {
            return Err(ReadError::NotARecording);
        }
        let found = u16::from_le_bytes([header[8], header[9]]);
        if found != VERSION {
            return Err(ReadError::Version { found });
        }
        let mut input = Decoder::new(input).map_err(ReadError::Io)?.single_frame();
        input
            .window_log_max(WINDOW_LOG_MAX)
            .map_err(ReadError::Io)?;
        let mut reader = Self {
            input,
            limits,
            origin: Origin::default(),
            trailer: None,
            snapshots: Snapshots::default(),
            buffer: Vec::new(),
            bytes: 0,
            events: 0,
            is_done: false,
        };
        match reader.read_record()? {
            Record::Origin(origin) => reader.origin = origin.into_owned(),
            _ => return Err(reader.damaged("it does not begin with its origin")),
        }
        Ok(reader)
    }

    /// Where the recording comes from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How it ended; `None` before the last event was read, and where the end is missing.
    #[must_use]
    pub fn trailer(&self) -> Option<&Trailer> {
        self.trailer.as_ref()
    }

    /// The next event; `None` at the end.
    fn read_event(&mut self) -> Result<Option<Recorded>, ReadError> {
        loop {
            let record = self.read_record()?;
            let weight_bytes = self.buffer.len();
            let taken = match record {
                Record::Event(event) => {
                    if self.events >= self.limits.max_events {
                        return Err(self.too_large("events", self.limits.max_events));
                    }
                    let recorded = self
                        .snapshots
                        .event(*event)
                        .map_err(|fault| self.fault(&fault))?;
                    self.events += 1;
                    return Ok(Some(recorded));
                }
                Record::Trailer(trailer) => {
                    self.end(trailer)?;
                    return Ok(None);
                }
                record => self.snapshots.take(record, weight_bytes),
            };
            taken.map_err(|fault| self.fault(&fault))?;
        }
    }

    fn read_record(&mut self) -> Result<Record<'static>, ReadError> {
        let mut length = [0; 4];
        self.fill(&mut length)?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > MAX_RECORD_BYTES {
            return Err(self.damaged("a record is longer than any record"));
        }
        self.bytes = self.bytes.saturating_add(length as u64 + 4);
        if self.bytes > self.limits.max_bytes {
            return Err(self.too_large("bytes", self.limits.max_bytes));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(length, 0);
        let filled = self.fill(&mut buffer);
        self.buffer = buffer;
        filled?;
        let mut rest = self.buffer.as_slice();
        let record = ciborium::de::from_reader_with_recursion_limit(&mut rest, MAX_DEPTH)
            .map_err(|error| self.damaged(&in_words(error)))?;
        if !rest.is_empty() {
            return Err(self.damaged("a record is followed by something"));
        }
        Ok(record)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.input
            .read_exact(buffer)
            .map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> ReadError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => ReadError::Cut {
                events: self.events,
            },
            // What the decoder itself finds wrong has no number of the system.
            _ if error.raw_os_error().is_none() => self.damaged(&error.to_string()),
            _ => ReadError::Io(error),
        }
    }

    /// The trailer must be right, and the last thing there is; reading past it also checks the checksum.
    fn end(&mut self, trailer: Trailer) -> Result<(), ReadError> {
        if trailer.events != self.events {
            return Err(self.damaged("its end counts other events"));
        }
        match self.input.read(&mut [0]) {
            Ok(0) => {
                let behind = self.input.get_mut().fill_buf().map_err(ReadError::Io)?;
                if !behind.is_empty() {
                    return Err(self.damaged("its end is followed by something"));
                }
                self.trailer = Some(trailer);
                Ok(())
            }
            Ok(_) => Err(self.damaged("its end is followed by something")),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn fault(&self, fault: &Fault) -> ReadError {
        match fault {
            Fault::Dangling(what) => {
                self.damaged(&format!("it refers to a {what} that does not stand there"))
            }
            Fault::Room => self.too_large("bytes of state", MAX_WEIGHT as u64),
            Fault::Misplaced => self.damaged("a record stands where it must not"),
        }
    }

    fn damaged(&self, reason: &str) -> ReadError {
        ReadError::Damaged {
            events: self.events,
            reason: reason.to_owned(),
        }
    }

    fn too_large(&self, what: &'static str, limit: u64) -> ReadError {
        ReadError::TooLarge {
            what,
            limit,
            events: self.events,
        }
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Recorded, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let item = self.read_event().transpose();
        self.is_done = !matches!(item, Some(Ok(_)));
        item
    }
}

impl Snapshots {
    /// Keeps a snapshot of so many encoded bytes.
    fn take(&mut self, record: Record<'_>, bytes: usize) -> Result<(), Fault> {
        match record {
            Record::Forget => *self = Self::default(),
            Record::File(file) => {
                self.weigh(&*file, bytes)?;
                room(self.files.add(file.into_owned()))?;
            }
            Record::Users(users) => {
                self.weigh(&*users, bytes)?;
                room(self.users.add(users.into_owned()))?;
            }
            Record::Mounts(mounts) => {
                self.weigh(&*mounts, bytes)?;
                room(self.mounts.add(mounts.into_owned()))?;
            }
            Record::Inspected(inspected) => {
                self.weigh(&*inspected, bytes)?;
                room(self.inspected.add(inspected.into_owned()))?;
            }
            Record::DomainNames(names) => {
                self.weigh(&*names, bytes)?;
                room(self.domain_names.add(names.into_owned()))?;
            }
            Record::Node(node) => {
                self.weigh(&*node, bytes)?;
                room(self.nodes.add(node.into_owned()))?;
            }
            Record::Process(record) => {
                let process = self.process(*record)?;
                self.weigh(&process, bytes)?;
                room(self.processes.add(process))?;
            }
            Record::Container(record) => {
                let container = self.container(*record)?;
                self.weigh(&container, bytes)?;
                room(self.containers.add(container))?;
            }
            Record::Origin(_) | Record::Event(_) | Record::Trailer(_) => {
                return Err(Fault::Misplaced);
            }
        }
        Ok(())
    }

    fn weigh<T: Weigh>(&mut self, snapshot: &T, bytes: usize) -> Result<(), Fault> {
        self.weight = self.weight.saturating_add(snapshot.weight(bytes));
        room(self.weight <= MAX_WEIGHT)
    }

    fn process(&self, record: ProcessRecord<'_>) -> Result<Process, Fault> {
        Ok(Process {
            exe_file: record
                .exe_file
                .map(|number| found(&self.files, number, "file"))
                .transpose()?,
            ..record.process.into_owned()
        })
    }

    fn container(&self, record: ContainerRecord<'_>) -> Result<Container, Fault> {
        Ok(Container {
            mounts: record
                .mounts
                .map(|number| found(&self.mounts, number, "table of mounts"))
                .transpose()?,
            users: found(&self.users, record.users, "table of users")?,
            metadata: match record.metadata {
                MetadataRecord::Pending => Metadata::Pending,
                MetadataRecord::Unavailable => Metadata::Unavailable,
                MetadataRecord::Known(number) => {
                    Metadata::Known(found(&self.inspected, number, "container's metadata")?)
                }
            },
            ..record.container.into_owned()
        })
    }

    fn event(&self, record: EventRecord<'_>) -> Result<Recorded, Fault> {
        let process = |number| found(&self.processes, number, "process");
        if record.ancestors.len() > MAX_ANCESTORS {
            return Err(Fault::Room);
        }
        let captured = record.captured.into_owned();
        // A rule asks the event's parameters by its type: the two must tell the same.
        if Event::type_of(&captured.what) != Some(record.event_type) {
            return Err(Fault::Misplaced);
        }
        let mut event = Event {
            number: record.number,
            time_ns: record.time_ns,
            event_type: record.event_type,
            captured,
            process: process(record.process)?,
            ancestors: record
                .ancestors
                .into_iter()
                .map(process)
                .collect::<Result<Arc<[_]>, _>>()?,
            session_leader: record.session_leader.map(process).transpose()?,
            group_leader: record.group_leader.map(process).transpose()?,
            container: record
                .container
                .map(|number| found(&self.containers, number, "container"))
                .transpose()?,
            mounts: found(&self.mounts, record.mounts, "table of mounts")?,
            users: found(&self.users, record.users, "table of users")?,
            secret: record.secret.map(|secret| Box::new(secret.into_owned())),
            node: found(&self.nodes, record.node, "machine")?,
            domain_names: found(&self.domain_names, record.domain_names, "table of names")?,
            paths: PathSpellings::default(),
        };
        event.prepare();
        Ok(Recorded {
            event,
            judged_ns: record.judged_ns,
        })
    }
}

fn room(has_room: bool) -> Result<(), Fault> {
    if has_room { Ok(()) } else { Err(Fault::Room) }
}

fn found<T>(known: &Known<T>, number: u32, what: &'static str) -> Result<Arc<T>, Fault> {
    known
        .get(number)
        .map(Arc::clone)
        .ok_or(Fault::Dangling(what))
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn why_a_record_cannot_be_decoded_is_said_in_words() {
        for (bytes, said) in [
            (&[0x82, 0x01][..], "a record ends too early"),
            (&[0x1c][..], "is no CBOR"),
            (&[0x61, 0x61][..], "expected"),
        ] {
            let error = ciborium::from_reader::<Vec<u64>, _>(bytes).unwrap_err();
            let words = in_words(error);
            assert!(words.contains(said), "{words}");
        }
    }
}
