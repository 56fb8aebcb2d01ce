//! One alert: what a rule found, with the evidence a reader needs to judge it, and nothing secret.
//!
//! Everything is text by now: bounded, valid UTF-8, redacted. Later stages count, store, render and send an alert,
//! but never look at the event again.

mod container;
mod evidence;
mod fields;
mod identity;
mod subject;
pub(crate) mod texts;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use vigia_engine::{Match, Outcome, Priority, Template};

use vigia_event::{Event, Extracted, Metadata, Node, Spelling, View};

pub use container::{
    ComposeEvidence, ContainerEvidence, PodEvidence, SwarmEvidence, VulnerabilityEvidence,
};
pub use evidence::{
    Evidence, FileEvidence, MountEvidence, ProcessEvidence, ResultEvidence, SecretEvidence,
    UserEvidence,
};
pub use fields::shown;
pub use identity::AlertId;
pub use subject::Subject;

use crate::redact::Redactor;
use texts::Texts;

/// Bytes of a message.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;
/// Tags of an alert, and bytes of each.
const MAX_TAGS: usize = 64;
const MAX_TAG_BYTES: usize = 128;
/// Bytes of a rule's name.
const MAX_RULE_BYTES: usize = 512;

/// What every alert of one agent has in common.
#[derive(Debug)]
pub struct Context {
    /// Hides secrets.
    pub redactor: Redactor,
    /// Fields of the user's own, as in `cluster: eu-1`; copied to `metadata.fields`.
    pub fixed_fields: BTreeMap<String, String>,
    /// The agent's version.
    pub agent_version: &'static str,
    /// Whether outputs begin with date, time and zone; the field that carries the time is named after that.
    pub iso8601: bool,
}

impl Context {
    /// The name under which output fields carry the time in front of an output.
    fn time_field(&self) -> String {
        let name = if self.iso8601 {
            "evt.time.iso8601"
        } else {
            "evt.time"
        };
        name.to_owned()
    }
}

/// What a rule said about an event.
#[derive(Debug)]
pub(crate) struct Finding<'f, 'e> {
    /// The rule's name.
    pub rule: &'f str,
    /// Its priority.
    pub priority: Priority,
    /// Its source, as in `syscall`.
    pub source: &'f str,
    /// Its tags.
    pub tags: &'f [String],
    /// The spelling of the path under which it fired.
    pub spelling: Spelling,
    /// Whether it would fire or not depending on values that are not known yet.
    pub is_partial: bool,
    /// The output, already rendered from redacted values.
    pub message: String,
    /// The fields of the output, as written there.
    pub fields: Vec<(&'f str, Extracted<'e>)>,
    /// Values of the fields that say which repeats are about the same object; empty for the usual order (secret,
    /// path, executable).
    pub group: Vec<Extracted<'e>>,
    /// For how many seconds its repeats are folded; `None`: as the throttle's options say.
    pub window_s: Option<u32>,
}

/// One alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Names it for good: judging the same event again gives the same id.
    pub id: AlertId,
    /// The rule's name.
    pub rule: String,
    /// How bad it is.
    pub priority: Priority,
    /// `syscall`, or `internal` for what the agent reports about itself.
    pub source: String,
    /// Sorted.
    pub tags: Vec<String>,
    /// When it happened: nanoseconds since the epoch.
    pub time_ns: u64,
    /// The rule's output.
    pub message: String,
    /// The fields of the output with their values, typed; `null` for what is missing.
    pub output_fields: BTreeMap<String, Json>,
    /// The node's name.
    pub hostname: String,
    /// The container; `None` on the host.
    pub container: Option<ContainerEvidence>,
    /// What was seen.
    pub evidence: Evidence,
    /// About the alert itself.
    pub metadata: AlertMetadata,
    /// What it is about, for telling repeats; never shown.
    pub subject: Subject,
    /// For how many seconds repeats of it are folded, where its rule says so; never shown.
    pub window_s: Option<u32>,
}

/// About an alert itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AlertMetadata {
    /// The version of the agent that raised it.
    pub agent_version: String,
    /// What is known of the container from its engine: `known`, `pending` or `unavailable`; `None` on the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<&'static str>,
    /// The user's own fields.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// The node's name.
    pub node: String,
}

