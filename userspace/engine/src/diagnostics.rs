//! What is wrong with rule files, where, and how to put it right: all of it at once.

mod problem;
mod render;

use std::fmt;

use rustc_hash::FxHashSet;

pub use problem::Problem;

use crate::source::{Source, Span, Text, position};

/// Whether a diagnostic keeps the rules from loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The rules do not load.
    Error,
    /// The rules load.
    Warning,
}

macro_rules! codes {
    ($( $variant:ident = $name:literal, $description:literal; )*) => {
        /// The kind of a diagnostic, under the name by which users of Falco know it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $( #[doc = $description] $variant ),* }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[ $( Self::$variant ),* ];

            /// The name, such as `LOAD_ERR_YAML_PARSE`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => $name ),* }
            }

            /// What diagnostics of this kind have in common, in a few words.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self { $( Self::$variant => $description ),* }
            }
        }
    };
}

// Falco's codes for extensions are missing, because there are none; those that Falco does not have stand last.
codes! {
    FileRead = "LOAD_ERR_FILE_READ", "A rules file cannot be read";
    YamlParse = "LOAD_ERR_YAML_PARSE", "A rules file is not valid YAML";
    YamlValidate = "LOAD_ERR_YAML_VALIDATE", "An item does not have the keys and values it needs";
    CompileCondition = "LOAD_ERR_COMPILE_CONDITION", "A condition cannot be compiled";
    CompileOutput = "LOAD_ERR_COMPILE_OUTPUT", "An output cannot be compiled";
    Validate = "LOAD_ERR_VALIDATE", "An item does not fit the other items or this engine";
    UnknownSource = "LOAD_UNKNOWN_SOURCE", "A rule is for a source of events that is not there";
    UnsafeMissing = "LOAD_UNSAFE_NA_CHECK", "A condition compares what is missing as if it were there";
    NoEventType = "LOAD_NO_EVTTYPE", "A rule is asked about very many event types";
    UnknownFilter = "LOAD_UNKNOWN_FILTER", "A rule was skipped because it names an unknown field";
    UnusedMacro = "LOAD_UNUSED_MACRO", "A macro is not used";
    UnusedList = "LOAD_UNUSED_LIST", "A list is not used";
    UnknownItem = "LOAD_UNKNOWN_ITEM", "An item is of no known kind";
    DeprecatedItem = "LOAD_DEPRECATED_ITEM", "Something deprecated is used";
    AppendNoValues = "LOAD_APPEND_NO_VALUES", "An exception is appended to without values";
    ExceptionNameNotUnique = "LOAD_EXCEPTION_NAME_NOT_UNIQUE", "Two exceptions of an item have one name";
    InvalidMacroName = "LOAD_INVALID_MACRO_NAME", "A macro has a name that conditions cannot contain";
    InvalidListName = "LOAD_INVALID_LIST_NAME", "A list has a name that conditions cannot contain";
    UnknownKey = "LOAD_UNKNOWN_KEY", "An item has a key that does not exist";
    Hint = "LOAD_COMPILE_CONDITION", "A condition compiles, but may not say what was meant";
    UnmatchedSelection = "LOAD_UNMATCHED_SELECTION", "A setting picks no rule";
}

impl Code {
    /// Whether it keeps the rules from loading.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::FileRead
            | Self::YamlParse
            | Self::YamlValidate
            | Self::CompileCondition
            | Self::CompileOutput
            | Self::Validate => Severity::Error,
            _ => Severity::Warning,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The item of a rule file a diagnostic is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// A list, by name.
    List(String),
    /// A macro, by name.
    Macro(String),
    /// A rule, by name.
    Rule(String),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Self::List(name) => ("list", name),
            Self::Macro(name) => ("macro", name),
            Self::Rule(name) => ("rule", name),
        };
        write!(f, "{kind} \"{}\"", render::printable(name))
    }
}

