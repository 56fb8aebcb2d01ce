//! Exceptions: cases in which a rule does not fire, kept as tables apart from its condition so that later
//! files can add rows.
//!
//! They end up as text behind the condition, as in Falco: so a value may name a list, or be `val(field)`,
//! and everything behind this stage knows only conditions. Every piece of that text leads back to the value
//! in the file.

use std::cell::Cell;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::item::ItemReader;
use crate::condition::ast::Operator;
use crate::condition::cursor::Cursor;
use crate::condition::parse::parse_term;
use crate::diagnostics::{Code, Problem, nearest};
use crate::fields::Catalogue;
use crate::keys;
use crate::operand;
use crate::source::{Span, Text};
use crate::yaml::{Kind, Node};

/// The exceptions of a rule, in the order of their definition.
#[derive(Default)]
pub(super) struct Exceptions {
    all: Vec<Exception>,
    slots: FxHashMap<String, usize>,
}

struct Exception {
    place: Span,
    columns: Columns,
    /// What stands in parentheses behind a single operator, or between `or`s.
    cases: Vec<Text>,
}

/// What values are compared with.
enum Columns {
    /// One field, with an operator that takes all values at once.
    One(Column),
    /// Several fields, each with an operator for the value in its place.
    Several(Vec<Column>),
}

struct Column {
    field: Text,
    operator: Text,
    /// Whether the operator compares with a list in parentheses.
    takes_list: bool,
}

/// An entry of `exceptions`, with the shapes of its values but not yet their meaning.
struct Entry<'i> {
    name: String,
    name_span: Span,
    fields: Option<Several>,
    comps: Option<Several>,
    values: Option<&'i [Rc<Node>]>,
}

/// A scalar, or a sequence of them.
enum Several {
    One(Text),
    Many(Vec<Text>, Span),
}

/// How much text all exceptions may come to: each case repeats the names of its fields.
const BYTES_LIMIT: usize = 16 << 20;

/// What is needed to check exceptions.
#[derive(Clone, Copy)]
pub(super) struct Checking<'c> {
    /// How much text the exceptions of all rules have come to.
    pub(super) bytes: &'c Cell<usize>,
    pub(super) catalogue: Catalogue<'c>,
    /// Whether unknown fields are left to the compiler: the rule may be skipped because of them.
    pub(super) tolerant: bool,
}

impl Exceptions {
    /// Reads the exceptions of a definition.
    pub(super) fn define(item: &mut ItemReader<'_, '_>, checking: Checking<'_>) -> Self {
        let mut exceptions = Self::default();
        for_each_entry(item, |item, entry| {
            exceptions.insert(item, entry, checking);
        });
        exceptions
    }

    /// Adds the exceptions of an item that appends: new ones, and values to those that exist.
    pub(super) fn append(&mut self, item: &mut ItemReader<'_, '_>, checking: Checking<'_>) {
        for_each_entry(item, |item, entry| {
            if entry.values.is_none() {
                let problem = Problem::ExceptionAppendsNothing {
                    name: entry.name.clone(),
                };
                item.problem(Code::AppendNoValues, entry.name_span, problem);
            }
            let Some(&slot) = self.slots.get(&entry.name) else {
                let missing = if entry.fields.is_none() {
                    Some("fields")
                } else {
                    entry.values.is_none().then_some("values")
                };
                match missing {
                    None => self.insert(item, entry, checking),
                    Some(key) => {
                        let name = entry.name;
                        let problem = Problem::ExceptionIncomplete { name, key };
                        item.problem(Code::Validate, entry.name_span, problem);
                    }
                }
                return;
            };
            for (key, given) in [("fields", &entry.fields), ("comps", &entry.comps)] {
                if given.is_some() {
                    let span = item.key_span(key);
                    item.problem(Code::Validate, span, Problem::ExceptionFixed { key });
                }
            }
            let exception = &mut self.all[slot];
            exception
                .cases
                .extend(exception.columns.cases(item, entry.values, checking));
        });
    }

