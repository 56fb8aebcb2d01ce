//! Which rule files are loaded, in which order; reading them is bounded.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vigia_engine::Source;

use crate::config::DEFAULT_RULES;
use crate::input::{self, InputError};

/// The default rules, as they were when the agent was built: file names and texts.
pub const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/embedded_rules.rs"));

/// Larger files are refused unread.
pub const MAX_FILE_BYTES: usize = 4 << 20;
/// More files are refused.
pub const MAX_FILES: usize = 1000;
/// Larger rule sets are refused.
pub const MAX_TOTAL_BYTES: usize = 16 << 20;

/// What diagnostics call rules that came over standard input.
pub const STANDARD_INPUT: &str = "standard input";

/// Rules that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A file.
    #[error(transparent)]
    File(#[from] InputError),
    /// A folder.
    #[error("cannot read the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There are none.
    #[error("no rule files (*.yaml, *.yml) in {}", .0.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))]
    None(Vec<PathBuf>),
    /// There are too many.
    #[error("more than {MAX_FILES} rule files, or more than {MAX_TOTAL_BYTES} bytes of them")]
    TooMany,
}

/// Reads the rules the agent runs with. While the default folder is the only place named and holds
/// nothing, these are the embedded ones.
///
/// # Errors
/// A place that was named is missing, unreadable or too large, or there is no rule file at all.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Source>, RulesError> {
    load_each(paths).into_iter().collect()
}

/// Like [`load`], but what cannot be read does not keep the rest from being read: it stands in the place of its
/// file.
#[must_use]
pub fn load_each(paths: &[PathBuf]) -> Vec<Result<Source, RulesError>> {
    let each = read_each(paths);
    let nothing_there = match each.as_slice() {
        [Err(RulesError::None(_))] => true,
        [Err(RulesError::File(error))] => error.is_missing(),
        _ => false,
    };
    if nothing_there && matches!(paths, [path] if path == Path::new(DEFAULT_RULES)) {
        return embedded().into_iter().map(Ok).collect();
    }
    each
}

fn embedded() -> Vec<Source> {
    EMBEDDED
        .iter()
        .map(|(name, text)| Source::new(format!("builtin:{name}"), *text))
        .collect()
}

/// Reads rule files, and folders of them, in the order given; a folder's in order of their names. `-` is
/// standard input.
///
/// # Errors
/// As [`load`].
pub fn read(paths: &[PathBuf]) -> Result<Vec<Source>, RulesError> {
    read_each(paths).into_iter().collect()
}

/// Like [`read`], but what cannot be read does not keep the rest from being read: it stands in the place of its
/// file. Behind [`RulesError::TooMany`] nothing more is read.
#[must_use]
pub fn read_each(paths: &[PathBuf]) -> Vec<Result<Source, RulesError>> {
    let mut each = Vec::new();
    let mut total = 0;
    for path in paths {
        let files = if path.is_dir() {
            match list(path) {
                Ok(files) => files,
                Err(error) => {
                    each.push(Err(error));
                    continue;
                }
            }
        } else {
            vec![path.clone()]
        };
        for file in files {
            let source = source(&file);
            total += source.as_ref().map_or(0, |source| source.text.len());
            if each.len() == MAX_FILES || total > MAX_TOTAL_BYTES {
                each.push(Err(RulesError::TooMany));
                return each;
            }
            each.push(source.map_err(RulesError::from));
        }
    }
    if each.is_empty() {
        each.push(Err(RulesError::None(paths.to_vec())));
    }
    each
}

fn source(path: &Path) -> Result<Source, InputError> {
    if path.as_os_str() == "-" {
        let text = input::read_standard_input(Path::new(STANDARD_INPUT), MAX_FILE_BYTES)?;
        return Ok(Source::new(STANDARD_INPUT, text));
    }
    let text = input::read_text(path, MAX_FILE_BYTES)?;
    Ok(Source::new(path.display().to_string(), text))
}

/// A folder's rule files. Links are followed: Kubernetes mounts configuration as links. What is not a
/// regular file is passed over: opening a named pipe would wait for ever.
fn list(folder: &Path) -> Result<Vec<PathBuf>, RulesError> {
    let fail = |source| RulesError::Folder {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if is_rule_file(&path) && path.is_file() {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(RulesError::TooMany);
        }
    }
    files.sort();
    Ok(files)
}

fn is_rule_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name
        .strip_suffix(".yaml")
        .or_else(|| name.strip_suffix(".yml"));
    stem.is_some_and(|stem| !stem.starts_with('.') && !stem.ends_with(".test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_in_order_of_names_without_cases_and_hidden_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "a.test.yaml", ".c.yaml", "readme.md"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        fs::create_dir(folder.path().join("d.yaml")).unwrap();
        let sources = read(&[folder.path().to_owned()]).unwrap();
        let texts: Vec<_> = sources.iter().map(|source| source.text.as_str()).collect();
        assert_eq!(texts, ["a.yml", "b.yaml"]);
    }

    #[test]
    fn an_empty_folder_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = load(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(
            error.contains(&folder.path().display().to_string()),
            "{error}"
        );
    }

    #[test]
    fn a_named_file_that_is_missing_is_an_error() {
        assert!(matches!(
            load(&["/nonexistent.yaml".into()]),
            Err(RulesError::File(_))
        ));
    }
}
