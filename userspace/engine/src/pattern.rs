//! Patterns over bytes.

pub(crate) mod prefixes;
pub(crate) mod required;

/// How many literals an automaton may look for: building one takes the square of their number.
pub(crate) const AUTOMATON_LITERALS: usize = 2048;

/// How long they may be together: an automaton takes many bytes for each of theirs.
const AUTOMATON_BYTES: usize = 256 << 10;

/// Whether literals are few and short enough for an automaton.
pub(crate) fn fits_automaton<L: AsRef<[u8]>>(literals: &[L]) -> bool {
    literals.len() <= AUTOMATON_LITERALS
        && literals
            .iter()
            .map(|literal| literal.as_ref().len())
            .sum::<usize>()
            <= AUTOMATON_BYTES
}
