//! Calls of the Kubernetes CRI over a Unix socket, with every answer bounded in bytes and in time.

use std::io;
use std::time::Duration;

use hyper::http::uri::PathAndQuery;
use tokio::net::UnixStream;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use super::messages::Call;
use crate::engines::error::{EngineError, explanation, within};
use crate::engines::source::Reach;
use crate::engines::watching::Options;

/// Bytes of an answer: what an engine lists of all its containers, which gRPC on its side bounds by as much.
const MAX_ANSWER: usize = 16 << 20;
/// Bytes of the head and of the end of an answer.
const MAX_HEAD: u32 = 64 << 10;

/// Asks one engine.
#[derive(Clone, Debug)]
pub(super) struct Client {
    channel: Channel,
    timeout: Duration,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// There is no socket, or nobody listens.
    pub(super) async fn connect(options: &Options) -> Result<Self, EngineError> {
        let failed = |source| EngineError::Connect {
            socket: options.socket.clone(),
            source,
        };
        if let Reach::User(_) = options.reach {
            // The transport connects again by itself, and would follow where the user leads.
            let why = "engines of users are asked through Docker's API only";
            return Err(failed(io::Error::new(io::ErrorKind::Unsupported, why)));
        }
        // The transport does not tell an absent socket from one that refuses.
        drop(UnixStream::connect(&options.socket).await.map_err(failed)?);
        let other = |error| failed(io::Error::other(error));
        let endpoint = Endpoint::from_shared(format!("unix:{}", options.socket.display()))
            .map_err(other)?
            .connect_timeout(options.timeout)
            .http2_max_header_list_size(MAX_HEAD);
        Ok(Self {
            channel: endpoint.connect().await.map_err(other)?,
            timeout: options.timeout,
        })
    }

    /// Asks for one answer.
    ///
    /// # Errors
    /// The engine refuses, is not understood, or takes too long.
    pub(super) async fn call<C: Call>(&self, request: C) -> Result<C::Answer, EngineError> {
        within(C::METHOD, self.timeout, async {
            let mut grpc = self.ready::<C>().await?;
            let codec = ProstCodec::<C, C::Answer>::default();
            let path = PathAndQuery::from_static(C::METHOD);
            let answer = grpc.unary(Request::new(request), path, codec).await;
            Ok(answer.map_err(refused::<C>)?.into_inner())
        })
        .await
    }

    /// Asks for a stream of answers. An engine may say nothing at all before the first, so there is no limit to the wait.
    ///
    /// # Errors
    /// The engine refuses.
    pub(super) async fn stream<C: Call>(
        &self,
        request: C,
    ) -> Result<Streaming<C::Answer>, EngineError> {
        let mut grpc = self.ready::<C>().await?;
        let codec = ProstCodec::<C, C::Answer>::default();
        let path = PathAndQuery::from_static(C::METHOD);
        let answer = grpc
            .server_streaming(Request::new(request), path, codec)
            .await;
        Ok(answer.map_err(refused::<C>)?.into_inner())
    }

    async fn ready<C: Call>(&self) -> Result<Grpc<Channel>, EngineError> {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(MAX_ANSWER);
        let lost = |error| refused::<C>(Status::from_error(Box::new(error)));
        grpc.ready().await.map_err(lost)?;
        Ok(grpc)
    }
}

fn refused<C: Call>(status: Status) -> EngineError {
    EngineError::Call {
        method: C::METHOD,
        code: status.code(),
        message: explanation(status.message()),
    }
}
