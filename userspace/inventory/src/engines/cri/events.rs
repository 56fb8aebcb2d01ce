//! What an engine announces: containers that are made and removed. Containerd does since 1.7, CRI-O since 1.26; with others
//! the lists, asked for now and then, must do.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::StreamExt;
use tokio::time::{Instant, sleep_until};
use tonic::Streaming;

use super::client::Client;
use super::messages::{ContainerEvent, GetEventsRequest, event};
use crate::engines::error::EngineError;
use crate::engines::session::{Events, Heard};

/// Announcements of one engine.
pub(in crate::engines) struct Announcements {
    client: Client,
    /// How long it is waited after they broke off.
    rest: Duration,
    state: State,
}

enum State {
    /// Nothing came yet, not even the head: some engines send that with the first announcement.
    Asking(BoxFuture<'static, Result<Streaming<ContainerEvent>, EngineError>>),
    Open(Box<Streaming<ContainerEvent>>),
    Resting(Instant),
    /// The engine does not announce anything.
    Never,
}

impl Announcements {
    pub(super) fn new(client: Client, rest: Duration) -> Self {
        let state = asking(&client);
        Self {
            client,
            rest,
            state,
        }
    }

    fn broke_off(&mut self) -> Heard {
        self.state = State::Resting(Instant::now() + self.rest);
        Heard::BrokeOff
    }
}

impl Events for Announcements {
    /// Never fails: whether the engine lives is asked of it where announcements break off.
    async fn next(&mut self) -> Result<Heard, EngineError> {
        loop {
            match &mut self.state {
                State::Asking(asking) => match asking.await {
                    Ok(stream) => self.state = State::Open(Box::new(stream)),
                    Err(error) if error.is_unserved() => self.state = State::Never,
                    Err(_) => return Ok(self.broke_off()),
                },
                State::Open(stream) => match stream.next().await {
                    Some(Ok(announced)) => return Ok(heard(announced)),
                    Some(Err(status)) if status.code() == tonic::Code::Unimplemented => {
                        self.state = State::Never;
                    }
                    Some(Err(_)) | None => return Ok(self.broke_off()),
                },
                State::Resting(until) => {
                    sleep_until(*until).await;
                    self.state = asking(&self.client);
                }
                State::Never => std::future::pending().await,
            }
        }
    }
}

fn asking(client: &Client) -> State {
    let client = client.clone();
    State::Asking(Box::pin(
        async move { client.stream(GetEventsRequest {}).await },
    ))
}

fn heard(announced: ContainerEvent) -> Heard {
    match announced.kind {
        event::CREATED | event::STARTED => Heard::Inspect(announced.container_id),
        event::DELETED => Heard::Gone(announced.container_id),
        _ => Heard::Nothing,
    }
}
