//! One event with everything a rule may test.

use std::borrow::Cow;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};
use serde::{Deserialize, Serialize};

use crate::call::{DescriptorNumber, EventType, named};
use crate::captured::{Call, Captured, GivenPath, What};
use crate::container::{Container, Metadata};
use crate::file::File;
use crate::mount::{Mount, MountTable};
use crate::names::DomainNames;
use crate::process::{Ancestors, Process};
use crate::secret::SecretAccess;
use crate::socket::Socket;
use crate::users::Users;

/// A captured record together with snapshots of what it happened to.
#[derive(Clone, Debug)]
pub struct Event {
    /// Counts events from 1.
    pub number: u64,
    /// Wall-clock time, nanoseconds since the epoch.
    pub time_ns: u64,
    /// Its type.
    pub event_type: EventType,
    /// What the kernel captured.
    pub captured: Captured,
    /// The acting process, after the event.
    pub process: Arc<Process>,
    /// Its ancestors, parent first.
    pub ancestors: Ancestors,
    /// The leader of its session; `None` for unknown.
    pub session_leader: Option<Arc<Process>>,
    /// The leader of its process group; `None` for unknown.
    pub group_leader: Option<Arc<Process>>,
    /// Its container; `None` on the host.
    pub container: Option<Arc<Container>>,
    /// The mounts it sees: those of its container, or of the host.
    pub mounts: Arc<MountTable>,
    /// Users and groups of its root.
    pub users: Arc<Users>,
    /// The secret it touched.
    pub secret: Option<Box<SecretAccess>>,
    /// The machine.
    pub node: Arc<Node>,
    /// Addresses of the domain names that rules compare with.
    pub domain_names: Arc<DomainNames>,
    /// Absolute spellings of the path it is about, made once (see [`Event::prepare`]).
    pub paths: PathSpellings,
}

/// The machine the event happened on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Node {
    /// Its name, as configured.
    pub name: BString,
    /// Its host name.
    pub hostname: BString,
    /// The kernel's boot id.
    pub boot_id: BString,
    /// When capturing began, nanoseconds since the epoch; 0 for unknown.
    pub capture_start_ns: u64,
    /// Whether its kernel does not tell what programs have io_uring do (before Linux 6.1).
    pub unseen_rings: bool,
}

/// The ways to spell the path an event is about, and its other path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathSpellings {
    /// As the program gave it, made absolute as text.
    pub given: Option<BString>,
    /// As the kernel resolved it; without a kernel object, what the program's memory held when the call returned, where
    /// that is not what it held when the call began.
    pub real: Option<BString>,
    /// Where the file lies in the file system of the root, if a mount of a part of it shows it elsewhere.
    pub underlying: Option<BString>,
    /// The other path of a call with two, as the program gave it, made absolute as text.
    pub other: Option<BString>,
}

/// Which spelling of an event's path one pass over a condition sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// As the program gave it.
    Given,
    /// As the kernel resolved it.
    Real,
    /// As it is called in the file system of the task's root, where a mount of a part of that (a bind mount) shows it
    /// under another name.
    Underlying,
}

/// No event has its path in more spellings.
pub const MAX_SPELLINGS: usize = 3;

/// An event in one spelling: what fields are extracted from.
#[derive(Clone, Copy, Debug)]
pub struct View<'e> {
    /// The event.
    pub event: &'e Event,
    /// The spelling.
    pub spelling: Spelling,
}

impl Event {
    /// The type of a captured record; `None` for records that only keep state.
    #[must_use]
    pub fn type_of(what: &What) -> Option<EventType> {
        Some(match what {
            What::Exec(_) => named::EXECVE,
            What::Exit {
                process_ended: true,
                ..
            } => named::PROCEXIT,
            What::Rename { .. } => named::TASK_RENAME,
            What::Call(call) => call.event_type,
            What::CompatCall { .. } => named::COMPAT_SYSCALL,
            What::BudgetExceeded { .. } => named::BUDGET_EXCEEDED,
            What::Container(_) => named::CONTAINER,
            What::Fork(fork) => fork.call.unwrap_or(named::CLONE),
            What::Exit { .. } | What::Cgroup(_) | What::SecretKey(_) => return None,
        })
    }

    /// The system call, where the event is one.
    #[must_use]
    pub fn call(&self) -> Option<&Call> {
        match &self.captured.what {
            What::Call(call) => Some(call),
            _ => None,
        }
    }

    /// The file the call was about, where the kernel had one.
    #[must_use]
    pub fn file(&self) -> Option<&File> {
        self.call().and_then(|call| call.file.as_ref())
    }

    /// The socket the call made or was called on.
    #[must_use]
    pub fn socket(&self) -> Option<&Socket> {
        self.call().and_then(Call::socket)
    }

    /// The number of the descriptor it is about: the one the call made, -1 for none, or the one it was called on.
    /// `None` for events that are not about a descriptor.
    #[must_use]
    pub fn descriptor_number(&self) -> Option<i64> {
        let call = self.call()?;
        let argument = |index: usize| {
            let [a, b, c, d, ..] = call.args[index].to_le_bytes();
            i64::from(i32::from_le_bytes([a, b, c, d]))
        };
        match call.event_type.descriptor_number()? {
            DescriptorNumber::Result => Some(call.result.max(-1)),
            DescriptorNumber::ResultOrArg0 if call.result >= 0 => Some(call.result),
            DescriptorNumber::ResultOrArg0 => Some(argument(0)),
            DescriptorNumber::Arg(index) => Some(argument(usize::from(index))),
            DescriptorNumber::Pair => None,
        }
    }

