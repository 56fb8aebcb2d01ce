//! Programs, and the chains of them that lead from a container's first program to a reader.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bstr::{BString, ByteSlice};
use sha2::{Digest, Sha256};
use vigia_event::captured::absolute_below;
use vigia_event::process::Process;

use crate::processes::{Runs, invocation};

/// A program by what it is: the same file with another script or applet is another program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Program {
    /// The file that runs.
    path: BString,
    /// The applet of a multi-call binary; empty for none.
    applet: BString,
    /// What an interpreter runs.
    role: Role,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Role {
    /// Not an interpreter.
    #[default]
    None,
    /// Absolute path.
    Script(BString),
    /// Name of a module or archive.
    Module(BString),
    /// Code from an argument, hashed: it may hold a password, and this is written to a file.
    Code(String),
    /// Whatever it is told.
    Input,
}

impl Program {
    pub(crate) fn of(process: &Process) -> Self {
        let invocation = invocation(&process.exe_path, &process.exe, &process.args);
        let role = match invocation.runs {
            Some(Runs::Script(given)) => Role::Script(absolute_below(&process.cwd, given)),
            Some(Runs::Module(name)) => Role::Module(name.into()),
            Some(Runs::Code(code)) => {
                let code = as_written(code);
                Role::Code(hex::encode(&Sha256::digest(&*code)[..8]))
            }
            Some(Runs::Input) => Role::Input,
            None => process
                .script
                .as_ref()
                .map_or(Role::None, |script| Role::Script(script.path.clone())),
        };
        let applet = invocation.applet.map_or_else(BString::default, Into::into);
        Self {
            path: process.exe_path.clone(),
            applet,
            role,
        }
    }

    /// The name people know it by.
    fn name(&self) -> &[u8] {
        let path: &[u8] = match &self.role {
            Role::Script(script) => script,
            _ if !self.applet.is_empty() => &self.applet,
            _ => &self.path,
        };
        path.rsplit_once_str("/").map_or(path, |(_, name)| name)
    }

    /// The path by which it is declared as a reader: the script, the applet beside its binary, or the file.
    pub(crate) fn declared_as(&self) -> BString {
        match &self.role {
            Role::Script(script) => script.clone(),
            _ if self.applet.is_empty() => self.path.clone(),
            _ => {
                let folder = self
                    .path
                    .rsplit_once_str("/")
                    .map_or(&b""[..], |(folder, _)| folder);
                let mut path = BString::from(folder);
                path.push(b'/');
                path.extend_from_slice(&self.applet);
                path
            }
        }
    }

    /// The file that runs.
    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }

    /// Whether its declaration says nothing of what it runs: an interpreter without a script of its own.
    pub(crate) fn runs_what_it_is_told(&self) -> bool {
        matches!(self.role, Role::Module(_) | Role::Code(_) | Role::Input)
    }

    /// Whether it waits to be told what to run by a script: such a main process executes the real one later.
    pub(crate) fn is_script(&self) -> bool {
        matches!(self.role, Role::Script(_) | Role::Code(_))
    }

    /// Whether it is an init that does nothing but start another program and collect orphans.
    pub(crate) fn is_init_wrapper(&self) -> bool {
        const WRAPPERS: &[&[u8]] = &[
            b"tini",
            b"tini-static",
            b"docker-init",
            b"dumb-init",
            b"catatonit",
        ];
        self.role == Role::None && WRAPPERS.contains(&self.name())
    }

    fn hash_into(&self, hash: &mut Sha256) {
        let (kind, detail): (&[u8], &[u8]) = match &self.role {
            Role::None => (b"n", b""),
            Role::Script(script) => (b"s", script),
            Role::Module(name) => (b"m", name),
            Role::Code(code) => (b"c", code.as_bytes()),
            Role::Input => (b"i", b""),
        };
        for part in [self.path.as_slice(), self.applet.as_slice(), kind, detail] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
}

/// The name, harmless to print.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            b"" => f.write_str("?"),
            name => printable(name).fmt(f),
        }
    }
}

/// What Python's multiprocessing runs for each worker and for what it keeps beside them, with the numbers of descriptors as 0.
const OF_MULTIPROCESSING: &[&[u8]] = &[
    b"from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=0, pipe_handle=0)",
    b"from multiprocessing.resource_tracker import main;main(0)",
];
/// Longer code is none of these.
const MAX_WRITTEN: usize = 128;

/// Code from an argument; of that which Python's multiprocessing writes itself without the numbers that differ in each process:
/// a worker that is started later is the same program.
fn as_written(code: &[u8]) -> Cow<'_, [u8]> {
    if code.len() > MAX_WRITTEN {
        return code.into();
    }
    let mut written: Vec<u8> = Vec::with_capacity(code.len());
    for &byte in code {
        let is_number_begun = written.last() == Some(&b'0');
        match byte.is_ascii_digit() {
            true if is_number_begun => {}
            true => written.push(b'0'),
            false => written.push(byte),
        }
    }
    if OF_MULTIPROCESSING.contains(&written.as_slice()) {
        written.into()
    } else {
        code.into()
    }
}

/// At most 128 bytes of a hostile string, with everything escaped that could disturb a terminal or a log.
pub(crate) fn printable(bytes: &[u8]) -> impl fmt::Display {
    bytes.get(..128).unwrap_or(bytes).escape_bytes()
}

/// Programs of a chain at most; a longer one is cut, and a cut one is never known.
const MAX_PROGRAMS: usize = 16;

/// Names a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ChainId(pub(crate) [u8; 16]);

/// The programs executed one after the other on the way to a process, first one first. A program that
/// executes itself again counts once.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    programs: Arc<[Arc<Program>]>,
    cut: bool,
    id: ChainId,
}

