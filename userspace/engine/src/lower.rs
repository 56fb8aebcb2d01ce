//! From syntax trees to the graph: macros resolved, lists put in, every comparison checked.

use std::collections::BTreeSet;
use std::rc::Rc;

use bstr::ByteSlice;
use vigia_event::EventType;
use vigia_event::call::EVENT_TYPES;
use vigia_event::fields::Argument;

use crate::check;
use crate::collection::Collection;
use crate::condition::ast::{Check, Constant, Expr, Operator, Quantifier, Right};
use crate::condition::cursor::Failure;
use crate::condition::parse::parse;
use crate::diagnostics::{Code, Item, Problem, Report, nearest};
use crate::events::EventTypes;
use crate::fields::Catalogue;
use crate::graph::{Const, Graph, Leaf, NodeId};
use crate::lists::{Lists, expand_all};
use crate::operand::{self, Operand, Typed};
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
    /// The macros it uses, directly or not.
    pub(crate) macros: BTreeSet<usize>,
}

/// Puts the conditions of a collection into one graph.
pub(crate) struct Lowering<'c> {
    collection: &'c Collection,
    catalogue: Catalogue,
    pub(crate) lists: Lists<'c>,
    pub(crate) graph: Graph,
    macros: Vec<MacroState>,
    /// How many macros are being lowered right now.
    depth: u32,
}

