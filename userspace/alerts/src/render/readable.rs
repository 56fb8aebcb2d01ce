//! The form for people at a terminal: what happened first, then who and where, one subject a line.

use std::fmt::Write as _;

use vigia_engine::Priority;

use super::TimeStyle;
use crate::alert::{Alert, ContainerEvidence, Evidence};
use crate::text::escape_for_reading;

const RESET: &str = "\u{1b}[0m";
const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
/// Subjects stand below the rule's name.
const INDENT: &str = "          ";
/// Ancestors and sample paths that are shown of those in the alert.
const SHOWN: usize = 4;
/// Characters of a message or of a subject; the JSON line has the rest.
const MAX_CHARACTERS: usize = 400;

pub(super) fn lines(alert: &Alert, style: &TimeStyle, colour: bool) -> String {
    let paint = |code: &'static str| if colour { code } else { "" };
    let mut out = String::with_capacity(512);
    let time = style.print(alert.time_ns);
    let time = time.split('.').next().unwrap_or(&time);
    let (bold, dim, reset, accent) = (
        paint(BOLD),
        paint(DIM),
        paint(RESET),
        paint(accent(alert.priority)),
    );
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{dim}{time}{reset}  {accent}{}{reset}  {bold}{}{reset}",
        alert.priority,
        shown(&alert.rule)
    );
    let _ = writeln!(out, "{INDENT}{}", shown(&alert.message));
    for (name, value) in subjects(alert) {
        let _ = writeln!(out, "{INDENT}{dim}{name:<9}{reset} {}", shown(&value));
    }
    out
}

fn accent(priority: Priority) -> &'static str {
    match priority {
        Priority::Emergency | Priority::Alert | Priority::Critical => "\u{1b}[1;31m",
        Priority::Error => "\u{1b}[31m",
        Priority::Warning => "\u{1b}[33m",
        Priority::Notice => "\u{1b}[36m",
        Priority::Informational | Priority::Debug => DIM,
    }
}

fn shown(text: &str) -> String {
    let head = text
        .char_indices()
        .nth(MAX_CHARACTERS)
        .map_or(text, |(end, _)| &text[..end]);
    let mut line = escape_for_reading(head);
    if head.len() < text.len() {
        line.push('…');
    }
    line
}

fn subjects(alert: &Alert) -> Vec<(&'static str, String)> {
    let evidence = &alert.evidence;
    let rows = [
        ("container", alert.container.as_ref().map(container)),
        ("process", process(evidence)),
        ("file", file(evidence)),
        ("secret", secret(evidence)),
        ("paths", paths(evidence)),
    ];
    rows.into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect()
}

fn container(container: &ContainerEvidence) -> String {
    let mut line = match &container.name {
        Some(name) => name.clone(),
        None => container.id.chars().take(12).collect(),
    };
    if let Some(image) = &container.image {
        let _ = write!(line, " ({image})");
    }
    if let Some(service) = container
        .swarm
        .as_ref()
        .and_then(|swarm| swarm.service.as_ref())
    {
        let _ = write!(line, ", service {service}");
    }
    if container.read_only == Some(true) {
        line.push_str(", read-only");
    }
    line
}

fn process(evidence: &Evidence) -> Option<String> {
    let process = evidence.process.as_ref()?;
    let mut line = format!("{} [pid {}]", process.cmdline, process.pid);
    for ancestor in process.ancestors.iter().take(SHOWN) {
        let _ = write!(line, " < {ancestor}");
    }
    Some(line)
}

fn file(evidence: &Evidence) -> Option<String> {
    let file = evidence.file.as_ref()?;
    let mut line = file.path.clone().or_else(|| file.real_path.clone())?;
    if let Some(real) = file.real_path.as_ref().filter(|real| **real != line) {
        let _ = write!(line, " -> {real}");
    }
    if let Some(result) = evidence.result.as_ref().filter(|result| result.value < 0) {
        let _ = write!(line, ", {}", result.name);
    }
    Some(line)
}

fn secret(evidence: &Evidence) -> Option<String> {
    let secret = evidence.secret.as_ref()?;
    Some(format!(
        "{} read by {}: {}",
        secret.name, secret.reader, secret.reason
    ))
}

fn paths(evidence: &Evidence) -> Option<String> {
    let (first, rest) = evidence
        .samples
        .split_at_checked(SHOWN)
        .unwrap_or((&evidence.samples, &[]));
    let mut line = first.join("  ");
    if !rest.is_empty() {
        let _ = write!(line, "  and {} more", rest.len());
    }
    (!line.is_empty()).then_some(line)
}
