//! Tests of the whole way from the text of rules to matches, over a small set of fields of their own.

mod cases;
mod damage;
mod diagnostics;
mod explain;
mod fields;
mod grammar;
mod loader;
mod matching;
mod mutations;
mod output;
mod printing;
mod reference;
mod settings;
mod sockets;
mod sought;
mod upstream;

use std::sync::Arc;

use bstr::BString;
use vigia_event::captured::{Call, Captured, Task, What};
use vigia_event::{Event, EventType, Process};

use crate::compile::compile_with;
use crate::program::Truth;
use crate::{Compiled, Match, Options, Outcome, RuleMatching, Ruleset, Source, Touched};

/// Compiles one file over the fields of the tests.
fn compile(text: &str) -> Compiled {
    compile_all(&[text])
}

/// Compiles several files over the fields of the tests.
fn compile_all(texts: &[&str]) -> Compiled {
    compile_all_matching(texts, RuleMatching::All)
}

fn compile_all_matching(texts: &[&str], rule_matching: RuleMatching) -> Compiled {
    let sources: Vec<Source> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| Source::new(format!("{index}.yaml"), *text))
        .collect();
    let options = Options {
        rule_matching,
        append_output: Vec::new(),
        keep_conditions: true,
        ..Options::default()
    };
    compile_with(&sources, &options, fields::CATALOGUE)
}

/// Compiles files that must be right.
fn ruleset(texts: &[&str]) -> Ruleset {
    compile_matching(texts, RuleMatching::All)
}

/// As [`ruleset`], with one or all matches per event.
fn compile_matching(texts: &[&str], rule_matching: RuleMatching) -> Ruleset {
    let compiled = compile_all_matching(texts, rule_matching);
    let errors: Vec<String> = compiled
        .diagnostics
        .iter()
        .filter(|found| found.is_error())
        .map(ToString::to_string)
        .collect();
    compiled
        .ruleset
        .unwrap_or_else(|| panic!("{}", errors.join("\n")))
}

/// A rule with a condition, as YAML.
pub(crate) fn rule(name: &str, condition: &str) -> String {
    let condition = condition.replace('\n', "\n    ");
    format!(
        "- rule: {name}\n  desc: d\n  output: o\n  priority: INFO\n  condition: |\n    {condition}\n"
    )
}

/// An event of a type, with the values of the test fields as `t.text=x;t.int=5`.
pub(crate) fn event(event_type: &str, result: i64, values: &str) -> Event {
    let event_type = EventType::from_name(event_type).expect("a row");
    let env: Vec<BString> = values
        .split(';')
        .filter(|value| !value.is_empty())
        .map(BString::from)
        .collect();
    let process = Process {
        env: env.into(),
        ..Process::default()
    };
    let call = Call::new(event_type, result);
    Event {
        number: 1,
        time_ns: 1_769_003_611_726_060_287,
        event_type,
        captured: Captured {
            cpu: 0,
            sequence: 1,
            boot_time_ns: 1,
            in_scope: true,
            is_secret: false,
            task: Task::default(),
            what: What::Call(Box::new(call)),
        },
        process: Arc::new(process),
        ancestors: Arc::from(Vec::new()),
        session_leader: None,
        group_leader: None,
        container: None,
        mounts: Arc::default(),
        users: Arc::default(),
        secret: None,
        node: Arc::default(),
        domain_names: Arc::default(),
        paths: Default::default(),
    }
}

/// The names of the rules that match, `?` behind those that depend on what is unknown; the interpreter must find the same.
pub(crate) fn matches(ruleset: &Ruleset, event: &Event) -> (Vec<String>, Touched) {
    let mut scratch = ruleset.scratch();
    let mut names = Vec::new();
    let touched = ruleset.evaluate(event, &mut scratch, &mut |found| names.push(marked(&found)));
    assert_eq!(
        names,
        interpreted(ruleset, event),
        "compiled and interpreted"
    );
    (names, touched)
}

/// As [`matches`], by the interpreter.
fn interpreted(ruleset: &Ruleset, event: &Event) -> Vec<String> {
    let mut names = Vec::new();
    ruleset.evaluate_as_written(event, &mut |found| names.push(marked(&found)));
    names
}

fn marked(found: &Match<'_>) -> String {
    let unknown = if found.outcome == Outcome::Partial {
        "?"
    } else {
        ""
    };
    format!("{}{unknown}", found.rule.name)
}

/// Judges one condition.
fn judge(condition: &str, event: &Event) -> Truth {
    let ruleset = ruleset(&[&rule("r", condition)]);
    match matches(&ruleset, event).0.as_slice() {
        [] => Truth::False,
        [name] if name == "r?" => Truth::Unknown,
        _ => Truth::True,
    }
}
