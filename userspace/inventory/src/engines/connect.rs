//! Connecting to an engine's socket: to a user's engine without following where the user would lead.

use std::os::fd::AsRawFd;
use std::path::Path;

use tokio::net::UnixStream;

use super::error::EngineError;
use super::places;
use super::source::Reach;

/// Connects to the engine at a socket; in the folder of a user, only if that user listens.
///
/// # Errors
/// Nothing listens, or somebody else.
pub(super) async fn connect(socket: &Path, reach: Reach) -> Result<UnixStream, EngineError> {
    let refused = |source| EngineError::Connect {
        socket: socket.to_owned(),
        source,
    };
    let Reach::User(user) = reach else {
        return UnixStream::connect(socket).await.map_err(refused);
    };
    let found = places::open_users(socket, user).map_err(|errno| refused(errno.into()))?;
    let stream = UnixStream::connect(format!("/proc/self/fd/{}", found.as_raw_fd()))
        .await
        .map_err(refused)?;
    let listener = stream.peer_cred().map_err(refused)?.uid();
    if listener == user {
        Ok(stream)
    } else {
        Err(EngineError::Stranger {
            socket: socket.to_owned(),
            listener,
        })
    }
}
