//! From syntax trees to the graph: macros resolved, lists put in, every comparison checked.

mod comparison;

use std::collections::BTreeSet;
use std::rc::Rc;

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
    /// The macros it uses, directly or not.
    pub(crate) macros: BTreeSet<usize>,
}

/// Puts the conditions of a collection into one graph.
pub(crate) struct Lowering<'c> {
    collection: &'c Collection,
    catalogue: Catalogue<'c>,
    pub(crate) lists: Lists<'c>,
    pub(crate) graph: Graph,
    macros: Vec<MacroState>,
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
        scope.lowered
    }

    /// Everything that is wrong in a condition and in the macros it uses, each with the item it stands in.
    pub(crate) fn failures<'l>(
        &'l self,
        lowered: &'l Lowered,
        item: &Item,
    ) -> Vec<(Item, &'l Failure)> {
        let own = lowered
            .failures
            .iter()
            .map(|failure| (item.clone(), failure));
        let of_macros = lowered.macros.iter().flat_map(|&slot| {
            let done = match &self.macros[slot] {
                MacroState::Done(done) => Some(done),
                _ => None,
            };
            let item = Item::Macro(self.collection.macros[slot].name.clone());
            done.into_iter()
                .flat_map(|done| &done.failures)
                .map(move |failure| (item.clone(), failure))
        });
        own.chain(of_macros).collect()
    }

    /// Reports what no rule led to: macros that nothing names, and those that do not even parse.
    pub(crate) fn report_macros(&mut self, used: &BTreeSet<usize>, report: &mut Report<'_>) {
        let mut named: BTreeSet<usize> = used.clone();
        for slot in 0..self.macros.len() {
            let done = self.macro_node(slot);
            named.extend(&done.macros);
            let unused = !used.contains(&slot);
            if !unused {
                let item = Item::Macro(self.collection.macros[slot].name.clone());
                report_hints(&done.hints, &item, report);
            }
            let item = Item::Macro(self.collection.macros[slot].name.clone());
            // What a macro means is judged only where it is used: unused ones may name fields of other
            // engines. What it says must be readable in any case.
            for (span, problem) in done
                .failures
                .iter()
                .filter(|(_, problem)| unused && is_syntax(problem))
            {
                report.add(code(problem), *span, Some(&item), problem.clone());
            }
        }
        if report.has_errors() {
            // What does not compile uses nothing.
            return;
        }
        for (slot, defined) in self.collection.macros.iter().enumerate() {
            if !named.contains(&slot) {
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
        let done = Rc::new(scope.lowered);
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
                let nearest = nearest(
                    name,
                    collection
                        .macros
                        .iter()
                        .map(|defined| defined.name.as_str()),
                );
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
                scope.lowered.macros.extend(&done.macros);
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
