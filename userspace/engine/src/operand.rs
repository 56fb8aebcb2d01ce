//! What a comparison compares: a field, or transformers over fields.

mod getopt;
mod print;
mod transform;

use bstr::BString;
use vigia_event::fields::Shape;
use vigia_event::{Extracted, FieldType, Value, View};

use crate::condition::ast::{Term, TermKind, Transformer};
use crate::diagnostics::Problem;
use crate::fields::{Catalogue, FieldReference};
use crate::source::Span;

/// Something that yields values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operand {
    Field(FieldReference),
    Call(Box<Call>),
    /// The list of `join`.
    List(Vec<Operand>),
    /// The first value of one with [`Shape::Aliases`], which stands for it where only one is wanted.
    First(Box<Operand>),
    Constant(BString),
}

/// A transformer with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    transformer: Transformer,
    arguments: Vec<Operand>,
    /// The option that `getopt(...)[c]` picks.
    selector: Option<u8>,
}

/// An operand with the type of its values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Typed {
    pub(crate) operand: Operand,
    pub(crate) field_type: FieldType,
    pub(crate) shape: Shape,
    /// As it was written.
    pub(crate) text: String,
}

impl Operand {
    /// Reads its value from an event.
    pub(crate) fn extract<'e>(&self, view: View<'e>) -> Extracted<'e> {
        match self {
            Self::Field(field) => field.extract(view),
            Self::Constant(text) => Value::made(text.to_vec()).into(),
            Self::List(parts) => transform::list(parts, view),
            Self::First(inner) => match inner.extract(view) {
                Extracted::Many(values) => Extracted::from_option(values.into_iter().next()),
                other => other,
            },
            Self::Call(call) => transform::apply(call, view),
        }
    }

    /// Whether some field of it satisfies a test.
    pub(crate) fn any_field(&self, test: &dyn Fn(&FieldReference) -> bool) -> bool {
        match self {
            Self::Field(field) => test(field),
            Self::Constant(_) => false,
            Self::First(inner) => inner.any_field(test),
            Self::List(parts) => parts.iter().any(|part| part.any_field(test)),
            Self::Call(call) => call.arguments.iter().any(|part| part.any_field(test)),
        }
    }

    /// Shows every field of it, in the order in which they are written.
    pub(crate) fn each_field(&self, show: &mut dyn FnMut(&FieldReference)) {
        match self {
            Self::Field(field) => show(field),
            Self::Constant(_) => {}
            Self::First(inner) => inner.each_field(show),
            Self::List(parts) => parts.iter().for_each(|part| part.each_field(show)),
            Self::Call(call) => call.arguments.iter().for_each(|part| part.each_field(show)),
        }
    }

    /// Roughly what it costs to read, in nanoseconds.
    pub(crate) fn cost(&self) -> f32 {
        match self {
            Self::Field(field) if field.shape() != Shape::Single => 40.0,
            Self::Field(_) => 6.0,
            Self::Constant(_) => 1.0,
            Self::First(inner) => inner.cost(),
            Self::List(parts) => parts.iter().map(Self::cost).sum(),
            Self::Call(call) => 60.0 + call.arguments.iter().map(Self::cost).sum::<f32>(),
        }
    }
}

impl Typed {
    /// A field.
    pub(crate) fn of(field: FieldReference) -> Self {
        Self {
            field_type: field.row().field_type,
            shape: field.shape(),
            text: field.name().to_owned(),
            operand: Operand::Field(field),
        }
    }

    /// A value that is the same for every event, and how it was written.
    pub(crate) fn constant(value: BString, text: String) -> Self {
        Self {
            operand: Operand::Constant(value),
            field_type: FieldType::Text,
            shape: Shape::Single,
            text,
        }
    }
}

impl Typed {
    /// With one value where there may be several of [`Shape::Aliases`].
    pub(crate) fn first(self) -> Self {
        if self.shape != Shape::Aliases {
            return self;
        }
        Self {
            operand: Operand::First(Box::new(self.operand)),
            shape: Shape::Single,
            ..self
        }
    }
}

/// Resolves and checks what was written.
pub(crate) fn resolve(term: &Term, catalogue: Catalogue<'_>) -> Result<Typed, (Span, Problem)> {
    let at = |problem| (term.span, problem);
    match &term.kind {
        TermKind::Field { name, argument } => {
            if argument.is_none()
                && let Some(typed) = catalogue.static_field(name)
            {
                return Ok(typed);
            }
            let field = catalogue.resolve(name, argument.as_ref()).map_err(at)?;
            Ok(Typed::of(field))
        }
        TermKind::Constant(text) => Ok(Typed::constant(text.clone(), text.to_string())),
        TermKind::List(parts) => {
            let mut operands = Vec::with_capacity(parts.len());
            for part in parts {
                let typed = resolve(part, catalogue)?.first();
                if typed.shape != Shape::Single || !is_text(typed.field_type) {
                    let reason = "a list holds single strings";
                    return Err((part.span, refused(Transformer::Join, &typed, reason)));
                }
                operands.push(typed.operand);
            }
            let operand = Operand::List(operands);
            Ok(Typed {
                operand,
                field_type: FieldType::Text,
                shape: Shape::List,
                text: "a list".to_owned(),
            })
        }
        TermKind::Call {
            transformer,
            arguments,
            selector,
        } => {
            let typed = arguments
                .iter()
                .enumerate()
                .map(|(index, term)| {
                    let typed = resolve(term, catalogue)?;
                    Ok(match as_list(&typed, catalogue) {
                        Some(list) if takes_list(*transformer, index) => list,
                        _ => argument(*transformer, typed),
                    })
                })
                .collect::<Result<Vec<_>, _>>()?;
            call(*transformer, &typed, selector.as_ref()).map_err(at)
        }
    }
}

