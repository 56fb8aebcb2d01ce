//! Keeps secrets out of everything that leaves the agent.
//!
//! One table (`redact/table.rs`) and two readings of it. A *vector* of arguments is read word by word, so the end of
//! a secret is known even where it holds spaces; what is found there is remembered as [`Phrases`] and hidden wherever
//! the same words appear joined. Plain *text* (a path, a joined command line, a shell script, a header) is read for
//! names with values, flags of known programs and shapes.
//!
//! The content of files never comes here: it is not captured at all. What no table can know (a bare word that happens
//! to be a password) stays; docs/limitations.md says so.

mod names;
mod table;
mod words;

use std::borrow::Cow;
use std::ops::Range;

use bstr::BString;
use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use thiserror::Error;

use crate::text::lossy;

/// Stands where a secret was.
pub const REDACTED: &str = "[redacted]";

/// Longer argument vectors are read up to here, in arguments and in bytes of each.
const MAX_ARGS: usize = 1024;
const MAX_ARG_BYTES: usize = 16 * 1024;
/// Phrases remembered per argument vector.
const MAX_PHRASES: usize = 16;
/// User patterns, and the compiled size of each in bytes.
const MAX_PATTERNS: usize = 64;
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// What to hide beyond the built-in table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactionOptions {
    /// Whether anything is hidden at all.
    pub enabled: bool,
    /// More words that announce a secret in the name of a flag, a variable or a label (`--pin`, `LICENCE`); case does
    /// not matter.
    pub names: Vec<String>,
    /// More shapes, as regular expressions; the first group is hidden, or the whole match where there is none.
    pub patterns: Vec<String>,
}

impl Default for RedactionOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            names: Vec::new(),
            patterns: Vec::new(),
        }
    }
}

/// What is wrong with [`RedactionOptions`].
#[derive(Debug, Error)]
pub enum RedactionError {
    /// A pattern does not compile, or would become too large.
    #[error("redaction pattern `{pattern}` is not usable")]
    Pattern {
        /// As the user wrote it.
        pattern: String,
        /// What the compiler says.
        source: Box<regex::Error>,
    },
    /// More patterns than any configuration needs.
    #[error("{0} redaction patterns; at most {MAX_PATTERNS} are allowed")]
    TooMany(usize),
}

/// Hides secrets in text; made once, shared by all.
#[derive(Debug)]
pub struct Redactor {
    enabled: bool,
    names: Vec<String>,
    shapes: Vec<Regex>,
    /// All shapes in one automaton: nearly every text holds none of them.
    any_shape: RegexSet,
    assignment: Regex,
}

/// Secrets found in argument vectors, with the words before them: to be hidden where the same words appear joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phrases(Vec<Phrase>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Phrase {
    text: String,
    secret_at: usize,
}

impl Phrase {
    fn secret(&self) -> &str {
        &self.text[self.secret_at..]
    }
}

/// Fields whose values are the words of a command: a secret is a word of its own.
const LISTS_OF_WORDS: [&str; 2] = ["proc.arglist", "container.health_check"];

impl Redactor {
    /// Compiles the table and the user's additions.
    ///
    /// # Errors
    /// [`RedactionError`] names the pattern that cannot be used.
    pub fn new(options: &RedactionOptions) -> Result<Self, RedactionError> {
        if options.patterns.len() > MAX_PATTERNS {
            return Err(RedactionError::TooMany(options.patterns.len()));
        }
        // Word boundaries of ASCII are what the shapes mean, and what a fast automaton can have.
        let built_in = table::SHAPES
            .iter()
            .map(|shape| shape.replace(r"\b", r"(?-u:\b)"));
        let patterns: Vec<String> = built_in.chain(options.patterns.iter().cloned()).collect();
        let shapes = patterns
            .iter()
            .map(|pattern| compile(pattern))
            .collect::<Result<_, _>>()?;
        let any_shape = RegexSetBuilder::new(&patterns)
            .size_limit(MAX_PATTERN_BYTES * (MAX_PATTERNS + 1))
            .build()
            .map_err(|source| RedactionError::Pattern {
                pattern: patterns.join("|"),
                source: Box::new(source),
            })?;
        Ok(Self {
            enabled: options.enabled,
            names: options
                .names
                .iter()
                .map(|name| name.to_lowercase())
                .collect(),
            shapes,
            any_shape,
            assignment: compile(r#"([A-Za-z0-9_.\-]+)["']?[ \t]{0,2}(?:=|:|%3[dD])[ \t]{0,2}"#)?,
        })
    }

    /// The phrases of one process: of its arguments (`program` being the name it runs under) and of its environment.
    #[must_use]
    pub fn phrases(&self, program: &[u8], args: &[BString], env: &[BString]) -> Phrases {
        let mut phrases = Phrases::default();
        if self.enabled {
            let program = lossy(program, 256);
            let args: Vec<String> = args
                .iter()
                .take(MAX_ARGS)
                .map(|arg| lossy(arg, MAX_ARG_BYTES))
                .collect();
            self.note_arguments(&program, &args, &mut phrases);
            for pair in env.iter().take(MAX_ARGS) {
                let pair = lossy(pair, MAX_ARG_BYTES);
                if let Some(secret_at) = self.assignment_value(&pair) {
                    phrases.note(pair, secret_at);
                }
            }
        }
        phrases
    }

    /// Hides what the table knows, and the phrases.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str, phrases: &Phrases) -> Cow<'t, str> {
        if !self.enabled || text.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut hidden = Vec::new();
        for phrase in &phrases.0 {
            hidden.extend(
                text.match_indices(&phrase.text)
                    .map(|(at, found)| at + phrase.secret_at..at + found.len()),
            );
        }
        self.find_shapes(text, &mut hidden);
        self.find_assignments(text, &mut hidden);
        self.find_flags(text, &mut hidden);
        hide(text, hidden)
    }

