//! Switching rules on and off from outside the rule files, in the order in which it was asked for.

use vigia_event::glob;

use crate::collection::Collection;
use crate::diagnostics::{Code, Problem, Report};

/// Switches rules on or off after all files are read. Of several selections that pick a rule, the last one
/// counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// On or off.
    pub enable: bool,
    /// Which rules.
    pub rules: Selector,
}

/// Which rules a [`Selection`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Those whose whole name matches, where `*` stands for any text.
    Name(String),
    /// Those that have this tag.
    Tag(String),
}

impl Selector {
    fn picks(&self, name: &str, tags: &[String]) -> bool {
        match self {
            Self::Name(pattern) => matches_name(pattern, name),
            Self::Tag(tag) => tags.binary_search(tag).is_ok(),
        }
    }

    /// As the settings of the agent write it.
    fn describe(&self, enable: bool) -> String {
        let action = if enable { "enable" } else { "disable" };
        match self {
            Self::Name(pattern) => format!("{action}: {{rule: {pattern}}}"),
            Self::Tag(tag) => format!("{action}: {{tag: {tag}}}"),
        }
    }
}

/// Only `*` is special in names of rules, which may well hold a question mark or brackets.
fn matches_name(pattern: &str, name: &str) -> bool {
    let mut escaped = Vec::with_capacity(pattern.len());
    for byte in pattern.bytes() {
        if matches!(byte, b'?' | b'[' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(byte);
    }
    glob::matches(&escaped, name.as_bytes(), false)
}

/// Applies selections to all rules; one that picks none is most likely misspelt.
pub(crate) fn apply(
    selections: &[Selection],
    collection: &mut Collection,
    report: &mut Report<'_>,
) {
    for (index, selection) in selections.iter().enumerate() {
        let mut picked = false;
        for rule in &mut collection.rules {
            if selection.rules.picks(&rule.name, &rule.tags) {
                rule.enabled = selection.enable;
                picked = true;
            }
        }
        if !picked {
            let text = selection.rules.describe(selection.enable);
            let span = report
                .setting(format!("selection {}", index + 1), text)
                .whole();
            report.add(
                Code::UnmatchedSelection,
                span,
                None,
                Problem::UnmatchedSelection,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches_name;

    #[test]
    fn only_stars_are_special_in_patterns_of_names() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("Read *", "Read secret", true),
            ("Read *", "read secret", false),
            ("Read", "Read secret", false),
            ("*secret*", "Read secret file", true),
            ("a?c", "abc", false),
            ("a?c", "a?c", true),
            ("[ab]", "a", false),
            ("[ab]*", "[ab] x", true),
            ("a\\*", "a\\b", true),
        ] {
            assert_eq!(matches_name(pattern, name), expected, "{pattern} {name}");
        }
    }
}
