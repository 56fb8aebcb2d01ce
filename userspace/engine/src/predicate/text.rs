//! Comparisons of text.

use std::borrow::Cow;

use ::regex::{Regex, RegexBuilder};
use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use bstr::{ByteSlice, Finder};
use rustc_hash::FxHashSet;
use vigia_event::glob;

use super::in_order;
use crate::check::posix;
use crate::condition::ast::Operator;
use crate::pattern;
use crate::pattern::prefixes::{End, Paths, Prefixes};

/// A compiled regular expression may take this much memory.
pub(crate) const REGEX_BYTES: usize = 8 << 20;

/// What it may remember of the texts it saw, per thread.
const REGEX_CACHE_BYTES: usize = 1 << 20;

/// A test of one text; of several constants, one must match.
#[derive(Debug)]
pub(crate) enum TextTest {
    Equal(Box<[u8]>),
    OneOf(FxHashSet<Box<[u8]>>),
    Order(Operator, Box<[u8]>),
    Contains(Box<Finder<'static>>),
    ContainsAny(AhoCorasick),
    /// At some place, the rest of the text starts with one.
    ContainsAnywhere {
        fold_case: bool,
        starts: Prefixes,
    },
    Prefixes(Prefixes),
    Globs {
        fold_case: bool,
        patterns: Box<[Box<[u8]>]>,
    },
    Regexes(Box<[Regex]>),
    Paths(Paths),
}

impl TextTest {
    /// Compiles an operator with at least one constant.
    pub(super) fn new(operator: Operator, constants: Vec<&[u8]>) -> Self {
        let boxed = || constants.iter().map(|constant| Box::from(*constant));
        match (operator, constants.as_slice()) {
            (Operator::Equal, [only]) => Self::Equal(Box::from(*only)),
            (Operator::Equal, _) => Self::OneOf(boxed().collect()),
            (Operator::Contains | Operator::ContainsBytes, [only]) => {
                Self::Contains(Box::new(Finder::new(only).into_owned()))
            }
            (Operator::Contains | Operator::ContainsBytes, many) => automaton(many, false),
            (Operator::ContainsFolded, many) => automaton(many, true),
            (Operator::StartsWith | Operator::StartsWithBytes, _) => {
                Self::Prefixes(Prefixes::new(End::Start, boxed()))
            }
            (Operator::EndsWith, _) => Self::Prefixes(Prefixes::new(End::Back, boxed())),
            (Operator::Glob, _) => Self::Globs {
                fold_case: false,
                patterns: boxed().collect(),
            },
            (Operator::GlobFolded, _) => Self::Globs {
                fold_case: true,
                patterns: boxed().collect(),
            },
            (Operator::Regex, many) => {
                // Those that do not compile were reported when the rule was checked.
                Self::Regexes(
                    many.iter()
                        .filter_map(|pattern| regex(pattern).ok())
                        .collect(),
                )
            }
            (Operator::PathMatch, many) => Self::Paths(Paths::new(many.iter().copied())),
            (operator, many) => Self::Order(operator, Box::from(many[0])),
        }
    }

