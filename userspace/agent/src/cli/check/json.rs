//! The result as one JSON document. `falco_load_results` has the shape that scripts know from Falco; what is beside
//! it is ours.

use std::io::Write;

use serde::Serialize;
use vigia_engine::{Diagnostic, Item};

use super::{Checked, Unreadable};

#[derive(Serialize)]
struct Document<'d> {
    falco_load_results: Vec<FileResult<'d>>,
    summary: Summary,
}

#[derive(Serialize)]
struct Summary {
    successful: bool,
    files: usize,
    /// How many rules load; 0 after an error.
    rules: usize,
    errors: usize,
    warnings: usize,
}

#[derive(Serialize)]
struct FileResult<'d> {
    name: &'d str,
    successful: bool,
    errors: Vec<Finding<'d>>,
    warnings: Vec<Finding<'d>>,
}

#[derive(Serialize)]
struct Finding<'d> {
    code: &'static str,
    codedesc: &'static str,
    context: Context<'d>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

/// Where: from the file to the item.
#[derive(Serialize)]
struct Context<'d> {
    locations: Vec<Location<'d>>,
    /// The line, and a caret below the place.
    snippet: String,
}

#[derive(Serialize)]
struct Location<'d> {
    item_type: &'static str,
    item_name: &'d str,
    position: Position<'d>,
}

#[derive(Serialize)]
struct Position<'d> {
    name: &'d str,
    /// From 1.
    line: usize,
    /// In characters, from 1.
    column: usize,
    /// In bytes, from 0.
    offset: usize,
}

/// Prints what was found, file by file.
pub(super) fn document(checked: &Checked<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    // What is wrong in a setting stands in the text of that setting, behind the files.
    let mut names: Vec<&str> = Vec::new();
    let files = checked.sources.iter().map(|source| source.name.as_str());
    let places = checked
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.source.as_str());
    for name in files.chain(places) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut results: Vec<_> = names
        .into_iter()
        .map(|name| {
            let text = checked
                .sources
                .iter()
                .find(|source| source.name == name)
                .map_or("", |source| &source.text);
            let of_file = |errors: bool| -> Vec<Finding<'_>> {
                checked
                    .diagnostics
                    .iter()
                    .filter(|diagnostic| {
                        diagnostic.source == name && diagnostic.is_error() == errors
                    })
                    .map(|diagnostic| finding(diagnostic, text))
                    .collect()
            };
            let errors = of_file(true);
            FileResult {
                name,
                successful: errors.is_empty(),
                errors,
                warnings: of_file(false),
            }
        })
        .collect();
    for file in checked.unreadable.iter().rev() {
        results.insert(file.before.min(results.len()), unreadable(file));
    }
    let summary = Summary {
        successful: checked.errors() == 0,
        files: checked.sources.len(),
        rules: checked.rules,
        errors: checked.errors(),
        warnings: checked.warnings(),
    };
    print(results, summary, out)
}

/// A file that could not be read, as it looks among the others.
fn unreadable(file: &Unreadable) -> FileResult<'_> {
    FileResult {
        name: &file.name,
        successful: false,
        errors: vec![Finding {
            code: Unreadable::CODE.name(),
            codedesc: Unreadable::CODE.description(),
            context: Context {
                locations: Vec::new(),
                snippet: String::new(),
            },
            message: file.message.clone(),
            help: None,
        }],
        warnings: Vec::new(),
    }
}

fn print(
    falco_load_results: Vec<FileResult<'_>>,
    summary: Summary,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let document = Document {
        falco_load_results,
        summary,
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)?;
    Ok(())
}

fn finding<'d>(diagnostic: &'d Diagnostic, text: &str) -> Finding<'d> {
    let position = |line, column| Position {
        name: &diagnostic.source,
        line,
        column,
        offset: offset(text, line, column),
    };
    let mut locations = vec![Location {
        item_type: "rules content",
        item_name: "",
        position: position(1, 1),
    }];
    if let Some(item) = &diagnostic.item {
        let (item_type, item_name) = match item {
            Item::List(name) => ("list", name),
            Item::Macro(name) => ("macro", name),
            Item::Rule(name) => ("rule", name),
        };
        locations.push(Location {
            item_type,
            item_name,
            position: position(diagnostic.line, diagnostic.column),
        });
    } else {
        locations[0].position = position(diagnostic.line, diagnostic.column);
    }
    Finding {
        code: diagnostic.code.name(),
        codedesc: diagnostic.code.description(),
        context: Context {
            locations,
            snippet: format!(
                "{}\n{:indent$}^\n",
                diagnostic.snippet,
                "",
                indent = diagnostic.indent
            ),
        },
        message: diagnostic.problem.to_string(),
        help: diagnostic.problem.help(),
    }
}

/// The byte at which a line and column stand.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let characters = column.saturating_sub(1);
    before
        + text[before..]
            .chars()
            .take(characters)
            .map(char::len_utf8)
            .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_count_bytes_where_columns_count_characters() {
        for (text, line, column, expected) in [
            ("abc", 1, 1, 0),
            ("é: x\r\n  b", 1, 2, 2),
            ("é: x\r\n  b", 2, 3, 9),
            ("é\n", 9, 9, 3),
        ] {
            assert_eq!(
                offset(text, line, column),
                expected,
                "{text:?} {line}:{column}"
            );
        }
    }
}
