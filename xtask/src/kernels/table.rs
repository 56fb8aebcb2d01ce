//! The tables of docs/kernels.md.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::said::{self, Said};

const BEGIN: &str = "<!-- cargo xtask kernels --write: from here -->\n";
const END: &str = "<!-- to here -->\n";

/// Replaces what stands between the marks of a page.
pub(super) fn write(page: &Path, tables: &str) -> Result<()> {
    let text = fs::read_to_string(page).with_context(|| format!("reading {}", page.display()))?;
    let replaced = replace(&text, tables)
        .with_context(|| format!("{} has no place for the tables", page.display()))?;
    fs::write(page, replaced).with_context(|| format!("writing {}", page.display()))
}

fn replace(text: &str, tables: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{tables}\n{END}{after}"))
}

/// Kernels and tests, features, losses.
pub(super) fn markdown(results: &[(String, Said)]) -> String {
    [kernels(results), features(results), losses(results)]
        .into_iter()
        .filter(|table| !table.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

fn kernels(results: &[(String, Said)]) -> String {
    let mut rows = Vec::new();
    for (name, said) in results {
        let fact = |fact: &str| said.facts.get(fact).cloned().unwrap_or_default();
        rows.push(vec![
            name.clone(),
            fact("release"),
            fact("package"),
            preemption(&fact("preempt"), &fact("version")),
            match fact("apparmor").as_str() {
                "Y" => "on",
                _ => "off",
            }
            .to_owned(),
            said.passed.to_string(),
            said.failed.to_string(),
            said.skipped.len().to_string(),
            fact(said::HARDENED),
            events(said),
        ]);
    }
    let head = [
        "kernel",
        "release",
        "Debian package",
        "preemption",
        "AppArmor",
        "passed",
        "failed",
        "skipped",
        "with JIT hardening",
        "events seen",
    ];
    table(&head, &rows)
}

/// How many there were, and those of which none was a success.
fn events(said: &Said) -> String {
    let mut text = said.seen.len().to_string();
    let refused = said.seen.iter().filter(|(_, is_success)| !**is_success);
    let refused: Vec<_> = refused.map(|(name, _)| name.as_str()).collect();
    if !refused.is_empty() {
        let _ = write!(text, "; only refused: {}", refused.join(", "));
    }
    text
}

/// The mode in use, and those there are to choose from.
fn preemption(choice: &str, version: &str) -> String {
    if choice.contains('(') {
        return choice.to_owned();
    }
    let built = version
        .split(' ')
        .find(|word| word.starts_with("PREEMPT"))
        .unwrap_or("none or voluntary");
    format!("as built: {built}")
}

/// One row per feature that some kernel lacks; the rest in one sentence.
fn features(results: &[(String, Said)]) -> String {
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in results.iter().flat_map(|(_, said)| &said.features) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return String::new();
    }
    let answer = |said: &Said, name: &str| {
        said.features
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, answer)| answer.as_str())
            .to_owned()
    };
    let (everywhere, rows): (Vec<_>, Vec<_>) = names
        .into_iter()
        .map(|name| {
            let answers = results.iter().map(|(_, said)| answer(said, name));
            std::iter::once(name.clone())
                .chain(answers)
                .collect::<Vec<_>>()
        })
        .partition(|row| {
            row.iter()
                .skip(1)
                .all(|answer| answer == "yes" || answer.starts_with("yes ("))
        });
    let mut head = vec!["feature"];
    head.extend(results.iter().map(|(name, _)| name.as_str()));
    let (members, common): (Vec<_>, Vec<_>) = everywhere
        .iter()
        .filter_map(|row| row.first().map(String::as_str))
        .partition(|name| is_member(name));
    format!(
        "{}\nOn all of them: {}; and the places of {} members of kernel structures.\n",
        table(&head, &rows),
        common.join(", "),
        members.len()
    )
}

/// Whether a feature is a place in a kernel structure: too many to name.
fn is_member(name: &str) -> bool {
    name.contains('.') || name.starts_with("size of ")
}

fn losses(results: &[(String, Said)]) -> String {
    let mut rows = Vec::new();
    for (name, said) in results {
        for loss in &said.losses {
            let lost = loss.made.saturating_sub(loss.seen);
            #[allow(clippy::cast_precision_loss, reason = "shown with two digits")]
            let share = lost as f64 / loss.made.max(1) as f64 * 100.0;
            rows.push(vec![
                name.clone(),
                loss.dispatchers.to_string(),
                loss.tasks.to_string(),
                loss.made.to_string(),
                loss.seen.to_string(),
                lost.to_string(),
                format!("{share:.2} %"),
                loss.counted.to_string(),
            ]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        "kernel",
        "dispatchers",
        "tasks",
        "calls made",
        "seen",
        "lost",
        "",
        "counted as lost",
    ];
    table(&head, &rows)
}

fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        text.push('|');
        for cell in cells {
            let _ = write!(text, " {} |", cell.replace('|', "\\|"));
        }
        text.push('\n');
    };
    line(&mut head.iter().copied());
    line(&mut head.iter().map(|_| "---"));
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_stand_between_the_marks() {
        let page = format!("# Kernels\n{BEGIN}old\n{END}after\n");
        assert_eq!(
            replace(&page, "new\n").unwrap(),
            format!("# Kernels\n{BEGIN}\nnew\n\n{END}after\n")
        );
        assert_eq!(replace("# Kernels\n", "new"), None);
    }

    #[test]
    fn a_kernel_has_a_row() {
        let said = Said {
            facts: [(said::HARDENED.to_owned(), "yes".to_owned())].into(),
            passed: 7,
            seen: [("openat".to_owned(), true), ("reboot".to_owned(), false)].into(),
            ..Said::default()
        };
        let text = kernels(&[("a".to_owned(), said)]);
        assert!(
            text.ends_with("| 7 | 0 | 0 | yes | 2; only refused: reboot |\n"),
            "{text}"
        );
    }

    #[test]
    fn what_differs_between_kernels_has_a_row() {
        let with = |answer: &str| Said {
            features: vec![
                ("BTF".to_owned(), "yes (1 byte)".to_owned()),
                ("32-bit".to_owned(), answer.to_owned()),
            ],
            ..Said::default()
        };
        let results = [("a".to_owned(), with("yes")), ("b".to_owned(), with("no"))];
        let text = features(&results);
        assert!(text.contains("| 32-bit | yes | no |"), "{text}");
        assert!(
            text.contains("On all of them: BTF; and the places of 0 members"),
            "{text}"
        );
    }
}
