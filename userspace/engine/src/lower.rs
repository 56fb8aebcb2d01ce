//! From syntax trees to the graph: macros resolved, lists put in, every comparison checked.

mod comparison;

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::check::allowance::RegexAllowance;
use crate::collection::Collection;
use crate::condition::ast::Expr;
use crate::condition::cursor::Failure;
use crate::condition::parse::parse;
use crate::diagnostics::{Code, Item, Problem, Report, nearest};
use crate::fields::Catalogue;
use crate::graph::{Graph, NodeId};
use crate::lists::Lists;
use crate::source::Span;

/// How deeply a condition with its macros may nest: evaluation recurses that far.
const DEPTH_LIMIT: u32 = 400;

/// How far macros may lead to macros that are not lowered yet. In order, none does; only a macro that was
/// defined again can.
const FORWARD_LIMIT: u32 = 16;

/// A macro on its way into the graph.
#[derive(Default)]
enum MacroState {
    #[default]
    New,
    Open,
    Done(Rc<Lowered>),
}

/// A condition in the graph.
#[derive(Default)]
pub(crate) struct Lowered {
    /// Its node; `None` after a failure.
    pub(crate) node: Option<NodeId>,
    /// What is wrong in its own text.
    pub(crate) failures: Vec<Failure>,
    /// What is strange in its own text.
    pub(crate) hints: Vec<Failure>,
    /// The macros it names.
    pub(crate) macros: BTreeSet<usize>,
    /// What is wrong in it and in the macros it leads to. Sets of all macros below would be quadratic in a chain
    /// of them.
    faults: Faults,
}

/// What kinds of failures there are.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Faults {
    /// Those that `skip-if-unknown-filter` forgives.
    unknown_filter: bool,
    other: bool,
}

impl Faults {
    fn any(self) -> bool {
        self.unknown_filter || self.other
    }

    fn union(self, other: Self) -> Self {
        Self {
            unknown_filter: self.unknown_filter || other.unknown_filter,
            other: self.other || other.other,
        }
    }
}

impl Lowered {
    /// Whether nothing is wrong in its own text and below it.
    pub(crate) fn is_right(&self) -> bool {
        !self.faults.any()
    }

    /// Counts what is wrong in its own text, when all of that is known.
    fn finished(mut self) -> Self {
        for (_, problem) in &self.failures {
            let unknown_filter = problem.is_unknown_filter();
            self.faults.unknown_filter |= unknown_filter;
            self.faults.other |= !unknown_filter;
        }
        self
    }
}

/// Puts the conditions of a collection into one graph.
pub(crate) struct Lowering<'c> {
    collection: &'c Collection,
    catalogue: Catalogue<'c>,
    pub(crate) lists: Lists<'c>,
    pub(crate) graph: Graph,
    macros: Vec<MacroState>,
    /// Per macro, whether what is wrong in it was reported.
    reported: Vec<bool>,
    regexes: RegexAllowance,
    /// What is strange about the comparison that is being lowered.
    hints: Vec<Failure>,
    /// How many macros are being lowered right now.
    depth: u32,
}

impl<'c> Lowering<'c> {
    pub(crate) fn new(collection: &'c Collection, catalogue: Catalogue<'c>) -> Self {
        Self {
            collection,
            catalogue,
            lists: Lists::new(collection),
            graph: Graph::default(),
            macros: collection.macros.iter().map(|_| MacroState::New).collect(),
            reported: vec![false; collection.macros.len()],
            regexes: RegexAllowance::new(),
            hints: Vec::new(),
            depth: 0,
        }
    }

    /// Lowers all macros, each after those it may use, so that no chain of them recurses.
    pub(crate) fn macros_in_order(&mut self) {
        for slot in 0..self.macros.len() {
            self.macro_node(slot);
        }
    }

    /// Lowers the condition of a rule.
    pub(crate) fn rule(&mut self, condition: &crate::source::Text) -> Lowered {
        let mut scope = Scope {
            within: None,
            lowered: Lowered::default(),
        };
        match parse(condition) {
            Err(failures) => scope.lowered.failures.extend(failures),
            Ok(expr) => scope.lowered.node = self.expr(&expr, &mut scope),
        }
        if let Some(node) = scope.lowered.node
            && self.graph.depth(node) > DEPTH_LIMIT
        {
            scope
                .lowered
                .failures
                .push((condition.span(0, 0), Problem::TooDeep));
        }
        scope.lowered.finished()
    }

