//! How much the regular expressions of all rules may take together: one alone is small, and a file has room for a
//! hundred thousand of them.

use regex::Error;
use rustc_hash::FxHashSet;

use crate::diagnostics::Problem;
use crate::predicate;

/// What all of them may take, in bytes.
const TOTAL_BYTES: usize = 64 << 20;

/// What one of them is counted as, in bytes: the first of these that it fits in. Building stops at a limit, so
/// trying them in turn costs little more than the last one.
const SIZES: [usize; 5] = [
    8 << 10,
    64 << 10,
    512 << 10,
    4 << 20,
    predicate::REGEX_BYTES,
];

/// What the regular expressions of a ruleset may still take.
pub(crate) struct RegexAllowance {
    left: usize,
    /// Those that were let in: written twice, they are compiled once.
    admitted: FxHashSet<Box<[u8]>>,
}

impl RegexAllowance {
    pub(crate) fn new() -> Self {
        Self {
            left: TOTAL_BYTES,
            admitted: FxHashSet::default(),
        }
    }

    /// Checks a regular expression and counts it.
    pub(crate) fn admit(&mut self, pattern: &[u8]) -> Result<(), Problem> {
        if self.admitted.contains(pattern) {
            return Ok(());
        }
        let invalid = |message| Err(Problem::InvalidRegex { message });
        let translated = match predicate::translate(pattern) {
            Ok(translated) => translated,
            Err(message) => return invalid(message),
        };
        for size in SIZES {
            if size > self.left {
                // Nothing behind it is tried either: each try would cost the time that is to be saved.
                self.left = 0;
                return Err(Problem::RegexesTooLarge {
                    maximum: TOTAL_BYTES,
                });
            }
            match predicate::build(&translated, size) {
                Ok(_) => {
                    self.left -= size;
                    self.admitted.insert(pattern.into());
                    return Ok(());
                }
                Err(Error::CompiledTooBig(_)) if size < predicate::REGEX_BYTES => {}
                Err(error) => {
                    // What was refused took its time as well.
                    self.left -= size;
                    return invalid(predicate::message(&error));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many different expressions are let in until one is refused because of the others.
    fn admitted(expression: impl Fn(usize) -> String) -> usize {
        let mut allowance = RegexAllowance::new();
        (0..TOTAL_BYTES)
            .take_while(|&number| {
                let result = allowance.admit(expression(number).as_bytes());
                !matches!(result, Err(Problem::RegexesTooLarge { .. }))
            })
            .count()
    }

    #[test]
    fn many_expressions_share_one_allowance() {
        type Expression = fn(usize) -> String;
        let table: [(&str, Expression, std::ops::RangeInclusive<usize>); 3] = [
            ("small", |number| format!("a{number}"), 1000..=8192),
            (
                "counted",
                |number| format!("[a-z]{{1,500}}{number}"),
                100..=1024,
            ),
            (
                "refused",
                |number| format!("(.{{1,999}}){{1,999}}{number}"),
                7..=8,
            ),
        ];
        for (name, expression, expected) in table {
            let count = admitted(expression);
            assert!(expected.contains(&count), "{name}: {count}");
        }
    }

    #[test]
    fn an_expression_that_is_written_again_is_not_counted_again() {
        let mut allowance = RegexAllowance::new();
        for _ in 0..2 * TOTAL_BYTES / SIZES[0] {
            assert!(allowance.admit(b"[a-z]+").is_ok());
        }
    }
}
