//! `cargo xtask kernels`: the tests of the probes on this kernel, and in QEMU on Debian's.

mod archive;
mod debian;
mod guest;
mod said;
mod table;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use vigia_event::EventType;
use vigia_tests::scene;

use crate::report::{Check, Report};
use crate::workspace::Workspace;
use crate::{packages, programs};
use said::Said;

/// This machine's kernel.
const HERE: &str = "here";

/// What may be named on the command line.
pub(crate) fn names() -> Vec<&'static str> {
    std::iter::once(HERE)
        .chain(debian::LINES.iter().map(|line| line.name))
        .collect()
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// Kernels by name; if empty this one and the newest of each Debian.
    pub(crate) kernels: &'a [String],
    /// Words added to the guests' kernel command line.
    pub(crate) append: &'a str,
    /// Only tests with this in their name.
    pub(crate) filter: &'a str,
    /// Fetch what the mirror has now, instead of using what was fetched before.
    pub(crate) update: bool,
    /// Write the tables into docs/kernels.md.
    pub(crate) write: bool,
}

/// Runs the tests on every kernel that is wanted, one after the other: what is measured must not share processors.
pub(crate) fn run(workspace: &Workspace, wanted: &Wanted<'_>, json: bool) -> Result<Report> {
    ensure!(
        scene::is_root(),
        "the tests of the probes load eBPF programs: run them as root"
    );
    let names = |name: &str| wanted.kernels.iter().any(|wanted| wanted == name);
    let lines: Vec<_> = debian::LINES
        .iter()
        .filter(|line| names(line.name) || wanted.kernels.is_empty() && line.release.is_none())
        .collect();
    let mut needed = vec![packages::COMPILER, packages::MUSL];
    if !lines.is_empty() {
        needed.extend([packages::QEMU, packages::BUSYBOX, packages::XZ]);
    }
    packages::ensure(&needed)?;
    let tests = programs::kernel_tests(workspace)?;
    let folder = workspace.target.join("kernels");

    let mut report = Report::new("kernels");
    let mut results = Vec::new();
    let mut add = |name: &str, act: &dyn Fn() -> Result<Said>| {
        eprintln!("==> {name}");
        let start = Instant::now();
        let mut result = act();
        if let Ok(said) = &mut result
            && wanted.filter.is_empty()
        {
            require_all_events(said);
        }
        report.add(check(name, start, &result));
        results.extend(result.map(|said| (name.to_owned(), said)));
    };
    if names(HERE) || wanted.kernels.is_empty() {
        add(HERE, &|| here(&tests, wanted.filter));
    }
    for line in lines {
        add(line.name, &|| {
            let kernel = debian::kernel(line, wanted.update)?;
            let folder = folder.join(line.name);
            let text = guest::run(&kernel, &tests, wanted, &folder)?;
            let mut said = said::parse(&text).context("the tests broke off")?;
            said.facts.insert("package".to_owned(), kernel.version);
            Ok(said)
        });
    }
    let tables = table::markdown(&results);
    if !json {
        println!("{tables}");
    }
    if wanted.write {
        table::write(&workspace.root.join("docs/kernels.md"), &tables)?;
    }
    report.data = Some(serde_json::to_value(&results)?);
    Ok(report)
}

/// Events that tests cannot have the probes report everywhere.
const ELSEWHERE: [&str; 3] = [
    // Made in user space.
    "budget_exceeded",
    "container",
    // Not where a kernel has no 32-bit entry; the test of it says so.
    "compat_syscall",
];

/// Makes it a failure of the kernel if an event never came, though all tests ran.
fn require_all_events(said: &mut Said) {
    let missing: Vec<_> = EventType::all()
        .filter(|event_type| event_type.is_delivered())
        .map(EventType::name)
        .filter(|name| !ELSEWHERE.contains(name) && !said.seen.contains_key(*name))
        .collect();
    if !missing.is_empty() {
        said.fail("every event comes in some test", missing.join(", "));
    }
}

fn check(name: &str, start: Instant, result: &Result<Said>) -> Check {
    let seconds = start.elapsed();
    let said = match result {
        Err(error) => {
            eprintln!("error: {error:#}");
            let error = anyhow::anyhow!("{error:#}");
            return Check::judged(name, seconds, &Err(error));
        }
        Ok(said) => said,
    };
    for (test, text) in &said.failures {
        eprintln!("---- {name}: {test}\n{text}");
    }
    let mut note = said.facts.get("release").cloned().unwrap_or_default();
    for (test, why) in &said.skipped {
        note.push_str(&format!("; {test} skipped: {why}"));
    }
    Check {
        name: name.to_owned(),
        passed: said.passed,
        failed: said.failed,
        seconds: seconds.as_secs_f64(),
        note,
    }
}

/// Runs the same program on this machine.
fn here(tests: &Path, filter: &str) -> Result<Said> {
    let output = Command::new(tests)
        .args(["--test-threads=1", "--show-output"])
        .args(filter.split_whitespace())
        .output()
        .context("starting the tests")?;
    let mut said =
        said::parse(&String::from_utf8_lossy(&output.stdout)).context("the tests broke off")?;
    for (name, path) in [
        ("release", "/proc/sys/kernel/osrelease"),
        ("version", "/proc/sys/kernel/version"),
        ("apparmor", "/sys/module/apparmor/parameters/enabled"),
        ("preempt", "/sys/kernel/debug/sched/preempt"),
    ] {
        let value = fs::read_to_string(path).unwrap_or_default();
        said.facts.insert(name.to_owned(), value.trim().to_owned());
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_never_came_is_a_failure_and_a_refused_one_is_none() {
        let mut said = Said::default();
        for event_type in EventType::all() {
            said.seen.insert(event_type.name().to_owned(), false);
        }
        require_all_events(&mut said);
        assert_eq!(said.failed, 0);
        said.seen.remove("openat");
        said.seen.remove("budget_exceeded");
        require_all_events(&mut said);
        assert_eq!(said.failed, 1);
        assert_eq!(said.failures["every event comes in some test"], "openat");
    }
}
