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
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Only fields that have this in their name or description, in any case; may be repeated, all must be there
    #[arg(value_name = "WORD")]
    words: Vec<String>,
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
        let format = if self.json {
            FieldsFormat::Json
        } else {
            self.format
        };
        let found = list(format, &self.words, out)?;
        Ok(if found {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// Whether there is such a field.
fn list(format: FieldsFormat, words: &[String], out: &mut dyn Write) -> anyhow::Result<bool> {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let rows: Vec<_> = fields::all()
        .filter(|row| has_words(row, &words))
        .map(Described::from)
        .collect();
    match format {
        FieldsFormat::Table => out.write_all(to_table(&rows).as_bytes())?,
        FieldsFormat::Markdown => out.write_all(to_markdown(&rows).as_bytes())?,
        FieldsFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &rows)?;
            writeln!(out)?;
        }
    }
    Ok(!rows.is_empty())
}

fn has_words(row: &FieldRow, words: &[String]) -> bool {
    let text = format!("{} {}", row.name, row.doc).to_lowercase();
    words.iter().all(|word| text.contains(word))
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

fn to_table(rows: &[Described]) -> String {
    let width =
        |of: fn(&Described) -> &str| rows.iter().map(|row| of(row).len()).max().unwrap_or(0);
    let (names, types) = (width(|row| row.name), width(|row| row.field_type));
    let availability = width(|row| row.availability);
    let mut text = String::new();
    for row in rows {
        let doc = row.doc.split_whitespace().collect::<Vec<_>>().join(" ");
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:names$}  {:types$}  {:availability$}  {doc}",
            row.name, row.field_type, row.availability
        );
    }
    text
}

/// The page docs/fields.md.
fn to_markdown(rows: &[Described]) -> String {
    let mut text = String::from(
        "# Fields\n\nGenerated from the table in `userspace/event/src/fields`; `cargo xtask docs` writes it anew. \
         Names without a family of their own here follow Falco.\n",
    );
    let mut family = "";
    for row in rows {
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
    fn words_narrow_the_list_down() {
        let shown = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            let mut out = Vec::new();
            let found = list(FieldsFormat::Table, &words, &mut out).unwrap();
            (String::from_utf8(out).unwrap(), found)
        };
        let (text, found) = shown(&["PROC.aname"]);
        assert!(found);
        assert!(
            text.lines()
                .all(|line| line.to_lowercase().contains("proc.aname"))
        );
        let both = shown(&["proc.", "secret"]).0;
        assert!(both.lines().count() < shown(&["secret"]).0.lines().count());
        assert_eq!(shown(&["no such thing"]), (String::new(), false));
    }

    #[test]
    fn every_format_lists_every_field() {
        let shown = |format| {
            let mut out = Vec::new();
            assert!(list(format, &[], &mut out).unwrap());
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
