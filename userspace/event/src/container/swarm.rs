//! What Swarm says of a container.

use std::collections::BTreeMap;

use bstr::BString;
use serde::{Deserialize, Serialize};

use super::Inspected;
use crate::secret::SecretKind;

/// A secret or configuration that a service gives to its containers, as its specification on a manager says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SwarmGrant {
    /// The id Swarm gave it.
    pub id: String,
    /// Its name in the Swarm.
    pub name: BString,
    /// [`SecretKind::Secret`] or [`SecretKind::Config`].
    pub kind: SecretKind,
    /// Where containers find it: an absolute path.
    pub target: BString,
    /// The permissions of the file.
    pub mode: u32,
    /// Who owns the file in the container, by id or name.
    pub owner: BString,
}

impl SwarmGrant {
    /// `db-password at /run/secrets/db-password owner=0 mode=0444`. No colon stands behind a name: redaction would take what
    /// follows for the secret.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let mut text = self.name.to_vec();
        for (word, part) in [(" at ", &self.target), (" owner=", &self.owner)] {
            text.extend_from_slice(word.as_bytes());
            text.extend_from_slice(part);
        }
        text.extend(format!(" mode={:04o}", self.mode).into_bytes());
        text
    }
}

/// What Swarm says of a container, from its labels.
#[derive(Clone, Copy, Debug)]
pub struct Swarm<'a> {
    labels: &'a BTreeMap<String, BString>,
}

impl Inspected {
    /// What Swarm says; `None` outside Swarm.
    #[must_use]
    pub fn swarm(&self) -> Option<Swarm<'_>> {
        self.labels
            .contains_key("com.docker.swarm.service.name")
            .then_some(Swarm {
                labels: &self.labels,
            })
    }
}

impl<'a> Swarm<'a> {
    fn label(self, name: &str) -> Option<&'a BString> {
        self.labels.get(name)
    }

    /// The service's name.
    #[must_use]
    pub fn service(self) -> Option<&'a BString> {
        self.label("com.docker.swarm.service.name")
    }

    /// The service's id.
    #[must_use]
    pub fn service_id(self) -> Option<&'a BString> {
        self.label("com.docker.swarm.service.id")
    }

    /// The task's name: service, slot and task id.
    #[must_use]
    pub fn task(self) -> Option<&'a BString> {
        self.label("com.docker.swarm.task.name")
    }

    /// The node's id.
    #[must_use]
    pub fn node(self) -> Option<&'a BString> {
        self.label("com.docker.swarm.node.id")
    }

    /// The stack the service belongs to.
    #[must_use]
    pub fn stack(self) -> Option<&'a BString> {
        self.label("com.docker.stack.namespace")
    }
}
