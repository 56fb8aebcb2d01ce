//! The JSON line: Falco's keys, and `container`, `evidence` and `metadata` beside them.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use serde_json::Value as Json;
use serde_json::ser::{Formatter, Serializer};

use super::{JsonProperties, utc};
use crate::alert::{Alert, AlertId, AlertMetadata, ContainerEvidence, Evidence};
use crate::text::{cut, is_deceptive, push_unicode_escape};

/// The longest JSON line, in bytes, without its line end.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// Bytes per string that are tried, in this order, where a line would be longer.
const STRING_LIMITS: [usize; 4] = [2048, 512, 128, 32];
/// Output fields and list entries that stay in the last resort.
const LAST_RESORT_ENTRIES: usize = 32;

/// The line; keys in alphabetical order.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a ContainerEvidence>,
    evidence: &'a Evidence,
    hostname: &'a str,
    id: &'a AlertId,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    metadata: &'a AlertMetadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_fields: Option<&'a BTreeMap<String, Json>>,
    priority: &'static str,
    rule: &'a str,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [String]>,
    time: String,
}

/// The alert as one line of at most [`MAX_LINE_BYTES`]; what had to be cut is marked by `"truncated":true`.
pub(super) fn line(alert: &Alert, output: &str, properties: JsonProperties) -> String {
    let line = Line {
        container: alert.container.as_ref(),
        evidence: &alert.evidence,
        hostname: &alert.hostname,
        id: &alert.id,
        message: properties.message.then_some(&alert.message),
        metadata: &alert.metadata,
        output: properties.output.then_some(output),
        output_fields: properties.output_fields.then_some(&alert.output_fields),
        priority: alert.priority.name(),
        rule: &alert.rule,
        source: &alert.source,
        tags: properties.tags.then_some(&alert.tags),
        time: utc(alert.time_ns),
    };
    let whole = compact(&line);
    if whole.len() <= MAX_LINE_BYTES {
        return whole;
    }
    shortened(serde_json::to_value(&line).unwrap_or_default())
}

fn shortened(mut tree: Json) -> String {
    tree["truncated"] = true.into();
    for limit in STRING_LIMITS {
        cut_strings(&mut tree, limit);
        let line = compact(&tree);
        if line.len() <= MAX_LINE_BYTES {
            return line;
        }
    }
    cut_entries(&mut tree);
    compact(&tree)
}

fn cut_strings(tree: &mut Json, limit: usize) {
    match tree {
        Json::String(text) => *text = cut(std::mem::take(text).into(), limit).into_owned(),
        Json::Array(entries) => entries
            .iter_mut()
            .for_each(|entry| cut_strings(entry, limit)),
        Json::Object(entries) => entries
            .values_mut()
            .for_each(|entry| cut_strings(entry, limit)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// Keys are bounded where they are made, so a bounded number of entries bounds the line.
fn cut_entries(tree: &mut Json) {
    match tree {
        Json::Array(entries) => {
            entries.truncate(LAST_RESORT_ENTRIES);
            entries.iter_mut().for_each(cut_entries);
        }
        Json::Object(entries) => {
            let surplus: Vec<String> = entries.keys().skip(LAST_RESORT_ENTRIES).cloned().collect();
            for key in surplus {
                entries.remove(&key);
            }
            entries.values_mut().for_each(cut_entries);
        }
        _ => {}
    }
}

fn compact(value: &impl Serialize) -> String {
    let mut bytes = Vec::with_capacity(2048);
    let mut serializer = Serializer::with_formatter(&mut bytes, VisibleControls);
    // Maps have text keys and writing to a Vec cannot fail, so there is no error to lose.
    let _ = value.serialize(&mut serializer);
    String::from_utf8(bytes).unwrap_or_default()
}

/// Compact JSON that escapes deceptive characters beyond ASCII, too: a line can be shown in a terminal as it is.
struct VisibleControls;

impl Formatter for VisibleControls {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, character)) = rest
            .char_indices()
            .find(|(_, character)| is_deceptive(*character))
        {
            let mut escaped = String::new();
            push_unicode_escape(&mut escaped, character);
            writer.write_all(&rest.as_bytes()[..at])?;
            writer.write_all(escaped.as_bytes())?;
            rest = &rest[at + character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}
