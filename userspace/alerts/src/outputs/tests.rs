//! Whatever happens to a receiver, the counters add up and every alert has one fate.

use crate::render::TimeStyle;
use std::collections::HashMap;
use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::sample::alert;

const PATIENCE: Duration = Duration::from_secs(20);

fn numbered(number: usize) -> Alert {
    let mut alert = alert("/x");
    alert.id = crate::alert::AlertId::of_parts(&[&number.to_le_bytes()]);
    alert.message = format!("number {number}");
    alert
}

fn webhook(url: String, options: WebhookOptions) -> OutputConfig {
    OutputConfig {
        name: "hook".into(),
        queue: 64,
        target: Target::Webhook(WebhookOptions { url, ..options }),
    }
}

fn start(config: OutputConfig) -> Outputs {
    Outputs::start(vec![config], RenderOptions::default()).expect("the output starts")
}

/// The counters of the only output, which must add up.
fn only(counters: Vec<(String, OutputCounters)>) -> OutputCounters {
    let [(_, counters)] = counters.as_slice() else {
        panic!("one output")
    };
    let OutputCounters {
        recorded,
        delivered,
        pending,
        dropped,
        dead_lettered,
        ..
    } = *counters;
    assert_eq!(
        recorded,
        delivered + pending + dropped + dead_lettered,
        "{counters:?}"
    );
    *counters
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A receiver that answers with the given statuses in turn, then with 200, and keeps what it took.
#[derive(Default)]
struct Receiver {
    taken: Mutex<Vec<(String, String)>>,
    statuses: Mutex<Vec<u16>>,
    requests: Mutex<Vec<HashMap<String, String>>>,
}

impl Receiver {
    fn bodies(&self) -> Vec<String> {
        self.taken
            .lock()
            .expect("no test panics with it")
            .iter()
            .map(|(_, body)| body.clone())
            .collect()
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let receiver = Arc::clone(&self);
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                while receiver.answer(&mut stream).await.is_some() {}
            });
        }
    }

    async fn answer(&self, stream: &mut BufReader<TcpStream>) -> Option<()> {
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            stream
                .read_line(&mut line)
                .await
                .ok()
                .filter(|length| *length > 0)?;
            let Some((name, value)) = line.trim().split_once(": ") else {
                if line.trim().is_empty() {
                    break;
                }
                headers.insert("request".to_owned(), line.trim().to_owned());
                continue;
            };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
        stream.read_exact(&mut body).await.ok()?;
        let id = headers.get("x-vigia-alert-id").cloned().unwrap_or_default();
        self.requests
            .lock()
            .expect("no test panics with it")
            .push(headers);
        let status = self
            .statuses
            .lock()
            .expect("no test panics with it")
            .pop()
            .unwrap_or(200);
        if status == 200 {
            let body = String::from_utf8(body).expect("JSON is UTF-8");
            self.taken
                .lock()
                .expect("no test panics with it")
                .push((id, body));
        }
        let answer =
            format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\nLocation: /elsewhere\r\n\r\nok");
        stream.write_all(answer.as_bytes()).await.ok()
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    (listener, format!("http://{address}/"))
}

#[tokio::test]
async fn a_webhook_gets_json_in_order_with_id_and_headers() {
    let (listener, url) = listen().await;
    let receiver = Arc::new(Receiver::default());
    let server = tokio::spawn(Arc::clone(&receiver).serve(listener));
    let headers = vec![("Authorization".to_owned(), "Bearer x".to_owned())];
    let outputs = start(webhook(
        url,
        WebhookOptions {
            headers,
            ..WebhookOptions::default()
        },
    ));
    (0..20).for_each(|number| outputs.deliver(numbered(number)));
    let counters = only(outputs.shutdown(PATIENCE).await);
    assert_eq!((counters.delivered, counters.pending), (20, 0));
    for (number, body) in receiver.bodies().iter().enumerate() {
        let json: serde_json::Value = serde_json::from_str(body).expect("valid JSON");
        assert!(
            json["output"]
                .as_str()
                .is_some_and(|text| text.ends_with(&format!(" number {number}"))),
            "{body}"
        );
    }
    let requests = receiver.requests.lock().expect("no test panics with it");
    assert_eq!(requests[0]["content-type"], "application/json");
    assert_eq!(requests[0]["authorization"], "Bearer x");
    assert_eq!(requests[0]["x-vigia-alert-id"].len(), 32);
    assert!(requests[0]["request"].starts_with("POST / HTTP/1.1"));
    server.abort();
}

