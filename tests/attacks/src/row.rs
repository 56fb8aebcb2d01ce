//! One attack: the types of the table, and the words it is written in.

use std::path::Path;

/// The user that is not root.
pub const DAEMON: &str = "daemon";

/// One attack and what must come of it. Written with [`row`] and the functions below it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name, in kebab case.
    pub action: &'static str,
    /// The action of Falco's event generator that it stands for; empty for our own.
    pub generator: &'static str,
    /// The alert it must raise.
    pub rule: Rule,
    /// Where it is performed.
    pub place: Place,
    /// What is executed: a child of the program `attack`, or with [`Place::Own`] the container's first process.
    pub command: &'static [&'static str],
    /// Environment variables of the command in addition.
    pub env: &'static [(&'static str, &'static str)],
    /// The user it is executed as: `root` or [`DAEMON`].
    pub user: &'static str,
    /// How the command must end.
    pub exit: i32,
    /// What must be so afterwards.
    pub effects: &'static [Effect],
    /// The name of the process that the alert is about; empty for that of the command.
    pub process: &'static str,
    /// The name of its parent; `None` where it depends on the engine.
    pub parent: Option<&'static str>,
    /// The user on the alert, where it is another than [`Self::user`].
    pub acts_as: &'static str,
    /// The file on the alert as the program named it; empty where the event has none.
    pub file: &'static str,
    /// The file as the kernel resolved it; empty where it is not asked for.
    pub real_file: &'static str,
    /// Output fields and their values, in which `*` stands for anything.
    pub fields: &'static [(&'static str, &'static str)],
    /// How many alerts must be right, at least.
    pub times: usize,
    /// What else there is to know; printed beside the row.
    pub note: &'static str,
}

/// Whose rule must fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// One of the upstream project's, read from beside the repository and never part of it.
    Upstream(&'static str),
    /// One of the repository's default rules.
    Default(&'static str),
    /// One of tests/attacks/rules.
    Suite(&'static str),
    /// None: the effect is all that is asserted. The note says why.
    Undetected,
}

impl Rule {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Upstream(name) | Self::Default(name) | Self::Suite(name) => Some(name),
            Self::Undetected => None,
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn owner(self) -> &'static str {
        match self {
            Self::Upstream(_) => "upstream",
            Self::Default(_) => "default",
            Self::Suite(_) => "suite",
            Self::Undetected => "none",
        }
    }
}

/// Where an attack is performed. Places other than [`Place::Own`] are shared by many rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A container of the small image that runs as engines run them, without system call filter, with a network of
    /// its own.
    Container,
    /// The same with everything permitted.
    Privileged,
    /// A container with a read-only root and a writable /tmp, that may mount.
    ReadOnly,
    /// A container of a Debian image with the real tools.
    Debian,
    /// No container: a cgroup of the test's own.
    Host,
    /// A container for this row alone, with these options.
    Own(&'static [&'static str]),
}

impl Place {
    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Privileged => "privileged",
            Self::ReadOnly => "read-only",
            Self::Debian => "debian",
            Self::Host => "host",
            Self::Own(_) => "own",
        }
    }
}

/// What must be so after an attack, or it did not take place.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// The command printed this.
    Prints(&'static str),
    /// The file exists.
    Exists(&'static str),
    /// The file does not exist.
    Gone(&'static str),
    /// The file contains this.
    Holds(&'static str, &'static str),
    /// The file is empty.
    Empty(&'static str),
    /// The file has this mode.
    Mode(&'static str, u32),
    /// Something is mounted there.
    Mounted(&'static str),
}

/// A row that acts as root in [`Place::Container`], below the program `attack`, and must end with 0.
#[must_use]
pub const fn row(action: &'static str, command: &'static [&'static str]) -> Row {
    Row {
        action,
        generator: "",
        rule: Rule::Undetected,
        place: Place::Container,
        command,
        env: &[],
        user: "root",
        exit: 0,
        effects: &[],
        process: "",
        parent: Some("attack"),
        acts_as: "",
        file: "",
        real_file: "",
        fields: &[],
        times: 1,
        note: "",
    }
}

impl Row {
    /// Must fire an upstream rule; `generator` names the same action of the event generator.
    #[must_use]
    pub const fn upstream(self, rule: &'static str, generator: &'static str) -> Self {
        Self {
            rule: Rule::Upstream(rule),
            generator,
            ..self
        }
    }

    /// Must fire a default rule.
    #[must_use]
    pub const fn fires(self, rule: &'static str) -> Self {
        Self {
            rule: Rule::Default(rule),
            ..self
        }
    }

    /// Must fire a rule of the suite's own; `generator` as in [`Self::upstream`].
    #[must_use]
    pub const fn suite(self, rule: &'static str, generator: &'static str) -> Self {
        Self {
            rule: Rule::Suite(rule),
            generator,
            ..self
        }
    }

    /// Where.
    #[must_use]
    pub const fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// With environment variables.
    #[must_use]
    pub const fn env(self, env: &'static [(&'static str, &'static str)]) -> Self {
        Self { env, ..self }
    }

    /// As [`DAEMON`].
    #[must_use]
    pub const fn as_daemon(self) -> Self {
        Self {
            user: DAEMON,
            ..self
        }
    }

    /// Ends with another exit code than 0.
    #[must_use]
    pub const fn exits(self, exit: i32) -> Self {
        Self { exit, ..self }
    }

    /// What must be so afterwards.
    #[must_use]
    pub const fn effects(self, effects: &'static [Effect]) -> Self {
        Self { effects, ..self }
    }

    /// Which process the alert is about, and its parent.
    #[must_use]
    pub const fn by(self, process: &'static str, parent: &'static str) -> Self {
        Self {
            process,
            parent: Some(parent),
            ..self
        }
    }

    /// The parent is the engine's, whatever it is called.
    #[must_use]
    pub const fn below_engine(self) -> Self {
        Self {
            parent: None,
            ..self
        }
    }

    /// The user on the alert.
    #[must_use]
    pub const fn acts_as(self, user: &'static str) -> Self {
        Self {
            acts_as: user,
            ..self
        }
    }

    /// The file on the alert, as the program named it.
    #[must_use]
    pub const fn file(self, file: &'static str) -> Self {
        Self { file, ..self }
    }

    /// The file on the alert, as the kernel resolved it.
    #[must_use]
    pub const fn real_file(self, real_file: &'static str) -> Self {
        Self { real_file, ..self }
    }

    /// Output fields.
    #[must_use]
    pub const fn fields(self, fields: &'static [(&'static str, &'static str)]) -> Self {
        Self { fields, ..self }
    }

    /// Must be reported so often, at least.
    #[must_use]
    pub const fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// What else there is to know.
    #[must_use]
    pub const fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    /// The name of the process the alert must be about.
    #[must_use]
    pub fn process(&self) -> &'static str {
        if self.process.is_empty() {
            base_name(self.command.first().copied().unwrap_or_default())
        } else {
            self.process
        }
    }

    /// The command line on the alert; `None` where the process is not the command itself.
    #[must_use]
    pub fn command_line(&self) -> Option<String> {
        let (program, arguments) = self.command.split_first()?;
        if !self.process.is_empty() {
            return None;
        }
        let words = [&[base_name(program)], arguments].concat();
        Some(words.join(" "))
    }

    /// The user the alert must name.
    #[must_use]
    pub fn alert_user(&self) -> &'static str {
        if self.acts_as.is_empty() {
            self.user
        } else {
            self.acts_as
        }
    }
}

fn base_name(path: &'static str) -> &'static str {
    Path::new(path)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(path)
}
