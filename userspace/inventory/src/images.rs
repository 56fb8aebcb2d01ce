//! What others found out about images: reports of scanners in a folder, and a list of trusted digests.
//!
//! Both are files that an operator or a pipeline puts there and replaces. They are read beside the agent's work, and
//! a file that is not understood costs itself only: what was known of it before is kept.

mod reports;
mod trusted;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vigia_event::container::{ImageFacts, Inspected, Vulnerabilities};

/// Bytes of one report, and of the list.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// Reports that are read.
const MAX_REPORTS: usize = 4096;

/// Of a file that is not there.
const NO_STAMP: Stamp = (0, 0, 0, 0, 0);
/// As in open(2).
const O_NONBLOCK: i32 = 0o4000;

/// Where the files are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A folder of reports (`*.json`): of Trivy, of Grype, or CycloneDX; not searched deeper.
    pub reports: Option<PathBuf>,
    /// A list of digests: plain lines, or what `cosign verify` or `docker trust inspect` print.
    pub trusted: Option<PathBuf>,
}

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    /// It cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{}: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the place.
        message: String,
    },
}

/// What is known of images, by digest (`sha256:...`) or id.
#[derive(Clone, Debug, Default)]
pub struct ImageIndex {
    reports: HashMap<String, Arc<Vulnerabilities>>,
    trusted: Option<HashSet<String>>,
}

impl ImageIndex {
    /// What is known of a container's image; `None` where nothing is configured or found.
    #[must_use]
    pub fn of(&self, inspected: &Inspected) -> Option<ImageFacts> {
        let names = [&inspected.image_digest, &inspected.image_id];
        let names = || {
            names
                .iter()
                .filter_map(|name| std::str::from_utf8(name).ok())
                .filter(|name| !name.is_empty())
        };
        let vulnerabilities = names().find_map(|name| self.reports.get(name)).cloned();
        let trusted = self
            .trusted
            .as_ref()
            .map(|trusted| names().any(|name| trusted.contains(name)));
        (vulnerabilities.is_some() || trusted.is_some()).then_some(ImageFacts {
            vulnerabilities,
            trusted,
        })
    }

    /// How many images have a report.
    #[must_use]
    pub fn reports(&self) -> usize {
        self.reports.len()
    }
}

/// What changes with a file: device, inode, times of modification and change, length.
type Stamp = (u64, u64, i64, i64, u64);

/// Reads the files, and again those that changed.
#[derive(Debug, Default)]
pub struct ImageFiles {
    options: Options,
    /// What each report said when it was last understood, under which names.
    reports: BTreeMap<PathBuf, (Stamp, Vec<String>, Arc<Vulnerabilities>)>,
    trusted: Option<(Stamp, HashSet<String>)>,
    /// Files that were complained about, so that it happens once for each change.
    refused: BTreeMap<PathBuf, Stamp>,
}

