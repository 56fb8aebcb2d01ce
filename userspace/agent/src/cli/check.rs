//! `vigia check`: every mistake of every rule file at once.

mod annotations;
mod json;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use vigia_engine::{Code, Diagnostic, Options, Source};

use super::configuration::environment;
use crate::config::Config;
use crate::rules::{self, RulesError};
use crate::settings;

/// Flags of `vigia check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Rule files, and folders of them, in the order in which they would be loaded; `-` is standard input
    #[arg(required_unless_present = "config", value_name = "RULES")]
    rules: Vec<PathBuf>,
    /// Check as an agent with this configuration would load them; without RULES, those it names
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Fail on warnings, too
    #[arg(long)]
    strict: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Each mistake with its line and a caret
    Text,
    /// One JSON document in the shape of Falco's
    Json,
    /// Annotations, as GitHub shows them beside the changed lines
    Github,
}

/// What was found.
struct Checked<'c> {
    sources: &'c [Source],
    unreadable: &'c [Unreadable],
    diagnostics: &'c [Diagnostic],
    /// How many rules load; 0 after an error.
    rules: usize,
}

/// A file, or a folder, that could not be read: one more error, beside those of the others.
struct Unreadable {
    /// How messages call it.
    name: String,
    /// Why, in one line.
    message: String,
    /// How many files that were read stand before it.
    before: usize,
}

impl Unreadable {
    const CODE: Code = Code::FileRead;

    fn new(error: &RulesError, paths: &[PathBuf], before: usize) -> Self {
        let name = match error {
            RulesError::File(error) => error.path().display().to_string(),
            RulesError::Folder { path, .. } => path.display().to_string(),
            RulesError::None(_) | RulesError::TooMany => paths
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
                .join(", "),
        };
        let error: &dyn std::error::Error = error;
        let causes = std::iter::successors(Some(error), |error| error.source());
        let words: Vec<String> = causes.map(ToString::to_string).collect();
        Self {
            name: super::one_line(&name),
            message: super::one_line(&words.join(": ")),
            before,
        }
    }
}

impl Check {
    /// Exit code 1 means that there are errors or, where asked, warnings.
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        let form = if self.json { Form::Json } else { self.format };
        let (paths, options) = self.what()?;
        // Only an agent without rules of its own has built-in ones: what is named must be there.
        let each = if self.rules.is_empty() {
            rules::load_each(&paths)
        } else {
            rules::read_each(&paths)
        };
        let mut sources = Vec::new();
        let mut unreadable = Vec::new();
        for read in each {
            match read {
                Ok(source) => sources.push(source),
                Err(error) => unreadable.push(Unreadable::new(&error, &paths, sources.len())),
            }
        }
        let mut compiled = vigia_engine::compile(&sources, &options);
        if !unreadable.is_empty() {
            // What is missed may stand in a file that could not be read.
            compiled
                .diagnostics
                .retain(|diagnostic| !diagnostic.problem.misses_definition());
        }
        let rules = compiled.ruleset.as_ref();
        let checked = Checked {
            sources: &sources,
            unreadable: &unreadable,
            diagnostics: &compiled.diagnostics,
            rules: rules
                .filter(|_| unreadable.is_empty())
                .map_or(0, |ruleset| ruleset.rules().len()),
        };
        match form {
            Form::Text => checked.text(out)?,
            Form::Json => json::document(&checked, out)?,
            Form::Github => annotations::list(&checked, out)?,
        }
        let holds = checked.errors() == 0 && !(self.strict && checked.warnings() > 0);
        Ok(if holds {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// Which rules, and as which agent would load them.
    fn what(&self) -> anyhow::Result<(Vec<PathBuf>, Options)> {
        let Some(path) = &self.config else {
            return Ok((self.rules.clone(), Options::default()));
        };
        let mut config = Config::read(Some(path))?;
        config.override_from(environment())?;
        let options = settings::engine(&config);
        let paths = if self.rules.is_empty() {
            config.rules.paths
        } else {
            self.rules.clone()
        };
        Ok((paths, options))
    }
}

impl Checked<'_> {
    fn errors(&self) -> usize {
        self.unreadable.len() + self.diagnostics.len() - self.warnings()
    }

    fn warnings(&self) -> usize {
        self.diagnostics
            .iter()
            .filter(|diagnostic| !diagnostic.is_error())
            .count()
    }

    fn text(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        for file in self.unreadable {
            writeln!(out, "error[{}]: {}", Unreadable::CODE, file.message)?;
            writeln!(out, " --> {}\n", file.name)?;
        }
        for diagnostic in self.diagnostics {
            writeln!(out, "{diagnostic}")?;
        }
        writeln!(out, "{}", self.summary())?;
        Ok(())
    }

    fn summary(&self) -> String {
        let found = match self.errors() {
            0 => count(self.rules, "rule"),
            errors => count(errors, "error"),
        };
        format!(
            "{} checked: {found}, {}",
            count(self.sources.len(), "file"),
            count(self.warnings(), "warning"),
        )
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        check: Check,
    }

    const GOOD: &str =
        "- rule: A\n  desc: d\n  condition: evt.type = openat\n  output: o\n  priority: NOTICE\n";
    const BAD: &str =
        "- rule: A\n  desc: d\n  condition: evt.tpye = openat\n  output: o\n  priority: NOTICE\n";
    const UNUSED: &str = "- list: é\n  items: [a]\n";

    fn checked(files: &[(&str, &str)], flags: &[&str]) -> (String, ExitCode) {
        let folder = tempfile::tempdir().unwrap();
        let mut line = vec!["check".to_owned()];
        line.extend(flags.iter().map(|&flag| flag.to_owned()));
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            line.push(path.display().to_string());
        }
        let mut out = Vec::new();
        let code = Line::try_parse_from(line)
            .unwrap()
            .check
            .run(&mut out)
            .unwrap();
        (String::from_utf8(out).unwrap(), code)
    }

