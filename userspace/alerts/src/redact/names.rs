//! Whether the name of a flag, a variable or a label announces a secret.

use super::Redactor;
use super::table::{ABOUT, ENDINGS, HARMLESS, LAST_WORDS, WORDS};

/// Longer names announce nothing.
const MAX_NAME_BYTES: usize = 128;

impl Redactor {
    /// `DB_PASSWORD`, `--api-key`, `dbPassword`; not `PWD`, `--password-file` or `token_type`.
    pub(super) fn names_a_secret(&self, name: &str) -> bool {
        let name = name.trim_start_matches('-');
        if name.is_empty() || name.len() > MAX_NAME_BYTES || HARMLESS.contains(&name) {
            return false;
        }
        let words = split(name);
        let Some(last) = words.last() else {
            return false;
        };
        if ABOUT.contains(&last.as_str()) {
            return false;
        }
        let announces = |word: &String| {
            WORDS.contains(&word.as_str())
                || ENDINGS.iter().any(|ending| word.ends_with(ending))
                || self.names.contains(word)
        };
        words.iter().any(announces) || (words.len() > 1 && LAST_WORDS.contains(&last.as_str()))
    }
}

/// The words of a name in lower case.
fn split(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut after_lower = false;
    for character in name.chars() {
        let is_separator = !character.is_alphanumeric();
        if is_separator || (after_lower && character.is_uppercase()) {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
        if !is_separator {
            word.extend(character.to_lowercase());
        }
        after_lower = character.is_lowercase();
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

#[cfg(test)]
mod tests {
    use super::super::{RedactionOptions, Redactor};

    #[test]
    fn names_that_announce_a_secret_are_told_from_names_about_one() {
        let options = RedactionOptions {
            names: vec!["PIN".into()],
            ..RedactionOptions::default()
        };
        let redactor = Redactor::new(&options).expect("the table compiles");
        for name in [
            "password",
            "--password",
            "DB_PASSWORD",
            "dbPassword",
            "PGPASSWORD",
            "MYSQL_PWD",
            "DB_PASS",
            "api-key",
            "AWS_SECRET_ACCESS_KEY",
            "aws_session_token",
            "client_secret",
            "authToken",
            "SIGNING_KEY",
            "X-Api-Key",
            "GOOGLE_CREDENTIALS",
            "passin",
            "card_pin",
            "--requirepass-password",
        ] {
            assert!(redactor.names_a_secret(name), "{name}");
        }
        for name in [
            "",
            "-",
            "PWD",
            "OLDPWD",
            "key",
            "--key",
            "--password-file",
            "POSTGRES_PASSWORD_FILE",
            "token_type",
            "AWS_ACCESS_KEY_ID",
            "secret_name",
            "bypass",
            "compass",
            "monkey",
            "tokenizer",
            "user",
            "pins",
            "vigia.secret-readers",
        ] {
            assert!(!redactor.names_a_secret(name), "{name}");
        }
    }
}
