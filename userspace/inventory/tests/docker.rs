//! The inventory against the machine's own Docker; skipped where there is none.
#![allow(clippy::print_stdout, reason = "a skipped test says why")]

use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::timeout;
use vigia_event::container::{Engine, Inspected};
use vigia_event::mount::MountKind;
use vigia_event::process::ProcessKey;
use vigia_event::secret::SecretKind;
use vigia_inventory::containers::{
    ContainerTable, ExistingTask, Options, Request, open_secret_files,
};
use vigia_inventory::engines::{
    self, EngineMessage, EngineRequest, EngineSender, Reach, Said, Source, SourceId,
};
use vigia_inventory::{cgroup, processes};

const SOCKET: &str = "/var/run/docker.sock";
const BUSYBOX: &str = "/bin/busybox";

fn docker(args: &[&str]) -> Option<String> {
    let output = Command::new("docker")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What the test made in Docker; removed when it ends.
struct Made(Vec<Vec<String>>);

impl Made {
    fn note(&mut self, undo: &[&str]) {
        self.0
            .push(undo.iter().map(|&word| word.to_owned()).collect());
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for undo in self.0.iter().rev() {
            let words: Vec<&str> = undo.iter().map(String::as_str).collect();
            docker(&words);
        }
    }
}

/// An image of the test's own; `None`, with a word why, where that cannot be.
fn image(made: &mut Made) -> Option<String> {
    // Each test its own: one that ends removes its image under the other's feet.
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("vigia-inventory-test:{}-{number}", std::process::id());
    if docker(&["version"]).is_none() || !Path::new(SOCKET).exists() {
        println!("skipped: no docker");
        return None;
    }
    if !Path::new(BUSYBOX).exists() {
        println!("skipped: no static busybox");
        return None;
    }
    let script = format!(
        "set -e; d=$(mktemp -d); mkdir -p $d/bin $d/etc; cp {BUSYBOX} $d/bin/busybox; ln -s busybox $d/bin/sh; \
         ln -s busybox $d/bin/sleep; echo 'root:x:0:0::/:/bin/sh' > $d/etc/passwd; \
         tar -C $d -c . | docker import - {name}; rm -r $d"
    );
    let imported = Command::new("sh")
        .args(["-c", &script])
        .stdout(Stdio::null())
        .status()
        .expect("a shell");
    assert!(imported.success(), "docker import");
    made.note(&["image", "rm", "-f", &name]);
    Some(name)
}

const SOURCE: Source = Source {
    id: SourceId(0),
    reach: Reach::Everybody,
};

struct Watched {
    messages: mpsc::Receiver<Said>,
    requests: mpsc::Sender<EngineRequest>,
}

impl Watched {
    fn start() -> Self {
        let (sender, messages) = mpsc::channel(64);
        let (requests, asked) = mpsc::channel(64);
        tokio::spawn(engines::watch(
            engines::Options::new(Engine::Docker, SOCKET),
            EngineSender::new(SOURCE, sender),
            asked,
        ));
        Self { messages, requests }
    }

    async fn until<T>(&mut self, mut wanted: impl FnMut(&EngineMessage) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = timeout(left, self.messages.recv())
                .await
                .expect("in time")
                .expect("a message")
                .message;
            if let Some(found) = wanted(&message) {
                return found;
            }
        }
    }

    async fn inspected(&mut self, wanted: &str) -> std::sync::Arc<Inspected> {
        self.until(|message| match message {
            EngineMessage::Inspected { id, inspected, .. } if id == wanted => {
                Some(inspected.clone())
            }
            _ => None,
        })
        .await
    }
}

#[tokio::test]
async fn a_container_is_known_before_it_starts_and_gone_when_it_is_removed() {
    let mut made = Made(Vec::new());
    let Some(image) = image(&mut made) else {
        return;
    };
    let mut watched = Watched::start();
    watched
        .until(|message| matches!(message, EngineMessage::Connected { .. }).then_some(()))
        .await;

    let create = [
        "create",
        "--read-only",
        "--tmpfs",
        "/t",
        "-l",
        "team=blue",
        "--health-cmd",
        "true",
        "--health-interval",
        "7s",
    ];
    let id = docker(&[&create[..], &[&image, "/bin/sleep", "600"]].concat()).expect("a container");
    made.note(&["rm", "-f", &id]);
    let inspected = watched.inspected(&id).await;
    assert_eq!(inspected.pid, 0, "it has not started");
    assert_eq!(inspected.image, image);
    assert_eq!(inspected.image_repository, "vigia-inventory-test");
    assert!(inspected.declared_read_only && !inspected.privileged);
    assert_eq!(
        inspected.label("team").map(ToString::to_string),
        Some("blue".to_owned())
    );
    assert_eq!(inspected.health_check, ["/bin/sh", "-c", "true"]);
    assert_eq!(inspected.health_check_interval_s, 7);
    assert!(inspected.created_ns > 1_700_000_000_000_000_000);
    assert_eq!(
        inspected
            .mounts
            .first()
            .map(|mount| mount.destination.to_string()),
        Some("/t".to_owned())
    );

    docker(&["rename", &id, &format!("vigia-{}", std::process::id())]).expect("a new name");
    assert_eq!(
        watched.inspected(&id).await.name,
        format!("vigia-{}", std::process::id()).as_str()
    );
    docker(&["rm", "-f", &id]).expect("it can be removed");
    watched
        .until(|message| {
            matches!(message, EngineMessage::Gone { id: gone, .. } if *gone == id).then_some(())
        })
        .await;
}

