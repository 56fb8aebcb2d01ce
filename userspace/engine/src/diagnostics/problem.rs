//! The things that can be wrong, in words.

use crate::priority::Priority;

/// Something wrong with a rule file. `Display` is one sentence without a place; [`Problem::help`] says how
/// to put it right, where that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "the message of each variant says what it is about"
)]
pub enum Problem {
    #[error("the rule files have {bytes} bytes together, {maximum} are allowed")]
    TooLarge { bytes: usize, maximum: usize },
    #[error("invalid YAML: {message}")]
    Yaml { message: String },
    #[error("a rules file must be a sequence of items")]
    NotASequence,
    #[error("an item must be a map")]
    NotAMap,
    #[error("Unknown top level item")]
    UnknownItem { nearest: Option<String> },
    #[error("Unknown key '{key}'. The key will be ignored.")]
    UnknownKey {
        key: String,
        nearest: Option<String>,
    },
    #[error("Item has no mapping for key '{key}'")]
    MissingKey { key: &'static str },
    #[error("Mapping for key '{key}' is empty")]
    NullValue { key: &'static str },
    #[error("Value of '{key}' is not a scalar value")]
    NotAScalar { key: &'static str },
    #[error("Value of '{key}' must be non-empty")]
    EmptyValue { key: &'static str },
    #[error("Value of '{key}' must be a sequence of scalar values")]
    NotAScalarSequence { key: &'static str },
    #[error("Value of '{key}' must be true or false, not '{given}'")]
    NotABool { key: &'static str, given: String },
    #[error("Value of '{key}' must be a whole number from 0 to 4294967295, not '{given}'")]
    NotANumber { key: &'static str, given: String },
    #[error("Value of '{key}' must be a map")]
    NotAMapValue { key: &'static str },
    #[error("Value of '{key}' must be a sequence of maps")]
    NotAMapSequence { key: &'static str },
    #[error("Key '{key}' stands twice in one map")]
    DuplicateKey { key: String },
    #[error("Invalid priority '{given}'")]
    InvalidPriority { given: String },
    #[error(
        "Unable to parse engine version '{given}' as a semver string. Expected \"x.y.z\" semver format."
    )]
    InvalidEngineVersion { given: String },
    #[error("Rules require engine version {required}, but engine version is {own}")]
    EngineTooOld { required: String, own: &'static str },
    #[error(
        "Unable to parse plugin version '{given}' as a semver string. Expected \"x.y.z\" semver format."
    )]
    InvalidPluginVersion { given: String },
    #[error("plugin '{name}' stands twice in one requirement and its alternatives")]
    PluginNamedTwice { name: String },
    #[error("Plugin requirement not satisfied, must load one of: {alternatives}")]
    PluginMissing { alternatives: String },
    #[error("'{name}' is not a name that a condition can contain")]
    InvalidName { name: String },
    #[error("Rule '{name}' has 'enabled' but no rule by that name already exists")]
    EnabledWithoutRule {
        name: String,
        nearest: Option<String>,
    },
    #[error("Keys 'override' and 'append: true' cannot be used together")]
    OverrideWithAppend,
    #[error("Key '{key}' cannot be appended to{}", if *replaceable { ", use 'replace' instead" } else { "" })]
    CannotAppend { key: String, replaceable: bool },
    #[error("Key '{key}' cannot be replaced")]
    CannotReplace { key: String },
    #[error("Invalid override operation for key '{key}': '{given}'")]
    InvalidOverride { key: String, given: String },
    #[error("{operation} override for '{key}' was specified but '{key}' is not defined")]
    OverrideWithoutKey {
        operation: &'static str,
        key: &'static str,
    },
    #[error("Unexpected key '{key}': no corresponding entry under 'override' is defined.")]
    UnexpectedKey { key: &'static str },
    #[error(
        "{kind} uses 'append' or 'override.{key}: append' but no {} by that name already exists",
        kind.to_lowercase()
    )]
    NothingToAppendTo {
        kind: &'static str,
        key: &'static str,
        nearest: Option<String>,
    },
    #[error("Rule uses 'override' but no rule by that name already exists")]
    NothingToOverride { nearest: Option<String> },
    #[error("Appended rule must have exceptions or condition property")]
    NothingAppended,
    #[error("exceptions of one rule have the name '{name}' twice")]
    ExceptionNameTwice { name: String },
    #[error("Rule exception '{name}' appends no values")]
    ExceptionAppendsNothing { name: String },
    #[error(
        "Rule exception '{name}' must have {key}: no exception by that name exists to append to"
    )]
    ExceptionIncomplete { name: String, key: &'static str },
    #[error("Can not append exception {key} to existing exception, only values")]
    ExceptionFixed { key: &'static str },
    #[error("Value of '{key}' must be a scalar or a sequence of scalars")]
    NotAScalarOrSequence { key: &'static str },
    #[error("Rule exception '{name}' names no field")]
    ExceptionWithoutFields { name: String },
    #[error("Fields and comps must both be single values, or both be lists")]
    ExceptionMixed,
    #[error("Fields and comps lists must have equal length, {fields} and {comps} were found")]
    ExceptionCompsLength { fields: usize, comps: usize },
    #[error("'{given}' is not a supported filter field")]
    ExceptionField {
        given: String,
        nearest: Option<String>,
    },
    #[error("'{given}' is not a supported comparison operator")]
    ExceptionOperator {
        given: String,
        nearest: Option<String>,
    },
    #[error("'{given}' does not compare one field with several values")]
    ExceptionListOperator { given: String },
    #[error("values of an exception must be {expected}")]
    ExceptionValues { expected: &'static str },
    #[error("Fields and values lists must have equal length, {fields} and {values} were found")]
    ExceptionValuesLength { fields: usize, values: usize },
    #[error("exceptions come to more than {maximum} bytes of conditions")]
    ExceptionsTooLarge { maximum: usize },
    #[error("Rule has been re-defined with a different source")]
    SourceChanged,
    #[error("Unknown source '{source_name}', skipping the rule")]
    UnknownSource { source_name: String },
    #[error("{what} is deprecated")]
    Deprecated { what: String },
    #[error("Macro '{name}' not referred to by any other rule/macro")]
    UnusedMacro { name: String },
    #[error("List '{name}' not referred to by any other rule/macro/list")]
    UnusedList { name: String },
    #[error("lists expand to more than {maximum} items")]
    ListsTooLarge { maximum: usize },
    #[error("lists are nested too deeply")]
    ListsTooDeep,

    #[error("the condition is empty")]
    EmptyCondition,
    #[error("expected {expected}, found {found}")]
    Expected {
        expected: &'static str,
        found: String,
    },
    #[error("unexpected token after '{after}', expecting 'or', 'and'")]
    UnexpectedToken { after: String },
    #[error("this quote is not closed")]
    UnclosedQuote,
    #[error("unknown escape '\\{escape}' in a quoted string")]
    UnknownEscape { escape: String },
    #[error("'not' stands before a comparison, not inside")]
    NotBehindField,
    #[error("unknown operator '{operator}'")]
    UnknownOperator {
        operator: String,
        nearest: Option<String>,
    },
    #[error("the condition is nested too deeply")]
    TooDeep,
    #[error("filter_check called with nonexistent field {name}")]
    UnknownField {
        name: String,
        nearest: Option<String>,
    },
    #[error("unknown event argument {name}")]
    UnknownParameter {
        name: String,
        nearest: Option<String>,
    },
    #[error("field {name} needs {needed} in brackets")]
    ArgumentNeeded { name: String, needed: &'static str },
    #[error("field {name} takes {taken}")]
    ArgumentRefused { name: String, taken: &'static str },
    #[error("Undefined macro '{name}' used in filter.")]
    UndefinedMacro {
        name: String,
        nearest: Option<String>,
        defined_later: bool,
    },
    #[error("reference loop in macro '{name}'")]
    MacroLoop { name: String },
    #[error("operator '{operator}' is not allowed for {left}, a {left_type}")]
    OperatorRefused {
        operator: &'static str,
        left: String,
        left_type: &'static str,
    },
    #[error("'{operator}' compares with a list, write ({given})")]
    ListNeeded {
        operator: &'static str,
        given: String,
    },
    #[error("list '{name}' stands where one value is expected")]
    ListRefused { name: String },
    #[error("'{given}' is not {expected}")]
    InvalidConstant {
        given: String,
        expected: &'static str,
    },
    #[error("'{given}' does not fit into {field}, whose values are 0 to {maximum}")]
    ConstantOutOfRange {
        given: String,
        field: String,
        maximum: u64,
    },
    #[error("unknown event type {name}")]
    UnknownEventType {
        name: String,
        nearest: Option<String>,
    },
    #[error("invalid regular expression: {message}")]
    InvalidRegex { message: String },
    #[error("the regular expressions of all rules take more than {maximum} bytes")]
    RegexesTooLarge { maximum: usize },
    #[error("{name} cannot be given to {transformer}: {reason}")]
    TransformerArgument {
        transformer: &'static str,
        name: String,
        reason: &'static str,
    },
    #[error("{transformer} takes {expected} arguments")]
    TransformerArity {
        transformer: &'static str,
        expected: &'static str,
    },
    #[error("{right} cannot be compared with {left}: {reason}")]
    FieldsDiffer {
        left: String,
        right: String,
        reason: &'static str,
    },
    #[error("event types are compared with names only, and not changed before")]
    EventTypeChanged,
    #[error("'{constant}' is the name of a field, but is compared as text here")]
    ConstantIsField { constant: String },
    #[error("'{constant}' looks like a transformer, but is compared as text here")]
    ConstantLooksLikeCall { constant: String },
    #[error("the regular expression '{pattern}' has nothing of a pattern in it")]
    SimplerThanRegex { pattern: String, simpler: String },
    #[error("{field} compares as equal to <NA> where it is missing")]
    UnsafeMissing { field: String },
    #[error("the rule matches {count} event types, which is slow")]
    TooManyEventTypes { count: usize },

    #[error("unknown filter: nothing that can be printed stands behind '%'")]
    InvalidToken {
        given: String,
        nearest: Option<String>,
    },
    #[error("a width of {given} characters is too large, the largest is {widest}")]
    WidthTooLarge { given: String, widest: usize },
    #[error("and {count} more like this, or of other kinds, in this file")]
    Omitted { count: usize },
    #[error("the rule cannot fire: the probes do not report {event_types} yet")]
    NotDelivered { event_types: String },
    #[error("this setting picks no rule")]
    UnmatchedSelection,
    #[error("rule skipped: {0}")]
    Skipped(Box<Problem>),
}

impl Problem {
    /// How to put it right, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::UnknownItem { nearest }
            | Self::UnknownKey { nearest, .. }
            | Self::UnknownOperator { nearest, .. }
            | Self::UnknownField { nearest, .. }
            | Self::UnknownParameter { nearest, .. }
            | Self::UnknownEventType { nearest, .. }
            | Self::UndefinedMacro {
                nearest,
                defined_later: false,
                ..
            }
            | Self::NothingToAppendTo { nearest, .. }
            | Self::NothingToOverride { nearest }
            | Self::EnabledWithoutRule { nearest, .. }
            | Self::ExceptionField { nearest, .. }
            | Self::ExceptionOperator { nearest, .. }
            | Self::InvalidToken { nearest, .. } => nearest
                .as_ref()
                .map(|nearest| format!("did you mean '{nearest}'?")),
            Self::UndefinedMacro {
                defined_later: true,
                ..
            } => Some("a macro may use only macros that are defined before it".to_owned()),
            Self::InvalidPriority { .. } => {
                let names: Vec<&str> = Priority::ALL
                    .iter()
                    .map(|priority| priority.name())
                    .collect();
                Some(format!("use one of {}", names.join(", ")))
            }
            Self::InvalidOverride { .. } => Some("use append or replace".to_owned()),
            Self::OverrideWithAppend => {
                Some("say what is appended under 'override', as in `condition: append`".to_owned())
            }
            Self::ExceptionListOperator { .. } => {
                Some("use in, pmatch, intersects, or for instance `startswith anyof`".to_owned())
            }
            Self::NotBehindField => Some("as in `not proc.name in (sh, bash)`".to_owned()),
            Self::ListRefused { name } => Some(format!("write `in ({name})`")),
            Self::UnclosedQuote => {
                Some("close it, or put the other kind of quote around the string".to_owned())
            }
            Self::TooManyEventTypes { .. } => {
                Some("name the event types it is about with evt.type".to_owned())
            }
            Self::ConstantIsField { constant } => {
                Some(format!("write val({constant}) for the value of the field"))
            }
            Self::ConstantLooksLikeCall { .. } => {
                Some("write it without quotes for the value that it yields".to_owned())
            }
            Self::SimplerThanRegex { simpler, .. } => Some(format!(
                "`{}` says it plainly, and is faster",
                simpler.trim_end()
            )),
            Self::UnsafeMissing { field } => {
                Some(format!("`{field} exists` says whether there is one"))
            }
            Self::Skipped(problem) => problem.help(),
            _ => None,
        }
    }

    /// Whether it is that something is not defined, which another file may do.
    #[must_use]
    pub fn misses_definition(&self) -> bool {
        matches!(
            self,
            Self::UndefinedMacro { .. }
                | Self::NothingToAppendTo { .. }
                | Self::NothingToOverride { .. }
                | Self::EnabledWithoutRule { .. }
        )
    }

    /// Whether `skip-if-unknown-filter` turns it into a warning.
    pub(crate) fn is_unknown_filter(&self) -> bool {
        matches!(
            self,
            Self::UnknownField { .. }
                | Self::UnknownParameter { .. }
                | Self::UnknownEventType { .. }
                | Self::InvalidToken { .. }
        )
    }
}
