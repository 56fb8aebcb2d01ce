//! The keys of rule files: one table that the loader reads items by, that the JSON schema is made from, and that
//! documentation lists, so that none of them can know a key that another does not.

/// A kind of item, or a map inside one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The key that tells the kind, and comes first by custom.
    pub name: &'static str,
    /// What the item is, in one sentence.
    pub doc: &'static str,
    /// Every key it may have, `name` included.
    pub keys: &'static [Key],
}

/// A key of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What stands behind it.
    pub shape: Shape,
    /// Whether a complete definition needs it.
    pub required: bool,
    /// What `override` may do with it.
    pub overrides: Overrides,
    /// What it means, in one or two sentences.
    pub doc: &'static str,
}

/// What stands behind a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text that is not empty.
    Text,
    /// Text, or a number that is read as text.
    Scalar,
    /// True or false.
    Bool,
    /// A whole number from 0 to 2^32 - 1.
    Uint32,
    /// One of [`crate::Priority::ALL`], in any case; `INFO` is short for `INFORMATIONAL`.
    Priority,
    /// A sequence of scalars.
    Scalars,
    /// A scalar or a sequence of scalars.
    ScalarOrScalars,
    /// A sequence whose elements are scalars, or sequences of scalars and of sequences of scalars.
    Values,
    /// A whole number N for 0.N.0, or text `x.y.z`.
    EngineVersion,
    /// Text `x.y.z`.
    Version,
    /// A map from the item's own keys to `append` or `replace`; see [`Key::overrides`].
    Override,
    /// A sequence of maps of one kind.
    Maps(&'static Kind),
}

/// What `override` may do with a key of an item that is defined already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overrides {
    /// Nothing: it stands for itself.
    None,
    /// Replace it.
    Replace,
    /// Append to it, or replace it.
    AppendOrReplace,
}

use Overrides::{AppendOrReplace, None as Fixed, Replace};

const fn key(name: &'static str, shape: Shape, overrides: Overrides, doc: &'static str) -> Key {
    Key {
        name,
        shape,
        required: false,
        overrides,
        doc,
    }
}

const fn required(
    name: &'static str,
    shape: Shape,
    overrides: Overrides,
    doc: &'static str,
) -> Key {
    Key {
        required: true,
        ..key(name, shape, overrides, doc)
    }
}

/// An entry of `exceptions`.
pub const EXCEPTION: Kind = Kind {
    name: "name",
    doc: "Cases in which the rule does not fire.",
    keys: &[
        required(
            "name",
            Shape::Text,
            Fixed,
            "The exception's name, by which later files append values to it.",
        ),
        key(
            "fields",
            Shape::ScalarOrScalars,
            Fixed,
            "The field, or fields, whose values decide. Not given when values are appended to an exception that exists.",
        ),
        key(
            "comps",
            Shape::ScalarOrScalars,
            Fixed,
            "The operator for each field. By default `=` for each field of a list, and `in` for a single field.",
        ),
        key(
            "values",
            Shape::Values,
            Fixed,
            "The excepted cases: for a list of fields one list of values for each case, for a single field its values.",
        ),
    ],
};

/// An alternative of a required plugin.
pub const PLUGIN_ALTERNATIVE: Kind = Kind {
    name: "name",
    doc: "A plugin that serves as well.",
    keys: &[
        required("name", Shape::Text, Fixed, "The plugin's name."),
        required(
            "version",
            Shape::Version,
            Fixed,
            "The oldest version that serves.",
        ),
    ],
};

/// An entry of `required_plugin_versions`.
pub const PLUGIN: Kind = Kind {
    name: "name",
    doc: "A plugin the rules need. Container metadata is built in and answers as plugin `container`.",
    keys: &[
        required("name", Shape::Text, Fixed, "The plugin's name."),
        required(
            "version",
            Shape::Version,
            Fixed,
            "The oldest version that serves.",
        ),
        key(
            "alternatives",
            Shape::Maps(&PLUGIN_ALTERNATIVE),
            Fixed,
            "Plugins that serve in its place.",
        ),
    ],
};

/// `required_engine_version`.
pub const ENGINE_VERSION: Kind = Kind {
    name: "required_engine_version",
    doc: "The version of Falco's rule engine the file is written for.",
    keys: &[required(
        "required_engine_version",
        Shape::EngineVersion,
        Fixed,
        "The oldest version that serves: N for 0.N.0, or x.y.z.",
    )],
};

/// `required_plugin_versions`.
pub const PLUGIN_VERSIONS: Kind = Kind {
    name: "required_plugin_versions",
    doc: "The plugins the file's rules need.",
    keys: &[required(
        "required_plugin_versions",
        Shape::Maps(&PLUGIN),
        Fixed,
        "The plugins, each with its oldest version that serves.",
    )],
};

