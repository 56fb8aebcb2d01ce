//! What engines leave mounted.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command;

/// Unmounts what an engine leaves mounted below its folder, which cannot be removed so.
pub fn remove_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    let below = points.filter(|point| Path::new(point).starts_with(folder));
    // Later mounts lie on earlier ones.
    for point in below.collect::<Vec<_>>().into_iter().rev() {
        drop(command::run(Command::new("umount").arg(point)));
    }
}
