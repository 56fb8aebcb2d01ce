//! Shell patterns, as fnmatch(3) without flags: `*` and `?` also match `/` and a leading dot.

/// Whether `text` matches `pattern`. Takes at most time proportional to the product of both lengths: only
/// the last `*` is ever tried again.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8], fold_case: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            retry = Some((p, t));
            continue;
        }
        if let Some(next) = step(pattern, p, text[t], fold_case) {
            p = next;
            t += 1;
            continue;
        }
        let Some((after_star, from)) = retry else {
            return false;
        };
        p = after_star;
        t = from + 1;
        retry = Some((after_star, t));
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Whether a pattern has anything that does not stand for itself.
#[must_use]
pub fn is_pattern(pattern: &[u8]) -> bool {
    pattern
        .iter()
        .any(|byte| matches!(byte, b'?' | b'*' | b'['))
}

/// Matches one byte with the pattern element at `p`; returns where the next element starts.
fn step(pattern: &[u8], p: usize, byte: u8, fold_case: bool) -> Option<usize> {
    let same = |a: u8, b: u8| {
        if fold_case {
            a.eq_ignore_ascii_case(&b)
        } else {
            a == b
        }
    };
    match *pattern.get(p)? {
        b'?' => Some(p + 1),
        b'[' => match class(pattern, p, byte, fold_case) {
            Some((true, next)) => Some(next),
            Some((false, _)) => None,
            // A bracket that is never closed stands for itself.
            None => (byte == b'[').then_some(p + 1),
        },
        b'\\' => match pattern.get(p + 1) {
            Some(&escaped) => same(escaped, byte).then_some(p + 2),
            None => None,
        },
        literal => same(literal, byte).then_some(p + 1),
    }
}

/// Matches a bracket expression; `None` where it is not closed.
fn class(pattern: &[u8], start: usize, byte: u8, fold_case: bool) -> Option<(bool, usize)> {
    let mut p = start + 1;
    let negated = matches!(pattern.get(p), Some(b'!' | b'^'));
    p += usize::from(negated);
    let first = p;
    let mut found = false;
    let candidates = match fold_case {
        true => [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()],
        false => [byte, byte],
    };
    loop {
        match *pattern.get(p)? {
            b']' if p > first => return Some((found != negated, p + 1)),
            b'[' if pattern.get(p + 1) == Some(&b':') => {
                let name_end = pattern[p + 2..].windows(2).position(|end| end == b":]")?;
                let name = &pattern[p + 2..p + 2 + name_end];
                found |= candidates
                    .iter()
                    .any(|candidate| named_class(name, *candidate));
                p += 2 + name_end + 2;
            }
            _ => {
                let (low, next) = class_byte(pattern, p)?;
                let range = pattern.get(next) == Some(&b'-')
                    && pattern.get(next + 1).is_some_and(|&end| end != b']');
                let (high, next) = if range {
                    class_byte(pattern, next + 1)?
                } else {
                    (low, next)
                };
                found |= candidates
                    .iter()
                    .any(|candidate| (low..=high).contains(candidate));
                p = next;
            }
        }
    }
}

fn class_byte(pattern: &[u8], p: usize) -> Option<(u8, usize)> {
    match *pattern.get(p)? {
        b'\\' => Some((*pattern.get(p + 1)?, p + 2)),
        byte => Some((byte, p + 1)),
    }
}

fn named_class(name: &[u8], byte: u8) -> bool {
    match name {
        b"alpha" => byte.is_ascii_alphabetic(),
        b"digit" => byte.is_ascii_digit(),
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"upper" => byte.is_ascii_uppercase(),
        b"lower" => byte.is_ascii_lowercase(),
        b"space" => byte.is_ascii_whitespace() || byte == b'\x0b',
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"punct" => byte.is_ascii_punctuation(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"graph" => byte.is_ascii_graphic(),
        b"cntrl" => byte.is_ascii_control(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_fnmatch() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a/b", true),
            ("/home/*/.ssh/*", "/home/a/b/.ssh/id", true),
            ("/home/*/.ssh/*", "/home/.ssh/id", false),
            ("a?c", "a/c", true),
            ("a?c", "ac", false),
            ("*.so.[0-9]", "lib.so.5", true),
            ("[!a]", "b", true),
            ("[!a]", "a", false),
            ("[]a]", "]", true),
            ("[a-]", "-", true),
            ("[[:digit:]x]", "7", true),
            ("[[:digit:]x]", "y", false),
            ("[abc", "[abc", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", false),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxcxxb", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes(), false),
                expected,
                "{pattern} {text}"
            );
        }
        assert!(matches(b"*.PHP", b"x.php", true));
        assert!(matches(b"[A-F]", b"b", true));
    }

    #[test]
    fn a_hostile_pattern_takes_no_exponential_time() {
        let pattern = b"*a".repeat(200);
        let text = vec![b'a'; 2000];
        let mut longer = pattern.clone();
        longer.push(b'b');
        assert!(matches(&pattern, &text, false));
        assert!(!matches(&longer, &text, false));
    }
}