const APPEND_DOC: &str = "Deprecated, use `override`: adds to the item of this name that is defined already instead of replacing it.";
const OVERRIDE_DOC: &str = "Changes parts of the item of this name that is defined already: for each key given here, whether to `append` to it or to `replace` it.";

/// `list`.
pub const LIST: Kind = Kind {
    name: "list",
    doc: "Values under a name, for use wherever a condition or an exception names values.",
    keys: &[
        required(
            "list",
            Shape::Text,
            Fixed,
            "The list's name. A list that exists is replaced.",
        ),
        required(
            "items",
            Shape::Scalars,
            AppendOrReplace,
            "The values. The name of a list defined before stands for its values.",
        ),
        key("append", Shape::Bool, Fixed, APPEND_DOC),
        key("override", Shape::Override, Fixed, OVERRIDE_DOC),
    ],
};

/// `macro`.
pub const MACRO: Kind = Kind {
    name: "macro",
    doc: "A condition under a name, for use in other conditions.",
    keys: &[
        required(
            "macro",
            Shape::Text,
            Fixed,
            "The macro's name: letters, digits and `_`. A macro that exists is replaced.",
        ),
        required(
            "condition",
            Shape::Text,
            AppendOrReplace,
            "The condition. It may name macros that are defined before this one.",
        ),
        key("append", Shape::Bool, Fixed, APPEND_DOC),
        key("override", Shape::Override, Fixed, OVERRIDE_DOC),
    ],
};

/// `rule`.
pub const RULE: Kind = Kind {
    name: "rule",
    doc: "What to look for, and what to say when it happens.",
    keys: &[
        required(
            "rule",
            Shape::Text,
            Fixed,
            "The rule's name, unique over all files. A rule that exists is replaced and keeps its place in the order.",
        ),
        required(
            "desc",
            Shape::Text,
            AppendOrReplace,
            "What an alert of this rule means, and what to do about it.",
        ),
        required(
            "condition",
            Shape::Text,
            AppendOrReplace,
            "When the rule fires: comparisons of fields, joined by and, or, not. Name the event types.",
        ),
        required(
            "output",
            Shape::Text,
            AppendOrReplace,
            "What the alert says. `%field` stands for a value, `<NA>` for one that is missing.",
        ),
        required(
            "priority",
            Shape::Priority,
            Replace,
            "How bad it is when the rule fires.",
        ),
        key(
            "source",
            Shape::Text,
            Fixed,
            "The source of the events, `syscall` by default. Rules for a source that is not there are skipped with a warning.",
        ),
        key(
            "enabled",
            Shape::Bool,
            Replace,
            "False: the rule is checked but never fires.",
        ),
        key(
            "tags",
            Shape::Scalars,
            AppendOrReplace,
            "Words that alerts carry and by which the configuration selects rules.",
        ),
        key(
            "exceptions",
            Shape::Maps(&EXCEPTION),
            AppendOrReplace,
            "Cases in which the rule does not fire, as tables of values.",
        ),
        key(
            "warn_evttypes",
            Shape::Bool,
            Replace,
            "False: no warning although the rule is asked about very many event types.",
        ),
        key(
            "skip-if-unknown-filter",
            Shape::Bool,
            Replace,
            "True: a rule that names an unknown field is skipped with a warning instead of being an error.",
        ),
        key(
            "capture",
            Shape::Bool,
            Replace,
            "Read for compatibility; nothing is captured.",
        ),
        key(
            "capture_duration",
            Shape::Uint32,
            Replace,
            "Read for compatibility: milliseconds of capture.",
        ),
        key("append", Shape::Bool, Fixed, APPEND_DOC),
        key("override", Shape::Override, Fixed, OVERRIDE_DOC),
        key(
            "group_by",
            Shape::Scalars,
            Replace,
            "Ours: the fields whose values say which repeats are about the same thing.",
        ),
        key(
            "window_s",
            Shape::Uint32,
            Replace,
            "Ours: for how many seconds repeats are folded into one summary; the configuration says where absent.",
        ),
    ],
};

/// Every kind of item. An item that has the keys of several is of the first.
pub const KINDS: &[&Kind] = &[&ENGINE_VERSION, &PLUGIN_VERSIONS, &LIST, &MACRO, &RULE];

impl Kind {
    /// The row of a key.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The names of its keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.keys.iter().map(|key| key.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_has_a_key_twice() {
        for kind in KINDS
            .iter()
            .copied()
            .chain([&EXCEPTION, &PLUGIN, &PLUGIN_ALTERNATIVE])
        {
            let mut names: Vec<_> = kind.names().collect();
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "{}", kind.name);
            assert!(kind.key(kind.name).is_some_and(|key| key.required));
        }
    }
}