impl Alert {
    /// The alert of a match.
    #[must_use]
    pub fn new(event: &Event, found: &Match<'_>, context: &Context) -> Self {
        let rule = found.rule;
        let view = View {
            event,
            spelling: found.spelling,
        };
        let texts = Texts::of_event(&context.redactor, event);
        let mut fields = rule.output.fields(view);
        for extra in rule.extra_fields.iter().filter(|extra| !extra.is_text()) {
            fields.retain(|(name, _)| *name != extra.name());
            fields.push((extra.name(), extra.extract(view)));
        }
        // Values are redacted one by one, where their end is known, and not in the finished sentence, where
        // `secret=NAME` would look like a secret with its name.
        let text_of = |template: &Template| {
            template.render_with(view, &mut |field, value| {
                texts.field(field, value.as_bytes())
            })
        };
        let finding = Finding {
            rule: &rule.name,
            priority: rule.priority,
            source: &rule.source,
            tags: &rule.tags,
            spelling: found.spelling,
            is_partial: found.outcome == Outcome::Partial,
            message: text_of(&rule.output),
            fields,
            group: rule
                .group_by
                .iter()
                .map(|field| field.extract(view))
                .collect(),
            window_s: rule.window_s,
        };
        let mut alert = Self::of_finding(event, finding, &texts, context);
        for extra in rule.extra_fields.iter().filter(|extra| extra.is_text()) {
            let text = texts.cut(text_of(extra.template()), texts::TEXT_BYTES);
            let name = texts.plain(extra.name().as_bytes(), texts::NAME_BYTES);
            alert.output_fields.insert(name, text.into());
        }
        alert
    }

    /// The alert of a finding.
    pub(crate) fn of_finding(
        event: &Event,
        finding: Finding<'_, '_>,
        texts: &Texts<'_>,
        context: &Context,
    ) -> Self {
        let view = View {
            event,
            spelling: finding.spelling,
        };
        let mut evidence = Evidence::of_view(view, texts);
        evidence.partial = finding.is_partial;
        evidence.unknown = fields::unknown(&finding.fields);
        let mut priority = finding.priority;
        let mut message = texts.cut(finding.message, MAX_MESSAGE_BYTES);
        if finding.is_partial {
            // Whether the rule fires depends on what the engine has not said yet: worth a note, not a page.
            priority = priority.max(Priority::Notice);
            message = format!("Undecided while container metadata is unknown: {message}");
        }
        Self {
            id: AlertId::of_event(event, finding.rule, finding.spelling),
            rule: texts.plain(finding.rule.as_bytes(), MAX_RULE_BYTES),
            priority,
            source: finding.source.to_owned(),
            tags: sorted_tags(finding.tags, texts),
            time_ns: event.time_ns,
            message,
            output_fields: fields::typed(
                &finding.fields,
                (context.time_field(), event.time_ns),
                texts,
            ),
            hostname: texts.plain(&event.node.name, texts::NAME_BYTES),
            container: event
                .container
                .as_deref()
                .map(|container| ContainerEvidence::of(container, texts)),
            subject: Subject::new(view, finding.rule, &finding.group, finding.is_partial),
            window_s: finding.window_s,
            evidence,
            metadata: AlertMetadata {
                container: event
                    .container
                    .as_ref()
                    .map(|container| metadata_state(&container.metadata)),
                ..AlertMetadata::of_agent(&event.node, context)
            },
        }
    }

    /// What the agent says about itself, as in "records were lost"; `fields` become output fields.
    #[must_use]
    pub fn internal(
        rule: &str,
        priority: Priority,
        message: String,
        fields: BTreeMap<String, Json>,
        time_ns: u64,
        node: &Node,
        context: &Context,
    ) -> Self {
        let texts = Texts::plain_only(&context.redactor);
        let mut output_fields = fields;
        output_fields.insert(context.time_field(), time_ns.into());
        Self {
            id: AlertId::of_parts(&[
                &node.boot_id,
                rule.as_bytes(),
                &time_ns.to_le_bytes(),
                message.as_bytes(),
            ]),
            rule: rule.to_owned(),
            priority,
            source: "internal".to_owned(),
            tags: Vec::new(),
            time_ns,
            message: texts.cut(message, MAX_MESSAGE_BYTES),
            output_fields,
            hostname: texts.plain(&node.name, texts::NAME_BYTES),
            container: None,
            evidence: Evidence::default(),
            metadata: AlertMetadata::of_agent(node, context),
            subject: Subject::internal(rule),
            window_s: None,
        }
    }
}

/// The path an event is about, as its alert would list it among the samples of a summary.
pub(crate) fn sample_path(event: &Event, context: &Context) -> Option<String> {
    let path = event.paths.given.as_ref().or(event.paths.real.as_ref())?;
    Some(Texts::of_event(&context.redactor, event).text(path))
}

impl AlertMetadata {
    fn of_agent(node: &Node, context: &Context) -> Self {
        Self {
            agent_version: context.agent_version.to_owned(),
            container: None,
            fields: context.fixed_fields.clone(),
            node: crate::text::lossy(&node.name, texts::NAME_BYTES),
        }
    }
}

fn metadata_state(metadata: &Metadata) -> &'static str {
    match metadata {
        Metadata::Known(_) => "known",
        Metadata::Pending => "pending",
        Metadata::Unavailable => "unavailable",
    }
}

fn sorted_tags(tags: &[String], texts: &Texts<'_>) -> Vec<String> {
    let mut tags: Vec<String> = tags
        .iter()
        .take(MAX_TAGS)
        .map(|tag| texts.plain(tag.as_bytes(), MAX_TAG_BYTES))
        .collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

#[cfg(test)]
mod tests;
