//! `vigia explain --syscalls`: which events are captured, and why.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::json;
use vigia_engine::{Ending, Ruleset};
use vigia_event::open_paths::{OpenPaths, PathPart};

use crate::interest::Reasons;

/// Rules named in one line of text; JSON names all.
const NAMED: usize = 3;

/// A line for each event: its name, the state that hangs on it, the rules that ask for it, and how calls have to end for
/// them where that is known. Then the paths that opens must have that succeeded.
pub(super) fn text(
    reasons: &BTreeMap<&'static str, Reasons>,
    ruleset: &Ruleset,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let width = reasons.keys().map(|name| name.len()).max().unwrap_or(0);
    for (name, reason) in reasons {
        let state = reason.state.map(|state| format!("state: {state}"));
        let rules = rules(&reason.rules).map(|rules| rules + &only(&reason.endings));
        let why: Vec<String> = state.into_iter().chain(rules).collect();
        writeln!(out, "{name:width$}  {}", why.join("; "))?;
    }
    writeln!(out, "\n{} kinds of events", reasons.len())?;
    let (reads, writes) = (ruleset.read_paths(), ruleset.write_paths());
    writeln!(out, "opens that only read: {}", paths(reads))?;
    writeln!(out, "opens that may change: {}", paths(writes))?;
    Ok(())
}

fn only(endings: &[&str]) -> String {
    if endings.is_empty() || endings.len() == Ending::ALL.len() {
        String::new()
    } else {
        format!(" (only {})", endings.join(", "))
    }
}

fn paths(wanted: &OpenPaths) -> String {
    let OpenPaths::Of(parts) = wanted else {
        return "any path".to_owned();
    };
    if parts.is_empty() {
        return "secrets".to_owned();
    }
    let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for part in parts {
        let (kind, text) = match part {
            PathPart::Start(text) => ("begin with", text),
            PathPart::End(text) => ("end with", text),
            PathPart::FolderEnd(text) => ("lie in a folder that ends with", text),
        };
        let text = text.escape_ascii().to_string();
        kinds.entry(kind).or_default().push(text);
    }
    let kinds = kinds
        .into_iter()
        .map(|(kind, texts)| format!("{kind} {}", texts.join(", ")));
    let kinds: Vec<String> = kinds.collect();
    format!("secrets, and paths that {}", kinds.join("; "))
}

fn rules(names: &[String]) -> Option<String> {
    let first = names.get(..names.len().min(NAMED)).unwrap_or_default();
    if first.is_empty() {
        return None;
    }
    let more = names.len() - first.len();
    let more = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    Some(format!("rules: {}{more}", first.join(", ")))
}

/// An object: by event, the rules that ask for it and the state that hangs on it.
pub(super) fn json(
    reasons: &BTreeMap<&'static str, Reasons>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let events: serde_json::Map<String, serde_json::Value> = reasons
        .iter()
        .map(|(name, reason)| {
            let why = json!({
                "rules": reason.rules,
                "state": reason.state,
                "endings": reason.endings,
            });
            ((*name).to_owned(), why)
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &events)?;
    writeln!(out)?;
    Ok(())
}
