//! Compiled rules, and asking them about events.

use std::collections::BTreeSet;

use vigia_event::call::named;
use vigia_event::open_paths::OpenPaths;
use vigia_event::{Event, EventType, MAX_SPELLINGS, Spelling, View};

use crate::appended::ExtraField;
use crate::events::EventTypes;
use crate::fields::FieldReference;
use crate::graph::NodeId;
use crate::interpret::Kept;
use crate::plan::{Asked, Candidates, Plans};
use crate::priority::Priority;
use crate::program::{Memory, Pass, Program, Truth};
use crate::sought::{Ending, Sought};
use crate::template::Template;

/// A compiled rule.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rule {
    /// Its name, unique in its ruleset.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How bad it is when it fires.
    pub priority: Priority,
    /// The source of events it judges; always `syscall` today.
    pub source: String,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// The event types for which its condition can be true.
    pub event_types: EventTypes,
    /// What an alert says.
    pub output: Template,
    /// The fields that alerts carry besides those of the output.
    pub extra_fields: Vec<ExtraField>,
    /// The fields whose values say which of its matches are about the same object; empty for the default.
    pub group_by: Vec<FieldReference>,
    /// For how many seconds repeats are folded into one summary; `None`: as the configuration says.
    pub window_s: Option<u32>,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Whether it asks for a capture of what follows. It is read for compatibility; nothing is captured.
    pub capture: bool,
    /// How long that capture would be, in milliseconds.
    pub capture_duration_ms: u32,
}

impl Rule {
    /// Everything an alert prints.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        std::iter::once(&self.output).chain(self.extra_fields.iter().map(ExtraField::template))
    }
}

/// Whether several rules may match one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuleMatching {
    /// The first rule that fires, in the order of the rule files, ends the search.
    #[default]
    First,
    /// Every rule that fires is reported.
    All,
}

/// A rule that an event matched.
#[derive(Clone, Copy, Debug)]
pub struct Match<'r> {
    /// The rule.
    pub rule: &'r Rule,
    /// Its position in [`Ruleset::rules`].
    pub index: usize,
    /// The spelling of the event's path under which it matched.
    pub spelling: Spelling,
    /// How it matched.
    pub outcome: Outcome,
}

/// How a rule matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Its condition is true.
    Fires,
    /// Its condition depends on values that are still unknown.
    Partial,
}

/// What judging an event looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// A field that holds no longer than the event: the next one like it may be judged otherwise.
    pub volatile: bool,
    /// A field whose value was still on its way.
    pub unknown: bool,
}

/// All rules of all files, compiled together.
#[derive(Debug)]
pub struct Ruleset {
    pub(crate) rules: Vec<Rule>,
    pub(crate) program: Program,
    pub(crate) plans: Plans,
    /// Per rule, whether it is active and judges executions that failed.
    pub(crate) sees_failed_executions: Vec<bool>,
    pub(crate) event_types: EventTypes,
    pub(crate) uses_environment: bool,
    pub(crate) uses_data: bool,
    pub(crate) sought: Sought,
    pub(crate) domain_names: BTreeSet<String>,
    pub(crate) matching: RuleMatching,
    /// The rules that are asked at all.
    pub(crate) active: Vec<usize>,
    /// The conditions as written, where they were to be kept.
    pub(crate) kept: Option<Kept>,
}

/// Working memory of [`Ruleset::evaluate`], reused so that an event that matches nothing allocates nothing.
#[derive(Debug)]
pub struct Scratch {
    memory: Memory,
    candidates: Candidates,
}

impl Ruleset {
    /// All rules, in the order in which they are asked; those that are switched off included.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules that are asked at all: switched on, and of sufficient priority.
    pub fn active_rules(&self) -> impl Iterator<Item = &Rule> {
        self.active
            .iter()
            .filter_map(|&index| self.rules.get(index))
    }

    /// The event types that some active rule can match.
    #[must_use]
    pub fn event_types(&self) -> &EventTypes {
        &self.event_types
    }

    /// The domain names that active rules compare addresses with (`fd.sip.name = example.com`): events should know
    /// the addresses of each (see [`vigia_event::names::DomainNames`]).
    #[must_use]
    pub fn domain_names(&self) -> &BTreeSet<String> {
        &self.domain_names
    }

    /// Whether an active rule tests or prints environment variables, which are captured only then.
    #[must_use]
    pub fn uses_environment(&self) -> bool {
        self.uses_environment
    }

    /// Whether an active rule tests or prints what is sent and received, which is captured only then.
    #[must_use]
    pub fn uses_data(&self) -> bool {
        self.uses_data
    }

    /// The paths of opens that active rules can match where the file was only to be read.
    ///
    /// Such an open succeeded, had neither write access nor `O_CREAT` nor `O_TRUNC`, and its file is no secret.
    #[must_use]
    pub fn read_paths(&self) -> &OpenPaths {
        &self.sought.read_paths
    }

    /// The paths of other opens that active rules can match: those that succeeded and could have changed something, of files
    /// that are no secrets.
    #[must_use]
    pub fn write_paths(&self) -> &OpenPaths {
        &self.sought.write_paths
    }

    /// Whether an active rule can match an event of a type whose call ended so. What has no result ends in no way.
    #[must_use]
    pub fn can_match(&self, event_type: EventType, ending: Ending) -> bool {
        self.sought.ends(event_type, ending)
    }

