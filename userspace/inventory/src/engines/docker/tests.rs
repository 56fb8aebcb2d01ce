//! A small engine that answers as told: well, late, wrongly, without end, or not at all.

mod hostile;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use vigia_event::container::Engine;
use vigia_event::secret::SecretKind;

use crate::engines::watched::{Watched, short};
use crate::engines::{EngineMessage, EngineRequest, Reach};

const ID: &str = "cb88e9aa616de881d907571c99dd391a8b8e42a205685db372ef402055eb838a";
const OTHER: &str = "aa0ab810283dba822752b3bc8e939426f544725b0f000f67a61b213765fd8854";
const SECRET: &str = "odyhv6fhv9qb76mwjswo3norn";
const CONFIG: &str = "irji60vbbc0f5240ofhh8xld7";
const VERSION: &str = r#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12"}"#;

/// How the engine answers a request.
#[derive(Clone, Debug)]
enum Answer {
    Status(u16, String),
    /// Says nothing.
    Hang,
    /// Sends bytes that are no HTTP.
    Garbage,
    /// Sends a body that never ends, until this many bytes.
    Endless(usize),
    /// Sends this, text or not.
    Bytes(Vec<u8>),
    /// Promises twice as much as it sends, and closes.
    Cut(String),
    /// Sends a body of these parts, the middle one that many times over.
    Long(String, char, usize, String),
    /// Sends lines, then says nothing more.
    Lines(Vec<String>),
}

fn ok(body: impl Into<String>) -> Answer {
    Answer::Status(200, body.into())
}

type Script = Arc<Mutex<Box<dyn FnMut(&str) -> Answer + Send>>>;

struct Fake {
    task: JoinHandle<()>,
    seen: Arc<Seen>,
}

/// What the engine saw of who asks.
#[derive(Debug, Default)]
struct Seen {
    /// Every path, with the version of the API before it.
    paths: Mutex<Vec<String>>,
    /// Questions about containers being answered now, and at most at a time.
    inspecting: AtomicUsize,
    most_inspecting: AtomicUsize,
    /// Bytes of answers that were taken off it.
    bytes: AtomicUsize,
}

impl Seen {
    fn count(&self, wanted: &str) -> usize {
        let paths = self.paths.lock().expect("the paths");
        paths.iter().filter(|path| path.contains(wanted)).count()
    }

    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    /// Listens at a socket; the script sees each path without the version.
    fn start(
        socket: &std::path::Path,
        script: impl FnMut(&str) -> Answer + Send + 'static,
    ) -> Self {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).expect("a socket");
        let script: Script = Arc::new(Mutex::new(Box::new(script)));
        let seen = Arc::new(Seen::default());
        let sees = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&script), Arc::clone(&sees)));
            }
        });
        Self { task, seen }
    }
}

/// Sends pieces of a chunked answer until the other side has had enough.
async fn send(stream: &mut UnixStream, seen: &Seen, piece: &str) -> bool {
    let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
    let was_taken = stream.write_all(chunk.as_bytes()).await.is_ok();
    if was_taken {
        seen.bytes.fetch_add(piece.len(), Ordering::Relaxed);
    }
    was_taken
}

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const PIECE: usize = 1 << 16;

async fn send_long(
    stream: &mut UnixStream,
    seen: &Seen,
    (before, middle, times, after): (&str, char, usize, &str),
) {
    let _ = stream.write_all(CHUNKED).await;
    let mut is_wanted = send(stream, seen, before).await;
    let piece = middle.to_string().repeat(PIECE);
    for _ in 0..times / PIECE {
        is_wanted = is_wanted && send(stream, seen, &piece).await;
    }
    if is_wanted && send(stream, seen, after).await {
        let _ = stream.write_all(b"0\r\n\r\n").await;
    }
}

