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
use crate::pattern::prefixes::{End, Paths, Prefixes};

/// A compiled regular expression may take this much memory.
const REGEX_BYTES: usize = 8 << 20;

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
    ContainsOneByOne {
        fold_case: bool,
        constants: Box<[Box<[u8]>]>,
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
            Self::ContainsOneByOne {
                fold_case,
                constants,
            } => {
                let operator = if *fold_case {
                    Operator::ContainsFolded
                } else {
                    Operator::Contains
                };
                constants
                    .iter()
                    .any(|constant| compare(operator, text, constant))
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
    let built = AhoCorasickBuilder::new()
        .ascii_case_insensitive(fold_case)
        .build(constants);
    match built {
        Ok(automaton) => TextTest::ContainsAny(automaton),
        // More literals than an automaton has states for.
        Err(_) => TextTest::ContainsOneByOne {
            fold_case,
            constants: constants
                .iter()
                .map(|constant| Box::from(*constant))
                .collect(),
        },
    }
}

/// Compiles a regular expression that must match a whole value.
pub(crate) fn regex(pattern: &[u8]) -> Result<Regex, String> {
    let pattern = pattern.to_str().map_err(|_| "it is not UTF-8".to_owned())?;
    let build = |pattern: &str| {
        RegexBuilder::new(pattern)
            .size_limit(REGEX_BYTES)
            .dfa_size_limit(REGEX_CACHE_BYTES)
            .nest_limit(100)
            .build()
    };
    let short = |error: ::regex::Error| {
        let message = error.to_string();
        message
            .lines()
            .last()
            .unwrap_or("")
            .trim_start_matches("error: ")
            .to_owned()
    };
    let pattern = posix::translate(pattern)?;
    build(&format!(r"\A(?:{pattern})\z")).map_err(short)
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
