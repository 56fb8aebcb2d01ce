//! The compiled conditions answer like the interpreter of what was written: the plainest form of the language.
//!
//! Many random conditions, in one ruleset so that they share and index what they can, are asked about many random
//! events: of several types, in one or two spellings, with values that are present, empty, missing or unknown. The
//! seeds are fixed, so that a failure is one tomorrow; `VIGIA_PROPERTY_SEED` tries others.

pub(super) mod random;

use std::time::Instant;

use vigia_event::{Event, PathSpellings};

use super::{compile_matching, event, interpreted, marked, rule};
use crate::{RuleMatching, Ruleset, Touched};
use random::Random;

/// Rulesets.
const ROUNDS: u64 = 140;
/// Conditions in each.
const CONDITIONS: usize = 25;
/// Events for each.
const EVENTS: usize = 40;

/// Lists and macros that conditions may name.
const DEFINITIONS: &str = "
- list: letters
  items: [a, ab, '/a']
- list: nothing
  items: []
- macro: starts
  condition: t.text startswith a or t.path startswith /a
- macro: opens
  condition: evt.type in (open, openat) and not t.bool = false
- macro: never
  condition: evt.num = 0
";

#[test]
fn compiled_conditions_answer_like_the_reference() {
    let base = std::env::var("VIGIA_PROPERTY_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0);
    let started = Instant::now();
    let (mut cases, mut answers) = (0_usize, [0_usize; 3]);
    for round in 0..ROUNDS {
        let mut random = Random::new(base + round);
        // Half of them are one comparison, whose answer nothing else hides.
        let conditions: Vec<String> = (0..CONDITIONS)
            .map(|_| {
                let depth = random.pick(&[0, 0, 0, 1, 2, 3]);
                random.condition(depth)
            })
            .collect();
        let rules: Vec<String> = conditions
            .iter()
            .enumerate()
            .map(|(index, condition)| rule(&index.to_string(), condition))
            .collect();
        let matching = if random.one_in(8) {
            RuleMatching::First
        } else {
            RuleMatching::All
        };
        let ruleset = compile_matching(&[DEFINITIONS, &rules.concat()], matching);
        let mut scratch = ruleset.scratch();
        for _ in 0..EVENTS {
            let subject = Subject::new(&mut random);
            let event = subject.event();
            let mut found = Vec::new();
            let touched = ruleset.evaluate(&event, &mut scratch, &mut |matched| {
                found.push(marked(&matched));
            });
            let expected = interpreted(&ruleset, &event);
            if found != expected {
                panic!(
                    "seed {}: {}",
                    base + round,
                    explain(&conditions, &subject, &found, &expected)
                );
            }
            assert_touched(&ruleset, &mut scratch, &subject, touched, &found);
            let unknown = found.iter().filter(|name| name.ends_with('?')).count();
            answers[0] += found.len() - unknown;
            answers[1] += unknown;
            answers[2] += CONDITIONS - found.len();
            cases += CONDITIONS;
        }
    }
    let [yes, unknown, no] = answers;
    println!(
        "{cases} cases in {:?}: {yes} true, {unknown} unknown, {no} false",
        started.elapsed()
    );
    assert!(cases >= 100_000, "{cases} cases");
    // A property that only ever sees one answer says little.
    assert!(
        answers.iter().all(|answer| answer * 20 > cases),
        "{answers:?}"
    );
}

/// What was not touched cannot change the answer: the kernel stops sending events like it.
fn assert_touched(
    ruleset: &Ruleset,
    scratch: &mut crate::Scratch,
    subject: &Subject,
    touched: Touched,
    found: &[String],
) {
    if found.iter().any(|name| name.ends_with('?')) {
        assert!(touched.unknown, "{subject:?}");
    }
    if touched.volatile {
        return;
    }
    for volatile in ["t.volatile=a", "t.volatile=b", "t.volatile=?", ""] {
        let mut other = subject.clone();
        other.values = format!("{volatile};{}", other.values);
        let mut again = Vec::new();
        ruleset.evaluate(&other.event(), scratch, &mut |matched| {
            again.push(marked(&matched));
        });
        assert_eq!(again, found, "{other:?}, though no volatile field was read");
    }
}

/// The one condition that differs, judged alone as well.
fn explain(
    conditions: &[String],
    subject: &Subject,
    found: &[String],
    expected: &[String],
) -> String {
    let differing = conditions.iter().enumerate().find(|(index, _)| {
        let of = |names: &[String]| {
            let own = |name: &&String| name.trim_end_matches('?') == index.to_string();
            names.iter().find(own).cloned()
        };
        of(found) != of(expected)
    });
    let Some((index, condition)) = differing else {
        return format!("the order of {found:?} and {expected:?}");
    };
    let alone = compile_matching(&[DEFINITIONS, &rule("alone", condition)], RuleMatching::All);
    let mut judged = Vec::new();
    alone.evaluate(&subject.event(), &mut alone.scratch(), &mut |matched| {
        judged.push(marked(&matched));
    });
    format!(
        "{condition}\n    with {subject:?}\n    rule {index}: compiled {found:?}, interpreted {expected:?}, alone {judged:?}"
    )
}

/// What an event is made of.
#[derive(Clone, Debug)]
struct Subject {
    event_type: &'static str,
    result: i64,
    number: u64,
    values: String,
    given: Option<&'static str>,
    real: Option<&'static str>,
    underlying: Option<&'static str>,
}

impl Subject {
    fn new(random: &mut Random) -> Self {
        Self {
            event_type: random.pick(&["open", "open", "openat", "close", "execve"]),
            result: if random.one_in(3) { -2 } else { 3 },
            number: 1 + random.below(3),
            values: random.values(),
            given: random.pick(random::PATHS),
            real: random.pick(random::PATHS),
            underlying: random.pick(random::PATHS),
        }
    }

    fn event(&self) -> Event {
        let mut event = event(self.event_type, self.result, &self.values);
        event.number = self.number;
        event.paths = PathSpellings {
            given: self.given.map(Into::into),
            real: self.real.map(Into::into),
            underlying: self.underlying.map(Into::into),
            other: None,
        };
        event
    }
}
