//! Developer commands: `cargo xtask VERB`.
//!
//! Every verb exits with 0 only when what it checks holds. Progress goes to standard error; standard output
//! carries the result: a table, or with `--json` one JSON document.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program talks to its user"
)]

mod attacks;
mod bench;
mod ci;
mod demo;
mod docs;
mod ebpf;
mod engine;
mod image;
mod kernels;
mod kubernetes;
mod packages;
mod programs;
mod quiet;
mod record_mix;
mod report;
mod test;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use report::Report;
use workspace::Workspace;

/// Builds, tests and shows Vigía.
///
/// What a verb needs beyond Rust it installs as Debian packages when it runs as root, and says so; elsewhere
/// it names what is missing and ends.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    /// Prints the result as one JSON document.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Shows the agent at work on a real Swarm service: what it reports, and what it does not.
    Demo,
    /// Runs the tests: everything, or some suites.
    Test {
        /// Suites by name, or one of the groups `all`, `e2e` and `identity`.
        #[arg(default_value = "all", value_parser = test::names())]
        suites: Vec<String>,
        #[command(flatten)]
        times: test::Times,
    },
    /// Performs attacks in real containers and judges the alerts they raise.
    Attacks {
        /// Attacks by name; all of them without any.
        names: Vec<String>,
    },
    /// Runs services that people run under load, a minute each, and holds that nothing is reported about them.
    Quiet {
        /// Services by name; all of them without any.
        #[arg(value_parser = quiet::names())]
        services: Vec<String>,
        /// Takes seconds of load instead of a minute.
        #[arg(long)]
        quick: bool,
    },
    /// Measures how fast rules are judged.
    Bench {
        /// What is measured.
        #[arg(value_parser = bench::names())]
        what: String,
        /// Takes seconds instead of minutes: fewer rounds, and no instructions are counted.
        #[arg(long)]
        quick: bool,
    },
    /// Makes the recording that golden tests and benchmarks read, tests/data/mix.vigia, from real containers.
    RecordMix,
    /// Builds the eBPF object that is committed as ebpf/vigia.bpf.o.
    Ebpf {
        /// Changes nothing; fails when the committed object is not what the source builds to.
        #[arg(long)]
        check: bool,
    },
    /// Runs the tests of the probes on this kernel, and in QEMU on Debian's, and measures what each loses.
    Kernels {
        /// Kernels by name; without any, this one and the newest of each Debian.
        #[arg(value_name = "VERSION", value_parser = kernels::names())]
        kernels: Vec<String>,
        /// Only tests with this in their name.
        #[arg(long, default_value = "")]
        filter: String,
        /// Words added to the guests' kernel command line, such as preempt=full.
        #[arg(long, default_value = "")]
        append: String,
        /// Fetches the kernels that Debian has now; without, those fetched before are used.
        #[arg(long)]
        update: bool,
        /// Writes the tables into docs/kernels.md.
        #[arg(long)]
        write: bool,
    },
    /// Builds the container image of the agent: a static binary, rules and configuration, nothing else.
    Image {
        /// Name and tag of the image.
        #[arg(long, default_value = image::DEFAULT_TAG)]
        tag: String,
    },
    /// Writes the generated documentation and builds that of the crates.
    Docs {
        /// Changes nothing; fails when a generated page is stale.
        #[arg(long)]
        check: bool,
    },
    /// Runs what decides whether a change is good, or some pieces of it.
    Ci {
        /// Pieces by name; all of them without any.
        #[arg(value_parser = ci::names())]
        pieces: Vec<String>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let report = match run(&cli) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("error: {error:#}");
            Report::failure(cli.verb.name(), &error)
        }
    };
    report.print(cli.json);
    if report.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run(cli: &Cli) -> Result<Report> {
    let workspace = Workspace::find()?;
    match &cli.verb {
        Verb::Demo => demo::run(&workspace, cli.json),
        Verb::Test { suites, times } => test::run(&workspace, suites, *times),
        Verb::Attacks { names } => attacks::run(&workspace, names),
        Verb::Quiet { services, quick } => quiet::run(&workspace, services, *quick),
        Verb::Bench { what, quick } => bench::run(&workspace, what, cli.json, *quick),
        Verb::RecordMix => record_mix::run(&workspace),
        Verb::Ebpf { check } => Report::of_one("ebpf", "committed object", || ebpf::run(*check)),
        Verb::Kernels {
            kernels,
            filter,
            append,
            update,
            write,
        } => {
            let wanted = kernels::Wanted {
                kernels,
                filter,
                append,
                update: *update,
                write: *write,
            };
            kernels::run(&workspace, &wanted, cli.json)
        }
        Verb::Image { tag } => image::run(&workspace, tag),
        Verb::Docs { check } => docs::run(&workspace, *check),
        Verb::Ci { pieces } => ci::run(&workspace, pieces),
    }
}

impl Verb {
    fn name(&self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Test { .. } => "test",
            Self::Attacks { .. } => "attacks",
            Self::Quiet { .. } => "quiet",
            Self::Bench { .. } => "bench",
            Self::RecordMix => "record-mix",
            Self::Ebpf { .. } => "ebpf",
            Self::Kernels { .. } => "kernels",
            Self::Image { .. } => "image",
            Self::Docs { .. } => "docs",
            Self::Ci { .. } => "ci",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
