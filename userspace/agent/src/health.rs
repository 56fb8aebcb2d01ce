//! The endpoint operators and orchestrators ask: `/metrics`, `/healthz`, `/readyz`.
//!
//! Healthy means that the pipeline turned over lately; ready means that it sees everything: probes
//! attached, rules loaded, running processes read. Clients are not trusted: connections are few, short,
//! and serve one request each.

mod listener;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Metrics;
use listener::Bounded;

/// What the pipeline reports of itself; shared between it and the endpoint.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    /// Milliseconds from `started` to the last beat; 0 before the first.
    beat_ms: AtomicU64,
    reached: AtomicU8,
    patience: Duration,
}

/// What must have happened for the agent to be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Milestone {
    /// The rules are compiled.
    RulesLoaded = 1,
    /// The probes see events.
    ProbesAttached = 2,
    /// Processes and containers that ran before the agent are known.
    ScanDone = 4,
}

impl Milestone {
    const ALL: [Self; 3] = [Self::RulesLoaded, Self::ProbesAttached, Self::ScanDone];

    fn missing(self) -> &'static str {
        match self {
            Self::RulesLoaded => "rules are not loaded",
            Self::ProbesAttached => "probes are not attached",
            Self::ScanDone => "running processes are not read",
        }
    }
}

impl Health {
    /// `patience` is how old the last beat of a healthy pipeline may be.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self {
            started: Instant::now(),
            beat_ms: AtomicU64::new(0),
            reached: AtomicU8::new(0),
            patience,
        }
    }

    /// The pipeline turned over: to be called at least every second, events or not.
    pub fn beat(&self) {
        let age = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.beat_ms.store(age.max(1), Ordering::Relaxed);
    }

    /// Something the agent needs to be ready has happened.
    pub fn reach(&self, milestone: Milestone) {
        self.reached.fetch_or(milestone as u8, Ordering::Relaxed);
    }

    /// What is missing for the agent to be ready; empty if it is.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let reached = self.reached.load(Ordering::Relaxed);
        Milestone::ALL
            .into_iter()
            .filter(|one| reached & *one as u8 == 0)
            .map(Milestone::missing)
            .collect()
    }

    /// How long ago the pipeline turned over; since the start where it never did.
    #[must_use]
    pub fn silence(&self) -> Duration {
        let beat = Duration::from_millis(self.beat_ms.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(beat)
    }

    /// Why the agent is not healthy; `None` if it is.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let silence = self.silence();
        (silence > self.patience).then(|| {
            format!(
                "the pipeline has not turned over for {} s",
                silence.as_secs()
            )
        })
    }
}

/// The endpoint cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics and health on {address}")]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// Why not.
    pub source: std::io::Error,
}

/// The endpoint, bound but not yet serving.
#[derive(Debug)]
pub struct Endpoint {
    listener: Bounded,
    address: SocketAddr,
}

#[derive(Clone)]
struct Shared {
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

impl Endpoint {
    /// Binds the address, so that a mistake shows before anything else starts.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let fail = |source| ListenError { address, source };
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let bound = listener.local_addr().map_err(fail)?;
        Ok(Self {
            listener: Bounded::new(listener),
            address: bound,
        })
    }

    /// Where it listens: the configured address, with the port the system chose for port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` completes.
    ///
    /// # Errors
    /// The listener broke.
    pub async fn serve(
        self,
        metrics: Arc<Metrics>,
        health: Arc<Health>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let routes = Router::new()
            .route("/metrics", get(metrics_page))
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .with_state(Shared { metrics, health })
            .layer(map_response(close));
        // Connections end by their own deadline, so that stopping waits for none of them.
        tokio::select! {
            result = axum::serve(self.listener, routes) => result,
            () = stop => Ok(()),
        }
    }
}

async fn metrics_page(State(shared): State<Shared>) -> Response {
    let content_type = (
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    );
    ([content_type], shared.metrics.encode()).into_response()
}

async fn healthz(State(shared): State<Shared>) -> Response {
    verdict(shared.health.complaint())
}

async fn readyz(State(shared): State<Shared>) -> Response {
    let missing = shared.health.missing();
    verdict(if missing.is_empty() {
        shared.health.complaint()
    } else {
        Some(missing.join("; "))
    })
}

/// One request a connection: an idle client must not hold one of the few places.
async fn close(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn verdict(complaint: Option<String>) -> Response {
    let (status, text) = match complaint {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(complaint) => (StatusCode::SERVICE_UNAVAILABLE, complaint + "\n"),
    };
    (status, text).into_response()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn start(health: Arc<Health>) -> SocketAddr {
        let endpoint = Endpoint::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = endpoint.address();
        tokio::spawn(endpoint.serve(Arc::new(Metrics::new()), health, std::future::pending()));
        address
    }

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // Ends because the server closes: every answer is the connection's last.
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn ready_only_when_everything_happened_and_healthy_while_it_beats() {
        let health = Arc::new(Health::new(Duration::from_secs(60)));
        let address = start(health.clone()).await;
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let answer = get(address, "/readyz").await;
        assert!(
            answer.starts_with("HTTP/1.1 503") && answer.contains("probes are not attached"),
            "{answer}"
        );
        for milestone in Milestone::ALL {
            health.reach(milestone);
        }
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/metrics").await.contains("vigia_build_info"));
        assert!(get(address, "/").await.starts_with("HTTP/1.1 404"));
    }

    #[tokio::test]
    async fn a_pipeline_that_stands_still_is_not_healthy() {
        let health = Arc::new(Health::new(Duration::ZERO));
        let address = start(health.clone()).await;
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 503"));
    }
}
