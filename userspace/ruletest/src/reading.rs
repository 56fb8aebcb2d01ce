//! Reading values out of nodes, with a fault for whatever is not what it must be.

use std::rc::Rc;
use std::str::FromStr;

use crate::document::{Fault, Kind, Node};

/// What is read, or the first thing that is wrong with it.
pub(crate) type Result<T> = std::result::Result<T, Fault>;

/// A mapping whose keys are known.
pub(crate) struct Keys<'n> {
    pub(crate) node: &'n Node,
    known: &'static [&'static str],
}

impl<'n> Keys<'n> {
    /// A mapping with no other keys than these; null counts as an empty one. A key that `other` accepts passes, too.
    pub(crate) fn new(
        node: &'n Node,
        known: &'static [&'static str],
        other: impl Fn(&str) -> bool,
        nearby: impl Iterator<Item = &'static str>,
    ) -> Result<Self> {
        if !matches!(node.kind, Kind::Mapping(_) | Kind::Null) {
            return Err(node.fault(format!("this must be a map with keys such as {}", known[0])));
        }
        let nearby: Vec<&str> = known.iter().copied().chain(nearby).collect();
        let mut seen: Vec<&str> = Vec::new();
        for (key, _) in node.entries() {
            let name = text(key)?;
            if seen.contains(&name) {
                return Err(key.fault(format!("the key `{name}` stands here twice")));
            }
            if !known.contains(&name) && !other(name) {
                return Err(key.fault(format!(
                    "unknown key `{name}`{}",
                    did_you_mean(name, nearby.iter().copied())
                )));
            }
            seen.push(name);
        }
        Ok(Self { node, known })
    }

    /// A mapping with these keys only.
    pub(crate) fn only(node: &'n Node, known: &'static [&'static str]) -> Result<Self> {
        Self::new(node, known, |_| false, std::iter::empty())
    }

    /// The value of a key; null counts as absent.
    pub(crate) fn get(&self, key: &'static str) -> Option<&'n Rc<Node>> {
        debug_assert!(
            self.known.contains(&key),
            "{key} is not among the keys that are accepted"
        );
        self.node
            .get(key)
            .filter(|value| !matches!(value.kind, Kind::Null))
    }

    /// Whether a key is there, also with null.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.node.get(key).is_some()
    }

    /// A text.
    pub(crate) fn text(&self, key: &'static str) -> Result<Option<&'n str>> {
        self.get(key).map(|node| text(node)).transpose()
    }

    /// A boolean.
    pub(crate) fn flag(&self, key: &'static str) -> Result<Option<bool>> {
        self.get(key).map(|node| flag(node)).transpose()
    }

    /// A number.
    pub(crate) fn number<T: FromStr>(&self, key: &'static str) -> Result<Option<T>> {
        self.get(key).map(|node| number(node)).transpose()
    }

    /// The items of a sequence.
    pub(crate) fn items(&self, key: &'static str) -> Result<&'n [Rc<Node>]> {
        self.get(key).map_or(Ok(&[]), |node| items(node))
    }

    /// The texts of a sequence; one text alone is one.
    pub(crate) fn texts(&self, key: &'static str) -> Result<Vec<&'n str>> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(node) => texts(node),
        }
    }
}

/// The text of a scalar.
pub(crate) fn text(node: &Node) -> Result<&str> {
    match &node.kind {
        Kind::Scalar(text) => Ok(text),
        Kind::Null => Err(node.fault("there must be a text here")),
        Kind::Sequence(_) => Err(node.fault("this must be one text, not a list")),
        Kind::Mapping(_) => Err(node.fault("this must be one text, not a map")),
    }
}

/// A boolean.
pub(crate) fn flag(node: &Node) -> Result<bool> {
    match text(node)? {
        "true" | "yes" => Ok(true),
        "false" | "no" => Ok(false),
        other => Err(node.fault(format!("`{other}` must be true or false"))),
    }
}

/// A number in range.
pub(crate) fn number<T: FromStr>(node: &Node) -> Result<T> {
    let text = text(node)?;
    text.parse()
        .map_err(|_| node.fault(format!("`{text}` is not a number that is possible here")))
}

/// The items of a sequence.
pub(crate) fn items(node: &Node) -> Result<&[Rc<Node>]> {
    match &node.kind {
        Kind::Sequence(items) => Ok(items),
        Kind::Null => Ok(&[]),
        _ => Err(node.fault("this must be a list")),
    }
}

/// The texts of a sequence; one text alone is one.
pub(crate) fn texts(node: &Node) -> Result<Vec<&str>> {
    match &node.kind {
        Kind::Scalar(text) => Ok(vec![text]),
        _ => items(node)?.iter().map(|item| text(item)).collect(),
    }
}

/// The words of a command line, as a shell without variables would split it: quotes hold words together, a backslash
/// takes the next character as it is (between double quotes only a quote or a backslash).
pub(crate) fn words(node: &Node) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text(node)?.chars().peekable();
    while let Some(character) = characters.next() {
        let escapes = match quote {
            None => true,
            Some('"') => matches!(characters.peek(), Some('"' | '\\')),
            Some(_) => false,
        };
        match (character, quote) {
            ('\\', _) if escapes => word
                .get_or_insert_default()
                .push(characters.next().unwrap_or('\\')),
            ('"' | '\'', None) => {
                word.get_or_insert_default();
                quote = Some(character);
            }
            (_, Some(open)) if character == open => quote = None,
            (_, None) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if let Some(open) = quote {
        return Err(node.fault(format!("the quote {open} is not closed")));
    }
    words.extend(word);
    Ok(words)
}

/// One of several words.
pub(crate) fn one_of<T: Copy>(
    node: &Node,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T> {
    let given = text(node)?;
    let found = all.iter().copied().find(|&one| name(one) == given);
    found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|&one| name(one)).collect();
        node.fault(format!("`{given}` must be one of {}", names.join(", ")))
    })
}

/// `, did you mean ...?`, if a name is near enough to be meant.
pub(crate) fn did_you_mean<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return String::new();
    }
    let allowed = (name.chars().count() / 3).clamp(1, 4);
    let nearest = names
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|&(distance, _)| distance <= allowed)
        .min();
    nearest.map_or_else(String::new, |(_, candidate)| {
        format!(", did you mean `{candidate}`?")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    #[test]
    fn a_command_line_is_split_as_a_shell_splits_it() {
        for (line, expected) in [
            ("sh -c id", &["sh", "-c", "id"][..]),
            (r#"sh -c "a b""#, &["sh", "-c", "a b"]),
            ("sh -c 'a \"b\" c'", &["sh", "-c", "a \"b\" c"]),
            (r#"x "a\"b\c" a\ b '\'"#, &["x", "a\"b\\c", "a b", "\\"]),
            ("x '' \"\"", &["x", "", ""]),
            ("x a'b'c", &["x", "abc"]),
            ("  x   y ", &["x", "y"]),
        ] {
            let node = document::read(&format!("|-\n  {}", line.trim_start())).expect("a text");
            assert_eq!(words(&node).expect("words"), expected, "{line}");
        }
    }
}
