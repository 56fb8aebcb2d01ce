//! The little of HTTP that asking an engine takes: GET over a Unix socket, with every answer bounded.
//!
//! Engines are not all trusted (a rootless one belongs to its user), and a sick one may hang or send without end.
//! So each request has its own connection, a deadline, and a limit of bytes, and nothing of an answer is logged:
//! it holds the environment of containers.

use std::path::PathBuf;
use std::time::Duration;

use bstr::ByteSlice;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use super::Options;
use super::connect::connect;
use super::error::{EngineError, explanation, within};
use super::source::Reach;

/// Bytes kept of one line of a stream.
const MAX_LINE: usize = 1 << 20;
/// Bytes of a longer line that are passed over before the stream is given up.
const MAX_PASSED_OVER: usize = 256 << 20;
/// Bytes of an answer of a user's engine: there may be many such engines, each may send as much as it can, and what is kept
/// of an answer may be a little more than was sent.
const MAX_OF_USER: usize = 256 << 10;
/// Bytes of the head of an answer.
const MAX_HEAD: usize = 64 << 10;

/// Asks one engine.
#[derive(Clone, Debug)]
pub(super) struct Client {
    socket: PathBuf,
    reach: Reach,
    timeout: Duration,
    /// What every path starts with: `/v1.41`, or nothing before a version is agreed on.
    prefix: String,
}

impl Client {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            socket: options.socket.clone(),
            reach: options.reach,
            timeout: options.timeout,
            prefix: String::new(),
        }
    }

    pub(super) fn set_prefix(&mut self, prefix: String) {
        self.prefix = prefix;
    }

    /// Asks for one JSON document of at most `max` bytes, fewer of a user's engine.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        max: usize,
    ) -> Result<T, EngineError> {
        let max = match self.reach {
            Reach::Everybody => max,
            Reach::User(_) => max.min(MAX_OF_USER),
        };
        let body = within(path, self.timeout, async {
            self.open(path).await?.collect(path, max).await
        })
        .await?;
        // One byte that is no text must not cost the whole answer.
        let text = String::from_utf8_lossy(&body);
        // The message of serde_json quotes nothing but what was expected and where.
        serde_json::from_str(&text).map_err(|error| EngineError::Answer {
            path: path.to_owned(),
            message: error.to_string(),
        })
    }

    /// Hands an answer of any length over piece by piece, until `take` wants no more; it is not kept.
    pub(super) async fn pieces(
        &self,
        path: &str,
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), EngineError> {
        within(path, self.timeout, async {
            let mut answer = self.open(path).await?;
            while let Some(piece) = answer.frame(path).await? {
                if !take(&piece) {
                    break;
                }
            }
            Ok(())
        })
        .await
    }

    /// Asks for a stream of lines.
    pub(super) async fn lines(&self, path: &str) -> Result<Lines, EngineError> {
        let answer = within(path, self.timeout, self.open(path)).await?;
        Ok(Lines {
            path: path.to_owned(),
            answer,
            buffer: Vec::new(),
            searched: 0,
            passed_over: 0,
        })
    }

    /// Sends the request and reads the head of the answer.
    async fn open(&self, path: &str) -> Result<Answer, EngineError> {
        let http = |source| EngineError::Http {
            path: path.to_owned(),
            source,
        };
        let stream = connect(&self.socket, self.reach).await?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MAX_HEAD);
        let (mut sender, connection) = builder
            .handshake(TokioIo::new(stream))
            .await
            .map_err(http)?;
        // Its error comes out where the answer is read, too.
        let connection = Connection(tokio::spawn(async move { drop(connection.await) }));
        let request = Request::get(format!("{}{path}", self.prefix))
            .header(header::HOST, "localhost")
            .body(Empty::<Bytes>::new())
            .map_err(|error| EngineError::Answer {
                path: path.to_owned(),
                message: error.to_string(),
            })?;
        let response = sender.send_request(request).await.map_err(http)?;
        let status = response.status();
        let answer = Answer {
            response,
            _connection: connection,
        };
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let body = answer.collect(path, MAX_LINE).await.unwrap_or_default();
        let message = explanation(&String::from_utf8_lossy(&body));
        Err(EngineError::Status {
            path: path.to_owned(),
            status: status.as_u16(),
            message,
        })
    }
}

/// Ends the connection's task with the answer.
#[derive(Debug)]
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
struct Answer {
    response: Response<Incoming>,
    _connection: Connection,
}

impl Answer {
    async fn frame(&mut self, path: &str) -> Result<Option<Bytes>, EngineError> {
        loop {
            let Some(frame) = self.response.body_mut().frame().await else {
                return Ok(None);
            };
            let frame = frame.map_err(|source| EngineError::Http {
                path: path.to_owned(),
                source,
            })?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }

    async fn collect(mut self, path: &str, max: usize) -> Result<Vec<u8>, EngineError> {
        let mut body = Vec::new();
        while let Some(data) = self.frame(path).await? {
            if body.len() + data.len() > max {
                return Err(EngineError::TooLong {
                    path: path.to_owned(),
                    max,
                });
            }
            body.extend_from_slice(&data);
        }
        Ok(body)
    }
}

/// A stream of lines.
#[derive(Debug)]
pub(super) struct Lines {
    path: String,
    answer: Answer,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are known to hold no line's end.
    searched: usize,
    /// Bytes of the present line that were dropped because it is too long; 0 while it is not.
    passed_over: usize,
}

impl Lines {
    /// The next line, without its end; `None` for one that was too long to be kept. May be dropped while it waits, and
    /// asked again.
    pub(super) async fn line(&mut self) -> Result<Option<Vec<u8>>, EngineError> {
        loop {
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(end) = unsearched.find_byte(b'\n') {
                let end = self.searched + end;
                let rest = self.buffer.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.truncate(end);
                self.searched = 0;
                let was_too_long = std::mem::take(&mut self.passed_over) > 0;
                return Ok((!was_too_long).then_some(line));
            }
            self.searched = self.buffer.len();
            if self.searched > MAX_LINE {
                self.pass_over()?;
            }
            match self.answer.frame(&self.path).await? {
                Some(data) => self.buffer.extend_from_slice(&data),
                None => {
                    return Err(EngineError::Ended {
                        path: self.path.clone(),
                    });
                }
            }
        }
    }

    /// Drops what is there of a line that is too long.
    fn pass_over(&mut self) -> Result<(), EngineError> {
        self.passed_over += self.buffer.len();
        self.buffer.clear();
        self.searched = 0;
        if self.passed_over > MAX_PASSED_OVER {
            return Err(EngineError::TooLong {
                path: self.path.clone(),
                max: MAX_PASSED_OVER,
            });
        }
        Ok(())
    }
}
