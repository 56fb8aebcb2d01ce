//! A recording on disk: it has its name only when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a file cannot be made.
#[derive(Debug, Error)]
#[error("cannot make {path}")]
pub struct CreateError {
    /// Which one.
    pub path: String,
    /// What the system says.
    pub source: io::Error,
}

/// A file that is being written under another name beside its own: `.NAME.PID.partial`.
///
/// What is left of it after a crash is a recording without its end, which [`crate::Reader`] reads up to there.
#[derive(Debug)]
pub struct PartialFile {
    file: File,
    is_empty: bool,
    partial: PathBuf,
    path: PathBuf,
}

/// Makes the file of a recording, for its owner's eyes only.
///
/// # Errors
/// [`CreateError`] names the file.
pub fn create(path: &Path) -> Result<PartialFile, CreateError> {
    let error = |path: &Path, source| CreateError {
        path: path.display().to_string(),
        source,
    };
    let Some(name) = path.file_name() else {
        return Err(error(path, io::ErrorKind::IsADirectory.into()));
    };
    if path.is_dir() {
        return Err(error(path, io::ErrorKind::IsADirectory.into()));
    }
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.partial", std::process::id()));
    let partial = path.with_file_name(hidden);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)
        .map_err(|source| error(&partial, source))?;
    Ok(PartialFile {
        file,
        is_empty: true,
        partial,
        path: path.to_owned(),
    })
}

impl PartialFile {
    /// Gives the file its name, once it is on disk. A file that had the name before is gone.
    ///
    /// # Errors
    /// What the system says; the partial file stays.
    pub fn keep(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.partial, &self.path)
    }

    /// Where the file is until it has its name.
    #[must_use]
    pub fn partial_path(&self) -> &Path {
        &self.partial
    }
}

impl Drop for PartialFile {
    /// Nothing is left of a recording that never began.
    fn drop(&mut self) {
        if self.is_empty {
            let _ = fs::remove_file(&self.partial);
        }
    }
}

impl Write for PartialFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_empty = false;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
