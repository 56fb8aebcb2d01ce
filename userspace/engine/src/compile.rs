//! Rule files to a ruleset, with everything that is wrong in them.

use std::cell::Cell;
use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use vigia_event::EventType;

use crate::appended::{Additions, AppendOutput};
use crate::collection::{Collection, RuleDefinition};
use crate::condition::cursor::Failure;
use crate::diagnostics::{Code, Diagnostic, Item, Problem, Report};
use crate::domains;
use crate::events::EventTypes;
use crate::explain::outline;
use crate::fields::{Catalogue, FieldReference};
use crate::graph::NodeId;
use crate::interpret::{self, Kept};
use crate::lower::{self, Lowered, Lowering};
use crate::plan::Plans;
use crate::priority::Priority;
use crate::program::Program;
use crate::ruleset::{Rule, RuleMatching, Ruleset, is_execution};
use crate::selection::{self, Selection};
use crate::sought::Sought;
use crate::source::{Source, Span, Text};
use crate::template::{Printing, Template};

/// A rule that matches more event types than this is slow, and usually an oversight.
const MANY_EVENT_TYPES: usize = 100;

/// For how many unknown fields, event types and macros of all files the nearest one is looked for.
const MOST_SUGGESTIONS: u32 = 1000;

/// The only source of events there is.
pub(crate) const SYSCALL: &str = "syscall";

/// How rules are compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Rules that are less urgent than this are checked, and never asked.
    pub minimum_priority: Priority,
    /// Switches rules on and off, in this order, after all files are read.
    pub selections: Vec<Selection>,
    /// What is appended to outputs; by default who the container is.
    pub append_output: Vec<AppendOutput>,
    /// Names and values of fields that are the same for every event: conditions and outputs know them as
    /// `static.NAME`.
    pub static_fields: Vec<(String, String)>,
    /// Rule files that are larger together, in bytes, are refused unread.
    pub maximum_bytes: usize,
    /// Whether several rules may match one event.
    pub rule_matching: RuleMatching,
    /// How far local time is ahead of UTC, for outputs that print local time.
    pub utc_offset_seconds: i32,
    /// Whether outputs print buffers in base64, rather than with a dot for every byte that cannot be printed.
    pub buffers_as_base64: bool,
    /// Whether the conditions are kept as they were written, too, for [`Ruleset::evaluate_as_written`] and whoever
    /// explains an answer. An agent at work needs them not.
    pub keep_conditions: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            minimum_priority: Priority::Debug,
            selections: Vec::new(),
            append_output: vec![AppendOutput::suggested()],
            static_fields: Vec::new(),
            maximum_bytes: 16 << 20,
            rule_matching: RuleMatching::First,
            utc_offset_seconds: 0,
            buffers_as_base64: false,
            keep_conditions: false,
        }
    }
}

impl Options {
    pub(crate) fn printing(&self) -> Printing {
        Printing {
            utc_offset_seconds: self.utc_offset_seconds,
            base64: self.buffers_as_base64,
        }
    }
}

/// What became of rule files.
#[derive(Debug)]
pub struct Compiled {
    /// The rules; `None` if and only if a diagnostic is an error.
    pub ruleset: Option<Ruleset>,
    /// Everything that is wrong, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles rule files, of which later ones see and change what earlier ones define.
#[must_use]
pub fn compile(sources: &[Source], options: &Options) -> Compiled {
    compile_with(sources, options, Catalogue::EVENT)
}

/// Compiles rule files over a set of fields.
pub(crate) fn compile_with(
    sources: &[Source],
    options: &Options,
    catalogue: Catalogue<'_>,
) -> Compiled {
    let suggestions = Cell::new(MOST_SUGGESTIONS);
    let catalogue = catalogue
        .with_statics(&options.static_fields)
        .with_suggestions(&suggestions);
    let mut report = Report::new(sources);
    let bytes: usize = sources.iter().map(|source| source.text.len()).sum();
    let maximum = options.maximum_bytes.min(u32::MAX as usize);
    if bytes > maximum {
        let problem = Problem::TooLarge { bytes, maximum };
        report.add(Code::FileRead, Span::default(), None, problem);
        return Compiled {
            ruleset: None,
            diagnostics: report.finish(),
        };
    }
    let mut collection = Collection::read(sources, catalogue, &mut report);
    selection::apply(&options.selections, &mut collection, &mut report);
    let mut compiler = Compiler {
        options,
        catalogue,
        additions: Additions::compile(options, catalogue, &mut report),
        lowering: Lowering::new(&collection, catalogue),
        used_macros: BTreeSet::new(),
        rules: Vec::new(),
        conditions: Vec::new(),
    };
    compiler.lowering.macros_in_order();
    for definition in &collection.rules {
        compiler.rule(definition, &mut report);
    }
    compiler
        .lowering
        .report_macros(&compiler.used_macros, &mut report);
    compiler.lowering.lists.report_unused(&mut report);
    compiler.additions.report_unused(&mut report);
    let ruleset = (!report.has_errors()).then(|| {
        let mut ruleset = compiler.finish();
        if let Some(kept) = &mut ruleset.kept {
            let names = ruleset.rules.iter().map(|rule| rule.name.as_str());
            interpret::Builder::new(&collection, catalogue, sources).rules(names, kept);
        }
        ruleset
    });
    Compiled {
        ruleset,
        diagnostics: report.finish(),
    }
}

struct Compiler<'c> {
    options: &'c Options,
    catalogue: Catalogue<'c>,
    additions: Additions<'c>,
    lowering: Lowering<'c>,
    used_macros: BTreeSet<usize>,
    rules: Vec<Rule>,
    conditions: Vec<NodeId>,
}

