//! Reading files that somebody else wrote: bounded before they are read.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A file that cannot be read as text.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The system refuses.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is larger than accepted.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How much is accepted.
        limit: usize,
    },
    /// It is not UTF-8.
    #[error("{}:{line}: not UTF-8", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// Line of the first bad byte, from 1.
        line: usize,
    },
}

impl InputError {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Read { path, .. } | Self::TooLarge { path, .. } | Self::Encoding { path, .. } => {
                path
            }
        }
    }

    /// Whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads a text file of at most `limit` bytes.
///
/// # Errors
/// It cannot be read, is larger, or is not UTF-8.
pub fn read_text(path: &Path, limit: usize) -> Result<String, InputError> {
    text_of(File::open(path), path, limit)
}

/// Reads standard input as text of at most `limit` bytes; messages name it as `path`.
///
/// # Errors
/// As [`read_text`].
pub fn read_standard_input(path: &Path, limit: usize) -> Result<String, InputError> {
    text_of(Ok(io::stdin().lock()), path, limit)
}

fn text_of(opened: io::Result<impl Read>, path: &Path, limit: usize) -> Result<String, InputError> {
    let mut bytes = Vec::new();
    opened
        .and_then(|reader| reader.take(limit as u64 + 1).read_to_end(&mut bytes))
        .map_err(|source| InputError::Read {
            path: path.to_owned(),
            source,
        })?;
    if bytes.len() > limit {
        return Err(InputError::TooLarge {
            path: path.to_owned(),
            limit,
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        InputError::Encoding {
            path: path.to_owned(),
            line,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_refused() {
        let error = read_text(Path::new("/dev/zero"), 1000).unwrap_err();
        assert!(matches!(error, InputError::TooLarge { limit: 1000, .. }));
    }
}
