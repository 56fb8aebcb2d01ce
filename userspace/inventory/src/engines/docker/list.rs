//! The ids in a list of containers, however long the rest of it is: one container with a label of 100 MB must not hide
//! all others.

use bstr::ByteSlice;

use crate::cgroup::is_container_id;
use crate::engines::asking::MAX_OPEN;
use crate::engines::error::EngineError;
use crate::engines::http::Client;

const PATH: &str = "/containers/json";
/// Lists nested deeper than this are none of an engine.
const MAX_DEPTH: usize = 64;
/// One byte more than an id has: longer texts are none.
const MAX_TEXT: usize = 65;

/// The containers that run, as many as can be asked for.
pub(super) async fn running(client: &Client) -> Result<Vec<String>, EngineError> {
    let mut ids = Ids::default();
    client.pieces(PATH, |piece| ids.read(piece)).await?;
    ids.finish().ok_or_else(|| EngineError::Answer {
        path: PATH.to_owned(),
        message: "it is no list of containers".to_owned(),
    })
}

/// Reads `[{"Id": ID, ...}, ...]` piece by piece and keeps nothing but the ids.
#[derive(Debug, Default)]
struct Ids {
    has_begun: bool,
    depth: usize,
    in_string: bool,
    after_backslash: bool,
    /// The last string, shortened.
    text: Vec<u8>,
    /// Whether a member named `Id` of an element is being read.
    is_id: bool,
    found: Vec<String>,
    is_malformed: bool,
}

impl Ids {
    /// Returns whether more is wanted.
    fn read(&mut self, piece: &[u8]) -> bool {
        let mut rest = piece;
        while let Some((&byte, tail)) = rest.split_first()
            && !self.is_malformed
        {
            rest = if self.in_string {
                self.read_string(rest)
            } else {
                self.read_structure(byte);
                tail
            };
        }
        !self.is_malformed
    }

    /// Reads up to the next quote or backslash, which is where anything can change, and returns what is left.
    fn read_string<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        // What follows a backslash is part of the text, whatever it is.
        let from = usize::from(std::mem::take(&mut self.after_backslash));
        let mark = piece
            .get(from..)
            .and_then(|rest| rest.find_byteset(b"\"\\"));
        let end = mark.map_or(piece.len(), |at| from + at);
        let (text, rest) = piece.split_at(end);
        let room = MAX_TEXT - self.text.len();
        self.text.extend_from_slice(&text[..text.len().min(room)]);
        let Some((&byte, rest)) = rest.split_first() else {
            return rest;
        };
        if byte == b'"' {
            self.in_string = false;
            if self.depth == 2 && std::mem::take(&mut self.is_id) {
                self.found();
            }
        } else {
            self.after_backslash = true;
            // No id has one.
            self.is_id = false;
        }
        rest
    }

    fn read_structure(&mut self, byte: u8) {
        match byte {
            b'"' => {
                self.in_string = true;
                self.text.clear();
            }
            b'[' | b'{' => {
                self.is_malformed = self.depth == 0 && byte != b'[' || self.depth >= MAX_DEPTH;
                self.has_begun = true;
                self.depth += 1;
            }
            b']' | b'}' if self.depth > 0 => self.depth -= 1,
            b':' => self.is_id = self.depth == 2 && self.text == b"Id",
            b',' => self.is_id = false,
            // Nothing stands outside of the list.
            _ => self.is_malformed = self.depth == 0 && !byte.is_ascii_whitespace(),
        }
    }

    fn found(&mut self) {
        if self.found.len() < MAX_OPEN
            && is_container_id(&self.text)
            && let Ok(id) = std::str::from_utf8(&self.text)
        {
            self.found.push(id.to_owned());
        }
    }

    /// The ids, where it was a whole list.
    fn finish(self) -> Option<Vec<String>> {
        let is_whole = self.has_begun && self.depth == 0 && !self.is_malformed;
        is_whole.then_some(self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "cb88e9aa616de881d907571c99dd391a8b8e42a205685db372ef402055eb838a";
    const OTHER: &str = "aa0ab810283dba822752b3bc8e939426f544725b0f000f67a61b213765fd8854";

    /// Whatever the pieces are.
    fn ids(text: &str) -> Option<Vec<String>> {
        let read = |size: usize| {
            let mut ids = Ids::default();
            let _ = text.as_bytes().chunks(size).all(|piece| ids.read(piece));
            ids.finish()
        };
        let found = read(1);
        assert_eq!(found, read(7));
        assert_eq!(found, read(text.len().max(1)));
        found
    }

    #[test]
    fn ids_are_found_among_whatever_else_a_list_holds() {
        let quotes = r#"\\\" , \"Id\": \"x\" ]}"#;
        for (list, expected) in [
            ("[]".to_owned(), vec![]),
            (format!(r#" [ {{"Id":"{ID}"}} ] "#), vec![ID]),
            (
                format!(
                    r#"[{{"Names":["/a","/b"],"Id" : "{ID}","Labels":{{"Id":"{OTHER}"}}}},{{"Id":"{OTHER}","Ports":[{{}}]}}]"#
                ),
                vec![ID, OTHER],
            ),
            (
                format!(r#"[{{"Labels":{{"a":"{quotes}"}},"Id":"{ID}"}}]"#),
                vec![ID],
            ),
            (
                format!(
                    r#"[{{"Labels":{{"a":"{}"}},"Id":"{ID}"}}]"#,
                    "x".repeat(1 << 20)
                ),
                vec![ID],
            ),
            (
                format!(r#"[["Id","{ID}"],{{"Id":["{ID}"]}},{{"Id":7}},{{"id":"{ID}"}}]"#),
                vec![],
            ),
            (
                format!(r#"[{{"Id":"../{ID}"}},{{"Id":"{ID}0"}},{{"Id":null,"Names":"{OTHER}"}}]"#),
                vec![],
            ),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(
                ids(&list),
                Some(expected),
                "{}",
                &list[..list.len().min(200)]
            );
        }
    }

    #[test]
    fn what_is_no_whole_list_is_refused() {
        for text in [
            "",
            "7",
            r#"{"message": "?"}"#,
            "[",
            r#"[{"Id":""#,
            "]",
            "null",
            &"[".repeat(1 << 16),
        ] {
            assert_eq!(ids(text), None, "{}", &text[..text.len().min(20)]);
        }
    }

    #[test]
    fn no_more_are_kept_than_can_be_asked_for() {
        let all: Vec<String> = (0..2 * MAX_OPEN)
            .map(|number| format!(r#"{{"Id":"{number:064x}"}}"#))
            .collect();
        let found = ids(&format!("[{}]", all.join(",")));
        assert_eq!(found.map(|ids| ids.len()), Some(MAX_OPEN));
    }
}