impl Compiler<'_> {
    fn rule(&mut self, definition: &RuleDefinition, report: &mut Report<'_>) {
        let item = Item::Rule(definition.name.clone());
        if definition.source != SYSCALL {
            let problem = Problem::UnknownSource {
                source_name: definition.source.clone(),
            };
            return report.add(
                Code::UnknownSource,
                definition.name_span,
                Some(&item),
                problem,
            );
        }
        let lowered = self.lowering.rule(&definition.condition);
        self.used_macros.extend(&lowered.macros);
        let (mut output, mut output_failures) = self.output(definition, &item, report);
        let extra_fields = self.additions.add(definition, &mut output);
        let group_by = self.group_by(definition, &mut output_failures);

        if definition.skip_if_unknown_filter
            && let Some(problem) = self.forgivable(&lowered, &output_failures)
        {
            let problem = Problem::Skipped(Box::new(problem.clone()));
            return report.add(
                Code::UnknownFilter,
                definition.name_span,
                Some(&item),
                problem,
            );
        }
        for (span, problem) in &lowered.failures {
            report.add(lower::code(problem), *span, Some(&item), problem.clone());
        }
        self.lowering.report_below(&lowered, report);
        for (span, problem) in output_failures {
            report.add(Code::CompileOutput, span, Some(&item), problem);
        }
        lower::report_hints(&lowered.hints, &item, report);
        // Without a node, a failure was reported.
        let Some(condition) = lowered.node else {
            return;
        };

        let event_types = self.lowering.graph.event_types(condition);
        if event_types.len() > MANY_EVENT_TYPES && definition.warn_event_types {
            let problem = Problem::TooManyEventTypes {
                count: event_types.len(),
            };
            report.add(
                Code::NoEventType,
                definition.name_span,
                Some(&item),
                problem,
            );
        }
        self.warn_of_undelivered(definition, &event_types, &item, report);
        self.conditions.push(condition);
        self.rules.push(Rule {
            name: definition.name.clone(),
            description: definition.description.clone(),
            priority: definition.priority,
            source: definition.source.clone(),
            tags: definition.tags.clone(),
            event_types,
            output,
            extra_fields,
            group_by,
            window_s: definition.window_s,
            enabled: definition.enabled,
            capture: definition.capture,
            capture_duration_ms: definition.capture_duration_ms,
        });
    }

    fn output(
        &self,
        definition: &RuleDefinition,
        item: &Item,
        report: &mut Report<'_>,
    ) -> (Template, Vec<Failure>) {
        const CONTAINER_INFO: &str = "%container.info";
        let mut text = definition.output.clone();
        while let Some(at) = text.text.find(CONTAINER_INFO) {
            let span = text.span(at, at + CONTAINER_INFO.len());
            let what = format!("{CONTAINER_INFO} in outputs");
            report.add(
                Code::DeprecatedItem,
                span,
                Some(item),
                Problem::Deprecated { what },
            );
            text.remove(at, at + CONTAINER_INFO.len());
        }
        let (output, failures) = Template::compile(&text, self.catalogue, self.options.printing());
        self.warn_of_deprecated_fields(definition, &text, item, report);
        (output, failures)
    }

    /// A rule for events that nobody reports would be silent without anybody knowing why.
    fn warn_of_undelivered(
        &self,
        definition: &RuleDefinition,
        event_types: &EventTypes,
        item: &Item,
        report: &mut Report<'_>,
    ) {
        const MOST_NAMES: usize = 8;
        let is_active = definition.enabled && definition.priority <= self.options.minimum_priority;
        if !is_active || event_types.iter().any(EventType::is_delivered) {
            return;
        }
        let mut names: Vec<&str> = event_types.iter().map(EventType::name).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            // A condition that no event satisfies is another matter.
            return;
        }
        if names.len() > MOST_NAMES {
            names.truncate(MOST_NAMES);
            names.push("...");
        }
        let problem = Problem::NotDelivered {
            event_types: names.join(", "),
        };
        report.add(
            Code::UnsupportedEventType,
            definition.name_span,
            Some(item),
            problem,
        );
    }

    fn warn_of_deprecated_fields(
        &self,
        definition: &RuleDefinition,
        output: &Text,
        item: &Item,
        report: &mut Report<'_>,
    ) {
        for text in [&definition.condition, output] {
            for (at, field) in deprecated_fields(&text.text) {
                let what = format!("field {field}");
                report.add(
                    Code::DeprecatedItem,
                    text.span(at, at + field.len()),
                    Some(item),
                    Problem::Deprecated { what },
                );
            }
        }
    }

    /// What a rule is skipped for, if everything that is wrong in it is about unknown names.
    fn forgivable<'f>(
        &'f self,
        lowered: &'f Lowered,
        output: &'f [Failure],
    ) -> Option<&'f Problem> {
        let unknown = |(_, problem): &Failure| problem.is_unknown_filter();
        if !output.iter().all(unknown) {
            return None;
        }
        let in_output = output.first().map(|(_, problem)| problem);
        if lowered.is_right() {
            in_output
        } else {
            self.lowering.forgivable(lowered)
        }
    }

    fn group_by(
        &self,
        definition: &RuleDefinition,
        failures: &mut Vec<Failure>,
    ) -> Vec<FieldReference> {
        let mut fields = Vec::new();
        for (name, span) in &definition.group_by {
            let (plain, argument) =
                match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
                    Some((plain, argument)) => (plain, Some(argument.into())),
                    None => (name.as_str(), None),
                };
            match self.catalogue.resolve(plain, argument.as_ref()) {
                Ok(field) => fields.push(field),
                Err(problem) => failures.push((*span, problem)),
            }
        }
        fields
    }

    fn finish(self) -> Ruleset {
        let mut graph = self.lowering.graph;
        let active: Vec<usize> = (0..self.rules.len())
            .filter(|&index| {
                let rule = &self.rules[index];
                rule.enabled && rule.priority <= self.options.minimum_priority
            })
            .collect();
        let event_types = active.iter().fold(EventTypes::NONE, |union, &index| {
            union.union(&self.rules[index].event_types)
        });
        let names = |condition: NodeId, test: &dyn Fn(&FieldReference) -> bool| {
            graph
                .slots_below([condition])
                .iter()
                .any(|&slot| graph.slots()[slot as usize].operand.any_field(test))
        };
        let sees_failed_executions = (0..self.rules.len())
            .map(|index| {
                active.binary_search(&index).is_ok()
                    && self.rules[index].event_types.iter().any(is_execution)
                    && names(self.conditions[index], &FieldReference::tells_result)
            })
            .collect();
        let is_read = |test: &dyn Fn(&FieldReference) -> bool| {
            active.iter().any(|&index| {
                names(self.conditions[index], test)
                    || self.rules[index]
                        .templates()
                        .flat_map(Template::operands)
                        .any(|operand| operand.any_field(&test))
                    || self.rules[index].group_by.iter().any(test)
            })
        };
        let uses_environment = is_read(&FieldReference::reads_environment);
        let uses_data = is_read(&FieldReference::reads_data);
        let domain_names =
            domains::compared(&graph, active.iter().map(|&index| self.conditions[index]));
        let asked: Vec<(u32, NodeId, EventTypes)> = active
            .iter()
            .filter_map(|&index| {
                let position = u32::try_from(index).ok()?;
                Some((
                    position,
                    self.conditions[index],
                    self.rules[index].event_types,
                ))
            })
            .collect();
        let outlines = match self.options.keep_conditions {
            true => self
                .conditions
                .iter()
                .zip(&self.rules)
                .map(|(&condition, rule)| {
                    // As it is judged for the first of its event types, which decides a part of it before.
                    let first = rule.event_types.iter().next();
                    let special = first.map_or(condition, |event_type| {
                        graph.specialise(condition, event_type, &mut FxHashMap::default())
                    });
                    outline::of(&graph, special)
                })
                .collect(),
            false => Vec::new(),
        };
        let plans = Plans::new(&mut graph, &asked);
        let sought = Sought::new(&graph, &plans);
        Ruleset {
            rules: self.rules,
            program: Program::new(graph, plans.nodes()),
            plans,
            sees_failed_executions,
            event_types,
            uses_environment,
            uses_data,
            sought,
            domain_names,
            matching: self.options.rule_matching,
            active,
            kept: self.options.keep_conditions.then(|| Kept {
                outlines,
                ..Kept::default()
            }),
        }
    }
}

/// Fields that are constant since events are seen only when calls return, wherever a text names them.
fn deprecated_fields(text: &str) -> Vec<(usize, &str)> {
    const NAMES: [&str; 6] = [
        "evt.dir",
        "evt.latency",
        "evt.latency.s",
        "evt.latency.ns",
        "evt.latency.human",
        "evt.wait_latency",
    ];
    text.match_indices("evt.")
        .filter_map(|(at, _)| {
            let rest = &text[at..];
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "._".contains(c)));
            let name = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
            NAMES.contains(&name).then_some((at, name))
        })
        .collect()
}
