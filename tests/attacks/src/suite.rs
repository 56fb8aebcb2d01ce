//! Performing rows and judging what came of them.
//!
//! Attacks follow one another without a pause; an alert belongs to the one in whose time its event took place. The
//! alerts are awaited at the end, so that what is missing costs its patience once.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use serde::Serialize;
use vigia_tests::wait;

use crate::judge::{self, Scene, Span};
use crate::order::Answer;
use crate::row::{Place, Row, Rule};
use crate::stage::{Kind, Stage, upstream_rules};
use crate::table;

/// How long alerts may take after the last attack.
const PATIENCE: Duration = Duration::from_secs(15);

/// What came of a row.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The row's name.
    pub action: &'static str,
    /// Where it was performed.
    pub place: &'static str,
    /// The rule that must fire.
    pub rule: Option<&'static str>,
    /// Whose rule it is: `upstream`, `default`, `suite` or `none`.
    pub owner: &'static str,
    /// The row's note.
    pub note: &'static str,
    /// Whether all is as the row says.
    pub passed: bool,
    /// Why the alert was not asked for, although the row has one; the effect was.
    pub skipped: Option<&'static str>,
    /// What is not.
    pub faults: Vec<String>,
    /// Other rules that fired meanwhile.
    pub also: Vec<String>,
    /// How long the attack took.
    pub seconds: f64,
}

/// A row that was performed.
struct Performed {
    row: &'static Row,
    span: Span,
    took: Duration,
    scene: Option<Scene>,
    /// What is wrong with its effect.
    faults: Vec<String>,
    /// What is wrong with its alert: `None` until one came, empty when it is right.
    alert: Option<Vec<String>>,
}

/// The rows of some names, or all of them.
///
/// # Errors
/// There is none of such a name.
pub fn rows(names: &[String]) -> Result<Vec<&'static Row>> {
    if names.is_empty() {
        return Ok(table::all().collect());
    }
    names
        .iter()
        .map(|name| table::find(name).with_context(|| format!("there is no attack {name:?}")))
        .collect()
}

/// Performs rows and judges them.
///
/// # Errors
/// A place does not answer any more.
pub fn run(stage: &Stage, rows: &[&'static Row]) -> Result<Vec<Verdict>> {
    let mut performed: Vec<Performed> = Vec::new();
    for row in rows {
        if let Some(last) = performed.last() {
            last.span.settle()?;
        }
        performed.push(perform(stage, row).with_context(|| row.action.to_owned())?);
    }
    let has_upstream = upstream_rules().is_some();
    let _ = wait::poll(PATIENCE, || {
        judge(stage, &mut performed);
        let is_open = |done: &Performed| done.awaits(has_upstream);
        (!performed.iter().any(is_open)).then_some(())
    });
    Ok(performed
        .into_iter()
        .map(|done| done.verdict(stage, has_upstream))
        .collect())
}

fn perform(stage: &Stage, row: &'static Row) -> Result<Performed> {
    let start = SystemTime::now();
    let clock = Instant::now();
    let (scene, answer, root): (_, Answer, Option<PathBuf>) = match row.place {
        Place::Own(options) => {
            let (container, code, output) = stage.run(options, row.command)?;
            let scene = Scene {
                id: container.id.clone(),
                name: container.name.clone(),
                image: stage.image(row.place)?.to_owned(),
            };
            (Some(scene), Answer { code, output }, None)
        }
        place => {
            let station = stage.found(place).context("its place")?;
            let answer = station.orders.perform(row.action)?;
            match &station.kind {
                Kind::Container(container, image) => {
                    let scene = Scene {
                        id: container.id.clone(),
                        name: container.name.clone(),
                        image: image.clone(),
                    };
                    let root = PathBuf::from(format!("/proc/{}/root", container.pid()?));
                    (Some(scene), answer, Some(root))
                }
                Kind::Process(_) => (None, answer, Some("/".into())),
            }
        }
    };
    let span = Span {
        start,
        end: SystemTime::now(),
    };
    Ok(Performed {
        row,
        span,
        took: clock.elapsed(),
        scene,
        faults: judge::effect_faults(row, &answer, root.as_deref()),
        alert: None,
    })
}

/// Looks at the alerts for those that are still awaited.
fn judge(stage: &Stage, performed: &mut [Performed]) {
    for place in [Place::Container, Place::Host] {
        let alerts = stage.alerts(place);
        for done in performed.iter_mut().filter(|done| {
            (done.row.place == Place::Host) == (place == Place::Host)
                && !done.alert.as_ref().is_some_and(Vec::is_empty)
        }) {
            done.alert = judge::alert_faults(done.row, done.span, done.scene.as_ref(), &alerts);
        }
    }
}

impl Performed {
    fn is_skipped(&self, has_upstream: bool) -> bool {
        !has_upstream && matches!(self.row.rule, Rule::Upstream(_))
    }

    /// Whether its alert is still to come.
    fn awaits(&self, has_upstream: bool) -> bool {
        self.row.rule != Rule::Undetected
            && !self.is_skipped(has_upstream)
            && !self.alert.as_ref().is_some_and(Vec::is_empty)
    }

    fn verdict(self, stage: &Stage, has_upstream: bool) -> Verdict {
        let row = self.row;
        let mut also: Vec<_> = stage
            .alerts(row.place)
            .iter()
            .filter(|alert| judge::is_within(alert, self.span))
            .map(|alert| alert.rule().to_owned())
            .filter(|rule| Some(rule.as_str()) != row.rule.name())
            .collect();
        also.sort_unstable();
        also.dedup();
        let skipped = self.is_skipped(has_upstream).then_some("no upstream rules");
        let mut faults = self.faults;
        if row.rule != Rule::Undetected && skipped.is_none() {
            faults.extend(match self.alert {
                None => vec!["no alert".to_owned()],
                Some(faults) => faults,
            });
        }
        Verdict {
            action: row.action,
            place: row.place.name(),
            rule: row.rule.name(),
            owner: row.rule.owner(),
            note: row.note,
            passed: faults.is_empty(),
            skipped,
            faults,
            also,
            seconds: self.took.as_secs_f64(),
        }
    }
}
