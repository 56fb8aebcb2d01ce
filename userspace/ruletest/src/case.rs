//! The form of a test file.

use std::path::PathBuf;
use std::rc::Rc;

use vigia_event::Event;
use vigia_event::call::named;

use crate::document::{self, Fault, Kind, Node, Place};
use crate::reading::{self, Keys, Result};
use crate::scene;

/// More cases than this in one file are refused: aliases of YAML multiply.
const CASES_LIMIT: usize = 10_000;

/// A test file.
#[derive(Debug, Default)]
pub struct TestFile {
    /// The rule files it names, as written; none for the default.
    pub rules: Vec<(PathBuf, Place)>,
    /// Its tests, a rule each.
    pub tests: Vec<RuleTest>,
}

/// The cases of one rule.
#[derive(Debug)]
pub struct RuleTest {
    /// The rule.
    pub rule: String,
    /// Where it is named.
    pub place: Place,
    /// What must and must not happen.
    pub cases: Vec<Case>,
}

/// One event, and what its rule must make of it.
#[derive(Debug)]
pub struct Case {
    /// What happens, in words; empty where the file does not say.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// The event; of a recording all of them, or the one that the case names.
    pub events: Vec<Event>,
    /// What the rule must make of it.
    pub expected: Verdict,
    /// Texts that the alert's output must contain.
    pub says: Vec<String>,
    /// Fields, by name, and the text each must have in the alert.
    pub fields: Vec<(String, String, Place)>,
    /// Whether no other rule may fire.
    pub only: bool,
}

/// What a rule makes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It fires.
    Fires,
    /// It does not.
    Silent,
    /// It depends on values that have not come.
    Undecided,
}

impl Verdict {
    /// The key of a test file whose cases expect it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Fires => "fires",
            Self::Silent => "stays_silent",
            Self::Undecided => "undecided",
        }
    }

    /// All of them, in the order of a test file.
    pub const ALL: [Self; 3] = [Self::Fires, Self::Silent, Self::Undecided];
}

/// The keys of a case besides those that say what happens.
const EXPECTATIONS: &[&str] = &["name", "says", "fields", "only"];

const CASE_KEYS: &[&str] = &[
    "name",
    "says",
    "fields",
    "only",
    "process",
    "container",
    "host",
    "unseen_rings",
    "secret",
    "error",
    "result",
    "flags",
    "target",
    "real_path",
    "at",
    "unknown",
    "fd",
    "protocol",
    "local",
    "data",
    "dns",
    "recording",
    "event",
];

/// Gives the events of a recording that a test file names, or says why it cannot.
pub type Recordings<'r> = &'r mut dyn FnMut(&str) -> std::result::Result<Vec<Event>, String>;

/// Reads a test file: a list of tests, or a map with `rules`, `given` and `tests`.
///
/// # Errors
/// Everything that is wrong in it.
pub fn read(text: &str, recordings: Recordings<'_>) -> std::result::Result<TestFile, Vec<Fault>> {
    let root = document::read(text).map_err(|fault| vec![fault])?;
    let mut faults = Vec::new();
    let file = file(&root, recordings, &mut faults).unwrap_or_else(|fault| {
        faults.push(fault);
        TestFile::default()
    });
    if faults.is_empty() {
        Ok(file)
    } else {
        faults.sort();
        Err(faults)
    }
}

/// Reads events without expectations: a case, or a list of cases.
///
/// # Errors
/// Everything that is wrong in them.
pub fn read_events(text: &str) -> std::result::Result<Vec<(String, Event)>, Vec<Fault>> {
    let root = document::read(text).map_err(|fault| vec![fault])?;
    let single = [Rc::clone(&root)];
    let nodes = match &root.kind {
        Kind::Sequence(items) => items.as_slice(),
        _ => &single,
    };
    let mut events = Vec::new();
    let mut faults = Vec::new();
    let mut none = |_: &str| Err("a recording is given by itself".to_owned());
    for node in nodes {
        match case(node, None, Verdict::Fires, &mut none) {
            Ok(mut case) => events.extend(case.events.pop().map(|event| (case.name, event))),
            Err(fault) => faults.push(fault),
        }
    }
    for (number, (_, event)) in (1..).zip(&mut events) {
        event.number = number;
    }
    if faults.is_empty() {
        Ok(events)
    } else {
        Err(faults)
    }
}

fn file(root: &Rc<Node>, recordings: Recordings<'_>, faults: &mut Vec<Fault>) -> Result<TestFile> {
    let mut file = TestFile::default();
    let (tests, given) = match &root.kind {
        Kind::Sequence(tests) => (tests.as_slice(), None),
        _ => {
            let keys = Keys::only(root, &["tests", "rules", "given"])?;
            for path in keys
                .get("rules")
                .map_or(&[][..], |node| std::slice::from_ref(node))
            {
                let named = reading::texts(path)?;
                file.rules
                    .extend(named.into_iter().map(|name| (name.into(), path.place)));
            }
            (keys.items("tests")?, keys.get("given"))
        }
    };
    if tests.is_empty() {
        return Err(root.fault("there are no tests here"));
    }
    let mut room = CASES_LIMIT;
    for test in tests {
        match rule_test(test, given, &mut room, recordings, faults) {
            Ok(test) => file.tests.push(test),
            Err(fault) => faults.push(fault),
        }
    }
    Ok(file)
}

