//! What an interpreter or a multi-call binary was told to be: its script, its inline code, or its applet.
//!
//! The file that runs says little about such a process. `/bin/busybox` may be `cat` or a shell, and a shell
//! may be the image's entry script or an intruder's one-liner.

use bstr::{BStr, BString, ByteSlice};
use vigia_event::captured::{Exec, absolute_below};
use vigia_event::file::Origin;
use vigia_event::mount::MountTable;
use vigia_event::process::{Process, Script};

use super::origin::origin_of_script;

/// What the arguments make of an executable; borrowed from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Invocation<'a> {
    /// The applet of a multi-call binary.
    pub(crate) applet: Option<&'a BStr>,
    /// What an interpreter runs; `None` for a program that is no interpreter.
    pub(crate) runs: Option<Runs<'a>>,
}

/// What an interpreter runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs<'a> {
    /// A file, as given.
    Script(&'a BStr),
    /// A module or archive found by the interpreter (`python -m`, `java -jar`).
    Module(&'a BStr),
    /// Code in an argument (`sh -c`).
    Code(&'a BStr),
    /// Its standard input.
    Input,
}

const MULTI_CALL: &[&[u8]] = &[b"busybox", b"toybox", b"coreutils"];
const SHELLS: &[&[u8]] = &[
    b"sh", b"ash", b"bash", b"dash", b"hush", b"ksh", b"mksh", b"zsh",
];

/// An interpreter that is no shell: name without version, option letters that take code, options that take a module.
struct Interpreter {
    name: &'static [u8],
    code: &'static [u8],
    module: &'static [&'static [u8]],
}

const INTERPRETERS: &[Interpreter] = &[
    Interpreter {
        name: b"python",
        code: b"c",
        module: &[b"-m"],
    },
    Interpreter {
        name: b"pypy",
        code: b"c",
        module: &[b"-m"],
    },
    Interpreter {
        name: b"perl",
        code: b"eE",
        module: &[],
    },
    Interpreter {
        name: b"ruby",
        code: b"e",
        module: &[],
    },
    Interpreter {
        name: b"node",
        code: b"ep",
        module: &[],
    },
    Interpreter {
        name: b"nodejs",
        code: b"ep",
        module: &[],
    },
    Interpreter {
        name: b"php",
        code: b"rBR",
        module: &[],
    },
    Interpreter {
        name: b"lua",
        code: b"e",
        module: &[],
    },
    Interpreter {
        name: b"java",
        code: b"",
        module: &[b"-jar"],
    },
    Interpreter {
        name: b"awk",
        code: b"e",
        module: &[],
    },
    Interpreter {
        name: b"gawk",
        code: b"e",
        module: &[],
    },
    Interpreter {
        name: b"mawk",
        code: b"e",
        module: &[],
    },
];

/// Reads an invocation from the path of the executable, `argv[0]`, and the other arguments.
pub(crate) fn invocation<'a>(
    exe_path: &'a [u8],
    argv0: &'a [u8],
    args: &'a [BString],
) -> Invocation<'a> {
    let name = basename(exe_path);
    if !MULTI_CALL.contains(&name) {
        return Invocation {
            applet: None,
            runs: interpreted(name, args),
        };
    }
    // `-sh` is how login shells are called.
    let called = basename(argv0.strip_prefix(b"-").unwrap_or(argv0));
    let (applet, args) = match args.split_first() {
        Some((first, rest)) if called == name => (basename(first), rest),
        _ => (called, args),
    };
    Invocation {
        applet: Some(applet.as_bstr()),
        runs: interpreted(applet, args),
    }
}

fn interpreted<'a>(name: &[u8], args: &'a [BString]) -> Option<Runs<'a>> {
    if SHELLS.contains(&name) {
        return Some(operand(args, b"c", &[]));
    }
    let name = name.trim_end_with(|character| character.is_ascii_digit() || character == '.');
    let interpreter = INTERPRETERS
        .iter()
        .find(|interpreter| interpreter.name == name)?;
    Some(operand(args, interpreter.code, interpreter.module))
}

