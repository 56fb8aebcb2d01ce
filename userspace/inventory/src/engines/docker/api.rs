//! What Docker's API is asked about one container, one secret, or its own life.

use std::sync::Arc;
use std::time::Duration;

use vigia_event::container::{Engine, Inspected};
use vigia_event::secret::SecretKind;

use super::MAX_ANSWER;
use super::answers::{ContainerAnswer, ImageAnswer, SwarmAnswer};
use crate::engines::asking::{self, Question, Reply};
use crate::engines::cache::Cache;
use crate::engines::error::EngineError;
use crate::engines::http::Client;
use crate::engines::image::ImageName;
use crate::engines::limits;
use crate::mountinfo::SwarmObject;

/// Names kept of one image.
const MAX_NAMES: usize = 32;

/// How one engine is asked.
#[derive(Clone)]
pub(in crate::engines) struct Api {
    client: Client,
    engine: Engine,
    images: Cache<ImageAnswer>,
}

impl Api {
    pub(super) fn new(client: Client, engine: Engine) -> Self {
        Self {
            client,
            engine,
            images: Cache::default(),
        }
    }
}

impl asking::Api for Api {
    /// Containers are announced before they start.
    const LATE: &'static [Duration] = &[];

    async fn answer(self, question: Question) -> Result<Reply, EngineError> {
        match question {
            Question::Inspect(id) => {
                let inspected = inspect(&self.client, &self.images, &id).await?;
                Ok(Reply::Inspected(self.engine, Box::new(inspected)))
            }
            Question::Resolve(id) => resolve(&self.client, &id).await.map(Reply::Resolved),
            Question::Ping => self.client.ping().await.map(|()| Reply::Nothing),
        }
    }
}

async fn inspect(
    client: &Client,
    images: &Cache<ImageAnswer>,
    id: &str,
) -> Result<Inspected, EngineError> {
    let path = format!("/containers/{id}/json");
    let answer: ContainerAnswer = client.get(&path, MAX_ANSWER).await?;
    if answer.id != id {
        return Err(EngineError::Answer {
            path,
            message: "it is about another container".to_owned(),
        });
    }
    let image = image(client, images, &answer.image).await;
    Ok(answer.into_inspected(&image))
}

/// What is known of an image; nothing where the engine does not say, since the container's answer stands alone.
async fn image(client: &Client, images: &Cache<ImageAnswer>, id: &str) -> Arc<ImageAnswer> {
    if !ImageName::is_id(id) {
        return Arc::default();
    }
    if let Some(known) = images.get(id) {
        return known;
    }
    match client
        .get::<ImageAnswer>(&format!("/images/{id}/json"), MAX_ANSWER)
        .await
    {
        Ok(mut answer) => {
            answer.repo_tags.truncate(MAX_NAMES);
            answer.repo_digests.truncate(MAX_NAMES);
            images.keep(id, answer)
        }
        Err(_) => Arc::default(),
    }
}

async fn resolve(client: &Client, id: &str) -> Result<SwarmObject, EngineError> {
    for (kind, folder) in [
        (SecretKind::Secret, "secrets"),
        (SecretKind::Config, "configs"),
    ] {
        match client
            .get::<SwarmAnswer>(&format!("/{folder}/{id}"), MAX_ANSWER)
            .await
        {
            Ok(answer) if answer.id == id => {
                return Ok(SwarmObject {
                    kind,
                    name: limits::text(answer.spec.name),
                });
            }
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Err(EngineError::Status {
        path: format!("/secrets/{id}"),
        status: 404,
        message: String::new(),
    })
}
