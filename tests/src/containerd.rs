//! A containerd of our own, apart from any other on the machine, and pods in it as a kubelet makes them.

pub mod calls;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use self::calls::{
    Client, ContainerConfig, ContainerMetadata, CreateContainer, ExecSync, Executed, Id,
    ImageFound, ImageSpec, ImageStatus, Namespaces, Nothing, PodConfig, PodLinux, PodMetadata,
    PodSecurity, RunPodSandbox, Version,
};
use crate::agent::signal;
use crate::docker::{Docker, unique};
use crate::image::{self, Image};
use crate::{command, wait};

/// A containerd that serves Kubernetes, with folders and socket of its own; stopped when it and its pods are dropped.
#[derive(Debug)]
pub struct Containerd {
    daemon: Rc<Daemon>,
    /// The image of the tests, as containerd names it.
    pub image: String,
    /// The image's digest: `sha256:` and hex digits.
    pub digest: String,
}

/// The process, stopped by its id when dropped.
#[derive(Debug)]
struct Daemon {
    child: Child,
    client: Client,
    folder: TempDir,
}

/// A pod; removed with its containers when dropped.
#[derive(Debug)]
pub struct Pod {
    daemon: Rc<Daemon>,
    image: String,
    config: PodConfig,
    /// The id of its sandbox: 64 hex digits.
    pub id: String,
}

impl Containerd {
    /// Starts one with the image of the tests in it, which `docker` packs. The image idles unless it is told what to do, so
    /// that it does for sandboxes, too.
    ///
    /// # Errors
    /// There is no `containerd`, it does not serve Kubernetes within a minute (the end of its log is in the message), or it
    /// does not take the image.
    pub fn start(docker: &Docker) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("vigia-containerd-")
            .tempdir()?;
        let image = format!("docker.io/library/{}:1", unique("pod"));
        let configuration = folder.path().join("config.toml");
        std::fs::write(&configuration, configured(folder.path(), &image))?;
        let log = File::create(folder.path().join("containerd.log"))?;
        let mut child = Command::new("containerd")
            .arg("--config")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting containerd (Debian package containerd)")?;
        let answers = wait::poll(wait::seconds(60), || match child.try_wait() {
            Ok(None) => answering(&socket_in(folder.path())).map(Some),
            _ => Some(None),
        });
        let Some(Some(client)) = answers else {
            drop(child.kill());
            drop(child.wait());
            bail!("containerd does not answer: {}", log_tail(folder.path()));
        };
        let daemon = Rc::new(Daemon {
            child,
            client,
            folder,
        });
        let digest = daemon.import(docker, &image)?;
        Ok(Self {
            daemon,
            image,
            digest,
        })
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        socket_in(self.daemon.folder.path())
    }

    /// Starts a pod on the host's network, which needs no plugin to set it up.
    ///
    /// # Errors
    /// The engine cannot.
    pub fn pod(&self, name: &str, namespace: &str, labels: &[(&str, &str)]) -> Result<Pod> {
        let metadata = PodMetadata {
            name: name.to_owned(),
            uid: format!("{}-uid", unique("pod")),
            namespace: namespace.to_owned(),
        };
        let security = PodSecurity {
            namespace_options: Some(Namespaces::of_tests()),
        };
        let config = PodConfig {
            metadata: Some(metadata),
            labels: owned(labels),
            linux: Some(PodLinux {
                security_context: Some(security),
            }),
        };
        let request = RunPodSandbox {
            config: Some(config.clone()),
        };
        let client = &self.daemon.client;
        let made: Id = client.call("RuntimeService/RunPodSandbox", request)?;
        Ok(Pod {
            daemon: Rc::clone(&self.daemon),
            image: self.image.clone(),
            config,
            id: made.id,
        })
    }
}

