//! What was measured, for people and for comparison.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use serde::Serialize;
use vigia_engine::Ruleset;
use vigia_event::Event;

use crate::measure::{self, Cost};
use crate::profiler::{self, Form};
use crate::rules::{self, Rules};
use crate::stream::{self, FAMILIES};

/// How many rules are measured.
pub const SIZES: [usize; 4] = [1, 25, 56, 500];
/// How many events the stream has: few enough to stay in the processor's cache, as an event does that was just read.
pub const EVENTS: usize = 2000;

const SLOW_ROUNDS: usize = 2;

/// How much time measuring may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Minutes.
    Full,
    /// Seconds: fewer rounds, and no instructions are counted.
    Quick,
}

impl Effort {
    fn rounds(self) -> usize {
        match self {
            Self::Full => 60,
            Self::Quick => 20,
        }
    }

    fn instructions(self, size: usize, form: Form) -> Result<f64, String> {
        match self {
            Self::Full => profiler::instructions(size, form),
            Self::Quick => Err("a quick run".to_owned()),
        }
    }
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Which rules.
    pub rules: String,
    /// Why not those of Falco; `None` where they are.
    pub rules_note: Option<String>,
    /// How the events were made.
    pub stream: String,
    /// How many events the stream has.
    pub events: usize,
    /// From the text of all rules to what judges.
    pub load: Load,
    /// Per number of rules.
    pub sizes: Vec<Size>,
    /// Nanoseconds per event of each family of the mix, by all rules.
    pub families: BTreeMap<&'static str, f64>,
    /// Nanoseconds per event of each type, by all rules.
    pub event_types: BTreeMap<&'static str, f64>,
}

/// From the text of rules to what judges.
#[derive(Debug, Serialize)]
pub struct Load {
    /// How many rules.
    pub rules: usize,
    /// How long their files are.
    pub bytes: usize,
    /// How long it takes.
    pub milliseconds: f64,
}

/// One number of rules.
#[derive(Debug, Serialize)]
pub struct Size {
    /// How many rules there are.
    pub rules: usize,
    /// By the compiled rules.
    pub compiled: Cost,
    /// By an interpreter of the rules as they were written.
    pub as_written: Cost,
    /// Instructions per event by the compiled rules, or why they were not counted.
    pub instructions: Result<f64, String>,
    /// The same by the interpreter.
    pub instructions_as_written: Result<f64, String>,
    /// How many events matched a rule.
    pub matched: usize,
    /// Allocations made while the others were judged.
    pub allocations: u64,
}

impl Results {
    /// Measures everything.
    ///
    /// # Errors
    /// Rules do not compile.
    pub fn measure(effort: Effort) -> Result<Self> {
        let (rules, rules_note) = rules::best()?;
        let (events, origin) = stream::best(EVENTS);
        let ruleset = rules.compile()?;
        let of = |wanted: &dyn Fn(&Event) -> bool| {
            let some: Vec<Event> = events
                .iter()
                .filter(|event| wanted(event))
                .cloned()
                .collect();
            measure::compiled(&ruleset, &some, effort.rounds()).ns_per_event
        };
        let families = FAMILIES.iter().enumerate();
        let families = families
            .map(|(number, family)| (*family, of(&|event| stream::family(event) == number)));
        let types: BTreeMap<&str, f64> = events
            .iter()
            .map(|event| event.event_type)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .map(|wanted| (wanted.name(), of(&|event| event.event_type == wanted)))
            .collect();
        Ok(Self {
            load: Load::measure(&rules)?,
            sizes: SIZES
                .iter()
                .map(|&size| Size::measure(&rules, size, &events, effort))
                .collect::<Result<_>>()?,
            rules: rules.name,
            rules_note,
            stream: origin,
            events: events.len(),
            families: families.collect(),
            event_types: types,
        })
    }
}

impl Load {
    fn measure(rules: &Rules) -> Result<Self> {
        let ruleset = rules.compile()?;
        let best = measure::best(5, || {
            std::hint::black_box(rules.compile().is_ok());
        });
        Ok(Self {
            rules: ruleset.rules().len(),
            bytes: rules.bytes(),
            milliseconds: best.as_secs_f64() * 1e3,
        })
    }
}

impl Size {
    fn measure(rules: &Rules, size: usize, events: &[Event], effort: Effort) -> Result<Self> {
        let ruleset: Ruleset = rules.sized(size).compile_and_keep()?;
        let allocations = measure::allocations(&ruleset, events);
        Ok(Self {
            rules: ruleset.rules().len(),
            compiled: measure::compiled(&ruleset, events, effort.rounds()),
            as_written: measure::as_written(&ruleset, events, SLOW_ROUNDS),
            instructions: effort.instructions(size, Form::Compiled),
            instructions_as_written: effort.instructions(size, Form::AsWritten),
            matched: allocations.matched,
            allocations: allocations.allocations,
        })
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "rules: {}", self.rules)?;
        if let Some(note) = &self.rules_note {
            writeln!(f, "  not those of Falco: {note}")?;
        }
        writeln!(f, "events: {}, {}", self.events, self.stream)?;
        writeln!(
            f,
            "loading {} rules ({} bytes): {:.1} ms\n",
            self.load.rules, self.load.bytes, self.load.milliseconds
        )?;
        writeln!(
            f,
            "{:>5} {:>10} {:>10} {:>12} {:>11} {:>12} {:>14} {:>8}",
            "rules",
            "ns/event",
            "events/s",
            "instructions",
            "allocations",
            "as written",
            "instructions",
            "matched"
        )?;
        for size in &self.sizes {
            let count = |count: &Result<f64, String>| match count {
                Ok(count) => format!("{count:.0}"),
                Err(_) => "skipped".to_owned(),
            };
            writeln!(
                f,
                "{:>5} {:>10.0} {:>10.0} {:>12} {:>11} {:>12.0} {:>14} {:>8}",
                size.rules,
                size.compiled.ns_per_event,
                size.compiled.events_per_second,
                count(&size.instructions),
                size.allocations,
                size.as_written.ns_per_event,
                count(&size.instructions_as_written),
                size.matched,
            )?;
        }
        if let Some(reason) = self
            .sizes
            .iter()
            .find_map(|size| size.instructions.as_ref().err())
        {
            writeln!(f, "instructions skipped: {reason}")?;
        }
        writeln!(f, "\nns per event, {} rules:", self.load.rules)?;
        for (family, ns) in self.families.iter().chain(&self.event_types) {
            writeln!(f, "  {family:<12} {ns:>8.0}")?;
        }
        Ok(())
    }
}
