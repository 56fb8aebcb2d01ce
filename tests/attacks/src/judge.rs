//! Whether an attack had its effect, and whether its alert is there and right.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde_json::Value;
use vigia_tests::{Alert, wait};

use crate::order::Answer;
use crate::row::{Effect, Row};

/// How far the clock of events may be from ours.
pub const CLOCK_MARGIN: Duration = Duration::from_millis(10);

/// When something happened.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Before it was ordered.
    pub start: SystemTime,
    /// After it was done.
    pub end: SystemTime,
}

impl Span {
    /// Waits until nothing that happens belongs to it any more.
    ///
    /// # Errors
    /// The clock stands still.
    pub fn settle(self) -> Result<()> {
        let over = self.end + CLOCK_MARGIN * 2;
        wait::until("the time of an attack to be over", wait::seconds(5), || {
            (SystemTime::now() > over).then_some(())
        })
    }
}

/// The container that an alert must be about.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The whole id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The image as it was named.
    pub image: String,
}

/// What is wrong with the outcome of a row; nothing when it had its effect. `root` is the root of the file system it acted on.
#[must_use]
pub fn effect_faults(row: &Row, answer: &Answer, root: Option<&Path>) -> Vec<String> {
    let mut faults = Vec::new();
    if answer.code != row.exit {
        faults.push(format!("exit code {} instead of {}", answer.code, row.exit));
    }
    faults.extend(
        row.effects
            .iter()
            .filter_map(|effect| effect_fault(effect, answer, root)),
    );
    if !faults.is_empty() {
        let said: String = answer.output.trim().chars().take(200).collect();
        faults.push(format!("it said: {said:?}"));
    }
    faults
}

fn effect_fault(effect: &Effect, answer: &Answer, root: Option<&Path>) -> Option<String> {
    if let Effect::Prints(text) = effect {
        return (!answer.output.contains(text)).then(|| format!("did not print {text:?}"));
    }
    let Some(root) = root else {
        return Some("its file system is gone".to_owned());
    };
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    let read = |path: &str| std::fs::read_to_string(below(path)).unwrap_or_default();
    let metadata = |path: &str| std::fs::symlink_metadata(below(path)).ok();
    let (holds, what) = match effect {
        Effect::Prints(_) => (true, String::new()),
        Effect::Exists(path) => (metadata(path).is_some(), format!("{path} does not exist")),
        Effect::Gone(path) => (metadata(path).is_none(), format!("{path} exists")),
        Effect::Holds(path, text) => (
            read(path).contains(text),
            format!("{path} does not hold {text:?}"),
        ),
        Effect::Empty(path) => (
            metadata(path).is_some_and(|file| file.len() == 0),
            format!("{path} is not empty"),
        ),
        Effect::Mode(path, mode) => (
            metadata(path).is_some_and(|file| file.permissions().mode() & 0o7777 == *mode),
            format!("the mode of {path} is not {mode:o}"),
        ),
        Effect::Mounted(path) => {
            // /proc/PID/root/.. would lead out of it.
            let table = root.with_file_name("mountinfo");
            let table = std::fs::read_to_string(table).unwrap_or_default();
            let point = |line: &str| line.split(' ').nth(4) == Some(path);
            (
                table.lines().any(point),
                format!("nothing is mounted on {path}"),
            )
        }
    };
    (!holds).then_some(what)
}

/// What is wrong with the best of the alerts that a row may have raised: `None` when none came at all, nothing when
/// one is right.
#[must_use]
pub fn alert_faults(
    row: &Row,
    span: Span,
    scene: Option<&Scene>,
    alerts: &[Alert],
) -> Option<Vec<String>> {
    let found: Vec<_> = alerts
        .iter()
        .filter(|alert| Some(alert.rule()) == row.rule.name() && is_within(alert, span))
        .map(|alert| faults(row, scene, alert))
        .collect();
    let right = found.iter().filter(|faults| faults.is_empty()).count();
    if right > 0 && right < row.times {
        return Some(vec![format!("{right} alerts instead of {}", row.times)]);
    }
    found.into_iter().min_by_key(Vec::len)
}

/// Whether the event behind an alert took place in a span.
#[must_use]
pub fn is_within(alert: &Alert, span: Span) -> bool {
    let Some(time) = alert
        .number("/output_fields/evt.time")
        .and_then(|time| u64::try_from(time).ok())
    else {
        return false;
    };
    let time = UNIX_EPOCH + Duration::from_nanos(time);
    span.start - CLOCK_MARGIN <= time && time <= span.end + CLOCK_MARGIN
}

fn faults(row: &Row, scene: Option<&Scene>, alert: &Alert) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |what: &str, wanted: &str, found: &str| {
        if wanted != found {
            faults.push(format!("{what} is {found:?} instead of {wanted:?}"));
        }
    };
    let text = |pointer: &str| alert.text(pointer);
    match scene {
        Some(scene) => {
            expect("the container's id", &scene.id, alert.container_id());
            expect("the container's name", &scene.name, alert.container_name());
            expect("the image", &scene.image, text("/container/image"));
        }
        None => expect("the container", "", alert.container_id()),
    }
    expect("the process", row.process(), text("/evidence/process/name"));
    if let Some(parent) = row.parent {
        let found = text("/evidence/process/ancestors/0");
        expect("the parent", parent, found);
    }
    if let Some(line) = row.command_line() {
        expect("the command line", &line, text("/evidence/process/cmdline"));
    }
    expect(
        "the user",
        row.alert_user(),
        &output_field(alert, "user.name"),
    );
    if !row.file.is_empty() {
        expect("the file", row.file, text("/evidence/file/path"));
    }
    if !row.real_file.is_empty() {
        expect(
            "the real file",
            row.real_file,
            text("/evidence/file/real_path"),
        );
    }
    for (field, wanted) in row.fields {
        let found = output_field(alert, field);
        if !matches(wanted, &found) {
            faults.push(format!("{field} is {found:?} instead of {wanted:?}"));
        }
    }
    if alert.json().pointer("/evidence/partial") == Some(&Value::Bool(true)) {
        faults.push("it is undecided".to_owned());
    }
    faults
}

/// An output field as text.
fn output_field(alert: &Alert, field: &str) -> String {
    match alert
        .json()
        .get("output_fields")
        .and_then(|fields| fields.get(field))
    {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Whether a text is as wanted, where `*` stands for anything.
fn matches(wanted: &str, found: &str) -> bool {
    let Some((head, tail)) = wanted.split_once('*') else {
        return wanted == found;
    };
    let Some(rest) = found.strip_prefix(head) else {
        return false;
    };
    rest.char_indices()
        .map(|(at, _)| at)
        .chain([rest.len()])
        .any(|at| matches(tail, rest.get(at..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (wanted, found, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "ab", true),
            ("a*c", "abc", true),
            ("a*c", "abd", false),
            ("*b*", "abc", true),
            ("*b*d", "abcd", true),
            ("1.2.3.4:*->1.2.3.4:80", "1.2.3.4:999->1.2.3.4:80", true),
            ("1.2.3.4:*->1.2.3.4:80", "1.2.3.4:999->1.2.3.4:8080", false),
        ] {
            assert_eq!(matches(wanted, found), expected, "{wanted} {found}");
        }
    }
}
