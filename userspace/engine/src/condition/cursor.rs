//! Tokens: the pieces that conditions, list items and output templates share.

use bstr::BString;

use crate::condition::ast::Constant;
use crate::diagnostics::Problem;
use crate::source::{Span, Text};

/// A syntax error with its place.
pub(crate) type Failure = (Span, Problem);

/// A position in a text.
pub(crate) struct Cursor<'t> {
    pub(crate) text: &'t Text,
    pub(crate) at: usize,
}

pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\x08' | b'\r' | b'\n')
}

/// Whether a byte may stand in an unquoted string.
fn is_bare(byte: u8) -> bool {
    !matches!(
        byte,
        b'(' | b')' | b'"' | b'\'' | b'=' | b',' | b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c'
    )
}

/// Whether a byte may stand in brackets without quotes.
fn is_bare_in_brackets(byte: u8) -> bool {
    !matches!(byte, b']' | b'[' | b'"' | b'\'' | b'\x0b') && !byte.is_ascii_whitespace()
}

/// Whether a text is one unquoted string.
pub(crate) fn is_bare_string(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_bare)
}

/// Whether a text is an argument that needs no quotes.
pub(crate) fn is_bare_argument(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_bare_in_brackets)
}

/// The number that a text starts with: whole, hexadecimal, or with a fraction and an exponent.
pub(crate) fn number(text: &str) -> &str {
    let bytes = text.as_bytes();
    let digits = |from: usize, is_digit: fn(&u8) -> bool| {
        let rest = bytes.get(from..).unwrap_or(&[]);
        rest.iter().take_while(|byte| is_digit(byte)).count()
    };
    if let [b'0', b'x' | b'X', ..] = bytes {
        let hex = digits(2, u8::is_ascii_hexdigit);
        if hex > 0 {
            return &text[..2 + hex];
        }
    }
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits(sign, u8::is_ascii_digit);
    if whole == 0 {
        return "";
    }
    let mut length = sign + whole;
    if bytes.get(length) == Some(&b'.') {
        length += 1 + digits(length + 1, u8::is_ascii_digit);
    }
    if let Some([b'e' | b'E', b'+' | b'-']) = bytes.get(length..length + 2) {
        let exponent = digits(length + 2, u8::is_ascii_digit);
        if exponent > 0 {
            length += 2 + exponent;
        }
    }
    &text[..length]
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(text: &'t Text) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn rest(&self) -> &'t str {
        self.text.text.get(self.at..).unwrap_or("")
    }

    pub(crate) fn bytes(&self) -> &'t [u8] {
        self.text.text.as_bytes().get(self.at..).unwrap_or(&[])
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes().first().copied()
    }

    pub(crate) fn span_from(&self, start: usize) -> Span {
        self.text.span(start, self.at)
    }

    pub(crate) fn skip_blanks(&mut self) {
        self.at += self
            .bytes()
            .iter()
            .take_while(|&&byte| is_blank(byte))
            .count();
    }

    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// `[a-zA-Z]+[a-zA-Z0-9_]*`, without moving.
    fn identifier_length(bytes: &[u8]) -> usize {
        match bytes.first() {
            Some(first) if first.is_ascii_alphabetic() => bytes
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
                .count(),
            _ => 0,
        }
    }

    /// The identifier that starts here, without moving.
    pub(crate) fn identifier(&self) -> &'t str {
        &self.rest()[..Self::identifier_length(self.bytes())]
    }

    /// The field name that starts here (identifiers joined by dots, at least one dot), without moving.
    pub(crate) fn field_name(&self) -> Option<&'t str> {
        let bytes = self.bytes();
        let mut length = Self::identifier_length(bytes);
        if length == 0 {
            return None;
        }
        let mut dots = 0;
        while bytes.get(length) == Some(&b'.') {
            match Self::identifier_length(&bytes[length + 1..]) {
                0 => break,
                more => length += 1 + more,
            }
            dots += 1;
        }
        (dots > 0).then(|| &self.rest()[..length])
    }

    /// What stands in brackets right here.
    pub(crate) fn bracketed(&mut self) -> Result<Option<BString>, Failure> {
        if self.peek() != Some(b'[') {
            return Ok(None);
        }
        let start = self.at;
        let refused = |at: &Self| {
            let problem = Problem::Expected {
                expected: "an argument and a closing ']'",
                found: at.found(),
            };
            (at.text.span(start, start + 1), problem)
        };
        self.at += 1;
        let argument = if matches!(self.peek(), Some(b'"' | b'\'')) {
            self.quoted()?.value
        } else {
            let length = self
                .bytes()
                .iter()
                .take_while(|&&byte| is_bare_in_brackets(byte))
                .count();
            if length == 0 {
                return Err(refused(self));
            }
            let argument = &self.bytes()[..length];
            self.at += length;
            argument.into()
        };
        if self.eat(b']') {
            Ok(Some(argument))
        } else {
            Err(refused(self))
        }
    }

    /// The quoted or bare string that starts here.
    pub(crate) fn string(&mut self, expected: &'static str) -> Result<Constant, Failure> {
        if matches!(self.peek(), Some(b'"' | b'\'')) {
            return self.quoted();
        }
        let start = self.at;
        let length = self
            .bytes()
            .iter()
            .take_while(|&&byte| is_bare(byte))
            .count();
        if length == 0 {
            return Err(self.expected(expected));
        }
        self.at += length;
        let value = self.text.text[start..self.at].into();
        Ok(Constant {
            value,
            quoted: false,
            span: self.span_from(start),
        })
    }

    /// The quoted string that starts here.
    fn quoted(&mut self) -> Result<Constant, Failure> {
        let start = self.at;
        let quote = self.peek().unwrap_or(b'"');
        self.at += 1;
        let mut value = Vec::new();
        loop {
            match self.peek() {
                None => return Err((self.text.span(start, start + 1), Problem::UnclosedQuote)),
                Some(byte) if byte == quote => break,
                Some(b'\\') => {
                    value.push(self.escape(quote, start)?);
                }
                Some(byte) => {
                    value.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        Ok(Constant {
            value: value.into(),
            quoted: true,
            span: self.span_from(start),
        })
    }

    /// Moves from a quote to the one that closes it, or to the last byte if none does, whatever stands
    /// between them.
    pub(crate) fn skip_quoted(&mut self) {
        let quote = self.peek();
        let end = self.text.text.len().saturating_sub(1);
        self.at += 1;
        while self.at < end && self.peek() != quote {
            self.at += 1 + usize::from(self.peek() == Some(b'\\'));
        }
        self.at = self.at.min(end);
    }

    fn escape(&mut self, quote: u8, opening: usize) -> Result<u8, Failure> {
        let start = self.at;
        let Some(&kind) = self.bytes().get(1) else {
            return Err((self.text.span(opening, opening + 1), Problem::UnclosedQuote));
        };
        self.at += 2;
        let byte = match kind {
            b'b' => b'\x08',
            b'f' => b'\x0c',
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            // A blank behind the backslash is an old way to write the backslash itself.
            b'\\' | b' ' => b'\\',
            b'/' => b'/',
            kind if kind == quote => quote,
            b'x' => {
                let digits = self
                    .bytes()
                    .get(..2)
                    .and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits
                    .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                match byte {
                    Some(byte) if byte != 0 => {
                        self.at += 2;
                        byte
                    }
                    _ => {
                        return Err((
                            self.span_from(start),
                            Problem::UnknownEscape {
                                escape: "x".to_owned(),
                            },
                        ));
                    }
                }
            }
            _ => {
                let escape = self.text.text[start + 1..]
                    .chars()
                    .next()
                    .map(String::from)
                    .unwrap_or_default();
                return Err((
                    self.text.span(start, start + 2),
                    Problem::UnknownEscape { escape },
                ));
            }
        };
        Ok(byte)
    }

    /// What stands here, for a message.
    pub(crate) fn found(&self) -> String {
        let length = match self.peek() {
            None => return "the end".to_owned(),
            Some(byte) if is_bare(byte) => self
                .bytes()
                .iter()
                .take_while(|&&byte| is_bare(byte))
                .count(),
            Some(_) => self.rest().chars().next().map_or(0, char::len_utf8),
        };
        let token: String = self.rest()[..length].chars().take(40).collect();
        format!("'{token}'")
    }

    pub(crate) fn expected(&self, expected: &'static str) -> Failure {
        let length = self
            .bytes()
            .iter()
            .take_while(|&&byte| is_bare(byte))
            .count()
            .max(1);
        // Behind the last word rather than on the line behind it.
        let at = match self.peek() {
            None => self.text.text.trim_end().len(),
            Some(_) => self.at,
        };
        (
            self.text.span(at, at + length),
            Problem::Expected {
                expected,
                found: self.found(),
            },
        )
    }
}
