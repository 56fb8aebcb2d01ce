//! `vigia explain --syscalls`: which events are captured, and why.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::json;

use crate::interest::Reasons;

/// Rules named in one line of text; JSON names all.
const NAMED: usize = 3;

/// A line for each event: its name, the state that hangs on it, the rules that ask for it.
pub(super) fn text(
    reasons: &BTreeMap<&'static str, Reasons>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let width = reasons.keys().map(|name| name.len()).max().unwrap_or(0);
    for (name, reason) in reasons {
        let state = reason.state.map(|state| format!("state: {state}"));
        let why: Vec<String> = state.into_iter().chain(rules(&reason.rules)).collect();
        writeln!(out, "{name:width$}  {}", why.join("; "))?;
    }
    writeln!(out, "\n{} kinds of events", reasons.len())?;
    Ok(())
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
            let why = json!({"rules": reason.rules, "state": reason.state});
            ((*name).to_owned(), why)
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &events)?;
    writeln!(out)?;
    Ok(())
}
