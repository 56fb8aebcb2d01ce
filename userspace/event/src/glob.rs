//! Shell patterns as `fnmatch(3)` without flags knows them: `*` and `?` also match `/`.

/// Whether a text matches a pattern of `*`, `?`, `[...]` and `\`. Takes time proportional to the product of
/// both lengths at worst.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on after the latest `*` swallows one byte more.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            retry = Some((p, t));
            continue;
        }
        if let Some(next) = match_one(pattern, p, text[t]) {
            p = next;
            t += 1;
            continue;
        }
        match retry {
            Some((after_star, swallowed)) => {
                p = after_star;
                t = swallowed + 1;
                retry = Some((after_star, t));
            }
            None => return false,
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Matches one byte; the position behind the matched piece of the pattern.
fn match_one(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    match *pattern.get(at)? {
        b'?' => Some(at + 1),
        b'[' => match_class(pattern, at, byte),
        b'\\' if at + 1 < pattern.len() => (pattern[at + 1] == byte).then_some(at + 2),
        literal => (literal == byte).then_some(at + 1),
    }
}

/// Matches `[...]`; an unclosed bracket is a literal one.
fn match_class(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    let mut next = at + 1;
    let negated = matches!(pattern.get(next), Some(b'!' | b'^'));
    next += usize::from(negated);
    let first = next;
    let mut found = false;
    loop {
        let Some(&low) = pattern.get(next) else {
            return (byte == b'[').then_some(at + 1);
        };
        if low == b']' && next > first {
            return (found != negated).then_some(next + 1);
        }
        let high = match (pattern.get(next + 1), pattern.get(next + 2)) {
            (Some(b'-'), Some(&high)) if high != b']' => {
                next += 2;
                high
            }
            _ => low,
        };
        found |= (low..=high).contains(&byte);
        next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_fnmatch_does() {
        for (pattern, text, expected) in [
            ("/proc*", "/proc/sys", true),
            ("/proc*", "/pro", false),
            ("*.sh", "/a/b.sh", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[", "[", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("", "", true),
            ("*", "", true),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "aXXbYY", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} on {text}"
            );
        }
    }
}
