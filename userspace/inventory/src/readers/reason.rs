//! Why a reader is judged as it is, in words.

use std::fmt::Write;

use bstr::BString;
use vigia_event::container::Container;
use vigia_event::file::Origin;

use super::descent::{Descent, Inside};
use super::program::{Program, printable};
use super::{LABEL, Reading};

/// Containers that are named of those that a secret was given to.
const MAX_HOLDERS: usize = 3;

/// The ground of a judgement.
#[derive(Clone, Debug)]
pub(crate) enum Reason {
    Engine,
    /// Whether the configuration could name the program.
    Host {
        may_be_named: bool,
    },
    HostMounts,
    NotGranted,
    MountsUnknown,
    HealthCheck,
    Steady {
        period_ns: u64,
    },
    Entered,
    Dropped {
        program: Program,
        origin: Origin,
    },
    Declared {
        pattern: BString,
    },
    Main,
    SeenAtStart,
    Startup,
    Lineage,
    Late,
    StartNotObserved,
}

impl Reason {
    /// One sentence and the chain of programs; for what a label would allow, the label as it has to be given.
    pub(crate) fn text(&self, reading: &Reading<'_>, descent: &Descent) -> String {
        // Redaction takes the `x` of `secret: x` and `secret=x` for a secret: no words here may read like that, but for the
        // label, which it knows.
        let mut text = match self {
            Self::Engine => "a program of the container engine reads it".to_owned(),
            Self::Host { .. } => "a process outside containers reads it".to_owned(),
            Self::HostMounts => {
                "a process of the container reads it in the host's mount namespace".to_owned()
            }
            Self::NotGranted => "its container was not granted this secret".to_owned(),
            Self::MountsUnknown => "the mounts of its container could not be read".to_owned(),
            Self::HealthCheck => "the container's health check reads it".to_owned(),
            Self::Steady { period_ns } => {
                format!(
                    "the same command enters the container every {} s, like a probe",
                    period_ns.div_ceil(1_000_000_000)
                )
            }
            Self::Entered => {
                "a process that entered the container from outside reads it".to_owned()
            }
            Self::Dropped { program, origin } => format!(
                "{} is not from the image but from {}",
                printable(program.path()),
                place(*origin)
            ),
            Self::Declared { pattern } => format!("declared as a reader by {}", printable(pattern)),
            Self::Main => "the container's main process reads it".to_owned(),
            Self::SeenAtStart => {
                "it was started in the same way when the container started".to_owned()
            }
            Self::Startup => "it is part of the container's start".to_owned(),
            Self::Lineage => {
                "the same chain of programs read a secret when the container started".to_owned()
            }
            Self::Late => {
                "this chain of programs did not run when the container started".to_owned()
            }
            Self::StartNotObserved => "the start of this process was not observed".to_owned(),
        };
        let _ = match descent {
            Descent::Inside(Inside { chain, .. }) => write!(text, " ({chain})"),
            Descent::Engine | Descent::Host | Descent::Unknown => {
                write!(text, " ({})", ancestry(reading))
            }
        };
        if matches!(
            self,
            Self::Host { .. } | Self::HostMounts | Self::NotGranted
        ) {
            tell_holders(&mut text, reading.holders);
        }
        if let Self::Host { may_be_named: true } = self {
            name_on_host(&mut text, reading);
        }
        if matches!(self, Self::Late | Self::StartNotObserved) {
            declare(&mut text, reading);
        }
        text
    }
}

/// Appends whose the secret is.
fn tell_holders(text: &mut String, holders: &[BString]) {
    let shown = holders.get(..MAX_HOLDERS).unwrap_or(holders);
    let names: Vec<String> = shown
        .iter()
        .map(|name| printable(name).to_string())
        .collect();
    if !names.is_empty() {
        let others = if holders.len() > shown.len() {
            " and others"
        } else {
            ""
        };
        let _ = write!(text, "; it was given to {}{others}", names.join(", "));
    }
}

/// Appends the entry of the configuration that would declare a reader of the host.
fn name_on_host(text: &mut String, reading: &Reading<'_>) {
    let program = Program::of(reading.process);
    let _ = write!(
        text,
        "; if this is expected, add {} to secrets.host_readers in the configuration",
        printable(&program.declared_as())
    );
    warn_of_orders(text, &program);
}

/// Warns where naming a program says nothing of what it does.
fn warn_of_orders(text: &mut String, program: &Program) {
    if program.runs_what_it_is_told() {
        text.push_str(" (which allows whatever this program runs)");
    }
}

/// Appends the label that would declare the reader, with what the container's label says already.
fn declare(text: &mut String, reading: &Reading<'_>) {
    let program = Program::of(reading.process);
    let label = reading
        .container
        .and_then(Container::known)
        .and_then(|known| known.label(LABEL));
    let _ = write!(
        text,
        "; if this is expected, give the container the label {LABEL}="
    );
    if let Some(label) = label.filter(|label| !label.is_empty()) {
        let _ = write!(text, "{},", printable(label));
    }
    let _ = write!(text, "{}", printable(&program.declared_as()));
    warn_of_orders(text, &program);
}

fn place(origin: Origin) -> &'static str {
    match origin {
        Origin::Upper => "the container's writable layer",
        Origin::Tmpfs => "an in-memory file system",
        Origin::Memfd => "anonymous memory",
        Origin::Volume => "a writable volume",
        Origin::Image | Origin::Unknown => "an unknown place",
    }
}

/// The nearest ancestors and the process, where no chain was recorded.
fn ancestry(reading: &Reading<'_>) -> String {
    let ancestors = reading
        .ancestors
        .iter()
        .take(5)
        .rev()
        .map(|ancestor| &**ancestor);
    let names: Vec<String> = ancestors
        .chain([reading.process])
        .map(|process| Program::of(process).to_string())
        .collect();
    names.join(" -> ")
}