    /// Whether an active rule judges executions that failed.
    #[must_use]
    pub fn sees_failed_executions(&self) -> bool {
        self.sees_failed_executions.contains(&true)
    }

    /// Working memory for one thread that evaluates.
    #[must_use]
    pub fn scratch(&self) -> Scratch {
        Scratch {
            memory: self.program.memory(),
            candidates: Candidates::default(),
        }
    }

    /// Judges an event, which must be [prepared](Event::prepare), and hands over each match in the order of
    /// the rules.
    ///
    /// Where the event's path has several spellings, each condition is judged once in each, and the rule fires if
    /// either is true. A `scratch` of another ruleset is made to fit.
    ///
    /// An execution that failed is shown only to rules whose condition asks for the result (`evt.res`,
    /// `evt.rawres`, `evt.failed` and the like): every other rule means programs that run.
    pub fn evaluate<'r>(
        &'r self,
        event: &Event,
        scratch: &mut Scratch,
        each: &mut dyn FnMut(Match<'r>),
    ) -> Touched {
        let Some(plan) = self.plans.of(event.event_type) else {
            return Touched::default();
        };
        let failed_execution =
            is_execution(event.event_type) && event.result().is_some_and(|result| result < 0);
        let mut pass = Pass::new(&self.program, &mut scratch.memory, event);
        plan.candidates(&mut pass, &mut scratch.candidates);
        for (position, spellings) in positions(&scratch.candidates) {
            let Asked { rule, condition } = plan.asked[position];
            let index = rule as usize;
            if failed_execution && !self.sees_failed_executions[index] {
                continue;
            }
            let Some((outcome, spelling)) = pass.judge_rule(condition, spellings) else {
                continue;
            };
            each(Match {
                rule: &self.rules[index],
                index,
                spelling,
                outcome,
            });
            if outcome == Outcome::Fires && self.ends_with_first(event.event_type) {
                break;
            }
        }
        pass.touched
    }

    /// Whether one rule that fires is enough. What became of a container is not one deed: each rule asks for something
    /// else of what it was started with.
    fn ends_with_first(&self, event_type: EventType) -> bool {
        self.matching == RuleMatching::First && event_type != named::CONTAINER
    }
}

/// The positions of bits that are set in any set, in order, each with the sets it is in.
fn positions(candidates: &Candidates) -> impl Iterator<Item = (usize, [bool; MAX_SPELLINGS])> {
    let [first, ..] = candidates;
    (0..first.len()).flat_map(|word| {
        let sets = candidates.each_ref().map(|set| set[word]);
        let mut rest = sets.into_iter().fold(0, |all, set| all | set);
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some((word * 64 + bit, sets.map(|set| set >> bit & 1 != 0)))
        })
    })
}

impl Pass<'_, '_, '_> {
    /// Judges a rule in those spellings in which it may match.
    fn judge_rule(
        &mut self,
        condition: NodeId,
        spellings: [bool; MAX_SPELLINGS],
    ) -> Option<(Outcome, Spelling)> {
        let mut found = None;
        for number in (0..MAX_SPELLINGS).filter(|&number| spellings[number]) {
            match self.judge(condition, number) {
                Truth::True => return Some((Outcome::Fires, self.spelling(number))),
                Truth::Unknown if found.is_none() => {
                    found = Some((Outcome::Partial, self.spelling(number)));
                }
                Truth::Unknown | Truth::False => {}
            }
        }
        found
    }
}

impl Ruleset {
    /// Judges an event as [`Ruleset::evaluate`] does, by walking every condition as it was written: what the compiled
    /// form is measured by, and far slower. Finds nothing unless [`Options::keep_conditions`](crate::Options) was set.
    pub fn evaluate_as_written<'r>(&'r self, event: &Event, each: &mut dyn FnMut(Match<'r>)) {
        for &index in &self.active {
            let Some((outcome, spelling)) = self.outcome_as_written(index, event) else {
                continue;
            };
            each(Match {
                rule: &self.rules[index],
                index,
                spelling,
                outcome,
            });
            if outcome == Outcome::Fires && self.ends_with_first(event.event_type) {
                break;
            }
        }
    }

    fn outcome_as_written(&self, index: usize, event: &Event) -> Option<(Outcome, Spelling)> {
        let condition = self.kept.as_ref()?.conditions.get(index)?.as_ref()?;
        if self.hides(index, event) {
            return None;
        }
        let judged = event.spellings().iter().map(|&spelling| {
            let truth = condition.judge(View { event, spelling });
            (truth, spelling)
        });
        // The first spelling in which it is true, else the first in which it is unknown.
        let mut undecided = None;
        for (truth, spelling) in judged {
            match truth {
                Truth::True => return Some((Outcome::Fires, spelling)),
                Truth::Unknown if undecided.is_none() => {
                    undecided = Some((Outcome::Partial, spelling))
                }
                Truth::Unknown | Truth::False => {}
            }
        }
        undecided
    }

    /// Whether a rule is not shown an event: executions that failed, of which it does not ask.
    pub(crate) fn hides(&self, index: usize, event: &Event) -> bool {
        is_execution(event.event_type)
            && event.result().is_some_and(|result| result < 0)
            && !self.sees_failed_executions[index]
    }
}

pub(crate) fn is_execution(event_type: EventType) -> bool {
    matches!(event_type, named::EXECVE | named::EXECVEAT)
}