    /// Like [`Redactor::text`] for the value of a field: hidden as a whole where the field's argument names a secret,
    /// as in `proc.env[DB_PASSWORD]` or `container.label.api-token`, or where it is one argument and a secret.
    #[must_use]
    pub fn field<'t>(&self, field: &str, text: &'t str, phrases: &Phrases) -> Cow<'t, str> {
        let argument = match field.split_once('[') {
            Some((_, argument)) => argument.trim_end_matches(']'),
            None => ["container.label.", "k8s.pod.label."]
                .iter()
                .find_map(|prefix| field.strip_prefix(prefix))
                .unwrap_or_default(),
        };
        let is_secret_argument = || {
            (field.starts_with("proc.args[") || LISTS_OF_WORDS.contains(&field))
                && phrases.0.iter().any(|phrase| phrase.secret() == text)
        };
        if self.enabled
            && !text.is_empty()
            && (self.names_a_secret(argument) || is_secret_argument())
        {
            return Cow::Borrowed(REDACTED);
        }
        self.text(text, phrases)
    }

    fn find_shapes(&self, text: &str, hidden: &mut Vec<Range<usize>>) {
        let matching = self.any_shape.matches(text);
        for shape in matching.iter().filter_map(|index| self.shapes.get(index)) {
            for found in shape.captures_iter(text) {
                if let Some(secret) = found.get(1).or_else(|| found.get(0)) {
                    hidden.push(secret.range());
                }
            }
        }
    }

    /// `NAME=value`, `name: value`, `"name":"value"`.
    fn find_assignments(&self, text: &str, hidden: &mut Vec<Range<usize>>) {
        let mut from = 0;
        while let Some(found) = self.assignment.captures_at(text, from) {
            let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else {
                break;
            };
            from = whole.end();
            // `-v /run/secrets/db_password:/run/secrets/db_password` names two paths.
            let is_path_pair = whole.as_str().ends_with(':') && text[from..].starts_with('/');
            if !is_path_pair && self.names_a_secret(name.as_str()) {
                // Only behind what is hidden is there more to find; this also keeps a hostile text linear.
                from = words::value_end(text, from, "&;|,");
                hidden.push(whole.end()..from);
            }
        }
    }
}

impl Phrases {
    /// Adds the phrases of another process.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn note(&mut self, text: String, secret_at: usize) {
        if self.0.len() < MAX_PHRASES && secret_at < text.len() {
            self.0.push(Phrase { text, secret_at });
        }
    }
}

fn compile(pattern: &str) -> Result<Regex, RedactionError> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_PATTERN_BYTES)
        .build()
        .map_err(|source| RedactionError::Pattern {
            pattern: pattern.to_owned(),
            source: Box::new(source),
        })
}

/// Puts [`REDACTED`] in place of the ranges, which may overlap.
fn hide(text: &str, mut hidden: Vec<Range<usize>>) -> Cow<'_, str> {
    hidden.retain(|range| !range.is_empty());
    if hidden.is_empty() {
        return Cow::Borrowed(text);
    }
    hidden.sort_unstable_by_key(|range| range.start);
    let mut out = String::with_capacity(text.len());
    let mut shown = 0;
    for range in hidden {
        if range.start >= shown {
            out.push_str(&text[shown..range.start]);
            out.push_str(REDACTED);
        }
        shown = shown.max(range.end);
    }
    out.push_str(&text[shown..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
