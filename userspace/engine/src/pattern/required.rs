//! What a value must hold to match a constant: a weaker question than the comparison itself, which an index over
//! many constants answers at once.

use crate::condition::ast::Operator;

/// A text that every matching value has in some place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Required<'c> {
    pub(crate) place: Place,
    pub(crate) text: &'c [u8],
}

/// Where in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// It is the whole value.
    Whole,
    Start,
    End,
    Anywhere,
}

/// What a value must hold so that an operator finds a constant in it; `None` where that is no text.
pub(crate) fn required(operator: Operator, constant: &[u8]) -> Option<Required<'_>> {
    let place = match operator {
        Operator::Equal => Place::Whole,
        Operator::StartsWith | Operator::StartsWithBytes => Place::Start,
        Operator::EndsWith => Place::End,
        Operator::Contains | Operator::ContainsBytes => Place::Anywhere,
        Operator::Glob => return of_glob(constant),
        Operator::PathMatch => return of_path(constant),
        _ => return None,
    };
    Some(Required {
        place,
        text: constant,
    })
}

/// A literal of this length at the start or end of a pattern will do: it is found faster than one in the middle.
const LONG_ENOUGH: usize = 4;

/// A literal of a shell pattern: one at its start or end if it is long enough, else the longest. Patterns with
/// brackets or escapes are left alone.
fn of_glob(pattern: &[u8]) -> Option<Required<'_>> {
    if pattern.iter().any(|byte| matches!(byte, b'[' | b'\\')) {
        return None;
    }
    let pieces = || pattern.split(|byte| matches!(byte, b'*' | b'?'));
    let last = pieces().count() - 1;
    let place = |at| match at {
        0 if last == 0 => Place::Whole,
        0 => Place::Start,
        at if at == last => Place::End,
        _ => Place::Anywhere,
    };
    let placed = pieces().enumerate().map(|(at, text)| Required {
        place: place(at),
        text,
    });
    placed.max_by_key(|piece| {
        let length = piece.text.len();
        (
            piece.place != Place::Anywhere && length >= LONG_ENOUGH,
            length,
        )
    })
}

/// The longest component of a path: slashes may be doubled in a value, so no more than that is certain.
fn of_path(path: &[u8]) -> Option<Required<'_>> {
    let components = path.split(|&byte| byte == b'/');
    let literal =
        components.filter(|part| !vigia_event::glob::is_pattern(part) && !part.contains(&b'\\'));
    literal
        .max_by_key(|part| part.len())
        .filter(|part| !part.is_empty())
        .map(|text| Required {
            place: Place::Anywhere,
            text,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Place as P;

    #[test]
    fn a_literal_of_a_pattern_is_required() {
        for (operator, constant, expected) in [
            (Operator::Equal, "a", Some((P::Whole, "a"))),
            (Operator::Equal, "", Some((P::Whole, ""))),
            (Operator::StartsWith, "/etc", Some((P::Start, "/etc"))),
            (Operator::EndsWith, "rc", Some((P::End, "rc"))),
            (Operator::Contains, "x", Some((P::Anywhere, "x"))),
            (Operator::NotEqual, "x", None),
            (Operator::ContainsFolded, "x", None),
            (
                Operator::Glob,
                "/proc/*/environ",
                Some((P::End, "/environ")),
            ),
            (
                Operator::Glob,
                "/home/user/*",
                Some((P::Start, "/home/user/")),
            ),
            (Operator::Glob, "*../*../*", Some((P::Anywhere, "../"))),
            (
                Operator::Glob,
                "/home/*/.ssh/longer",
                Some((P::End, "/.ssh/longer")),
            ),
            (Operator::Glob, "/home/*/.ssh/*", Some((P::Start, "/home/"))),
            (Operator::Glob, "/a*/.ssh/*", Some((P::Anywhere, "/.ssh/"))),
            (Operator::Glob, "literal", Some((P::Whole, "literal"))),
            (Operator::Glob, "*", Some((P::End, ""))),
            (Operator::Glob, "a[bc]d", None),
            (Operator::Glob, "a\\*d", None),
            (Operator::PathMatch, "/var/lib", Some((P::Anywhere, "lib"))),
            (Operator::PathMatch, "/var/*.d", Some((P::Anywhere, "var"))),
            (Operator::PathMatch, "/", None),
        ] {
            let found = required(operator, constant.as_bytes());
            let found = found.map(|found| (found.place, found.text));
            let expected = expected.map(|(place, text)| (place, text.as_bytes()));
            assert_eq!(found, expected, "{operator:?} {constant}");
        }
    }
}
