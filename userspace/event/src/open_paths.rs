//! Which opens somebody asks for, by parts of their paths: what rules say of them, in a form that the kernel
//! can look up.

use std::collections::BTreeSet;

/// Of more parts than this, any path stands for all.
pub const MAX_PARTS: usize = 4096;

/// What a path begins or ends with; always at least one byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathPart {
    /// The path begins with it.
    Start(Box<[u8]>),
    /// The path ends with it.
    End(Box<[u8]>),
    /// What stands before the last slash ends with it.
    FolderEnd(Box<[u8]>),
}

impl PathPart {
    /// Whether an absolute path is one of these.
    ///
    /// ```
    /// use vigia_event::open_paths::PathPart;
    ///
    /// let keys = PathPart::FolderEnd(b"/.ssh".as_slice().into());
    /// assert!(keys.holds(b"/root/.ssh/id_rsa"));
    /// assert!(!keys.holds(b"/root/.ssh"));
    /// ```
    #[must_use]
    pub fn holds(&self, path: &[u8]) -> bool {
        match self {
            Self::Start(part) => path.starts_with(part),
            Self::End(part) => path.ends_with(part),
            Self::FolderEnd(part) => path
                .iter()
                .rposition(|&byte| byte == b'/')
                .is_some_and(|slash| path[..slash].ends_with(part)),
        }
    }
}

/// The paths of opens that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenPaths {
    /// Any path.
    Any,
    /// Those that have one of these parts in one of their spellings.
    Of(BTreeSet<PathPart>),
}

impl OpenPaths {
    /// No path.
    #[must_use]
    pub fn none() -> Self {
        Self::Of(BTreeSet::new())
    }

    /// Those of both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let (Self::Of(mut parts), Self::Of(more)) = (self, other) else {
            return Self::Any;
        };
        parts.extend(more);
        if parts.len() > MAX_PARTS {
            return Self::Any;
        }
        Self::Of(parts)
    }

    /// The fewer of the two, each of which holds all that are meant.
    #[must_use]
    pub fn fewer(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Any, _) => other,
            (Self::Of(few), Self::Of(parts)) if parts.len() < few.len() => other,
            _ => self,
        }
    }

    /// Whether an open may be matched whose path has these spellings.
    #[must_use]
    pub fn hold<'p>(&self, spellings: impl IntoIterator<Item = &'p [u8]>) -> bool {
        match self {
            Self::Any => true,
            Self::Of(parts) => spellings
                .into_iter()
                .any(|path| parts.iter().any(|part| part.holds(path))),
        }
    }
}
