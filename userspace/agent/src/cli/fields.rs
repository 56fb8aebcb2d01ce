//! `vigia fields`: the table of fields, for people, for docs/fields.md and for programs.

use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use vigia_event::fields::{self, ArgumentRule, FieldRow, Shape, Stability};

/// Flags of `vigia fields`.
#[derive(Debug, Args)]
pub(super) struct Fields {
    /// As what
    #[arg(long, value_enum, default_value_t = FieldsFormat::Table)]
    format: FieldsFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FieldsFormat {
    /// Aligned columns
    Table,
    /// The page docs/fields.md
    Markdown,
    /// One JSON document
    Json,
}

impl Fields {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        list(self.format, out)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn list(format: FieldsFormat, out: &mut dyn Write) -> anyhow::Result<()> {
    match format {
        FieldsFormat::Table => out.write_all(to_table().as_bytes())?,
        FieldsFormat::Markdown => out.write_all(to_markdown().as_bytes())?,
        FieldsFormat::Json => {
            let rows: Vec<_> = fields::all().map(Described::from).collect();
            serde_json::to_writer_pretty(&mut *out, &rows)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

/// A row in words.
#[derive(Serialize)]
struct Described {
    name: &'static str,
    argument: &'static str,
    #[serde(rename = "type")]
    field_type: &'static str,
    values: &'static str,
    availability: &'static str,
    stable: bool,
    doc: &'static str,
    example: &'static str,
}

impl From<&'static FieldRow> for Described {
    fn from(row: &'static FieldRow) -> Self {
        Self {
            name: row.name,
            argument: match row.argument {
                ArgumentRule::None => "",
                ArgumentRule::OptionalIndex => "[number], optional",
                ArgumentRule::Index => "[number]",
                ArgumentRule::OptionalName => "[name], optional",
                ArgumentRule::Name => "[name]",
                ArgumentRule::Parameter => ".parameter",
            },
            field_type: row.field_type.name(),
            values: match row.shape {
                Shape::Single => "one",
                Shape::List => "list",
                Shape::AnyOf => "any of several",
                Shape::Aliases => "several for the same",
                Shape::AnyOfUnlessIndexed => "any of several, one with a number",
            },
            availability: row.availability.text(),
            stable: row.stability == Stability::Stable,
            doc: row.doc,
            example: row.example,
        }
    }
}

fn to_table() -> String {
    let rows: Vec<_> = fields::all().map(Described::from).collect();
    let width =
        |of: fn(&Described) -> &str| rows.iter().map(|row| of(row).len()).max().unwrap_or(0);
    let (names, types) = (width(|row| row.name), width(|row| row.field_type));
    let mut text = String::new();
    for row in &rows {
        let doc = row.doc.split_whitespace().collect::<Vec<_>>().join(" ");
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:names$}  {:types$}  {doc}",
            row.name, row.field_type
        );
    }
    text
}

/// The page docs/fields.md.
#[must_use]
pub fn to_markdown() -> String {
    let mut text = String::from(
        "# Fields\n\nGenerated from the table in `userspace/event/src/fields`; `cargo xtask docs` writes it anew. \
         Names without a family of their own here follow Falco.\n",
    );
    let mut family = "";
    for row in fields::all().map(Described::from) {
        let this = row.name.split('.').next().unwrap_or_default();
        if this != family {
            family = this;
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n## {family}\n\n| field | argument | type | values | on | what it is | example |\n|---|---|---|---|---|---|---|\n"
            );
        }
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {} | {} |",
            row.name,
            cell(row.argument),
            row.field_type,
            row.values,
            row.availability,
            cell(row.doc),
            code(row.example),
        );
    }
    text
}

fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

fn code(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("`{}`", cell(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_lists_every_field() {
        let shown = |format| {
            let mut out = Vec::new();
            list(format, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let (table, markdown) = (shown(FieldsFormat::Table), shown(FieldsFormat::Markdown));
        let json: serde_json::Value = serde_json::from_str(&shown(FieldsFormat::Json)).unwrap();
        assert_eq!(json.as_array().unwrap().len(), fields::all().count());
        for row in fields::all() {
            assert!(table.contains(row.name), "{}", row.name);
            assert!(
                markdown.contains(&format!("| `{}` |", row.name)),
                "{}",
                row.name
            );
        }
    }
}
