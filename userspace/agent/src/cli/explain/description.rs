//! A rule, taken apart.

use std::io::Write;

use serde::Serialize;
use vigia_engine::{Description, Named, Place, Rule};
use vigia_event::fields::Stability;

use crate::cli::one_line;

/// Of longer lists only the beginning is printed for people.
const ITEMS_SHOWN: usize = 12;
/// Of more event types only the number is printed for people.
const TYPES_SHOWN: usize = 20;

/// For people.
pub(super) fn text(
    rule: &Rule,
    described: &Description,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let off = if rule.enabled { "" } else { ", switched off" };
    writeln!(out, "{}", one_line(&rule.name))?;
    writeln!(
        out,
        "  {}{off}{}",
        rule.priority,
        at(described.place.as_ref())
    )?;
    writeln!(out, "  {}", one_line(&rule.description))?;

    writeln!(out, "\nIt fires when all of these hold:")?;
    for part in &described.condition {
        writeln!(out, "  {}", one_line(part))?;
    }
    if !described.macros.is_empty() {
        writeln!(out, "\nMacros in it stand for:")?;
        for Named {
            name,
            place,
            condition,
            ..
        } in &described.macros
        {
            writeln!(
                out,
                "  {}{}\n      {}",
                one_line(name),
                at(place.as_ref()),
                one_line(condition)
            )?;
        }
    }
    if !described.lists.is_empty() {
        writeln!(out, "\nLists in it, with the lists in them put in:")?;
        for (name, items) in &described.lists {
            let shown: Vec<String> = items
                .iter()
                .take(ITEMS_SHOWN)
                .map(ToString::to_string)
                .collect();
            let rest = match items.len().checked_sub(ITEMS_SHOWN) {
                Some(rest) if rest > 0 => format!(", and {rest} more"),
                _ => String::new(),
            };
            writeln!(
                out,
                "  {}: {}{rest}",
                one_line(name),
                one_line(&shown.join(", "))
            )?;
        }
    }
    let types: Vec<&str> = described
        .event_types
        .iter()
        .map(vigia_event::EventType::name)
        .collect();
    if types.len() > TYPES_SHOWN {
        writeln!(
            out,
            "\nIt is asked about {} event types; naming fewer with evt.type makes it cheaper.",
            types.len()
        )?;
    } else {
        writeln!(
            out,
            "\nIt is asked about events of type {}.",
            types.join(", ")
        )?;
    }
    writeln!(out, "\nFields it reads:")?;
    let width = described
        .fields
        .iter()
        .map(|field| field.name().len())
        .max()
        .unwrap_or(0);
    for field in &described.fields {
        let row = field.row();
        let volatile = match row.stability {
            Stability::Volatile => "; may differ from event to event",
            Stability::Stable => "",
        };
        writeln!(
            out,
            "  {:width$}  {}{volatile}: {}",
            one_line(field.name()),
            row.field_type.name(),
            row.doc
        )?;
    }
    let first = described
        .event_types
        .iter()
        .next()
        .map_or("none", vigia_event::EventType::name);
    writeln!(
        out,
        "\nCompiled (here for {first} events), it is judged in this order; the first part that does not hold ends it:"
    )?;
    for (index, judged) in described.judged.iter().enumerate() {
        writeln!(
            out,
            "  {}. {}  (about {} ns)",
            index + 1,
            one_line(&judged.text),
            judged.cost_ns
        )?;
    }
    Ok(())
}

fn at(place: Option<&Place>) -> String {
    place.map_or_else(String::new, |place| {
        format!(", {}:{}", one_line(&place.file), place.line)
    })
}

#[derive(Serialize)]
struct Document<'d> {
    rule: &'d str,
    description: &'d str,
    priority: &'static str,
    enabled: bool,
    tags: &'d [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<At<'d>>,
    condition: &'d [String],
    macros: Vec<Macro<'d>>,
    lists: Vec<List<'d>>,
    event_types: Vec<&'static str>,
    fields: Vec<Field<'d>>,
    judged: Vec<Judged<'d>>,
}

#[derive(Serialize)]
struct At<'d> {
    file: &'d str,
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct Macro<'d> {
    name: &'d str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<At<'d>>,
    condition: &'d str,
}

#[derive(Serialize)]
struct List<'d> {
    name: &'d str,
    items: Vec<String>,
}

#[derive(Serialize)]
struct Field<'d> {
    name: &'d str,
    #[serde(rename = "type")]
    field_type: &'static str,
    stable: bool,
    description: &'static str,
}

#[derive(Serialize)]
struct Judged<'d> {
    part: &'d str,
    cost_ns: u32,
}

impl<'d> From<&'d Place> for At<'d> {
    fn from(place: &'d Place) -> Self {
        Self {
            file: &place.file,
            line: place.line,
            column: place.column,
        }
    }
}

/// Everything.
pub(super) fn json(
    rule: &Rule,
    described: &Description,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let document = Document {
        rule: &rule.name,
        description: &rule.description,
        priority: rule.priority.name(),
        enabled: rule.enabled,
        tags: &rule.tags,
        place: described.place.as_ref().map(At::from),
        condition: &described.condition,
        macros: described
            .macros
            .iter()
            .map(|named| Macro {
                name: &named.name,
                place: named.place.as_ref().map(At::from),
                condition: &named.condition,
            })
            .collect(),
        lists: described
            .lists
            .iter()
            .map(|(name, items)| List {
                name,
                items: items.iter().map(ToString::to_string).collect(),
            })
            .collect(),
        event_types: described
            .event_types
            .iter()
            .map(vigia_event::EventType::name)
            .collect(),
        fields: described
            .fields
            .iter()
            .map(|field| Field {
                name: field.name(),
                field_type: field.row().field_type.name(),
                stable: field.row().stability == Stability::Stable,
                description: field.row().doc,
            })
            .collect(),
        judged: described
            .judged
            .iter()
            .map(|judged| Judged {
                part: &judged.text,
                cost_ns: judged.cost_ns,
            })
            .collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)?;
    Ok(())
}
