//! The regular expressions of rules: RE2's POSIX syntax, translated to the syntax of the regex crate.
//!
//! The two differ in what they have beyond the common ground: RE2 has no classes such as `\d`, no `(?...)`, no lazy
//! repetition and no `\b` in this mode, repetition may be stacked, `^` and `$` are about lines, and in brackets
//! everything but classes, ranges and escapes stands for itself. What RE2 refuses is refused here, so that rules
//! mean the same in both.

use std::iter::Peekable;
use std::str::CharIndices;

/// RE2 repeats nothing more often.
const REPEAT_LIMIT: u32 = 1000;

/// The names between `[:` and `:]`.
const CLASSES: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// Longer patterns are refused: nobody writes them, and compiling takes its time.
const LENGTH_LIMIT: usize = 32 << 10;

/// How many repetitions may be repeated.
const STACK_LIMIT: u32 = 32;

/// How far behind a `{` or a `[:` its end is looked for: further than any that means something.
const LOOKAHEAD: usize = 24;

/// Translates a pattern, or says what is wrong with it.
pub(crate) fn translate(pattern: &str) -> Result<String, String> {
    if pattern.len() > LENGTH_LIMIT {
        return Err(format!("it is longer than {LENGTH_LIMIT} bytes"));
    }
    let mut translation = Translation {
        pattern,
        rest: pattern.char_indices().peekable(),
        out: String::with_capacity(pattern.len() + 16),
        atom: None,
        groups: Vec::new(),
        stacked: 0,
    };
    translation.run()?;
    Ok(translation.out)
}

struct Translation<'p> {
    pattern: &'p str,
    rest: Peekable<CharIndices<'p>>,
    out: String,
    /// Where in `out` what a repetition would repeat starts, and whether it is a repetition itself.
    atom: Option<(usize, bool)>,
    /// Where in `out` the open groups start.
    groups: Vec<usize>,
    /// How many repetitions were put in groups.
    stacked: u32,
}

