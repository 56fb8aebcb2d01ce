//! `vigia check`: every mistake of every rule file at once.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use vigia_engine::{Diagnostic, Options};

use crate::rules;

/// Flags of `vigia check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Rule files, and folders of them
    #[arg(required = true, value_name = "RULES")]
    rules: Vec<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        check(&self.rules, self.json, out)
    }
}

/// Exit code 1 means that there are errors; warnings alone are fine.
fn check(paths: &[PathBuf], json: bool, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let sources = rules::read(paths)?;
    let compiled = vigia_engine::compile(&sources, &Options::default());
    let errors = compiled
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .count();
    let rules = compiled
        .ruleset
        .as_ref()
        .map_or(0, |ruleset| ruleset.rules().len());
    if json {
        let document = Document {
            ok: errors == 0,
            files: sources.iter().map(|source| source.name.as_str()).collect(),
            rules,
            diagnostics: compiled.diagnostics.iter().map(Described::from).collect(),
        };
        serde_json::to_writer_pretty(&mut *out, &document)?;
        writeln!(out)?;
    } else {
        for diagnostic in &compiled.diagnostics {
            writeln!(out, "{diagnostic}")?;
        }
        let warnings = compiled.diagnostics.len() - errors;
        writeln!(
            out,
            "{} checked: {}, {}",
            count(sources.len(), "file"),
            if errors == 0 {
                count(rules, "rule")
            } else {
                count(errors, "error")
            },
            count(warnings, "warning"),
        )?;
    }
    Ok(if errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[derive(Serialize)]
struct Document<'d> {
    ok: bool,
    files: Vec<&'d str>,
    rules: usize,
    diagnostics: Vec<Described<'d>>,
}

#[derive(Serialize)]
struct Described<'d> {
    severity: &'static str,
    code: &'static str,
    file: &'d str,
    line: usize,
    column: usize,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<String>,
    snippet: &'d str,
}

impl<'d> From<&'d Diagnostic> for Described<'d> {
    fn from(diagnostic: &'d Diagnostic) -> Self {
        Self {
            severity: if diagnostic.is_error() {
                "error"
            } else {
                "warning"
            },
            code: diagnostic.code.name(),
            file: &diagnostic.source,
            line: diagnostic.line,
            column: diagnostic.column,
            message: diagnostic.problem.to_string(),
            item: diagnostic.item.as_ref().map(ToString::to_string),
            snippet: &diagnostic.snippet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str, json: bool) -> (String, ExitCode) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.yaml"), text).unwrap();
        let mut out = Vec::new();
        let code = check(&[folder.path().to_owned()], json, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), code)
    }

    const GOOD: &str =
        "- rule: A\n  desc: d\n  condition: evt.type = openat\n  output: o\n  priority: NOTICE\n";
    const BAD: &str =
        "- rule: A\n  desc: d\n  condition: evt.tpye = openat\n  output: o\n  priority: NOTICE\n";

    #[test]
    fn a_mistake_is_shown_with_its_place_and_fails_the_check() {
        let (text, code) = checked(BAD, false);
        assert!(text.contains("x.yaml:3:14"), "{text}");
        assert_eq!(code, ExitCode::FAILURE);
        let (text, code) = checked(GOOD, false);
        assert!(text.contains("1 rule"), "{text}");
        assert_eq!(code, ExitCode::SUCCESS);
    }

    #[test]
    fn one_json_document_says_the_same() {
        let (text, _) = checked(BAD, true);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["ok"], false);
        assert_eq!(
            (
                &document["diagnostics"][0]["line"],
                &document["diagnostics"][0]["column"]
            ),
            (&3.into(), &14.into())
        );
    }
}
