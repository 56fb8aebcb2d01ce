//! An HTTP receiver: the JSON line of every alert, in order, again and again until it is taken or too old.
//!
//! One request is in flight at a time, which keeps the order. An attempt whose answer was lost is made again under
//! the same `X-Vigia-Alert-Id`, by which a receiver can tell. Address and headers may hold credentials and are
//! never logged.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, StatusCode, Url, redirect};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::counters::Counters;
use super::retry::Backoff;
use super::{OutputError, Queued};

/// Names the alert in a request.
const ALERT_ID: HeaderName = HeaderName::from_static("x-vigia-alert-id");
/// What is read of an answer, so that its connection can be used again.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// A CA file is not larger than this.
const MAX_CA_BYTES: u64 = 1 << 20;

/// Options of an HTTP receiver.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookOptions {
    /// Where to POST; `http` or `https`.
    pub url: String,
    /// Headers of every request, as in `Authorization: Bearer ...`.
    pub headers: Vec<(String, String)>,
    /// Certificates (PEM) to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How old an alert may become before it is given up.
    pub max_age: Duration,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            url: String::new(),
            headers: Vec::new(),
            ca_file: None,
            timeout: Duration::from_secs(10),
            max_age: Duration::from_secs(600),
        }
    }
}

impl std::fmt::Debug for WebhookOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("WebhookOptions")
            .field("host", &host(&self.url))
            .field("headers", &names)
            .field("ca_file", &self.ca_file)
            .field("timeout", &self.timeout)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}

/// A client for one receiver.
pub(super) struct Sink {
    name: String,
    client: Client,
    url: Url,
    max_age: Duration,
}

/// How an attempt ended.
enum Attempt {
    Taken,
    /// Worth another attempt, and why it failed.
    Failed(String),
    /// The receiver will never take it.
    Refused(StatusCode),
}

impl Sink {
    pub(super) fn new(name: &str, options: WebhookOptions) -> Result<Self, OutputError> {
        let wrong = |reason: String| OutputError::Webhook {
            output: name.to_owned(),
            reason,
        };
        let url = Url::parse(&options.url)
            .map_err(|error| wrong(format!("the URL is not valid: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(wrong(
                "the URL must begin with http:// or https:// and name a host".to_owned(),
            ));
        }
        let mut client = Client::builder()
            .user_agent(concat!("vigia/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers(&options.headers).map_err(wrong)?)
            .timeout(options.timeout)
            // A redirect would turn the POST into a GET and carry the alert to a host nobody configured.
            .redirect(redirect::Policy::none());
        if let Some(path) = &options.ca_file {
            for certificate in certificates(path).map_err(|reason| OutputError::CaFile {
                output: name.to_owned(),
                path: path.display().to_string(),
                reason,
            })? {
                client = client.add_root_certificate(certificate);
            }
        }
        let client = client
            .build()
            .map_err(|error| wrong(format!("cannot set up HTTP: {}", reason(error))))?;
        Ok(Self {
            name: name.to_owned(),
            client,
            url,
            max_age: options.max_age,
        })
    }

    /// Posts what comes until the queue is closed.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Queued>, counters: Arc<Counters>) {
        while let Some(queued) = queue.recv().await {
            self.deliver(&queued, &counters).await;
        }
    }

    async fn deliver(&self, queued: &Queued, counters: &Counters) {
        let mut backoff = Backoff::new();
        let mut is_first = true;
        loop {
            let failure = match self.attempt(queued).await {
                Attempt::Taken => return counters.delivered(),
                Attempt::Refused(status) => {
                    tracing::error!(output = %self.name, %status, id = %queued.alert.alert().id, "alert refused for good");
                    return counters.dead_lettered();
                }
                Attempt::Failed(failure) => failure,
            };
            let wait = backoff.next();
            if (Instant::now() + wait).duration_since(queued.since) >= self.max_age {
                tracing::error!(output = %self.name, failure, id = %queued.alert.alert().id, "alert given up: too old");
                return counters.dead_lettered();
            }
            if is_first {
                tracing::warn!(output = %self.name, failure, "receiver does not take alerts; trying again");
                is_first = false;
            }
            counters.retried();
            sleep(wait).await;
        }
    }

    async fn attempt(&self, queued: &Queued) -> Attempt {
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ALERT_ID, queued.alert.alert().id.as_str())
            .body(queued.alert.json().to_owned());
        let mut answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Attempt::Failed(reason(error)),
        };
        let status = answer.status();
        let mut read = 0;
        while let Ok(Some(chunk)) = answer.chunk().await {
            read += chunk.len();
            if read > MAX_ANSWER_BYTES {
                break;
            }
        }
        match status {
            _ if status.is_success() => Attempt::Taken,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Attempt::Failed(status.to_string())
            }
            _ if status.is_server_error() => Attempt::Failed(status.to_string()),
            _ => Attempt::Refused(status),
        }
    }
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("`{name}` is no header name"))?;
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| format!("the value of header `{name}` is not valid"))?;
        value.set_sensitive(true);
        headers.append(parsed, value);
    }
    Ok(headers)
}

fn certificates(path: &std::path::Path) -> Result<Vec<Certificate>, String> {
    let length = std::fs::metadata(path)
        .map_err(|error| error.to_string())?
        .len();
    if length > MAX_CA_BYTES {
        return Err(format!("{length} bytes are too many"));
    }
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(reason)?;
    if certificates.is_empty() {
        Err("no certificate in it".to_owned())
    } else {
        Ok(certificates)
    }
}

/// The chain of an error without the address.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Scheme, host and port of an address: what may be shown.
fn host(url: &str) -> String {
    Url::parse(url).map_or_else(
        |_| "not a URL".to_owned(),
        |url| {
            let port = url
                .port()
                .map(|port| format!(":{port}"))
                .unwrap_or_default();
            format!(
                "{}://{}{port}",
                url.scheme(),
                url.host_str().unwrap_or_default()
            )
        },
    )
}