/// The first argument that is no option, or that of an option which says what to run.
fn operand<'a>(args: &'a [BString], code: &[u8], module: &[&[u8]]) -> Runs<'a> {
    let mut rest = args;
    while let Some((arg, after)) = rest.split_first() {
        let arg: &'a [u8] = arg.as_ref();
        let next = after.first().map_or(BStr::new(b""), |next| next.as_bstr());
        if arg == b"--" {
            return after
                .first()
                .map_or(Runs::Input, |script| Runs::Script(script.as_bstr()));
        }
        if arg == b"-" {
            return Runs::Input;
        }
        let Some(option) = arg.strip_prefix(b"-") else {
            return Runs::Script(arg.as_bstr());
        };
        if module.contains(&arg) {
            return Runs::Module(next);
        }
        // `sh -ec CODE` bundles letters; a long option does not.
        if !option.starts_with(b"-") && option.iter().any(|letter| code.contains(letter)) {
            return Runs::Code(next);
        }
        rest = after;
    }
    Runs::Input
}

/// The script that an execution runs: by its `#!` line, or as an argument of an interpreter.
///
/// `before` is the process before the execution: `#!/usr/bin/env python` takes two, and the script is named
/// as a script only in the first. `mounts` as for [`super::origin_of`].
pub(super) fn script_of(
    exec: &Exec,
    before: Option<&Process>,
    mounts: Option<&MountTable>,
) -> Option<Script> {
    let given = interpreter_line_script(exec).or_else(|| script_argument(exec))?;
    let path = absolute_below(&exec.cwd, given);
    if let Some(known) = before.and_then(|before| before.script.as_ref())
        && known.path == path
    {
        return Some(known.clone());
    }
    let origin = origin_of_script(&path, mounts);
    Some(Script { path, origin })
}

/// The kernel runs `INTERPRETER [ARGUMENT] FILENAME ...` for a file with a `#!` line.
fn interpreter_line_script(exec: &Exec) -> Option<&[u8]> {
    let filename: &[u8] = exec.filename.as_ref();
    let path = absolute_below(&exec.cwd, filename);
    let is_argument = exec.args.iter().skip(1).take(2).any(|arg| arg == filename);
    let names_another_file =
        path != exec.file.path && basename(filename) != basename(&exec.file.path);
    let called_as_file_name = exec.args.first().is_some_and(|argv0| argv0 == filename);
    (is_argument && names_another_file && !called_as_file_name && !filename.is_empty())
        .then_some(filename)
}

fn script_argument(exec: &Exec) -> Option<&[u8]> {
    let (argv0, args) = exec.args.split_first()?;
    invocation(&exec.file.path, argv0, args).script()
}

/// The script that a process found in /proc runs, as far as its arguments tell; its origin is unknown.
pub(super) fn script_argument_of(
    exe_path: &[u8],
    argv0: &[u8],
    args: &[BString],
    cwd: &BString,
) -> Option<Script> {
    let given = invocation(exe_path, argv0, args).script()?;
    Some(Script {
        path: absolute_below(cwd, given),
        origin: Origin::Unknown,
    })
}

impl<'a> Invocation<'a> {
    /// The script as given.
    fn script(self) -> Option<&'a [u8]> {
        match self.runs? {
            Runs::Script(script) => Some(script.as_bytes()),
            Runs::Module(_) | Runs::Code(_) | Runs::Input => None,
        }
    }
}

