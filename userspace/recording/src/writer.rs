//! Writing: snapshots before the events that refer to them, within the bounds that were asked for.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;

use thiserror::Error;
use vigia_event::container::Inspected;
use vigia_event::mount::MountTable;
use vigia_event::names::DomainNames;
use vigia_event::users::Users;
use vigia_event::{Container, Event, File, Metadata, Node, Process};
use zstd::stream::write::Encoder;

use crate::format::{
    ContainerRecord, Ending, EventRecord, HEADER_BYTES, Losses, MAGIC, MAX_ANCESTORS,
    MAX_RECORD_BYTES, MetadataRecord, Origin, ProcessRecord, Record, Trailer, VERSION,
};
use crate::redact::Redact;
use crate::shared::{ENOUGH_SHARED, ENOUGH_WEIGHT, MAX_WEIGHT, Weigh, Written};

/// Fast, and two thirds of what the slowest level saves.
const LEVEL: i32 = 3;
/// Kept free in a file of limited size: the trailer, and the ends of blocks and frame.
const ROOM_FOR_END: u64 = 4096;
/// What the encoder may keep to itself when its output has just grown: one block, and a buffer of what is packed.
const KEPT_BYTES: u64 = (128 + 32) << 10;

/// Bounds of a recording.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Bytes the file may have; at least 64 KiB make sense.
    pub max_bytes: u64,
    /// Events it may have.
    pub max_events: u64,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_events: u64::MAX,
        }
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the recording.
    Written,
    /// What it refers to is longer than a recording takes; counted.
    TooLarge,
    /// The recording has reached a bound: nothing more will be written.
    Full(Ending),
}

/// Why a recording cannot be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The file takes no more.
    #[error("cannot write the recording")]
    Io(#[from] io::Error),
    /// A record has no encoded form: a mistake of this crate.
    #[error("a record of the recording could not be encoded: {0}")]
    Encode(String),
}

/// Writes one recording.
pub struct Writer<W: Write, R> {
    encoder: Encoder<'static, Counted<W>>,
    redact: R,
    options: WriterOptions,
    shared: Shared,
    /// The records of the event at hand: all of them are written, or none.
    batch: Vec<u8>,
    /// Bytes given to the encoder since its output last grew.
    pending_bytes: u64,
    seen_bytes: u64,
    events: u64,
    losses: Losses,
    full: Option<Ending>,
}

/// What the recording holds already and may refer to.
#[derive(Default)]
struct Shared {
    files: Written<File>,
    users: Written<Users>,
    mounts: Written<MountTable>,
    inspected: Written<Inspected>,
    nodes: Written<Node>,
    domain_names: Written<DomainNames>,
    processes: Written<Process>,
    containers: Written<Container>,
    weight: usize,
}

/// The event at hand cannot be written.
enum Refusal {
    TooLarge,
    Encode(String),
}

impl<W: Write, R: Redact> Writer<W, R> {
    /// Begins a recording.
    ///
    /// # Errors
    /// [`WriteError`]: `out` does not take the first bytes.
    pub fn new(
        mut out: W,
        origin: &Origin,
        redact: R,
        options: WriterOptions,
    ) -> Result<Self, WriteError> {
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(MAGIC);
        header[8..10].copy_from_slice(&VERSION.to_le_bytes());
        out.write_all(&header)?;
        let out = Counted {
            out,
            bytes: HEADER_BYTES as u64,
        };
        let mut encoder = Encoder::new(out, LEVEL)?;
        encoder.include_checksum(true)?;
        let mut writer = Self {
            encoder,
            redact,
            options,
            shared: Shared::default(),
            batch: Vec::new(),
            pending_bytes: 0,
            seen_bytes: HEADER_BYTES as u64,
            events: 0,
            losses: Losses::default(),
            full: None,
        };
        writer.write_alone(&Record::Origin(Cow::Borrowed(origin)))?;
        Ok(writer)
    }

