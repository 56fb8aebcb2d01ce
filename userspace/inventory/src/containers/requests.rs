//! What the table wants done: it does no I/O but read /proc, and knows neither engines nor probes.

use bstr::BString;

use super::ContainerTable;
use crate::engines::SourceId;

/// Requests that may wait to be taken.
const MAX_REQUESTS: usize = 8192;

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

impl ContainerTable {
    pub(super) fn request(&mut self, request: Request) {
        if self.requests.len() >= MAX_REQUESTS {
            self.counts.requests_dropped += 1;
        } else {
            self.requests.push_back(request);
        }
    }
}
