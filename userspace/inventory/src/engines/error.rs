//! Why an engine did not answer, whichever way it was asked.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;
use tonic::Code;

/// Bytes of an error's explanation.
const MAX_MESSAGE: usize = 300;

/// Why an engine did not answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Its socket cannot be connected to.
    #[error("cannot connect to {}", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It lies in the folder of a user, and somebody else listens there.
    #[error("user {listener} listens at {}", socket.display())]
    Stranger {
        /// The socket.
        socket: PathBuf,
        /// Who listens.
        listener: u32,
    },
    /// What it sent is not HTTP, or it closed the connection.
    #[error("{path}: the engine's answer broke off")]
    Http {
        /// What was asked.
        path: String,
        /// Why.
        source: hyper::Error,
    },
    /// It took too long.
    #[error("{path}: no answer within {after:?}")]
    TimedOut {
        /// What was asked.
        path: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// It sent more than is read.
    #[error("{path}: the answer is longer than {max} bytes")]
    TooLong {
        /// What was asked.
        path: String,
        /// The limit.
        max: usize,
    },
    /// It refused.
    #[error("{path}: status {status}: {message}")]
    Status {
        /// What was asked.
        path: String,
        /// The HTTP status.
        status: u16,
        /// The engine's words, shortened.
        message: String,
    },
    /// It refused a call of its Kubernetes interface.
    #[error("{method}: {code:?}: {message}")]
    Call {
        /// What was called.
        method: &'static str,
        /// The status of gRPC.
        code: Code,
        /// The engine's words, shortened.
        message: String,
    },
    /// The answer is not what the API promises.
    #[error("{path}: the answer is not understood: {message}")]
    Answer {
        /// What was asked.
        path: String,
        /// What is wrong with it.
        message: String,
    },
    /// The stream of events ended.
    #[error("{path}: the stream ended")]
    Ended {
        /// What was asked.
        path: String,
    },
}

impl EngineError {
    /// Whether the engine says that there is no such thing.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::Status { status: 404, .. }
                | Self::Call {
                    code: Code::NotFound,
                    ..
                }
        )
    }

    /// Whether nobody will answer: nothing listens at the engine's socket, or somebody who never will. A connection may
    /// fail for other reasons: an engine that hangs has no room for more, and the agent may have too many files open.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Connect { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::ConnectionRefused
                    // The agent may not ask, or does not know how to.
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::Unsupported
            ),
            Self::Stranger { .. } => true,
            _ => self.is_unserved(),
        }
    }

    /// Whether there is no socket at all.
    #[must_use]
    pub fn is_not_installed(&self) -> bool {
        matches!(self, Self::Connect { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether it is an engine that does not speak this language: containerd where only Docker uses it.
    #[must_use]
    pub fn is_unserved(&self) -> bool {
        matches!(
            self,
            Self::Call {
                code: Code::Unimplemented,
                ..
            }
        )
    }

    /// Whether it is nothing to worry about that the engine does not answer: it is not installed, or serves others.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        self.is_not_installed() || self.is_unserved()
    }

    /// Whether the same question may well be answered a moment later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. }
                | Self::Http { .. }
                | Self::TimedOut { .. }
                | Self::Status { status: 500.., .. }
                | Self::Call {
                    code: Code::Unavailable | Code::Unknown | Code::Internal | Code::Aborted,
                    ..
                }
        )
    }
}

/// An engine's own words, fit for a log.
pub(super) fn explanation(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_MESSAGE)
        .collect()
}

/// Gives up what takes longer than it may; `path` names what was asked.
pub(super) async fn within<T>(
    path: &str,
    after: Duration,
    work: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    let timed_out = |_| EngineError::TimedOut {
        path: path.to_owned(),
        after,
    };
    timeout(after, work).await.map_err(timed_out)?
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn only_where_nobody_will_answer_is_an_engine_absent() {
        for (errno, is_absent) in [
            (Errno::NOENT, true),
            (Errno::CONNREFUSED, true),
            (Errno::ACCESS, true),
            (Errno::AGAIN, false),
            (Errno::MFILE, false),
            (Errno::NFILE, false),
            (Errno::INTR, false),
        ] {
            let error = EngineError::Connect {
                socket: PathBuf::from("/run/x.sock"),
                source: errno.into(),
            };
            assert_eq!(error.is_absent(), is_absent, "{errno:?}");
        }
    }
}
