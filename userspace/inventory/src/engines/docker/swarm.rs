//! What a manager of a Swarm says of secrets, configurations, and the services that give them to containers.

use serde::Deserialize;
use vigia_event::container::{Inspected, SwarmGrant};
use vigia_event::secret::SecretKind;

use super::MAX_ANSWER;
use crate::engines::error::EngineError;
use crate::engines::http::Client;
use crate::engines::lenient::or_default;
use crate::engines::limits;
use crate::mountinfo::{SwarmObject, is_swarm_id};

/// Secrets, and configurations, kept of one service.
const MAX_GRANTS: usize = 256;

/// What the specification of a container's Swarm service gives it; nothing outside Swarm, and where the engine is no manager
/// or does not say. Not kept for the next one: a service may have been updated in between.
pub(super) async fn grants(client: &Client, inspected: &Inspected) -> Vec<SwarmGrant> {
    let service = inspected.swarm().and_then(|swarm| swarm.service_id());
    let Some(id) = service.filter(|id| is_swarm_id(id)) else {
        return Vec::new();
    };
    let path = format!("/services/{id}");
    match client.get::<ServiceAnswer>(&path, MAX_ANSWER).await {
        Ok(answer) if answer.id.as_bytes() == id.as_slice() => answer.into_grants(),
        _ => Vec::new(),
    }
}

/// What a secret or configuration is.
///
/// # Errors
/// There is none of this id, or the engine is no manager.
pub(super) async fn resolve(client: &Client, id: &str) -> Result<SwarmObject, EngineError> {
    let mut refusal = None;
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
            // A proxy may let one of them through and not the other.
            Err(error @ EngineError::Status { status: ..500, .. }) => refusal = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(refusal.unwrap_or(EngineError::Status {
        path: format!("/secrets/{id}"),
        status: 404,
        message: String::new(),
    }))
}

/// `GET /secrets/ID` and `GET /configs/ID`, without a configuration's content.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SwarmAnswer {
    #[serde(rename = "ID", deserialize_with = "or_default")]
    id: String,
    #[serde(rename = "Spec", deserialize_with = "or_default")]
    spec: SwarmSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct SwarmSpec {
    #[serde(deserialize_with = "or_default")]
    name: String,
}

/// `GET /services/ID`: what the service is to be, and what it was before an update that may be under way.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServiceAnswer {
    #[serde(rename = "ID", deserialize_with = "or_default")]
    id: String,
    #[serde(rename = "Spec", deserialize_with = "or_default")]
    spec: ServiceSpec,
    #[serde(rename = "PreviousSpec", deserialize_with = "or_default")]
    previous: ServiceSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ServiceSpec {
    #[serde(deserialize_with = "or_default")]
    task_template: TaskTemplate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TaskTemplate {
    #[serde(deserialize_with = "or_default")]
    container_spec: ContainerSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ContainerSpec {
    #[serde(deserialize_with = "or_default")]
    secrets: Vec<GrantAnswer>,
    #[serde(deserialize_with = "or_default")]
    configs: Vec<GrantAnswer>,
}

/// A secret or configuration of a service.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct GrantAnswer {
    #[serde(
        rename = "SecretID",
        alias = "ConfigID",
        deserialize_with = "or_default"
    )]
    id: String,
    #[serde(
        alias = "SecretName",
        alias = "ConfigName",
        deserialize_with = "or_default"
    )]
    name: String,
    #[serde(deserialize_with = "or_default")]
    file: GrantFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct GrantFile {
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(rename = "UID", deserialize_with = "or_default")]
    uid: String,
    #[serde(deserialize_with = "or_default")]
    mode: u32,
}

impl ServiceAnswer {
    /// What the service gives to its containers. What it gave before the last update comes first: where both name a
    /// secret, the newer word counts.
    fn into_grants(self) -> Vec<SwarmGrant> {
        let mut grants: Vec<SwarmGrant> = Vec::new();
        for spec in [self.previous, self.spec] {
            let spec = spec.task_template.container_spec;
            let secrets = spec.secrets.into_iter().take(MAX_GRANTS);
            let secrets =
                secrets.map(|grant| grant.into_grant(SecretKind::Secret, "/run/secrets/"));
            let configs = spec.configs.into_iter().take(MAX_GRANTS);
            let configs = configs.map(|grant| grant.into_grant(SecretKind::Config, "/"));
            for grant in secrets.chain(configs) {
                if is_swarm_id(grant.id.as_bytes()) {
                    grants.retain(|known| known.id != grant.id);
                    grants.push(grant);
                }
            }
        }
        grants
    }
}

impl GrantAnswer {
    fn into_grant(self, kind: SecretKind, folder: &str) -> SwarmGrant {
        let target = if self.file.name.starts_with('/') {
            self.file.name
        } else {
            format!("{folder}{}", self.file.name)
        };
        SwarmGrant {
            id: self.id,
            name: limits::text(self.name),
            kind,
            target: limits::text(target),
            mode: self.file.mode,
            owner: limits::text(self.file.uid),
        }
    }
}
