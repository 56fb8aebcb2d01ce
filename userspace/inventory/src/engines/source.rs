//! Who said something: two engines of one kind are two sources, and not everybody's word counts for everything.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendError;
use tokio::time::sleep;

use super::EngineMessage;

/// After each message or answer of a user's engine the next one waits this long: whoever runs it may send without end, and
/// the pipeline hears engines before it reads events.
const USERS_PAUSE: Duration = Duration::from_millis(5);

/// Names one watched engine for as long as the agent runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// Whose containers an engine's word counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Everybody's: the administrator named its socket, or only root can have put it where it is.
    Everybody,
    /// The containers of one user: that user runs the engine, and can make it say anything.
    User(u32),
}

/// One watched engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub id: SourceId,
    /// Whose containers it may describe.
    pub reach: Reach,
}

/// A message, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Who said it.
    pub source: SourceId,
    /// What.
    pub message: EngineMessage,
}

/// Where the task that watches an engine tells what it says. The task cannot speak for another engine.
#[derive(Clone, Debug)]
pub struct EngineSender {
    source: Source,
    sender: mpsc::Sender<Said>,
}

impl EngineSender {
    /// For the messages of one engine.
    #[must_use]
    pub fn new(source: Source, sender: mpsc::Sender<Said>) -> Self {
        Self { source, sender }
    }

    /// Sends a message; waits while there is no room, and a little longer for a user's engine.
    ///
    /// # Errors
    /// Nobody listens any more.
    pub async fn send(&self, message: EngineMessage) -> Result<(), SendError<Said>> {
        let source = self.source.id;
        self.sender.send(Said { source, message }).await?;
        self.pause().await;
        Ok(())
    }

    /// Waits a little where the engine is a user's: for what it is made to say without a message.
    pub(super) async fn pause(&self) {
        if let Reach::User(_) = self.source.reach {
            sleep(USERS_PAUSE).await;
        }
    }

    /// Waits until nobody listens any more.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }
}
