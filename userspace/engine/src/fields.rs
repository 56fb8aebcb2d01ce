//! Names in rules to rows of the table of fields.

use std::cell::Cell;
use std::fmt;
use std::hash::{Hash, Hasher};

use bstr::{BString, ByteSlice};
use vigia_event::call::EVENT_TYPES;
use vigia_event::fields::{Argument, ArgumentRule, FieldRow, Shape, Stability};
use vigia_event::{Extracted, View};

use crate::diagnostics::{Problem, nearest};
use crate::operand::Typed;

/// A field with its argument, as rules and outputs name it.
#[derive(Clone)]
pub struct FieldReference {
    row: &'static FieldRow,
    argument: Argument,
    text: String,
}

impl FieldReference {
    /// The row of the field.
    #[must_use]
    pub fn row(&self) -> &'static FieldRow {
        self.row
    }

    /// What stands in brackets behind its name, or behind its last dot.
    #[must_use]
    pub fn argument(&self) -> &Argument {
        &self.argument
    }

    /// The name as it was written, such as `proc.aname[2]`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text
    }

    /// Reads it from an event.
    #[must_use]
    pub fn extract<'e>(&self, view: View<'e>) -> Extracted<'e> {
        (self.row.extract)(view, &self.argument)
    }

    /// How many values it has.
    #[must_use]
    pub fn shape(&self) -> Shape {
        match (self.row.shape, &self.argument) {
            (Shape::AnyOfUnlessIndexed, Argument::None) => Shape::AnyOf,
            (Shape::AnyOfUnlessIndexed, _) => Shape::Single,
            (shape, _) => shape,
        }
    }

    pub(crate) fn is_volatile(&self) -> bool {
        self.row.stability == Stability::Volatile
    }

    /// Whether its value may differ between the spellings of the event's path.
    pub(crate) fn is_spelled(&self) -> bool {
        self.row.depends_on_spelling(&self.argument)
    }

    /// Whether the environment of processes must be captured for it.
    pub(crate) fn reads_environment(&self) -> bool {
        match self.row.name {
            "proc.env" | "proc.aenv" => true,
            "evt.arg" | "evt.rawarg" => self.argument == Argument::Name("env".into()),
            _ => false,
        }
    }

    /// Whether what is sent and received must be captured for it. Lists of all parameters name the data, too, but only
    /// of events that move any, and are no reason by themselves.
    pub(crate) fn reads_data(&self) -> bool {
        match self.row.name {
            "evt.buffer" | "evt.buflen" => true,
            "evt.arg" | "evt.rawarg" => ["data", "img"]
                .into_iter()
                .any(|name| self.argument == Argument::Name(name.into())),
            _ => false,
        }
    }

    /// Whether it is an address by the names that resolve to it.
    pub(crate) fn is_domain_name(&self) -> bool {
        matches!(
            self.row.name,
            "fd.cip.name" | "fd.sip.name" | "fd.lip.name" | "fd.rip.name"
        )
    }

    /// Whether a rule that names it wants to see failed executions.
    pub(crate) fn tells_result(&self) -> bool {
        match self.row.name {
            "evt.res" | "evt.rawres" | "evt.failed" | "evt.refused" => true,
            "evt.arg" | "evt.rawarg" => self.argument == Argument::Name("res".into()),
            _ => false,
        }
    }
}

impl fmt::Debug for FieldReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for FieldReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for FieldReference {
    fn eq(&self, other: &Self) -> bool {
        self.row.name == other.row.name && self.argument == other.argument
    }
}

impl Eq for FieldReference {}

impl Hash for FieldReference {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.row.name.hash(state);
        self.argument.hash(state);
    }
}

/// The fields rules may name: those of the event model, or a small set of a test.
#[derive(Clone, Copy)]
pub(crate) struct Catalogue<'s> {
    rows: fn() -> Box<dyn Iterator<Item = &'static FieldRow>>,
    /// Names and values of the fields `static.*`, which the settings add.
    statics: &'s [(String, String)],
    /// For how many more unknown fields the nearest one is looked for: files made to be slow name a hundred
    /// thousand.
    suggestions: Option<&'s Cell<u32>>,
    /// Whether none is looked for.
    quiet: bool,
}

impl<'s> Catalogue<'s> {
    /// The fields of the event model.
    pub(crate) const EVENT: Self = Self {
        rows: || Box::new(vigia_event::fields::all()),
        statics: &[],
        suggestions: None,
        quiet: false,
    };

    /// The same fields, and those that the settings add.
    pub(crate) fn with_statics(self, statics: &'s [(String, String)]) -> Self {
        Self { statics, ..self }
    }

    /// The same fields, where no more suggestions are made than this counts down.
    pub(crate) fn with_suggestions(self, suggestions: &'s Cell<u32>) -> Self {
        Self {
            suggestions: Some(suggestions),
            ..self
        }
    }

    /// The same fields, for trying names: nothing is suggested for those that are none.
    pub(crate) fn quiet(self) -> Self {
        Self {
            quiet: true,
            ..self
        }
    }