    /// Whether a text passes.
    pub(super) fn passes(&self, text: &[u8]) -> bool {
        match self {
            Self::Equal(constant) => **constant == *text,
            Self::OneOf(constants) => constants.contains(text),
            Self::Order(operator, constant) => in_order(*operator, text, constant),
            Self::Contains(finder) => finder.find(text).is_some(),
            Self::ContainsAny(automaton) => automaton.is_match(text),
            Self::ContainsAnywhere { fold_case, starts } => {
                let text = match fold_case {
                    true => Cow::Owned(text.to_ascii_lowercase()),
                    false => Cow::Borrowed(text),
                };
                (0..=text.len()).any(|at| starts.matches(&text[at..]))
            }
            Self::Prefixes(prefixes) => prefixes.matches(text),
            Self::Globs {
                fold_case,
                patterns,
            } => patterns
                .iter()
                .any(|pattern| glob::matches(pattern, text, *fold_case)),
            Self::Regexes(regexes) => {
                let text: Cow<'_, str> = text.to_str_lossy();
                regexes.iter().any(|regex| regex.is_match(&text))
            }
            Self::Paths(paths) => paths.matches(text),
        }
    }
}

fn automaton(constants: &[&[u8]], fold_case: bool) -> TextTest {
    let built = pattern::fits_automaton(constants).then(|| {
        AhoCorasickBuilder::new()
            .ascii_case_insensitive(fold_case)
            .build(constants)
    });
    if let Some(Ok(automaton)) = built {
        return TextTest::ContainsAny(automaton);
    }
    let members = constants.iter().map(|constant| match fold_case {
        true => constant.to_ascii_lowercase().into(),
        false => Box::from(*constant),
    });
    TextTest::ContainsAnywhere {
        fold_case,
        starts: Prefixes::new(End::Start, members),
    }
}

/// Compiles a regular expression that must match a whole value.
pub(crate) fn regex(pattern: &[u8]) -> Result<Regex, String> {
    build(&translate(pattern)?, REGEX_BYTES).map_err(|error| message(&error))
}

/// The regular expression for a whole value in the syntax of the regex crate.
pub(crate) fn translate(pattern: &[u8]) -> Result<String, String> {
    let pattern = pattern.to_str().map_err(|_| "it is not UTF-8".to_owned())?;
    let pattern = posix::translate(pattern)?;
    Ok(format!(r"\A(?:{pattern})\z"))
}

/// Compiles what [`translate`] made, unless it takes more than some bytes.
pub(crate) fn build(translated: &str, bytes: usize) -> Result<Regex, ::regex::Error> {
    RegexBuilder::new(translated)
        .size_limit(bytes)
        .dfa_size_limit(REGEX_CACHE_BYTES)
        .nest_limit(100)
        .build()
}

/// What is wrong with a regular expression, in one line.
pub(crate) fn message(error: &::regex::Error) -> String {
    let message = error.to_string();
    let last = message
        .lines()
        .last()
        .unwrap_or("")
        .trim_start_matches("error: ");
    last.to_owned()
}

/// Compares with a text that is not constant.
pub(super) fn compare(operator: Operator, left: &[u8], right: &[u8]) -> bool {
    match operator {
        Operator::Contains | Operator::ContainsBytes => left.contains_str(right),
        Operator::ContainsFolded => left
            .to_ascii_lowercase()
            .contains_str(right.to_ascii_lowercase()),
        Operator::StartsWith | Operator::StartsWithBytes => left.starts_with(right),
        Operator::EndsWith => left.ends_with(right),
        Operator::Glob => glob::matches(right, left, false),
        Operator::GlobFolded => glob::matches(right, left, true),
        operator => in_order(operator, left, right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_literals_than_an_automaton_takes_are_found_all_the_same() {
        let texts: Vec<String> = (0..2 * pattern::AUTOMATON_LITERALS)
            .map(|number| format!("Word{number}."))
            .collect();
        for (take, is_automaton) in [(pattern::AUTOMATON_LITERALS, true), (texts.len(), false)] {
            let constants = || texts[..take].iter().map(|text| text.as_bytes()).collect();
            let exact = TextTest::new(Operator::Contains, constants());
            let folded = TextTest::new(Operator::ContainsFolded, constants());
            for test in [&exact, &folded] {
                assert_eq!(matches!(test, TextTest::ContainsAny(_)), is_automaton);
            }
            for (text, in_exact, in_folded) in [
                ("Word7.", true, true),
                ("a Word7.x", true, true),
                ("a word7.x", false, true),
                ("a Word7", false, false),
                ("", false, false),
            ] {
                let found = [&exact, &folded].map(|test| test.passes(text.as_bytes()));
                assert_eq!(found, [in_exact, in_folded], "{take} {text}");
            }
        }
    }
}
