//! Every attack, by subject.

mod defaults;
mod escapes;
mod files;
mod network;
mod processes;
mod programs;
mod reads;
mod stealth;
mod writes;

use crate::row::Row;

/// Names under which the program acts, besides its own.
pub const NAMES: &[&str] = &[
    "java", "kubectl", "login", "lua", "mysqld", "httpd", "nmap", "pkexec", "sha1sum", "sshd",
    "vipw",
];

/// All rows.
pub fn all() -> impl Iterator<Item = &'static Row> {
    [
        files::ROWS,
        programs::ROWS,
        network::ROWS,
        processes::ROWS,
        reads::ROWS,
        writes::ROWS,
        stealth::ROWS,
        escapes::ROWS,
        defaults::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// The row of a name.
#[must_use]
pub fn find(action: &str) -> Option<&'static Row> {
    all().find(|row| row.action == action)
}

#[cfg(test)]
mod tests;