    #[test]
    fn a_mistake_is_shown_with_its_place_and_fails_the_check() {
        let (text, code) = checked(&[("x.yaml", BAD)], &[]);
        assert!(text.contains("x.yaml:3:14"), "{text}");
        assert!(
            text.ends_with("1 file checked: 1 error, 0 warnings\n"),
            "{text}"
        );
        assert_eq!(code, ExitCode::FAILURE);
        let (text, code) = checked(&[("x.yaml", GOOD)], &[]);
        assert_eq!(text, "1 file checked: 1 rule, 0 warnings\n");
        assert_eq!(code, ExitCode::SUCCESS);
    }

    #[test]
    fn warnings_fail_a_strict_check_only() {
        let files = [("x.yaml", GOOD), ("y.yaml", UNUSED)];
        let (text, code) = checked(&files, &[]);
        assert!(
            text.ends_with("2 files checked: 1 rule, 1 warning\n"),
            "{text}"
        );
        assert_eq!(code, ExitCode::SUCCESS);
        assert_eq!(checked(&files, &["--strict"]).1, ExitCode::FAILURE);
        assert_eq!(
            checked(&[("x.yaml", GOOD)], &["--strict"]).1,
            ExitCode::SUCCESS
        );
    }

    #[test]
    fn json_has_the_shape_of_falcos_results() {
        let (text, code) = checked(
            &[("a.yaml", GOOD), ("b.yaml", BAD), ("c.yaml", UNUSED)],
            &["--json"],
        );
        assert_eq!(code, ExitCode::FAILURE);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let results = document["falco_load_results"].as_array().unwrap();
        let successful: Vec<_> = results
            .iter()
            .map(|result| result["successful"].as_bool().unwrap())
            .collect();
        assert_eq!(successful, [true, false, true]);
        assert_eq!(results[0]["errors"], serde_json::json!([]));
        let error = &results[1]["errors"][0];
        assert_eq!(error["code"], "LOAD_ERR_COMPILE_CONDITION");
        assert!(!error["codedesc"].as_str().unwrap().is_empty());
        assert!(error["message"].as_str().unwrap().contains("evt.tpye"));
        let locations = error["context"]["locations"].as_array().unwrap();
        assert_eq!(locations[0]["item_type"], "rules content");
        let place = locations.last().unwrap();
        assert_eq!(
            (&place["item_type"], &place["item_name"]),
            (&"rule".into(), &"A".into())
        );
        let position = &place["position"];
        assert!(position["name"].as_str().unwrap().ends_with("b.yaml"));
        assert_eq!(
            (&position["line"], &position["column"], &position["offset"]),
            (&3.into(), &14.into(), &33.into())
        );
        let snippet = error["context"]["snippet"].as_str().unwrap();
        assert!(snippet.contains("evt.tpye"), "{snippet}");
        assert_eq!(document["summary"]["errors"], 1);
    }

