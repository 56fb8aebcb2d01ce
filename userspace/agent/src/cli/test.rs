//! `vigia test`: the cases of rules, run.

mod files;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use vigia_engine::{Options, RuleMatching, Ruleset, Selection, Selector, compile};
use vigia_ruletest::{Coverage, Fault, FileReport, Report, TestFile, judge, junit};

use crate::rules;

/// Flags of `vigia test`.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// Test files (*.test.yaml), and folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Rule file or folder, in place of those the test files name; may be repeated, the order counts
    #[arg(short, long, value_name = "RULES")]
    rules: Vec<PathBuf>,
    /// What no case has tried: rules without a case that must fire or must not, comparisons that were never true or
    /// never false
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, default_missing_value = "show", require_equals = true)]
    coverage: Option<CoverageMode>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Write the results as JUnit's XML, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CoverageMode {
    /// Show it
    Show,
    /// Fail for a rule without a case that must fire, or without one that must not
    Require,
}

/// A test file and the rules it is about.
struct Loaded {
    name: String,
    file: TestFile,
    rules: Vec<PathBuf>,
}

/// Rules that were compiled, and what was tried of them.
struct Tested {
    ruleset: Ruleset,
    coverage: Coverage,
}

impl Test {
    /// Exit code 1 means that a case failed, or that something cannot be read.
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        let (files, mut faulty) = self.load()?;
        let mut tested = compile_all(&files);
        let mut report = Report::default();
        for loaded in &files {
            let Some(tested) = tested.get_mut(&loaded.rules) else {
                faulty = true;
                continue;
            };
            match judge(&loaded.file, &tested.ruleset, &mut tested.coverage) {
                Ok(cases) => report.files.push(FileReport {
                    file: loaded.name.clone(),
                    cases,
                }),
                Err(faults) => {
                    faulty = true;
                    complain(&loaded.name, &faults);
                }
            }
        }
        if self.coverage.is_some() {
            let each = tested
                .values()
                .map(|tested| tested.coverage.of(&tested.ruleset));
            report.coverage = each.flatten().collect();
        }
        if let Some(path) = &self.junit {
            fs::write(path, junit(&report))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        } else {
            write!(out, "{report}")?;
        }
        let covered = self.coverage != Some(CoverageMode::Require)
            || report.coverage.iter().all(|rule| rule.has_both_kinds());
        Ok(if report.passed() && covered && !faulty {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// Reads all test files, and tells whether something is wrong with one, which is shown and passed over.
    fn load(&self) -> anyhow::Result<(Vec<Loaded>, bool)> {
        let mut loaded = Vec::new();
        let mut faulty = false;
        for path in files::find(&self.paths)? {
            match self.load_one(&path) {
                Ok(Some(file)) => loaded.push(file),
                Ok(None) => faulty = true,
                Err(error) => {
                    faulty = true;
                    super::tell(&format!(
                        "vigia: {}",
                        super::one_line(&format!("{error:#}"))
                    ));
                }
            }
        }
        Ok((loaded, faulty))
    }

    /// Reads a test file; `None` after faults, which are shown.
    fn load_one(&self, path: &Path) -> anyhow::Result<Option<Loaded>> {
        let name = path.display().to_string();
        match vigia_ruletest::read(&files::read(path)?, &mut |named| {
            files::recording(path, named)
        }) {
            Ok(file) => Ok(Some(Loaded {
                name,
                rules: files::rules_of(path, &file, &self.rules)?,
                file,
            })),
            Err(faults) => {
                complain(&name, &faults);
                Ok(None)
            }
        }
    }
}

/// Compiles each set of rule files once; one with errors, which are shown, is missing from what it returns. Every rule that a test names is switched on.
fn compile_all(files: &[Loaded]) -> BTreeMap<Vec<PathBuf>, Tested> {
    let mut named: BTreeMap<&Vec<PathBuf>, Vec<Selection>> = BTreeMap::new();
    for loaded in files {
        let selections = loaded.file.tests.iter().map(|test| Selection {
            enable: true,
            rules: Selector::Name(test.rule.clone()),
        });
        named.entry(&loaded.rules).or_default().extend(selections);
    }
    let mut tested = BTreeMap::new();
    for (paths, mut selections) in named {
        let sources = match rules::read(paths) {
            Ok(sources) => sources,
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::from(error));
                super::tell(&format!("vigia: {}", super::one_line(&error)));
                continue;
            }
        };
        // A rule that does not exist is reported with its place in the test file.
        selections.dedup();
        let options = Options {
            selections,
            rule_matching: RuleMatching::All,
            keep_conditions: true,
            ..Options::default()
        };
        let compiled = compile(&sources, &options);
        let Some(ruleset) = compiled.ruleset else {
            for diagnostic in compiled
                .diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.is_error())
            {
                super::tell(&diagnostic.to_string());
            }
            continue;
        };
        let coverage = Coverage::default();
        tested.insert(paths.clone(), Tested { ruleset, coverage });
    }
    tested
}

fn complain(file: &str, faults: &[Fault]) {
    for fault in faults {
        let message = super::one_line(&fault.message);
        super::tell(&format!(
            "{file}:{}:{}: {message}",
            fault.place.line, fault.place.column
        ));
    }
}
