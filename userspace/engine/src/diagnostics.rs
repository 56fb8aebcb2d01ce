//! What is wrong with rule files, where, and how to put it right: all of it at once.

mod problem;
mod render;

use std::fmt;
use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

pub use problem::Problem;

use crate::source::{Source, Span, Text, line_starts, position};

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
    UnsupportedEventType = "LOAD_UNSUPPORTED_EVTTYPE", "A rule is about events that are not reported";
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

    /// What is wrong, in one sentence that holds no control characters and is not too long to show.
    #[must_use]
    pub fn message(&self) -> String {
        render::printable(&self.problem.to_string())
    }

    /// Whether it keeps the rules from loading.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity() == Severity::Error
    }
}

/// How many errors are kept of each file, and how many warnings. Nobody reads more, and a file made to have a
/// million mistakes must not cost a million messages.
const KEPT: usize = 100;

/// Collects diagnostics in the order of the files.
pub(crate) struct Report<'s> {
    sources: &'s [Source],
    /// The texts of settings, behind the rule files.
    settings: Vec<Source>,
    /// Per source with diagnostics.
    pages: FxHashMap<u32, Page>,
    found: Vec<(Span, Diagnostic)>,
    known: FxHashSet<(Span, Code, u64)>,
    has_errors: bool,
}

/// What is found in one source.
struct Page {
    line_starts: Vec<usize>,
    errors: Tally,
    warnings: Tally,
}

/// Diagnostics of one severity in one source.
#[derive(Clone, Copy, Default)]
struct Tally {
    kept: usize,
    omitted: usize,
    /// The first of those omitted.
    first_omitted: Option<(Span, Code)>,
}

impl<'s> Report<'s> {
    pub(crate) fn new(sources: &'s [Source]) -> Self {
        Self {
            sources,
            settings: Vec::new(),
            pages: FxHashMap::default(),
            found: Vec::new(),
            known: FxHashSet::default(),
            has_errors: false,
        }
    }

    /// Makes a text that stands in no rule file a source of its own, so that what is wrong in it has a place.
    pub(crate) fn setting(&mut self, name: String, text: String) -> Text {
        let index = self.sources.len() + self.settings.len();
        self.settings.push(Source::new(name, text.clone()));
        Text::of_source(u32::try_from(index).unwrap_or(u32::MAX), text)
    }

    fn source(&self, index: u32) -> Option<&Source> {
        let index = index as usize;
        self.sources
            .get(index)
            .or_else(|| self.settings.get(index.checked_sub(self.sources.len())?))
    }

    /// Adds one. What is wrong in a macro is met once per rule that uses it, and reported once.
    pub(crate) fn add(&mut self, code: Code, span: Span, item: Option<&Item>, problem: Problem) {
        let is_error = code.severity() == Severity::Error;
        self.has_errors |= is_error;
        let Some(source) = self.source(span.source) else {
            return;
        };
        let line_starts = || line_starts(&source.text);
        let new_page = (!self.pages.contains_key(&span.source)).then(line_starts);
        let page = self.pages.entry(span.source).or_insert_with(|| Page {
            line_starts: new_page.unwrap_or_default(),
            errors: Tally::default(),
            warnings: Tally::default(),
        });
        let tally = if is_error {
            &mut page.errors
        } else {
            &mut page.warnings
        };
        let full = tally.kept == KEPT;
        // Beyond the limit, one for each place and code is exact enough for a count.
        let words = if full { 0 } else { hash(&problem.to_string()) };
        if !self.known.insert((span, code, words)) {
            return;
        }
        if full {
            tally.omitted += 1;
            tally.first_omitted.get_or_insert((span, code));
            return;
        }
        tally.kept += 1;
        let diagnostic = self.diagnostic(code, span, item.cloned(), problem);
        self.found
            .extend(diagnostic.map(|diagnostic| (span, diagnostic)));
    }

    fn diagnostic(
        &self,
        code: Code,
        span: Span,
        item: Option<Item>,
        problem: Problem,
    ) -> Option<Diagnostic> {
        let source = self.source(span.source)?;
        let page = self.pages.get(&span.source)?;
        let place = position(&source.text, &page.line_starts, span.start as usize);
        let range = source
            .text
            .get(span.start as usize..span.end as usize)
            .unwrap_or("");
        let (snippet, indent) = render::cut(place.text, place.column - 1);
        let line = range.lines().next().unwrap_or("");
        Some(Diagnostic {
            code,
            problem,
            item,
            source: source.name.clone(),
            line: place.line,
            column: place.column,
            width: line.trim_end().chars().count().max(1),
            snippet,
            indent,
        })
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// All of them, by place, and for each file how many more there were. Only plugins that are missing stand in
    /// front, as everything else may be wrong because of them.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        let unreadable = |(_, found): &(Span, Diagnostic)| found.code == Code::YamlParse;
        if self.found.iter().any(unreadable) {
            // What is missed may stand in the file that cannot be read.
            self.found
                .retain(|(_, found)| !found.problem.misses_definition());
        }
        let tallies = self.pages.values();
        let omitted: Vec<_> = tallies
            .flat_map(|page| [page.errors, page.warnings])
            .filter_map(|tally| Some((tally.first_omitted?, tally.omitted)))
            .filter_map(|((span, code), count)| {
                let problem = Problem::Omitted { count };
                Some((span, self.diagnostic(code, span, None, problem)?))
            })
            .collect();
        self.found.extend(omitted);
        self.found.sort_by_key(|(span, found)| {
            let plugin = matches!(found.problem, Problem::PluginMissing { .. });
            let omitted = matches!(found.problem, Problem::Omitted { .. });
            (!plugin, span.source, omitted, *span)
        });
        self.found
            .into_iter()
            .map(|(_, diagnostic)| diagnostic)
            .collect()
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The name nearest to a misspelt one, if any is near enough to be meant.
pub(crate) fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    const LONGEST: usize = 64;
    /// Files made to be slow define a hundred thousand names and miss as many.
    const MOST: usize = 2000;
    if name.len() > LONGEST {
        return None;
    }
    let allowed = (name.chars().count() / 3).clamp(1, 4);
    let letters = letters(name);
    names
        .into_iter()
        .take(MOST)
        // One edit changes the length by one and adds and removes one letter at most; of what is not ASCII, this
        // passes over some.
        .filter(|candidate| {
            candidate.len().abs_diff(name.len()) <= allowed
                && (letters ^ self::letters(candidate)).count_ones() as usize <= 2 * allowed
        })
        .map(|candidate| (strsim::osa_distance(name, candidate), candidate))
        .filter(|&(distance, _)| distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// A set of the bytes of a name, which may take one for another.
fn letters(name: &str) -> u64 {
    name.bytes().fold(0, |set, byte| set | 1 << (byte & 63))
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