    #[test]
    fn json_says_which_file_cannot_be_read() {
        let (text, code) = checked(&[("x.yaml", GOOD)], &["--json", "/nonexistent/x.yaml"]);
        assert_eq!(code, ExitCode::FAILURE);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let error = &document["falco_load_results"][0]["errors"][0];
        assert_eq!(error["code"], "LOAD_ERR_FILE_READ");
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("/nonexistent/x.yaml")
        );
    }

    #[test]
    fn one_unreadable_file_hides_nothing_of_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("a.yaml"), BAD).unwrap();
        std::fs::write(path("latin.yaml"), b"- list: \xe9\n").unwrap();
        std::fs::write(path("large.yaml"), vec![b'#'; rules::MAX_FILE_BYTES + 1]).unwrap();
        std::fs::write(path("b.yaml"), BAD.replace("rule: A", "rule: B")).unwrap();
        let names = ["a.yaml", "none.yaml", "latin.yaml", "large.yaml", "b.yaml"];
        let checked = |format: &str| {
            let line = ["check".to_owned(), format!("--format={format}")];
            let line = line.into_iter().chain(names.map(path));
            let mut out = Vec::new();
            let check = Line::try_parse_from(line).unwrap().check;
            assert_eq!(check.run(&mut out).unwrap(), ExitCode::FAILURE);
            String::from_utf8(out).unwrap()
        };
        for format in ["text", "github"] {
            let text = checked(format);
            assert_eq!(text.matches("LOAD_ERR_FILE_READ").count(), 3, "{text}");
            for name in names {
                assert!(text.contains(name), "{name}: {text}");
            }
            assert!(
                text.ends_with("2 files checked: 5 errors, 0 warnings\n"),
                "{text}"
            );
        }
        let document: serde_json::Value = serde_json::from_str(&checked("json")).unwrap();
        let results = document["falco_load_results"].as_array().unwrap();
        let codes: Vec<_> = results
            .iter()
            .map(|result| result["errors"][0]["code"].as_str().unwrap())
            .collect();
        let (condition, unread) = ("LOAD_ERR_COMPILE_CONDITION", "LOAD_ERR_FILE_READ");
        assert_eq!(codes, [condition, unread, unread, unread, condition]);
        assert_eq!(document["summary"]["errors"], 5);
    }

    #[test]
    fn what_an_unreadable_file_may_define_is_not_missed() {
        let uses = GOOD.replace("openat", "openat and elsewhere");
        let (text, code) = checked(&[("x.yaml", &uses)], &["/nonexistent/x.yaml"]);
        assert!(
            text.ends_with("1 file checked: 1 error, 0 warnings\n"),
            "{text}"
        );
        assert_eq!(code, ExitCode::FAILURE);
    }

    #[test]
    fn annotations_name_file_line_and_column() {
        let (text, _) = checked(&[("x%:,y.yaml", BAD)], &["--format", "github"]);
        let first = text.lines().next().unwrap();
        assert!(first.starts_with("::error file="), "{first}");
        assert!(
            first.contains("x%25%3A%2Cy.yaml,line=3,col=14,title="),
            "{first}"
        );
        assert!(first.contains("evt.tpye"), "{first}");
    }

    #[test]
    fn a_configuration_names_the_rules_and_how_they_are_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("r.yaml");
        std::fs::write(&rules, GOOD).unwrap();
        let (text, code) = checked(
            &[],
            &["-c", &{
                let path = folder.path().join("vigia.yaml");
                std::fs::write(&path, format!("rules: {{paths: ['{}']}}", rules.display()))
                    .unwrap();
                path.display().to_string()
            }],
        );
        assert_eq!(text, "1 file checked: 1 rule, 0 warnings\n");
        assert_eq!(code, ExitCode::SUCCESS);
        assert!(Line::try_parse_from(["check"]).is_err());
    }
}