fn rule_test(
    node: &Rc<Node>,
    given: Option<&Rc<Node>>,
    room: &mut usize,
    recordings: Recordings<'_>,
    faults: &mut Vec<Fault>,
) -> Result<RuleTest> {
    let keys = Keys::only(
        node,
        &["rule", "given", "fires", "stays_silent", "undecided"],
    )?;
    let named = keys
        .get("rule")
        .ok_or_else(|| node.fault("a test names its `rule`"))?;
    let own = keys.get("given");
    let given = match (own, given) {
        (Some(own), Some(all)) => Some(own.over(all)),
        (own, all) => own.or(all).map(Rc::clone),
    };
    let mut test = RuleTest {
        rule: reading::text(named)?.to_owned(),
        place: named.place,
        cases: Vec::new(),
    };
    let mut is_empty = true;
    for expected in Verdict::ALL {
        for node in keys.items(expected.key())? {
            is_empty = false;
            *room = room
                .checked_sub(1)
                .ok_or_else(|| node.fault(format!("more than {CASES_LIMIT} cases in one file")))?;
            match case(node, given.as_ref(), expected, recordings) {
                Ok(case) => test.cases.push(case),
                Err(fault) => faults.push(fault),
            }
        }
    }
    if is_empty {
        return Err(named.fault("this test has no case: list some under `fires` or `stays_silent`"));
    }
    Ok(test)
}

/// Keys of one case that cannot both hold. What a case says against `given` replaces it.
fn contradiction(case: &Node) -> Result<()> {
    let says_host = case
        .get("host")
        .is_some_and(|host| matches!(&host.kind, Kind::Scalar(text) if text == "true"));
    let has_container = case
        .get("container")
        .is_some_and(|container| matches!(container.kind, Kind::Mapping(_)));
    if says_host && has_container {
        return Err(case.fault("what happens on the host happens in no `container`"));
    }
    if case.get("error").is_some() && case.get("result").is_some() {
        return Err(case.fault("a case has an `error` or a `result`, not both"));
    }
    if let Some(process) = case.get("process")
        && process.get("parent").is_some()
        && process.get("ancestors").is_some()
    {
        return Err(process.fault("`ancestors` begins with the parent: `parent` says it twice"));
    }
    Ok(())
}

fn case(
    node: &Rc<Node>,
    given: Option<&Rc<Node>>,
    expected: Verdict,
    recordings: Recordings<'_>,
) -> Result<Case> {
    contradiction(node)?;
    let whole = given.map_or_else(|| Rc::clone(node), |given| node.over(given));
    let keys = Keys::new(
        &whole,
        CASE_KEYS,
        scene::is_event_type,
        scene::event_type_names(),
    )?;
    let events = match keys.get("recording") {
        Some(file) => recorded(file, &keys, recordings)?,
        None => vec![written(&keys)?],
    };
    let mut fields = Vec::new();
    if let Some(node) = keys.get("fields") {
        for (name, value) in node.entries() {
            fields.push((
                reading::text(name)?.to_owned(),
                reading::text(value)?.to_owned(),
                name.place,
            ));
        }
    }
    if expected == Verdict::Silent
        && let Some(key) = EXPECTATIONS[1..].iter().find(|key| keys.has(key))
    {
        return Err(node.fault(format!(
            "`{key}` is about an alert, and a case that stays silent has none"
        )));
    }
    Ok(Case {
        name: keys.text("name")?.unwrap_or_default().to_owned(),
        place: node.place,
        events,
        expected,
        says: keys.texts("says")?.into_iter().map(str::to_owned).collect(),
        fields,
        only: keys.flag("only")?.unwrap_or(false),
    })
}

/// The event that the keys of a case describe.
fn written(keys: &Keys<'_>) -> Result<Event> {
    let mut event = scene::event(keys)?;
    if let Some(path) = keys.get("real_path")
        && event.paths.given.is_none()
        && event.event_type != named::OPEN_BY_HANDLE_AT
    {
        return Err(path.fault("this event has no path that the kernel could resolve otherwise"));
    }
    if let Some(fields) = keys.get("unknown") {
        scene::make_unknown(&mut event, fields)?;
    }
    Ok(event)
}

/// The events of a recording, or the one of a number.
fn recorded(file: &Node, keys: &Keys<'_>, recordings: Recordings<'_>) -> Result<Vec<Event>> {
    let mut events = recordings(reading::text(file)?).map_err(|why| file.fault(why))?;
    if let Some(number) = keys.number::<u64>("event")? {
        events.retain(|event| event.number == number);
    }
    if events.is_empty() {
        return Err(file.fault("the recording has no such event"));
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_of_a_case_is_an_event_type() {
        for key in CASE_KEYS {
            assert!(!scene::is_event_type(key), "{key}");
        }
        for key in EXPECTATIONS {
            assert!(CASE_KEYS.contains(key), "{key}");
        }
    }
}