impl ImageFiles {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Where the files are.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Whether there is anything to read.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.options != Options::default()
    }

    /// Reads what is new or changed, and forgets what is gone; the whole index if that changed anything. What cannot
    /// be understood is told to `complain`, once for each change of the file.
    pub fn refresh(&mut self, complain: &mut dyn FnMut(ImagesError)) -> Option<ImageIndex> {
        let reports = self.refresh_reports(complain);
        let trusted = self.refresh_trusted(complain);
        (reports || trusted).then(|| self.index())
    }

    fn index(&self) -> ImageIndex {
        let mut index = ImageIndex {
            reports: HashMap::new(),
            trusted: self.trusted.as_ref().map(|(_, digests)| digests.clone()),
        };
        // The newest report of an image counts.
        let mut all: Vec<_> = self.reports.values().collect();
        all.sort_by_key(|((_, _, modified, ..), ..)| *modified);
        for (_, names, found) in all {
            for name in names {
                index.reports.insert(name.clone(), Arc::clone(found));
            }
        }
        index
    }

    fn refresh_reports(&mut self, complain: &mut dyn FnMut(ImagesError)) -> bool {
        let Some(folder) = self.options.reports.clone() else {
            return false;
        };
        let listed = match list(&folder) {
            Ok(listed) => listed,
            Err(source) => {
                self.refuse(&folder, NO_STAMP, complain, |path| ImagesError::Read {
                    path,
                    source,
                });
                return false;
            }
        };
        self.refused.remove(&folder);
        let before = self.reports.len();
        self.reports.retain(|path, _| listed.contains_key(path));
        let list = self.options.trusted.clone();
        self.refused.retain(|path, _| {
            listed.contains_key(path)
                || path.parent() != Some(&folder)
                || Some(path) == list.as_ref()
        });
        let mut changed = self.reports.len() != before;
        for (path, stamp) in listed {
            let is_known = self
                .reports
                .get(&path)
                .is_some_and(|(known, ..)| *known == stamp);
            if is_known || self.refused.get(&path) == Some(&stamp) {
                continue;
            }
            if let Some(report) = self.understand(&path, stamp, reports::parse, complain) {
                let found = Arc::new(report.found);
                self.reports.insert(path, (stamp, report.images, found));
                changed = true;
            }
        }
        changed
    }

    fn refresh_trusted(&mut self, complain: &mut dyn FnMut(ImagesError)) -> bool {
        let Some(path) = self.options.trusted.clone() else {
            return false;
        };
        let stamp = fs::metadata(&path).map_or(NO_STAMP, |metadata| stamp(&metadata));
        let is_known = self
            .trusted
            .as_ref()
            .is_some_and(|(known, _)| *known == stamp);
        if is_known || self.refused.get(&path) == Some(&stamp) {
            return false;
        }
        let digests = self.understand(&path, stamp, trusted::parse, complain);
        let is_new = digests.is_some();
        self.trusted = digests
            .map(|digests| (stamp, digests))
            .or_else(|| self.trusted.take());
        is_new
    }

    /// What a file says; `None`, and a complaint, where it says nothing that can be used.
    fn understand<T>(
        &mut self,
        path: &Path,
        stamp: Stamp,
        parse: fn(&[u8]) -> Result<T, String>,
        complain: &mut dyn FnMut(ImagesError),
    ) -> Option<T> {
        match read(path).map(|text| parse(&text)) {
            Ok(Ok(understood)) => {
                self.refused.remove(path);
                return Some(understood);
            }
            Ok(Err(message)) => self.refuse(path, stamp, complain, |path| ImagesError::Content {
                path,
                message,
            }),
            Err(source) => self.refuse(path, stamp, complain, |path| ImagesError::Read {
                path,
                source,
            }),
        }
        None
    }

    fn refuse(
        &mut self,
        path: &Path,
        stamp: Stamp,
        complain: &mut dyn FnMut(ImagesError),
        error: impl FnOnce(PathBuf) -> ImagesError,
    ) {
        if self.refused.insert(path.to_owned(), stamp) != Some(stamp) {
            complain(error(path.to_owned()));
        }
    }
}

/// The reports of a folder, with their stamps.
fn list(folder: &Path) -> io::Result<BTreeMap<PathBuf, Stamp>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_report = path
            .extension()
            .is_some_and(|extension| extension == "json");
        if let Some(metadata) = is_report.then(|| fs::metadata(&path).ok()).flatten()
            && metadata.is_file()
        {
            found.insert(path, stamp(&metadata));
        }
        if found.len() >= MAX_REPORTS {
            break;
        }
    }
    Ok(found)
}

fn stamp(metadata: &fs::Metadata) -> Stamp {
    let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000) + rest;
    (
        metadata.dev(),
        metadata.ino(),
        nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        metadata.len(),
    )
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Nothing that keeps its reader waiting, such as a pipe, may hold up whoever reads.
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        ));
    }
    let mut text = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
