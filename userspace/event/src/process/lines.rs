//! Arguments and environment as one line each, and the working directory as rules compare it, made once per process:
//! rules ask for them at every event.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use bstr::{BStr, BString};

/// Lines that were made. A copy of a process makes its own, because it is copied to be changed.
#[derive(Debug, Default)]
pub struct Lines {
    command: OnceLock<Line>,
    environment: OnceLock<Line>,
    folder: OnceLock<BString>,
}

/// A line, and what it was made of: a process may be changed after it was asked.
#[derive(Debug)]
struct Line {
    start: usize,
    words: Arc<[BString]>,
    text: BString,
}

impl Clone for Lines {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Lines {
    /// The name and the arguments, joined by spaces.
    pub(super) fn command<'l>(&'l self, name: &BStr, args: &'l Arc<[BString]>) -> Cow<'l, [u8]> {
        line(&self.command, name, args)
    }

    /// The arguments alone.
    pub(super) fn arguments<'l>(&'l self, name: &BStr, args: &'l Arc<[BString]>) -> Cow<'l, [u8]> {
        behind(self.command(name, args), name.len())
    }

    /// The variables, joined by spaces.
    pub(super) fn environment<'l>(&'l self, env: &'l Arc<[BString]>) -> Cow<'l, [u8]> {
        behind(line(&self.environment, BStr::new(""), env), 0)
    }

    /// A path that ends with a slash.
    pub(super) fn folder<'l>(&'l self, path: &'l BStr) -> Cow<'l, [u8]> {
        if path.ends_with(b"/") {
            return Cow::Borrowed(path);
        }
        let make = || BString::from([path.as_ref(), b"/".as_slice()].concat());
        let made = self.folder.get_or_init(make);
        if made.strip_suffix(b"/") == Some(path) {
            Cow::Borrowed(made)
        } else {
            Cow::Owned(make().into())
        }
    }
}

/// What stands behind the start of a line and a space; empty where nothing does.
fn behind(line: Cow<'_, [u8]>, start: usize) -> Cow<'_, [u8]> {
    match line {
        Cow::Borrowed(line) => Cow::Borrowed(line.get(start + 1..).unwrap_or_default()),
        Cow::Owned(line) => Cow::Owned(line.get(start + 1..).unwrap_or_default().to_vec()),
    }
}

fn line<'l>(cell: &'l OnceLock<Line>, start: &BStr, words: &Arc<[BString]>) -> Cow<'l, [u8]> {
    let make = || {
        let length: usize = words.iter().map(|word| word.len() + 1).sum();
        let mut line = Vec::with_capacity(start.len() + length);
        line.extend_from_slice(start);
        for word in words.iter() {
            line.push(b' ');
            line.extend_from_slice(word);
        }
        line
    };
    let made = cell.get_or_init(|| Line {
        start: start.len(),
        words: Arc::clone(words),
        text: make().into(),
    });
    let same_start = made.start == start.len() && made.text.starts_with(start);
    if Arc::ptr_eq(&made.words, words) && same_start {
        Cow::Borrowed(&made.text)
    } else {
        Cow::Owned(make())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Process;

    fn process(name: &str, args: &[&str], env: &[&str]) -> Process {
        let words = |words: &[&str]| words.iter().map(|word| BString::from(*word)).collect();
        let mut process = Process {
            args: words(args),
            env: words(env),
            ..Process::default()
        };
        process.task.comm = name.into();
        process
    }

    fn lines(process: &Process) -> [String; 3] {
        [
            process.command_line(),
            process.argument_line(),
            process.environment_line(),
        ]
        .map(|line| String::from_utf8_lossy(&line).into_owned())
    }

    #[test]
    fn words_are_joined_by_spaces() {
        for (args, env, expected) in [
            (&[][..], &[][..], ["sh", "", ""]),
            (&["-c", "ls"], &["A=1"], ["sh -c ls", "-c ls", "A=1"]),
            (&[""], &["A=1", ""], ["sh ", "", "A=1 "]),
        ] {
            let process = process("sh", args, env);
            assert_eq!(lines(&process), expected);
            assert_eq!(lines(&process), expected, "the second time");
            assert!(matches!(process.command_line(), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn a_process_that_is_changed_after_it_was_asked_has_other_lines() {
        let mut changed = process("sh", &["a"], &["A=1"]);
        assert_eq!(lines(&changed), ["sh a", "a", "A=1"]);
        changed.task.comm = "bash".into();
        assert_eq!(lines(&changed), ["bash a", "a", "A=1"]);
        changed.args = process("sh", &["b"], &[]).args;
        changed.env = Arc::from(Vec::new());
        assert_eq!(lines(&changed), ["bash b", "b", ""]);
        changed.task.comm = "s".into();
        assert_eq!(lines(&changed.clone()), ["s b", "b", ""]);
    }

    #[test]
    fn a_working_directory_ends_with_one_slash() {
        let mut process = process("sh", &[], &[]);
        for (cwd, expected) in [
            ("", "./"),
            ("/", "/"),
            ("/srv", "/srv/"),
            ("/srv/", "/srv/"),
        ] {
            process.cwd = cwd.into();
            assert_eq!(&*process.working_directory(), expected.as_bytes());
            assert!(
                matches!(process.working_directory(), Cow::Borrowed(_)),
                "{cwd}"
            );
        }
        process.cwd = "/tmp".into();
        assert_eq!(&*process.working_directory(), b"/tmp/", "after a change");
    }
}
