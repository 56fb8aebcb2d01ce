//! What a rule file requires of the engine that loads it.

use crate::diagnostics::{Code, Problem};
use crate::keys;
use crate::yaml::{Kind, Node};

use super::item::ItemReader;

/// The version of Falco's rule engine whose language this engine speaks.
const ENGINE_VERSION: (&str, Version) = ("0.63.0", (0, 63, 0));

/// Container metadata comes from a plugin in Falco and is built in here.
const CONTAINER_PLUGIN: (&str, Version) = ("container", (0, 7, 1));

type Version = (u64, u64, u64);

/// Checks `required_engine_version`.
pub(super) fn engine_version(item: &mut ItemReader<'_, '_>) {
    item.check_keys(&keys::ENGINE_VERSION, &[]);
    let Some(text) = item.text("required_engine_version") else {
        return;
    };
    let span = text.span(0, text.text.len());
    let required = match text.text.parse::<u64>() {
        Ok(number) => Some((0, number, 0)),
        Err(_) => parse_version(&text.text),
    };
    match required {
        None => {
            item.problem(
                Code::YamlValidate,
                span,
                Problem::InvalidEngineVersion { given: text.text },
            );
        }
        Some(required) if !satisfies(ENGINE_VERSION.1, required) => {
            let problem = Problem::EngineTooOld {
                required: text.text,
                own: ENGINE_VERSION.0,
            };
            item.problem(Code::Validate, span, problem);
        }
        Some(_) => {}
    }
}

/// Checks `required_plugin_versions`.
pub(super) fn plugin_versions(item: &mut ItemReader<'_, '_>) {
    item.check_keys(&keys::PLUGIN_VERSIONS, &[]);
    let Some(node) = item.get("required_plugin_versions") else {
        return;
    };
    let Kind::Sequence(entries) = &node.kind else {
        return item.problem(
            Code::YamlValidate,
            node.span,
            Problem::InvalidPluginRequirement,
        );
    };
    for entry in entries {
        let mut alternatives = vec![&**entry];
        if let Some(Kind::Sequence(others)) = value(entry, "alternatives").map(|node| &node.kind) {
            alternatives.extend(others.iter().map(|node| &**node));
        }
        let read: Option<Vec<(&str, Version)>> = alternatives
            .iter()
            .map(|node| {
                Some((
                    value(node, "name")?.scalar()?,
                    parse_version(value(node, "version")?.scalar()?)?,
                ))
            })
            .collect();
        match read {
            None => item.problem(
                Code::YamlValidate,
                entry.span,
                Problem::InvalidPluginRequirement,
            ),
            Some(read) => {
                let (name, own) = CONTAINER_PLUGIN;
                if !read
                    .iter()
                    .any(|&(plugin, required)| plugin == name && satisfies(own, required))
                {
                    let alternatives: Vec<String> = read
                        .iter()
                        .map(|(name, (a, b, c))| format!("{name} (>= {a}.{b}.{c})"))
                        .collect();
                    let problem = Problem::PluginMissing {
                        alternatives: alternatives.join(", "),
                    };
                    item.problem(Code::Validate, entry.span, problem);
                }
            }
        }
    }
}

fn value<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    match &node.kind {
        Kind::Mapping(entries) => entries
            .iter()
            .find(|(name, _)| name.scalar() == Some(key))
            .map(|(_, value)| &**value),
        _ => None,
    }
}

/// Same major version, and no older.
fn satisfies(own: Version, required: Version) -> bool {
    own.0 == required.0 && own >= required
}

fn parse_version(text: &str) -> Option<Version> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(Some(major)), Some(Some(minor)), Some(Some(patch)), None) => {
            Some((major, minor, patch))
        }
        _ => None,
    }
}
