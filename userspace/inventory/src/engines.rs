//! What container engines say: an asynchronous side of the inventory that may be slow, lie, or be absent.
//!
//! Each engine is watched by a task of its own ([`watch`]) that sends [`EngineMessage`]s; nothing ever waits for it.

mod asking;
mod cache;
mod connect;
mod cri;
mod declared;
mod docker;
mod error;
mod http;
mod image;
mod latency;
mod lenient;
mod limits;
pub mod places;
mod session;
mod source;
#[cfg(test)]
mod watched;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use bstr::BString;
use vigia_event::container::{Engine, Inspected};

use crate::mountinfo::SwarmObject;

pub use error::EngineError;
pub use image::ImageName;
pub(crate) use image::in_short;
pub use latency::Latency;
pub use source::{EngineSender, Reach, Said, Source, SourceId};
pub use watching::{Options, watch};

/// Something an engine said, or that it says nothing any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineMessage {
    /// The engine answers; what runs is inspected next.
    Connected {
        /// Which one.
        engine: Engine,
        /// Its version.
        version: String,
    },
    /// The engine does not answer; it is tried again and again.
    Lost {
        /// Which one.
        engine: Engine,
        /// Why.
        reason: String,
        /// Whether nothing listens at its socket. Otherwise it is there and may still answer: what it would say is
        /// unknown, not missing.
        is_absent: bool,
        /// Whether that is nothing to worry about: it is not installed, or does not serve Kubernetes.
        is_harmless: bool,
    },
    /// What it knows of a container.
    Inspected {
        /// Which engine.
        engine: Engine,
        /// The container.
        id: String,
        /// Its metadata.
        inspected: Arc<Inspected>,
        /// How long the engine took: the wait for metadata follows it, see [`Latency`].
        took: Duration,
    },
    /// It does not know a container that it was asked for.
    NotFound {
        /// Which engine.
        engine: Engine,
        /// The container.
        id: String,
    },
    /// A container was removed, or stopped: it is among those that run no longer.
    Gone {
        /// Which engine.
        engine: Engine,
        /// The container.
        id: String,
    },
    /// Where it keeps its state.
    DataRoot {
        /// Which engine.
        engine: Engine,
        /// An absolute path on the host.
        path: BString,
    },
    /// What a secret or configuration of the Swarm is.
    Resolved {
        /// Its id.
        id: String,
        /// What it is.
        object: SwarmObject,
    },
}

/// Something to ask an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineRequest {
    /// What it knows of a container.
    Inspect(String),
    /// What a secret or configuration of its Swarm is. Only managers know; others say nothing.
    Resolve(String),
}
