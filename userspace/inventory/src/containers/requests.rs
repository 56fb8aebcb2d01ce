//! What the table wants done: it does no I/O but read /proc, and knows neither engines nor probes.

use bstr::BString;

use super::ContainerTable;
use crate::engines::SourceId;

/// Requests that may wait to be taken; beyond, only those are taken that nobody would repeat.
const MAX_REQUESTS: usize = 32_768;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Ask the engines what they know of a container.
    Inspect {
        /// The container.
        id: String,
        /// Those that may know it.
        sources: Vec<SourceId>,
    },
    /// Ask a Swarm manager whether this is a secret or a configuration, and its name.
    Resolve {
        /// The id Swarm gave it.
        id: String,
    },
    /// Open a secret's files, see [`super::open_secret_files`], so that the probes report their keys.
    LearnSecret(LearnSecret),
    /// Have the probes report every open of a file.
    WatchSecret {
        /// The device, as the kernel numbers it.
        dev: u32,
        /// The inode; `None`: everything on the device.
        ino: Option<u64>,
    },
    /// Undo that.
    UnwatchSecret {
        /// As above.
        dev: u32,
        /// As above.
        ino: Option<u64>,
    },
    /// Have the probes report every open of an environment that proc shows, or no longer.
    WatchEnvironments(bool),
    /// Tell the probes that this cgroup is or lies below a container's.
    AddCgroup {
        /// Its kernfs node id.
        cgroup_id: u64,
        /// That of the container's own cgroup: all below it draw on one budget.
        container_cgroup_id: u64,
    },
    /// Tell the probes that this cgroup below a container's is gone.
    ForgetCgroup {
        /// Its kernfs node id.
        cgroup_id: u64,
    },
}

/// Where a secret's files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnSecret {
    /// A process that sees them.
    pub pid: u32,
    /// The mount they lie on; anything else in their place is not the secret.
    pub mount_id: u32,
    /// Path of the file, or of the folder of files, below that process's root.
    pub path: BString,
    /// What the paths of files below must match; empty for all of them.
    pub pattern: BString,
}

impl Request {
    /// Whether it asks for something: without an answer, a value stays unknown.
    fn is_question(&self) -> bool {
        match self {
            Self::Inspect { .. } | Self::Resolve { .. } | Self::LearnSecret(_) => true,
            Self::WatchSecret { .. }
            | Self::UnwatchSecret { .. }
            | Self::WatchEnvironments(_)
            | Self::AddCgroup { .. }
            | Self::ForgetCgroup { .. } => false,
        }
    }
}

impl ContainerTable {
    /// Notes a request. What the probes are told is never dropped, because it is told once: there is no more of it than the
    /// table and the records of one batch hold.
    pub(super) fn request(&mut self, request: Request) {
        if self.requests.len() >= MAX_REQUESTS && request.is_question() {
            self.counts.requests_dropped += 1;
        } else {
            self.requests.push_back(request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::Options;

    #[test]
    fn questions_are_dropped_where_there_are_too_many_and_what_probes_are_told_is_not() {
        let mut table = ContainerTable::new(Options::default());
        let ask = || Request::Resolve { id: String::new() };
        let told = [
            Request::AddCgroup {
                cgroup_id: 1,
                container_cgroup_id: 1,
            },
            Request::WatchSecret { dev: 1, ino: None },
            Request::UnwatchSecret { dev: 1, ino: None },
            Request::WatchEnvironments(true),
            Request::ForgetCgroup { cgroup_id: 1 },
        ];
        for _ in 0..=MAX_REQUESTS {
            table.request(ask());
        }
        for request in told.clone() {
            table.request(request);
        }
        assert_eq!(table.counts().requests_dropped, 1);
        let requests = table.take_requests();
        assert_eq!(requests.len(), MAX_REQUESTS + told.len());
        assert!(requests.ends_with(&told));
        table.request(ask());
        assert_eq!(table.take_requests(), [ask()]);
    }
}
