//! Command line options, in the way of getopt(3).

use std::borrow::Cow;

/// An option that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its letter; `?` for one that is not known.
    pub(super) option: u8,
    /// Its value, where it takes one; empty where the command line ends before it.
    pub(super) value: Option<Vec<u8>>,
}

impl Found {
    /// The letter, and the value where there is one.
    pub(super) fn texts(self) -> impl Iterator<Item = Vec<u8>> {
        std::iter::once(vec![self.option]).chain(self.value)
    }
}

/// Finds the options of `known` (letters, each followed by `:` where it takes a value) up to the first
/// argument that is none. Long options are skipped.
pub(super) fn parse(arguments: &[Cow<'_, [u8]>], known: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let letters = match &**argument {
            b"--" => break,
            [b'-', b'-', ..] => continue,
            [b'-', letters @ ..] if !letters.is_empty() => letters,
            _ => break,
        };
        let mut letters = letters.iter();
        while let Some(&letter) = letters.next() {
            let place = known
                .iter()
                .position(|&option| option == letter && letter != b':');
            let Some(place) = place else {
                found.push(Found {
                    option: b'?',
                    value: None,
                });
                continue;
            };
            if known.get(place + 1) != Some(&b':') {
                found.push(Found {
                    option: letter,
                    value: None,
                });
                continue;
            }
            let attached = letters.as_slice();
            let value = match attached {
                [] => arguments
                    .next()
                    .map(|next| next.to_vec())
                    .unwrap_or_default(),
                attached => attached.to_vec(),
            };
            found.push(Found {
                option: letter,
                value: Some(value),
            });
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_as_getopt_finds_them() {
        for (line, known, expected) in [
            ("-a -b x", "ab:", "a b=x"),
            ("-abx rest -a", "ab:", "a b=x"),
            ("-z -a", "a", "? a"),
            ("--long -a -- -b", "ab", "a"),
            ("-b", "b:", "b="),
            ("x -a", "a", ""),
            ("- -a", "a", ""),
        ] {
            let arguments: Vec<Cow<'_, [u8]>> = line
                .split(' ')
                .map(|part| Cow::Borrowed(part.as_bytes()))
                .collect();
            let found: Vec<String> = parse(&arguments, known.as_bytes())
                .into_iter()
                .map(|found| {
                    let option = char::from(found.option);
                    found.value.map_or(option.to_string(), |value| {
                        format!("{option}={}", String::from_utf8_lossy(&value))
                    })
                })
                .collect();
            assert_eq!(found.join(" "), expected, "{line}");
        }
    }
}
