//! A file as the kernel resolved it at the event.

use bstr::BString;
use serde::{Deserialize, Serialize};

/// An open file, or the file behind an executable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct File {
    /// Path from the root of the mount namespace, walked over dentries and mounts; `/` for the root itself. A task
    /// that changed its root (`chroot`) knows the file by a shorter one.
    pub path: BString,
    /// What the walk of the path met.
    pub path_notes: PathNotes,
    /// Where it lies in the file system of the task's root, if a mount of a part of that file system shows it under
    /// another name: what a bind mount hides.
    pub underlying_path: Option<BString>,
    /// Device number as in `stat(2)`: `major << 20 | minor`.
    pub dev: u32,
    /// Inode number.
    pub ino: u64,
    /// Inode generation.
    pub generation: u32,
    /// File type and permission bits as in `stat(2)`.
    pub mode: u32,
    /// Number of links.
    pub nlink: u32,
    /// `mnt_id` as in mountinfo.
    pub mount_id: u32,
    /// Whether the mount is read-only.
    pub mount_read_only: bool,
    /// Whether the file system is read-only.
    pub fs_read_only: bool,
    /// The file system's magic number, as in `statfs(2)`.
    pub fs_magic: u64,
    /// The process whose environment proc shows in it, as the host counts; 0 for any other file, and while nobody asks.
    pub environment_of: u32,
    /// Where on an overlay the file lies.
    pub layer: Layer,
    /// Whether this very call created it.
    pub created: bool,
    /// Inode change time, nanoseconds since the epoch; 0 where not captured.
    pub ctime_ns: u64,
    /// Inode modification time, nanoseconds since the epoch; 0 where not captured.
    pub mtime_ns: u64,
}

impl File {
    /// Whether this is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }
}

/// What the kernel-side walk of a path met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PathNotes {
    /// The path is longer than what was captured: its beginning is missing.
    pub truncated: bool,
    /// The file no longer has this name.
    pub deleted: bool,
    /// The walk ended at the top of a mount tree without passing the task's root.
    pub escaped: bool,
    /// The file has no place in any tree (a memfd, a pipe); the path is its bare name.
    pub detached: bool,
}

/// The layer of an overlay file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layer {
    /// Not on an overlay.
    #[default]
    None,
    /// As the image has it.
    Lower,
    /// Written since the container was made.
    Upper,
}

/// Where something that runs comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// A lower layer of the container's root, or the root of a host process.
    Image,
    /// The container's writable layer.
    Upper,
    /// A mount into the container.
    Volume,
    /// An in-memory file system.
    Tmpfs,
    /// Anonymous memory.
    Memfd,
    /// Not observed, or a file system that does not tell.
    #[default]
    Unknown,
}

impl Origin {
    /// The word rules use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Upper => "upper",
            Self::Volume => "volume",
            Self::Tmpfs => "tmpfs",
            Self::Memfd => "memfd",
            Self::Unknown => "unknown",
        }
    }
}