impl<'c> Lowering<'c> {
    pub(crate) fn new(collection: &'c Collection, catalogue: Catalogue) -> Self {
        Self {
            collection,
            catalogue,
            lists: Lists::new(collection),
            graph: Graph::default(),
            macros: collection.macros.iter().map(|_| MacroState::New).collect(),
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
            Err(failure) => scope.lowered.failures.push(failure),
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
            Err(failure) => scope.lowered.failures.push(failure),
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
            Expr::Check(check) => match self.check(check) {
                Ok(node) => Some(node),
                Err(failures) => {
                    scope.lowered.failures.extend(failures);
                    None
                }
            },
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

    fn check(&mut self, check: &Check) -> Result<NodeId, Vec<Failure>> {
        let left = match operand::resolve(&check.left, self.catalogue) {
            Ok(left) => left,
            Err(failure) => {
                // The other side is looked at all the same: for what is wrong with it, and so that the lists
                // it names count as used.
                let right = self.constants(check).err().unwrap_or_default();
                return Err(std::iter::once(failure).chain(right).collect());
            }
        };
        if let Some(name) = plain_field(&left) {
            match name {
                "evt.type" | "syscall.type" => {
                    if let Some(node) = self.event_type_check(check)? {
                        return Ok(node);
                    }
                }
                // Events count from 1, so such a comparison can be decided here; `evt.num = 0` is how rules
                // write "never".
                "evt.num" => {
                    if let Some(value) = self.decided_number(check, &left)? {
                        return Ok(self.graph.constant(value));
                    }
                }
                _ => {}
            }
        }
        check::operator(&left, check.operator)
            .map_err(|problem| vec![(check.operator_span, problem)])?;
        let of_field = check::of_field(&left, check.operator);
        let operator = check::on_single_values(check.operator);
        let (quantifier, constants) = match &check.right {
            Right::None => {
                let slot = self.graph.slot(left);
                return Ok(self.graph.leaf(Leaf::Exists(slot)));
            }
            Right::Term(term) => {
                let right =
                    operand::resolve(term, self.catalogue).map_err(|failure| vec![failure])?;
                comparable(&left, check.operator, &right)
                    .map_err(|problem| vec![(term.span, problem)])?;
                let slot = self.graph.slot(left);
                let right = self.graph.slot(right);
                return Ok(self.graph.leaf(Leaf::Operands {
                    slot,
                    operator,
                    of_field,
                    right,
                }));
            }
            _ => self.constants(check)?,
        };
        let values = read_constants(&left, check.operator, &constants)?;
        let slot = self.graph.slot(left);
        Ok(self.graph.leaf(Leaf::Constants {
            slot,
            operator,
            of_field,
            quantifier,
            values,
        }))
    }

    /// The constants of a right-hand side, with lists put in.
    fn constants(&mut self, check: &Check) -> Result<(Quantifier, Vec<Constant>), Vec<Failure>> {
        let single = |failure| vec![failure];
        Ok(match &check.right {
            Right::None | Right::Term(_) => (Quantifier::Any, Vec::new()),
            Right::Many(values) => (
                Quantifier::Any,
                expand_all(&mut self.lists, values).map_err(single)?,
            ),
            Right::Quantified(quantifier, values) => (
                *quantifier,
                expand_all(&mut self.lists, values).map_err(single)?,
            ),
            Right::One(value) | Right::Word(value) => {
                let items = self
                    .lists
                    .expand(value)
                    .map_err(|problem| vec![(value.span, problem)])?;
                match items.as_deref() {
                    None => (Quantifier::Any, vec![value.clone()]),
                    Some([only]) => (Quantifier::Any, vec![only.clone()]),
                    Some(_) => {
                        let name = value.value.to_string();
                        return Err(vec![(value.span, Problem::ListRefused { name })]);
                    }
                }
            }
        })
    }

    /// A comparison of `evt.type` that becomes a set of event types; `None` for operators on its text.
    fn event_type_check(&mut self, check: &Check) -> Result<Option<NodeId>, Vec<Failure>> {
        let negated = match (check.operator, &check.right) {
            (Operator::Exists, _) => return Ok(Some(self.graph.constant(true))),
            (Operator::Equal | Operator::In | Operator::NotEqual, Right::Term(term)) => {
                let problem = Problem::FieldsDiffer {
                    left: "evt.type".to_owned(),
                    right: "another field".to_owned(),
                    reason: "event types are compared with their names only",
                };
                return Err(vec![(term.span, problem)]);
            }
            (_, Right::Quantified(..)) => return Ok(None),
            (Operator::Equal | Operator::In, _) => false,
            (Operator::NotEqual, _) => true,
            _ => return Ok(None),
        };
        let (_, constants) = self.constants(check)?;
        let mut types = EventTypes::NONE;
        let mut failures = Vec::new();
        for constant in &constants {
            let name = constant.value.to_str_lossy();
            match EventType::from_name(&name) {
                Some(event_type) => types.insert(event_type),
                None => {
                    let nearest = nearest(&name, EVENT_TYPES.iter().map(|row| row.name));
                    failures.push((
                        constant.span,
                        Problem::UnknownEventType {
                            name: name.into_owned(),
                            nearest,
                        },
                    ));
                }
            }
        }
        if !failures.is_empty() {
            return Err(failures);
        }
        let types = if negated { types.complement() } else { types };
        Ok(Some(self.graph.leaf(Leaf::EventType(types))))
    }

    /// What a comparison of `evt.num` is for every number from 1 on, where that is one answer.
    fn decided_number(
        &mut self,
        check: &Check,
        left: &Typed,
    ) -> Result<Option<bool>, Vec<Failure>> {
        use Operator as O;
        if matches!(check.right, Right::Term(_) | Right::Quantified(..))
            || check::operator(left, check.operator).is_err()
        {
            return Ok(None);
        }
        let (_, constants) = self.constants(check)?;
        let values = read_constants(left, check.operator, &constants)?;
        let number = match values.first() {
            Some(Const::Int(number)) => *number,
            _ => return Ok((check.operator != O::Exists).then_some(false)),
        };
        Ok(match check.operator {
            O::Equal if number == 0 => Some(false),
            O::In | O::Intersects if values.iter().all(|value| *value == Const::Int(0)) => {
                Some(false)
            }
            O::NotEqual if number == 0 => Some(true),
            O::Less if number <= 1 => Some(false),
            O::LessOrEqual if number == 0 => Some(false),
            O::Greater if number == 0 => Some(true),
            O::GreaterOrEqual if number <= 1 => Some(true),
            _ => None,
        })
    }
}

/// What is being lowered.
struct Scope {
    /// The macro, where it is one.
    within: Option<usize>,
    lowered: Lowered,
}

fn read_constants(
    left: &Typed,
    operator: Operator,
    constants: &[Constant],
) -> Result<Vec<Const>, Vec<Failure>> {
    let mut values = Vec::with_capacity(constants.len());
    let mut failures = Vec::new();
    for constant in constants {
        match check::constant(left, operator, constant) {
            Ok(value) => values.push(value),
            Err(problem) => failures.push((constant.span, problem)),
        }
    }
    if failures.is_empty() {
        Ok(values)
    } else {
        Err(failures)
    }
}

/// Whether two operands can be compared.
fn comparable(left: &Typed, operator: Operator, right: &Typed) -> Result<(), Problem> {
    use vigia_event::FieldType;
    use vigia_event::fields::Shape;
    let reason = if matches!(operator, Operator::PathMatch | Operator::Regex) {
        Some("'pmatch' and 'regex' need constants")
    } else if left.field_type == FieldType::IpNet {
        Some("networks are compared with constants only")
    } else if left.field_type != right.field_type {
        Some("their types differ")
    } else if right.shape == Shape::AnyOf
        || (right.shape == Shape::List) != (left.shape == Shape::List)
    {
        Some("one of them is a list")
    } else {
        None
    };
    match reason {
        None => Ok(()),
        Some(reason) => Err(Problem::FieldsDiffer {
            left: left.text.clone(),
            right: right.text.clone(),
            reason,
        }),
    }
}

fn plain_field(left: &Typed) -> Option<&'static str> {
    match &left.operand {
        Operand::Field(field) if *field.argument() == Argument::None => Some(field.row().name),
        _ => None,
    }
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
            | Problem::TooDeep
            | Problem::UndefinedMacro { .. }
            | Problem::MacroLoop { .. }
    )
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
