//! The demo as its spectator sees it.

use std::io::IsTerminal;

use vigia_tests::Alert;

/// Writes to standard output for people, and to standard error where that carries JSON.
#[derive(Debug)]
pub(super) struct Show {
    json: bool,
    colour: bool,
}

/// What is shown of an alert: a word and where it stands in the JSON.
const ROWS: &[(&str, &str)] = &[
    ("container", "/container/name"),
    ("service", "/container/swarm/service"),
    ("image", "/container/image"),
    ("process", "/evidence/process/cmdline"),
    ("file", "/evidence/file/path"),
    ("result", "/evidence/result/name"),
    ("secret", "/evidence/secret/name"),
    ("reader", "/evidence/secret/reader"),
    ("because", "/evidence/secret/reason"),
];

impl Show {
    pub(super) fn new(json: bool) -> Self {
        let terminal = if json {
            std::io::stderr().is_terminal()
        } else {
            std::io::stdout().is_terminal()
        };
        Self {
            json,
            colour: terminal && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// What happens now.
    pub(super) fn caption(&self, text: &str) {
        self.line("");
        for line in text.lines() {
            self.line(&self.paint("1", line));
        }
    }

    /// What the agent says to it.
    pub(super) fn alert(&self, alert: &Alert) {
        let colour = if alert.is_low() { "33" } else { "31" };
        self.line("");
        self.line(&format!(
            "  {}",
            self.paint(colour, &format!("{}: {}", alert.priority(), alert.rule()))
        ));
        for (word, pointer) in ROWS {
            let value = alert.text(pointer);
            if !value.is_empty() {
                self.line(&format!("    {word:<10} {}", printable(value)));
            }
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn line(&self, text: &str) {
        if self.json {
            eprintln!("{text}");
        } else {
            println!("{text}");
        }
    }
}

/// Text of an alert may come from an attacker; a terminal must not obey it.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(super::printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
    }
}