impl Daemon {
    /// Packs the image with Docker, takes it in under its name and its digest, and gives back the digest.
    fn import(&self, docker: &Docker, name: &str) -> Result<String> {
        let root = self.folder.path().join("image");
        image::fill(&root, None).context("filling the image's root")?;
        let packed = Image::import_with(docker, &root, &[r#"ENTRYPOINT ["sleep", "2147483647"]"#])?;
        let short = name.trim_start_matches("docker.io/library/");
        docker.output(&["tag", &packed.name, short])?;
        let archive = self.folder.path().join("image.tar").display().to_string();
        let saved = docker.output(&["save", "--output", &archive, short]);
        docker.output(&["rmi", short])?;
        saved?;
        self.ctr(&["images", "import", &archive])?;
        let listed = self.ctr(&["images", "ls", &format!("name=={name}")])?;
        let digest = listed
            .split_whitespace()
            .find(|word| word.starts_with("sha256:"))
            .context("the image's digest")?
            .to_owned();
        let (repository, _) = name.rsplit_once(':').context("the image's tag")?;
        let by_digest = format!("{repository}@{digest}");
        self.ctr(&["images", "tag", name, &by_digest])?;
        wait::until("the image to be known", wait::seconds(20), || {
            let image = ImageSpec {
                image: name.to_owned(),
            };
            let request = ImageStatus { image: Some(image) };
            let found: ImageFound = self.client.call("ImageService/ImageStatus", request).ok()?;
            found.image?.digests.contains(&by_digest).then_some(())
        })?;
        Ok(digest)
    }

    fn ctr(&self, args: &[&str]) -> Result<String> {
        let mut command = command::limited(wait::seconds(60), "ctr");
        command
            .arg("--address")
            .arg(socket_in(self.folder.path()))
            .args(["--namespace", "k8s.io"])
            .args(args);
        command::output(&mut command)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Gone already is as good.
        drop(signal(&self.child, Signal::TERM));
        let ended = wait::poll(wait::seconds(30), || self.child.try_wait().ok().flatten());
        if ended.is_none() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

impl Pod {
    /// Its uid.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.config.metadata.as_ref().map_or("", |pod| &pod.uid)
    }

    /// Starts a container in it and gives back its id. `config` need not say the image; its namespaces are the pod's.
    ///
    /// # Errors
    /// The engine cannot.
    pub fn start(&self, name: &str, mut config: ContainerConfig) -> Result<String> {
        config.metadata = Some(ContainerMetadata {
            name: name.to_owned(),
        });
        config.image.get_or_insert(ImageSpec {
            image: self.image.clone(),
        });
        let linux = config.linux.get_or_insert_default();
        let security = linux.security_context.get_or_insert_default();
        security.namespace_options = Some(Namespaces::of_tests());
        let request = CreateContainer {
            pod_sandbox_id: self.id.clone(),
            config: Some(config),
            sandbox_config: Some(self.config.clone()),
        };
        let client = &self.daemon.client;
        let made: Id = client.call("RuntimeService/CreateContainer", request)?;
        let _: Nothing = client.call("RuntimeService/StartContainer", made.clone())?;
        Ok(made.id)
    }

    /// Runs a command in a container of it.
    ///
    /// # Errors
    /// It cannot be started, or ends with something other than 0.
    pub fn exec(&self, container: &str, command: &[&str]) -> Result<()> {
        let request = ExecSync {
            container_id: container.to_owned(),
            command: command.iter().map(|&word| word.to_owned()).collect(),
            timeout_s: 20,
        };
        let client = &self.daemon.client;
        let done: Executed = client.call("RuntimeService/ExecSync", request)?;
        ensure!(
            done.exit_code == 0,
            "{command:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        Ok(())
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        for method in ["StopPodSandbox", "RemovePodSandbox"] {
            let id = self.id.clone();
            let method = format!("RuntimeService/{method}");
            drop(self.daemon.client.call::<_, Nothing>(&method, Id { id }));
        }
    }
}

/// Labels as requests carry them.
#[must_use]
pub fn owned(labels: &[(&str, &str)]) -> HashMap<String, String> {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    labels.iter().map(owned).collect()
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join("containerd.sock")
}

/// A connection to an engine that serves Kubernetes by now.
fn answering(socket: &Path) -> Option<Client> {
    let client = Client::connect(socket).ok()?;
    let version: Version = client.call("RuntimeService/Version", Nothing {}).ok()?;
    (version.runtime_name == "containerd").then_some(client)
}

/// Everything below one folder; no network of its own, no snapshots that not every file system takes, and no scores of
/// processes below what the machine allows.
fn configured(folder: &Path, image: &str) -> String {
    let folder = folder.display();
    format!(
        r#"version = 2
root = "{folder}/root"
state = "{folder}/state"
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image}"
  restrict_oom_score_adj = true
  disable_tcp_service = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{folder}/cni/bin"
    conf_dir = "{folder}/cni/net.d"
"#
    )
}

/// The end of its log.
fn log_tail(folder: &Path) -> String {
    let log = std::fs::read_to_string(folder.join("containerd.log")).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    let start = lines.len().saturating_sub(8);
    lines.get(start..).unwrap_or_default().join("\n")
}
