//! Hostile bytes become text that is safe to store, to send and to look at.
//!
//! Paths, arguments and names come from the watched containers. They may hold anything: bytes that are not
//! UTF-8, escape sequences that repaint a terminal, marks that reverse the reading direction.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Stands at the end of a text that was cut.
pub(crate) const CUT: &str = "…";

/// Text of at most `limit` bytes; bytes that are not UTF-8 become U+FFFD, and a longer text ends in `…`.
pub(crate) fn lossy(bytes: &[u8], limit: usize) -> String {
    // U+FFFD takes three bytes where the original took one, so the text is cut again after the conversion. One byte
    // more than the limit is kept to tell "exactly as long" from "longer".
    let head = &bytes[..bytes.len().min(limit.saturating_add(1))];
    cut(String::from_utf8_lossy(head), limit).into_owned()
}

/// At most `limit` bytes of a text, cut between characters.
pub(crate) fn cut(text: Cow<'_, str>, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return text;
    }
    let end = text.floor_char_boundary(limit.saturating_sub(CUT.len()));
    let mut short = text[..end].to_owned();
    short.push_str(CUT);
    Cow::Owned(short)
}

/// Whether a character could change how the text around it is shown: controls (C0, DEL, C1), line and paragraph
/// separators, and marks of the reading direction.
#[must_use]
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// Escapes like a JSON string, without the quotes around it: what Falco does with a text line, and deceptive
/// characters beyond ASCII as well.
pub(crate) fn escape(text: &str) -> String {
    escape_all_but(text, "")
}

/// Escapes deceptive characters only; quotes and backslashes stay readable.
pub(crate) fn escape_for_reading(text: &str) -> String {
    escape_all_but(text, "\"\\")
}

fn escape_all_but(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '"' | '\\' if !kept.contains(character) => {
                out.push('\\');
                out.push(character);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            _ if is_deceptive(character) => push_unicode_escape(&mut out, character),
            _ => out.push(character),
        }
    }
    out
}

/// Appends `\uXXXX`, as a surrogate pair where the character needs one.
pub(crate) fn push_unicode_escape(out: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters_and_says_so() {
        for (bytes, limit, expected) in [
            (&b"abc"[..], 8, "abc"),
            (b"abcdefgh", 8, "abcdefgh"),
            (b"abcdefghi", 8, "abcde…"),
            ("ééééé".as_bytes(), 8, "éé…"),
            (b"a\xffb", 8, "a\u{fffd}b"),
            (b"\xff\xff\xff\xff", 8, "\u{fffd}…"),
            (b"", 0, ""),
        ] {
            assert_eq!(lossy(bytes, limit), expected, "{bytes:?}");
        }
    }

    #[test]
    fn what_could_repaint_a_terminal_is_escaped() {
        for (text, line, reading) in [
            ("a\"b\\c", "a\\\"b\\\\c", "a\"b\\c"),
            ("x\u{1b}[2Jy", "x\\u001b[2Jy", "x\\u001b[2Jy"),
            ("\u{9b}31m", "\\u009b31m", "\\u009b31m"),
            ("a\nb\tc\r", "a\\nb\\tc\\r", "a\\nb\\tc\\r"),
            ("gpj.\u{202e}exe", "gpj.\\u202eexe", "gpj.\\u202eexe"),
            ("señal", "señal", "señal"),
            ("\u{7f}", "\\u007f", "\\u007f"),
        ] {
            assert_eq!(escape(text), line);
            assert_eq!(escape_for_reading(text), reading);
        }
    }
}
