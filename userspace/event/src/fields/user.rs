//! Placeholder rows.
use super::FieldRow;
pub(super) static FIELDS: &[FieldRow] = &[];
