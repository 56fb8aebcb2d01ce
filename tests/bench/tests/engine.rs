//! What must hold whatever the machine: counts, not times.

use std::sync::Arc;

use bstr::BString;
use vigia_bench::{measure, rules, stream};
use vigia_event::captured::What;
use vigia_event::{Event, Process};

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

/// What the events of the mixes do not have: long lists, and paths that must be made.
#[test]
fn lists_and_paths_are_not_made_for_a_comparison() {
    let conditions = [
        "evt.type = renameat2 and proc.aname in (none, nothing)",
        "evt.type = renameat2 and proc.acmdline contains nothing",
        "evt.type = renameat2 and proc.arglist in (none, nothing)",
        "evt.type = renameat2 and proc.cwd startswith /nowhere/",
        "evt.type = renameat2 and evt.arg.newpath endswith nothing",
        "evt.type = renameat2 and fs.path.target startswith /nowhere",
    ];
    let file: String = conditions
        .iter()
        .map(|condition| {
            format!(
                "- rule: {condition}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n"
            )
        })
        .collect();
    let rules = rules::Rules {
        name: "lists and paths".to_owned(),
        files: vec![("rules.yaml".to_owned(), file)],
    };
    let ruleset = rules.compile().expect("rules without errors");
    let mut renamed: Vec<Event> = stream::mix(1000)
        .into_iter()
        .filter(|event| event.event_type.name() == "renameat2")
        .collect();
    assert!(!renamed.is_empty());
    for event in &mut renamed {
        event.ancestors = vec![Arc::clone(&event.process); 20].into();
        let mut process = Process::clone(&event.process);
        process.args = ["a", "b", "c", "d", "e", "f"].map(BString::from).into();
        process.cwd = "/srv".into();
        event.process = Arc::new(process);
        let What::Call(call) = &mut event.captured.what else {
            panic!("{event:?}");
        };
        call.paths[1].given = "../data/current".into();
        call.paths[1].base = Some("/srv/work".into());
        event.prepare();
    }
    let found = measure::allocations(&ruleset, &renamed);
    assert_eq!((found.allocations, found.events), (0, renamed.len()));
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