    /// The first thing that is wrong in a condition and the macros it leads to, if everything that is can be
    /// forgiven by `skip-if-unknown-filter`.
    pub(crate) fn forgivable<'l>(&'l self, mut lowered: &'l Lowered) -> Option<&'l Problem> {
        let faults = lowered.faults;
        if faults.other || !faults.any() {
            return None;
        }
        while lowered.failures.is_empty() {
            let mut below = lowered.macros.iter().filter_map(|&slot| self.done(slot));
            lowered = below.find(|done| done.faults.any())?;
        }
        lowered.failures.first().map(|(_, problem)| problem)
    }

    /// Hands over what is wrong in the macros that a condition leads to, each once for all conditions.
    pub(crate) fn report_below(&mut self, lowered: &Lowered, report: &mut Report<'_>) {
        let mut open: Vec<usize> = lowered.macros.iter().copied().collect();
        while let Some(slot) = open.pop() {
            if std::mem::replace(&mut self.reported[slot], true) {
                continue;
            }
            let Some(done) = self.done(slot) else {
                continue;
            };
            if !done.faults.any() {
                continue;
            }
            open.extend(&done.macros);
            let item = Item::Macro(self.collection.macros[slot].name.clone());
            for (span, problem) in &done.failures {
                report.add(code(problem), *span, Some(&item), problem.clone());
            }
        }
    }

    fn done(&self, slot: usize) -> Option<&Lowered> {
        match &self.macros[slot] {
            MacroState::Done(done) => Some(done),
            _ => None,
        }
    }

    /// Reports what no rule led to: macros that nothing names, and those that do not even parse.
    pub(crate) fn report_macros(&mut self, used: &BTreeSet<usize>, report: &mut Report<'_>) {
        let mut is_used = vec![false; self.macros.len()];
        let mut is_named = is_used.clone();
        let mut open: Vec<usize> = used.iter().copied().collect();
        while let Some(slot) = open.pop() {
            if !std::mem::replace(&mut is_used[slot], true) {
                open.extend(&self.macro_node(slot).macros);
            }
        }
        for slot in 0..self.macros.len() {
            let done = self.macro_node(slot);
            is_named[slot] |= is_used[slot];
            for &named in &done.macros {
                is_named[named] = true;
            }
            let item = Item::Macro(self.collection.macros[slot].name.clone());
            if is_used[slot] {
                report_hints(&done.hints, &item, report);
                continue;
            }
            // What a macro means is judged only where it is used: unused ones may name fields of other
            // engines. What it says must be readable in any case.
            for (span, problem) in &done.failures {
                if is_syntax(problem) {
                    report.add(code(problem), *span, Some(&item), problem.clone());
                }
            }
        }
        if report.has_errors() {
            // What does not compile uses nothing.
            return;
        }
        for (defined, is_named) in self.collection.macros.iter().zip(is_named) {
            if !is_named {
                let item = Item::Macro(defined.name.clone());
                let problem = Problem::UnusedMacro {
                    name: defined.name.clone(),
                };
                report.add(Code::UnusedMacro, defined.name_span, Some(&item), problem);
            }
        }
    }

    fn macro_node(&mut self, slot: usize) -> Rc<Lowered> {
        if let MacroState::Done(done) = &self.macros[slot] {
            return Rc::clone(done);
        }
        self.macros[slot] = MacroState::Open;
        self.depth += 1;
        let mut scope = Scope {
            within: Some(slot),
            lowered: Lowered::default(),
        };
        let condition = &self.collection.macros[slot].condition;
        match parse(condition) {
            Err(failures) => scope.lowered.failures.extend(failures),
            Ok(expr) => scope.lowered.node = self.expr(&expr, &mut scope),
        }
        self.depth -= 1;
        let done = Rc::new(scope.lowered.finished());
        self.macros[slot] = MacroState::Done(Rc::clone(&done));
        done
    }