fn takes_list(transformer: Transformer, index: usize) -> bool {
    matches!(
        (transformer, index),
        (Transformer::Join, 1) | (Transformer::GetOpt, 0)
    )
}

/// The arguments of a process are one text to comparisons, and a list to what takes a list.
fn as_list(typed: &Typed, catalogue: Catalogue<'_>) -> Option<Typed> {
    match &typed.operand {
        Operand::Field(field) if field.name() == "proc.args" => {
            catalogue.resolve("proc.arglist", None).ok().map(Typed::of)
        }
        _ => None,
    }
}

/// What a transformer gets: of several values for the same all where it changes each, else the first.
fn argument(transformer: Transformer, typed: Typed) -> Typed {
    match transformer {
        Transformer::ToLower
        | Transformer::ToUpper
        | Transformer::Base64
        | Transformer::Basename => typed,
        Transformer::Len | Transformer::Join | Transformer::Concat | Transformer::GetOpt => {
            typed.first()
        }
    }
}

fn call(
    transformer: Transformer,
    arguments: &[Typed],
    selector: Option<&BString>,
) -> Result<Typed, Problem> {
    let (arity, fits) = match transformer {
        Transformer::Join | Transformer::GetOpt => ("two", arguments.len() == 2),
        Transformer::Concat => ("two or more", arguments.len() >= 2),
        _ => ("one", arguments.len() == 1),
    };
    if !fits {
        return Err(Problem::TransformerArity {
            transformer: transformer.word(),
            expected: arity,
        });
    }
    if let Some(several) = arguments
        .iter()
        .find(|argument| argument.shape == Shape::AnyOf)
    {
        return Err(refused(
            transformer,
            several,
            "it stands for any of several values",
        ));
    }
    let list_at = |index: usize| arguments[index].shape == Shape::List;
    for (index, argument) in arguments.iter().enumerate() {
        let wants_list = takes_list(transformer, index);
        let wants_single = matches!(
            transformer,
            Transformer::Join | Transformer::Concat | Transformer::GetOpt
        ) && !wants_list;
        if wants_list && !list_at(index) {
            return Err(refused(transformer, argument, "a list is needed"));
        }
        if wants_single && list_at(index) {
            return Err(refused(transformer, argument, "a single value is needed"));
        }
        let bytes = argument.field_type == FieldType::Bytes && transformer == Transformer::Base64;
        if transformer == Transformer::Len {
            let counted = argument.shape == Shape::List || argument.field_type == FieldType::Bytes;
            if !counted && !is_text(argument.field_type) {
                let reason = "a string, bytes or a list is needed";
                return Err(refused(transformer, argument, reason));
            }
        } else if !is_text(argument.field_type) && !bytes {
            return Err(refused(transformer, argument, "a string is needed"));
        }
    }
    let selector = match (transformer, selector) {
        (_, None) => None,
        (Transformer::GetOpt, Some(option)) if option.len() == 1 => Some(option[0]),
        _ => {
            let name = format!("{}(...)", transformer.word());
            return Err(Problem::ArgumentRefused {
                name,
                taken: "no argument, or one option letter behind getopt",
            });
        }
    };
    let (field_type, shape) = match transformer {
        Transformer::Len => (FieldType::Uint, Shape::Single),
        Transformer::Join | Transformer::Concat => (FieldType::Text, Shape::Single),
        Transformer::GetOpt if selector.is_some() => (FieldType::Text, Shape::Single),
        Transformer::GetOpt => (FieldType::Text, Shape::List),
        _ => (arguments[0].field_type, arguments[0].shape),
    };
    let names: Vec<&str> = arguments
        .iter()
        .map(|argument| argument.text.as_str())
        .collect();
    let text = format!("{}({})", transformer.word(), names.join(", "));
    let arguments = arguments
        .iter()
        .map(|argument| argument.operand.clone())
        .collect();
    let operand = Operand::Call(Box::new(Call {
        transformer,
        arguments,
        selector,
    }));
    Ok(Typed {
        operand,
        field_type,
        shape,
        text,
    })
}

fn refused(transformer: Transformer, argument: &Typed, reason: &'static str) -> Problem {
    Problem::TransformerArgument {
        transformer: transformer.word(),
        name: argument.text.clone(),
        reason,
    }
}

fn is_text(field_type: FieldType) -> bool {
    matches!(field_type, FieldType::Text | FieldType::Path)
}