    fn insert(&mut self, item: &mut ItemReader<'_, '_>, entry: Entry<'_>, checking: Checking<'_>) {
        let Some(columns) = Columns::read(item, &entry, checking) else {
            return;
        };
        let cases = columns.cases(item, entry.values, checking);
        // Of several with one name, the first is the one that later values go to.
        self.slots.entry(entry.name).or_insert(self.all.len());
        self.all.push(Exception {
            place: entry.name_span,
            columns,
            cases,
        });
    }

    /// A condition with the exceptions behind it.
    pub(super) fn put_behind(&self, condition: &mut Text) {
        let mut with_cases = self
            .all
            .iter()
            .filter(|exception| !exception.cases.is_empty());
        let Some(first) = with_cases.next() else {
            return;
        };
        let own = condition.whole();
        let mut text = Text::made("(", own);
        text.push(condition);
        text.push_made(")", first.place);
        for exception in std::iter::once(first).chain(with_cases) {
            exception.push_to(&mut text);
        }
        *condition = text;
    }
}

impl Exception {
    fn push_to(&self, text: &mut Text) {
        let place = self.place;
        text.push_made(" and not (", place);
        let between = match &self.columns {
            Columns::One(column) => {
                column.push_to(text);
                text.push_made("(", place);
                ", "
            }
            Columns::Several(_) => " or ",
        };
        for (index, case) in self.cases.iter().enumerate() {
            if index > 0 {
                text.push_made(between, place);
            }
            text.push(case);
        }
        if matches!(self.columns, Columns::One(_)) {
            text.push_made(")", place);
        }
        text.push_made(")", place);
    }
}

impl Column {
    fn push_to(&self, text: &mut Text) {
        text.push(&self.field);
        text.push_made(" ", self.field.whole());
        text.push(&self.operator);
        text.push_made(" ", self.operator.whole());
    }
}

impl Columns {
    /// Checks the fields and operators of a new exception.
    fn read(
        item: &mut ItemReader<'_, '_>,
        entry: &Entry<'_>,
        checking: Checking<'_>,
    ) -> Option<Self> {
        let (place, name) = (entry.name_span, &entry.name);
        let mut refuse = |span, problem| {
            item.problem(Code::Validate, span, problem);
            None
        };
        match (&entry.fields, &entry.comps) {
            (None, _) => {
                item.invalid(place, Problem::MissingKey { key: "fields" });
                None
            }
            (Some(Several::Many(fields, span)), _) if fields.is_empty() => {
                let name = name.clone();
                refuse(*span, Problem::ExceptionWithoutFields { name })
            }
            (Some(Several::One(_)), Some(Several::Many(_, span))) => {
                refuse(*span, Problem::ExceptionMixed)
            }
            (Some(Several::Many(..)), Some(Several::One(comp))) => {
                refuse(comp.whole(), Problem::ExceptionMixed)
            }
            (Some(Several::Many(fields, _)), Some(Several::Many(comps, span)))
                if fields.len() != comps.len() =>
            {
                let problem = Problem::ExceptionCompsLength {
                    fields: fields.len(),
                    comps: comps.len(),
                };
                refuse(*span, problem)
            }
            (Some(Several::One(field)), comp) => {
                let operator = match comp {
                    Some(Several::One(comp)) => comp.clone(),
                    _ => Text::made("in", place),
                };
                let column = Column::read(item, field, operator, checking)?;
                if !column.takes_list {
                    let span = column.operator.whole();
                    let given = column.operator.text;
                    item.problem(
                        Code::Validate,
                        span,
                        Problem::ExceptionListOperator { given },
                    );
                    return None;
                }
                Some(Self::One(column))
            }
            (Some(Several::Many(fields, _)), comps) => {
                let columns: Vec<Option<Column>> = fields
                    .iter()
                    .enumerate()
                    .map(|(index, field)| {
                        let operator = match comps {
                            Some(Several::Many(comps, _)) => comps[index].clone(),
                            _ => Text::made("=", place),
                        };
                        Column::read(item, field, operator, checking)
                    })
                    .collect();
                columns
                    .into_iter()
                    .collect::<Option<_>>()
                    .map(Self::Several)
            }
        }
    }