/// The last component of a path.
fn basename(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vigia_event::File;

    fn words(line: &str) -> Vec<BString> {
        line.split_whitespace().map(BString::from).collect()
    }

    #[test]
    fn an_invocation_names_applet_and_script() {
        for (exe, line, applet, runs) in [
            ("/bin/busybox", "cat /x", Some("cat"), None),
            ("/bin/busybox", "/bin/cat /x", Some("cat"), None),
            ("/bin/busybox", "busybox cat /x", Some("cat"), None),
            ("/bin/busybox", "-sh", Some("sh"), Some(Runs::Input)),
            (
                "/bin/busybox",
                "busybox sh /x.sh",
                Some("sh"),
                Some(Runs::Script("/x.sh".into())),
            ),
            ("/bin/busybox", "busybox", Some("busybox"), None),
            (
                "/usr/bin/dash",
                "sh -e /entry.sh a",
                None,
                Some(Runs::Script("/entry.sh".into())),
            ),
            (
                "/usr/bin/bash",
                "bash -ec code",
                None,
                Some(Runs::Code("code".into())),
            ),
            (
                "/usr/bin/bash",
                "bash --norc x.sh",
                None,
                Some(Runs::Script("x.sh".into())),
            ),
            (
                "/usr/bin/python3.12",
                "python -u /app.py",
                None,
                Some(Runs::Script("/app.py".into())),
            ),
            (
                "/usr/bin/python3.12",
                "python -m http",
                None,
                Some(Runs::Module("http".into())),
            ),
            (
                "/usr/bin/python3",
                "python -Ic 1",
                None,
                Some(Runs::Code("1".into())),
            ),
            (
                "/usr/bin/java",
                "java -Xmx1g -jar a.jar",
                None,
                Some(Runs::Module("a.jar".into())),
            ),
            (
                "/usr/bin/node",
                "node -- s.js",
                None,
                Some(Runs::Script("s.js".into())),
            ),
            ("/usr/sbin/nginx", "nginx -c /etc/nginx.conf", None, None),
            ("/usr/bin/sh", "sh -c", None, Some(Runs::Code("".into()))),
            ("", "", None, None),
        ] {
            let line = words(line);
            let (argv0, args) = line
                .split_first()
                .map_or((BStr::new(""), &[][..]), |(a, b)| (a.as_bstr(), b));
            let expected = Invocation {
                applet: applet.map(BStr::new),
                runs,
            };
            assert_eq!(
                invocation(exe.as_bytes(), argv0, args),
                expected,
                "{exe} {line:?}"
            );
        }
    }

    #[test]
    fn the_script_behind_an_interpreter_is_found() {
        for (filename, file, line, expected) in [
            (
                "/entry.sh",
                "/usr/bin/dash",
                "/bin/sh /entry.sh start",
                Some("/entry.sh"),
            ),
            (
                "./entry.sh",
                "/usr/bin/dash",
                "/bin/sh -e ./entry.sh",
                Some("/app/entry.sh"),
            ),
            (
                "/entry",
                "/opt/own/interpreter",
                "/opt/own/interpreter /entry",
                Some("/entry"),
            ),
            (
                "/run.py",
                "/usr/bin/env",
                "/usr/bin/env python3 /run.py",
                Some("/run.py"),
            ),
            ("/bin/sh", "/usr/bin/dash", "sh /x.sh", Some("/x.sh")),
            ("/bin/sh", "/usr/bin/dash", "sh -c id", None),
            ("/usr/bin/cat", "/usr/bin/cat", "cat /usr/bin/cat", None),
            ("/bin/cat", "/usr/bin/cat", "cat /bin/cat", None),
        ] {
            let file = File {
                path: file.into(),
                ..File::default()
            };
            let exec = Exec {
                filename: filename.into(),
                file,
                args: words(line),
                cwd: "/app".into(),
                ..Exec::default()
            };
            let script = script_of(&exec, None, None).map(|script| script.path);
            assert_eq!(script, expected.map(BString::from), "{filename} {line}");
        }
    }

    #[test]
    fn a_script_run_through_env_is_still_known_after_the_second_execution() {
        let known = Script {
            path: "/run.py".into(),
            origin: vigia_event::file::Origin::Volume,
        };
        let before = Process {
            script: Some(known.clone()),
            ..Process::default()
        };
        let file = File {
            path: "/usr/bin/python3.12".into(),
            ..File::default()
        };
        let exec = Exec {
            filename: "/usr/bin/python3".into(),
            file,
            args: words("python3 /run.py"),
            cwd: "/".into(),
            ..Exec::default()
        };
        assert_eq!(
            script_of(&exec, Some(&before), Some(&MountTable::default())),
            Some(known)
        );
    }
    #[test]
    fn a_script_in_a_folder_that_is_not_known_is_not_one_below_the_root() {
        let known = Script {
            path: "/opt/reload.sh".into(),
            origin: vigia_event::file::Origin::Image,
        };
        let before = Process {
            script: Some(known),
            ..Process::default()
        };
        let exec = Exec {
            filename: "/bin/sh".into(),
            file: File {
                path: "/bin/sh".into(),
                ..File::default()
            },
            args: words("sh opt/reload.sh"),
            ..Exec::default()
        };
        let script = script_of(&exec, Some(&before), Some(&MountTable::default())).unwrap();
        assert_eq!(script.path, "<UNKNOWN>/opt/reload.sh");
        assert_eq!(script.origin, vigia_event::file::Origin::Unknown);
    }
}
