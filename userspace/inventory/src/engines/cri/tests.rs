mod fake;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use bstr::BString;
use prost::Message;
use tokio::io::AsyncWriteExt;
use tonic::Code;
use vigia_event::container::HostNamespaces;

use self::fake::{Answer, Fake, ok, unknown};
use super::messages::*;
use super::*;
use crate::engines::watched::{Watched, short};
use crate::engines::{EngineMessage, EngineRequest};

const ID: &str = "cb88e9aa616de881d907571c99dd391a8b8e42a205685db372ef402055eb838a";
const OTHER: &str = "aa0ab810283dba822752b3bc8e939426f544725b0f000f67a61b213765fd8854";
const POD: &str = "9d0c6f2c8d2a40b0b58bd6a3a6a2f70ea3d19d2bb7f5c6a6ce8a3f1f5d4d2b11";
const IMAGE: &str = "sha256:1080c4e3474155dc6d57b41472d809a797dfb5e7fb1d50eef4a5ed2473bf93cc";
const DIGEST: &str = "docker.io/library/nginx@sha256:2f6c1b3c9a0f6fbd5e2d8a2a4e5d6c7b8a9f0e1d2c3b4a5968778695a4b3c2d1";

/// What containerd adds to a container's status, shortened.
const CONTAINERD_INFO: &str = r#"{
    "sandboxID": "9d0c6f2c8d2a40b0b58bd6a3a6a2f70ea3d19d2bb7f5c6a6ce8a3f1f5d4d2b11", "pid": 4242, "removing": false, "snapshotter": "overlayfs",
    "config": {"metadata": {"name": "web"}, "image": {"image": "sha256:1080c4e3474155dc6d57b41472d809a797dfb5e7fb1d50eef4a5ed2473bf93cc"},
        "envs": [{"key": "DB_PASSWORD", "value": "hush"}], "devices": [{"container_path": "/dev/x", "host_path": "/dev/fuse"}],
        "linux": {"resources": {}, "security_context": {
            "capabilities": {"add_capabilities": ["NET_ADMIN"], "drop_capabilities": ["ALL"]},
            "namespace_options": {"network": 2, "pid": 1, "ipc": 0}, "seccomp": {"profile_type": 2, "localhost_ref": "x.json"}}}},
    "runtimeSpec": {"ociVersion": "1.0.2", "process": {"user": {"uid": 1000, "gid": 2000}, "env": ["PATH=/bin", "DB_PASSWORD=hush"],
            "capabilities": {"bounding": ["CAP_NET_ADMIN"]}, "noNewPrivileges": true, "apparmorProfile": "cri-containerd.apparmor.d"},
        "root": {"path": "rootfs", "readonly": true},
        "mounts": [{"destination": "/dev", "type": "tmpfs", "options": ["nosuid"]}, {"destination": "/scratch", "type": "tmpfs", "options": []},
            {"destination": "/proc", "type": "proc"}],
        "linux": {"resources": {"memory": {"limit": 67108864}, "cpu": {"quota": 50000, "period": 100000}, "pids": {"limit": 64}},
            "seccomp": {"defaultAction": "SCMP_ACT_ERRNO"},
            "namespaces": [{"type": "pid"}, {"type": "ipc", "path": "/proc/7/ns/ipc"}, {"type": "uts", "path": "/proc/7/ns/uts"}, {"type": "mount"},
                {"type": "network", "path": "/proc/7/ns/net"}, {"type": "cgroup"}]}}}"#;

