//! Writes what is judged into a recording, in a thread of its own: packing an event takes longer than judging it, and
//! must not hold up the ring. Between the two is a bounded queue, and what finds it full is counted.

mod redact;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use vigia_alerts::Redactor;
use vigia_engine::EventTypes;
use vigia_event::Event;
use vigia_recording::{
    Ending, Losses, Origin, Outcome, PartialFile, Trailer, Writer, WriterOptions,
};

use crate::config::Config;
use crate::settings;
use redact::Redacting;

/// Events that may wait to be written.
const QUEUE: usize = 4096;

/// What is recorded, and for how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file to be made.
    pub path: PathBuf,
    /// Its bounds.
    pub bounds: WriterOptions,
    /// When the agent ends; `None` for when it is told to.
    pub duration: Option<Duration>,
    /// Record only: no rule is asked, and the agent ends with the recording.
    pub instead_of_rules: bool,
    /// Every event the probes can deliver, not only those that rules can match.
    pub everything: bool,
}

/// A recording that is about to begin: its file is there.
#[derive(Debug)]
pub struct Recording {
    /// What is wanted.
    pub options: Options,
    file: PartialFile,
}

impl Recording {
    /// Makes the file.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(options: Options) -> anyhow::Result<Self> {
        let file = vigia_recording::create(&options.path)?;
        Ok(Self { options, file })
    }

    /// Begins to record events of these types.
    pub(crate) fn start(
        self,
        config: &Config,
        wanted: &EventTypes,
        environment: bool,
        now_ns: u64,
    ) -> anyhow::Result<Recorder> {
        let origin = Origin {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
            started_ns: now_ns,
            event_types: wanted
                .iter()
                .map(|event_type| event_type.name().to_owned())
                .collect(),
            environment,
            redacted: config.redaction.enabled,
        };
        let redactor = settings::alert_context(config)?.redactor;
        Recorder::start(self.file, &self.options, &origin, redactor)
    }
}

/// A recording that goes on.
#[derive(Debug)]
pub(crate) struct Recorder {
    sender: SyncSender<Message>,
    thread: JoinHandle<anyhow::Result<Trailer>>,
    overflow: u64,
    is_over: bool,
    instead_of_rules: bool,
}

enum Message {
    Event { event: Box<Event>, judged_ns: u64 },
    Flush,
    Finish(End),
}

/// How the recording is to end.
struct End {
    ending: Ending,
    lost: Losses,
    ended_ns: u64,
}

impl Recorder {
    /// Starts to record into a file.
    fn start(
        file: PartialFile,
        options: &Options,
        origin: &Origin,
        redactor: Redactor,
    ) -> anyhow::Result<Self> {
        let writer = Writer::new(file, origin, Redacting::new(redactor), options.bounds)
            .context("cannot begin the recording")?;
        let (sender, receiver) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("vigia-recorder".to_owned())
            .spawn(move || write(writer, &receiver))
            .context("cannot start a thread")?;
        Ok(Self {
            sender,
            thread,
            overflow: 0,
            is_over: false,
            instead_of_rules: options.instead_of_rules,
        })
    }

    /// Whether events are recorded and not judged.
    pub(crate) fn is_instead_of_rules(&self) -> bool {
        self.instead_of_rules
    }

    /// Offers an event that is judged at `judged_ns` (`CLOCK_BOOTTIME`).
    pub(crate) fn offer(&mut self, event: &Event, judged_ns: u64) {
        if self.is_over {
            return;
        }
        let message = Message::Event {
            event: Box::new(event.clone()),
            judged_ns,
        };
        match self.sender.try_send(message) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.overflow += 1,
            Err(TrySendError::Disconnected(_)) => self.is_over = true,
        }
    }

    /// Sees to it that what was recorded so far survives a crash.
    pub(crate) fn flush(&mut self) {
        // A full queue means that much is being written anyway.
        if let Err(TrySendError::Disconnected(_)) = self.sender.try_send(Message::Flush) {
            self.is_over = true;
        }
    }

    /// Whether nothing more will be written: a bound was reached, or the file takes no more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over || self.thread.is_finished()
    }

    /// Ends the recording and waits until it has its name. `unseen` events were lost before anybody could offer them.
    pub(crate) fn finish(
        self,
        ending: Ending,
        unseen: u64,
        ended_ns: u64,
    ) -> anyhow::Result<Trailer> {
        let lost = Losses {
            overflow: self.overflow,
            unseen,
            ..Losses::default()
        };
        // A thread that has ended already says by itself how.
        let _ = self.sender.send(Message::Finish(End {
            ending,
            lost,
            ended_ns,
        }));
        drop(self.sender);
        match self.thread.join() {
            Ok(result) => result,
            Err(_) => anyhow::bail!("the thread that writes the recording ended by a mistake"),
        }
    }
}

/// The thread.
fn write(
    mut writer: Writer<PartialFile, Redacting>,
    messages: &Receiver<Message>,
) -> anyhow::Result<Trailer> {
    let mut end = End {
        ending: Ending::Stopped,
        lost: Losses::default(),
        ended_ns: 0,
    };
    for message in messages {
        match message {
            Message::Event { event, judged_ns } => {
                end.ended_ns = judged_ns;
                if let Outcome::Full(_) = writer.write(&event, judged_ns)? {
                    break;
                }
            }
            Message::Flush => writer.flush()?,
            Message::Finish(told) => {
                end = told;
                break;
            }
        }
    }
    let (file, trailer) = writer.finish(end.ending, end.lost, end.ended_ns)?;
    file.keep().context("cannot keep the recording")?;
    Ok(trailer)
}
