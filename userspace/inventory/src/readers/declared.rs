//! What people declared: readers that are expected, and health checks.

use bstr::{BString, ByteSlice};
use vigia_event::container::Container;

use super::program::Program;

/// The container label that names expected readers: paths of programs or scripts, separated by commas; `*`
/// stands for anything within one folder, `**` for anything.
pub const LABEL: &str = "vigia.secret-readers";

const MAX_PATTERNS: usize = 64;
const MAX_PATTERN_BYTES: usize = 256;

/// Patterns of paths; those that are too many or too long are ignored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns(Vec<BString>);

impl Patterns {
    pub(crate) fn from_list<P: AsRef<[u8]>>(patterns: impl IntoIterator<Item = P>) -> Self {
        let usable = patterns.into_iter().filter_map(|pattern| {
            let pattern = pattern.as_ref().trim();
            (!pattern.is_empty() && pattern.len() <= MAX_PATTERN_BYTES).then(|| pattern.into())
        });
        Self(usable.take(MAX_PATTERNS).collect())
    }

    /// The pattern that a program matches: by what it is declared as, or by its file.
    pub(crate) fn find(&self, program: &Program) -> Option<BString> {
        let (declared_as, path) = (program.declared_as(), program.path());
        let matching = self
            .0
            .iter()
            .find(|pattern| matches(pattern, &declared_as) || matches(pattern, path));
        matching.cloned()
    }
}

/// The part of a container's label that a program matches.
pub(crate) fn by_label(container: &Container, program: &Program) -> Option<BString> {
    let label = container.known()?.label(LABEL)?;
    Patterns::from_list(label.split_str(",")).find(program)
}

/// Whether a command line is the health check. A script that the kernel runs by its `#!` line has the
/// interpreter in front, and the path at which it was found.
pub(crate) fn is_health_check(command: &[BString], health_check: &[BString]) -> bool {
    let Some((program, arguments)) = health_check.split_first() else {
        return false;
    };
    if command == health_check {
        return true;
    }
    let Some(in_front) = command.len().checked_sub(health_check.len()) else {
        return false;
    };
    let script = command
        .get(in_front)
        .map_or(&b""[..], |script| script.as_slice());
    let found_in_path =
        !program.contains(&b'/') && script.rsplit_str("/").next() == Some(program.as_slice());
    matches!(in_front, 1 | 2)
        && command.get(in_front + 1..) == Some(arguments)
        && (script == program.as_slice() || found_in_path)
}

/// Whether a whole path matches a pattern. The work is bounded by the product of their lengths.
fn matches(pattern: &[u8], path: &[u8]) -> bool {
    // reachable[i]: the pattern up to here matches the first i bytes of the path.
    let mut reachable = vec![false; path.len() + 1];
    reachable[0] = true;
    let mut rest = pattern;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'*' {
            let any_folder = rest.first() == Some(&b'*');
            rest = rest.strip_prefix(b"*").unwrap_or(rest);
            for end in 0..path.len() {
                reachable[end + 1] |= reachable[end] && (any_folder || path[end] != b'/');
            }
        } else {
            for end in (0..path.len()).rev() {
                reachable[end + 1] =
                    reachable[end] && (byte == path[end] || byte == b'?' && path[end] != b'/');
            }
            reachable[0] = false;
        }
    }
    reachable[path.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_paths() {
        for (pattern, path, expected) in [
            ("/bin/cat", "/bin/cat", true),
            ("/bin/cat", "/bin/cat2", false),
            ("/bin/cat", "/usr/bin/cat", false),
            ("/bin/*", "/bin/cat", true),
            ("/bin/*", "/bin/x/cat", false),
            ("/opt/**", "/opt/a/b", true),
            ("/opt/**/run", "/opt/a/b/run", true),
            ("/opt/*/run", "/opt/a/b/run", false),
            ("**/cat", "/usr/bin/cat", true),
            ("/bin/c?t", "/bin/cat", true),
            ("/bin?cat", "/bin/cat", false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("***a*", "ba", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), path.as_bytes()),
                expected,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn the_worst_pattern_still_ends() {
        assert!(!matches(
            &b"*a".repeat(128),
            &b"a".repeat(4096).replace("a", "ab")
        ));
    }

    #[test]
    fn a_health_check_is_known_by_its_whole_command_line() {
        let words = |line: &str| {
            line.split_whitespace()
                .map(BString::from)
                .collect::<Vec<_>>()
        };
        for (command, health_check, expected) in [
            ("/bin/sh -c check", "/bin/sh -c check", true),
            ("/bin/sh -c check more", "/bin/sh -c check", false),
            ("/bin/sh /usr/bin/check -v", "/usr/bin/check -v", true),
            ("/bin/sh -e /usr/bin/check -v", "check -v", true),
            ("/bin/sh /tmp/x /usr/bin/check", "/usr/bin/check -v", false),
            ("/bin/sh /usr/bin/check -x", "check -v", false),
            ("cat a b c check", "check", false),
            ("cat", "", false),
            ("", "", false),
        ] {
            assert_eq!(
                is_health_check(&words(command), &words(health_check)),
                expected,
                "{command} / {health_check}"
            );
        }
    }
}
