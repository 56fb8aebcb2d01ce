//! Watching an engine that serves the Kubernetes CRI: containerd and CRI-O.
//!
//! A container is asked for when its cgroup appears, or when the engine announces it; what runs already is inspected at
//! every (re)connect, and what was missed in between with every ping. A pod's sandbox is a container to us: it has a
//! cgroup, a first process and an id of the same kind.

mod answers;
mod api;
mod client;
mod events;
mod info;
mod messages;
mod promises;

use vigia_event::container::Engine;

use self::api::Api;
use self::client::Client;
use self::events::Announcements;
use self::messages::VersionRequest;
use super::error::EngineError;
use super::limits;
use super::session::Opened;
use super::watching::Options;

/// Connects.
///
/// # Errors
/// The engine does not answer, does not serve the CRI, or not as promised.
pub(super) async fn open(options: &Options) -> Result<Opened<Api, Announcements>, EngineError> {
    let client = Client::connect(options).await?;
    let version = client.call(VersionRequest::default()).await?;
    // Announcements first, then the list: what starts in between is in one or both, never in neither.
    let events = Announcements::new(client.clone(), options.ping_every);
    let engine = engine_of(&version.runtime_name, options.engine);
    let api = Api::new(client, engine);
    let running = api.running().await?;
    Ok(Opened {
        engine,
        version: limits::text(version.runtime_version).to_string(),
        api,
        events,
        running,
    })
}

/// The engine that answers at a socket, which need not be the one its path tells.
fn engine_of(name: &str, expected: Engine) -> Engine {
    match name {
        "containerd" => Engine::Containerd,
        "cri-o" => Engine::CriO,
        // By way of cri-dockerd.
        "docker" => Engine::Docker,
        _ => expected,
    }
}

#[cfg(test)]
mod tests;