#[tokio::test]
async fn a_receiver_that_is_down_and_comes_back_gets_every_alert_once() {
    let (listener, url) = listen().await;
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let outputs = start(webhook(url, WebhookOptions::default()));
    (0..10).for_each(|number| outputs.deliver(numbered(number)));
    until("a retry", || only(outputs.counters()).retried >= 2).await;
    assert_eq!(only(outputs.counters()).pending, 10);
    let listener = TcpListener::bind(address)
        .await
        .expect("the port is still free");
    let receiver = Arc::new(Receiver::default());
    let server = tokio::spawn(Arc::clone(&receiver).serve(listener));
    until("all delivered", || only(outputs.counters()).delivered == 10).await;
    let ids: Vec<String> = receiver
        .taken
        .lock()
        .expect("no test panics with it")
        .iter()
        .map(|(id, _)| id.clone())
        .collect();
    let expected: Vec<String> = (0..10)
        .map(|number| numbered(number).id.to_string())
        .collect();
    assert_eq!(ids, expected);
    server.abort();
}

#[tokio::test]
async fn what_is_worth_a_retry_is_told_from_what_is_refused() {
    let (listener, url) = listen().await;
    let receiver = Arc::new(Receiver::default());
    let server = tokio::spawn(Arc::clone(&receiver).serve(listener));
    let outputs = start(webhook(url, WebhookOptions::default()));
    for (status, delivered, dead_lettered, retried) in [
        (503, 1, 0, 1),
        (400, 1, 1, 1),
        (429, 2, 1, 2),
        (302, 2, 2, 2),
        (408, 3, 2, 3),
        (404, 3, 3, 3),
    ] {
        receiver
            .statuses
            .lock()
            .expect("no test panics with it")
            .push(status);
        outputs.deliver(numbered(usize::from(status)));
        until("nothing pending", || only(outputs.counters()).pending == 0).await;
        let counters = only(outputs.counters());
        assert_eq!(
            (counters.delivered, counters.dead_lettered, counters.retried),
            (delivered, dead_lettered, retried),
            "{status}"
        );
    }
    server.abort();
}

#[tokio::test]
async fn an_alert_that_becomes_too_old_is_dead_lettered() {
    let (listener, url) = listen().await;
    drop(listener);
    let outputs = start(webhook(
        url,
        WebhookOptions {
            max_age: Duration::from_millis(600),
            ..WebhookOptions::default()
        },
    ));
    outputs.deliver(numbered(1));
    until("given up", || only(outputs.counters()).dead_lettered == 1).await;
    assert!(only(outputs.counters()).retried >= 1);
}

#[tokio::test]
async fn a_full_queue_drops_and_counts_and_a_stop_leaves_nothing_pending() {
    // Accepts connections by its backlog, but never answers.
    let (_silent, url) = listen().await;
    let outputs = start(OutputConfig {
        queue: 4,
        ..webhook(url, WebhookOptions::default())
    });
    (0..20).for_each(|number| outputs.deliver(numbered(number)));
    let counters = only(outputs.counters());
    assert!(counters.dropped >= 15, "{counters:?}");
    let counters = only(outputs.shutdown(Duration::from_millis(50)).await);
    assert_eq!(counters.pending, 0);
    assert_eq!(counters.dropped + counters.dead_lettered, 20);
}

