//! The output of a rule: text with `%field` tokens.

mod time;
mod value;

use vigia_event::{Extracted, View};

use crate::condition::cursor::{Cursor, Failure};
use crate::condition::parse::parse_term;
use crate::diagnostics::Problem;
use crate::fields::Catalogue;
use crate::operand::{self, Operand, Typed};
use crate::source::Text;

pub(crate) use value::Printing;
use value::Style;

/// Field names longer than this are not looked up piece by piece.
const LONGEST_NAME: usize = 128;

/// Wider tokens are refused: nobody reads such a line.
const WIDEST: usize = 4096;

/// A rendered text ends with the part that reaches this many bytes. Alerts show less of it; an output may name a field
/// twenty thousand times.
const MOST_BYTES: usize = 64 << 10;

/// No more is reported of one output; looking on would take time that grows with the square of its length.
const MOST_FAILURES: usize = 100;

/// What Falco appends to every output by default: who the container is.
const SUGGESTED: &[(&str, &str)] = &[
    ("container_id", "container.id"),
    ("container_name", "container.name"),
    ("container_image_repository", "container.image.repository"),
    ("container_image_tag", "container.image.tag"),
    ("k8s_pod_name", "k8s.pod.name"),
    ("k8s_ns_name", "k8s.ns.name"),
];

/// A compiled output.
#[derive(Clone, Debug)]
pub struct Template {
    parts: Vec<Part>,
    printing: Printing,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Token(Box<Token>),
}

#[derive(Clone, Debug)]
struct Token {
    /// As it was written, without the `%`.
    text: String,
    /// The value is cut or filled up to this many characters.
    width: Option<usize>,
    operand: Operand,
    style: Style,
    /// The fields it prints, as alerts carry them: itself, or those inside a transformer.
    fields: Vec<Named>,
}

/// A field under the name an output has for it.
#[derive(Clone, Debug)]
struct Named {
    name: String,
    operand: Operand,
    style: Style,
}

impl Template {
    /// Compiles an output; all failures at once.
    pub(crate) fn compile(
        text: &Text,
        catalogue: Catalogue<'_>,
        printing: Printing,
    ) -> (Self, Vec<Failure>) {
        let mut template = Self {
            parts: Vec::new(),
            printing,
        };
        let mut failures = Vec::new();
        let trimmed = text.text.trim_end().len();
        let mut cursor = Cursor::new(text);
        cursor.at = text.text.len() - text.text.trim_start().len();
        while cursor.at < trimmed && failures.len() < MOST_FAILURES {
            let literal = cursor.rest()[..trimmed - cursor.at]
                .find('%')
                .unwrap_or(trimmed - cursor.at);
            if literal > 0 {
                template
                    .parts
                    .push(Part::Text(cursor.rest()[..literal].to_owned()));
                cursor.at += literal;
                continue;
            }
            let start = cursor.at;
            cursor.at += 1;
            match token(&mut cursor, catalogue) {
                Ok(token) => template.parts.push(Part::Token(Box::new(token))),
                Err(problem) => {
                    let name = cursor.field_name().map_or(0, str::len);
                    failures.push((text.span(start, cursor.at + name), problem));
                    cursor.at += name;
                }
            }
        }
        (template, failures)
    }

    /// Compiles the name of one field, or a transformer, as the one thing that is printed.
    pub(crate) fn of_field(
        text: &Text,
        catalogue: Catalogue<'_>,
        printing: Printing,
    ) -> Result<Self, Failure> {
        let no_field = || {
            let name = text.text.clone();
            (
                text.whole(),
                Problem::UnknownField {
                    name,
                    nearest: None,
                },
            )
        };
        let (term, cursor) = parse_term(Cursor::new(text))?;
        let term = term
            .filter(|_| cursor.rest().is_empty())
            .ok_or_else(no_field)?;
        let typed = operand::resolve(&term, catalogue)?;
        let token = new_token(text.text.clone(), None, typed);
        Ok(Self {
            parts: vec![Part::Token(Box::new(token))],
            printing,
        })
    }

    /// Prints the value of one field, or of a transformer, named as in a condition.
    ///
    /// # Errors
    /// There is no such field.
    pub fn field(name: &str) -> Result<Self, Problem> {
        let text = Text::of_source(0, name.to_owned());
        Self::of_field(&text, Catalogue::EVENT, Printing::default()).map_err(|(_, problem)| problem)
    }

    /// Who the container is, as far as there are fields for it, and the fields that the settings add.
    pub(crate) fn suggested(catalogue: Catalogue<'_>, printing: Printing) -> Self {
        let mut parts = Vec::new();
        let mut add = |key: String, token: Token| {
            let blank = if parts.is_empty() { "" } else { " " };
            parts.push(Part::Text(format!("{blank}{key}=")));
            parts.push(Part::Token(Box::new(token)));
        };
        for (key, name) in SUGGESTED {
            if let Ok(field) = catalogue.resolve(name, None) {
                add(
                    (*key).to_owned(),
                    new_token((*name).to_owned(), None, Typed::of(field)),
                );
            }
        }
        for name in catalogue.static_names() {
            let name = format!("static.{name}");
            if let Some(typed) = catalogue.static_field(&name) {
                add(name.replace('.', "_"), new_token(name, None, typed));
            }
        }
        Self { parts, printing }
    }