/// One thing that is wrong with a rule file. `Display` renders it over several lines, with the line of the
/// file and a caret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// What is wrong.
    pub problem: Problem,
    /// The item it stands in.
    pub item: Option<Item>,
    /// The name of the file.
    pub source: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters of the line it is about; at least 1.
    pub width: usize,
    /// The line, without its end; long lines are cut around the place.
    pub snippet: String,
    /// How many characters stand before the place in `snippet`.
    pub indent: usize,
}

impl Diagnostic {
    /// Whether it keeps the rules from loading.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Whether it keeps the rules from loading.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity() == Severity::Error
    }
}

/// Collects diagnostics in the order of the files.
pub(crate) struct Report<'s> {
    sources: &'s [Source],
    /// The texts of settings, behind the rule files.
    settings: Vec<Source>,
    found: Vec<(Span, Diagnostic)>,
    known: FxHashSet<(Span, Code, String)>,
}

impl<'s> Report<'s> {
    pub(crate) fn new(sources: &'s [Source]) -> Self {
        Self {
            sources,
            settings: Vec::new(),
            found: Vec::new(),
            known: FxHashSet::default(),
        }
    }

    /// Makes a text that stands in no rule file a source of its own, so that what is wrong in it has a place.
    pub(crate) fn setting(&mut self, name: String, text: String) -> Text {
        let index = self.sources.len() + self.settings.len();
        self.settings.push(Source::new(name, text.clone()));
        Text::of_source(u32::try_from(index).unwrap_or(u32::MAX), text)
    }

    fn source(&self, index: usize) -> Option<&Source> {
        self.sources
            .get(index)
            .or_else(|| self.settings.get(index.checked_sub(self.sources.len())?))
    }

    /// Adds one. What is wrong in a macro is met once per rule that uses it, and reported once.
    pub(crate) fn add(&mut self, code: Code, span: Span, item: Option<&Item>, problem: Problem) {
        if !self.known.insert((span, code, problem.to_string())) {
            return;
        }
        let Some(source) = self.source(span.source as usize) else {
            return;
        };
        let place = position(&source.text, span.start as usize);
        let range = source
            .text
            .get(span.start as usize..span.end as usize)
            .unwrap_or("");
        let (snippet, indent) = render::cut(place.text, place.column - 1);
        let width = range
            .lines()
            .next()
            .unwrap_or("")
            .trim_end()
            .chars()
            .count();
        let diagnostic = Diagnostic {
            code,
            problem,
            item: item.cloned(),
            source: source.name.clone(),
            line: place.line,
            column: place.column,
            width: width.max(1),
            snippet,
            indent,
        };
        self.found.push((span, diagnostic));
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.found
            .iter()
            .any(|(_, diagnostic)| diagnostic.is_error())
    }

    /// All of them, by place; only plugins that are missing stand in front, as everything else may be wrong
    /// because of them.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        let unreadable = |(_, found): &(Span, Diagnostic)| found.code == Code::YamlParse;
        if self.found.iter().any(unreadable) {
            // What is missed may stand in the file that cannot be read.
            self.found
                .retain(|(_, found)| !found.problem.misses_definition());
        }
        self.found.sort_by_key(|(span, found)| {
            let plugin = matches!(found.problem, Problem::PluginMissing { .. });
            (!plugin, *span)
        });
        self.found
            .into_iter()
            .map(|(_, diagnostic)| diagnostic)
            .collect()
    }
}

/// The name nearest to a misspelt one, if any is near enough to be meant.
pub(crate) fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let allowed = (name.chars().count() / 3).clamp(1, 4);
    names
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|&(distance, _)| distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        let names = ["proc.name", "proc.pname", "fd.name"];
        for (given, expected) in [
            ("proc.nmae", Some("proc.name")),
            ("proc.pnam", Some("proc.pname")),
            ("container.id", None),
            ("x", None),
        ] {
            assert_eq!(nearest(given, names).as_deref(), expected, "{given}");
        }
    }
}
