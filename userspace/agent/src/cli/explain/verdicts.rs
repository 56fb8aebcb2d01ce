//! Why rules fire for events, or do not.

use std::io::Write;

use serde::Serialize;
use vigia_engine::{Explanation, NotAsked, Outcome, Ruleset, Step, StepKind};
use vigia_event::Event;

use crate::cli::one_line;

/// For people: what fires in full; what does not in one line, unless the rule was asked for.
pub(super) fn text(
    ruleset: &Ruleset,
    rule: Option<usize>,
    events: &[(String, Event)],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    for (name, event) in events {
        writeln!(out, "{}", one_line(&described(name, event)))?;
        for explanation in explanations(ruleset, rule, event) {
            if explanation.outcome.is_some() || rule.is_some() {
                for line in explanation.to_string().lines() {
                    writeln!(out, "  {line}")?;
                }
            } else if explanation.not_asked.is_none() {
                writeln!(
                    out,
                    "  {} does not fire: {}",
                    one_line(&explanation.rule),
                    one_line(&reason(&explanation))
                )?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The explanations of a rule, or of all.
fn explanations(
    ruleset: &Ruleset,
    rule: Option<usize>,
    event: &Event,
) -> impl Iterator<Item = Explanation> {
    let wanted = match rule {
        Some(index) => index..index + 1,
        None => 0..ruleset.rules().len(),
    };
    wanted.filter_map(|index| ruleset.explain(index, event))
}

/// The number, type and subject of an event.
fn described(name: &str, event: &Event) -> String {
    let path = event.paths.given.as_ref().or(event.paths.real.as_ref());
    let subject = path.map_or_else(String::new, |path| format!(" {path}"));
    let name = if name.is_empty() {
        String::new()
    } else {
        format!(" ({name})")
    };
    format!(
        "event {}: {}{subject} by {}{name}",
        event.number,
        event.event_type.name(),
        event.process.task.comm
    )
}

/// The first part that decided, with what it saw.
fn reason(explanation: &Explanation) -> String {
    let mut found = String::new();
    for pass in &explanation.passes {
        pass.condition.visit(&mut |step| {
            if let (true, true, StepKind::Comparison(text)) =
                (found.is_empty(), step.decides, &step.kind)
            {
                let saw = step.values.iter().map(|(operand, value)| match value {
                    Some(value) => format!("{operand} is {value}"),
                    None => format!("{operand} has no value"),
                });
                found = format!(
                    "{text} is {} ({})",
                    step.truth.word(),
                    saw.collect::<Vec<_>>().join(", ")
                );
            }
        });
    }
    found
}

#[derive(Serialize)]
struct OfEvent<'e> {
    number: u64,
    #[serde(rename = "type")]
    event_type: &'static str,
    description: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'e str,
    rules: Vec<OfRule>,
}

#[derive(Serialize)]
struct OfRule {
    rule: String,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_asked: Option<&'static str>,
    passes: Vec<Pass>,
}

#[derive(Serialize)]
struct Pass {
    spelling: &'static str,
    path: Option<String>,
    condition: Part,
}

#[derive(Serialize)]
struct Part {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    truth: &'static str,
    decides: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<Seen>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part>,
}

#[derive(Serialize)]
struct Seen {
    operand: String,
    value: Option<String>,
}

/// The whole of every condition.
pub(super) fn json(
    ruleset: &Ruleset,
    rule: Option<usize>,
    events: &[(String, Event)],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let document: Vec<OfEvent<'_>> = events
        .iter()
        .map(|(name, event)| OfEvent {
            number: event.number,
            event_type: event.event_type.name(),
            description: described("", event),
            name,
            rules: explanations(ruleset, rule, event)
                .map(OfRule::from)
                .collect(),
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)?;
    Ok(())
}

impl From<Explanation> for OfRule {
    fn from(explanation: Explanation) -> Self {
        Self {
            verdict: match explanation.outcome {
                Some(Outcome::Fires) => "fires",
                Some(Outcome::Partial) => "undecided",
                None => "stays_silent",
            },
            not_asked: explanation.not_asked.map(|reason| match reason {
                NotAsked::Inactive => "inactive",
                NotAsked::EventType => "event_type",
                NotAsked::FailedExecution => "failed_execution",
            }),
            passes: explanation
                .passes
                .into_iter()
                .map(|pass| Pass {
                    spelling: match pass.spelling {
                        vigia_event::Spelling::Given => "given",
                        vigia_event::Spelling::Real => "real",
                        vigia_event::Spelling::Underlying => "underlying",
                    },
                    path: pass.path,
                    condition: pass.condition.into(),
                })
                .collect(),
            rule: explanation.rule,
        }
    }
}

impl From<Step> for Part {
    fn from(step: Step) -> Self {
        let (kind, text) = match step.kind {
            StepKind::And => ("and", None),
            StepKind::Or => ("or", None),
            StepKind::Not => ("not", None),
            StepKind::Macro(name) => ("macro", Some(name)),
            StepKind::Comparison(text) => ("comparison", Some(text)),
        };
        Self {
            kind,
            text,
            truth: step.truth.word(),
            decides: step.decides,
            values: step
                .values
                .into_iter()
                .map(|(operand, value)| Seen { operand, value })
                .collect(),
            parts: step.parts.into_iter().map(Self::from).collect(),
        }
    }
}