    /// Whether it is known what its descriptor leads to.
    #[must_use]
    pub fn has_known_descriptor(&self) -> bool {
        self.call()
            .is_some_and(|call| call.file.is_some() || call.descriptor.is_some())
    }

    /// What it returned; `None` for events without a result.
    #[must_use]
    pub fn result(&self) -> Option<i64> {
        match &self.captured.what {
            What::Call(call) => Some(call.result),
            What::Exec(_) => Some(0),
            What::Fork(fork) => Some(fork.child.tid.into()),
            _ => None,
        }
    }

    /// Makes the spellings of the event's path; called once, before rules are matched.
    pub fn prepare(&mut self) {
        let Some(call) = self.call() else { return };
        let given = call
            .paths
            .get(call.subject())
            .map(crate::captured::GivenPath::absolute);
        let real = call
            .file
            .as_ref()
            .filter(|file| !file.path_notes.detached)
            .map(|file| file.path.clone())
            .or_else(|| call.paths.get(call.subject())?.absolute_changed())
            // The other one was changed: a pass of its own shows it.
            .or_else(|| given.clone().filter(|_| call.has_changed_path()));
        let other = match (call.paths.as_slice(), call.subject()) {
            ([_, other], 0) | ([other, _], 1) => Some(other.absolute()),
            _ => None,
        };
        let underlying = call
            .file
            .as_ref()
            .and_then(|file| file.underlying_path.clone())
            .filter(|path| Some(path) != given.as_ref() && Some(path) != real.as_ref());
        self.paths = PathSpellings {
            given,
            real,
            underlying,
            other,
        };
    }

    /// One of the paths of its call made absolute as text; not made again where [`Event::prepare`] did.
    pub(crate) fn absolute(&self, index: usize) -> Option<Cow<'_, [u8]>> {
        let call = self.call()?;
        let path = call.paths.get(index)?;
        let made = if index == call.subject() {
            &self.paths.given
        } else {
            &self.paths.other
        };
        Some(match made {
            Some(made) => Cow::Borrowed(made),
            None => Cow::Owned(path.absolute().into()),
        })
    }

    fn has_changed_path(&self) -> bool {
        self.call().is_some_and(Call::has_changed_path)
    }

    /// The spellings under which a condition must be judged: one where both are the same or only one exists.
    #[must_use]
    pub fn spellings(&self) -> &'static [Spelling] {
        use Spelling::{Given, Real, Underlying};
        let has_underlying = self.paths.underlying.is_some();
        match (&self.paths.given, &self.paths.real) {
            (Some(given), Some(real)) if given != real || self.has_changed_path() => {
                if has_underlying {
                    &[Given, Real, Underlying]
                } else {
                    &[Given, Real]
                }
            }
            (None, Some(_)) if has_underlying => &[Real, Underlying],
            (None, Some(_)) => &[Real],
            _ if has_underlying => &[Given, Underlying],
            _ => &[Given],
        }
    }
}

impl<'e> View<'e> {
    /// The path the event is about, in this spelling; the other one where this one does not exist.
    #[must_use]
    pub fn path(self) -> Option<&'e BStr> {
        let paths = &self.event.paths;
        let (first, second) = match self.spelling {
            Spelling::Given => (&paths.given, &paths.real),
            Spelling::Real => (&paths.real, &paths.given),
            Spelling::Underlying => (&paths.underlying, &paths.real),
        };
        first
            .as_ref()
            .or(second.as_ref())
            .map(|path| path.as_bstr())
    }

    /// Whether this pass is about what another thread changed the paths to: where the kernel tells no file.
    pub(crate) fn sees_changes(self) -> bool {
        self.spelling == Spelling::Real && self.event.file().is_none()
    }

    /// One of the paths of its call, absolute: in this spelling where it is the one the event is about, else as text.
    ///
    /// `open_by_handle_at` passes no path; its first is the one that the kernel has of the file.
    pub(crate) fn absolute(self, index: usize) -> Option<Cow<'e, [u8]>> {
        let call = self.event.call()?;
        let has_path = index < call.paths.len() || call.event_type == named::OPEN_BY_HANDLE_AT;
        let spelled = self.path().filter(|_| has_path && index == call.subject());
        match spelled {
            Some(path) => Some(Cow::Borrowed(path)),
            None => {
                let path = call.paths.get(index).filter(|_| self.sees_changes());
                match path.and_then(GivenPath::absolute_changed) {
                    Some(changed) => Some(Cow::Owned(changed.into())),
                    None => self.event.absolute(index),
                }
            }
        }
    }

    /// The mount the path lies on; for a call that mounted something onto the path, the one that lay there before.
    #[must_use]
    pub fn mount(self) -> Option<&'e Mount> {
        let (path, mounts) = (self.path()?, &self.event.mounts);
        if self.event.call().is_some_and(Call::covers_its_path) {
            mounts.find_covered(path, self.event.captured.boot_time_ns)
        } else {
            mounts.find(path)
        }
    }

    /// Whether the mounts are yet to be told: a container's first process was gone before they were read, and its engine
    /// has not said what it declared.
    #[must_use]
    pub fn awaits_mounts(self) -> bool {
        let container = self.event.container.as_deref();
        let awaits = |container: &Container| {
            container.mounts.is_none() && matches!(container.metadata, Metadata::Pending)
        };
        self.event.mounts.mounts.is_empty() && container.is_some_and(awaits)
    }
}
