//! Environments of processes as proc shows them: of a container that was given secrets in variables, they are secrets.

use bstr::{BString, ByteSlice};
use vigia_event::File;
use vigia_event::container::Container;
use vigia_event::process::Process;
use vigia_event::secret::{SecretKind, SecretRef, SecretSource};

use super::{ContainerTable, Request, Slot};
use crate::ProcessTable;

/// File systems of the kind of proc, as statfs(2) numbers them.
const PROC_MAGIC: u64 = 0x9fa0;
/// Variables that the name of such a secret lists.
const MAX_NAMED: usize = 4;

/// The file of proc that shows a process's environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvironmentFile {
    /// The process, as the pid namespace of that proc counts.
    pub pid: u32,
}

/// Which environment a file is; `None` for any other file.
#[must_use]
pub fn environment_at(file: &File) -> Option<EnvironmentFile> {
    if file.fs_magic != PROC_MAGIC {
        return None;
    }
    let mut folders = file.path.strip_suffix(b"/environ")?.rsplit_str("/");
    // A thread shows that of its process.
    let (last, above) = (folders.next()?, folders.next());
    let pid = match above {
        Some(b"task") => folders.next()?,
        _ => last,
    };
    Some(EnvironmentFile {
        pid: pid.to_str().ok()?.parse().ok()?,
    })
}

impl ContainerTable {
    /// The secret that an environment is to a reader, and whether the reader's container was given it; `None` where it holds no
    /// secret, and where it is the reader's own.
    #[must_use]
    pub fn environment_of(
        &self,
        environment: EnvironmentFile,
        file: &File,
        reader: (&Process, Option<&Container>),
        processes: &ProcessTable,
    ) -> Option<(SecretRef, bool)> {
        let (process, container) = reader;
        // One that the reader mounted in a namespace of its own shows what the reader's container holds.
        let is_apart = process.task.vpid != process.task.pid;
        let owner = self
            .container_of_proc(file.mount_id)
            .or(container.filter(|_| is_apart));
        // Where it counts as the host does there is nothing to translate.
        let numbers = owner
            .and_then(|owner| processes.get(owner.init?))
            .map(|init| &init.task)
            .filter(|init| init.vpid != init.pid)
            .map(|init| (init.namespaces.pid, init.vpid));
        let task = &process.task;
        let is_own = match numbers {
            Some((namespace, _)) => {
                task.namespaces.pid == namespace && task.vpid == environment.pid
            }
            None => task.pid == environment.pid,
        };
        if is_own {
            return None;
        }
        let held_by = match numbers {
            // Nobody but the container's own processes has a number there.
            Some((_, 1)) => owner?,
            Some((namespace, _)) => {
                let shown = processes.running().find(|process| {
                    process.task.namespaces.pid == namespace && process.task.vpid == environment.pid
                })?;
                self.of_task(&shown.task)?
            }
            None => self.of_task(&processes.latest(environment.pid)?.task)?,
        };
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
        Some((secret, granted))
    }

    /// The container that has a mount of proc in its own table.
    fn container_of_proc(&self, mount_id: u32) -> Option<&Container> {
        let has_it = |container: &&Container| {
            let mounts = container.mounts.iter().flat_map(|table| &table.mounts);
            mounts
                .into_iter()
                .any(|mount| mount.id == mount_id && mount.fs_type == "proc")
        };
        self.running().map(|container| &**container).find(has_it)
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