/// What CRI-O adds: nothing of what it was asked for.
const CRIO_INFO: &str = r#"{
    "sandboxID": "9d0c6f2c8d2a40b0b58bd6a3a6a2f70ea3d19d2bb7f5c6a6ce8a3f1f5d4d2b11", "pid": 77, "privileged": false,
    "runtimeSpec": {"process": {"user": {"uid": 0, "gid": 0}, "selinuxLabel": "system_u:system_r:container_t:s0",
            "capabilities": {"bounding": ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID",
                "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_KILL", "CAP_SYS_TIME"]}},
        "linux": {"devices": [{"path": "/dev/fuse", "type": "c"}], "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "cgroup"}]}}}"#;

fn map<const N: usize>(entries: [(&str, &str); N]) -> HashMap<String, String> {
    let owned = entries.map(|(key, value)| (key.to_owned(), value.to_owned()));
    HashMap::from(owned)
}

fn container(id: &str, name: &str, info: &str) -> ContainerStatusResponse {
    let status = ContainerStatus {
        id: id.to_owned(),
        metadata: Some(ContainerMetadata {
            name: name.to_owned(),
        }),
        created_at: 1_795_297_245_105_166_127,
        image: Some(ImageSpec {
            image: "docker.io/library/nginx:1.27".to_owned(),
            user_specified_image: String::new(),
        }),
        image_ref: DIGEST.to_owned(),
        labels: map([("tier", "front"), ("io.kubernetes.container.name", name)]),
        mounts: vec![
            Mount {
                container_path: "/etc/hosts".to_owned(),
                host_path: "/var/lib/kubelet/pods/u/etc-hosts".to_owned(),
                readonly: false,
                propagation: 0,
            },
            Mount {
                container_path: "/data".to_owned(),
                host_path: "/srv".to_owned(),
                readonly: true,
                propagation: 1,
            },
        ],
        image_id: String::new(),
    };
    ContainerStatusResponse {
        status: Some(status),
        info: map([("info", info)]),
    }
}

fn sandbox(id: &str) -> PodSandboxStatusResponse {
    let status = PodSandboxStatus {
        id: id.to_owned(),
        metadata: Some(PodSandboxMetadata {
            name: "shop-7d8".to_owned(),
            uid: "u-1".to_owned(),
            namespace: "prod".to_owned(),
        }),
        created_at: 5,
        linux: None,
        labels: map([("app", "shop"), ("io.kubernetes.pod.name", "shop-7d8")]),
    };
    PodSandboxStatusResponse {
        status: Some(status),
        info: map([(
            "info",
            r#"{"pid": 7, "image": "registry.k8s.io/pause:3.6"}"#,
        )]),
    }
}

fn listed(ids: &[(&str, i32)]) -> ListContainersResponse {
    let listed = |&(id, state): &(&str, i32)| ListedContainer {
        id: id.to_owned(),
        state,
    };
    ListContainersResponse {
        containers: ids.iter().map(listed).collect(),
    }
}

/// A healthy engine: a container in a pod, and one that ended.
fn healthy(method: &str, id: &str) -> Answer {
    static LISTED: LazyLock<ListContainersResponse> =
        LazyLock::new(|| listed(&[(ID, 1), (OTHER, 2), ("../../etc", 1)]));
    match (method, id) {
        ("Version", _) => ok(&VersionResponse {
            runtime_name: "containerd".to_owned(),
            runtime_version: "1.6.20".to_owned(),
        }),
        ("ListContainers", _) => ok(&*LISTED),
        ("ListPodSandbox", _) => ok(&ListPodSandboxResponse::default()),
        ("ContainerStatus", ID) => ok(&container(ID, "web", CONTAINERD_INFO)),
        ("PodSandboxStatus", POD) => ok(&sandbox(POD)),
        ("ImageStatus", _) => ok(&ImageStatusResponse {
            image: Some(Image {
                id: IMAGE.to_owned(),
                repo_tags: vec!["docker.io/library/nginx:1.27".to_owned()],
                repo_digests: vec![DIGEST.to_owned()],
            }),
        }),
        ("GetContainerEvents", _) => Answer::Refuse(Code::Unimplemented, "unknown method".into()),
        _ => unknown(),
    }
}

fn texts(list: &[BString]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_container_is_read_as_containerd_tells_it() {
    let mut scene = Watched::new(Engine::Containerd);
    let _fake = Fake::start(&scene.socket(), healthy);
    assert_eq!(scene.next_but_lost().await, "connected 1.6.20");
    let (engine, inspected) = scene.inspected().await;
    assert_eq!(engine, Engine::Containerd);
    assert_eq!(
        [
            &inspected.name,
            &inspected.image,
            &inspected.image_repository,
            &inspected.image_tag,
            &inspected.image_digest,
            &inspected.image_id,
        ],
        [
            "web",
            "docker.io/library/nginx:1.27",
            "docker.io/library/nginx",
            "1.27",
            DIGEST.split_once('@').expect("a digest").1,
            IMAGE
        ]
    );
    assert_eq!(inspected.pid, 4242);
    assert_eq!(inspected.created_ns, 1_795_297_245_105_166_127);
    let pod = inspected.pod().expect("a pod");
    assert_eq!(pod.name(), Some(&"shop-7d8".into()));
    assert_eq!(pod.namespace(), Some(&"prod".into()));
    assert_eq!(pod.uid(), Some(&"u-1".into()));
    assert_eq!(pod.sandbox_id(), Some(&POD.into()));
    assert_eq!(inspected.label("tier"), Some(&"front".into()));
    assert_eq!(inspected.pod_labels["app"], "shop");
    let mounts: Vec<_> = inspected
        .mounts
        .iter()
        .map(|mount| (mount.destination.to_string(), mount.read_write))
        .collect();
    assert_eq!(
        mounts,
        [("/data".into(), false), ("/etc/hosts".into(), true)]
    );
    assert_eq!(inspected.mounts[0].propagation, "rslave");

    let promises = &inspected.promises;
    assert!(inspected.declared_read_only && !inspected.privileged);
    assert!(promises.no_new_privileges);
    assert_eq!(promises.user, "1000:2000");
    assert_eq!(texts(&promises.capabilities_added), ["CAP_NET_ADMIN"]);
    assert_eq!(texts(&promises.capabilities_dropped), ["ALL"]);
    assert_eq!(promises.seccomp, "custom");
    assert_eq!(promises.apparmor, "cri-containerd.apparmor.d");
    assert_eq!(promises.memory_limit_bytes, 64 << 20);
    assert_eq!((promises.pids_limit, promises.cpu_limit_millis), (64, 500));
    assert_eq!(texts(&promises.devices), ["/dev/fuse"]);
    assert_eq!(texts(&promises.tmpfs), ["/scratch"]);
    assert_eq!(texts(&promises.secret_variables), ["DB_PASSWORD"]);
    let network = HostNamespaces {
        network: true,
        ..HostNamespaces::default()
    };
    assert_eq!(inspected.host_namespaces, network);
    let joined = promises.joined_namespaces;
    assert!(joined.ipc && joined.uts && joined.network && !joined.pid && !joined.cgroup);
    assert!(!format!("{inspected:?}").contains("hush"));
}

#[tokio::test]
async fn a_container_is_read_as_crio_tells_it() {
    let mut scene = Watched::new(Engine::Containerd);
    let _fake = Fake::start(&scene.socket(), |method, id| match (method, id) {
        ("Version", _) => ok(&VersionResponse {
            runtime_name: "cri-o".to_owned(),
            runtime_version: "1.30.0".to_owned(),
        }),
        ("ContainerStatus", ID) => {
            let mut answer = container(ID, "web", CRIO_INFO);
            let status = answer.status.as_mut().expect("a status");
            status.image_id = IMAGE.to_owned();
            let image = status.image.as_mut().expect("an image");
            image.image = IMAGE.trim_start_matches("sha256:").to_owned();
            image.user_specified_image = "nginx:1.27".to_owned();
            ok(&answer)
        }
        _ => healthy(method, id),
    });
    let (engine, inspected) = scene.inspected().await;
    assert_eq!(engine, Engine::CriO, "whatever the socket is called");
    assert_eq!(inspected.image, "nginx:1.27");
    assert_eq!(inspected.image_repository, "docker.io/library/nginx");
    assert_eq!(
        (&inspected.image_id, &inspected.image_tag),
        (&IMAGE.into(), &"1.27".into())
    );
    let promises = &inspected.promises;
    assert_eq!(promises.user, "", "root");
    assert_eq!(promises.seccomp, "unconfined");
    assert_eq!(texts(&promises.capabilities_added), ["CAP_SYS_TIME"]);
    assert_eq!(
        texts(&promises.capabilities_dropped),
        [
            "CAP_NET_RAW",
            "CAP_SYS_CHROOT",
            "CAP_MKNOD",
            "CAP_AUDIT_WRITE",
            "CAP_SETFCAP"
        ]
    );
    assert_eq!(texts(&promises.devices), ["/dev/fuse"]);
    assert!(inspected.host_namespaces.network, "the runtime makes none");
}

#[tokio::test]
async fn a_sandbox_is_named_like_its_pod() {
    let mut scene = Watched::new(Engine::Containerd);
    let _fake = Fake::start(&scene.socket(), |method, id| match method {
        "ListContainers" => ok(&ListContainersResponse::default()),
        "ListPodSandbox" => ok(&ListPodSandboxResponse {
            items: vec![
                ListedSandbox {
                    id: POD.to_owned(),
                    state: 0,
                },
                ListedSandbox {
                    id: OTHER.to_owned(),
                    state: 1,
                },
            ],
        }),
        "ImageStatus" => unknown(),
        _ => healthy(method, id),
    });
    let (_, inspected) = scene.inspected().await;
    assert_eq!(inspected.name, "shop-7d8");
    assert_eq!((&inspected.image_tag, inspected.pid), (&"3.6".into(), 7));
    assert_eq!(inspected.image_repository, "registry.k8s.io/pause");
    let pod = inspected.pod().expect("a pod");
    assert_eq!(pod.sandbox_id(), Some(&POD.into()));
    assert_eq!(inspected.pod_labels["app"], "shop");
}

#[tokio::test]
async fn a_pod_or_image_that_is_not_told_for_a_moment_is_asked_for_again() {
    // Nothing but the image's own answer tells this id.
    let told = Image {
        id: format!("sha256:{}", "b".repeat(64)),
        ..Image::default()
    };
    for sick in ["PodSandboxStatus", "ImageStatus"] {
        for (failures, is_told) in [(2, true), (u32::MAX, false)] {
            let mut scene = Watched::new(Engine::Containerd);
            let image = Some(told.clone());
            let mut asked = 0;
            let _fake = Fake::start(&scene.socket(), move |method, id| {
                asked += u32::from(method == sick);
                match method {
                    _ if method == sick && asked <= failures => {
                        Answer::Refuse(Code::Unavailable, "busy".into())
                    }
                    "ImageStatus" => ok(&ImageStatusResponse {
                        image: image.clone(),
                    }),
                    _ => healthy(method, id),
                }
            });
            let (_, inspected) = scene.inspected().await;
            let is_known = match sick {
                "ImageStatus" => inspected.image_id == told.id.as_str(),
                _ => inspected.pod_labels.contains_key("app"),
            };
            assert_eq!(is_known, is_told, "{sick} {failures}");
        }
    }
}

#[tokio::test]
async fn odd_information_costs_nothing_but_itself() {
    for info in [
        "",
        "7",
        "{",
        r#"{"pid": "x", "sandboxID": 7, "config": [], "runtimeSpec": "?"}"#,
        r#"{"pid": -1, "config": {"linux": null, "devices": {}}, "runtimeSpec": {"process": 7, "mounts": null, "linux": {"seccomp": 1}}}"#,
    ] {
        let mut scene = Watched::new(Engine::Containerd);
        let _fake = Fake::start(&scene.socket(), move |method, id| match (method, id) {
            ("ContainerStatus", ID) => ok(&container(ID, "web", info)),
            _ => healthy(method, id),
        });
        let (_, inspected) = scene.inspected().await;
        assert_eq!(
            (&inspected.name, inspected.pid),
            (&"web".into(), 0),
            "{info}"
        );
        assert_eq!(inspected.image_tag, "1.27", "{info}");
    }
}

#[tokio::test]
async fn labels_and_mounts_without_end_are_cut() {
    let mut scene = Watched::new(Engine::Containerd);
    let _fake = Fake::start(&scene.socket(), |method, id| match (method, id) {
        ("ContainerStatus", ID) => {
            let mut answer = container(ID, &"w".repeat(1 << 16), CONTAINERD_INFO);
            let status = answer.status.as_mut().expect("a status");
            status.labels = (0..9000)
                .map(|number| (format!("a{number}"), "x".repeat(1000)))
                .collect();
            status.mounts = vec![status.mounts[0].clone(); 5000];
            ok(&answer)
        }
        _ => healthy(method, id),
    });
    let (_, inspected) = scene.inspected().await;
    assert!(inspected.labels.len() < 300 && inspected.mounts.len() <= 1024);
    assert!(inspected.name.len() <= 4096);
    assert_eq!(
        inspected.pod().and_then(|pod| pod.name()),
        Some(&"shop-7d8".into()),
        "labels do not push the pod out"
    );
}

#[tokio::test]
async fn a_container_that_is_known_late_is_asked_for_again() {
    let mut scene = Watched::new(Engine::Containerd);
    let asked = AtomicU32::new(0);
    let _fake = Fake::start(&scene.socket(), move |method, id| match (method, id) {
        ("ContainerStatus", OTHER) if asked.fetch_add(1, Ordering::Relaxed) >= 3 => {
            ok(&container(OTHER, "late", CONTAINERD_INFO))
        }
        _ => healthy(method, id),
    });
    assert_eq!(scene.next_but_lost().await, "connected 1.6.20");
    assert_eq!(scene.next_but_lost().await, "cb88 web");
    scene.ask(EngineRequest::Inspect(OTHER.into())).await;
    assert_eq!(scene.next_but_lost().await, "aa0a late");
    // Nothing of Swarm is known here, and nothing is said of it.
    let secret = "odyhv6fhv9qb76mwjswo3norn";
    scene.ask(EngineRequest::Resolve(secret.into())).await;
    scene.ask(EngineRequest::Inspect("f".repeat(64))).await;
    assert_eq!(scene.next_but_lost().await, "ffff not found");
}

#[tokio::test]
async fn one_answer_that_hangs_or_lies_or_never_ends_costs_only_itself() {
    for answer in [
        Answer::Hang,
        Answer::Garbage,
        Answer::Endless(100 << 20),
        Answer::Message(Vec::new()),
        Answer::Stream(Vec::new()),
        Answer::Ends(Vec::new()),
        ok(&container(OTHER, "liar", CONTAINERD_INFO)),
    ] {
        let mut scene = Watched::new(Engine::Containerd);
        let told = answer.clone();
        let _fake = Fake::start(&scene.socket(), move |method, id| match method {
            "ContainerStatus" if id.starts_with('0') => answer.clone(),
            method => healthy(method, id),
        });
        assert_eq!(scene.next_but_lost().await, "connected 1.6.20");
        assert_eq!(scene.next_but_lost().await, "cb88 web");
        for number in 0..3 {
            let id = format!("{number:064x}");
            scene.ask(EngineRequest::Inspect(id)).await;
        }
        scene.ask(EngineRequest::Inspect(ID.into())).await;
        assert_eq!(short(&scene.next().await), "cb88 web", "{told:?}");
    }
}

#[tokio::test]
async fn an_engine_that_is_sick_is_lost_and_found_again_when_it_is_well() {
    for (sick, answer) in [
        ("Version", Answer::Hang),
        ("Version", Answer::Garbage),
        ("Version", Answer::Endless(100 << 20)),
        (
            "Version",
            Answer::Refuse(Code::Unimplemented, "unknown service".into()),
        ),
        ("Version", Answer::Refuse(Code::Internal, "x".repeat(5000))),
        ("ListContainers", Answer::Hang),
        ("ListContainers", Answer::Endless(100 << 20)),
        ("ListPodSandbox", Answer::Garbage),
    ] {
        let mut scene = Watched::new(Engine::Containerd);
        let told = answer.clone();
        let fake = Fake::start(&scene.socket(), move |method, id| {
            if method == sick {
                answer.clone()
            } else {
                healthy(method, id)
            }
        });
        let lost = scene.loss().await;
        assert!(lost.len() < 1000, "{sick} {told:?}: {lost}");
        drop(fake);
        let _well = Fake::start(&scene.socket(), healthy);
        while scene.next_but_lost().await != "cb88 web" {}
    }
}

#[tokio::test]
async fn one_that_only_docker_uses_is_nothing_to_worry_about() {
    for (code, harmless) in [(Code::Unimplemented, true), (Code::Internal, false)] {
        let mut scene = Watched::new(Engine::Containerd);
        let _fake = Fake::start(&scene.socket(), move |_, _| {
            Answer::Refuse(code, "unknown service".into())
        });
        loop {
            if let EngineMessage::Lost {
                reason,
                is_harmless,
                ..
            } = scene.next().await
                && !reason.contains("cannot connect")
            {
                assert_eq!(is_harmless, harmless, "{reason}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_engine_at_all_is_none() {
    let mut scene = Watched::new(Engine::CriO);
    let _fake = Fake::listen(&scene.socket(), |mut stream| async move {
        let _ = stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n\x1b[31m")
            .await;
    });
    let lost = scene.loss().await;
    assert!(lost.len() < 1000 && !lost.contains('\u{1b}'), "{lost}");
}

#[tokio::test]
async fn an_engine_that_dies_is_reported_and_listed_anew() {
    let mut scene = Watched::new(Engine::Containerd);
    assert_eq!(short(&scene.next().await), "lost", "there is none yet");
    for _ in 0..2 {
        let fake = Fake::start(&scene.socket(), healthy);
        assert_eq!(short(&scene.next().await), "connected 1.6.20");
        assert_eq!(short(&scene.next().await), "cb88 web");
        drop(fake);
        let _ = std::fs::remove_file(scene.socket());
        scene.absence().await;
        scene.expect_nothing().await;
    }
}

fn event(kind: i32, id: &str) -> Vec<u8> {
    let container_id = id.to_owned();
    ContainerEvent { container_id, kind }.encode_to_vec()
}

#[tokio::test]
async fn what_is_announced_is_inspected_or_forgotten() {
    for ends in [false, true] {
        let mut scene = Watched::new(Engine::Containerd);
        let events = vec![
            event(0, "../x"),
            vec![],
            event(1, OTHER),
            event(2, OTHER),
            event(3, OTHER),
        ];
        let _fake = Fake::start(&scene.socket(), move |method, id| match (method, id) {
            ("GetContainerEvents", _) if ends => Answer::Ends(events.clone()),
            ("GetContainerEvents", _) => Answer::Stream(events.clone()),
            ("ContainerStatus", OTHER) => ok(&container(OTHER, "db", CONTAINERD_INFO)),
            _ => healthy(method, id),
        });
        assert_eq!(scene.next_but_lost().await, "connected 1.6.20");
        scene.hears(&["aa0a db", "aa0a gone", "cb88 web"]).await;
    }
}

#[tokio::test]
async fn what_was_not_announced_is_found_by_and_by() {
    let mut scene = Watched::new(Engine::Containerd);
    let runs = Arc::new(AtomicBool::new(true));
    let other_runs = Arc::clone(&runs);
    let _fake = Fake::start(&scene.socket(), move |method, id| match (method, id) {
        ("ListContainers", _) if other_runs.load(Ordering::Relaxed) => {
            ok(&listed(&[(ID, 1), (OTHER, 0)]))
        }
        ("ContainerStatus", OTHER) => ok(&container(OTHER, "db", CONTAINERD_INFO)),
        _ => healthy(method, id),
    });
    assert_eq!(scene.next_but_lost().await, "connected 1.6.20");
    let mut said = [scene.next_but_lost().await, scene.next_but_lost().await];
    said.sort();
    assert_eq!(said, ["aa0a db", "cb88 web"]);
    runs.store(false, Ordering::Relaxed);
    assert_eq!(scene.next_but_lost().await, "aa0a gone");
    runs.store(true, Ordering::Relaxed);
    assert_eq!(scene.next_but_lost().await, "aa0a db");
}
