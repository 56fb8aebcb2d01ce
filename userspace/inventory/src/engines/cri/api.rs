//! What an engine is asked about one container or sandbox, or what it runs.

use std::sync::Arc;
use std::time::Duration;

use vigia_event::container::{Engine, Inspected};

use super::answers::{self, Pod};
use super::client::Client;
use super::info::Info;
use super::messages::{
    ContainerStatusRequest, Image, ImageSpec, ImageStatusRequest, ListContainersRequest,
    ListPodSandboxRequest, PodSandboxStatus, PodSandboxStatusRequest, state,
};
use crate::cgroup::is_container_id;
use crate::engines::asking::{self, Attempt, Question, Reply};
use crate::engines::cache::Cache;
use crate::engines::error::EngineError;
use crate::engines::source::Reach;

/// Names kept of one image.
const MAX_NAMES: usize = 32;

/// How one engine is asked.
#[derive(Clone)]
pub(in crate::engines) struct Api {
    client: Client,
    /// What it calls itself.
    engine: Engine,
    images: Cache<Image>,
    pods: Cache<Pod>,
}

impl asking::Api for Api {
    /// A sandbox has its cgroup before containerd notes it, and with CRI-O so has a container: half a second at most on
    /// a machine that is not too busy.
    const LATE: &'static [Duration] = &[
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(200),
        Duration::from_millis(400),
        Duration::from_millis(800),
        // Containerd notes a sandbox only when all of it runs.
        Duration::from_millis(1600),
        Duration::from_millis(3200),
    ];

    async fn answer(self, question: Question, attempt: Attempt) -> Result<Reply, EngineError> {
        match question {
            Question::Inspect(id) => {
                let inspected = self.inspect(&id, attempt).await?;
                Ok(Reply::Inspected(self.engine, Box::new(inspected)))
            }
            // Kubernetes has no Swarm.
            Question::Resolve(_) | Question::DataRoot => Ok(Reply::Nothing),
            Question::Ping => self.running().await.map(Reply::Running),
        }
    }
}

impl Api {
    pub(super) fn new(client: Client, engine: Engine) -> Self {
        Self {
            client,
            engine,
            // Users' engines are not asked in this way.
            images: Cache::new(Reach::Everybody),
            pods: Cache::new(Reach::Everybody),
        }
    }

    /// Ids of the containers that run or are about to, and of the sandboxes.
    pub(super) async fn running(&self) -> Result<Vec<String>, EngineError> {
        let containers = self.client.call(ListContainersRequest {}).await?.containers;
        let sandboxes = self.client.call(ListPodSandboxRequest {}).await?.items;
        let containers = containers
            .into_iter()
            .filter(|listed| matches!(listed.state, state::CREATED | state::RUNNING))
            .map(|listed| listed.id);
        let sandboxes = sandboxes
            .into_iter()
            .filter(|listed| listed.state == 0)
            .map(|listed| listed.id);
        Ok(containers.chain(sandboxes).collect())
    }

    /// What it knows of a container; a sandbox's first process has an id as one, too.
    async fn inspect(&self, id: &str, attempt: Attempt) -> Result<Inspected, EngineError> {
        match self.container(id, attempt).await {
            Err(error) if error.is_not_found() => self.sandbox(id, attempt).await,
            answer => answer,
        }
    }

    async fn container(&self, id: &str, attempt: Attempt) -> Result<Inspected, EngineError> {
        let answer = self
            .client
            .call(ContainerStatusRequest {
                container_id: id.to_owned(),
                verbose: true,
            })
            .await?;
        let status = about(answer.status, id, |status| &status.id)?;
        let info = Info::read(&answer.info);
        let pod = self.pod(&info.sandbox_id, attempt).await?;
        let id = [
            &status.image_id,
            &info.config.image.image,
            &status.image_ref,
        ]
        .into_iter()
        .find(|name| !name.is_empty());
        let named = status.image.as_ref().map(|spec| &spec.image);
        let name = id.or(named).map_or("", String::as_str);
        let image = self.image(name, attempt).await?;
        Ok(answers::container(status, info, &pod, &image))
    }

    async fn sandbox(&self, id: &str, attempt: Attempt) -> Result<Inspected, EngineError> {
        let (status, info) = self.sandbox_status(id, true).await?;
        let image = self.image(&info.image, attempt).await?;
        let pod = self.pods.keep(id, Pod::of(&status));
        Ok(answers::sandbox(status, info, &pod, &image))
    }

    async fn sandbox_status(
        &self,
        id: &str,
        verbose: bool,
    ) -> Result<(PodSandboxStatus, Info), EngineError> {
        let answer = self
            .client
            .call(PodSandboxStatusRequest {
                pod_sandbox_id: id.to_owned(),
                verbose,
            })
            .await?;
        let status = about(answer.status, id, |status| &status.id)?;
        Ok((status, Info::read(&answer.info)))
    }

    /// What is known of a pod; nothing where the engine does not say: the container's answer stands alone.
    async fn pod(&self, sandbox_id: &str, attempt: Attempt) -> Result<Arc<Pod>, EngineError> {
        if !is_container_id(sandbox_id.as_bytes()) {
            return Ok(Arc::default());
        }
        if let Some(known) = self.pods.get(sandbox_id) {
            return Ok(known);
        }
        let said = attempt.spare(self.sandbox_status(sandbox_id, false).await)?;
        Ok(match said {
            Some((status, _)) => self.pods.keep(sandbox_id, Pod::of(&status)),
            None => Arc::new(Pod::unknown(sandbox_id)),
        })
    }

    /// What is known of an image by name, digest or id, likewise.
    async fn image(&self, name: &str, attempt: Attempt) -> Result<Arc<Image>, EngineError> {
        if name.is_empty() {
            return Ok(Arc::default());
        }
        if let Some(known) = self.images.get(name) {
            return Ok(known);
        }
        let image = ImageSpec {
            image: name.to_owned(),
            ..ImageSpec::default()
        };
        let request = ImageStatusRequest { image: Some(image) };
        let said = attempt.spare(self.client.call(request).await)?;
        Ok(match said.and_then(|answer| answer.image) {
            Some(mut image) => {
                image.repo_tags.truncate(MAX_NAMES);
                image.repo_digests.truncate(MAX_NAMES);
                self.images.keep(name, image)
            }
            None => Arc::default(),
        })
    }
}

/// The status, if it is there and about what was asked for.
fn about<S>(status: Option<S>, id: &str, id_of: impl Fn(&S) -> &String) -> Result<S, EngineError> {
    let message = match status {
        Some(status) if id_of(&status) == id => return Ok(status),
        Some(_) => "it is about another container",
        None => "it is empty",
    };
    Err(EngineError::Answer {
        path: id.to_owned(),
        message: message.to_owned(),
    })
}
