//! Patterns of paths as people write them: `*` and `?` stay within one folder, `**` does not; `**/` stands for any number of
//! folders, also for none.

/// Whether a whole path matches a pattern. The work is bounded by the product of their lengths.
pub(crate) fn matches(pattern: &[u8], path: &[u8]) -> bool {
    reachable(pattern, path).last() == Some(&true)
}

/// Whether a path, or a folder that it lies in, matches a pattern.
pub(crate) fn matches_above(pattern: &[u8], path: &[u8]) -> bool {
    let ends = path.iter().map(|&byte| byte == b'/').chain([true]);
    let mut matched = reachable(pattern, path).into_iter().zip(ends);
    matched.any(|(matches, ends)| matches && ends)
}

/// How much of a path a pattern can match: for each number of bytes whether it matches these.
fn reachable(pattern: &[u8], path: &[u8]) -> Vec<bool> {
    // reachable[i]: the pattern up to here matches the first i bytes of the path.
    let mut reachable = vec![false; path.len() + 1];
    reachable[0] = true;
    let mut rest = pattern;
    let mut before = b'/';
    // What is reached without the folders that `**/` stands for: it may stand for none.
    let mut without = None;
    while let Some((&byte, after)) = rest.split_first() {
        if before == b'/' && rest.starts_with(b"**/") {
            without = Some(reachable.clone());
        }
        rest = after;
        before = byte;
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
            if byte == b'/'
                && let Some(without) = without.take()
            {
                for (end, is_reached) in without.into_iter().enumerate() {
                    reachable[end] |= is_reached;
                }
            }
        }
    }
    reachable
}

/// A pattern as the path before its first component that stands for more than itself, and the rest; the rest is empty for a
/// plain path, which stands for itself and all below.
pub(crate) fn split(pattern: &[u8]) -> (&[u8], &[u8]) {
    let Some(wildcard) = pattern.iter().position(is_wildcard) else {
        return (pattern.strip_suffix(b"/").unwrap_or(pattern), b"");
    };
    let slash = pattern[..wildcard].iter().rposition(|&byte| byte == b'/');
    let (folder, rest) = pattern.split_at(slash.unwrap_or(0));
    (folder, rest.strip_prefix(b"/").unwrap_or(rest))
}

pub(crate) fn is_wildcard(byte: &u8) -> bool {
    matches!(byte, b'*' | b'?')
}

#[cfg(test)]
mod tests {
    use bstr::ByteSlice;

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
            ("/opt/**/run", "/opt/run", true),
            ("/opt/**/run", "/opt/a/brun", false),
            ("/opt/a**/run", "/opt/a/run", true),
            ("/opt/a**/run", "/opt/run", false),
            ("**/*.pem", "top.pem", true),
            ("**/**/x", "x", true),
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
    fn what_lies_in_a_matching_folder_is_meant_too() {
        for (pattern, path, expected) in [
            ("*/store", "u/store", true),
            ("*/store", "u/store/a/b", true),
            ("*/store", "u/storeroom/a", false),
            ("*/store", "u/x/store", false),
            ("*.pem", "a.pem", true),
            ("*.pem", "x/a.pem", false),
        ] {
            assert_eq!(
                matches_above(pattern.as_bytes(), path.as_bytes()),
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
    fn a_pattern_is_looked_for_below_its_plain_folders() {
        for (pattern, folder, rest) in [
            ("/srv/key.pem", "/srv/key.pem", ""),
            ("/srv/keys/", "/srv/keys", ""),
            ("/srv/keys/*.pem", "/srv/keys", "*.pem"),
            ("/srv/*/keys/**", "/srv", "*/keys/**"),
            ("/srv/k?y", "/srv", "k?y"),
            ("/**", "", "**"),
            ("*", "", "*"),
        ] {
            let found = split(pattern.as_bytes());
            assert_eq!(found, (folder.as_bytes(), rest.as_bytes()), "{pattern}");
        }
    }
}
