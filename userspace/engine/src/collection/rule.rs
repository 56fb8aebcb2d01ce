//! Rules: defined, switched on or off, appended to, and changed key by key.

use super::change::{Change, Update};
use super::exceptions::{Checking, Exceptions};
use super::item::ItemReader;
use super::{Collection, RuleDefinition};
use crate::compile::SYSCALL;
use crate::diagnostics::{Code, Item, Problem, nearest};
use crate::fields::Catalogue;
use crate::keys;
use crate::priority::Priority;
use crate::source::{Span, Text};

impl Collection {
    pub(super) fn read_rule(&mut self, item: &mut ItemReader<'_, '_>, catalogue: Catalogue<'_>) {
        let Some((name, name_span)) = item.name("rule") else {
            return;
        };
        item.item = Some(Item::Rule(name.clone()));
        item.check_keys(&keys::RULE);
        let defines = ["condition", "output", "desc", "priority"];
        match Change::read(item, &keys::RULE) {
            None => {}
            Some(Change::Define) if defines.iter().any(|key| item.has(key)) => {
                self.define_rule(item, name, name_span, catalogue);
            }
            Some(Change::Define) => self.switch_rule(item, &name, name_span),
            Some(Change::Append) => {
                let append: Vec<_> = ["condition", "exceptions"]
                    .into_iter()
                    .filter(|key| item.has(key))
                    .collect();
                if append.is_empty() {
                    return item.problem(Code::Validate, name_span, Problem::NothingAppended);
                }
                let update = Update {
                    append,
                    replace: Vec::new(),
                };
                let missing = |nearest| Problem::NothingToAppendTo {
                    kind: "Rule",
                    key: "condition",
                    nearest,
                };
                self.update_rule(item, (&name, name_span), &update, missing, catalogue);
            }
            Some(Change::Override(update)) => {
                let missing = |nearest| Problem::NothingToOverride { nearest };
                self.update_rule(item, (&name, name_span), &update, missing, catalogue);
            }
        }
    }

    fn define_rule(
        &mut self,
        item: &mut ItemReader<'_, '_>,
        name: String,
        name_span: Span,
        catalogue: Catalogue<'_>,
    ) {
        let condition = item.text("condition");
        let output = output(item);
        let description = item.text("desc");
        let priority = priority(item);
        let source = item
            .optional_text("source")
            .map_or_else(|| SYSCALL.to_owned(), |text| text.text);
        let skip_if_unknown_filter = item.bool("skip-if-unknown-filter", false);
        let exceptions = if source == SYSCALL {
            let checking = Checking {
                bytes: &self.exception_bytes,
                catalogue,
                tolerant: skip_if_unknown_filter,
            };
            Exceptions::define(item, checking)
        } else {
            Exceptions::default()
        };
        let rule = RuleDefinition {
            name: name.clone(),
            name_span,
            // A rule that lacks something else is checked all the same, so that all its mistakes show at once.
            condition: condition.clone().unwrap_or_default(),
            output: output.unwrap_or_default(),
            description: description.map_or_else(String::new, description_text),
            priority: priority.unwrap_or_default(),
            source,
            enabled: item.bool("enabled", true),
            warn_event_types: item.bool("warn_evttypes", true),
            skip_if_unknown_filter,
            capture: item.bool("capture", false),
            capture_duration_ms: item.number("capture_duration"),
            tags: tags(item),
            group_by: group_by(item),
            window_s: window_s(item),
            exceptions,
        };
        if condition.is_none() {
            return;
        }
        self.definitions += 1;
        match self.rule_slots.get(&name) {
            Some(&slot) if self.rules[slot].source != rule.source => {
                item.problem(Code::Validate, name_span, Problem::SourceChanged);
            }
            Some(&slot) => self.rules[slot] = rule,
            None => {
                self.rule_slots.insert(name, self.rules.len());
                self.rules.push(rule);
            }
        }
    }

    /// The old way to switch a rule on or off that an earlier item defined.
    fn switch_rule(&mut self, item: &mut ItemReader<'_, '_>, name: &str, name_span: Span) {
        if !item.has("enabled") {
            return item.invalid(name_span, Problem::MissingKey { key: "enabled" });
        }
        let enabled = item.bool("enabled", true);
        let what = "'enabled' without a rule definition".to_owned();
        item.problem(
            Code::DeprecatedItem,
            name_span,
            Problem::Deprecated { what },
        );
        match self.rule_slots.get(name) {
            Some(&slot) => self.rules[slot].enabled = enabled,
            None => {
                let problem = Problem::EnabledWithoutRule {
                    name: name.to_owned(),
                    nearest: self.nearest_rule(name),
                };
                item.problem(Code::Validate, name_span, problem);
            }
        }
    }

