//! What Docker's API is asked about one container, one secret, or its own life.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bstr::BString;
use vigia_event::container::{Engine, Inspected, POD_UID, SANDBOX_ID};

use super::answers::{ContainerAnswer, ImageAnswer, Info};
use super::{MAX_ANSWER, list, swarm};
use crate::cgroup::is_container_id;
use crate::engines::asking::{self, Attempt, Question, Reply};
use crate::engines::cache::Cache;
use crate::engines::error::EngineError;
use crate::engines::http::Client;
use crate::engines::image::ImageName;
use crate::engines::limits;
use crate::engines::source::Reach;

/// The label by which cri-dockerd tells sandboxes from containers, and its value for sandboxes.
const KIND: &str = "io.kubernetes.docker.type";
const SANDBOX: &[u8] = b"podsandbox";
/// Names kept of one image.
const MAX_NAMES: usize = 32;
/// Bytes of one of them; a longer one is dropped, since a cut name is another name.
const MAX_NAME: usize = 1024;

/// How one engine is asked.
#[derive(Clone)]
pub(in crate::engines) struct Api {
    client: Client,
    engine: Engine,
    reach: Reach,
    images: Cache<ImageAnswer>,
    sandboxes: Cache<BTreeMap<String, BString>>,
}

impl Api {
    pub(super) fn new(client: Client, engine: Engine, reach: Reach) -> Self {
        Self {
            client,
            engine,
            reach,
            images: Cache::new(reach),
            sandboxes: Cache::new(reach),
        }
    }
}

impl asking::Api for Api {
    /// Containers are announced before they start.
    const LATE: &'static [Duration] = &[];

    async fn answer(self, question: Question, attempt: Attempt) -> Result<Reply, EngineError> {
        match question {
            Question::Inspect(id) => {
                let mut inspected =
                    inspect(&self.client, self.engine, &self.images, &id, attempt).await?;
                // What a user's engine calls a sandbox would only cost memory: clusters run on root's.
                if self.reach == Reach::Everybody {
                    inspected.pod_labels =
                        pod_labels(&self.client, &self.sandboxes, &inspected.labels, attempt)
                            .await?;
                }
                inspected.swarm_grants = swarm::grants(&self.client, &inspected).await;
                Ok(Reply::Inspected(self.engine, Box::new(inspected)))
            }
            Question::Resolve(id) => swarm::resolve(&self.client, &id).await.map(Reply::Resolved),
            Question::DataRoot => data_root(&self.client).await,
            Question::Ping => list::running(&self.client).await.map(Reply::Running),
        }
    }
}

/// Where the engine keeps its state, if it says so.
async fn data_root(client: &Client) -> Result<Reply, EngineError> {
    let answer: Info = client.get("/info", MAX_ANSWER).await?;
    let path = limits::text(answer.docker_root_dir);
    Ok(if path.starts_with(b"/") {
        Reply::DataRoot(path)
    } else {
        Reply::Nothing
    })
}

async fn inspect(
    client: &Client,
    engine: Engine,
    images: &Cache<ImageAnswer>,
    id: &str,
    attempt: Attempt,
) -> Result<Inspected, EngineError> {
    let path = format!("/containers/{id}/json");
    let answer: ContainerAnswer = client.get(&path, MAX_ANSWER).await?;
    if answer.id != id {
        return Err(EngineError::Answer {
            path,
            message: "it is about another container".to_owned(),
        });
    }
    let image = image(client, images, &answer.image, attempt).await?;
    Ok(answer.into_inspected(engine, &image))
}

/// What is known of an image; nothing where the engine does not say, since the container's answer stands alone.
async fn image(
    client: &Client,
    images: &Cache<ImageAnswer>,
    id: &str,
    attempt: Attempt,
) -> Result<Arc<ImageAnswer>, EngineError> {
    if !ImageName::is_id(id) {
        return Ok(Arc::default());
    }
    if let Some(known) = images.get(id) {
        return Ok(known);
    }
    let path = format!("/images/{id}/json");
    let said = client.get::<ImageAnswer>(&path, MAX_ANSWER).await;
    let Some(mut answer) = attempt.spare(said)? else {
        return Ok(Arc::default());
    };
    for names in [&mut answer.repo_tags, &mut answer.repo_digests] {
        names.retain(|name| name.len() <= MAX_NAME);
        names.truncate(MAX_NAMES);
        names.shrink_to_fit();
    }
    Ok(images.keep(id, answer))
}

/// The labels of a container's pod, which cri-dockerd gives to the pod's sandbox only; nothing where there is none, or where
/// what a container's label calls its sandbox is none of the same pod.
async fn pod_labels(
    client: &Client,
    sandboxes: &Cache<BTreeMap<String, BString>>,
    labels: &BTreeMap<String, BString>,
    attempt: Attempt,
) -> Result<BTreeMap<String, BString>, EngineError> {
    let is_sandbox =
        |labels: &BTreeMap<String, BString>| labels.get(KIND).is_some_and(|kind| kind == SANDBOX);
    if is_sandbox(labels) {
        return Ok(labels.clone());
    }
    let Some(id) = labels.get(SANDBOX_ID).filter(|id| is_container_id(id)) else {
        return Ok(BTreeMap::new());
    };
    let id = id.to_string();
    let sandbox = match sandboxes.get(&id) {
        Some(known) => known,
        None => {
            let path = format!("/containers/{id}/json");
            let said = client.get::<ContainerAnswer>(&path, MAX_ANSWER).await;
            match attempt.spare(said)? {
                Some(answer) => sandboxes.keep(&id, answer.into_labels()),
                None => return Ok(BTreeMap::new()),
            }
        }
    };
    let is_its_own = is_sandbox(&sandbox) && sandbox.get(POD_UID) == labels.get(POD_UID);
    Ok(match is_its_own {
        true => sandbox.as_ref().clone(),
        false => BTreeMap::new(),
    })
}
