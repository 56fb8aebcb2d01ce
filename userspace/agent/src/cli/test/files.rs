//! Which files are tests, and which rules they are about.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use vigia_event::Event;
use vigia_ruletest::TestFile;

use crate::cli::recordings;
use crate::input;

/// Larger test files are refused unread.
const MAX_BYTES: usize = 4 << 20;
/// More test files are refused.
const MAX_FILES: usize = 1000;

const ENDINGS: [&str; 2] = [".test.yaml", ".test.yml"];

/// The text of a test file.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    Ok(input::read_text(path, MAX_BYTES)?)
}

/// The events of a recording that a test file names, beside it.
pub(super) fn recording(test_file: &Path, named: &str) -> Result<Vec<Event>, String> {
    let path = test_file.parent().unwrap_or(Path::new("")).join(named);
    recordings::read(&path).map_err(|error| format!("{error:#}"))
}

/// The test files among paths: files as named, and those of folders in the order of their names.
pub(super) fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let cannot = || format!("cannot read the folder {}", path.display());
        let mut inside = Vec::new();
        for entry in fs::read_dir(path).with_context(cannot)? {
            let file = entry.with_context(cannot)?.path();
            if stem(&file).is_some() && file.is_file() {
                inside.push(file);
            }
        }
        if inside.is_empty() {
            bail!("no test files (*.test.yaml) in {}", path.display());
        }
        inside.sort();
        found.extend(inside);
    }
    if found.len() > MAX_FILES {
        bail!("more than {MAX_FILES} test files");
    }
    Ok(found)
}

/// The rule files of a test file: those of the command line; else those it names, beside it; else `x.yaml` for
/// `x.test.yaml`.
pub(super) fn rules_of(
    path: &Path,
    file: &TestFile,
    given: &[PathBuf],
) -> anyhow::Result<Vec<PathBuf>> {
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    if !file.rules.is_empty() {
        return Ok(file
            .rules
            .iter()
            .map(|(rules, _)| folder.join(rules))
            .collect());
    }
    let beside = stem(path)
        .into_iter()
        .flat_map(|stem| [".yaml", ".yml"].map(|ending| folder.join(format!("{stem}{ending}"))));
    let mut candidates = beside.filter(|candidate| candidate.is_file());
    let Some(rules) = candidates.next() else {
        bail!(
            "{}: which rules is it about? There is no rule file of its name beside it; say `rules: [FILE]` in it, or -r FILE",
            path.display()
        );
    };
    Ok(vec![rules])
}

/// `x` of `x.test.yaml`; hidden files are none.
fn stem(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    ENDINGS
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .filter(|stem| !stem.is_empty() && !stem.starts_with('.'))
}