    /// Writes an event that was judged at `judged_ns` (`CLOCK_BOOTTIME`).
    ///
    /// # Errors
    /// [`WriteError`]: the recording is of no use any more.
    pub fn write(&mut self, event: &Event, judged_ns: u64) -> Result<Outcome, WriteError> {
        if self.full.is_none() && self.events >= self.options.max_events {
            self.full = Some(Ending::MaxEvents);
        }
        if let Some(ending) = self.full {
            self.losses.after_end += 1;
            return Ok(Outcome::Full(ending));
        }
        self.batch.clear();
        if self.shared.is_enough() {
            self.forget()?;
        }
        match self.encode(event, judged_ns) {
            Ok(()) => {}
            Err(Refusal::TooLarge) => {
                // Numbers were given to snapshots that will not be written.
                self.batch.clear();
                self.forget()?;
                self.write_batch()?;
                self.losses.too_large += 1;
                return Ok(Outcome::TooLarge);
            }
            Err(Refusal::Encode(error)) => return Err(WriteError::Encode(error)),
        }
        if !self.has_room()? {
            self.full = Some(Ending::MaxBytes);
            self.losses.after_end += 1;
            return Ok(Outcome::Full(Ending::MaxBytes));
        }
        self.write_batch()?;
        self.events += 1;
        Ok(Outcome::Written)
    }

    /// Events written so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Hands everything written so far to the file: a reader finds it there whatever happens later.
    ///
    /// # Errors
    /// [`WriteError`]: the recording is of no use any more.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.encoder.flush()?;
        self.note_growth();
        self.pending_bytes = 0;
        Ok(())
    }

    /// Ends the recording, at `ended_ns` on the clock of the events; `lost` is what the caller could not offer.
    ///
    /// # Errors
    /// [`WriteError`]: the recording has no trailer, and a reader will say so.
    pub fn finish(
        mut self,
        ending: Ending,
        lost: Losses,
        ended_ns: u64,
    ) -> Result<(W, Trailer), WriteError> {
        let trailer = Trailer {
            events: self.events,
            lost: self.losses.and(lost),
            ending: self.full.unwrap_or(ending),
            ended_ns,
        };
        self.write_alone(&Record::Trailer(trailer))?;
        let mut out = self.encoder.finish()?.out;
        out.flush()?;
        Ok((out, trailer))
    }

    /// Whether the batch fits into the file, however badly it compresses.
    fn has_room(&mut self) -> Result<bool, WriteError> {
        for is_flushed in [false, true] {
            let unwritten = self.pending_bytes + self.batch.len() as u64;
            // Incompressible blocks grow by a few bytes each.
            let most = self.seen_bytes + unwritten + unwritten / 1024 + ROOM_FOR_END;
            if most <= self.options.max_bytes {
                return Ok(true);
            }
            if !is_flushed && self.pending_bytes > 0 {
                self.flush()?;
            }
        }
        Ok(false)
    }

    fn forget(&mut self) -> Result<(), WriteError> {
        self.shared = Shared::default();
        append(&mut self.batch, &Record::Forget)
            .map(|_| ())
            .map_err(|refusal| match refusal {
                Refusal::Encode(error) => WriteError::Encode(error),
                Refusal::TooLarge => WriteError::Encode("a record is too long".to_owned()),
            })
    }

    fn write_alone(&mut self, record: &Record<'_>) -> Result<(), WriteError> {
        self.batch.clear();
        match append(&mut self.batch, record) {
            Ok(_) => self.write_batch(),
            Err(Refusal::TooLarge) => Err(WriteError::Encode("a record is too long".to_owned())),
            Err(Refusal::Encode(error)) => Err(WriteError::Encode(error)),
        }
    }

    fn write_batch(&mut self) -> Result<(), WriteError> {
        self.encoder.write_all(&self.batch)?;
        self.pending_bytes += self.batch.len() as u64;
        self.note_growth();
        Ok(())
    }

    fn note_growth(&mut self) {
        let bytes = self.encoder.get_ref().bytes;
        if bytes > self.seen_bytes {
            self.seen_bytes = bytes;
            self.pending_bytes = self.pending_bytes.min(self.batch.len() as u64 + KEPT_BYTES);
        }
    }
}

