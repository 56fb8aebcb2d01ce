//! `vigia explain`: what a rule is made of, and why it fires for an event or does not.

mod description;
mod events;
mod syscalls;
mod verdicts;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::Args;
use vigia_engine::{Options, RuleMatching, Ruleset, Selection, Selector, compile};

use crate::config::DEFAULT_RULES;
use crate::{interest, rules};

/// Flags of `vigia explain`.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The rule, by name; with --event all rules, if none is named
    #[arg(value_name = "RULE", required_unless_present_any = ["event", "syscalls"])]
    rule: Option<String>,
    /// Rule file or folder; may be repeated, the order counts [default: those in /etc/vigia/rules, else the built-in ones]
    #[arg(short, long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Say why the rule fires or does not, for the events of a recording, or of a YAML file in the form of the cases of
    /// `vigia test`
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Print which events these rules have the probes capture, and why each of them
    #[arg(long, conflicts_with_all = ["rule", "event"])]
    syscalls: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Explain {
    /// Exit code 1 means that the rules or the events cannot be read, or that there is no such rule.
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        let ruleset = self.ruleset()?;
        if self.syscalls {
            let reasons = interest::reasons(&ruleset);
            if self.json {
                syscalls::json(&reasons, out)?;
            } else {
                syscalls::text(&reasons, &ruleset, out)?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let index = self
            .rule
            .as_ref()
            .map(|name| find(&ruleset, name))
            .transpose()?;
        match (&self.event, index) {
            (Some(file), _) => {
                let events = events::read(file)?;
                if self.json {
                    verdicts::json(&ruleset, index, &events, out)?;
                } else {
                    verdicts::text(&ruleset, index, &events, out)?;
                }
            }
            (None, Some(index)) => {
                let described = ruleset
                    .describe(index)
                    .ok_or_else(|| anyhow!("the condition is too large to be explained"))?;
                if self.json {
                    description::json(&ruleset.rules()[index], &described, out)?;
                } else {
                    description::text(&ruleset.rules()[index], &described, out)?;
                }
            }
            (None, None) => bail!("name a rule, or give an event with --event"),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The rules; the one that is asked for is explained as if it were switched on.
    fn ruleset(&self) -> anyhow::Result<Ruleset> {
        let sources = if self.rules.is_empty() {
            rules::load(&[DEFAULT_RULES.into()])?
        } else {
            rules::read(&self.rules)?
        };
        let options = Options {
            rule_matching: RuleMatching::All,
            keep_conditions: true,
            selections: self
                .rule
                .iter()
                .map(|name| Selection {
                    enable: true,
                    rules: Selector::Name(name.clone()),
                })
                .collect(),
            ..Options::default()
        };
        let compiled = compile(&sources, &options);
        compiled.ruleset.ok_or_else(|| {
            let errors = compiled
                .diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.is_error())
                .count();
            anyhow!("the rules have {errors} errors: see `vigia check`")
        })
    }
}

/// The position of a rule: its name as it is, or else in any case.
fn find(ruleset: &Ruleset, name: &str) -> anyhow::Result<usize> {
    let by = |same: &dyn Fn(&str) -> bool| ruleset.rules().iter().position(|rule| same(&rule.name));
    if let Some(index) =
        by(&|rule| rule == name).or_else(|| by(&|rule| rule.eq_ignore_ascii_case(name)))
    {
        return Ok(index);
    }
    let folded = name.to_ascii_lowercase();
    let names = || {
        ruleset
            .rules()
            .iter()
            .map(|rule| (rule.name.to_ascii_lowercase(), &rule.name))
    };
    // A part of the name, or one that is misspelt.
    let allowed = name.len().min(60) / 3;
    let nearest = names()
        .find(|(lower, _)| lower.contains(&folded))
        .or_else(|| {
            names()
                .map(|(lower, name)| (strsim::damerau_levenshtein(&folded, &lower), lower, name))
                .filter(|(distance, ..)| *distance <= allowed)
                .min()
                .map(|(_, lower, name)| (lower, name))
        });
    match nearest {
        Some((_, nearest)) => bail!("no rule is named `{name}`; did you mean `{nearest}`?"),
        None => bail!(
            "none of the {} rules is named `{name}`",
            ruleset.rules().len()
        ),
    }
}
