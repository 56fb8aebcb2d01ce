//! Engines that are old, new, huge, busy, or mean harm. Bounds are told by counts and sizes, never by time.

use std::collections::BTreeSet;
use std::time::Duration;

use vigia_event::container::Inspected;

use super::super::MAX_ANSWER;
use super::super::answers::{ContainerAnswer, ImageAnswer};
use super::*;
use crate::engines::EngineMessage;
use crate::engines::asking::MAX_OPEN;

/// An answer about one container, as an engine with a label of this many bytes gives it.
fn labelled(bytes: usize) -> Answer {
    Answer::Long(
        format!(r#"{{"Id":"{OTHER}","Name":"/big","Config":{{"Labels":{{"a":""#),
        'x',
        bytes,
        r#""}}}"#.into(),
    )
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number:064x}")).collect()
}

fn list(ids: &[String]) -> String {
    let elements: Vec<_> = ids.iter().map(|id| format!(r#"{{"Id":"{id}"}}"#)).collect();
    format!("[{}]", elements.join(","))
}

/// The id in the path of a question about a container.
fn asked_for(path: &str) -> Option<&str> {
    path.strip_prefix("/containers/")?.strip_suffix("/json")
}

impl Watched {
    /// What is said of the next container.
    async fn next_inspected(&mut self) -> (String, Arc<Inspected>) {
        loop {
            if let EngineMessage::Inspected { id, inspected, .. } = self.next().await {
                return (id, inspected);
            }
        }
    }
}

#[tokio::test]
async fn the_version_of_the_api_is_one_that_both_speak() {
    for (newest, least, expected) in [
        // Docker 20.10 and Podman; older ones are read as far as they are the same.
        ("1.41", "1.12", "/v1.41/"),
        ("1.24", "1.12", "/v1.24/"),
        ("1.12", "1.12", "/v1.12/"),
        // The newest that is known to be read rightly, where the engine speaks newer ones.
        ("1.51", "1.24", "/v1.51/"),
        ("1.52", "1.24", "/v1.51/"),
        ("2.7", "1.24", "/v1.51/"),
        // The engine has forgotten what is known.
        ("1.75", "1.60", "/v1.60/"),
        ("1.75", "1.75", "/v1.75/"),
        // What makes no sense is not believed.
        ("1.41", "1.60", "/v1.41/"),
        ("1.75", "nonsense", "/v1.51/"),
        ("1.75", "", "/v1.51/"),
    ] {
        let mut scene = Watched::new(Engine::Docker);
        let version = format!(
            r#"{{"Version":"20.10.24","ApiVersion":"{newest}","MinAPIVersion":"{least}"}}"#
        );
        let fake = Fake::start(&scene.socket(), move |path| match path {
            "/version" => ok(&*version),
            path => healthy(path),
        });
        assert_eq!(scene.next_but_lost().await, "connected 20.10.24");
        assert_eq!(scene.next_but_lost().await, "cb88 web");
        let paths = fake.seen.paths.lock().expect("the paths").clone();
        let mut after = paths.iter().filter(|path| *path != "/version");
        assert!(
            after.all(|path| path.starts_with(expected)),
            "{newest} {least}: {paths:?}"
        );
    }
}

#[tokio::test]
async fn a_label_of_100_mb_costs_its_container_only() {
    const LABEL: usize = 100 << 20;
    let mut scene = Watched::within(Engine::Docker, Duration::from_secs(20));
    let fake = Fake::start(&scene.socket(), |path| match path {
        // The list has the labels, too, and so has the announcement.
        "/containers/json" => Answer::Long(
            r#"[{"Labels":{"a":""#.to_owned(),
            'x',
            LABEL,
            format!(r#""}},"Id":"{OTHER}"}},{{"Id":"{ID}"}}]"#),
        ),
        path if path.starts_with("/events?") => Answer::Lines(vec![
            format!(
                r#"{{"Type":"container","Action":"create","Actor":{{"ID":"{OTHER}","Attributes":{{"a":"{}"}}}}}}"#,
                "x".repeat(LABEL)
            ),
            event("rename", ID),
        ]),
        path if asked_for(path) == Some(OTHER) => labelled(LABEL),
        path => healthy(path),
    });
    assert_eq!(scene.next_but_lost().await, "connected 20.10.24");
    let read = fake.seen.bytes();
    assert_eq!(short(&scene.next().await), "cb88 web");
    // What is asked later is answered, and what comes after the long line is heard.
    scene.ask(EngineRequest::Inspect(OTHER.into())).await;
    scene.ask(EngineRequest::Inspect(ID.into())).await;
    assert_eq!(short(&scene.next().await), "cb88 web");
    assert!(read >= LABEL, "the list was read to its end: {read}");
    assert!(fake.seen.count(OTHER) > 0);
}

#[tokio::test]
async fn no_more_of_an_answer_is_taken_than_is_kept() {
    let mut scene = Watched::new(Engine::Docker);
    let fake = Fake::start(&scene.socket(), |path| match path {
        path if asked_for(path) == Some(OTHER) => labelled(100 << 20),
        path => healthy(path),
    });
    assert_eq!(scene.next_but_lost().await, "connected 20.10.24");
    assert_eq!(scene.next_but_lost().await, "cb88 web");
    scene.ask(EngineRequest::Inspect(OTHER.into())).await;
    scene.ask(EngineRequest::Inspect(OTHER.into())).await;
    for _ in 0..3 {
        scene.ask(EngineRequest::Inspect(ID.into())).await;
        assert_eq!(short(&scene.next().await), "cb88 web");
    }
    let taken = fake.seen.bytes();
    // Two questions at most, and what lay in the socket.
    assert!(taken < 2 * (MAX_ANSWER + (1 << 20)), "{taken} bytes");
}

#[tokio::test]
async fn an_announcement_without_end_is_passed_over_and_what_runs_is_listed_again() {
    let mut scene = Watched::new(Engine::Docker);
    let mut lists = 0;
    let fake = Fake::start(&scene.socket(), move |path| match path {
        path if path.starts_with("/events?") => Answer::Lines(vec!["x".repeat(8 << 20)]),
        // The long line was about a container that nobody has heard of since.
        "/containers/json" => {
            lists += 1;
            let running: &[&str] = if lists == 1 { &[ID] } else { &[ID, OTHER] };
            let running: Vec<_> = running.iter().map(|id| (*id).to_owned()).collect();
            ok(list(&running))
        }
        path if asked_for(path) == Some(OTHER) => ok(container(OTHER, "db")),
        path => healthy(path),
    });
    assert_eq!(scene.next_but_lost().await, "connected 20.10.24");
    while scene.next_inspected().await.0 != OTHER {}
    assert_eq!(
        fake.seen.count("/version"),
        1,
        "it is still the same session"
    );
}

#[tokio::test]
async fn two_thousand_containers_and_a_storm_of_events_are_asked_for_a_few_at_a_time() {
    const RUNNING: usize = 2000;
    let mut scene = Watched::new(Engine::Docker);
    let all = ids(RUNNING);
    let listed = list(&all);
    // Each container announces itself again and again.
    let storm: Vec<String> = (0..5 * RUNNING)
        .map(|number| {
            let action = ["start", "rename", "update", "exec_start: sh", "attach"][number % 5];
            event(action, &all[number % RUNNING])
        })
        .collect();
    let fake = Fake::start(&scene.socket(), move |path| match path {
        "/containers/json" => ok(&*listed),
        path if path.starts_with("/events?") => Answer::Lines(storm.clone()),
        path => match asked_for(path) {
            Some(id) => ok(container(id, &id[60..])),
            None => healthy(path),
        },
    });
    assert_eq!(scene.next_but_lost().await, "connected 20.10.24");
    let mut known = BTreeSet::new();
    while known.len() < RUNNING {
        let (id, inspected) = scene.next_inspected().await;
        assert_eq!(inspected.name, id[60..]);
        known.insert(id);
    }
    let seen = &fake.seen;
    let asked = seen.count("/containers/") - seen.count("/containers/json");
    assert!(
        (RUNNING..=7 * RUNNING).contains(&asked),
        "{asked} questions"
    );
    let most = seen.most_inspecting.load(Ordering::Relaxed);
    assert!(most <= 8, "{most} at a time");
    assert_eq!(seen.count("/version"), 1, "it never was lost");
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_found_by_listing_again() {
    let extra = 100;
    let count = MAX_OPEN + extra;
    let mut scene = Watched::new(Engine::Docker);
    let announced: Vec<String> = ids(count).iter().map(|id| event("create", id)).collect();
    let late = ids(count).split_off(MAX_OPEN);
    let listed = list(&late);
    let fake = Fake::start(&scene.socket(), move |path| match path {
        "/containers/json" => ok(&*listed),
        path if path.starts_with("/events?") => Answer::Lines(announced.clone()),
        path => match asked_for(path) {
            Some(id) => ok(container(id, "x")),
            None => healthy(path),
        },
    });
    let mut known = BTreeSet::new();
    while known.len() < count {
        known.insert(scene.next_inspected().await.0);
    }
    drop(fake);
}

#[tokio::test]
async fn names_come_as_they_are_claimed_and_invalid_text_costs_nothing_else() {
    let claimed = r#"/a\u0000b\n\u001b[31m\u202Ered\u2066\uFEFF"#;
    let mut body = container(OTHER, claimed).into_bytes();
    let at = body
        .windows(5)
        .position(|part| part == b"web:1")
        .expect("the image");
    body[at] = 0xFF;
    // As text it cannot be written down here: the fake sends bytes.
    let mut scene = Watched::new(Engine::Docker);
    let _fake = Fake::start(&scene.socket(), move |path| match path {
        path if asked_for(path) == Some(OTHER) => Answer::Bytes(body.clone()),
        path => healthy(path),
    });
    assert_eq!(scene.next_but_lost().await, "connected 20.10.24");
    assert_eq!(scene.next_but_lost().await, "cb88 web");
    scene.ask(EngineRequest::Inspect(OTHER.into())).await;
    let (id, inspected) = scene.next_inspected().await;
    assert_eq!(id, OTHER);
    assert_eq!(
        inspected.name,
        "/a\0b\n\u{1b}[31m\u{202E}red\u{2066}\u{FEFF}"
    );
    assert_eq!(inspected.image, "\u{FFFD}eb:1");
}

#[tokio::test]
async fn the_names_of_images_are_bounded() {
    const IMAGE: &str = "sha256:1080c4e3474155dc6d57b41472d809a797dfb5e7fb1d50eef4a5ed2473bf93cc";
    let mut scene = Watched::new(Engine::Docker);
    let image = format!(
        r#"{{"RepoTags":["{}","web:2"],"RepoDigests":["web@sha256:{}","{}"]}}"#,
        "x".repeat(1 << 20),
        "0".repeat(64),
        "y".repeat(1 << 20),
    );
    let _fake = Fake::start(&scene.socket(), move |path| match path {
        path if asked_for(path) == Some(ID) => {
            let named = &IMAGE["sha256:".len()..][..12];
            ok(format!(
                r#"{{"Id":"{ID}","Name":"/web","Image":"{IMAGE}","Config":{{"Image":"{named}"}}}}"#
            ))
        }
        path if path.starts_with("/images/") => ok(&*image),
        path => healthy(path),
    });
    let (_, inspected) = scene.next_inspected().await;
    assert_eq!(
        (&inspected.image_repository[..], &inspected.image_tag[..]),
        (&b"web"[..], &b"2"[..])
    );
    assert!(inspected.image_digest.starts_with(b"sha256:0000"));
}

/// What Docker says of a container, as far as it is read.
const WHOLE: &str = r#"{"Id":"ID","Name":"/web","Created":"2026-11-21T21:40:45.105166127Z","Image":"sha256:1",
    "State":{"Pid":11944},"AppArmorProfile":"docker-default","ProcessLabel":"",
    "Config":{"Image":"team/web:1.2","User":"1000","Env":["A=b"],"Labels":{"a":"b"},"Shell":["/bin/sh"],
        "ExposedPorts":{"80/tcp":{}},"Healthcheck":{"Test":["CMD","x"],"Interval":5000000000}},
    "HostConfig":{"Privileged":true,"ReadonlyRootfs":true,"PidMode":"host","NetworkMode":"default","IpcMode":"private",
        "UTSMode":"","UsernsMode":"","CgroupnsMode":"private","Tmpfs":{"/t":""},"CapAdd":["NET_ADMIN"],"CapDrop":null,
        "SecurityOpt":["no-new-privileges"],"Memory":67108864,"PidsLimit":64,"CpuShares":0,"NanoCpus":0,
        "RestartPolicy":{"Name":"always","MaximumRetryCount":3},"Devices":[{"PathOnHost":"/dev/null"}],
        "PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}},
    "Mounts":[{"Type":"bind","Source":"/s","Destination":"/d","Mode":"","RW":true,"Propagation":"rprivate"}],
    "NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]}}}"#;

/// The JSON pointers of everything in a value.
fn pointers(value: &serde_json::Value, at: &str, all: &mut Vec<String>) {
    let members: Vec<(String, &serde_json::Value)> = match value {
        serde_json::Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.replace('/', "~1"), member))
            .collect(),
        serde_json::Value::Array(elements) => elements
            .iter()
            .enumerate()
            .map(|(index, element)| (index.to_string(), element))
            .collect(),
        _ => Vec::new(),
    };
    for (name, member) in members {
        let pointer = format!("{at}/{name}");
        pointers(member, &pointer, all);
        all.push(pointer);
    }
}

#[test]
fn every_member_may_be_of_any_type_and_costs_at_most_itself() {
    let whole: serde_json::Value = serde_json::from_str(&WHOLE.replace("ID", ID)).expect("JSON");
    let mut all = Vec::new();
    pointers(&whole, "", &mut all);
    assert!(all.len() > 60, "{}", all.len());
    let nested = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let others = [
        "null",
        "true",
        "-1",
        "1e300",
        "99999999999999999999999",
        r#""x""#,
        r#""\u0000\u202e""#,
        "[]",
        "[null, 7, {}]",
        "{}",
        r#"{"": null, "/": [{}]}"#,
        &nested,
    ];
    for pointer in &all {
        for other in others {
            let mut value = whole.clone();
            *value.pointer_mut(pointer).expect("a member") =
                serde_json::from_str(other).expect("JSON");
            let told = format!("{pointer}: {other}");
            let answer: ContainerAnswer = serde_json::from_str(&value.to_string()).expect(&told);
            assert!(pointer == "/Id" || answer.id == ID, "{told}");
            let inspected = answer.into_inspected(Engine::Docker, &ImageAnswer::default());
            assert!(pointer == "/Name" || inspected.name == "web", "{told}");
            let is_label = pointer.starts_with("/Config");
            assert!(is_label || inspected.labels.len() == 1, "{told}");
            let is_mount = pointer.starts_with("/Mounts") || pointer.contains("Tmpfs");
            assert!(
                is_mount || pointer == "/HostConfig" || inspected.mounts.len() == 2,
                "{told}"
            );
        }
    }
}

#[test]
fn what_is_nested_without_end_is_refused() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
        let json = format!(r#"{{"Id":"{ID}","HostConfig":{{"x":{deep}}}}}"#);
        assert!(serde_json::from_str::<ContainerAnswer>(&json).is_err());
    }
}
