//! Flags that take a secret: in an argument vector and in text.

use std::borrow::Cow;
use std::ops::Range;

use bstr::BString;

use super::table::{Flag, PROGRAM_FLAGS};
use super::{Phrases, REDACTED, Redactor};
use crate::text::lossy;

/// The program whose flags apply, as the words before tell it.
#[derive(Default)]
struct Program<'w> {
    name: &'w str,
    earlier: Vec<&'w str>,
}

/// Words remembered after a program's name, to find its subcommand.
const MAX_EARLIER: usize = 8;

/// An argument that is or holds a secret.
struct SecretArgument<'a> {
    index: usize,
    /// The flag before it, where that says so.
    announced_by: Option<&'a str>,
    /// The byte at which the secret begins.
    secret_at: usize,
}

/// How a word stands to a secret.
enum Role {
    /// The secret is the next word.
    Announces,
    /// The secret begins at this byte of the word.
    Holds(usize),
    /// Not at all.
    None,
}

impl<'w> Program<'w> {
    fn named(name: &'w str) -> Self {
        Self {
            name: base_name(name),
            earlier: Vec::new(),
        }
    }

    /// Takes note of a word of the command line.
    fn see(&mut self, word: &'w str) {
        let name = base_name(word);
        if PROGRAM_FLAGS.iter().any(|row| row.programs.contains(&name)) {
            *self = Self::named(name);
        } else if word.ends_with(';') || matches!(word, "|" | "||" | "&" | "&&") {
            *self = Self::default();
        } else if self.earlier.len() < MAX_EARLIER {
            self.earlier.push(word);
        }
    }

    fn flags(&self) -> impl Iterator<Item = &'static Flag> {
        PROGRAM_FLAGS
            .iter()
            .filter(|row| row.programs.contains(&self.name))
            .filter(|row| row.subcommand.is_empty() || self.earlier.contains(&row.subcommand))
            .flat_map(|row| row.flags)
    }

    fn role_of(&self, word: &str) -> Role {
        for flag in self.flags() {
            match word.strip_prefix(flag.name) {
                Some("") if flag.separate => return Role::Announces,
                Some(rest) if flag.attached && !rest.is_empty() => {
                    return Role::Holds(flag.name.len());
                }
                _ => {}
            }
        }
        Role::None
    }
}

impl Redactor {
    /// Notes the secrets of an argument vector without its first argument.
    pub(super) fn note_arguments(&self, program: &str, args: &[String], phrases: &mut Phrases) {
        self.find_in_arguments(program, args, &mut |found| match found.announced_by {
            Some(flag) => {
                phrases.note(format!("{flag} {}", args[found.index]), flag.len() + 1);
            }
            None => phrases.note(args[found.index].clone(), found.secret_at),
        });
    }

    /// Hides the secrets of an argument vector in their places, however many there are; `args` are without the first.
    /// An argument without secrets is `None`: its bytes need not be changed.
    #[must_use]
    pub fn arguments(&self, program: &[u8], args: &[BString]) -> Vec<Option<String>> {
        if !self.enabled {
            return vec![None; args.len()];
        }
        let texts: Vec<String> = args
            .iter()
            .map(|arg| String::from_utf8_lossy(arg).into_owned())
            .collect();
        let mut hidden: Vec<Option<String>> = texts
            .iter()
            .map(|text| match self.text(text, &Phrases::default()) {
                Cow::Owned(hidden) => Some(hidden),
                Cow::Borrowed(_) => None,
            })
            .collect();
        self.find_in_arguments(&lossy(program, 256), &texts, &mut |found| {
            let before = &texts[found.index][..found.secret_at];
            hidden[found.index] = Some(format!("{before}{REDACTED}"));
        });
        hidden
    }

