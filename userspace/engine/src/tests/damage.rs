//! Conditions with random damage: every one is accepted or refused, none does harm.

use std::time::{Duration, Instant};

use super::printing::{text, without_places};
use super::reference::random::Random;
use super::{compile, rule};
use crate::condition::parse::parse;

const PIECES: &[&str] = &[
    "(",
    ")",
    "\"",
    "'",
    "\\",
    "[",
    "]",
    ",",
    "=",
    "!=",
    "<",
    " and ",
    " or ",
    "not ",
    " in ",
    "val(",
    "tolower(",
    "anyof",
    "exists",
    "%",
    "\u{e9}",
    "\u{1f600}",
    "\u{0}",
    "\n",
    "0x",
    "t.text",
    "evt.type",
    " ",
];

fn damaged(random: &mut Random, condition: &str) -> String {
    let mut characters: Vec<char> = condition.chars().collect();
    for _ in 0..1 + random.below(4) {
        let at = usize::try_from(random.below(characters.len() as u64 + 1)).unwrap_or(0);
        match random.below(4) {
            0 if at < characters.len() => {
                characters.remove(at);
            }
            1 => characters.truncate(at),
            2 => {
                let from = at / 2;
                let copied: Vec<char> = characters[from..at].to_vec();
                characters.splice(at..at, copied);
            }
            _ => {
                let piece: Vec<char> = random.pick(PIECES).chars().collect();
                characters.splice(at..at, piece);
            }
        }
    }
    characters.into_iter().collect()
}

#[test]
fn damaged_conditions_do_no_harm() {
    let started = Instant::now();
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let condition = random.condition(2);
        let condition = damaged(&mut random, &condition);
        match parse(&text(&condition)) {
            Ok(tree) => {
                accepted += 1;
                let printed = tree.to_string();
                let again = parse(&text(&printed)).map(without_places);
                assert_eq!(
                    again,
                    Ok(without_places(tree)),
                    "{condition:?}: {printed:?}"
                );
            }
            Err(failures) => {
                refused += 1;
                assert!(!failures.is_empty(), "{condition:?}");
            }
        }
        // The rest of the way is longer.
        if seed % 20 == 0 {
            let compiled = compile(&rule("r", &condition));
            let has_errors = compiled.diagnostics.iter().any(|found| found.is_error());
            assert_eq!(compiled.ruleset.is_none(), has_errors, "{condition:?}");
        }
    }
    assert!(accepted > 1000 && refused > 1000, "{accepted} {refused}");
    assert!(started.elapsed() < Duration::from_secs(120));
}