    fn expr(&mut self, expr: &Expr, scope: &mut Scope) -> Option<NodeId> {
        match expr {
            Expr::And(parts) => {
                let parts = self.exprs(parts, scope)?;
                Some(self.graph.and(parts))
            }
            Expr::Or(parts) => {
                let parts = self.exprs(parts, scope)?;
                Some(self.graph.or(parts))
            }
            Expr::Not(inner) => {
                let inner = self.expr(inner, scope)?;
                Some(self.graph.not(inner))
            }
            Expr::Macro { name, span } => self.macro_reference(name, *span, scope),
            Expr::Check(check) => {
                let lowered = self.check(check);
                scope.lowered.hints.append(&mut self.hints);
                match lowered {
                    Ok(node) => Some(node),
                    Err(failures) => {
                        scope.lowered.failures.extend(failures);
                        None
                    }
                }
            }
        }
    }

    /// All parts, also behind one that failed, so that every failure is found.
    fn exprs(&mut self, parts: &[Expr], scope: &mut Scope) -> Option<Vec<NodeId>> {
        let nodes: Vec<Option<NodeId>> = parts.iter().map(|part| self.expr(part, scope)).collect();
        nodes.into_iter().collect()
    }

    fn macro_reference(&mut self, name: &str, span: Span, scope: &mut Scope) -> Option<NodeId> {
        let collection = self.collection;
        let slot = collection.macro_slots.get(name).copied();
        let defined_later = |slot: usize| {
            let within = scope.within.map(|within| &collection.macros[within]);
            within.is_some_and(|within| collection.macros[slot].index >= within.visibility)
        };
        let problem = match slot {
            None => {
                let names = collection
                    .macros
                    .iter()
                    .map(|defined| defined.name.as_str());
                let nearest = self
                    .catalogue
                    .may_suggest()
                    .then(|| nearest(name, names))
                    .flatten();
                Problem::UndefinedMacro {
                    name: name.to_owned(),
                    nearest,
                    defined_later: false,
                }
            }
            Some(slot) if matches!(self.macros[slot], MacroState::Open) => Problem::MacroLoop {
                name: name.to_owned(),
            },
            Some(slot) if defined_later(slot) => Problem::UndefinedMacro {
                name: name.to_owned(),
                nearest: None,
                defined_later: true,
            },
            Some(_) if self.depth >= FORWARD_LIMIT => Problem::TooDeep,
            Some(slot) => {
                let done = self.macro_node(slot);
                scope.lowered.macros.insert(slot);
                scope.lowered.faults = scope.lowered.faults.union(done.faults);
                return done.node;
            }
        };
        scope.lowered.failures.push((span, problem));
        None
    }
}

/// What is being lowered.
struct Scope {
    /// The macro, where it is one.
    within: Option<usize>,
    lowered: Lowered,
}

/// Whether a problem is one of reading a condition rather than of its meaning.
fn is_syntax(problem: &Problem) -> bool {
    matches!(
        problem,
        Problem::EmptyCondition
            | Problem::Expected { .. }
            | Problem::UnexpectedToken { .. }
            | Problem::UnclosedQuote
            | Problem::UnknownEscape { .. }
            | Problem::NotBehindField
            | Problem::UnknownOperator { .. }
            | Problem::ListNeeded { .. }
            | Problem::TooDeep
            | Problem::UndefinedMacro { .. }
            | Problem::MacroLoop { .. }
    )
}

/// Reports what is strange in a condition.
pub(crate) fn report_hints(hints: &[Failure], item: &Item, report: &mut Report<'_>) {
    for (span, problem) in hints {
        let code = match problem {
            Problem::UnsafeMissing { .. } => Code::UnsafeMissing,
            _ => Code::Hint,
        };
        report.add(code, *span, Some(item), problem.clone());
    }
}

/// The code of what is wrong with a condition.
pub(crate) fn code(problem: &Problem) -> Code {
    match problem {
        Problem::UndefinedMacro { .. }
        | Problem::MacroLoop { .. }
        | Problem::ListsTooLarge { .. }
        | Problem::ListsTooDeep => Code::Validate,
        _ => Code::CompileCondition,
    }
}
