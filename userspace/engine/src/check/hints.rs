//! What compiles and is still unlikely to be what was meant.

use bstr::ByteSlice;
use vigia_event::FieldType;

use crate::condition::ast::{Check, Constant, Operator, TermKind, Transformer};
use crate::diagnostics::Problem;
use crate::fields::Catalogue;
use crate::operand::Typed;

/// Families of fields that print `<NA>` for what is missing, which a comparison then finds present.
const PRINTING_FAMILIES: &[&str] = &["ka.", "jevt."];

/// What is strange about a constant of a comparison.
pub(crate) fn constant(
    left: &Typed,
    operator: Operator,
    constant: &Constant,
    catalogue: Catalogue<'_>,
) -> Option<Problem> {
    let is_text = matches!(left.field_type, FieldType::Text | FieldType::Path);
    let text = constant.value.to_str().ok().filter(|_| is_text)?;
    let looks_like_call = text.ends_with(')')
        && Transformer::ALL
            .iter()
            .map(|transformer| transformer.word())
            .chain(["val"])
            .any(|word| {
                text.strip_prefix(word)
                    .is_some_and(|rest| rest.starts_with('('))
            });
    if looks_like_call {
        return Some(Problem::ConstantLooksLikeCall {
            constant: text.to_owned(),
        });
    }
    if catalogue.is_field(text) {
        return Some(Problem::ConstantIsField {
            constant: text.to_owned(),
        });
    }
    if operator == Operator::Regex {
        let (operator, value) = simpler(text)?;
        return Some(Problem::SimplerThanRegex {
            pattern: text.to_owned(),
            simpler: format!("{operator} {value}"),
        });
    }
    None
}

/// What says the same as a pattern without being one.
fn simpler(pattern: &str) -> Option<(&'static str, &str)> {
    let (inner, open_start) = match pattern.strip_prefix(".*") {
        Some(inner) => (inner, true),
        None => (pattern, false),
    };
    let (inner, open_end) = match inner.strip_suffix(".*") {
        Some(inner) => (inner, true),
        None => (inner, false),
    };
    if inner.contains(|character: char| "\\^$.|?*+()[]{}".contains(character)) {
        return None;
    }
    Some(match (open_start, open_end, inner) {
        (_, _, "") if open_start || open_end => ("exists", ""),
        (true, true, inner) => ("contains", inner),
        (true, false, inner) => ("endswith", inner),
        (false, true, inner) => ("startswith", inner),
        (false, false, inner) => ("=", inner),
    })
}

/// Whether a comparison asks for `<NA>` in a field of which that is how nothing looks.
pub(crate) fn unsafe_missing(check: &Check, constants: &[Constant]) -> Option<Problem> {
    let TermKind::Field { name, .. } = &check.left.kind else {
        return None;
    };
    let prints = PRINTING_FAMILIES
        .iter()
        .any(|family| name.starts_with(family));
    let compares = matches!(
        check.operator,
        Operator::Equal
            | Operator::NotEqual
            | Operator::In
            | Operator::Intersects
            | Operator::PathMatch
    );
    let found = constants.iter().any(|constant| constant.value == "<NA>");
    (prints && compares && found).then(|| Problem::UnsafeMissing {
        field: name.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_are_none_have_a_simpler_operator() {
        for (pattern, expected) in [
            ("abc", Some("= abc")),
            ("abc.*", Some("startswith abc")),
            (".*abc", Some("endswith abc")),
            (".*/abc.*", Some("contains /abc")),
            (".*", Some("exists ")),
            (".*.*", Some("exists ")),
            ("", Some("= ")),
            ("a.c", None),
            ("a|b", None),
            ("a+", None),
            (".*a.*b", None),
        ] {
            let found = simpler(pattern).map(|(operator, value)| format!("{operator} {value}"));
            assert_eq!(found.as_deref(), expected, "{pattern}");
        }
    }
}