    /// Tells of each argument that is or holds a secret.
    fn find_in_arguments(
        &self,
        program: &str,
        args: &[String],
        found: &mut dyn FnMut(SecretArgument<'_>),
    ) {
        let mut seen = Program::named(program);
        let mut previous: Option<&str> = None;
        let mut announced = false;
        for (index, arg) in args.iter().enumerate() {
            // The argument of `sh -c` is text of its own, with an end of its own for every value.
            let is_script =
                previous.is_some_and(|flag| flag.starts_with('-') && flag.ends_with('c'));
            if announced && !is_flag(arg) {
                found(SecretArgument {
                    index,
                    announced_by: previous,
                    secret_at: 0,
                });
                announced = false;
            } else {
                let role = match self.role_of(&seen, arg) {
                    Role::None if !is_script => {
                        self.assignment_value(arg).map_or(Role::None, Role::Holds)
                    }
                    role => role,
                };
                announced = matches!(role, Role::Announces);
                if let Role::Holds(secret_at) = role {
                    found(SecretArgument {
                        index,
                        announced_by: None,
                        secret_at,
                    });
                }
            }
            seen.see(arg);
            previous = Some(arg);
        }
    }

    /// Where the value of `NAME=value` or `--name=value` begins, if the name announces a secret.
    pub(super) fn assignment_value(&self, word: &str) -> Option<usize> {
        let (name, _) = word.split_once('=')?;
        let is_name = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        (is_name && self.names_a_secret(name)).then_some(name.len() + 1)
    }

    /// `--password VALUE` and the flags of known programs, in text.
    pub(super) fn find_flags(&self, text: &str, hidden: &mut Vec<Range<usize>>) {
        let mut seen = Program::default();
        let mut announced = false;
        let mut hidden_to = 0;
        for Range { start, end } in words(text) {
            if start < hidden_to {
                continue;
            }
            let quoted = &text[start..end];
            let word = quoted.trim_matches(['"', '\'']);
            if announced && !is_flag(word) {
                hidden_to = value_end(text, start, "");
                hidden.push(start..hidden_to);
                announced = false;
                continue;
            }
            let role = self.role_of(&seen, word);
            announced = matches!(role, Role::Announces);
            if let Role::Holds(secret_at) = role {
                let inside = quoted.len() - quoted.trim_start_matches(['"', '\'']).len();
                let from = start + inside + secret_at;
                hidden_to = value_end(text, from, "");
                hidden.push(from..hidden_to);
            }
            seen.see(word);
        }
    }

    fn role_of(&self, program: &Program<'_>, word: &str) -> Role {
        match program.role_of(word) {
            Role::None
                if word.starts_with('-') && !word.contains('=') && self.names_a_secret(word) =>
            {
                Role::Announces
            }
            role => role,
        }
    }
}

/// Whether a word is a flag and not the value of the one before: `-u`, `--user`.
fn is_flag(word: &str) -> bool {
    word.starts_with("--") || (word.len() == 2 && word.starts_with('-'))
}

/// The program's name in `/usr/bin/mysql`, `$(mysql` or `'mysql`.
fn base_name(word: &str) -> &str {
    let word = word.rsplit('/').next().unwrap_or(word);
    word.trim_start_matches(|character: char| !character.is_ascii_alphanumeric())
}

/// The words of a text, separated by white space.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.split_ascii_whitespace().map(|word| {
        let start = word.as_ptr().addr() - text.as_ptr().addr();
        start..start + word.len()
    })
}

/// Where the value that begins at `start` ends: at its closing quote, or before white space, a quote or a byte of
/// `stops`. An open quote reaches to the end.
pub(super) fn value_end(text: &str, start: usize, stops: &str) -> usize {
    let value = &text[start..];
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote) {
            return inner
                .find(quote)
                .map_or(text.len(), |length| start + 1 + length + 1);
        }
    }
    let is_end = |character: char| {
        character.is_ascii_whitespace()
            || matches!(character, '"' | '\'')
            || stops.contains(character)
    };
    value
        .find(is_end)
        .map_or(text.len(), |length| start + length)
}