// Snapshots are encoded bottom up: each stands before whatever refers to it.
impl<W: Write, R: Redact> Writer<W, R> {
    fn encode(&mut self, event: &Event, judged_ns: u64) -> Result<(), Refusal> {
        if event.ancestors.len() > MAX_ANCESTORS {
            return Err(Refusal::TooLarge);
        }
        let node = self.node(&event.node)?;
        let domain_names = self.domain_names(&event.domain_names)?;
        let users = self.users(&event.users)?;
        let mounts = self.mounts(&event.mounts)?;
        let process = self.process(&event.process)?;
        let ancestors = event
            .ancestors
            .iter()
            .map(|ancestor| self.process(ancestor))
            .collect::<Result<_, _>>()?;
        let session_leader = event
            .session_leader
            .as_ref()
            .map(|leader| self.process(leader))
            .transpose()?;
        let group_leader = event
            .group_leader
            .as_ref()
            .map(|leader| self.process(leader))
            .transpose()?;
        let container = event
            .container
            .as_ref()
            .map(|container| self.container(container))
            .transpose()?;
        let mut captured = event.captured.clone();
        self.redact.captured(&mut captured, event);
        let secret = event.secret.as_deref().cloned().map(|mut secret| {
            self.redact.secret(&mut secret, event);
            Cow::Owned(secret)
        });
        let record = EventRecord {
            number: event.number,
            time_ns: event.time_ns,
            judged_ns,
            event_type: event.event_type,
            captured: Cow::Owned(captured),
            process,
            ancestors,
            session_leader,
            group_leader,
            container,
            mounts,
            users,
            secret,
            node,
            domain_names,
        };
        append(&mut self.batch, &Record::Event(Box::new(record)))?;
        Ok(())
    }

    fn node(&mut self, node: &Arc<Node>) -> Result<u32, Refusal> {
        if let Some(number) = self.shared.nodes.number(node) {
            return Ok(number);
        }
        let bytes = append(&mut self.batch, &Record::Node(Cow::Borrowed(node)))?;
        self.shared.weigh(node.weight(bytes))?;
        self.shared.nodes.add(node).ok_or(Refusal::TooLarge)
    }

    fn domain_names(&mut self, names: &Arc<DomainNames>) -> Result<u32, Refusal> {
        if let Some(number) = self.shared.domain_names.number(names) {
            return Ok(number);
        }
        let bytes = append(&mut self.batch, &Record::DomainNames(Cow::Borrowed(names)))?;
        self.shared.weigh(names.weight(bytes))?;
        self.shared.domain_names.add(names).ok_or(Refusal::TooLarge)
    }

    fn users(&mut self, users: &Arc<Users>) -> Result<u32, Refusal> {
        if let Some(number) = self.shared.users.number(users) {
            return Ok(number);
        }
        let mut shown = Users::clone(users);
        self.redact.users(&mut shown);
        let bytes = append(&mut self.batch, &Record::Users(Cow::Borrowed(&shown)))?;
        self.shared.weigh(shown.weight(bytes))?;
        self.shared.users.add(users).ok_or(Refusal::TooLarge)
    }

    fn mounts(&mut self, mounts: &Arc<MountTable>) -> Result<u32, Refusal> {
        if let Some(number) = self.shared.mounts.number(mounts) {
            return Ok(number);
        }
        let mut shown = MountTable::clone(mounts);
        self.redact.mounts(&mut shown);
        let bytes = append(&mut self.batch, &Record::Mounts(Cow::Borrowed(&shown)))?;
        self.shared.weigh(shown.weight(bytes))?;
        self.shared.mounts.add(mounts).ok_or(Refusal::TooLarge)
    }

