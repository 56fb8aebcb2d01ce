//! What the settings add to the outputs of rules.

use vigia_event::{Extracted, View};

use crate::collection::RuleDefinition;
use crate::compile::Options;
use crate::diagnostics::{Code, Problem, Report};
use crate::fields::Catalogue;
use crate::source::{Span, Text};
use crate::template::{Printing, Template};

/// Adds to the outputs of those rules that all given conditions pick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendOutput {
    /// Only rules of this source of events.
    pub source: Option<String>,
    /// Only rules that have all of these tags.
    pub tags: Vec<String>,
    /// Only the rule of this name.
    pub rule: Option<String>,
    /// Text with `%field` tokens, appended to the output behind a blank.
    pub extra_output: Option<String>,
    /// Fields that alerts carry besides those of the output.
    pub extra_fields: Vec<AppendField>,
    /// Whether to append who the container is, and the static fields.
    pub suggested_output: bool,
}

impl AppendOutput {
    /// Who the container is, at the end of every output: what Falco appends where nothing else is set.
    #[must_use]
    pub fn suggested() -> Self {
        Self {
            suggested_output: true,
            ..Self::default()
        }
    }

    /// Its conditions, for a message.
    fn describe(&self) -> String {
        let mut conditions = Vec::new();
        conditions.extend(self.source.iter().map(|source| format!("source: {source}")));
        if !self.tags.is_empty() {
            conditions.push(format!("tags: [{}]", self.tags.join(", ")));
        }
        conditions.extend(self.rule.iter().map(|rule| format!("rule: {rule}")));
        format!("match: {{{}}}", conditions.join(", "))
    }
}

/// A field that [`AppendOutput`] adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendField {
    /// A field under its own name and with its own type, such as `proc.aname[2]`.
    Field(String),
    /// Text with `%field` tokens under a name of its own.
    Text {
        /// The name.
        name: String,
        /// The text.
        format: String,
    },
}

/// A field that alerts of a rule carry although its output does not print it.
#[derive(Clone, Debug)]
pub struct ExtraField {
    name: String,
    template: Template,
    is_text: bool,
}

impl ExtraField {
    /// What alerts call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is [text](Self::template) rather than the value of one field with its own type.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.is_text
    }

    /// What it prints: several fields and text, or just the one field.
    #[must_use]
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// Reads it from an event: the value of its field, or its text.
    #[must_use]
    pub fn extract<'e>(&self, view: View<'e>) -> Extracted<'e> {
        let typed = (!self.is_text)
            .then(|| self.template.fields(view).into_iter().next())
            .flatten();
        match typed {
            Some((_, value)) => value,
            None => vigia_event::Value::made(self.template.render(view).into_bytes()).into(),
        }
    }
}

/// A compiled [`AppendOutput`].
struct Addition<'o> {
    options: &'o AppendOutput,
    extra_output: Option<Template>,
    fields: Vec<ExtraField>,
    span: Span,
    /// Whether it picked a rule.
    used: bool,
}

impl Addition<'_> {
    fn picks(&self, rule: &RuleDefinition) -> bool {
        let AppendOutput {
            source,
            tags,
            rule: name,
            ..
        } = self.options;
        source.as_ref().is_none_or(|source| *source == rule.source)
            && name.as_ref().is_none_or(|name| *name == rule.name)
            && tags.iter().all(|tag| rule.tags.contains(tag))
    }
}

/// All additions to outputs, compiled once.
pub(crate) struct Additions<'o> {
    additions: Vec<Addition<'o>>,
    suggested: Template,
}

impl<'o> Additions<'o> {
    /// Compiles what the settings add. What is wrong in it is shown in the text of the setting.
    pub(crate) fn compile(
        options: &'o Options,
        catalogue: Catalogue<'_>,
        report: &mut Report<'_>,
    ) -> Self {
        let printing = options.printing();
        let mut additions = Vec::with_capacity(options.append_output.len());
        for (index, options) in options.append_output.iter().enumerate() {
            let setting = format!("append_output {}", index + 1);
            let extra_output = options.extra_output.as_ref().map(|format| {
                let text = report.setting(format!("{setting}, extra_output"), format.clone());
                compiled(&text, catalogue, printing, report)
            });
            let mut fields = Vec::with_capacity(options.extra_fields.len());
            for field in &options.extra_fields {
                let place = format!("{setting}, extra_fields");
                let (name, template, is_text) = match field {
                    AppendField::Text { name, format } => {
                        let text = report.setting(place, format.clone());
                        let template = compiled(&text, catalogue, printing, report);
                        (name, template, true)
                    }
                    AppendField::Field(name) => {
                        let text = report.setting(place, name.clone());
                        match Template::of_field(&text, catalogue, printing) {
                            Ok(template) => (name, template, false),
                            Err((span, problem)) => {
                                report.add(Code::CompileOutput, span, None, problem);
                                continue;
                            }
                        }
                    }
                };
                fields.push(ExtraField {
                    name: name.clone(),
                    template,
                    is_text,
                });
            }
            let span = report.setting(setting, options.describe()).whole();
            additions.push(Addition {
                options,
                extra_output,
                fields,
                span,
                used: false,
            });
        }
        Self {
            additions,
            suggested: Template::suggested(catalogue, printing),
        }
    }

    /// Appends what is meant for a rule to its output, and returns its extra fields.
    pub(crate) fn add(&mut self, rule: &RuleDefinition, output: &mut Template) -> Vec<ExtraField> {
        let mut fields: Vec<ExtraField> = Vec::new();
        let mut suggested = false;
        for addition in &mut self.additions {
            if !addition.picks(rule) {
                continue;
            }
            addition.used = true;
            if let Some(extra) = &addition.extra_output {
                output.append(extra);
            }
            if addition.options.suggested_output && !suggested {
                output.append(&self.suggested);
                suggested = true;
            }
            for field in &addition.fields {
                // As for other settings, the later one counts.
                fields.retain(|earlier| earlier.name != field.name);
                fields.push(field.clone());
            }
        }
        fields
    }

    /// Warns of additions that ask for a rule or for tags that do not exist.
    pub(crate) fn report_unused(&self, report: &mut Report<'_>) {
        for addition in &self.additions {
            let AppendOutput { tags, rule, .. } = addition.options;
            if !addition.used && (rule.is_some() || !tags.is_empty()) {
                report.add(
                    Code::UnmatchedSelection,
                    addition.span,
                    None,
                    Problem::UnmatchedSelection,
                );
            }
        }
    }
}

fn compiled(
    text: &Text,
    catalogue: Catalogue<'_>,
    printing: Printing,
    report: &mut Report<'_>,
) -> Template {
    let (template, failures) = Template::compile(text, catalogue, printing);
    for (span, problem) in failures {
        report.add(Code::CompileOutput, span, None, problem);
    }
    template
}
