//! Sets of prefixes, asked in logarithmic time and without allocation.
//!
//! A sorted set in which no member is a prefix of another holds at most one prefix of a value: the greatest
//! member that is not greater than the value. (Whatever sorts between a prefix of a value and the value
//! starts with that prefix itself.) That is as fast as a trie, and a plain array.

use std::cmp::Ordering;

use vigia_event::glob;

/// Which end of a value is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Start,
    Back,
}

/// A set of prefixes, or of suffixes.
#[derive(Clone, Debug)]
pub(crate) struct Prefixes {
    end: End,
    sorted: Box<[Box<[u8]>]>,
}

impl Prefixes {
    pub(crate) fn new(end: End, members: impl IntoIterator<Item = Box<[u8]>>) -> Self {
        let mut sorted: Vec<Box<[u8]>> = members.into_iter().collect();
        sorted.sort_by(|a, b| compare(end, a, b));
        sorted.dedup_by(|later, earlier| has(end, later, earlier));
        Self {
            end,
            sorted: sorted.into(),
        }
    }

    /// Whether some member is a prefix (or suffix) of the value.
    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        let after = self
            .sorted
            .partition_point(|member| compare(self.end, member, value) != Ordering::Greater);
        after
            .checked_sub(1)
            .is_some_and(|at| has(self.end, value, &self.sorted[at]))
    }
}

fn compare(end: End, a: &[u8], b: &[u8]) -> Ordering {
    match end {
        End::Start => a.cmp(b),
        End::Back => a.iter().rev().cmp(b.iter().rev()),
    }
}

fn has(end: End, value: &[u8], part: &[u8]) -> bool {
    match end {
        End::Start => value.starts_with(part),
        End::Back => value.ends_with(part),
    }
}

/// A path, by its components.
type Components = Box<[Box<[u8]>]>;

/// A set of paths, matched by their components: `/var` is above `/var/run`, and not above `/variant`.
/// Components may be shell patterns.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// Without patterns: sorted, none above another.
    plain: Box<[Components]>,
    patterns: Box<[Components]>,
}

impl Paths {
    pub(crate) fn new<'p>(paths: impl IntoIterator<Item = &'p [u8]>) -> Self {
        let (patterns, mut plain): (Vec<_>, Vec<_>) = paths
            .into_iter()
            .map(|path| components(path).map(Box::from).collect::<Components>())
            .partition(|path| path.iter().any(|component| glob::is_pattern(component)));
        plain.sort();
        plain.dedup_by(|later, earlier| later.starts_with(earlier));
        Self {
            plain: plain.into(),
            patterns: patterns.into(),
        }
    }

    /// Whether some member is the value or above it.
    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        let after = self
            .plain
            .partition_point(|path| path.iter().map(|part| &**part).le(components(value)));
        let plain = after.checked_sub(1).is_some_and(|at| {
            let mut rest = components(value);
            self.plain[at].iter().all(|part| rest.next() == Some(part))
        });
        plain
            || self.patterns.iter().any(|path| {
                let mut rest = components(value);
                path.iter().all(|part| {
                    rest.next()
                        .is_some_and(|component| part_matches(part, component))
                })
            })
    }
}

fn part_matches(part: &[u8], component: &[u8]) -> bool {
    if glob::is_pattern(part) {
        glob::matches(part, component, false)
    } else {
        part == component
    }
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/')
        .filter(|component| !component.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_prefixes_answers_like_its_members_one_by_one() {
        let words = [
            "", "a", "ab", "abc", "b", "/etc", "/etc/", "/etc/ssh", "/usr/bin", "zz", "c",
        ];
        for chosen in 0..1_u32 << words.len() {
            if chosen.count_ones() > 4 {
                continue;
            }
            let members: Vec<&str> = words
                .iter()
                .enumerate()
                .filter(|(at, _)| chosen & 1 << at != 0)
                .map(|(_, word)| *word)
                .collect();
            let boxed = || members.iter().map(|member| Box::from(member.as_bytes()));
            let (prefixes, suffixes) = (
                Prefixes::new(End::Start, boxed()),
                Prefixes::new(End::Back, boxed()),
            );
            for value in [
                "",
                "a",
                "abd",
                "ba",
                "cab",
                "/etc/ssh/x",
                "/etcx",
                "/usr",
                "xzz",
                "zzz",
            ] {
                let starts = members.iter().any(|member| value.starts_with(member));
                let ends = members.iter().any(|member| value.ends_with(member));
                assert_eq!(
                    prefixes.matches(value.as_bytes()),
                    starts,
                    "{members:?} {value}"
                );
                assert_eq!(
                    suffixes.matches(value.as_bytes()),
                    ends,
                    "{members:?} {value}"
                );
            }
        }
    }

    #[test]
    fn paths_match_by_component() {
        for (paths, value, expected) in [
            (&["/var"][..], "/var/run/x", true),
            (&["/var"], "/var", true),
            (&["/var"], "/variant", false),
            (&["/var/"], "//var//run", true),
            (&["/"], "anything", true),
            (&["/"], "", true),
            (&["/var/log", "/var", "/usr"], "/var/lib", true),
            (&["/var/log", "/usr"], "/var/lib", false),
            (&["/home/*/.ssh"], "/home/a/.ssh/id", true),
            (&["/home/*/.ssh"], "/home/a/b/.ssh", false),
            (&["/a-b", "/a"], "/a/c", true),
            (&[], "/a", false),
        ] {
            let set = Paths::new(paths.iter().map(|path| path.as_bytes()));
            assert_eq!(set.matches(value.as_bytes()), expected, "{paths:?} {value}");
        }
    }
}