    fn file(&mut self, file: &Arc<File>) -> Result<u32, Refusal> {
        if let Some(number) = self.shared.files.number(file) {
            return Ok(number);
        }
        let mut shown = File::clone(file);
        self.redact.file(&mut shown);
        let bytes = append(&mut self.batch, &Record::File(Cow::Borrowed(&shown)))?;
        self.shared.weigh(shown.weight(bytes))?;
        self.shared.files.add(file).ok_or(Refusal::TooLarge)
    }

    fn process(&mut self, process: &Arc<Process>) -> Result<u32, Refusal> {
        if let Some(number) = self.shared.processes.number(process) {
            return Ok(number);
        }
        let exe_file = process
            .exe_file
            .as_ref()
            .map(|file| self.file(file))
            .transpose()?;
        let mut shown = Process::clone(process);
        self.redact.process(&mut shown);
        let record = ProcessRecord {
            process: Cow::Borrowed(&shown),
            exe_file,
        };
        let bytes = append(&mut self.batch, &Record::Process(Box::new(record)))?;
        self.shared.weigh(shown.weight(bytes))?;
        self.shared.processes.add(process).ok_or(Refusal::TooLarge)
    }

    fn inspected(&mut self, inspected: &Arc<Inspected>) -> Result<u32, Refusal> {
        if let Some(number) = self.shared.inspected.number(inspected) {
            return Ok(number);
        }
        let mut shown = Inspected::clone(inspected);
        self.redact.inspected(&mut shown);
        let bytes = append(&mut self.batch, &Record::Inspected(Cow::Borrowed(&shown)))?;
        self.shared.weigh(shown.weight(bytes))?;
        self.shared
            .inspected
            .add(inspected)
            .ok_or(Refusal::TooLarge)
    }

    fn container(&mut self, container: &Arc<Container>) -> Result<u32, Refusal> {
        if let Some(number) = self.shared.containers.number(container) {
            return Ok(number);
        }
        let record = ContainerRecord {
            container: Cow::Borrowed(container),
            mounts: container
                .mounts
                .as_ref()
                .map(|mounts| self.mounts(mounts))
                .transpose()?,
            users: self.users(&container.users)?,
            metadata: match &container.metadata {
                Metadata::Pending => MetadataRecord::Pending,
                Metadata::Unavailable => MetadataRecord::Unavailable,
                Metadata::Known(inspected) => MetadataRecord::Known(self.inspected(inspected)?),
            },
        };
        let bytes = append(&mut self.batch, &Record::Container(Box::new(record)))?;
        self.shared.weigh(container.weight(bytes))?;
        self.shared
            .containers
            .add(container)
            .ok_or(Refusal::TooLarge)
    }
}

impl Shared {
    fn is_enough(&self) -> bool {
        let longest = [
            self.files.len(),
            self.users.len(),
            self.mounts.len(),
            self.inspected.len(),
            self.nodes.len(),
            self.domain_names.len(),
            self.processes.len(),
            self.containers.len(),
        ]
        .into_iter()
        .max();
        self.weight >= ENOUGH_WEIGHT || longest.unwrap_or(0) >= ENOUGH_SHARED
    }

    fn weigh(&mut self, weight: usize) -> Result<(), Refusal> {
        self.weight = self.weight.saturating_add(weight);
        if self.weight > MAX_WEIGHT {
            return Err(Refusal::TooLarge);
        }
        Ok(())
    }
}

/// Appends a record with its length in front; the encoded bytes.
fn append(batch: &mut Vec<u8>, record: &Record<'_>) -> Result<usize, Refusal> {
    let start = batch.len();
    batch.extend_from_slice(&[0; 4]);
    ciborium::into_writer(record, &mut *batch)
        .map_err(|error| Refusal::Encode(error.to_string()))?;
    let bytes = batch.len() - start - 4;
    let length = u32::try_from(bytes).map_err(|_| Refusal::TooLarge)?;
    if bytes > MAX_RECORD_BYTES {
        return Err(Refusal::TooLarge);
    }
    batch[start..start + 4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Counts what passes.
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