async fn serve(mut stream: UnixStream, script: Script, seen: Arc<Seen>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).expect("text");
    let whole = head.split(' ').nth(1).expect("a path");
    seen.paths.lock().expect("the paths").push(whole.to_owned());
    let path = match whole.strip_prefix("/v1.") {
        Some(rest) => &rest[rest.find('/').expect("a path")..],
        None => whole,
    };
    let is_inspection = path.starts_with("/containers/") && path != "/containers/json";
    if is_inspection {
        let now = seen.inspecting.fetch_add(1, Ordering::Relaxed) + 1;
        seen.most_inspecting.fetch_max(now, Ordering::Relaxed);
    }
    let answer = (script.lock().expect("the script"))(path);
    // Others may ask meanwhile.
    tokio::task::yield_now().await;
    if is_inspection {
        seen.inspecting.fetch_sub(1, Ordering::Relaxed);
    }
    match answer {
        Answer::Status(status, body) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
        Answer::Bytes(body) => {
            let head = format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&body).await;
        }
        Answer::Cut(body) => {
            let head = format!(
                "HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n",
                2 * body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
        Answer::Hang => std::future::pending().await,
        Answer::Garbage => drop(stream.write_all(b"\x00\xffnot http\r\n\r\n{}").await),
        Answer::Endless(bytes) => {
            let _ = stream.write_all(CHUNKED).await;
            let piece = "[".repeat(PIECE);
            for _ in 0..bytes / PIECE {
                if !send(&mut stream, &seen, &piece).await {
                    return;
                }
            }
        }
        Answer::Long(before, middle, times, after) => {
            send_long(&mut stream, &seen, (&before, middle, times, &after)).await;
        }
        Answer::Lines(lines) => {
            let _ = stream.write_all(CHUNKED).await;
            for line in lines {
                if !send(&mut stream, &seen, &(line + "\n")).await {
                    return;
                }
            }
            std::future::pending().await
        }
    }
}

