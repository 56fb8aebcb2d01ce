//! The rules that are measured: those of Falco where the checkout has them, else our own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use vigia_engine::{Options, RuleMatching, Ruleset, Source, compile};
use vigia_event::EventType;

/// Rule files, and how many rules they hold.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What they are, in a few words.
    pub name: String,
    /// Names and texts of the files.
    pub files: Vec<(String, String)>,
}

/// Both rule files of Falco; `None` where the checkout does not have them.
#[must_use]
pub fn upstream() -> Option<Rules> {
    let names = ["falco_rules.yaml", "falco-incubating_rules.yaml"];
    read("upstream", &root().join("../shared/upstream-rules"), &names)
}

/// What is measured here: the rules of Falco where they are and compile, else our own with the reason.
///
/// # Errors
/// Our own rules do not compile.
pub fn best() -> Result<(Rules, Option<String>)> {
    let reason = match upstream() {
        None => "no upstream rules beside the checkout".to_owned(),
        Some(rules) => match rules.compile() {
            Ok(_) => return Ok((rules, None)),
            Err(error) => format!("{error:#}"),
        },
    };
    let ours = ours();
    ours.compile()?;
    Ok((ours, Some(reason)))
}

/// Our default rules.
#[must_use]
pub fn ours() -> Rules {
    let names = [
        "10-read-only.yaml",
        "20-secrets.yaml",
        "30-programs.yaml",
        "40-files.yaml",
        "50-isolation.yaml",
    ];
    read("default rules", &root().join("rules"), &names).unwrap_or_else(|| Rules {
        name: "no rules".to_owned(),
        files: Vec::new(),
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str, folder: &Path, names: &[&str]) -> Option<Rules> {
    let files = names.iter().map(|name| {
        let text = std::fs::read_to_string(folder.join(name)).ok()?;
        Some(((*name).to_owned(), text))
    });
    Some(Rules {
        name: name.to_owned(),
        files: files.collect::<Option<_>>()?,
    })
}

impl Rules {
    /// Compiles them.
    ///
    /// # Errors
    /// A rule does not compile.
    pub fn compile(&self) -> Result<Ruleset> {
        self.compile_with(Options::default())
    }

    /// Compiles them so that they can also be judged as they were written.
    ///
    /// # Errors
    /// A rule does not compile.
    pub fn compile_and_keep(&self) -> Result<Ruleset> {
        self.compile_with(Options {
            keep_conditions: true,
            ..Options::default()
        })
    }

    fn compile_with(&self, options: Options) -> Result<Ruleset> {
        let sources: Vec<Source> = self
            .files
            .iter()
            .map(|(name, text)| Source::new(name.as_str(), text.as_str()))
            .collect();
        let options = Options {
            rule_matching: RuleMatching::First,
            ..options
        };
        let compiled = compile(&sources, &options);
        let error = compiled.diagnostics.iter().find(|found| found.is_error());
        if let Some(error) = error {
            bail!("{}: {error}", self.name);
        }
        compiled.ruleset.context("rules without errors compile")
    }

    /// How many rules they define.
    #[must_use]
    pub fn count(&self) -> usize {
        let texts = self.files.iter().map(|(_, text)| text);
        texts.map(|text| names(text, "rule").count()).sum()
    }

    /// These rules and altered copies of them, `count` in all.
    ///
    /// Half of the copies share the lists and macros of the first ones and add exceptions of their own, as a site's
    /// changes do; the other half has lists and macros of its own, in which every absolute path is another one.
    #[must_use]
    pub fn multiplied(&self, count: usize) -> Self {
        let mut rules = self.clone();
        rules.name = format!("{} and altered copies", self.name);
        let mut missing = count.saturating_sub(self.count());
        for copy in 1.. {
            if missing == 0 || self.count() == 0 {
                break;
            }
            for (name, text) in &self.files {
                let (text, made) = altered(text, copy, missing);
                missing -= made;
                rules.files.push((format!("{copy}-{name}"), text));
            }
        }
        rules
    }

    /// The first `count` of them, with all lists and macros.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let mut seen = 0;
        let mut keep = |item: &&str| {
            let is_rule = item.starts_with("- rule");
            seen += usize::from(is_rule);
            !is_rule || seen <= count
        };
        let mut first = self.clone();
        for (_, text) in &mut first.files {
            *text = items(text).filter(&mut keep).collect();
        }
        first
    }

    /// As many rules as wanted: the first ones, or all and altered copies.
    #[must_use]
    pub fn sized(&self, count: usize) -> Self {
        if count <= self.count() {
            self.first(count)
        } else {
            self.multiplied(count)
        }
    }

    /// How long the files are together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.files.iter().map(|(_, text)| text.len()).sum()
    }
}

