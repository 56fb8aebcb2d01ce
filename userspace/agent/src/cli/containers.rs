//! `vigia containers`: the containers that run, what they promise, and what posture rules find.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;
use serde_json::Value as Json;
use vigia_alerts::is_deceptive;
use vigia_engine::{Priority, RuleMatching, Ruleset, Selection, Selector, compile};
use vigia_event::Event;
use vigia_event::fields::{self, ArgumentRule};

use super::configuration::ConfigFile;
use crate::config::Config;
use crate::{rules, settings, survey};

/// The tag of the rules whose findings are shown.
const TAG: &str = "posture";

/// Flags of `vigia containers`.
#[derive(Debug, Args)]
pub(super) struct Containers {
    #[command(flatten)]
    config: ConfigFile,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// One container in full: its name, or the beginning of its id
    #[arg(value_name = "CONTAINER")]
    container: Option<String>,
}

/// A container as it is printed.
#[derive(Debug, Serialize)]
struct Described {
    id: String,
    /// Whether its engine said what it is: otherwise names and promises are missing, and rules about them find nothing.
    complete: bool,
    /// Every field of the container that has a value, by the name that rules know it by.
    fields: BTreeMap<&'static str, Json>,
    /// Rules with the tag `posture` that fire for it.
    findings: Vec<String>,
}