/// A healthy engine.
fn healthy(path: &str) -> Answer {
    match path {
        "/version" => ok(VERSION),
        "/containers/json" => ok(format!(r#"[{{"Id":"{ID}"}},{{"Id":"../../etc"}}]"#)),
        path if path.starts_with("/events?") => Answer::Lines(Vec::new()),
        path if path == format!("/containers/{ID}/json") => ok(container(ID, "web")),
        path if path == format!("/secrets/{SECRET}") => {
            ok(format!(r#"{{"ID":"{SECRET}","Spec":{{"Name":"db"}}}}"#))
        }
        path if path == format!("/configs/{CONFIG}") => ok(format!(
            r#"{{"ID":"{CONFIG}","Spec":{{"Name":"app","Data":"eA=="}}}}"#
        )),
        _ => Answer::Status(404, r#"{"message":"no such thing"}"#.into()),
    }
}

fn container(id: &str, name: &str) -> String {
    format!(r#"{{"Id":"{id}","Name":"/{name}","Config":{{"Image":"web:1"}}}}"#)
}

fn event(action: &str, id: &str) -> String {
    format!(
        r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{id}","Attributes":{{}}}}}}"#
    )
}

#[tokio::test]
async fn what_runs_and_what_is_created_is_inspected() {
    let mut scene = Watched::new(Engine::Docker);
    let lines =
        ["create", "exec_create: sh", "start", "die", "destroy"].map(|action| event(action, OTHER));
    let lines: Vec<String> = [
        vec!["not json".into(), "{}".into(), event("create", "../x")],
        lines.to_vec(),
    ]
    .concat();
    let _fake = Fake::start(&scene.socket(), move |path| match path {
        path if path.starts_with("/events?") => Answer::Lines(lines.clone()),
        path if path == format!("/containers/{OTHER}/json") => ok(container(OTHER, "db")),
        path => healthy(path),
    });
    assert_eq!(scene.next_but_lost().await, "connected 20.10.24");
    scene.hears(&["aa0a db", "aa0a gone", "cb88 web"]).await;
}

#[tokio::test]
async fn questions_are_answered() {
    let mut scene = Watched::new(Engine::Docker);
    let _fake = Fake::start(&scene.socket(), healthy);
    assert_eq!(scene.next_but_lost().await, "connected 20.10.24");
    assert_eq!(scene.next_but_lost().await, "cb88 web");
    scene.ask(EngineRequest::Inspect(OTHER.into())).await;
    assert_eq!(scene.next_but_lost().await, "aa0a not found");
    for (id, expected) in [
        (SECRET, SecretKind::Secret.name()),
        (CONFIG, SecretKind::Config.name()),
    ] {
        scene.ask(EngineRequest::Resolve(id.into())).await;
        assert!(scene.next_but_lost().await.starts_with(expected));
    }
}

#[tokio::test]
async fn an_engine_says_where_its_state_is_if_it_likes() {
    for (info, expected) in [
        (
            ok(r#"{"DockerRootDir":"/data/docker"}"#),
            Some("at /data/docker"),
        ),
        (ok(r#"{"DockerRootDir":"data"}"#), None),
        (ok(r#"{"DockerRootDir":7}"#), None),
        (Answer::Status(403, "no".into()), None),
        (Answer::Garbage, None),
    ] {
        let mut scene = Watched::new(Engine::Docker);
        let told = info.clone();
        let _fake = Fake::start(&scene.socket(), move |path| match path {
            "/info" => info.clone(),
            path => healthy(path),
        });
        let said = [Some("connected 20.10.24"), Some("cb88 web"), expected];
        let said: Vec<&str> = said.into_iter().flatten().collect();
        scene.hears(&said).await;
        scene.expect_nothing().await;
        scene.ask(EngineRequest::Inspect(ID.into())).await;
        assert_eq!(short(&scene.next().await), "cb88 web", "{told:?}");
    }
}

#[tokio::test]
async fn one_answer_that_hangs_or_lies_or_never_ends_costs_only_itself() {
    let bad = |number: usize| format!("{number:064x}");
    for answer in [
        Answer::Hang,
        Answer::Garbage,
        Answer::Endless(100 << 20),
        Answer::Cut(container(ID, "web")),
        ok(container(OTHER, "liar")),
        ok("{"),
        ok("7"),
    ] {
        let mut scene = Watched::new(Engine::Docker);
        let told = answer.clone();
        let _fake = Fake::start(&scene.socket(), move |path| match path {
            path if path.starts_with("/containers/0") => answer.clone(),
            path => healthy(path),
        });
        assert_eq!(scene.next_but_lost().await, "connected 20.10.24");
        assert_eq!(scene.next_but_lost().await, "cb88 web");
        for number in 0..3 {
            scene.ask(EngineRequest::Inspect(bad(number))).await;
        }
        scene.ask(EngineRequest::Inspect(ID.into())).await;
        assert_eq!(short(&scene.next().await), "cb88 web", "{told:?}");
    }
}

#[tokio::test]
async fn an_engine_that_is_sick_is_lost_and_found_again_when_it_is_well() {
    for (sick, answer) in [
        ("/version", Answer::Hang),
        ("/version", Answer::Garbage),
        ("/version", ok("{}")),
        ("/version", Answer::Cut(VERSION.into())),
        ("/version", Answer::Status(400, "too old".into())),
        ("/version", Answer::Endless(100 << 20)),
        ("/events", Answer::Status(500, "\u{1b}[31m".repeat(1000))),
        ("/events", Answer::Endless(100 << 20)),
        ("/containers/json", Answer::Endless(100 << 20)),
        ("/containers/json", ok(r#"{"message": "?"}"#)),
        (
            "/containers/json",
            Answer::Cut(format!(r#"[{{"Id":"{ID}"}}]"#)),
        ),
        ("/containers/json", Answer::Hang),
    ] {
        let mut scene = Watched::new(Engine::Docker);
        let told = answer.clone();
        let fake = Fake::start(&scene.socket(), move |path| {
            if path.starts_with(sick) {
                answer.clone()
            } else {
                healthy(path)
            }
        });
        let lost = scene.loss().await;
        assert!(
            lost.len() < 1000 && !lost.contains('\u{1b}'),
            "{sick} {told:?}: {lost}"
        );
        drop(fake);
        let _well = Fake::start(&scene.socket(), healthy);
        while scene.next_but_lost().await != "cb88 web" {}
    }
}

#[tokio::test]
async fn an_engine_that_falls_silent_is_lost() {
    let mut scene = Watched::new(Engine::Docker);
    let mut lists = 0;
    let _fake = Fake::start(&scene.socket(), move |path| match path {
        "/containers/json" if lists == 2 => Answer::Hang,
        "/containers/json" => {
            lists += 1;
            healthy(path)
        }
        path => healthy(path),
    });
    assert_eq!(scene.next_but_lost().await, "connected 20.10.24");
    assert_eq!(short(&scene.next().await), "cb88 web");
    assert_eq!(short(&scene.next().await), "lost");
}

#[tokio::test]
async fn what_no_event_told_is_found_by_the_next_list() {
    let mut scene = Watched::new(Engine::Docker);
    let mut lists = 0;
    let _fake = Fake::start(&scene.socket(), move |path| match path {
        "/containers/json" => {
            lists += 1;
            ok(format!(
                r#"[{{"Id":"{}"}}]"#,
                if lists == 1 { ID } else { OTHER }
            ))
        }
        path if path == format!("/containers/{OTHER}/json") => ok(container(OTHER, "db")),
        path => healthy(path),
    });
    assert_eq!(scene.next_but_lost().await, "connected 20.10.24");
    assert_eq!(short(&scene.next().await), "cb88 web");
    assert_eq!(short(&scene.next().await), "cb88 gone");
    assert_eq!(short(&scene.next().await), "aa0a db");
}

#[tokio::test]
async fn what_was_not_answered_is_asked_for_again_with_the_next_list() {
    for answer in [Answer::Garbage, Answer::Endless(100 << 20), ok("{")] {
        let mut scene = Watched::new(Engine::Docker);
        let told = answer.clone();
        let mut asked = 0;
        let _fake = Fake::start(&scene.socket(), move |path| {
            asked += usize::from(path == format!("/containers/{ID}/json"));
            match path {
                // More often than one question is asked.
                path if path.ends_with("/json") && path.contains(ID) && asked <= 4 => {
                    answer.clone()
                }
                path => healthy(path),
            }
        });
        assert_eq!(scene.next_but_lost().await, "connected 20.10.24");
        assert_eq!(scene.next_but_lost().await, "cb88 web", "{told:?}");
    }
}

#[tokio::test]
async fn an_engine_that_dies_is_reported_and_listed_anew() {
    let mut scene = Watched::new(Engine::Docker);
    assert_eq!(short(&scene.next().await), "lost", "there is none yet");
    for _ in 0..2 {
        let fake = Fake::start(&scene.socket(), healthy);
        assert_eq!(short(&scene.next().await), "connected 20.10.24");
        assert_eq!(short(&scene.next().await), "cb88 web");
        drop(fake);
        let _ = std::fs::remove_file(scene.socket());
        scene.absence().await;
        scene.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_pods_labels_are_those_of_its_sandbox() {
    let labelled = |id: &str, uid: &str, more: &str| {
        ok(format!(
            r#"{{"Id":"{id}","Config":{{"Labels":{{"io.kubernetes.pod.name":"shop","io.kubernetes.pod.uid":"{uid}",{more}}}}}}}"#
        ))
    };
    for (uid, expected) in [("u-1", Some("shop")), ("u-2", None)] {
        let mut scene = Watched::new(Engine::Docker);
        let sandbox = format!(r#""io.kubernetes.sandbox.id":"{OTHER}""#);
        let _fake = Fake::start(&scene.socket(), move |path| match path {
            path if path == format!("/containers/{ID}/json") => labelled(ID, "u-1", &sandbox),
            path if path == format!("/containers/{OTHER}/json") => labelled(
                OTHER,
                uid,
                r#""io.kubernetes.docker.type":"podsandbox","app":"shop""#,
            ),
            path => healthy(path),
        });
        let inspected = scene.inspected().await.1;
        let app = inspected.pod_labels.get("app").map(ToString::to_string);
        assert_eq!(app.as_deref(), expected, "{uid}");
    }
}

#[tokio::test]
async fn an_image_that_is_not_told_for_a_moment_is_asked_for_again() {
    let image = format!("sha256:{}", "a".repeat(64));
    for (failures, expected) in [(2, "1.27"), (usize::MAX, "")] {
        let mut scene = Watched::new(Engine::Docker);
        let described = format!(
            r#"{{"Id":"{ID}","Name":"/web","Image":"{image}","Config":{{"Image":"{image}"}}}}"#
        );
        let mut asked = 0;
        let _fake = Fake::start(&scene.socket(), move |path| match path {
            path if path == format!("/containers/{ID}/json") => ok(described.clone()),
            path if path.starts_with("/images/") => {
                asked += 1;
                match asked <= failures {
                    true => Answer::Status(500, "busy".into()),
                    false => ok(r#"{"RepoTags":["nginx:1.27"]}"#),
                }
            }
            path => healthy(path),
        });
        let inspected = scene.inspected().await.1;
        assert_eq!(inspected.image_tag, expected, "{failures}");
    }
}

#[tokio::test]
async fn a_manager_tells_what_a_service_gives_its_containers_and_a_worker_nothing() {
    const SERVICE: &str = "k2j1h0g9f8e7d6c5b4a39281x";
    let spec = |secrets: &str, configs: &str| {
        format!(
            r#"{{"TaskTemplate":{{"ContainerSpec":{{"Secrets":[{secrets}],"Configs":[{configs}]}}}}}}"#
        )
    };
    let secret = |name: &str, mode: u32| {
        format!(
            r#"{{"SecretID":"{SECRET}","SecretName":"dbpw","File":{{"Name":"{name}","UID":"33","GID":"0","Mode":{mode}}}}}"#
        )
    };
    let config = format!(
        r#"{{"ConfigID":"{CONFIG}","ConfigName":"app.conf","File":{{"Name":"/etc/app.conf","UID":"0","Mode":292}}}}"#
    );
    let odd = r#"{"SecretID":"../x","SecretName":"x"},{"SecretID":7,"File":[]}"#;
    let service = format!(
        r#"{{"ID":"{SERVICE}","Spec":{},"PreviousSpec":{}}}"#,
        spec(&format!("{},{odd}", secret("pw", 256)), &config),
        spec(&secret("/srv/old", 292), ""),
    );
    for (answer, expected) in [
        (
            ok(service),
            &[
                "dbpw at /run/secrets/pw owner=33 mode=0400",
                "app.conf at /etc/app.conf owner=0 mode=0444",
            ][..],
        ),
        (Answer::Status(503, "no manager".into()), &[]),
        (ok("[]"), &[]),
    ] {
        let mut scene = Watched::new(Engine::Unknown);
        let _fake = Fake::start(&scene.socket(), move |path| match path {
            path if path == format!("/containers/{ID}/json") => ok(format!(
                r#"{{"Id":"{ID}","Config":{{"Labels":{{"com.docker.swarm.service.name":"web","com.docker.swarm.service.id":"{SERVICE}"}}}}}}"#
            )),
            path if path == format!("/services/{SERVICE}") => answer.clone(),
            path => healthy(path),
        });
        let inspected = scene.inspected().await.1;
        let grants = inspected.swarm_grants.iter();
        let grants: Vec<_> = grants
            .map(|grant| String::from_utf8(grant.text()).expect("text"))
            .collect();
        assert_eq!(grants, expected);
    }
}

#[tokio::test]
async fn an_engine_is_what_it_says_it_is_wherever_it_listens() {
    for (components, engine) in [
        (
            r#"[{"Name":"Engine"},{"Name":"containerd"}]"#,
            Engine::Docker,
        ),
        (
            r#"[{"Name":"Podman Engine"},{"Name":"Conmon"}]"#,
            Engine::Podman,
        ),
        ("7", Engine::Docker),
    ] {
        let mut scene = Watched::new(Engine::Unknown);
        let version = VERSION.replacen('{', &format!(r#"{{"Components":{components},"#), 1);
        let filters = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&filters);
        let _fake = Fake::start(&scene.socket(), move |path| {
            if path.starts_with("/events?") {
                path.clone_into(&mut heard.lock().expect("the filters"));
            }
            match path {
                "/version" => ok(version.clone()),
                path => healthy(path),
            }
        });
        let connected = loop {
            match scene.next().await {
                EngineMessage::Lost { .. } => {}
                message => break message,
            }
        };
        let version = "20.10.24".to_owned();
        assert_eq!(connected, EngineMessage::Connected { engine, version });
        // Podman refuses lists with names that it does not know.
        let names_events = filters.lock().expect("the filters").contains("rename");
        assert_eq!(names_events, engine == Engine::Docker, "{components}");
    }
}

#[tokio::test]
async fn a_proxy_that_lets_little_through_costs_only_what_it_refuses() {
    let mut scene = Watched::new(Engine::Unknown);
    let image = "a".repeat(64);
    let described = format!(
        r#"{{"Id":"{ID}","Name":"/web","Image":"sha256:{image}","Config":{{"Image":"shop/web:1","Labels":{{"a":"b"}}}}}}"#
    );
    let _proxy = Fake::start(&scene.socket(), move |path| {
        let is_let_through = ["/containers/", "/events?", "/version"]
            .iter()
            .any(|prefix| path.starts_with(prefix));
        if path == format!("/containers/{ID}/json") {
            ok(described.clone())
        } else if is_let_through {
            healthy(path)
        } else {
            Answer::Status(403, "Forbidden".into())
        }
    });
    assert_eq!(scene.next_but_lost().await, "connected 20.10.24");
    for _ in 0..2 {
        let EngineMessage::Inspected { inspected, .. } = scene.next().await else {
            panic!("the container")
        };
        assert_eq!(inspected.image_repository, "shop/web");
        assert_eq!(inspected.image_tag, "1");
        assert_eq!(inspected.image_id, format!("sha256:{image}"));
        assert_eq!(inspected.labels["a"], "b");
        scene.ask(EngineRequest::Resolve(SECRET.into())).await;
        scene.ask(EngineRequest::Inspect(ID.into())).await;
    }
}

#[tokio::test]
async fn in_the_folder_of_a_user_only_that_user_is_listened_to() {
    let own = rustix::process::geteuid().as_raw();
    // The socket's file is said to be another user's, the listener is whoever runs this test.
    let user = own + 4242;
    for (user, is_heard) in [(own, true), (user, false)] {
        let path = format!("run/user/{user}/docker.sock");
        let mut scene = Watched::at(&path, Engine::Unknown, Reach::User(user));
        let socket = scene.socket();
        let _fake = Fake::start(&socket, healthy);
        let folder = socket.parent().expect("a folder");
        for path in [folder, &socket] {
            // Only root can give it away; to others it stays their own, which is refused as well.
            let _ = std::os::unix::fs::chown(path, Some(user), None);
        }
        let reason = loop {
            match scene.next().await {
                EngineMessage::Lost { reason, .. }
                    if reason.contains("listens") || own != 0 && !is_heard =>
                {
                    break Some(reason);
                }
                EngineMessage::Connected { .. } => break None,
                _ => {}
            }
        };
        assert_eq!(reason.is_none(), is_heard, "{reason:?}");
    }
}
