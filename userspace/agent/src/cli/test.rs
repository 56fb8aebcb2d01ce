//! `vigia test`: the cases of rules, run.

mod files;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
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
        let Some(files) = self.load()? else {
            return Ok(ExitCode::FAILURE);
        };
        let Some(mut tested) = compile_all(&files)? else {
            return Ok(ExitCode::FAILURE);
        };
        let mut report = Report::default();
        let mut faulty = false;
        for loaded in &files {
            let Some(tested) = tested.get_mut(&loaded.rules) else {
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

    /// Reads all test files; `None` after faults, which are shown.
    fn load(&self) -> anyhow::Result<Option<Vec<Loaded>>> {
        let mut loaded = Vec::new();
        let mut faulty = false;
        for path in files::find(&self.paths)? {
            let name = path.display().to_string();
            match vigia_ruletest::read(&files::read(&path)?, &mut |named| {
                files::recording(&path, named)
            }) {
                Ok(file) => loaded.push(Loaded {
                    name,
                    rules: files::rules_of(&path, &file, &self.rules)?,
                    file,
                }),
                Err(faults) => {
                    faulty = true;
                    complain(&name, &faults);
                }
            }
        }
        Ok((!faulty).then_some(loaded))
    }
}

/// Compiles each set of rule files once; `None` after errors, which are shown. Every rule that a test names is switched on.
fn compile_all(files: &[Loaded]) -> anyhow::Result<Option<BTreeMap<Vec<PathBuf>, Tested>>> {
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
        let sources = rules::read(paths)?;
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
                tell(&diagnostic.to_string());
            }
            return Ok(None);
        };
        let coverage = Coverage::default();
        tested.insert(paths.clone(), Tested { ruleset, coverage });
    }
    Ok(Some(tested))
}

fn complain(file: &str, faults: &[Fault]) {
    for fault in faults {
        let message = super::one_line(&fault.message);
        tell(&format!(
            "{file}:{}:{}: {message}",
            fault.place.line, fault.place.column
        ));
    }
}

/// Standard error may be closed; there is nobody else to tell.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