/// The items of a rule file, each with the comments behind it.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let mut starts: Vec<usize> = text.match_indices("\n- ").map(|(at, _)| at + 1).collect();
    starts.push(text.len());
    let mut from = 0;
    starts
        .into_iter()
        .map(move |to| &text[std::mem::replace(&mut from, to)..to])
}

/// The names of all items of a kind.
fn names<'t>(text: &'t str, kind: &str) -> impl Iterator<Item = &'t str> {
    let prefix = format!("- {kind}: ");
    text.lines()
        .filter_map(move |line| line.strip_prefix(prefix.as_str()))
        .map(str::trim)
}

/// A copy of a rule file, and how many rules it has: at most `limit`.
fn altered(text: &str, copy: usize, limit: usize) -> (String, usize) {
    let has_own_lists = copy.is_multiple_of(2);
    let own: Vec<&str> = ["list", "macro"]
        .into_iter()
        .flat_map(|kind| names(text, kind).collect::<Vec<_>>())
        // A macro with the name of a call cannot be told from the call.
        .filter(|name| EventType::from_name(name).is_none())
        .collect();
    let mut made = 0;
    let mut file = String::new();
    for item in items(text) {
        if let Some(name) = names(item, "rule").next() {
            if made == limit {
                continue;
            }
            made += 1;
            let renamed = format!("- rule: {name} ({copy})");
            let item = item.replacen(&format!("- rule: {name}"), &renamed, 1);
            if has_own_lists {
                file.push_str(&with_own_words(&item, &own, copy));
            } else {
                let (head, condition) = item.split_once("condition: >").unwrap_or((&item, ""));
                let exception = format!(
                    "condition: >\n    not proc.name in (own_agent_{copy}, own_backup_{copy}) and"
                );
                file.push_str(head);
                if !condition.is_empty() {
                    file.push_str(&exception);
                    file.push_str(&in_parentheses(condition));
                }
            }
        } else if has_own_lists && (item.starts_with("- list") || item.starts_with("- macro")) {
            file.push_str(&with_own_words(item, &own, copy));
        }
    }
    (file, made)
}

/// Puts the folded condition at the start of a text in parentheses: it ends before the next key.
fn in_parentheses(text: &str) -> String {
    let key = |line: &str| line.starts_with("  ") && !line.starts_with("   ");
    let end = text
        .match_indices('\n')
        .map(|(at, _)| at + 1)
        .find(|&at| key(&text[at..]))
        .unwrap_or(text.len());
    let (condition, rest) = text.split_at(end);
    format!(" (\n    {})\n{rest}", condition.trim())
}

/// Gives names a suffix, and absolute paths another first component.
fn with_own_words(text: &str, own: &[&str], copy: usize) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if is_word(first) {
            rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, tail) = rest.split_at(length);
        let before = out.chars().next_back().unwrap_or(' ');
        out.push_str(word);
        if own.contains(&word) {
            out.push_str(&format!("_{copy}"));
        }
        let path = word == "/" && tail.starts_with(|c: char| c.is_ascii_lowercase());
        if path && matches!(before, ' ' | '(' | '[' | '"' | '\'' | '=') {
            out.push_str(&format!("site{copy}/"));
        }
        rest = tail;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_rules_as_wanted_and_they_compile() {
        let (rules, _) = best().expect("our own rules compile");
        for count in [1, rules.count() - 1, rules.count(), 3 * rules.count() + 5] {
            let ruleset = rules.sized(count).compile().expect("rules without errors");
            assert_eq!(ruleset.rules().len(), count);
        }
    }

    #[test]
    fn copies_have_paths_of_their_own() {
        let text =
            "condition: fd.name startswith /etc/ and proc.name in (shells) and fd.name in (/, /a)";
        let altered = with_own_words(text, &["shells"], 3);
        assert_eq!(
            altered,
            "condition: fd.name startswith /site3/etc/ and proc.name in (shells_3) and fd.name in (/, /site3/a)"
        );
    }
}
