//! Chains that read a secret during the start of a container, remembered across restarts of the agent.
//!
//! The file holds names of programs and hashes, and no secrets. It is small, written as a whole, and trusted
//! only as far as it can be read: a broken one means that everything is learned again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::program::{Chain, ChainId};
use super::{Options, Readers};

const VERSION: u32 = 1;
const MAX_FILE_BYTES: u64 = 4 << 20;
/// Containers, and services, remembered; the least recently taught goes first.
const MAX_GROUPS: usize = 1024;
/// Chains remembered of each.
const MAX_CHAINS: usize = 32;
/// Bytes of a chain's text that are kept, for people who look into the file.
const MAX_TEXT: usize = 160;

/// Why the memory could not be saved.
#[derive(Debug, thiserror::Error)]
#[error("cannot save the known readers of secrets to {}", path.display())]
pub struct SaveError {
    /// Where to.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error(transparent)]
    Read(#[from] io::Error),
    #[error("it is larger than {MAX_FILE_BYTES} bytes")]
    TooLarge,
    #[error(transparent)]
    Parse(#[from] serde_json::Error),
    #[error("its version is {0}, this program knows {VERSION}")]
    Version(u32),
}

/// What is remembered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    containers: Groups,
    services: Groups,
    changed: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
struct Groups(BTreeMap<String, Group>);

#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
struct Group {
    /// Grows with every lesson, so the least recently taught has the smallest.
    lesson: u64,
    /// Hashes of chains in hexadecimal, and their texts.
    chains: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    containers: Groups,
    services: Groups,
}

impl Memory {
    pub(crate) fn knows(&self, container_id: &str, service: Option<&str>, chain: &Chain) -> bool {
        let Some(id) = chain.id() else { return false };
        self.containers.knows(container_id, id)
            || service.is_some_and(|service| self.services.knows(service, id))
    }

    pub(crate) fn learn_for_container(&mut self, container_id: &str, chain: &Chain) {
        self.changed |= self.containers.learn(container_id, chain);
    }

    pub(crate) fn learn_for_service(&mut self, service: &str, chain: &Chain) {
        self.changed |= self.services.learn(service, chain);
    }

    fn load(path: &Path) -> Result<Self, LoadError> {
        let mut text = Vec::new();
        File::open(path)?
            .take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut text)?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(LoadError::TooLarge);
        }
        let Content {
            version,
            mut containers,
            mut services,
        } = serde_json::from_slice(&text)?;
        if version != VERSION {
            return Err(LoadError::Version(version));
        }
        containers.bound();
        services.bound();
        Ok(Self {
            containers,
            services,
            changed: false,
        })
    }