    /// Appends to a rule and replaces parts of it, in this order.
    fn update_rule(
        &mut self,
        item: &mut ItemReader<'_, '_>,
        (name, name_span): (&str, Span),
        update: &Update,
        missing: impl Fn(Option<String>) -> Problem,
        catalogue: Catalogue<'_>,
    ) {
        let Some(&slot) = self.rule_slots.get(name) else {
            let problem = missing(self.nearest_rule(name));
            return item.problem(Code::Validate, name_span, problem);
        };
        self.definitions += 1;
        let rule = &mut self.rules[slot];
        let checking = Checking {
            bytes: &self.exception_bytes,
            catalogue,
            tolerant: rule.skip_if_unknown_filter,
        };
        // The fields of other sources are not known here.
        if rule.source == SYSCALL {
            if update.append.contains(&"exceptions") {
                rule.exceptions.append(item, checking);
            }
            if update.replace.contains(&"exceptions") {
                rule.exceptions = Exceptions::define(item, checking);
            }
        }
        for &key in &update.append {
            rule.append(item, key);
        }
        for &key in &update.replace {
            rule.replace(item, key);
        }
    }

    fn nearest_rule(&self, name: &str) -> Option<String> {
        nearest(name, self.rules.iter().map(|rule| rule.name.as_str()))
    }
}

impl RuleDefinition {
    /// Appends the value of a key, unless it is empty.
    fn append(&mut self, item: &mut ItemReader<'_, '_>, key: &str) {
        match key {
            "condition" => {
                if let Some(condition) = item.optional_text("condition") {
                    append_text(&mut self.condition, &condition);
                }
            }
            "output" => {
                if let Some(mut output) = item.optional_text("output") {
                    output.trim();
                    append_text(&mut self.output, &output);
                }
            }
            "desc" => {
                if let Some(description) = item.optional_text("desc") {
                    self.description.push(' ');
                    self.description.push_str(&description_text(description));
                }
            }
            "tags" => {
                self.tags.append(&mut tags(item));
            }
            // Exceptions are the caller's; nothing else can be appended to.
            _ => {}
        }
    }

    fn replace(&mut self, item: &mut ItemReader<'_, '_>, key: &str) {
        match key {
            // What is wrong leaves the old value, which is no second mistake.
            "condition" => {
                if let Some(condition) = item.text("condition") {
                    self.condition = condition;
                }
            }
            "output" => {
                if let Some(output) = output(item) {
                    self.output = output;
                }
            }
            "desc" => {
                if let Some(description) = item.text("desc") {
                    self.description = description_text(description);
                }
            }
            "priority" => {
                if let Some(priority) = priority(item) {
                    self.priority = priority;
                }
            }
            "tags" => self.tags = tags(item),
            "enabled" => self.enabled = item.bool("enabled", true),
            "warn_evttypes" => self.warn_event_types = item.bool("warn_evttypes", true),
            "skip-if-unknown-filter" => {
                self.skip_if_unknown_filter = item.bool("skip-if-unknown-filter", false);
            }
            "capture" => self.capture = item.bool("capture", false),
            "capture_duration" => self.capture_duration_ms = item.number("capture_duration"),
            "group_by" => self.group_by = group_by(item),
            "window_s" => self.window_s = window_s(item),
            // Exceptions are the caller's; nothing else can be replaced.
            _ => {}
        }
    }
}

fn append_text(text: &mut Text, more: &Text) {
    text.push_made(" ", more.whole());
    text.push(more);
}

fn description_text(text: Text) -> String {
    text.text.trim_end().to_owned()
}

fn output(item: &mut ItemReader<'_, '_>) -> Option<Text> {
    let mut output = item.text("output")?;
    output.trim();
    Some(output)
}

fn priority(item: &mut ItemReader<'_, '_>) -> Option<Priority> {
    let text = item.text("priority")?;
    let priority = text.text.parse().ok();
    if priority.is_none() {
        let span = text.whole();
        item.invalid(span, Problem::InvalidPriority { given: text.text });
    }
    priority
}

fn tags(item: &mut ItemReader<'_, '_>) -> Vec<String> {
    item.scalars("tags", false)
        .unwrap_or_default()
        .iter()
        .filter_map(|node| node.scalar().map(str::to_owned))
        .collect()
}

fn group_by(item: &mut ItemReader<'_, '_>) -> Vec<(String, Span)> {
    item.scalars("group_by", false)
        .unwrap_or_default()
        .iter()
        .filter_map(|node| Some((node.scalar()?.to_owned(), node.span)))
        .collect()
}

fn window_s(item: &mut ItemReader<'_, '_>) -> Option<u32> {
    item.has("window_s").then(|| item.number("window_s"))
}
