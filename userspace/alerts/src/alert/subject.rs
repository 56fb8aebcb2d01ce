//! What an alert is about: by this, repeats are told.

use vigia_engine::{Match, Outcome};
use vigia_event::{Event, Extracted, Value, View};

use crate::text::lossy;

/// Bytes of one part of an object: more than two paths need.
const MAX_OBJECT_BYTES: usize = 8192;
/// Values of a list that count.
const MAX_VALUES: usize = 64;

/// Rule, container and object. Two alerts with the same subject are repeats of each other.
///
/// Never shown, so nothing is hidden in it: two secrets must not become one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subject {
    rule: String,
    container: String,
    object: Object,
}

/// What tells the subjects of one rule and container from each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Object {
    /// What is undecided: one for each rule and container.
    #[default]
    Undecided,
    /// What the rule groups by.
    Named(String),
    /// All that are too many to be told apart.
    Others,
}

impl Subject {
    /// The subject of a match, without making its alert.
    #[must_use]
    pub fn of_match(event: &Event, found: &Match<'_>) -> Self {
        let view = View {
            event,
            spelling: found.spelling,
        };
        let group: Vec<_> = found
            .rule
            .group_by
            .iter()
            .map(|field| field.extract(view))
            .collect();
        Self::new(
            view,
            &found.rule.name,
            &group,
            found.outcome == Outcome::Partial,
        )
    }

    pub(crate) fn new(
        view: View<'_>,
        rule: &str,
        group: &[Extracted<'_>],
        is_partial: bool,
    ) -> Self {
        Self {
            rule: rule.to_owned(),
            container: view
                .event
                .container
                .as_ref()
                .map(|container| container.id.clone())
                .unwrap_or_default(),
            object: if is_partial {
                Object::Undecided
            } else {
                Object::Named(object(group, view))
            },
        }
    }

    /// The subject that stands for all further objects of this rule and container; `None` where this subject is
    /// not one of many.
    pub(crate) fn others(&self) -> Option<Self> {
        matches!(self.object, Object::Named(_)).then(|| Self {
            rule: self.rule.clone(),
            container: self.container.clone(),
            object: Object::Others,
        })
    }

    /// Whether this stands for many objects.
    pub(crate) fn is_others(&self) -> bool {
        matches!(self.object, Object::Others)
    }

    /// The subject of what the agent says about itself.
    pub(crate) fn internal(rule: &str) -> Self {
        Self {
            rule: rule.to_owned(),
            ..Self::default()
        }
    }
}

/// The values the rule groups by, else the secret, else the path, else the program.
fn object(group: &[Extracted<'_>], view: View<'_>) -> String {
    let event = view.event;
    if !group.is_empty() {
        let parts: Vec<String> = group.iter().map(part).collect();
        return parts.join("\u{1f}");
    }
    let secret = event
        .secret
        .as_ref()
        .map(|access| access.secret.name.as_slice());
    let path = || view.path().map(|path| &**path);
    let object = secret.or_else(path).unwrap_or(&event.process.exe_path);
    lossy(object, MAX_OBJECT_BYTES)
}

fn part(value: &Extracted<'_>) -> String {
    let text = |value: &Value<'_>| match value {
        Value::Bytes(bytes) => lossy(bytes, MAX_OBJECT_BYTES),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Ip(address) => address.to_string(),
    };
    match value {
        Extracted::Missing | Extracted::Unknown => String::new(),
        Extracted::One(value) => text(value),
        Extracted::Many(values) => values
            .iter()
            .take(MAX_VALUES)
            .map(|value| text(&value))
            .collect::<Vec<_>>()
            .join(","),
    }
}