    fn save(&self, path: &Path) -> io::Result<()> {
        let content = Content {
            version: VERSION,
            containers: self.containers.clone(),
            services: self.services.clone(),
        };
        let text = serde_json::to_vec(&content)?;
        let beside = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        // Without this the old name may come back after a power failure.
        path.parent()
            .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

impl Groups {
    fn knows(&self, name: &str, id: ChainId) -> bool {
        self.0
            .get(name)
            .is_some_and(|group| group.chains.contains_key(&hex::encode(id.0)))
    }

    /// Whether that was new.
    fn learn(&mut self, name: &str, chain: &Chain) -> bool {
        let Some(id) = chain.id() else { return false };
        let lesson = self.0.values().map(|group| group.lesson).max().unwrap_or(0) + 1;
        let group = self.0.entry(name.to_owned()).or_default();
        group.lesson = lesson;
        if group.chains.len() >= MAX_CHAINS {
            return false;
        }
        let text = chain.to_string().chars().take(MAX_TEXT).collect();
        let is_new = group.chains.insert(hex::encode(id.0), text).is_none();
        self.bound();
        is_new
    }

    fn bound(&mut self) {
        for group in self.0.values_mut() {
            while group.chains.len() > MAX_CHAINS {
                group.chains.pop_last();
            }
        }
        while self.0.len() > MAX_GROUPS {
            let oldest = self
                .0
                .iter()
                .min_by_key(|(_, group)| group.lesson)
                .map(|(name, _)| name.clone());
            oldest.and_then(|oldest| self.0.remove(&oldest));
        }
    }
}

impl Readers {
    /// Judges with what an earlier run has learned. A missing file is an empty memory; one that cannot be used
    /// is, too, with a warning in the log.
    #[must_use]
    pub fn load(options: Options, path: &Path) -> Self {
        let memory = match Memory::load(path) {
            Ok(memory) => memory,
            Err(LoadError::Read(error)) if error.kind() == io::ErrorKind::NotFound => {
                Memory::default()
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "known readers of secrets cannot be used and are learned again");
                Memory::default()
            }
        };
        Self::with_memory(options, memory)
    }

    /// Whether something was learned that [`Readers::save`] has not written yet.
    #[must_use]
    pub fn is_unsaved(&self) -> bool {
        self.memory.changed
    }

    /// Writes what was learned, in place of what the file held.
    ///
    /// # Errors
    /// If the file cannot be written; the old one then is as it was.
    pub fn save(&mut self, path: &Path) -> Result<(), SaveError> {
        self.memory.save(path).map_err(|source| SaveError {
            path: path.to_path_buf(),
            source,
        })?;
        self.memory.changed = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readers::program::Program;
    use vigia_event::Process;

    fn chain(path: &str) -> Chain {
        Chain::new(Program::of(&Process {
            exe_path: path.into(),
            ..Process::default()
        }))
    }

    #[test]
    fn what_was_learned_survives_saving_and_loading() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("readers.json");
        let mut readers = Readers::load(Options::default(), &path);
        readers.memory.learn_for_container("c", &chain("/bin/a"));
        readers.memory.learn_for_service("s", &chain("/bin/b"));
        assert!(readers.is_unsaved());
        readers.save(&path).expect("saved");
        assert!(!readers.is_unsaved());
        let memory = Readers::load(Options::default(), &path).memory;
        assert!(
            memory.knows("c", None, &chain("/bin/a"))
                && memory.knows("x", Some("s"), &chain("/bin/b"))
        );
        assert!(
            !memory.knows("c", None, &chain("/bin/b"))
                && !memory.knows("x", None, &chain("/bin/b"))
        );
        assert_eq!(
            fs::read_dir(folder.path()).expect("listed").count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn a_file_that_cannot_be_used_is_an_empty_memory() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("readers.json");
        for text in [
            "",
            "{",
            "[]",
            r#"{"version":2,"containers":{},"services":{}}"#,
            r#"{"version":1,"containers":{"a":5},"services":{}}"#,
        ] {
            fs::write(&path, text).expect("written");
            assert!(Memory::load(&path).is_err(), "{text}");
            assert!(
                Readers::load(Options::default(), &path)
                    .memory
                    .containers
                    .0
                    .is_empty(),
                "{text}"
            );
        }
        File::create(&path)
            .and_then(|file| file.set_len(MAX_FILE_BYTES + 1))
            .expect("written");
        assert!(matches!(Memory::load(&path), Err(LoadError::TooLarge)));
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_least_recently_taught() {
        let mut groups = Groups::default();
        for number in 0..MAX_GROUPS + 10 {
            assert!(groups.learn(&number.to_string(), &chain("/bin/a")));
            groups.learn("0", &chain("/bin/a"));
        }
        assert_eq!(groups.0.len(), MAX_GROUPS);
        assert!(groups.0.contains_key("0") && !groups.0.contains_key("1"));
        for number in 0..2 * MAX_CHAINS {
            groups.learn("0", &chain(&number.to_string()));
        }
        assert_eq!(groups.0["0"].chains.len(), MAX_CHAINS);
    }
}
