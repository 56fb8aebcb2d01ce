//! What must hold whatever the machine: counts, not times.

use vigia_bench::{measure, rules, stream};

/// Of the events of a mix, this many in a hundred may match a rule; the rest measures what a non-match costs.
const FEW: usize = 10;

#[test]
fn an_event_that_matches_nothing_allocates_nothing() {
    let (upstream, note) = rules::best().expect("our own rules compile");
    if let Some(note) = note {
        eprintln!("not the rules of Falco: {note}");
    }
    let mut events = stream::mix(5000);
    events.extend(stream::recorded(5000).expect("the recorded mix"));
    for rules in [upstream.clone(), upstream.sized(500), rules::ours()] {
        let ruleset = rules.compile().expect("rules without errors");
        let found = measure::allocations(&ruleset, &events);
        assert_eq!(found.allocations, 0, "{}: {:?}", rules.name, found.by_type);
        assert!(
            found.matched * 100 <= found.events * FEW,
            "{}: {} of {} events match",
            rules.name,
            found.matched,
            events.len()
        );
    }
}

#[test]
fn the_compiled_rules_find_in_the_mix_what_the_written_ones_find() {
    let (rules, _) = rules::best().expect("our own rules compile");
    let ruleset = rules.compile_and_keep().expect("rules without errors");
    let mut scratch = ruleset.scratch();
    let mut matches = 0;
    for event in &stream::mix(1500) {
        let (mut compiled, mut written) = (Vec::new(), Vec::new());
        ruleset.evaluate(event, &mut scratch, &mut |found| {
            compiled.push((found.index, found.outcome, found.spelling));
        });
        ruleset.evaluate_as_written(event, &mut |found| {
            written.push((found.index, found.outcome, found.spelling));
        });
        assert_eq!(compiled, written, "{event:?}");
        matches += compiled.len();
    }
    eprintln!("{matches} matches");
}

#[test]
fn the_mix_is_what_it_is_said_to_be() {
    let events = stream::mix(10_000);
    let mut counts = [0_usize; stream::FAMILIES.len()];
    let mut spellings = 0;
    for event in &events {
        counts[stream::family(event)] += 1;
        spellings += event.spellings().len() - 1;
    }
    for (count, hundreds) in counts.into_iter().zip([70, 10, 10, 10]) {
        assert!(count.abs_diff(hundreds * 100) < 150, "{counts:?}");
    }
    assert!(
        (1000..2000).contains(&spellings),
        "{spellings} events have two spellings"
    );
}