impl Chain {
    pub(crate) fn new(first: Program) -> Self {
        Self::from_programs([Arc::new(first)].into(), false)
    }

    /// This chain and one more program.
    pub(crate) fn with(&self, program: Program) -> Self {
        if self.last() == Some(&program) {
            return self.clone();
        }
        let skipped = (self.programs.len() + 1).saturating_sub(MAX_PROGRAMS);
        let kept = self.programs.iter().skip(skipped).cloned();
        Self::from_programs(
            kept.chain([Arc::new(program)]).collect(),
            self.cut || skipped > 0,
        )
    }

    fn from_programs(programs: Arc<[Arc<Program>]>, cut: bool) -> Self {
        let mut hash = Sha256::new();
        for program in programs.iter() {
            program.hash_into(&mut hash);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        Self {
            programs,
            cut,
            id: ChainId(id),
        }
    }

    pub(crate) fn last(&self) -> Option<&Program> {
        self.programs.last().map(|program| &**program)
    }

    /// The name to compare it by; `None` for one that was cut.
    pub(crate) fn id(&self) -> Option<ChainId> {
        (!self.cut).then_some(self.id)
    }
}

/// `nginx -> sh -> cat`
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cut {
            f.write_str("... -> ")?;
        }
        for (index, program) in self.programs.iter().enumerate() {
            if index > 0 {
                f.write_str(" -> ")?;
            }
            program.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &str, line: &str) -> Program {
        let mut words = line.split(' ').map(BString::from);
        let exe = words.next().unwrap_or_default();
        Program::of(&Process {
            exe_path: path.into(),
            exe,
            args: words.collect(),
            cwd: "/app".into(),
            ..Process::default()
        })
    }

    #[test]
    fn workers_of_pythons_multiprocessing_are_one_program_whatever_their_descriptors() {
        let spawned = "from multiprocessing.spawn import spawn_main; spawn_main";
        for (one, other, same) in [
            (
                "(tracker_fd=5, pipe_handle=7)",
                "(tracker_fd=15, pipe_handle=123)",
                true,
            ),
            (
                "(tracker_fd=5, pipe_handle=7)",
                "(tracker_fd=5, pipe_handle=x)",
                false,
            ),
            (
                "(tracker_fd=5, pipe_handle=7);import os",
                "(tracker_fd=6, pipe_handle=7);import os",
                false,
            ),
        ] {
            let [one, other] = [one, other].map(|arguments| {
                let code = format!("{spawned}{arguments}");
                as_written(code.as_bytes()).into_owned()
            });
            assert_eq!(one == other, same, "{}", other.escape_ascii());
        }
        let tracker = "from multiprocessing.resource_tracker import main;main";
        let tracker = |number| format!("{tracker}({number})");
        assert_eq!(
            as_written(tracker(4).as_bytes()),
            as_written(tracker(41).as_bytes())
        );
        assert_ne!(as_written(b"print(4)"), as_written(b"print(5)"));
        let python = |fd: u32| {
            let code = format!("{spawned}(tracker_fd={fd}, pipe_handle=7)");
            Program::of(&Process {
                exe_path: "/usr/bin/python3.11".into(),
                exe: "python3".into(),
                args: ["-c", &code, "--multiprocessing-fork"]
                    .map(BString::from)
                    .to_vec()
                    .into(),
                ..Process::default()
            })
        };
        assert_eq!(python(4), python(44));
    }

    #[test]
    fn a_program_is_named_as_people_know_it() {
        for (path, line, name, declared_as) in [
            ("/usr/sbin/nginx", "nginx -g x", "nginx", "/usr/sbin/nginx"),
            ("/bin/busybox", "cat /x", "cat", "/bin/cat"),
            (
                "/usr/bin/dash",
                "sh ./entry.sh",
                "entry.sh",
                "/app/entry.sh",
            ),
            ("/usr/bin/dash", "sh -c x", "dash", "/usr/bin/dash"),
            ("memfd:x\n", "x", "memfd:x\\n", "memfd:x\n"),
            ("", "x", "?", ""),
        ] {
            let program = program(path, line);
            assert_eq!(program.to_string(), name);
            assert_eq!(program.declared_as(), declared_as);
        }
    }

    #[test]
    fn another_script_applet_or_code_is_another_program() {
        let same = [
            ("/bin/busybox", "cat a", "/bin/busybox", "cat b"),
            ("/bin/sh", "sh /x.sh 1", "/bin/sh", "sh -e /x.sh 2"),
        ];
        let other = [
            ("/bin/busybox", "cat a", "/bin/busybox", "head a"),
            ("/bin/sh", "sh /x.sh", "/bin/sh", "sh /y.sh"),
            ("/bin/sh", "sh -c x", "/bin/sh", "sh -c y"),
            ("/bin/sh", "sh", "/bin/sh", "sh x"),
            ("/bin/a", "a", "/bin/b", "a"),
        ];
        for (path, line, path2, line2) in same {
            assert_eq!(
                Chain::new(program(path, line)).id(),
                Chain::new(program(path2, line2)).id()
            );
        }
        for (path, line, path2, line2) in other {
            assert_ne!(
                Chain::new(program(path, line)).id(),
                Chain::new(program(path2, line2)).id()
            );
        }
    }

    #[test]
    fn a_chain_counts_repeats_once_and_is_never_known_when_cut() {
        let mut chain = Chain::new(program("/bin/a", "a")).with(program("/bin/a", "a again"));
        assert_eq!(chain.to_string(), "a");
        for step in 0..40 {
            assert_eq!(chain.id().is_some(), step < 16, "{step}");
            chain = chain.with(program(&format!("/bin/{step}"), "x"));
        }
        assert!(chain.to_string().starts_with("... -> 24 -> 25"), "{chain}");
    }
}