#[tokio::test]
async fn a_file_is_private_appended_to_and_opened_again_after_rotation() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let (path, rotated) = (
        folder.path().join("alerts.json"),
        folder.path().join("alerts.json.1"),
    );
    let outputs = start(OutputConfig {
        name: "file".into(),
        queue: 64,
        target: Target::File(FileOptions {
            path: path.clone(),
            ..FileOptions::default()
        }),
    });
    let lines = |path: &std::path::Path| {
        std::fs::read_to_string(path)
            .unwrap_or_default()
            .lines()
            .count()
    };
    (0..3).for_each(|number| outputs.deliver(numbered(number)));
    until("three lines", || lines(&path) == 3).await;
    assert_eq!(
        std::fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    std::fs::rename(&path, &rotated).expect("same folder");
    outputs.reopen();
    until("a new file", || path.exists()).await;
    outputs.deliver(numbered(3));
    let counters = only(outputs.shutdown(PATIENCE).await);
    assert_eq!(counters.delivered, 4);
    assert_eq!((lines(&rotated), lines(&path)), (3, 1));
}

#[tokio::test]
async fn standard_output_is_written_in_the_form_asked_for() {
    for (form, beginning) in [
        (Form::Json, "{\"container\":"),
        (
            Form::Text,
            "2023-11-14T22:13:20.000000001+0000: Warning number 7\n",
        ),
        (
            Form::Readable { colour: false },
            "2023-11-14T22:13:20  Warning  Write refused\n",
        ),
    ] {
        let (sender, receiver) = mpsc::channel(1);
        let counters = Arc::new(Counters::default());
        let style = RenderOptions {
            time: TimeStyle {
                iso8601: true,
                ..TimeStyle::default()
            },
            ..RenderOptions::default()
        };
        counters.recorded();
        let alert = Arc::new(Rendered::new(numbered(7), style));
        sender
            .send(Queued {
                alert,
                since: Instant::now(),
            })
            .await
            .expect("room");
        drop(sender);
        let mut written = Vec::new();
        stdout::run(
            StdoutOptions { form },
            &mut written,
            receiver,
            Arc::clone(&counters),
        )
        .await;
        let text = String::from_utf8(written).expect("text");
        assert!(
            text.starts_with(beginning) && text.ends_with('\n'),
            "{text}"
        );
        assert_eq!(counters.snapshot().delivered, 1);
    }
}

#[tokio::test]
async fn what_cannot_start_says_why_and_not_with_which_credentials() {
    let file = |path: &str| OutputConfig {
        name: "out".into(),
        queue: 1,
        target: Target::File(FileOptions {
            path: path.into(),
            ..FileOptions::default()
        }),
    };
    let hook = |url: &str, options| OutputConfig {
        name: "out".into(),
        ..webhook(url.to_owned(), options)
    };
    let header = |name: &str, value: &str| WebhookOptions {
        headers: vec![(name.to_owned(), value.to_owned())],
        ..WebhookOptions::default()
    };
    for (config, expected) in [
        (
            file("/nowhere/x"),
            "output `out`: cannot open /nowhere/x for appending",
        ),
        (
            hook("ftp://me:c4n4ry@host/", WebhookOptions::default()),
            "output `out`: the URL must begin with http:// or https:// and name a host",
        ),
        (
            hook("c4n4ry", WebhookOptions::default()),
            "output `out`: the URL is not valid: relative URL without a base",
        ),
        (
            hook("http://x/", header("a b", "c4n4ry")),
            "output `out`: `a b` is no header name",
        ),
        (
            hook("http://x/", header("a", "c4n4ry\n")),
            "output `out`: the value of header `a` is not valid",
        ),
        (
            hook(
                "http://x/",
                WebhookOptions {
                    ca_file: Some("/nowhere/ca".into()),
                    ..WebhookOptions::default()
                },
            ),
            "output `out`: cannot use the CA file /nowhere/ca: No such file or directory (os error 2)",
        ),
    ] {
        let error =
            Outputs::start(vec![config], RenderOptions::default()).expect_err("it cannot start");
        assert_eq!(error.to_string(), expected);
    }
    let options = WebhookOptions {
        url: "https://me:c4n4ry@host:1/c4n4ry".into(),
        ..header("Authorization", "c4n4ry")
    };
    let shown = format!("{options:?}");
    assert!(
        !shown.contains("c4n4ry") && shown.contains("https://host:1"),
        "{shown}"
    );
}