    /// Turns values into text, each leading back to where it stands.
    fn cases(
        &self,
        item: &mut ItemReader<'_, '_>,
        values: Option<&[Rc<Node>]>,
        checking: Checking<'_>,
    ) -> Vec<Text> {
        let mut cases = Vec::new();
        for value in values.unwrap_or_default() {
            let case = match self {
                Self::One(_) => single(item, value),
                Self::Several(columns) => row(item, columns, value),
            };
            let Some(case) = case else { continue };
            let bytes = checking.bytes.get() + case.text.len();
            if bytes > BYTES_LIMIT {
                let maximum = BYTES_LIMIT;
                item.problem(
                    Code::Validate,
                    value.span,
                    Problem::ExceptionsTooLarge { maximum },
                );
                break;
            }
            checking.bytes.set(bytes);
            cases.push(case);
        }
        cases
    }
}

impl Column {
    fn read(
        item: &mut ItemReader<'_, '_>,
        field: &Text,
        mut operator: Text,
        checking: Checking<'_>,
    ) -> Option<Self> {
        operator.trim();
        let given = field.text.clone();
        let unknown = |nearest| Problem::ExceptionField { given, nearest };
        let resolved = match parse_term(Cursor::new(field)) {
            Ok((Some(term), rest)) if rest.rest().is_empty() => {
                operand::resolve(&term, checking.catalogue)
            }
            _ => Err((field.whole(), unknown(None))),
        };
        if let Err((span, problem)) = resolved
            && !(checking.tolerant && problem.is_unknown_filter())
        {
            let problem = match problem {
                Problem::UnknownField { nearest, name } => Problem::ExceptionField {
                    given: name,
                    nearest,
                },
                other => other,
            };
            item.problem(Code::Validate, span, problem);
            return None;
        }
        let takes_list = takes_list(&operator.text);
        if takes_list.is_none() {
            let words = Operator::ALL.iter().map(|operator| operator.word());
            let problem = Problem::ExceptionOperator {
                nearest: nearest(&operator.text, words),
                given: operator.text.clone(),
            };
            item.problem(Code::Validate, operator.whole(), problem);
        }
        Some(Self {
            field: field.clone(),
            operator,
            takes_list: takes_list?,
        })
    }
}

/// Whether an operator, perhaps with `anyof` or the like behind it, compares with a list in parentheses;
/// nothing for what is no such operator.
fn takes_list(text: &str) -> Option<bool> {
    let mut words = text.split_ascii_whitespace();
    let word = words.next()?;
    let operator = Operator::ALL
        .iter()
        .find(|operator| operator.word() == word || (word, **operator) == ("==", Operator::Equal))
        .filter(|operator| **operator != Operator::Exists)?;
    match (words.next(), words.next()) {
        (None, _) => Some(operator.takes_list()),
        (Some("anyof" | "allof" | "oneof"), None) if operator.takes_quantifier() => Some(true),
        _ => None,
    }
}

/// One case of a single field.
fn single(item: &mut ItemReader<'_, '_>, value: &Node) -> Option<Text> {
    let text = value.text(item.file);
    if text.is_none() {
        let expected = "scalars where 'fields' is one field";
        item.problem(
            Code::Validate,
            value.span,
            Problem::ExceptionValues { expected },
        );
    }
    text.map(quoted)
}

/// One case of several fields: `(f1 = a and f2 in (b, c))`.
fn row(item: &mut ItemReader<'_, '_>, columns: &[Column], value: &Node) -> Option<Text> {
    let Kind::Sequence(cells) = &value.kind else {
        let expected = "lists with one value for each field";
        let problem = Problem::ExceptionValues { expected };
        item.problem(Code::Validate, value.span, problem);
        return None;
    };
    if cells.len() != columns.len() {
        let problem = Problem::ExceptionValuesLength {
            fields: columns.len(),
            values: cells.len(),
        };
        item.problem(Code::Validate, value.span, problem);
        return None;
    }
    let mut text = Text::made("(", value.span);
    for (index, (column, cell)) in columns.iter().zip(cells).enumerate() {
        if index > 0 {
            text.push_made(" and ", cell.span);
        }
        column.push_to(&mut text);
        push_cell(item, column, cell, &mut text)?;
    }
    text.push_made(")", value.span);
    Some(text)
}

