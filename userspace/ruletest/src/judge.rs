//! Cases judged by the engine: what was expected, what came, and why.

use vigia_engine::{Explanation, Outcome, Ruleset, Scratch, Template};
use vigia_event::{Event, Spelling, View};

use crate::case::{Case, RuleTest, TestFile, Verdict};
use crate::coverage::Coverage;
use crate::document::Fault;
use crate::reading::did_you_mean;
use crate::report::{AlertReport, CaseReport};

/// Judges every case of a file. The ruleset must match with [`RuleMatching::All`](vigia_engine::RuleMatching) and keep its
/// conditions; an alert of another rule than the one a case is about is shown, and counts only where the case says so.
///
/// # Errors
/// What the file says of rules and fields that do not exist; each with its place.
pub fn judge(
    file: &TestFile,
    ruleset: &Ruleset,
    coverage: &mut Coverage,
) -> Result<Vec<CaseReport>, Vec<Fault>> {
    let mut reports = Vec::new();
    let mut faults = Vec::new();
    for test in &file.tests {
        let Some(index) = ruleset
            .rules()
            .iter()
            .position(|rule| rule.name == test.rule)
        else {
            let nearest = did_you_mean(
                &test.rule,
                ruleset.rules().iter().map(|rule| rule.name.as_str()),
            );
            faults.push(Fault {
                place: test.place,
                message: format!("no rule is named `{}`{nearest}", test.rule),
            });
            continue;
        };
        for case in &test.cases {
            match one(test, case, index, ruleset, coverage) {
                Ok(report) => reports.push(report),
                Err(fault) => faults.push(fault),
            }
        }
    }
    if faults.is_empty() {
        Ok(reports)
    } else {
        Err(faults)
    }
}

/// What all rules make of one event.
struct Judged<'e> {
    event: &'e Event,
    verdict: Verdict,
    /// Of the rule the case is about.
    spelling: Spelling,
    alerts: Vec<AlertReport>,
}

fn evaluate<'e>(
    event: &'e Event,
    index: usize,
    ruleset: &Ruleset,
    scratch: &mut Scratch,
) -> Judged<'e> {
    let mut judged = Judged {
        event,
        verdict: Verdict::Silent,
        spelling: Spelling::Given,
        alerts: Vec::new(),
    };
    ruleset.evaluate(event, scratch, &mut |found| {
        let undecided = found.outcome == Outcome::Partial;
        if found.index == index {
            judged.verdict = if undecided {
                Verdict::Undecided
            } else {
                Verdict::Fires
            };
            judged.spelling = found.spelling;
        }
        judged.alerts.push(AlertReport {
            rule: found.rule.name.clone(),
            output: found.rule.output.render(View {
                event,
                spelling: found.spelling,
            }),
            undecided,
        });
    });
    judged
}

/// Of the events of a case, the one that tells: the first that fires, else that is undecided, else that the rule is asked
/// about.
fn telling<'e>(case: &'e Case, index: usize, ruleset: &Ruleset) -> Option<Judged<'e>> {
    let mut scratch = ruleset.scratch();
    let types = &ruleset.rules()[index].event_types;
    let mut best: Option<(u8, Judged<'e>)> = None;
    for event in &case.events {
        let judged = evaluate(event, index, ruleset, &mut scratch);
        let rank = match judged.verdict {
            Verdict::Fires => 3,
            Verdict::Undecided => 2,
            Verdict::Silent => u8::from(types.contains(event.event_type)),
        };
        if best.as_ref().is_none_or(|(found, _)| rank > *found) {
            best = Some((rank, judged));
        }
    }
    best.map(|(_, judged)| judged)
}

fn one(
    test: &RuleTest,
    case: &Case,
    index: usize,
    ruleset: &Ruleset,
    coverage: &mut Coverage,
) -> Result<CaseReport, Fault> {
    let Some(judged) = telling(case, index, ruleset) else {
        return Err(Fault {
            place: case.place,
            message: "this case has no event".to_owned(),
        });
    };
    let (event, verdict, alerts) = (judged.event, judged.verdict, judged.alerts);
    let explanation = ruleset.explain(index, event);
    coverage.add(index, case.expected, explanation.as_ref());
    let matched = alerts
        .iter()
        .find(|alert| alert.rule == test.rule)
        .map(|alert| (judged.spelling, alert.output.clone()));

    let mut failures = Vec::new();
    if verdict != case.expected {
        failures.push(surprise(case.expected, verdict).to_owned());
    }
    if let Some((spelling, output)) = &matched {
        for text in case
            .says
            .iter()
            .filter(|text| !output.contains(text.as_str()))
        {
            failures.push(format!("the output does not say `{text}`: {output}"));
        }
        for (name, expected, place) in &case.fields {
            let field = Template::field(name).map_err(|problem| Fault {
                place: *place,
                message: problem.to_string(),
            })?;
            let seen = field.render(View {
                event,
                spelling: *spelling,
            });
            if seen != *expected {
                failures.push(format!("{name} is `{seen}`, not `{expected}`"));
            }
        }
    }
    let others: Vec<&str> = alerts
        .iter()
        .map(|alert| alert.rule.as_str())
        .filter(|rule| *rule != test.rule)
        .collect();
    if case.only && !others.is_empty() {
        failures.push(format!("other rules fire, too: {}", others.join(", ")));
    }
    let why = (verdict != case.expected)
        .then(|| explanation.as_ref().map(Explanation::to_string))
        .flatten();
    Ok(CaseReport {
        rule: test.rule.clone(),
        name: described(case, event),
        line: case.place.line,
        column: case.place.column,
        expected: case.expected.key(),
        passed: failures.is_empty(),
        failures,
        why,
        alerts,
    })
}

fn surprise(expected: Verdict, came: Verdict) -> &'static str {
    match (expected, came) {
        (Verdict::Fires, Verdict::Undecided) => {
            "must fire, and is undecided: it depends on values that have not come"
        }
        (Verdict::Fires, _) => "must fire, and does not",
        (Verdict::Silent, Verdict::Undecided) => {
            "must stay silent, and is undecided: it depends on values that have not come"
        }
        (Verdict::Silent, _) => "must stay silent, and fires",
        (Verdict::Undecided, Verdict::Fires) => "must be undecided, and fires",
        (Verdict::Undecided, _) => "must be undecided, and stays silent",
    }
}

/// The name of a case; without one, what happens in it.
fn described(case: &Case, event: &Event) -> String {
    if !case.name.is_empty() {
        return case.name.clone();
    }
    let path = event.paths.given.as_ref().or(event.paths.real.as_ref());
    let subject = path.map_or_else(String::new, |path| format!(" {path}"));
    format!(
        "{}{subject} by {}",
        event.event_type.name(),
        event.process.task.comm
    )
}
