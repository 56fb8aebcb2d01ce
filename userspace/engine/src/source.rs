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

/// The offsets at which the lines of a text start.
pub(crate) fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}

/// Finds the line and column of a byte offset; an offset inside a character counts as that character.
pub(crate) fn position<'s>(text: &'s str, line_starts: &[usize], offset: usize) -> Position<'s> {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let line = line_starts.partition_point(|&start| start <= offset);
    let start = line_starts.get(line.wrapping_sub(1)).copied().unwrap_or(0);
    let end = text[offset..]
        .find('\n')
        .map_or(text.len(), |at| offset + at);
    Position {
        line,
        column: text[start..offset].chars().count() + 1,
        text: text[start..end].trim_end_matches('\r'),
    }
}

/// A text of a rule file that has a grammar of its own, with the way back from it to the file. It may be put
/// together from scalars of several items, and even of several files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    /// The decoded text.
    pub(crate) text: String,
    /// Where in its file each byte of `text`, and its end, came from.
    pub(crate) origins: Vec<u32>,
    /// The file of the first piece.
    pub(crate) source: u32,
    /// Where in `text` the pieces behind the first one start, and from which files they are.
    later: Vec<(usize, u32)>,
}

impl Text {
    /// A scalar of a file. `origins` has one element for each byte and one for the end.
    pub(crate) fn new(text: String, origins: Vec<u32>, source: u32) -> Self {
        Self {
            text,
            origins,
            source,
            later: Vec::new(),
        }
    }

    /// The whole text of a source.
    pub(crate) fn of_source(source: u32, text: String) -> Self {
        let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        Self::new(text, (0..=end).collect(), source)
    }

    /// Text that stands in no file, for which a place in one answers.
    pub(crate) fn made(text: &str, place: Span) -> Self {
        Self::new(
            text.to_owned(),
            vec![place.start; text.len() + 1],
            place.source,
        )
    }

    /// Puts another text behind this one.
    pub(crate) fn push(&mut self, other: &Self) {
        if self.text.is_empty() {
            self.clone_from(other);
            return;
        }
        let start = self.text.len();
        if self.source_at(start) != other.source {
            self.later.push((start, other.source));
        }
        let moved = other.later.iter().map(|&(at, source)| (start + at, source));
        self.later.extend(moved);
        self.origins.truncate(start);
        self.origins.extend_from_slice(&other.origins);
        self.text.push_str(&other.text);
    }

    /// Puts text that stands in no file behind this one; a place in one answers for it.
    pub(crate) fn push_made(&mut self, text: &str, place: Span) {
        self.push(&Self::made(text, place));
    }

    /// Takes a range out.
    pub(crate) fn remove(&mut self, start: usize, end: usize) {
        self.text.replace_range(start..end, "");
        self.origins.drain(start..end);
        for (at, _) in &mut self.later {
            *at -= (*at).clamp(start, end) - start;
        }
    }

    /// Cuts blanks off both ends.
    pub(crate) fn trim(&mut self) {
        let end = self.text.trim_end().len();
        self.remove(end, self.text.len());
        let start = self.text.len() - self.text.trim_start().len();
        self.remove(0, start);
    }

    /// The place in the file of all of it.
    pub(crate) fn whole(&self) -> Span {
        self.span(0, self.text.len())
    }

    /// The file of a byte.
    fn source_at(&self, offset: usize) -> u32 {
        let behind = self.later.partition_point(|&(start, _)| start <= offset);
        match behind.checked_sub(1) {
            Some(piece) => self.later[piece].1,
            None => self.source,
        }
    }

    /// The place in the file of a range of the text; an empty range is the one character at its start.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let last = self.origins.len().saturating_sub(1);
        let at = |offset: usize| self.origins.get(offset.min(last)).copied().unwrap_or(0);
        let from = at(start);
        let source = self.source_at(start.min(self.text.len().saturating_sub(1)));
        // The origin of the last byte rather than of the one behind it, which may be on another line.
        let to = if end > start && self.source_at(end - 1) == source {
            at(end - 1) + 1
        } else {
            from + 1
        };
        Span {
            source,
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
                position(text, &line_starts(text), offset),
                Position {
                    line,
                    column,
                    text: shown
                },
                "offset {offset}"
            );
        }
    }

    #[test]
    fn texts_put_together_lead_back_to_the_file_of_each_piece() {
        let piece = |text: &str, at: u32, source| {
            let end = at + u32::try_from(text.len()).unwrap();
            Text::new(text.to_owned(), (at..=end).collect(), source)
        };
        let place = |source, start, end| Span { source, start, end };
        let mut text = piece("ab", 10, 0);
        text.push_made(" ", place(1, 7, 9));
        text.push(&piece("cd", 20, 1));
        text.push(&piece("ef", 30, 0));
        assert_eq!(text.text, "ab cdef");
        for (start, end, expected) in [
            (0, 2, place(0, 10, 12)),
            (1, 4, place(0, 11, 12)),
            (2, 3, place(1, 7, 8)),
            (3, 5, place(1, 20, 22)),
            (5, 7, place(0, 30, 32)),
            (7, 7, place(0, 32, 33)),
        ] {
            assert_eq!(text.span(start, end), expected, "{start}..{end}");
        }
        text.remove(1, 4);
        assert_eq!(text.text, "adef");
        assert_eq!(text.span(1, 2), place(1, 21, 22));
        assert_eq!(text.span(2, 3), place(0, 30, 31));
    }
}
