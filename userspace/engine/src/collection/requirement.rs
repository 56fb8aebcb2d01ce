//! What a rule file requires of the engine that loads it.

use rustc_hash::FxHashSet;

use super::item::ItemReader;
use crate::diagnostics::{Code, Problem};
use crate::keys;
use crate::source::Span;
use crate::yaml::Kind;

/// The version of Falco's rule engine whose language this engine speaks.
const ENGINE_VERSION: (&str, Version) = ("0.63.0", (0, 63, 0));

/// Container metadata comes from a plugin in Falco and is built in here.
const CONTAINER_PLUGIN: (&str, Version) = ("container", (0, 7, 1));

type Version = (u64, u64, u64);

/// Checks `required_engine_version`.
pub(super) fn engine_version(item: &mut ItemReader<'_, '_>) {
    item.check_keys(&keys::ENGINE_VERSION);
    let Some(text) = item.text("required_engine_version") else {
        return;
    };
    let span = text.whole();
    let required = match parse_number(&text.text) {
        Some(number) => Some((0, number, 0)),
        None => parse_version(&text.text),
    };
    match required {
        None => {
            item.invalid(span, Problem::InvalidEngineVersion { given: text.text });
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

/// Checks `required_plugin_versions`. What is there does not change while files are read, so this need not wait
/// for the last file, as it does in Falco; the report puts what is missing in front.
pub(super) fn plugin_versions(item: &mut ItemReader<'_, '_>) {
    item.check_keys(&keys::PLUGIN_VERSIONS);
    if !matches!(
        item.get("required_plugin_versions").map(|node| &node.kind),
        Some(Kind::Sequence(_) | Kind::Null)
    ) {
        let span = item.key_span("required_plugin_versions");
        let key = "required_plugin_versions";
        return item.invalid(span, Problem::NotAMapSequence { key });
    }
    for (span, entries) in item.maps("required_plugin_versions") {
        let mut entry = item.inner(span, entries);
        entry.check_keys(&keys::PLUGIN);
        let mut read = vec![plugin(&mut entry)];
        for (span, entries) in entry.maps("alternatives") {
            let mut alternative: ItemReader<'_, '_> = entry.inner(span, entries);
            alternative.check_keys(&keys::PLUGIN_ALTERNATIVE);
            read.push(plugin(&mut alternative));
        }
        // What is wrong with one of them was said.
        if let Some(read) = read.into_iter().collect::<Option<Vec<_>>>() {
            check(&mut entry, span, &read);
        }
    }
}

/// A plugin that serves, and the oldest version that does.
struct Plugin {
    name: String,
    name_span: Span,
    version: Version,
}

fn plugin(entry: &mut ItemReader<'_, '_>) -> Option<Plugin> {
    let name = entry.name("name");
    let version = entry.text("version").and_then(|text| {
        let version = parse_version(&text.text);
        if version.is_none() {
            let span = text.whole();
            entry.invalid(span, Problem::InvalidPluginVersion { given: text.text });
        }
        version
    });
    let (name, name_span) = name?;
    Some(Plugin {
        name,
        name_span,
        version: version?,
    })
}

fn check(entry: &mut ItemReader<'_, '_>, span: Span, plugins: &[Plugin]) {
    let mut names: FxHashSet<&str> = FxHashSet::default();
    for plugin in plugins {
        if !names.insert(&plugin.name) {
            let name = plugin.name.clone();
            entry.problem(
                Code::Validate,
                plugin.name_span,
                Problem::PluginNamedTwice { name },
            );
            return;
        }
    }
    let (name, own) = CONTAINER_PLUGIN;
    let served = plugins
        .iter()
        .any(|plugin| plugin.name == name && satisfies(own, plugin.version));
    if !served {
        let alternatives: Vec<String> = plugins
            .iter()
            .map(|plugin| {
                let (major, minor, patch) = plugin.version;
                format!("{} (>= {major}.{minor}.{patch})", plugin.name)
            })
            .collect();
        let problem = Problem::PluginMissing {
            alternatives: alternatives.join(", "),
        };
        entry.problem(Code::Validate, span, problem);
    }
}

/// Same major version, and no older.
fn satisfies(own: Version, required: Version) -> bool {
    own.0 == required.0 && own >= required
}

fn parse_version(text: &str) -> Option<Version> {
    let mut parts = text.split('.').map(parse_number);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(Some(major)), Some(Some(minor)), Some(Some(patch)), None) => {
            Some((major, minor, patch))
        }
        _ => None,
    }
}

fn parse_number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}
