//! What people declared: readers that are expected, and health checks.

use bstr::{BString, ByteSlice};
use vigia_event::container::Container;

use super::program::Program;
use crate::path_pattern::matches;

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

#[cfg(test)]
mod tests {
    use super::*;

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
