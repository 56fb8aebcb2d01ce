//! Conditions back as text, for messages and explanations: what is printed parses to the same tree.

use std::fmt;

use bstr::ByteSlice;

use crate::condition::ast::{Check, Constant, Expr, Quantifier, Right, Term, TermKind};
use crate::condition::cursor;

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => joined(f, parts, " and "),
            Self::Or(parts) => joined(f, parts, " or "),
            Self::Not(inner) => {
                f.write_str("not ")?;
                part(
                    f,
                    inner,
                    matches!(**inner, Self::Macro { .. } | Self::Check(_)),
                )
            }
            Self::Macro { name, .. } => f.write_str(name),
            Self::Check(check) => check.fmt(f),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.left, self.operator.word())?;
        if self.right == Right::None {
            return Ok(());
        }
        write!(f, " {}", self.right)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::One(constant) | Self::Word(constant) => constant.fmt(f),
            Self::Many(constants) => list(f, constants),
            Self::Quantified(quantifier, constants) => {
                write!(f, "{} ", quantifier.word())?;
                list(f, constants)
            }
            Self::Term(term) => match term.kind {
                TermKind::Field { .. } => write!(f, "val({term})"),
                _ => term.fmt(f),
            },
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TermKind::Field { name, argument } => {
                f.write_str(name)?;
                argument
                    .as_ref()
                    .map_or(Ok(()), |argument| bracketed(f, argument))
            }
            TermKind::Call {
                transformer,
                arguments,
                selector,
            } => {
                f.write_str(transformer.word())?;
                list(f, arguments)?;
                selector
                    .as_ref()
                    .map_or(Ok(()), |selector| bracketed(f, selector))
            }
            TermKind::List(terms) => list(f, terms),
            TermKind::Constant(text) => quoted(f, text),
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An item of a list is not always one token; in a condition it needs quotes then.
        match self.value.to_str() {
            Ok(bare) if !self.quoted && cursor::is_bare_string(bare) => f.write_str(bare),
            _ => quoted(f, &self.value),
        }
    }
}

impl Quantifier {
    /// How it is written.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Any => "anyof",
            Self::All => "allof",
            Self::One => "oneof",
        }
    }
}

/// The operands of `and` or `or`.
fn joined(f: &mut fmt::Formatter<'_>, parts: &[Expr], word: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        let bare = match part {
            Expr::Macro { .. } | Expr::Check(_) | Expr::Not(_) => true,
            Expr::And(_) => word == " or ",
            Expr::Or(_) => false,
        };
        self::part(f, part, bare)?;
    }
    Ok(())
}

/// An operand, in parentheses unless it is read as one without.
fn part(f: &mut fmt::Formatter<'_>, part: &Expr, bare: bool) -> fmt::Result {
    if bare {
        write!(f, "{part}")
    } else {
        write!(f, "({part})")
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    f.write_str("(")?;
    for (index, item) in items.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        write!(f, "{comma}{item}")?;
    }
    f.write_str(")")
}

fn bracketed(f: &mut fmt::Formatter<'_>, argument: &[u8]) -> fmt::Result {
    f.write_str("[")?;
    match argument.to_str() {
        Ok(bare) if cursor::is_bare_argument(bare) => f.write_str(bare)?,
        _ => quoted(f, argument)?,
    }
    f.write_str("]")
}

/// A string in quotes, with everything escaped that could not stand there as it is.
fn quoted(f: &mut fmt::Formatter<'_>, text: &[u8]) -> fmt::Result {
    f.write_str("\"")?;
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                control if control.is_ascii_control() => {
                    write!(f, "\\x{:02x}", u32::from(control))?
                }
                other => write!(f, "{other}")?,
            }
        }
        for byte in chunk.invalid() {
            write!(f, "\\x{byte:02x}")?;
        }
    }
    f.write_str("\"")
}
