//! Watching an engine that speaks Docker's API: Docker itself, and Podman's compatible one.
//!
//! A container is inspected when the engine announces that it was *created*, which is before it starts: so its
//! metadata is mostly here before its first event. What runs already is inspected at every (re)connect.

mod answers;
mod api;
mod list;
mod promises;
mod swarm;

use vigia_event::container::Engine;

use self::answers::{Announced, Version};
use self::api::Api;
use super::error::EngineError;
use super::http::{Client, Lines};
use super::limits;
use super::session::{Events, Heard, Opened};
use super::watching::Options;

/// Bytes of an answer about one thing: a container with all its labels, a configuration with its content. What is made to
/// cost memory takes twenty times that for the moment in which it is read.
const MAX_ANSWER: usize = 4 << 20;
/// The newest version of the API whose answers are known to be read rightly.
const NEWEST: (u16, u16) = (1, 51);

/// Events asked for. Only Docker can be told the names: Podman refuses lists with names that it does not know.
const DOCKER_EVENTS: &str =
    r#"{"type":["container"],"event":["create","start","destroy","rename","update"]}"#;
const PODMAN_EVENTS: &str = r#"{"type":["container"]}"#;

/// Connects.
///
/// # Errors
/// The engine does not answer, or not as promised.
pub(super) async fn open(options: &Options) -> Result<Opened<Api, Lines>, EngineError> {
    let mut client = Client::new(options);
    let (engine, version) = agree(&mut client).await?;
    let filters = match engine {
        Engine::Docker => DOCKER_EVENTS,
        _ => PODMAN_EVENTS,
    };
    let events = client
        .lines(&format!("/events?filters={}", quote(filters)))
        .await?;
    let running = list::running(&client).await?;
    Ok(Opened {
        engine,
        version,
        api: Api::new(client, engine, options.reach),
        events,
        running,
    })
}

impl Events for Lines {
    async fn next(&mut self) -> Result<Heard, EngineError> {
        let line = self.line().await?;
        Ok(line.map_or(Heard::Missed, |line| announced(&line)))
    }
}

/// What an event means.
fn announced(line: &[u8]) -> Heard {
    let Ok(announced) = serde_json::from_slice::<Announced>(line) else {
        return Heard::Nothing;
    };
    if announced.subject != "container" {
        return Heard::Nothing;
    }
    let id = announced.actor.id;
    match announced.action.as_str() {
        // Ports of the engine's choice and security profiles are there once it runs.
        "create" | "start" | "rename" | "update" => Heard::Inspect(id),
        "destroy" | "remove" => Heard::Gone(id),
        _ => Heard::Nothing,
    }
}

/// Agrees on a version of the API, and returns which engine answers and its own version.
async fn agree(client: &mut Client) -> Result<(Engine, String), EngineError> {
    let answer: Version = client.get("/version", MAX_ANSWER).await?;
    let version = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse::<u16>().ok()?, minor.parse::<u16>().ok()?))
    };
    let offered = version(&answer.api_version);
    let least = version(&answer.min_api_version).unwrap_or_default();
    let Some(offered) = offered else {
        return Err(EngineError::Answer {
            path: "/version".to_owned(),
            message: "no version of the API".to_owned(),
        });
    };
    // What is older than known is read as far as it is the same; what is newer is asked in the oldest way it still knows.
    let (major, minor) = offered.min(NEWEST.max(least));
    client.set_prefix(format!("/v{major}.{minor}"));
    let engine = answer.engine();
    Ok((engine, limits::text(answer.version).to_string()))
}

/// Percent-encodes everything but letters and digits.
fn quote(text: &str) -> String {
    let mut quoted = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            quoted.push(char::from(byte));
        } else {
            quoted.push_str(&format!("%{byte:02X}"));
        }
    }
    quoted
}

#[cfg(test)]
mod tests;