impl Containers {
    /// Exit code 1 means that there is no such container, or that the configuration or the rules cannot be read.
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        let config = self.config.read()?;
        let ruleset = posture_rules(&config)?;
        let context = settings::alert_context(&config)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start threads")?;
        let found = runtime.block_on(survey::take(&config))?;
        for (socket, reason) in &found.silent {
            super::tell(&format!(
                "vigia: {} does not answer: {}",
                socket.display(),
                super::one_line(reason)
            ));
        }
        let described: Vec<Described> = found
            .containers
            .iter()
            .map(|event| describe(event, &ruleset, &context))
            .collect();
        match &self.container {
            None if self.json => print_json(&described, out)?,
            None => out.write_all(to_table(&described).as_bytes())?,
            Some(wanted) => {
                let one = find(&described, wanted)?;
                if self.json {
                    print_json(one, out)?;
                } else {
                    out.write_all(in_full(one).as_bytes())?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The configured rules, with those about posture switched on.
fn posture_rules(config: &Config) -> anyhow::Result<Ruleset> {
    let sources = rules::load(&config.rules.paths)?;
    let mut options = settings::engine(config);
    options.rule_matching = RuleMatching::All;
    options.minimum_priority = Priority::Debug;
    // What the configuration switches off stays off.
    options.selections.insert(
        0,
        Selection {
            enable: true,
            rules: Selector::Tag(TAG.to_owned()),
        },
    );
    let compiled = compile(&sources, &options);
    compiled
        .ruleset
        .context("the rules have errors: see `vigia check`")
}

fn describe(event: &Event, ruleset: &Ruleset, context: &vigia_alerts::Context) -> Described {
    let names = fields::all()
        .filter(|row| row.argument == ArgumentRule::None)
        .map(|row| row.name)
        .filter(|name| name.starts_with("container.") || name.starts_with("k8s."));
    Described {
        id: event
            .container
            .as_ref()
            .map(|container| container.id.clone())
            .unwrap_or_default(),
        complete: event
            .container
            .as_ref()
            .is_some_and(|container| container.known().is_some()),
        fields: vigia_alerts::shown(event, names, context),
        findings: survey::findings(ruleset, TAG, event)
            .into_iter()
            .map(str::to_owned)
            .collect(),
    }
}

fn print_json<T: Serialize + ?Sized>(value: &T, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "{}", shown_json(&serde_json::to_string_pretty(value)?))?;
    Ok(())
}

/// JSON with what deceives a terminal escaped beyond what JSON demands. It can only stand in strings.
fn shown_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character != '\n' && is_deceptive(character) {
            shown.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The container of this name, or the only one whose id begins so.
fn find<'d>(all: &'d [Described], wanted: &str) -> anyhow::Result<&'d Described> {
    let mut named = all
        .iter()
        .filter(|one| !wanted.is_empty() && one.text("container.name") == wanted);
    match (named.next(), named.next()) {
        (Some(one), None) => return Ok(one),
        (Some(_), Some(_)) => bail!("several containers are named `{wanted}`: name one by its id"),
        (None, _) => {}
    }
    let mut by_id = all
        .iter()
        .filter(|one| !wanted.is_empty() && one.id.starts_with(wanted));
    match (by_id.next(), by_id.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => bail!("the ids of several containers begin with `{wanted}`"),
        (None, _) => {
            let names: Vec<String> = all.iter().map(|one| one.text("container.name")).collect();
            let nearest = names
                .iter()
                .filter(|name| !name.is_empty())
                .min_by_key(|name| strsim::damerau_levenshtein(name, wanted));
            match nearest {
                Some(nearest) => {
                    bail!("no container is named `{wanted}`; did you mean `{nearest}`?")
                }
                None => {
                    bail!("no container is named `{wanted}`, and none runs whose name is known")
                }
            }
        }
    }
}

impl Described {
    fn text(&self, field: &str) -> String {
        self.fields.get(field).map(printed).unwrap_or_default()
    }

    /// Whom it belongs to: the Swarm service, else the pod.
    fn owner(&self) -> String {
        let service = self.text("container.swarm.service");
        let pod = self.text("k8s.pod.name");
        match (service.is_empty(), pod.is_empty()) {
            (false, _) => service,
            (true, false) => format!("{}/{pod}", self.text("k8s.ns.name")),
            (true, true) => String::new(),
        }
    }
}

/// A value in one line: names are chosen by whoever starts a container, and may hold anything.
fn printed(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.chars().flat_map(visible).collect(),
        Json::Array(values) => {
            let texts: Vec<String> = values.iter().map(printed).collect();
            texts.join(",")
        }
        other => other.to_string(),
    }
}

/// What deceives a terminal is written out.
fn visible(character: char) -> impl Iterator<Item = char> {
    let escaped = is_deceptive(character).then(|| character.escape_default());
    let plain = escaped.is_none().then_some(character);
    escaped.into_iter().flatten().chain(plain)
}

fn to_table(all: &[Described]) -> String {
    const HEAD: [&str; 8] = [
        "ID",
        "NAME",
        "IMAGE",
        "ENGINE",
        "OF",
        "READ-ONLY",
        "SECRETS",
        "FINDINGS",
    ];
    let mut rows = vec![HEAD.map(str::to_owned)];
    for one in all {
        rows.push([
            one.text("container.id"),
            one.text("container.name"),
            one.text("container.image"),
            one.text("container.type"),
            one.owner(),
            one.text("container.read_only"),
            one.text("container.secrets"),
            match one.complete {
                true => one.findings.len().to_string(),
                false => format!("{}?", one.findings.len()),
            },
        ]);
    }
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| {
                let cell = if cell.is_empty() { "-" } else { cell };
                format!("{cell:width$}")
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn in_full(one: &Described) -> String {
    let width = one.fields.keys().map(|name| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in &one.fields {
        text.push_str(&format!("{name:width$}  {}\n", printed(value)));
    }
    text.push('\n');
    if !one.complete {
        text.push_str(
            "Its engine did not say what it is: most posture rules find nothing without that.\n",
        );
    } else if one.findings.is_empty() {
        text.push_str("No posture rule finds anything.\n");
    }
    for finding in &one.findings {
        text.push_str(&format!("finding: {finding}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn described(id: &str, name: &str) -> Described {
        Described {
            id: id.repeat(16),
            complete: true,
            fields: BTreeMap::from([
                ("container.id", json!(id)),
                ("container.name", json!(name)),
                ("container.secrets", json!(["key", "password"])),
            ]),
            findings: vec!["Privileged Container".to_owned()],
        }
    }

    #[test]
    fn containers_are_found_by_name_and_by_the_beginning_of_an_id() {
        let all = [described("abcd", "web"), described("abce", "db")];
        for (wanted, expected) in [("web", "abcd"), ("abce", "abce"), ("abceabce", "abce")] {
            let found = find(&all, wanted).expect("one");
            assert_eq!(found.text("container.id"), expected, "{wanted}");
        }
        for (wanted, expected) in [
            ("wep", "no container is named `wep`; did you mean `web`?"),
            ("bc", "no container is named `bc`; did you mean `db`?"),
            ("ab", "the ids of several containers begin with `ab`"),
        ] {
            assert_eq!(find(&all, wanted).unwrap_err().to_string(), expected);
        }
        assert!(find(&[described("abcd", "")], "").is_err());
        assert!(find(&[], "web").is_err());
        let twins = [described("abcd", "web"), described("abcd", "db")];
        assert!(find(&twins, "abcd").is_err());
    }

    #[test]
    fn the_table_is_aligned_and_obeys_no_container() {
        let mut partial = described("abce", "db");
        partial.complete = false;
        let hostile = described("abcd", "we\u{1b}[31mb\n\u{202e}");
        let text = to_table(&[hostile, partial]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].contains(r"we\u{1b}[31mb\n\u{202e}"), "{text}");
        assert!(
            lines[1].ends_with('1') && lines[2].ends_with("1?"),
            "{text}"
        );
        let column = lines[0].find("SECRETS").expect("a column");
        assert_eq!(lines[2].find("key,password"), Some(column));
    }

    #[test]
    fn json_obeys_no_container_either_and_stays_what_it_was() {
        let name = "we\0\u{1b}[31mb\n\u{7f}\u{9b}1m\u{202e}\u{2028}\u{feff}é";
        let mut out = Vec::new();
        print_json(&[described("abcd", name)], &mut out).expect("no error");
        let text = String::from_utf8(out).expect("text");
        let shown = r"we\u0000\u001b[31mb\n\u007f\u009b1m\u202e\u2028\ufeffé";
        assert!(text.contains(shown), "{text}");
        let read: Json = serde_json::from_str(&text).expect("JSON");
        assert_eq!(read[0]["fields"]["container.name"], name);
    }

    #[test]
    fn one_container_is_printed_with_all_that_is_known() {
        let text = in_full(&described("abcd", "web"));
        assert!(text.contains("container.name     web\n"), "{text}");
        assert!(text.ends_with("finding: Privileged Container\n"), "{text}");
    }
}
