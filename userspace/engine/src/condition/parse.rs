//! The parser of conditions, straight over the text. Where it cannot go on it says why, and goes on behind
//! the next `and` or `or`.

use bstr::ByteSlice;

use crate::condition::ast::{
    Check, Constant, Expr, Operator, Quantifier, Right, Term, TermKind, Transformer,
};
use crate::condition::cursor::{Cursor, Failure, is_blank, number};
use crate::diagnostics::{Problem, nearest};
use crate::source::Text;

/// How deeply parentheses may nest: as deeply as in Falco.
const DEPTH_LIMIT: usize = 1000;

/// How deeply transformers may nest. They are parsed by recursion, and this much fits any thread's stack.
const TRANSFORMER_DEPTH_LIMIT: usize = 64;

/// How many errors of one condition are told: what comes after many is rarely news.
const FAILURE_LIMIT: usize = 10;

/// Parses a condition; after an error, what stands behind the next `and` or `or` is read all the same.
pub(crate) fn parse(text: &Text) -> Result<Expr, Vec<Failure>> {
    let mut parser = Parser::new(Cursor::new(text));
    parser.cursor.skip_blanks();
    if parser.cursor.peek().is_none() {
        return Err(vec![(text.span(0, 0), Problem::EmptyCondition)]);
    }
    let expr = parser.expression();
    if parser.failures.is_empty() {
        Ok(expr)
    } else {
        Err(parser.failures)
    }
}

/// Parses a field, or a transformer, that fills the whole text from `cursor` on as far as it goes.
pub(crate) fn parse_term<'t>(cursor: Cursor<'t>) -> Result<(Option<Term>, Cursor<'t>), Failure> {
    let mut parser = Parser::new(cursor);
    let term = match parser.transformer(false)? {
        Some(term) => Some(term),
        None => parser.field()?,
    };
    Ok((term, parser.cursor))
}

struct Parser<'t> {
    cursor: Cursor<'t>,
    /// How many transformers are open.
    depth: usize,
    failures: Vec<Failure>,
}

/// An open parenthesis, or the condition itself, with what was read in it so far.
#[derive(Default)]
struct Level {
    /// The finished operands of `or`.
    alternatives: Vec<Expr>,
    /// The operands of the `and` that is being read.
    parts: Vec<Expr>,
    /// Whether the next operand stands behind an odd number of `not`s.
    negated: bool,
}

impl Level {
    fn add(&mut self, operand: Expr) {
        let negated = std::mem::take(&mut self.negated);
        self.parts.push(if negated {
            Expr::Not(Box::new(operand))
        } else {
            operand
        });
    }

    fn end_alternative(&mut self) {
        let parts = std::mem::take(&mut self.parts);
        self.alternatives.push(one_or(parts, Expr::And));
    }

    fn finish(mut self) -> Expr {
        self.end_alternative();
        one_or(self.alternatives, Expr::Or)
    }
}

impl<'t> Parser<'t> {
    fn new(cursor: Cursor<'t>) -> Self {
        Self {
            cursor,
            depth: 0,
            failures: Vec::new(),
        }
    }

    /// Reads to the end of the text. A loop over a stack of its own rather than recursion, so that deep
    /// nesting costs memory of the heap only.
    ///
    /// What is returned means nothing if there are failures.
    fn expression(&mut self) -> Expr {
        let mut outer: Vec<Level> = Vec::new();
        let mut level = Level::default();
        loop {
            while self.keyword("not") {
                level.negated = !level.negated;
            }
            self.cursor.skip_blanks();
            let start = self.cursor.at;
            if self.cursor.eat(b'(') {
                if outer.len() == DEPTH_LIMIT {
                    let span = self.cursor.text.span(start, start);
                    self.failures.push((span, Problem::TooDeep));
                    return level.finish();
                }
                outer.push(std::mem::take(&mut level));
                continue;
            }
            let operand = self.check().unwrap_or_else(|failure| {
                // That something is missing at the end says nothing new after an error.
                if self.failures.is_empty() || start < self.cursor.text.text.len() {
                    self.failures.push(failure);
                }
                self.recover(start);
                Expr::And(Vec::new())
            });
            level.add(operand);
            // What follows an operand: more of this level, or the end of it, which is an operand again.
            loop {
                if self.keyword("and") {
                    break;
                }
                if self.keyword("or") {
                    level.end_alternative();
                    break;
                }
                self.cursor.skip_blanks();
                if self.failures.len() >= FAILURE_LIMIT {
                    return level.finish();
                }
                if self.cursor.peek() == Some(b')')
                    && let Some(around) = outer.pop()
                {
                    self.cursor.at += 1;
                    let inner = std::mem::replace(&mut level, around).finish();
                    level.add(inner);
                    continue;
                }
                if self.cursor.peek().is_none() && outer.is_empty() {
                    return level.finish();
                }
                let failure = if outer.is_empty() {
                    self.unexpected_token()
                } else {
                    self.cursor.expected("')', 'and' or 'or'")
                };
                if self.failures.last().is_none_or(|last| last.0 != failure.0) {
                    self.failures.push(failure);
                }
                if self.cursor.peek().is_none() {
                    return level.finish();
                }
                let stray = usize::from(self.cursor.peek() == Some(b')'));
                self.recover(self.cursor.at + stray);
            }
        }
    }