fn push_cell(
    item: &mut ItemReader<'_, '_>,
    column: &Column,
    cell: &Node,
    text: &mut Text,
) -> Option<()> {
    if let Some(scalar) = cell.text(item.file) {
        if !column.takes_list {
            text.push(&quoted(scalar));
        } else if scalar.text.starts_with('(') {
            text.push(&scalar);
        } else {
            text.push_made("(", cell.span);
            text.push(&quoted(scalar));
            text.push_made(")", cell.span);
        }
        return Some(());
    }
    let parts: Option<Vec<Text>> = match &cell.kind {
        Kind::Sequence(parts) => parts.iter().map(|part| part.text(item.file)).collect(),
        _ => None,
    };
    let Some(parts) = parts else {
        let expected = "scalars, or lists of scalars for one field";
        item.problem(
            Code::Validate,
            cell.span,
            Problem::ExceptionValues { expected },
        );
        return None;
    };
    text.push_made("(", cell.span);
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            text.push_made(", ", cell.span);
        }
        text.push(&quoted(part));
    }
    text.push_made(")", cell.span);
    Some(())
}

/// A value as a condition must write it: one with blanks, or an empty one, needs quotes unless it brings its own.
fn quoted(value: Text) -> Text {
    let bare = !value.text.is_empty() && !value.text.contains(' ');
    if bare || value.text.starts_with(['"', '\'']) {
        return value;
    }
    let place = value.whole();
    let (mut text, mut origins) = (String::from('"'), vec![place.start]);
    let mut escaped = false;
    for (at, next) in value.text.char_indices() {
        if next == '"' && !escaped {
            text.push('\\');
            origins.push(value.origins[at]);
        }
        escaped = next == '\\' && !escaped;
        text.push(next);
        origins.extend_from_slice(&value.origins[at..at + next.len_utf8()]);
    }
    text.push('"');
    origins.extend([place.end.saturating_sub(1), place.end]);
    Text::new(text, origins, place.source)
}

/// Reads the entries of `exceptions`, leaving out those that have no usable shape.
fn for_each_entry(
    item: &mut ItemReader<'_, '_>,
    mut each: impl FnMut(&mut ItemReader<'_, '_>, Entry<'_>),
) {
    let mut names: FxHashSet<String> = FxHashSet::default();
    for (span, entries) in item.maps("exceptions") {
        let mut item = item.inner(span, entries);
        item.check_keys(&keys::EXCEPTION);
        let Some((name, name_span)) = item.name("name") else {
            continue;
        };
        if !names.insert(name.clone()) {
            let problem = Problem::ExceptionNameTwice { name: name.clone() };
            item.problem(Code::ExceptionNameNotUnique, name_span, problem);
        }
        let (Ok(fields), Ok(comps)) = (several(&mut item, "fields"), several(&mut item, "comps"))
        else {
            continue;
        };
        let values = match item.get("values").map(|node| (&node.kind, node.span)) {
            None | Some((Kind::Null, _)) => None,
            Some((Kind::Sequence(values), _)) => Some(values.as_slice()),
            Some((_, span)) => {
                let expected = "a sequence";
                item.invalid(span, Problem::ExceptionValues { expected });
                continue;
            }
        };
        let entry = Entry {
            name,
            name_span,
            fields,
            comps,
            values,
        };
        each(&mut item, entry);
    }
}

/// A scalar or a sequence of scalars, if there is one; an error is reported already.
fn several(item: &mut ItemReader<'_, '_>, key: &'static str) -> Result<Option<Several>, ()> {
    let Some(node) = item.get(key) else {
        return Ok(None);
    };
    let read = match &node.kind {
        Kind::Null => return Ok(None),
        Kind::Scalar(_) => node.text(item.file).map(Several::One),
        Kind::Sequence(parts) => parts
            .iter()
            .map(|part| part.text(item.file))
            .collect::<Option<_>>()
            .map(|parts| Several::Many(parts, node.span)),
        Kind::Mapping(_) => None,
    };
    if read.is_none() {
        item.invalid(node.span, Problem::NotAScalarOrSequence { key });
    }
    read.map(Some).ok_or(())
}
