//! The parser of conditions: recursive descent straight over the text, one error at the first place where
//! it cannot go on.

use bstr::ByteSlice;

use crate::condition::ast::{
    Check, Constant, Expr, Operator, Quantifier, Right, Term, TermKind, Transformer,
};
use crate::condition::cursor::{Cursor, Failure, is_blank};
use crate::diagnostics::{Problem, nearest};
use crate::source::Text;

/// How deeply parentheses and transformers may nest. Falco allows 1000; this much fits any thread's stack.
const DEPTH_LIMIT: usize = 128;

/// Parses a condition.
pub(crate) fn parse(text: &Text) -> Result<Expr, Failure> {
    let mut parser = Parser {
        cursor: Cursor::new(text),
        depth: 0,
    };
    parser.cursor.skip_blanks();
    if parser.cursor.peek().is_none() {
        return Err((text.span(0, 0), Problem::EmptyCondition));
    }
    let expr = parser.or()?;
    parser.cursor.skip_blanks();
    if parser.cursor.peek().is_some() {
        let before = text.text[..parser.cursor.at].trim_end();
        let tail = before
            .char_indices()
            .rev()
            .nth(29)
            .map_or(before, |(at, _)| &before[at..]);
        let (span, _) = parser.cursor.expected("");
        return Err((
            span,
            Problem::UnexpectedToken {
                after: tail.to_owned(),
            },
        ));
    }
    Ok(expr)
}

/// Parses a field, or a transformer, that fills the whole text from `cursor` on as far as it goes.
pub(crate) fn parse_term<'t>(cursor: Cursor<'t>) -> Result<(Option<Term>, Cursor<'t>), Failure> {
    let mut parser = Parser { cursor, depth: 0 };
    let term = match parser.transformer(false)? {
        Some(term) => Some(term),
        None => parser.field()?,
    };
    Ok((term, parser.cursor))
}

struct Parser<'t> {
    cursor: Cursor<'t>,
    depth: usize,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Expr, Failure> {
        let mut parts = vec![self.and()?];
        while self.keyword("or") {
            parts.push(self.and()?);
        }
        Ok(one_or(parts, Expr::Or))
    }

    fn and(&mut self) -> Result<Expr, Failure> {
        let mut parts = vec![self.not()?];
        while self.keyword("and") {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Expr::And))
    }

    fn not(&mut self) -> Result<Expr, Failure> {
        let mut negated = false;
        while self.keyword("not") {
            negated = !negated;
        }
        let expr = self.check()?;
        Ok(if negated {
            Expr::Not(Box::new(expr))
        } else {
            expr
        })
    }

    /// Eats a keyword, which a blank or a parenthesis must follow.
    fn keyword(&mut self, word: &str) -> bool {
        self.cursor.skip_blanks();
        let found = self.cursor.rest().starts_with(word)
            && self
                .cursor
                .bytes()
                .get(word.len())
                .is_some_and(|&next| is_blank(next) || next == b'(');
        if found {
            self.cursor.at += word.len();
        }
        found
    }

    fn check(&mut self) -> Result<Expr, Failure> {
        self.cursor.skip_blanks();
        if self.cursor.eat(b'(') {
            let expr = self.nested(Self::or)?;
            self.cursor.skip_blanks();
            if !self.cursor.eat(b')') {
                return Err(self.cursor.expected("')', 'and' or 'or'"));
            }
            return Ok(expr);
        }
        let left = match self.transformer(false)? {
            Some(term) => term,
            None => match self.field()? {
                Some(term) => term,
                None => return self.macro_reference(),
            },
        };
        let start = {
            self.cursor.skip_blanks();
            self.cursor.at
        };
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
        if self.depth == DEPTH_LIMIT {
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
        if name.is_empty() {
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
            Some(b'"' | b'\'' | b'+' | b'-' | b'0'..=b'9') => {
                TermKind::Constant(self.cursor.string("a value")?.value)
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
            return Ok(operator);
        }
        let (span, problem) = self.cursor.expected("an operator");
        let reserved = ["", "and", "or", "not"];
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
            let word = self.cursor.string("a list in parentheses")?;
            return Ok(Right::Word(word));
        }
        Ok(Right::One(self.cursor.string("a value")?))
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
