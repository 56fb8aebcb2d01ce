//! Environments of processes as proc shows them: of a container that was given secrets in variables, they are secrets.

use bstr::BString;
use vigia_event::File;
use vigia_event::container::Container;
use vigia_event::process::Process;
use vigia_event::secret::{SecretKind, SecretRef, SecretSource};

use super::grants::{ReadSecret, name_of};
use super::{ContainerTable, Request, Slot};
use crate::ProcessTable;

/// Variables that the name of such a secret lists.
const MAX_NAMED: usize = 4;

impl ContainerTable {
    /// The secret that the environment of a process is to a reader, and whether the reader's container was given it; `None`
    /// where `file` is none or holds no secret, and where it is the reader's own.
    #[must_use]
    pub fn environment_of(
        &self,
        file: &File,
        (process, container): (&Process, Option<&Container>),
        processes: &ProcessTable,
    ) -> Option<ReadSecret> {
        if file.environment_of == process.task.pid {
            return None;
        }
        let shown = processes.latest(file.environment_of)?;
        let held_by = self.of_task(&shown.task)?;
        let variables = &held_by.known()?.promises.secret_variables;
        if variables.is_empty() {
            return None;
        }
        let secret = SecretRef {
            name: listed(variables),
            path: file.path.clone(),
            kind: SecretKind::Secret,
            source: SecretSource::Environment,
            dev: file.dev,
            ino: file.ino,
        };
        let granted = container.is_some_and(|container| container.id == held_by.id);
        Some(ReadSecret {
            secret,
            granted,
            holders: vec![name_of(held_by)],
        })
    }

    /// Has the probes report opens of environments while there is a container with secrets in its own.
    /// To be called when one came, went, or is known now.
    pub(super) fn watch_environments(&mut self, slot: Slot) {
        let entry = self.entries.get(&slot);
        let known = entry
            .filter(|entry| entry.gone_ns.is_none())
            .and_then(|entry| entry.snapshot.known());
        let has_secrets = known.is_some_and(|known| !known.promises.secret_variables.is_empty());
        let was_wanted = !self.secret_environments.is_empty();
        if has_secrets {
            self.secret_environments.insert(slot);
        } else {
            self.secret_environments.remove(&slot);
        }
        let wanted = !self.secret_environments.is_empty();
        if wanted != was_wanted {
            self.request(Request::WatchEnvironments(wanted));
        }
    }
}

/// The names of variables, the first few of many.
fn listed(variables: &[BString]) -> BString {
    let mut names = bstr::join(",", variables.iter().take(MAX_NAMED));
    if variables.len() > MAX_NAMED {
        names.extend_from_slice(b",...");
    }
    names.into()
}
