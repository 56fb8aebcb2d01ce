//! Operands as text, as a condition would write them.

use std::fmt;

use super::Operand;

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, parts: &[Self]| {
            f.write_str("(")?;
            for (index, part) in parts.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { ", " })?;
                part.fmt(f)?;
            }
            f.write_str(")")
        };
        match self {
            Self::Field(field) => field.fmt(f),
            Self::Constant(text) => write!(f, "{:?}", text.to_string()),
            Self::First(inner) => inner.fmt(f),
            Self::List(parts) => list(f, parts),
            Self::Call(call) => {
                f.write_str(call.transformer.word())?;
                list(f, &call.arguments)?;
                match call.selector {
                    None => Ok(()),
                    Some(option) => write!(f, "[{}]", char::from(option)),
                }
            }
        }
    }
}