    /// Appends another one behind a blank.
    pub(crate) fn append(&mut self, other: &Self) {
        if !self.parts.is_empty() && !other.parts.is_empty() {
            self.parts.push(Part::Text(" ".to_owned()));
        }
        self.parts.extend(other.parts.iter().cloned());
    }

    /// Fills in the values of an event; what is missing, or still on its way, prints as `<NA>`. Parts that would
    /// stand behind 64 KiB are left out. The text may
    /// hold anything that a program can put into a path or an argument, control characters included.
    #[must_use]
    pub fn render(&self, view: View<'_>) -> String {
        self.render_with(view, &mut |_, value| value)
    }

    /// Like [`Template::render`], but every value, printed, goes through `show` with the name the output has for
    /// its field: there it can be shortened, or hidden.
    #[must_use]
    pub fn render_with(
        &self,
        view: View<'_>,
        show: &mut dyn FnMut(&str, String) -> String,
    ) -> String {
        let mut line = String::new();
        for part in &self.parts {
            if line.len() >= MOST_BYTES {
                break;
            }
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Token(token) => {
                    let start = line.len();
                    let mut value = String::new();
                    value::print(
                        &mut value,
                        token.style,
                        self.printing,
                        &token.operand.extract(view),
                    );
                    line.push_str(&show(&token.text, value));
                    if let Some(width) = token.width {
                        fit(&mut line, start, width);
                    }
                }
            }
        }
        line
    }

    /// The values of the fields it prints, each once, by the names it has for them. A transformer is no field:
    /// those inside it stand for it. Values keep their types, but for those whose text is no plain number or text:
    /// bytes are given as they are printed, and numbers that are printed in hexadecimal as text.
    #[must_use]
    pub fn fields<'e>(&self, view: View<'e>) -> Vec<(&str, Extracted<'e>)> {
        let mut fields: Vec<(&str, Extracted<'e>)> = Vec::new();
        for named in self.tokens().flat_map(|token| &token.fields) {
            if !fields.iter().any(|(name, _)| *name == named.name) {
                let value = named.operand.extract(view);
                fields.push((&named.name, value::typed(named.style, self.printing, value)));
            }
        }
        fields
    }

    pub(crate) fn operands(&self) -> impl Iterator<Item = &Operand> {
        self.tokens().map(|token| &token.operand)
    }

    fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Token(token) => Some(&**token),
        })
    }
}

/// Reads the token behind a `%`: the longest piece of text that names something to print.
fn token(cursor: &mut Cursor<'_>, catalogue: Catalogue<'_>) -> Result<Token, Problem> {
    let digits = cursor
        .bytes()
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let start = cursor.at + digits;
    let width = match cursor.rest()[..digits].parse::<usize>() {
        Ok(0) => None,
        Ok(width) if width <= WIDEST => Some(width),
        _ if digits == 0 => None,
        _ => {
            // The number alone may be as long as the file.
            let given = cursor.rest()[..digits.min(20)].to_owned();
            cursor.at = start;
            return Err(Problem::WidthTooLarge {
                given,
                widest: WIDEST,
            });
        }
    };
    let at = |at: usize| Cursor {
        text: cursor.text,
        at,
    };

    let written = |end: usize| cursor.text.text[start..end].to_owned();
    let whole = parse_term(at(start))
        .ok()
        .and_then(|(term, next)| Some((operand::resolve(&term?, catalogue), next.at)));
    let problem = match whole {
        Some((Ok(typed), end)) => {
            let token = new_token(written(end), width, typed);
            cursor.at = end;
            return Ok(token);
        }
        Some((Err((_, problem)), _)) => problem,
        None => Problem::InvalidToken {
            given: at(start).found(),
            nearest: None,
        },
    };
    let longest = at(start).field_name().map_or(0, str::len).min(LONGEST_NAME);
    for length in (1..=longest).rev() {
        let name = written(start + length);
        let field = catalogue.quiet().resolve(&name, None).map(Typed::of);
        if let Some(typed) = catalogue.static_field(&name).or(field.ok()) {
            cursor.at = start + length;
            return Ok(new_token(name, width, typed));
        }
    }
    cursor.at = start;
    Err(problem)
}

fn new_token(text: String, width: Option<usize>, typed: Typed) -> Token {
    let typed = typed.first();
    let style = Style::of(&text, typed.field_type, typed.shape);
    let mut fields = Vec::new();
    if let Operand::Call(_) = &typed.operand {
        typed.operand.each_field(&mut |field| {
            let inner = Typed::of(field.clone()).first();
            fields.push(Named {
                style: Style::of(&inner.text, inner.field_type, inner.shape),
                name: inner.text,
                operand: inner.operand,
            });
        });
    } else {
        fields.push(Named {
            name: text.clone(),
            operand: typed.operand.clone(),
            style,
        });
    }
    Token {
        text,
        width,
        operand: typed.operand,
        style,
        fields,
    }
}

/// Cuts or fills what stands behind `start` to a width in characters.
fn fit(line: &mut String, start: usize, width: usize) {
    match line[start..].char_indices().nth(width) {
        Some((cut, _)) => line.truncate(start + cut),
        None => {
            let missing = width - line[start..].chars().count();
            line.extend(std::iter::repeat_n(' ', missing));
        }
    }
}
