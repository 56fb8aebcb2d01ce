//! A small engine that answers as told: well, late, wrongly, without end, or not at all.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::stream::{self, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};
use tonic::Code;

use crate::engines::cri::messages::ContainerStatusRequest;

/// How the engine answers a call.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Message(Vec<u8>),
    Refuse(Code, String),
    /// Says nothing.
    Hang,
    /// Sends bytes that are no message.
    Garbage,
    /// Announces a message of this many bytes, and sends as many.
    Endless(u32),
    /// Sends messages, then says nothing more.
    Stream(Vec<Vec<u8>>),
    /// Sends messages and ends.
    Ends(Vec<Vec<u8>>),
}

pub(super) fn ok(message: &impl Message) -> Answer {
    Answer::Message(message.encode_to_vec())
}

/// There is no such thing.
pub(super) fn unknown() -> Answer {
    Answer::Refuse(Code::NotFound, "no such thing".to_owned())
}

type Script = Arc<Mutex<Box<dyn FnMut(&str, &str) -> Answer + Send>>>;
type Body = UnsyncBoxBody<Bytes, Infallible>;

pub(super) struct Fake {
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    /// Listens at a socket; the script sees the method's name and the id that is asked for.
    pub(super) fn start(
        socket: &Path,
        script: impl FnMut(&str, &str) -> Answer + Send + 'static,
    ) -> Self {
        let script: Script = Arc::new(Mutex::new(Box::new(script)));
        Self::listen(socket, move |stream| serve(stream, Arc::clone(&script)))
    }

    /// Listens at a socket and leaves each connection to `serve`.
    pub(super) fn listen<F: Future<Output = ()> + Send + 'static>(
        socket: &Path,
        serve: impl Fn(UnixStream) -> F + Send + 'static,
    ) -> Self {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).expect("a socket");
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream));
            }
        });
        Self { task }
    }
}

async fn serve(stream: UnixStream, script: Script) {
    let service = service_fn(move |request: Request<Incoming>| {
        let script = Arc::clone(&script);
        async move {
            let path = request.uri().path().to_owned();
            let method = path.rsplit('/').next().unwrap_or_default();
            let body = request.into_body().collect().await.expect("a request");
            let body = body.to_bytes();
            // The id is the first member of every request that has one.
            let asked = ContainerStatusRequest::decode(body.get(5..).unwrap_or_default());
            let id = asked.map(|asked| asked.container_id).unwrap_or_default();
            let answer = (script.lock().expect("the script"))(method, &id);
            if matches!(answer, Answer::Hang) {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(respond(answer))
        }
    });
    let served = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    drop(served);
}

fn respond(answer: Answer) -> Response<Body> {
    let mut response = Response::builder().header("content-type", "application/grpc");
    let frames: Vec<Bytes> = match answer {
        Answer::Refuse(code, message) => {
            response = response
                .header("grpc-status", (code as i32).to_string())
                .header("grpc-message", message);
            return response.body(body(Vec::new())).expect("an answer");
        }
        Answer::Hang => Vec::new(),
        Answer::Message(message) => vec![framed(&message)],
        Answer::Garbage => vec![Bytes::from_static(b"\0\0\0\0\x05\xff\xff\xff\xff\xff")],
        Answer::Endless(bytes) => {
            let head = [&[0][..], &bytes.to_be_bytes()].concat();
            let piece = Bytes::from(vec![b'x'; 1 << 16]);
            let pieces = std::iter::repeat_n(piece, (bytes >> 16) as usize);
            std::iter::once(head.into()).chain(pieces).collect()
        }
        Answer::Stream(messages) => {
            let frames: Vec<_> = messages.iter().map(|message| framed(message)).collect();
            let frames = stream::iter(data(frames)).chain(stream::pending());
            let body = StreamBody::new(frames).boxed_unsync();
            return response.body(body).expect("an answer");
        }
        Answer::Ends(messages) => messages.iter().map(|message| framed(message)).collect(),
    };
    let mut frames = data(frames);
    let trailers = HeaderMap::from_iter([(
        "grpc-status".parse().expect("a name"),
        "0".parse().expect("a value"),
    )]);
    frames.push(Ok(Frame::trailers(trailers)));
    response.body(body(frames)).expect("an answer")
}

fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("a short message");
    [&[0][..], &length.to_be_bytes(), message].concat().into()
}

fn data(frames: Vec<Bytes>) -> Vec<Result<Frame<Bytes>, Infallible>> {
    frames
        .into_iter()
        .map(|bytes| Ok(Frame::data(bytes)))
        .collect()
}

fn body(frames: Vec<Result<Frame<Bytes>, Infallible>>) -> Body {
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}
