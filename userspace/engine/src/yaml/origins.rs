//! From the decoded text of a scalar back to the bytes of the file.
//!
//! A parser that decodes folded lines and escapes does not keep this, so the raw scalar is walked beside
//! its decoded text: both hold the same visible characters in the same order, and differ only in blanks
//! and escapes.

use serde_saphyr::granit_parser::ScalarStyle;

use crate::source::Span;

/// Where in `file` each byte of `decoded`, and its end, came from. If the two cannot be aligned, everything
/// comes from the scalar's start: a coarser place, never a wrong one.
pub(super) fn of(file: &str, span: Span, style: ScalarStyle, decoded: &str) -> Vec<u32> {
    align(file, span, style, decoded).unwrap_or_else(|| vec![span.start; decoded.len() + 1])
}

fn align(file: &str, span: Span, style: ScalarStyle, decoded: &str) -> Option<Vec<u32>> {
    let mut raw = Raw {
        text: file,
        at: span.start as usize,
        style,
    };
    raw.skip_opening();
    let mut origins = Vec::with_capacity(decoded.len() + 1);
    for wanted in decoded.chars() {
        let at = raw.advance(wanted)?;
        origins.extend(std::iter::repeat_n(
            u32::try_from(at).ok()?,
            wanted.len_utf8(),
        ));
    }
    origins.push(u32::try_from(raw.at).ok()?);
    Some(origins)
}

struct Raw<'f> {
    text: &'f str,
    at: usize,
    style: ScalarStyle,
}

impl Raw<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// Steps over the opening quote, or over the header line of a block.
    fn skip_opening(&mut self) {
        match self.style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => self.at += 1,
            ScalarStyle::Literal | ScalarStyle::Folded if self.rest().starts_with(['|', '>']) => {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
            }
            _ => {}
        }
    }

    /// Steps over what decodes to `wanted` and returns where that stands.
    fn advance(&mut self, wanted: char) -> Option<usize> {
        if is_blank(wanted) {
            let at = self.at;
            match self.rest().chars().next() {
                Some('\\') if self.style == ScalarStyle::DoubleQuoted => self.skip_escape(),
                // A folded line end decodes to a blank, too; what follows it is skipped with the next
                // visible character.
                Some(next) if next == wanted => self.at += 1,
                _ => {}
            }
            return Some(at);
        }
        self.skip_blanks();
        let at = self.at;
        let next = self.rest().chars().next()?;
        if next == '\\' && self.style == ScalarStyle::DoubleQuoted {
            self.skip_escape();
        } else if next == wanted {
            let doubled = next == '\'' && self.style == ScalarStyle::SingleQuoted;
            self.at += next.len_utf8() * if doubled { 2 } else { 1 };
        } else {
            return None;
        }
        Some(at)
    }

    /// Skips blanks, and in double quotes also a backslash that joins two lines.
    fn skip_blanks(&mut self) {
        loop {
            let blanks = self
                .rest()
                .find(|next: char| !is_blank(next))
                .unwrap_or(self.rest().len());
            self.at += blanks;
            let joins = self.rest().starts_with("\\\n") || self.rest().starts_with("\\\r");
            if !(joins && self.style == ScalarStyle::DoubleQuoted) {
                return;
            }
            self.at += 1;
        }
    }

    fn skip_escape(&mut self) {
        let kind = self.rest().chars().nth(1);
        let digits = match kind {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            _ => 0,
        };
        self.at = (self.at + 1 + kind.map_or(0, char::len_utf8) + digits).min(self.text.len());
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use crate::source::{line_starts, position};
    use crate::yaml::{Kind, read};

    /// Line and column of the first `X` of the scalar behind `k:`, through the decoded text.
    fn place_of_x(file: &str) -> (usize, usize) {
        let (documents, error) = read(0, file);
        assert_eq!(error, None);
        let Kind::Mapping(entries) = &documents[0].kind else {
            panic!("no mapping")
        };
        let text = entries[0].1.text(file).expect("a scalar");
        let offset = text.text.find('X').expect("an X");
        let start = text.span(offset, offset + 1).start as usize;
        let place = position(file, &line_starts(file), start);
        (place.line, place.column)
    }

    #[test]
    fn every_style_of_scalar_leads_back_to_the_file() {
        for (file, expected) in [
            ("k: a X", (1, 6)),
            ("k: a\n  b\n\n  c X", (4, 5)),
            ("k: >\n  a b\n  c X\n", (3, 5)),
            ("k: >-  # why\n\n    a\n\n      c X\n", (5, 9)),
            ("k: |\n  a b\n    X\n", (3, 5)),
            ("k: |2+\n  a b\n   X\n", (3, 4)),
            ("k: 'it''s\n  X'", (2, 3)),
            ("k: \"\\x41\\n\\\"b\\\" X\"", (1, 17)),
            ("k: \"a\\\n   b X\"", (2, 6)),
            ("k: \"ñ \\u00f1 X\"", (1, 14)),
            ("k: &anchor\n  X", (2, 3)),
            ("k: !!str X", (1, 10)),
            ("k:\n  'ññ X'", (2, 7)),
            ("# c\r\nk: >\r\n  a\r\n  X\r\n", (4, 3)),
        ] {
            assert_eq!(place_of_x(file), expected, "{file:?}");
        }
    }
}
