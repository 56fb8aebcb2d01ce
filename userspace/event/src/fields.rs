//! *The* table of fields: one row per field that rules may test and outputs may print.
//!
//! The type checker, the JSON output, `vigia fields` and docs/fields.md all read it.

/// Writes a row whose field has one value and takes no argument.
macro_rules! row {
    ($name:literal, $field_type:ident, $stability:ident, $availability:ident, $doc:literal, $example:literal, $extract:expr) => {
        FieldRow {
            name: $name,
            field_type: FieldType::$field_type,
            shape: Shape::Single,
            argument: ArgumentRule::None,
            stability: Stability::$stability,
            availability: Availability::$availability,
            doc: $doc,
            example: $example,
            extract: $extract,
        }
    };
}
mod container;
mod event;
mod file;
mod never;
mod process;
mod promises;
mod socket;
mod user;

use bstr::BString;

use crate::event::View;
use crate::params;
use crate::value::{Extracted, FieldType};

/// A row of [`all`].
#[derive(Debug)]
pub struct FieldRow {
    /// The name rules use, without an argument.
    pub name: &'static str,
    /// The type of its values.
    pub field_type: FieldType,
    /// One value, a list, or any of several.
    pub shape: Shape,
    /// What may stand in brackets behind the name.
    pub argument: ArgumentRule,
    /// How long a value holds.
    pub stability: Stability,
    /// Which events have a value.
    pub availability: Availability,
    /// What it is, in one or two sentences.
    pub doc: &'static str,
    /// An example value.
    pub example: &'static str,
    /// Reads it from an event.
    pub extract: Extract,
}

impl FieldRow {
    /// How many bits its numbers have: what a constant must fit in, and where a negative one wraps.
    #[must_use]
    pub fn bits(&self) -> u32 {
        match (self.field_type, self.name) {
            (FieldType::Port, _) => 16,
            (FieldType::Uint, "user.uid" | "group.gid" | "proc.tty" | "evt.type.is") => 32,
            (FieldType::Uint, "fd.dev" | "fd.dev.major" | "fd.dev.minor") => 32,
            (FieldType::Uint, name) if name.starts_with("evt.count") => 32,
            _ => 64,
        }
    }

    /// Whether its value may differ between the spellings of an event's path.
    ///
    /// These show the absolute path the event is about, or what follows from it. A field of a table other than
    /// [`all`] counts as if its value did.
    #[must_use]
    pub fn depends_on_spelling(&self, argument: &Argument) -> bool {
        const FAMILIES: [&str; 11] = [
            "evt",
            "fd",
            "fs",
            "proc",
            "thread",
            "user",
            "group",
            "container",
            "k8s",
            "node",
            "syscall",
        ];
        const OF_THE_PATH: [&str; 20] = [
            "evt.abspath",
            "evt.abspath.dst",
            "evt.abspath.src",
            "evt.arg",
            "evt.args",
            "evt.info",
            "evt.rawarg",
            "fd.containerdirectory",
            "fd.containername",
            "fd.directory",
            "fd.filename",
            "fd.mount.kind",
            "fd.mount.point",
            "fd.mount.read_only",
            "fd.mount.type",
            "fd.name",
            "fd.path.top",
            "fs.path.name",
            "fs.path.source",
            "fs.path.target",
        ];
        let family = self
            .name
            .split_once('.')
            .map_or(self.name, |(family, _)| family);
        if self.availability == Availability::Never {
            return false;
        }
        if let ("evt.arg" | "evt.rawarg", Argument::Name(parameter)) = (self.name, argument) {
            return params::depends_on_spelling(parameter);
        }
        !FAMILIES.contains(&family) || OF_THE_PATH.contains(&self.name)
    }
}

/// Reads a field from an event.
pub type Extract = for<'e> fn(View<'e>, &Argument) -> Extracted<'e>;

