//! What a descriptor leads to where that is no file: sockets, pipes and the kernel's many anonymous objects.

use std::borrow::Cow;

use bstr::{BString, ByteSlice};
use serde::{Deserialize, Serialize};

use crate::socket::{Family, Socket};

/// What a call made a descriptor for, or was called on, resolved by the kernel at the event; files have a type of
/// their own, [`crate::File`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Descriptor {
    /// A socket.
    Socket(Box<Socket>),
    /// Anything else.
    Object {
        /// Of which kind.
        kind: ObjectKind,
        /// Its name where it has one (a memfd), else empty.
        name: BString,
    },
}

/// Kinds of objects that are neither file nor socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the kernel's")]
pub enum ObjectKind {
    Pipe,
    Event,
    SignalFd,
    EventPoll,
    Inotify,
    TimerFd,
    Bpf,
    UserFaultFd,
    IoUring,
    Memfd,
    PidFd,
    /// Something that has no name among these.
    #[default]
    Unsupported,
}

impl ObjectKind {
    /// The word of `fd.type`; `None` for [`ObjectKind::Unsupported`].
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Pipe => "pipe",
            Self::Event => "event",
            Self::SignalFd => "signalfd",
            Self::EventPoll => "eventpoll",
            Self::Inotify => "inotify",
            Self::TimerFd => "timerfd",
            Self::Bpf => "bpf",
            Self::UserFaultFd => "userfaultfd",
            Self::IoUring => "io_uring",
            Self::Memfd => "memfd",
            Self::PidFd => "pidfd",
            Self::Unsupported => return None,
        })
    }

    /// The letter of `fd.typechar`.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::Pipe => "p",
            Self::Event => "e",
            Self::SignalFd => "s",
            Self::EventPoll => "l",
            Self::Inotify => "i",
            Self::TimerFd => "t",
            Self::Bpf => "b",
            Self::UserFaultFd => "u",
            Self::IoUring => "r",
            Self::Memfd => "m",
            Self::PidFd => "P",
            Self::Unsupported => "X",
        }
    }
}

impl Descriptor {
    /// The socket, where it is one.
    #[must_use]
    pub fn socket(&self) -> Option<&Socket> {
        match self {
            Self::Socket(socket) => Some(socket),
            Self::Object { .. } => None,
        }
    }

    /// Its name: the ends of a socket, the name of an object; may be empty.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Socket(socket) => Cow::Owned(socket.name()),
            Self::Object { name, .. } => name.to_str_lossy(),
        }
    }

    /// The word of `fd.type`; `None` where there is none for it.
    #[must_use]
    pub fn type_name(&self) -> Option<&'static str> {
        match self {
            Self::Socket(socket) => Some(match socket.family {
                Family::Ipv4 => "ipv4",
                Family::Ipv6 => "ipv6",
                Family::Unix => "unix",
                Family::Netlink => "netlink",
                Family::Other(_) => return None,
            }),
            Self::Object { kind, .. } => kind.name(),
        }
    }

    /// The letter of `fd.typechar`.
    #[must_use]
    pub fn type_letter(&self) -> &'static str {
        match self {
            Self::Socket(socket) => match socket.family {
                Family::Ipv4 => "4",
                Family::Ipv6 => "6",
                // Shared with userfaultfd, as in Falco.
                Family::Unix => "u",
                Family::Netlink => "n",
                Family::Other(_) => "o",
            },
            Self::Object { kind, .. } => kind.letter(),
        }
    }
}

impl From<Socket> for Descriptor {
    fn from(socket: Socket) -> Self {
        Self::Socket(Box::new(socket))
    }
}