impl Translation<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some((at, character)) = self.rest.next() {
            let start = self.out.len();
            match character {
                '(' => {
                    if self.next_is('?') {
                        return Err("'(?' is not supported, write plain groups".to_owned());
                    }
                    self.groups.push(start);
                    // Nobody reads what a group matched.
                    self.out.push_str("(?:");
                    self.atom = None;
                    continue;
                }
                ')' => {
                    let Some(opened) = self.groups.pop() else {
                        return Err("a ')' has no '('".to_owned());
                    };
                    self.out.push(')');
                    self.atom = Some((opened, false));
                    continue;
                }
                '|' => {
                    self.out.push('|');
                    self.atom = None;
                    continue;
                }
                '*' | '+' | '?' => {
                    self.repeat(&character.to_string())?;
                    continue;
                }
                '{' => {
                    if let Some(length) = self.counted(at)? {
                        let counts = self.pattern[at..at + length].to_owned();
                        for _ in 1..length {
                            self.rest.next();
                        }
                        self.repeat(&counts)?;
                        continue;
                    }
                    self.literal('{');
                }
                '^' => self.out.push_str("(?m:^)"),
                '$' => self.out.push_str("(?m:$)"),
                '.' => self.out.push('.'),
                '[' => self.brackets(at)?,
                '\\' => {
                    let escaped = self.escape()?;
                    self.literal(escaped);
                }
                other => self.literal(other),
            }
            self.atom = Some((start, false));
        }
        match self.groups.last() {
            None => Ok(()),
            Some(_) => Err("a '(' is not closed".to_owned()),
        }
    }

    fn next_is(&mut self, expected: char) -> bool {
        self.rest.peek().is_some_and(|&(_, next)| next == expected)
    }

    fn literal(&mut self, character: char) {
        if character.is_ascii_alphanumeric() || !character.is_ascii() {
            self.out.push(character);
        } else {
            self.out
                .push_str(&format!("\\x{{{:x}}}", u32::from(character)));
        }
    }

    /// Repeats what was read last. The regex crate would read the `+?` of a repetition that is itself repeated as
    /// lazy: two plain ones are one, and others get a group.
    fn repeat(&mut self, how: &str) -> Result<(), String> {
        let Some((start, repeated)) = self.atom else {
            return Err(format!("nothing stands before '{how}' to repeat"));
        };
        let plain = |operator: char| matches!(operator, '*' | '+' | '?');
        if repeated {
            let last = self.out.chars().next_back().unwrap_or('*');
            if let Some(next) = how
                .chars()
                .next()
                .filter(|&next| plain(next) && plain(last))
            {
                if last != next {
                    self.out.pop();
                    self.out.push('*');
                }
                return Ok(());
            }
            self.stacked += 1;
            if self.stacked > STACK_LIMIT {
                return Err("too many repetitions are repeated".to_owned());
            }
            self.out.insert_str(start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(how);
        self.atom = Some((start, true));
        Ok(())
    }

    /// How long the `{n}`, `{n,}` or `{n,m}` is that starts at `at`; anything else is an ordinary brace.
    fn counted(&self, at: usize) -> Result<Option<usize>, String> {
        let Some(counts) = self.up_to(at + 1, "}") else {
            return Ok(None);
        };
        let (least, most) = counts.split_once(',').unwrap_or((counts, counts));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if least.is_empty() || !digits(least) || !digits(most) {
            return Ok(None);
        }
        // Anything too long for a number is too large.
        let number = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
        let (least, most) = (
            number(least),
            if most.is_empty() {
                number(least)
            } else {
                number(most)
            },
        );
        if least.max(most) > REPEAT_LIMIT {
            return Err(format!("repeated more than {REPEAT_LIMIT} times"));
        }
        if least > most {
            return Err(format!("'{{{counts}}}' has no number of repetitions"));
        }
        Ok(Some(counts.len() + 2))
    }

    /// The text between a place and an end that comes soon.
    fn up_to(&self, from: usize, end: &str) -> Option<&str> {
        let rest = &self.pattern[from..];
        let (limit, _) = rest
            .char_indices()
            .nth(LOOKAHEAD)
            .unwrap_or((rest.len(), ' '));
        rest[..limit].split_once(end).map(|(text, _)| text)
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Result<char, String> {
        let Some((_, kind)) = self.rest.next() else {
            return Err("a backslash stands at the end".to_owned());
        };
        let code = match kind {
            'a' => 0x07,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'v' => 0x0b,
            'x' => self.hexadecimal()?,
            '0'..='7' if kind == '0' || self.octal_follows() => self.octal(kind),
            other if other.is_ascii_punctuation() => u32::from(other),
            other => return Err(unknown_escape(other)),
        };
        char::from_u32(code).ok_or_else(|| format!("\\x{{{code:x}}} is no character"))
    }

    fn octal_follows(&mut self) -> bool {
        self.rest
            .peek()
            .is_some_and(|&(_, next)| ('0'..='7').contains(&next))
    }

    fn octal(&mut self, first: char) -> u32 {
        let mut code = u32::from(first) - u32::from('0');
        for _ in 0..2 {
            if !self.octal_follows() {
                break;
            }
            let digit = self.rest.next().and_then(|(_, digit)| digit.to_digit(8));
            code = code * 8 + digit.unwrap_or(0);
        }
        code
    }

    /// Two digits, or any number of them in braces.
    fn hexadecimal(&mut self) -> Result<u32, String> {
        let invalid = || "'\\x' needs two hexadecimal digits, or some in braces".to_owned();
        let in_braces = self.next_is('{');
        if in_braces {
            self.rest.next();
        }
        let mut code: u32 = 0;
        let mut digits = 0;
        while let Some(digit) = self.rest.peek().and_then(|&(_, digit)| digit.to_digit(16)) {
            if !in_braces && digits == 2 {
                break;
            }
            self.rest.next();
            digits += 1;
            code = code
                .checked_mul(16)
                .map(|code| code + digit)
                .ok_or_else(invalid)?;
        }
        let closed = !in_braces || self.rest.next().is_some_and(|(_, end)| end == '}');
        let enough = if in_braces { digits > 0 } else { digits == 2 };
        if closed && enough {
            Ok(code)
        } else {
            Err(invalid())
        }
    }

    /// A bracket expression, whose `[` was read.
    fn brackets(&mut self, at: usize) -> Result<(), String> {
        let unclosed = || "a '[' is not closed".to_owned();
        self.out.push('[');
        if self.next_is('^') {
            self.rest.next();
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let Some((here, character)) = self.rest.next() else {
                return Err(unclosed());
            };
            let is_first = std::mem::take(&mut first);
            match character {
                ']' if !is_first => {
                    self.out.push(']');
                    return Ok(());
                }
                '[' if self.next_is(':') && self.class(here)? => continue,
                '-' if !is_first && !self.next_is(']') => {
                    let shown: String = self.pattern[at..].chars().take(20).collect();
                    return Err(format!(
                        "in '{shown}' a '-' that is no range must come first or last"
                    ));
                }
                _ => {}
            }
            let low = self.in_brackets(character)?;
            self.literal(low);
            let mut ahead = self.rest.clone();
            let is_range = ahead.next().is_some_and(|(_, dash)| dash == '-')
                && ahead.next().is_some_and(|(_, end)| end != ']');
            if is_range {
                self.rest.next();
                let (_, character) = self.rest.next().ok_or_else(unclosed)?;
                let high = self.in_brackets(character)?;
                if high < low {
                    return Err(format!("the range {low}-{high} runs backwards"));
                }
                self.out.push('-');
                self.literal(high);
            }
        }
    }

    fn in_brackets(&mut self, character: char) -> Result<char, String> {
        match character {
            '\\' => self.escape(),
            other => Ok(other),
        }
    }

    /// A `[:name:]` whose `[` was read at `at`; false where it is not one.
    fn class(&mut self, at: usize) -> Result<bool, String> {
        let Some(name) = self.up_to(at + 2, ":]") else {
            return Ok(false);
        };
        if !CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(format!("there is no class '[:{name}:]'"));
        }
        let (class, length) = (format!("[:{name}:]"), name.chars().count());
        self.out.push_str(&class);
        for _ in 0..length + 3 {
            self.rest.next();
        }
        Ok(true)
    }
}

/// What to write in place of an escape that this syntax does not have.
fn unknown_escape(escape: char) -> String {
    let instead = match escape {
        'd' => "write [0-9]",
        'D' => "write [^0-9]",
        'w' => "write [[:word:]]",
        'W' => "write [^[:word:]]",
        's' => "write [[:space:]]",
        'S' => "write [^[:space:]]",
        'b' | 'B' => "there are no word boundaries",
        'A' | 'z' | 'Z' => "a pattern always matches the whole value",
        'p' | 'P' => "there are no Unicode classes",
        '0'..='9' => "there are no back references",
        _ => "only punctuation, a, f, n, r, t, v, x and octal numbers can be escaped",
    };
    format!("'\\{escape}' is not supported: {instead}")
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn patterns_match_what_they_match_in_re2() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("a.c", "a\u{e9}c", true),
            ("a.c", "a\nc", false),
            ("[^x]", "\n", true),
            ("a|ab", "ab", true),
            ("(a|b)+", "abba", true),
            ("()", "", true),
            ("a||b", "", true),
            ("a**", "aaa", true),
            // Stacked, not lazy: some a, or none.
            ("a+?", "", true),
            ("a{2}?", "", true),
            ("a{2}{3}", "aaaaaa", true),
            ("a{2}{3}", "aaaaa", false),
            ("a{2}+", "aaaa", true),
            ("a+{2}", "aaa", true),
            ("a{2}+", "aaa", false),
            ("a++", "", false),
            ("a?+?", "aaa", true),
            ("a{2,}", "aaa", true),
            ("a{,2}", "a{,2}", true),
            ("a{x}", "a{x}", true),
            ("a{", "a{", true),
            ("}]", "}]", true),
            ("[]a]+", "a]", true),
            ("[^]a]", "b", true),
            ("[a-]+", "a-", true),
            ("[-a]+", "a-", true),
            ("[a-c]", "b", true),
            ("[[:alpha:]_]+", "a_", true),
            ("[[:^digit:]]", "1", false),
            ("[[.]+", "[.", true),
            ("[a&&b]+", "a&b", true),
            ("[a~~b]+", "~", true),
            ("[[a]", "[", true),
            (r"[\]]", "]", true),
            (r"[\x41-\x43]", "B", true),
            (r"\.\*\\", r".*\", true),
            (r"\x41\x{42}\103\0", "ABC\0", true),
            (r"\t\n", "\t\n", true),
            ("#a b", "#a b", true),
            ("^a$", "a", true),
            ("a$\n^b", "a\nb", true),
            (r"/etc/(passwd|shadow)[^/]*", "/etc/shadow-", true),
        ] {
            let translated = translate(pattern).expect(pattern);
            let regex = Regex::new(&format!(r"\A(?:{translated})\z")).expect(pattern);
            assert_eq!(
                regex.is_match(text),
                expected,
                "{pattern} on {text:?}: {translated}"
            );
        }
    }

    #[test]
    fn what_re2_refuses_is_refused_and_said_why() {
        for (pattern, message) in [
            (r"\d+", "write [0-9]"),
            (r"\w", "[[:word:]]"),
            (r"[\s]", "[[:space:]]"),
            (r"\bx", "word boundaries"),
            (r"\Ax", "whole value"),
            (r"\pL", "Unicode"),
            (r"(a)\1", "back references"),
            (r"\q", "can be escaped"),
            (r"\xq", "hexadecimal"),
            (r"\x{110000}", "no character"),
            (r"\x{d800}", "no character"),
            (r"\x{ffffffffff}", "hexadecimal"),
            ("x\\", "at the end"),
            ("(?i)x", "'(?'"),
            ("(?:x)", "'(?'"),
            ("*a", "nothing stands before '*'"),
            ("(+a)", "nothing stands before '+'"),
            ("a|?", "nothing stands before '?'"),
            ("{2}", "nothing stands before '{2}'"),
            ("(a", "not closed"),
            ("a)", "has no '('"),
            ("a)|(b", "has no '('"),
            ("[a", "not closed"),
            ("[]", "not closed"),
            ("[z-a]", "backwards"),
            ("[a-c-e]", "first or last"),
            ("[[:foo:]]", "no class"),
            ("a{1001}", "1000"),
            ("a{99999999999}", "1000"),
            ("a{3,2}", "no number"),
            (&format!("a{}", "{2}".repeat(40)), "too many"),
            (&"a".repeat(40_000), "longer"),
            (&"{".repeat(40_000), "longer"),
        ] {
            let refused = translate(pattern).expect_err(pattern);
            assert!(refused.contains(message), "{pattern}: {refused}");
        }
    }
}
