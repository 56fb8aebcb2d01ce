//! What the cases of a ruleset have tried: which rules, and which parts of their conditions.

use std::collections::BTreeMap;

use serde::Serialize;
use vigia_engine::{Explanation, Ruleset, Step, StepKind, Truth};

use crate::case::Verdict;

/// Collects what cases try, of one ruleset.
#[derive(Debug, Default)]
pub struct Coverage {
    rules: BTreeMap<usize, Tried>,
}

/// What was tried of one rule.
#[derive(Debug, Default)]
struct Tried {
    /// Cases that must fire, and that must not.
    fires: usize,
    silent: usize,
    /// Comparisons in the order in which they are written, macros put in.
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    text: String,
    /// The macro it stands in.
    within: Option<String>,
    was_true: bool,
    was_false: bool,
}

/// What was and was not tried of a rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleCoverage {
    /// The rule.
    pub rule: String,
    /// How many cases must fire.
    pub fires: usize,
    /// How many cases must stay silent.
    pub stays_silent: usize,
    /// Comparisons that were true in no case; those of a macro end with its name in parentheses.
    pub never_true: Vec<String>,
    /// Comparisons that were false in no case.
    pub never_false: Vec<String>,
}

impl RuleCoverage {
    /// Whether there are cases of both kinds.
    #[must_use]
    pub fn has_both_kinds(&self) -> bool {
        self.fires > 0 && self.stays_silent > 0
    }
}

impl Coverage {
    /// Adds a case of a rule.
    pub(crate) fn add(
        &mut self,
        rule: usize,
        expected: Verdict,
        explanation: Option<&Explanation>,
    ) {
        let tried = self.rules.entry(rule).or_default();
        match expected {
            Verdict::Fires => tried.fires += 1,
            Verdict::Silent => tried.silent += 1,
            Verdict::Undecided => {}
        }
        for pass in explanation
            .iter()
            .flat_map(|explanation| &explanation.passes)
        {
            tried.see(&pass.condition, None, &mut 0);
        }
    }

    /// Every rule of the ruleset, in its order.
    #[must_use]
    pub fn of(&self, ruleset: &Ruleset) -> Vec<RuleCoverage> {
        let nothing = Tried::default();
        let rules = ruleset.rules().iter().enumerate();
        rules
            .map(|(index, rule)| {
                let tried = self.rules.get(&index).unwrap_or(&nothing);
                let missing = |seen: fn(&Part) -> bool| {
                    let parts = tried.parts.iter().filter(|part| !seen(part));
                    let mut texts: Vec<String> = parts.map(Part::described).collect();
                    texts.dedup();
                    texts
                };
                RuleCoverage {
                    rule: rule.name.clone(),
                    fires: tried.fires,
                    stays_silent: tried.silent,
                    never_true: missing(|part| part.was_true),
                    never_false: missing(|part| part.was_false),
                }
            })
            .collect()
    }
}

impl Tried {
    /// Notes the answers of a condition. It is walked in the same order for every event, so the comparison at a
    /// position is always the same.
    fn see(&mut self, step: &Step, within: Option<&str>, at: &mut usize) {
        let within = match &step.kind {
            StepKind::Macro(name) => Some(name.as_str()),
            _ => within,
        };
        if let StepKind::Comparison(text) = &step.kind {
            if self.parts.len() == *at {
                self.parts.push(Part {
                    text: text.clone(),
                    within: within.map(str::to_owned),
                    was_true: false,
                    was_false: false,
                });
            }
            let part = &mut self.parts[*at];
            part.was_true |= step.truth == Truth::True;
            part.was_false |= step.truth == Truth::False;
            *at += 1;
        }
        for part in &step.parts {
            self.see(part, within, at);
        }
    }
}

impl Part {
    fn described(&self) -> String {
        match &self.within {
            None => self.text.clone(),
            Some(name) => format!("{} ({name})", self.text),
        }
    }
}
