//! Texts of flags and constants, kept because the same few numbers come again and again: a rule that compares such a
//! text must not cost an allocation per event.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use super::TextStyle;

/// More texts than this are not kept, whatever programs pass to their calls.
const LIMIT: usize = 2048;

/// What a number is as text, and its name.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) raw: String,
    pub(crate) resolved: Option<String>,
}

/// What a number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A parameter of a call.
    Parameter(TextStyle),
    /// A set of capabilities.
    Capabilities,
}

type Table = HashMap<(Kind, u64), &'static Texts>;

static KEPT: LazyLock<RwLock<Table>> = LazyLock::new(RwLock::default);

/// The texts of a number of a kind: the ones that were made before, or new ones, which are kept while there is room.
/// `make` must answer the same for the same kind and number.
pub(crate) fn texts(
    kind: Kind,
    number: u64,
    make: impl FnOnce() -> Texts,
) -> Result<&'static Texts, Texts> {
    let key = (kind, number);
    // A table whose writer panicked is as good as before: entries are whole.
    let known = KEPT.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(texts) = known.get(&key) {
        return Ok(texts);
    }
    let is_full = known.len() >= LIMIT;
    drop(known);
    let made = make();
    if is_full {
        return Err(made);
    }
    let mut kept = KEPT.write().unwrap_or_else(PoisonError::into_inner);
    // What is kept lives as long as the program: there is no more of it than the limit allows.
    Ok(kept.entry(key).or_insert_with(|| Box::leak(Box::new(made))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_made_once_and_not_kept_without_end() {
        let make = |number: u64| Texts {
            raw: number.to_string(),
            resolved: None,
        };
        let of = |number| texts(Kind::Parameter(TextStyle::Int), number, || make(number));
        let first = of(7).expect("there is room").raw.as_ptr();
        assert_eq!(of(7).expect("kept").raw.as_ptr(), first);
        let fresh = (0..2 * LIMIT as u64)
            .filter(|&number| of(number).is_err())
            .count();
        assert!(fresh >= LIMIT, "{fresh} were not kept");
        let beyond = of(u64::MAX).expect_err("the table is full");
        assert_eq!(beyond.raw, u64::MAX.to_string());
        assert_eq!(of(7).expect("still kept").raw.as_ptr(), first);
    }
}
