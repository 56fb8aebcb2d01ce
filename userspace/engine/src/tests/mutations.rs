//! Rule files that are nearly right: the texts of the tables and the default rules, cut, doubled and crossed with
//! each other. Loading one never panics, ends soon, and has a place for everything it says.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::loader::tables;
use crate::{Options, Source, compile};

/// Pieces that mean something to YAML, to conditions or to outputs.
const PIECES: &[&str] = &[
    "- ",
    "\n",
    "\n  ",
    ": ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "|",
    ">",
    "'",
    "\"",
    "\\",
    "%",
    "(",
    ")",
    " or ",
    " and not ",
    ",",
    "append: true\n",
    "override: {condition: append}\n",
    "exceptions: ",
    "\0",
    "\u{feff}",
    "é",
    "\t",
    "---\n",
    "!!int ",
    "? ",
    "<<: *a\n",
];

/// A change at a place, both as fractions of what there is.
#[derive(Clone, Debug)]
enum Edit {
    Cut(f64, f64),
    Double(f64, f64),
    Insert(f64, usize),
    /// A range of another text.
    Cross(f64, usize, f64, f64),
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = || 0.0..1.0;
    prop_oneof![
        (place(), 0.0..0.2).prop_map(|(at, length)| Edit::Cut(at, length)),
        (place(), 0.0..0.5).prop_map(|(at, length)| Edit::Double(at, length)),
        (place(), 0..PIECES.len()).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (place(), any::<usize>(), place(), 0.0..1.0)
            .prop_map(|(at, other, start, length)| Edit::Cross(at, other, start, length)),
    ]
}

/// A range of a text, by fractions, at borders of characters.
fn range(text: &str, start: f64, length: f64) -> (usize, usize) {
    let at = |fraction: f64| {
        let wanted = (text.chars().count() as f64 * fraction.min(1.0)).floor();
        let border = text.char_indices().map(|(at, _)| at).zip(0_u32..);
        border
            .take_while(|(_, index)| f64::from(*index) <= wanted)
            .last()
            .map_or(0, |(at, _)| at)
    };
    (at(start), at(start + length))
}

impl Edit {
    fn apply(&self, text: &mut String, texts: &[String]) {
        match *self {
            Self::Cut(start, length) => {
                let (start, end) = range(text, start, length);
                text.replace_range(start..end, "");
            }
            Self::Double(start, length) => {
                let (start, end) = range(text, start, length);
                let piece = text[start..end].to_owned();
                text.insert_str(end, &piece);
            }
            Self::Insert(at, piece) => {
                let (at, _) = range(text, at, 0.0);
                text.insert_str(at, PIECES[piece]);
            }
            Self::Cross(at, other, start, length) => {
                let other = &texts[other % texts.len()];
                let (start, end) = range(other, start, length);
                let (at, _) = range(text, at, 0.0);
                text.insert_str(at, &other[start..end]);
            }
        }
    }
}

fn texts() -> Vec<String> {
    let cases = tables()
        .into_iter()
        .flat_map(|(_, table)| table.into_texts());
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let rules = std::fs::read_dir(folder)
        .expect("the default rules")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".yaml"))
        .map(|path| std::fs::read_to_string(path).expect("a rule file"));
    cases.chain(rules).filter(|text| !text.is_empty()).collect()
}

#[test]
fn files_that_are_nearly_right_are_read_soon_and_without_panic() {
    let texts = texts();
    let strategy = (any::<usize>(), prop::collection::vec(edit(), 1..6));
    let config = Config {
        cases: 1500,
        rng_seed: RngSeed::Fixed(3),
        failure_persistence: None,
        ..Config::default()
    };
    proptest!(config, |((first, edits) in strategy)| {
        let mut text = texts[first % texts.len()].clone();
        for edit in &edits {
            edit.apply(&mut text, &texts);
        }
        let started = Instant::now();
        let compiled = compile(&[Source::new("0.yaml", text.as_str())], &Options::default());
        prop_assert!(started.elapsed() < Duration::from_secs(10), "{text}");
        let has_errors = compiled.diagnostics.iter().any(crate::Diagnostic::is_error);
        prop_assert_eq!(compiled.ruleset.is_none(), has_errors);
        for found in &compiled.diagnostics {
            let lines = text.split('\n').count();
            prop_assert!((1..=lines).contains(&found.line) && found.column > 0, "{}\n{}", found, text);
            prop_assert!(found.to_string().len() < 10_000);
        }
    });
}
