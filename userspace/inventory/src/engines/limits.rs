//! How much of an engine's answer is kept: labels and names are chosen by whoever starts a container.

use std::collections::BTreeMap;

use bstr::BString;

/// Mounts kept of one container.
pub(super) const MAX_MOUNTS: usize = 1024;
/// Labels kept.
const MAX_LABELS: usize = 256;
/// Bytes kept of a label's name; longer ones are dropped, since a cut name is another name.
const MAX_LABEL_NAME: usize = 512;
/// Bytes kept of a label's value.
const MAX_LABEL_VALUE: usize = 4096;
/// Bytes kept of a name or a path.
const MAX_TEXT: usize = 4096;
/// Words kept of a command.
const MAX_WORDS: usize = 256;
/// Labels that rules and the agent rely on: kept first where there are too many.
const FIRST: &[&str] = &["vigia.", "com.docker.", "io.kubernetes.", "io.podman."];

/// A name or a path.
pub(super) fn text(mut text: String) -> BString {
    cut(&mut text, MAX_TEXT);
    text.into()
}

/// The words of a command.
pub(super) fn words(words: Vec<String>) -> Vec<BString> {
    words.into_iter().take(MAX_WORDS).map(text).collect()
}

/// Labels, those that matter first.
pub(super) fn labels(labels: BTreeMap<String, Option<String>>) -> BTreeMap<String, BString> {
    let matters = |name: &str| FIRST.iter().any(|prefix| name.starts_with(prefix));
    let (first, rest): (Vec<_>, Vec<_>) = labels.into_iter().partition(|(name, _)| matters(name));
    first
        .into_iter()
        .chain(rest)
        .filter(|(name, _)| name.len() <= MAX_LABEL_NAME)
        .take(MAX_LABELS)
        .map(|(name, value)| {
            let mut value = value.unwrap_or_default();
            cut(&mut value, MAX_LABEL_VALUE);
            (name, value.into())
        })
        .collect()
}

/// Shortens to whole characters.
fn cut(text: &mut String, max: usize) {
    if text.len() > max {
        let end = (0..=max)
            .rev()
            .find(|&end| text.is_char_boundary(end))
            .unwrap_or(0);
        text.truncate(end);
        text.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_bounded_and_kept_as_they_are() {
        let mut many: BTreeMap<String, Option<String>> = (0..1000)
            .map(|number| (format!("a{number}"), Some(String::new())))
            .collect();
        many.insert(
            "vigia.secret-readers".into(),
            Some("/bin/cat\n\u{1b}[31m".into()),
        );
        many.insert("z".repeat(MAX_LABEL_NAME + 1), None);
        let kept = labels(many);
        assert_eq!(kept.len(), MAX_LABELS);
        assert_eq!(kept["vigia.secret-readers"], "/bin/cat\n\u{1b}[31m");

        let long = BTreeMap::from([("x".to_owned(), Some("é".repeat(MAX_LABEL_VALUE)))]);
        assert_eq!(labels(long)["x"].len(), MAX_LABEL_VALUE);
        assert_eq!(text("é".repeat(MAX_TEXT)).len(), MAX_TEXT);
    }
}