#[tokio::test]
async fn the_secrets_of_a_swarm_task_are_found_learned_and_named() {
    let mut made = Made(Vec::new());
    let Some(image) = image(&mut made) else {
        return;
    };
    if docker(&["node", "ls"]).is_none() {
        println!("skipped: no manager of a Swarm");
        return;
    }
    let name = format!("vigia-inventory-{}", std::process::id());
    for (kind, part) in [("secret", "db"), ("secret", "tls"), ("config", "app")] {
        let object = format!("{name}-{part}");
        docker(&[kind, "create", &object, "/etc/hostname"]).expect("a secret");
        made.note(&[kind, "rm", &object]);
    }
    let secret = format!("{name}-db");
    let custom = format!("source={name}-tls,target=/etc/tls/key");
    let config = format!("source={name}-app,target=/etc/app.conf");
    let service = [
        "service",
        "create",
        "-q",
        "-d",
        "--no-resolve-image",
        "--restart-condition",
        "none",
        "--read-only",
        "--name",
        &name,
    ];
    let secrets = [
        "--secret", &secret, "--secret", &custom, "--config", &config,
    ];
    docker(&[&service[..], &secrets, &[&image, "/bin/sleep", "600"]].concat()).expect("a service");
    made.note(&["service", "rm", &name]);

    let mut watched = Watched::start();
    let filter = format!("label=com.docker.swarm.service.name={name}");
    let deadline = Instant::now() + Duration::from_secs(40);
    let (id, pid) = loop {
        assert!(Instant::now() < deadline, "the task starts");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let id = docker(&["ps", "-q", "--no-trunc", "--filter", &filter]).unwrap_or_default();
        if id.len() == 64 {
            let pid =
                docker(&["inspect", "-f", "{{.State.Pid}}", &id]).and_then(|pid| pid.parse().ok());
            break (id, pid.expect("a pid"));
        }
    };
    let inspected = watched.inspected(&id).await;
    assert_eq!(
        inspected
            .swarm()
            .and_then(|swarm| swarm.service())
            .map(ToString::to_string),
        Some(name.clone())
    );

    let proc_root = Path::new("/proc");
    let own = processes::read_process(proc_root, 1, &Default::default()).expect("init");
    let mut table = ContainerTable::new(Options {
        host_mnt_ns: own.process.task.namespaces.mnt,
        ..Options::default()
    });
    table.await_engine(SOURCE);
    let scanned = processes::read_process(proc_root, pid, &Default::default())
        .expect("the container's first process");
    let cgroup_path = [Some("memory"), Some("name=systemd"), None]
        .into_iter()
        .filter_map(|controller| cgroup::path_in(&scanned.cgroups, controller))
        .find(|path| cgroup::container_of(path).is_some())
        .expect("a container's cgroup");
    let existing = ExistingTask {
        process: ProcessKey::new(pid, scanned.process.task.start_boottime_ns),
        start_time_ns: 0,
        mnt_ns: scanned.process.task.namespaces.mnt,
        cgroup_path: cgroup_path.into(),
    };
    table.add_existing(&[existing], 1);

    let container = table.get(&id).expect("the container").clone();
    let mounts = container.mounts.clone().expect("its mounts");
    assert_eq!(mounts.root_read_only(), Some(true));
    assert_eq!(
        mounts.find(b"/etc/hosts").map(|mount| mount.kind),
        Some(MountKind::Engine)
    );
    let kinds = |table: &ContainerTable| -> Vec<(String, SecretKind)> {
        let mounts = table
            .get(&id)
            .and_then(|container| container.mounts.clone())
            .expect("mounts");
        let mut kinds: Vec<_> = mounts
            .secrets
            .iter()
            .map(|secret| (secret.name.to_string(), secret.kind))
            .collect();
        kinds.sort_by(|one, other| one.0.cmp(&other.0));
        kinds
    };
    assert_eq!(
        kinds(&table),
        [
            ("app.conf".into(), SecretKind::Unknown),
            ("key".into(), SecretKind::Unknown),
            (secret.clone(), SecretKind::Secret)
        ]
    );

    // Every secret can be opened, at its own place and nowhere else; a manager names it.
    let mut opened = 0;
    for request in table.take_requests() {
        match request {
            Request::LearnSecret(learn) if learn.path != "/run/secrets" => {
                let files = open_secret_files(proc_root, &learn)
                    .expect("its file")
                    .files;
                assert_eq!(files.len(), 1, "{learn:?}");
                let content = std::fs::read(format!("/proc/self/fd/{}", files[0].as_raw_fd()))
                    .expect("its content");
                assert_eq!(content, std::fs::read("/etc/hostname").expect("a file"));
                opened += 1;
            }
            Request::Resolve { id } => {
                watched
                    .requests
                    .send(EngineRequest::Resolve(id.clone()))
                    .await
                    .expect("a listener");
                let message = watched
                    .until(|message| {
                        matches!(message, EngineMessage::Resolved { id: named, .. } if *named == id)
                            .then(|| message.clone())
                    })
                    .await;
                table.apply(&Said {
                    source: SOURCE.id,
                    message,
                });
            }
            _ => {}
        }
    }
    assert_eq!(opened, 3);
    let expected = [
        ("app", SecretKind::Config),
        ("db", SecretKind::Secret),
        ("tls", SecretKind::Secret),
    ];
    assert_eq!(
        kinds(&table),
        expected.map(|(part, kind)| (format!("{name}-{part}"), kind))
    );
}