    /// Moves from the start of what could not be read to where an operand may end: in front of `and` or `or`
    /// or a closing parenthesis, or to the end. What stands in quotes or in parentheses of its own is skipped.
    fn recover(&mut self, start: usize) {
        self.cursor.at = start;
        let mut depth = 0_usize;
        let mut is_boundary = true;
        while let Some(byte) = self.cursor.peek() {
            match byte {
                b'"' | b'\'' => self.cursor.skip_quoted(),
                b'(' => depth += 1,
                b')' if depth == 0 => return,
                b')' => depth -= 1,
                _ if depth == 0 && is_boundary && self.at_keyword(&["and", "or"]) => return,
                _ => {}
            }
            is_boundary = !byte.is_ascii_alphanumeric() && byte != b'_';
            self.cursor.at += 1;
        }
    }

    fn unexpected_token(&self) -> Failure {
        let before = self.cursor.text.text[..self.cursor.at].trim_end();
        let tail = before
            .char_indices()
            .rev()
            .nth(29)
            .map_or(before, |(at, _)| &before[at..]);
        let (span, _) = self.cursor.expected("");
        (
            span,
            Problem::UnexpectedToken {
                after: tail.to_owned(),
            },
        )
    }

    /// Eats a keyword, which must end there.
    fn keyword(&mut self, word: &str) -> bool {
        self.cursor.skip_blanks();
        let found = self.at_keyword(&[word]);
        if found {
            self.cursor.at += word.len();
        }
        found
    }

    fn at_keyword(&self, words: &[&str]) -> bool {
        let bytes = self.cursor.bytes();
        words.iter().any(|word| {
            bytes.starts_with(word.as_bytes())
                && bytes
                    .get(word.len())
                    .is_none_or(|&next| is_blank(next) || matches!(next, b'(' | b')'))
        })
    }

    /// A comparison or the name of a macro.
    fn check(&mut self) -> Result<Expr, Failure> {
        let left = match self.transformer(false)? {
            Some(term) => term,
            None => match self.field()? {
                Some(term) => term,
                None => return self.macro_reference(),
            },
        };
        self.cursor.skip_blanks();
        let start = self.cursor.at;
        let operator = self.operator()?;
        let operator_span = self.cursor.span_from(start);
        let right = self.right(operator)?;
        Ok(Expr::Check(Box::new(Check {
            left,
            operator,
            operator_span,
            right,
        })))
    }

    fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.depth == TRANSFORMER_DEPTH_LIMIT {
            return Err((
                self.cursor.text.span(self.cursor.at, self.cursor.at),
                Problem::TooDeep,
            ));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn macro_reference(&mut self) -> Result<Expr, Failure> {
        let name = self.cursor.identifier();
        if matches!(name, "" | "and" | "or" | "not") {
            return Err(self.cursor.expected("a field, a macro, 'not' or '('"));
        }
        let start = self.cursor.at;
        self.cursor.at += name.len();
        Ok(Expr::Macro {
            name: name.to_owned(),
            span: self.cursor.span_from(start),
        })
    }

    fn field(&mut self) -> Result<Option<Term>, Failure> {
        let Some(name) = self.cursor.field_name() else {
            return Ok(None);
        };
        let start = self.cursor.at;
        self.cursor.at += name.len();
        let argument = self.cursor.bracketed()?;
        let kind = TermKind::Field {
            name: name.to_owned(),
            argument,
        };
        Ok(Some(Term {
            kind,
            span: self.cursor.span_from(start),
        }))
    }

    /// A transformer, if one starts here; on the right-hand side also `val(field)`.
    fn transformer(&mut self, on_the_right: bool) -> Result<Option<Term>, Failure> {
        let start = self.cursor.at;
        let word = self.cursor.identifier();
        if self.cursor.bytes().get(word.len()) != Some(&b'(') {
            return Ok(None);
        }
        if on_the_right && word == "val" {
            self.cursor.at += word.len() + 1;
            self.cursor.skip_blanks();
            let Some(field) = self.field()? else {
                return Err(self.cursor.expected("a field"));
            };
            self.cursor.skip_blanks();
            if !self.cursor.eat(b')') {
                return Err(self.cursor.expected("')'"));
            }
            return Ok(Some(field));
        }
        let Some(&transformer) = Transformer::ALL
            .iter()
            .find(|transformer| transformer.word() == word)
        else {
            return Ok(None);
        };
        self.cursor.at += word.len() + 1;
        let arguments = self.nested(Self::terms)?;
        let selector = self.cursor.bracketed()?;
        let kind = TermKind::Call {
            transformer,
            arguments,
            selector,
        };
        Ok(Some(Term {
            kind,
            span: self.cursor.span_from(start),
        }))
    }

    /// Terms separated by commas, up to and with the closing parenthesis.
    fn terms(&mut self) -> Result<Vec<Term>, Failure> {
        let mut terms = Vec::new();
        self.cursor.skip_blanks();
        if self.cursor.eat(b')') {
            return Ok(terms);
        }
        loop {
            self.cursor.skip_blanks();
            terms.push(self.term()?);
            self.cursor.skip_blanks();
            if self.cursor.eat(b')') {
                return Ok(terms);
            }
            if !self.cursor.eat(b',') {
                return Err(self.cursor.expected("',' or ')'"));
            }
        }
    }

    fn term(&mut self) -> Result<Term, Failure> {
        let start = self.cursor.at;
        let kind = match self.cursor.peek() {
            Some(b'(') => {
                self.cursor.at += 1;
                TermKind::List(self.nested(Self::terms)?)
            }
            Some(b'"' | b'\'') => TermKind::Constant(self.cursor.string("a value")?.value),
            Some(_) if !number(self.cursor.rest()).is_empty() => {
                let number = number(self.cursor.rest());
                self.cursor.at += number.len();
                TermKind::Constant(number.into())
            }
            _ => {
                if let Some(term) = self.transformer(false)? {
                    return Ok(term);
                }
                return self.field()?.ok_or_else(|| {
                    self.cursor
                        .expected("a field, a transformer or a quoted string")
                });
            }
        };
        Ok(Term {
            kind,
            span: self.cursor.span_from(start),
        })
    }

    fn operator(&mut self) -> Result<Operator, Failure> {
        let rest = self.cursor.rest();
        let symbols = [
            ("<=", Operator::LessOrEqual),
            ("<", Operator::Less),
            (">=", Operator::GreaterOrEqual),
            (">", Operator::Greater),
            ("==", Operator::Equal),
            ("=", Operator::Equal),
            ("!=", Operator::NotEqual),
        ];
        if let Some((symbol, operator)) = symbols
            .into_iter()
            .find(|(symbol, _)| rest.starts_with(symbol))
        {
            self.cursor.at += symbol.len();
            return Ok(operator);
        }
        let word = self.cursor.identifier();
        if let Some(&operator) = Operator::ALL
            .iter()
            .find(|operator| operator.word() == word)
        {
            self.cursor.at += word.len();
            let needs_blank = !operator.takes_list() && operator != Operator::Exists;
            if needs_blank && !self.cursor.peek().is_some_and(is_blank) {
                return Err(self.cursor.expected("a blank behind the operator"));
            }
            return Ok(operator);
        }
        // Nothing need stand between these and what follows: `a.b existsand c.d in(e)`.
        let glued = [
            Operator::Exists,
            Operator::Intersects,
            Operator::In,
            Operator::PathMatch,
        ]
        .into_iter()
        .find(|operator| word.starts_with(operator.word()));
        if let Some(operator) = glued {
            let start = self.cursor.at;
            self.cursor.at += operator.word().len();
            let fits = match operator {
                Operator::Exists => self.at_keyword(&["and", "or"]),
                _ => self.name_ends_check(),
            };
            if fits {
                return Ok(operator);
            }
            self.cursor.at = start;
        }
        let (span, problem) = self.cursor.expected("an operator");
        if word == "not" {
            return Err((span, Problem::NotBehindField));
        }
        let reserved = ["", "and", "or"];
        if reserved.contains(&word) {
            return Err((span, problem));
        }
        let nearest = nearest(word, Operator::ALL.iter().map(|operator| operator.word()));
        Err((
            span,
            Problem::UnknownOperator {
                operator: word.to_owned(),
                nearest,
            },
        ))
    }

    fn right(&mut self, operator: Operator) -> Result<Right, Failure> {
        if operator == Operator::Exists {
            return Ok(Right::None);
        }
        self.cursor.skip_blanks();
        if operator.takes_list() && self.cursor.peek() == Some(b'(') {
            return Ok(Right::Many(self.list()?));
        }
        if operator.takes_quantifier()
            && let Some(quantifier) = self.quantifier()
        {
            if self.cursor.peek() == Some(b'(') {
                return Ok(Right::Quantified(quantifier, self.list()?));
            }
            return Ok(Right::Quantified(
                quantifier,
                vec![self.cursor.string("a list")?],
            ));
        }
        if let Some(term) = self.transformer(true)? {
            return Ok(Right::Term(term));
        }
        if operator.takes_list() {
            return self.list_name(operator);
        }
        let start = self.cursor.at;
        let expected = if operator.takes_number() {
            "a number"
        } else {
            "a value"
        };
        let value = self.cursor.string(expected)?;
        // A name may be that of a list with one number.
        let is_number = |value: &Constant| {
            value.value.first().is_some_and(u8::is_ascii_alphabetic)
                || number(&self.cursor.text.text[start..]).len() == value.value.len()
        };
        if operator.takes_number() && (value.quoted || !is_number(&value)) {
            self.cursor.at = start;
            return Err(self.cursor.expected("a number"));
        }
        Ok(Right::One(value))
    }

    /// Whether the name that starts here is all that is left of a comparison.
    fn name_ends_check(&self) -> bool {
        let mut ahead = Parser::new(Cursor {
            text: self.cursor.text,
            at: self.cursor.at + self.cursor.identifier().len(),
        });
        ahead.cursor.skip_blanks();
        matches!(ahead.cursor.peek(), None | Some(b')')) || ahead.at_keyword(&["and", "or"])
    }

    /// The name behind a list operator.
    fn list_name(&mut self, operator: Operator) -> Result<Right, Failure> {
        let start = self.cursor.at;
        let word = self.cursor.string("a list in parentheses")?;
        let is_name = !word.quoted
            && word.value.first().is_some_and(u8::is_ascii_alphabetic)
            && word
                .value
                .iter()
                .all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        if is_name {
            return Ok(Right::Word(word));
        }
        // Who writes a list in brackets is told how that list is written.
        let written = &self.cursor.text.text[start..];
        let in_brackets = written
            .strip_prefix('[')
            .and_then(|inside| inside.split_once(']'));
        let given = in_brackets.map_or(&written[..self.cursor.at - start], |(inside, _)| inside);
        let problem = Problem::ListNeeded {
            operator: operator.word(),
            given: given.chars().take(400).collect(),
        };
        self.cursor.at = start;
        Err((word.span, problem))
    }

    /// Eats `anyof`, `allof` or `oneof` with the blanks behind it, if a list follows.
    fn quantifier(&mut self) -> Option<Quantifier> {
        let quantifier = match self.cursor.identifier() {
            "anyof" => Quantifier::Any,
            "allof" => Quantifier::All,
            "oneof" => Quantifier::One,
            _ => return None,
        };
        let start = self.cursor.at;
        self.cursor.at += "anyof".len();
        self.cursor.skip_blanks();
        let next = self.cursor.identifier();
        let is_list = self.cursor.peek() == Some(b'(')
            || (self.cursor.at > start + "anyof".len()
                && !matches!(next, "" | "and" | "or" | "not"));
        if !is_list {
            self.cursor.at = start;
            return None;
        }
        Some(quantifier)
    }

    fn list(&mut self) -> Result<Vec<Constant>, Failure> {
        self.cursor.at += 1;
        let mut items = Vec::new();
        self.cursor.skip_blanks();
        if self.cursor.eat(b')') {
            return Ok(items);
        }
        loop {
            self.cursor.skip_blanks();
            items.push(self.cursor.string("a value")?);
            self.cursor.skip_blanks();
            if self.cursor.eat(b')') {
                return Ok(items);
            }
            if !self.cursor.eat(b',') {
                return Err(self.cursor.expected("',' or ')'"));
            }
        }
    }
}

fn one_or(mut parts: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() == 1 {
        parts.swap_remove(0)
    } else {
        many(parts)
    }
}

/// How an item of a list reads as a value: its own quotes are resolved, and an item that is no single token
/// stands for itself.
pub(crate) fn list_item(text: &Text) -> Constant {
    let trimmed = text.text.as_bytes().trim();
    if matches!(trimmed.first(), Some(b'"' | b'\'')) {
        let mut cursor = Cursor::new(text);
        cursor.skip_blanks();
        if let Ok(constant) = cursor.string("a value") {
            cursor.skip_blanks();
            if cursor.peek().is_none() {
                return constant;
            }
        }
    }
    Constant {
        value: text.text.as_str().into(),
        quoted: false,
        span: text.span(0, text.text.len()),
    }
}