    /// Whether the nearest name may be looked for once more; counts down.
    pub(crate) fn may_suggest(self) -> bool {
        if self.quiet {
            return false;
        }
        let left = self.suggestions.map_or(1, Cell::get);
        if let Some(suggestions) = self.suggestions {
            suggestions.set(left.saturating_sub(1));
        }
        left > 0
    }

    /// The names of the fields that the settings add, without the `static.` in front.
    pub(crate) fn static_names(self) -> impl Iterator<Item = &'s str> {
        self.statics.iter().map(|(name, _)| name.as_str())
    }

    /// A field that the settings add, by its full name.
    pub(crate) fn static_field(self, name: &str) -> Option<Typed> {
        let own = name.strip_prefix("static.")?;
        let (_, value) = self.statics.iter().find(|(name, _)| name == own)?;
        Some(Typed::constant(value.as_str().into(), name.to_owned()))
    }

    /// Other fields.
    #[cfg(test)]
    pub(crate) const fn of(rows: fn() -> Box<dyn Iterator<Item = &'static FieldRow>>) -> Self {
        Self {
            rows,
            statics: &[],
            suggestions: None,
            quiet: false,
        }
    }

    fn find(self, name: &str) -> Option<&'static FieldRow> {
        (self.rows)().find(|row| row.name == name)
    }

    /// Whether a text is the name of a field; cheap enough to ask of every constant.
    pub(crate) fn is_field(self, text: &str) -> bool {
        let takes_name =
            |row: &FieldRow| matches!(row.argument, ArgumentRule::Parameter | ArgumentRule::Name);
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
            && text.rsplit_once('.').is_some_and(|(family, last)| {
                self.find(text).is_some()
                    || (!last.is_empty() && self.find(family).is_some_and(takes_name))
            })
    }

    /// Resolves a name and what stood in brackets behind it.
    pub(crate) fn resolve(
        self,
        name: &str,
        argument: Option<&BString>,
    ) -> Result<FieldReference, Problem> {
        let text = match argument {
            None => name.to_owned(),
            Some(argument) => format!("{name}[{argument}]"),
        };
        if let Some(row) = self.find(name) {
            let argument = bracketed(row, argument, &text)?;
            return Ok(FieldReference {
                row,
                argument,
                text,
            });
        }
        // `evt.arg.flags`: the longest name that is a field and takes the rest as its argument.
        let dotted = name
            .rmatch_indices('.')
            .find_map(|(dot, _)| Some((self.find(&name[..dot])?, &name[dot + 1..])));
        if let (Some((row, rest)), None) = (dotted, argument) {
            match row.argument {
                ArgumentRule::Parameter => {
                    let names = || {
                        EVENT_TYPES
                            .iter()
                            .flat_map(|row| row.params)
                            .map(|param| param.name)
                    };
                    if !names().any(|name| name == rest) {
                        let nearest = nearest(rest, names());
                        return Err(Problem::UnknownParameter {
                            name: rest.to_owned(),
                            nearest,
                        });
                    }
                    return Ok(FieldReference {
                        row,
                        argument: Argument::Name(rest.into()),
                        text,
                    });
                }
                ArgumentRule::Name => {
                    return Ok(FieldReference {
                        row,
                        argument: Argument::Name(rest.into()),
                        text,
                    });
                }
                _ => {}
            }
        }
        let nearest = self
            .may_suggest()
            .then(|| nearest(name, (self.rows)().map(|row| row.name)))
            .flatten();
        Err(Problem::UnknownField {
            name: text,
            nearest,
        })
    }
}

fn bracketed(row: &FieldRow, argument: Option<&BString>, text: &str) -> Result<Argument, Problem> {
    let needed = |needed| Problem::ArgumentNeeded {
        name: text.to_owned(),
        needed,
    };
    let refused = |taken| Problem::ArgumentRefused {
        name: text.to_owned(),
        taken,
    };
    let index = |argument: &BString| {
        argument
            .to_str()
            .ok()
            .and_then(|digits| digits.parse().ok())
            .map(Argument::Index)
    };
    match (row.argument, argument) {
        (ArgumentRule::None | ArgumentRule::OptionalIndex | ArgumentRule::OptionalName, None) => {
            Ok(Argument::None)
        }
        (ArgumentRule::None, Some(_)) => Err(refused("no argument")),
        (ArgumentRule::Index, None) => Err(needed("a number")),
        (ArgumentRule::Name, None) => Err(needed("a name")),
        (ArgumentRule::Parameter, None) => Err(needed("the number of a parameter")),
        (
            ArgumentRule::OptionalIndex | ArgumentRule::Index | ArgumentRule::Parameter,
            Some(argument),
        ) => index(argument).ok_or_else(|| refused("only a number in brackets")),
        (ArgumentRule::OptionalName | ArgumentRule::Name, Some(argument)) => {
            Ok(Argument::Name(argument.clone()))
        }
    }
}
