//! Rule files as text, and places in them: every later stage speaks of spans, and only a diagnostic turns
//! one into a line and a column.

/// One rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// How messages call it: usually its path.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// A file of that name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }
}

/// A range of bytes in one of the sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Span {
    /// Index of the source.
    pub(crate) source: u32,
    /// First byte.
    pub(crate) start: u32,
    /// One behind the last byte.
    pub(crate) end: u32,
}

/// A line and a column as people count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position<'s> {
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// The whole line, without its end.
    pub(crate) text: &'s str,
}

/// Finds the line and column of a byte offset; an offset inside a character counts as that character.
pub(crate) fn position(text: &str, offset: usize) -> Position<'_> {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[offset..]
        .find('\n')
        .map_or(text.len(), |at| offset + at);
    Position {
        line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        text: text[line_start..line_end].trim_end_matches('\r'),
    }
}

/// A scalar of a rule file that has a grammar of its own, with the way back from its text to the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    /// The decoded text.
    pub(crate) text: String,
    /// Where in the file each byte of `text`, and its end, came from.
    pub(crate) origins: Vec<u32>,
    /// The file.
    pub(crate) source: u32,
}

impl Text {
    /// The whole text of a source.
    pub(crate) fn of_source(source: u32, text: String) -> Self {
        let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        Self {
            origins: (0..=end).collect(),
            text,
            source,
        }
    }

    /// The place in the file of all of it.
    pub(crate) fn whole(&self) -> Span {
        self.span(0, self.text.len())
    }

    /// The place in the file of a range of the text; an empty range is the one character at its start.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let last = self.origins.len().saturating_sub(1);
        let at = |offset: usize| self.origins.get(offset.min(last)).copied().unwrap_or(0);
        let from = at(start);
        // The origin of the last byte rather than of the one behind it, which may be on another line.
        let to = if end > start {
            at(end - 1) + 1
        } else {
            from + 1
        };
        Span {
            source: self.source,
            start: from,
            end: to.max(from + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_lines_and_columns_in_characters() {
        let text = "ab\r\nñx\n";
        for (offset, line, column, shown) in [
            (0, 1, 1, "ab"),
            (1, 1, 2, "ab"),
            (4, 2, 1, "ñx"),
            (5, 2, 1, "ñx"),
            (6, 2, 2, "ñx"),
            (99, 3, 1, ""),
        ] {
            assert_eq!(
                position(text, offset),
                Position {
                    line,
                    column,
                    text: shown
                },
                "offset {offset}"
            );
        }
    }
}
