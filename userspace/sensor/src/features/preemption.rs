//! Whether a task can be preempted inside a probe.
//!
//! On kernels that run tracepoint programs preemptibly, one preempted task makes the kernel skip the program
//! for every other task of that processor until it runs again. Nothing tells such a kernel from outside but its version:
//! of Debian's kernels 7.2 was the first (docs/kernels.md). A kernel that is not preemptible at all can be told, and
//! where a distribution carried the change backwards, it shows in the recursion misses of the programs.

use std::io::Read as _;
use std::path::Path;

use super::{Finding, Host};

/// How the kernel preempts tasks in kernel mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Model {
    /// Never, or only where it offers itself.
    Voluntary,
    /// At any place, at once or at the next tick.
    Preemptible,
}

pub(crate) fn measure(host: &Host) -> Finding {
    let uname = rustix::system::uname();
    let version = uname.version().to_string_lossy();
    let release = uname.release().to_string_lossy();
    let finding = |model, detail: &str| finding(model, runs_programs_preemptibly(&release), detail);
    let switchable = match built_as(&version) {
        Built::Fixed(model) => return finding(Some(model), &version),
        Built::Switchable => "PREEMPT_DYNAMIC",
    };
    let sources = [
        (
            "/sys/kernel/debug/sched/preempt".to_owned(),
            from_debugfs as fn(&str) -> Option<Model>,
        ),
        (
            host.proc_root.join("cmdline").display().to_string(),
            from_command_line,
        ),
        (format!("/boot/config-{release}"), from_config),
        (format!("/lib/modules/{release}/config"), from_config),
    ];
    for (path, parse) in sources {
        if let Some(model) = read(Path::new(&path)).as_deref().and_then(parse) {
            return finding(Some(model), &format!("{switchable}; {path}: {model:?}"));
        }
    }
    finding(
        None,
        &format!("{switchable}; no source tells the model in use"),
    )
}

fn finding(model: Option<Model>, runs_programs_preemptibly: bool, detail: &str) -> Finding {
    match model {
        Some(Model::Voluntary) => Finding::yes(detail),
        // Such kernels no longer have another model to be in.
        Some(Model::Preemptible) | None if runs_programs_preemptibly => Finding::no(detail),
        // Older kernels disable preemption around tracepoint programs even then.
        Some(Model::Preemptible) => {
            Finding::unknown(format!("{detail}; recursion misses will tell"))
        }
        None => Finding::unknown(detail),
    }
}

/// Whether the kernel leaves preemption enabled around tracepoint programs, by a release such as `7.3.4+deb13-amd64`.
fn runs_programs_preemptibly(release: &str) -> bool {
    const FIRST: (u32, u32) = (7, 2);
    let mut numbers = release
        .split(|letter: char| !letter.is_ascii_digit())
        .map_while(|number| number.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor) >= FIRST,
        _ => false,
    }
}

enum Built {
    Fixed(Model),
    Switchable,
}

/// From the version string of uname(2), as in `#1 SMP PREEMPT_DYNAMIC Debian 6.1.1`.
fn built_as(version: &str) -> Built {
    let flag = version
        .split_whitespace()
        .find(|word| word.starts_with("PREEMPT"));
    match flag {
        None => Built::Fixed(Model::Voluntary),
        Some("PREEMPT_DYNAMIC") => Built::Switchable,
        Some(_) => Built::Fixed(Model::Preemptible),
    }
}

/// The mode in use stands in parentheses: `none voluntary (full) lazy`.
fn from_debugfs(content: &str) -> Option<Model> {
    content
        .split_whitespace()
        .find_map(|word| model(word.strip_prefix('(')?.strip_suffix(')')?))
}

fn from_command_line(content: &str) -> Option<Model> {
    // The last one wins, as in the kernel.
    content
        .split_whitespace()
        .rev()
        .find_map(|word| model(word.strip_prefix("preempt=")?))
}

/// The default of a switchable kernel, from its configuration.
fn from_config(content: &str) -> Option<Model> {
    content.lines().find_map(|line| match line {
        "CONFIG_PREEMPT_NONE=y" | "CONFIG_PREEMPT_VOLUNTARY=y" => Some(Model::Voluntary),
        "CONFIG_PREEMPT=y" | "CONFIG_PREEMPT_LAZY=y" => Some(Model::Preemptible),
        _ => None,
    })
}

fn model(name: &str) -> Option<Model> {
    match name {
        "none" | "voluntary" => Some(Model::Voluntary),
        "full" | "lazy" => Some(Model::Preemptible),
        _ => None,
    }
}

fn read(path: &Path) -> Option<String> {
    const MAX_BYTES: u64 = 4 * 1024 * 1024;
    let mut content = String::new();
    std::fs::File::open(path)
        .ok()?
        .take(MAX_BYTES)
        .read_to_string(&mut content)
        .ok()?;
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_in_use_is_found_in_each_source() {
        use Model::{Preemptible, Voluntary};
        type Parse = fn(&str) -> Option<Model>;
        let cases: &[(Parse, &str, Option<Model>)] = &[
            (
                from_debugfs,
                "none voluntary (full) lazy\n",
                Some(Preemptible),
            ),
            (from_debugfs, "(none) voluntary full\n", Some(Voluntary)),
            (from_debugfs, "full (lazy)\n", Some(Preemptible)),
            (from_debugfs, "none voluntary full\n", None),
            (
                from_command_line,
                "ro quiet preempt=full preempt=none\n",
                Some(Voluntary),
            ),
            (from_command_line, "ro quiet\n", None),
            (
                from_config,
                "# CONFIG_PREEMPT_NONE is not set\nCONFIG_PREEMPT=y\n",
                Some(Preemptible),
            ),
            (
                from_config,
                "CONFIG_PREEMPT_BUILD=y\nCONFIG_PREEMPT_NONE=y\n",
                Some(Voluntary),
            ),
        ];
        for (parse, content, expected) in cases {
            assert_eq!(parse(content), *expected, "{content}");
        }
    }

    #[test]
    fn a_probe_may_be_preempted_on_recent_preemptible_kernels_only() {
        use super::super::Outcome::{No, Unknown, Yes};
        use Model::{Preemptible, Voluntary};
        for (model, release, outcome) in [
            (Some(Preemptible), "7.3.4+deb13-amd64", No),
            (Some(Preemptible), "7.2.0", No),
            (None, "10.0-rc1", No),
            (Some(Voluntary), "7.3.4", Yes),
            (Some(Preemptible), "7.1.13+deb13-amd64", Unknown),
            (Some(Preemptible), "6.18.44-fc-v669", Unknown),
            (None, "unheard of", Unknown),
        ] {
            let found = finding(model, runs_programs_preemptibly(release), "");
            assert_eq!(found.outcome, outcome, "{model:?} {release}");
        }
    }

    #[test]
    fn a_kernel_that_cannot_switch_says_so_in_its_version() {
        assert!(matches!(
            built_as("#1 SMP Debian 5.10.262-1"),
            Built::Fixed(Model::Voluntary)
        ));
        assert!(matches!(
            built_as("#1 SMP PREEMPT_RT Debian"),
            Built::Fixed(Model::Preemptible)
        ));
        assert!(matches!(
            built_as("#1 SMP PREEMPT_DYNAMIC @0"),
            Built::Switchable
        ));
    }
}