/// How many values a field has, and what an operator means for several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One.
    Single,
    /// A list, legal with `in` (every value), `intersects` (at least one) and `exists`.
    List,
    /// Any of several: the comparison is true where it is true for one of them (`proc.aname`).
    AnyOf,
    /// One thing under several values, such as both addresses of a connection, or a constant as number and as name:
    /// a comparison is true where it is true for one of them, but `!=` only where it is true for all. The first is
    /// the one that outputs print and transformers take.
    Aliases,
    /// [`Shape::AnyOf`] without an argument, [`Shape::Single`] with one.
    AnyOfUnlessIndexed,
}

/// What may stand in brackets behind a field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentRule {
    /// Nothing.
    None,
    /// A number, or nothing.
    OptionalIndex,
    /// A number.
    Index,
    /// A name, or nothing.
    OptionalName,
    /// A name, in brackets or behind a dot.
    Name,
    /// The name of an event parameter, behind a dot.
    Parameter,
}

/// What stands in brackets behind a field's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Argument {
    /// Nothing.
    #[default]
    None,
    /// A number.
    Index(u32),
    /// A name.
    Name(BString),
}

/// How long a field's value holds: decides what the kernel may cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// As long as the process does not execute, and its container and the file stay the same.
    Stable,
    /// No longer than the event.
    Volatile,
}

/// Which events have a value of a field; others have none, whatever they are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Availability {
    /// Every event.
    Always,
    /// Calls that have a result.
    Results,
    /// Calls that read, write, send or receive, where their data is captured.
    Data,
    /// Calls that make a descriptor or are called on one.
    Descriptors,
    /// Calls that made a descriptor for a file, or were called on one.
    Files,
    /// Calls on an internet socket whose ends are known.
    Connections,
    /// Calls with a path.
    Paths,
    /// Calls with two paths.
    TwoPaths,
    /// Opens of a secret.
    Secrets,
    /// Processes whose start, or the start of their program, was observed.
    Observed,
    /// Processes that run a script.
    Scripts,
    /// Processes whose ancestors are known.
    Parents,
    /// Processes in containers.
    Containers,
    /// Processes in containers that an engine tells about.
    Metadata,
    /// The same, and processes of the host.
    MetadataOrHost,
    /// Processes in containers of whose image others found something out.
    Images,
    /// Processes of Swarm tasks.
    Swarm,
    /// Processes of pods.
    Kubernetes,
    /// None: the name exists so that rules which use it load.
    Never,
}

impl Availability {
    /// The words of the documentation.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Always => "every event",
            Self::Results => "calls with a result",
            Self::Data => "calls whose data is captured",
            Self::Descriptors => "calls on a descriptor",
            Self::Files => "calls on an open file",
            Self::Connections => "calls on an internet socket",
            Self::Paths => "calls with a path",
            Self::TwoPaths => "calls with two paths",
            Self::Secrets => "opens of a secret",
            Self::Observed => "processes whose start was observed",
            Self::Scripts => "processes that run a script",
            Self::Parents => "processes with known ancestors",
            Self::Containers => "containers",
            Self::Metadata => "containers with metadata",
            Self::MetadataOrHost => "containers with metadata, and the host",
            Self::Images => "containers with a report or a list",
            Self::Swarm => "Swarm tasks",
            Self::Kubernetes => "pods",
            Self::Never => "never",
        }
    }
}

/// The row of a field's name.
#[must_use]
pub fn find(name: &str) -> Option<&'static FieldRow> {
    all().find(|row| row.name == name)
}

/// All rows, by family.
pub fn all() -> impl Iterator<Item = &'static FieldRow> {
    [
        event::FIELDS,
        process::FIELDS,
        user::FIELDS,
        file::FIELDS,
        socket::FIELDS,
        socket::ENDS,
        socket::NAMES,
        file::PATHS,
        container::FIELDS,
        promises::FIELDS,
        never::FIELDS,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests;
