//! Lists of trusted digests.

use std::collections::HashSet;

use serde_json::Value;

use super::reports::not_understood;

/// Digests of one list.
const MAX_DIGESTS: usize = 1 << 20;

/// Reads a list: JSON as `cosign verify` or `docker trust inspect` print it (one document or several), or lines with a
/// digest each, blank lines and what stands behind `#` aside.
///
/// # Errors
/// What is wrong, and in which line.
pub(super) fn parse(text: &[u8]) -> Result<HashSet<String>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "the list is not UTF-8".to_owned())?;
    // What a shell makes of it before the program behind it has written anything.
    if text.is_empty() {
        return Err("the list is empty; a comment or [] says that no image is trusted".to_owned());
    }
    let mut digests = HashSet::new();
    if text.trim_start().starts_with(['[', '{']) {
        for document in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
            collect(
                &document.map_err(|error| not_understood(&error))?,
                &mut digests,
            );
        }
        if digests.is_empty() && !text.contains("[]") {
            return Err(
                "no digest in it: neither `docker-manifest-digest` (cosign verify) nor `Digest` (docker trust inspect)"
                    .to_owned(),
            );
        }
    } else {
        for (number, line) in text.lines().enumerate() {
            let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
            if line.is_empty() {
                continue;
            }
            let digest = digest_of(line).ok_or_else(|| {
                format!(
                    "line {}: expected a digest such as sha256:<64 hex digits>, also behind a name and @",
                    number + 1
                )
            })?;
            digests.insert(digest);
        }
    }
    if digests.len() > MAX_DIGESTS {
        return Err(format!("more than {MAX_DIGESTS} digests"));
    }
    Ok(digests)
}

fn collect(value: &Value, digests: &mut HashSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, digests)),
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("docker-manifest-digest" | "Digest", Value::String(text)) => {
                        digests.extend(digest_of(text));
                    }
                    _ => collect(value, digests),
                }
            }
        }
        _ => {}
    }
}

/// With or without `sha256:`, and a name in front.
fn digest_of(text: &str) -> Option<String> {
    let digest = text.rsplit_once('@').map_or(text, |(_, digest)| digest);
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    let is_digest = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| format!("sha256:{}", hex.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "1080c4e3474155dc6d57b41472d809a797dfb5e7fb1d50eef4a5ed2473bf93cc";
    const TWO: &str = "2080c4e3474155dc6d57b41472d809a797dfb5e7fb1d50eef4a5ed2473bf93cc";

    #[test]
    fn lists_are_read_in_every_form() {
        let expected = HashSet::from([format!("sha256:{ONE}"), format!("sha256:{TWO}")]);
        for text in [
            format!("# ours\nsha256:{ONE}\n\n  {TWO}  # bare\n"),
            format!(
                "team/web@sha256:{ONE}\nregistry:5000/db:1@sha256:{}\n",
                TWO.to_uppercase()
            ),
            format!(
                r#"[{{"critical":{{"identity":{{"docker-reference":"team/web"}},"image":{{"docker-manifest-digest":"sha256:{ONE}"}},"type":"cosign container image signature"}},"optional":null}}]
[{{"critical":{{"image":{{"docker-manifest-digest":"sha256:{TWO}"}}}}}}]"#
            ),
            format!(
                r#"[{{"Name":"team/web","SignedTags":[{{"SignedTag":"1.0","Digest":"{ONE}","Signers":["alice"]}},{{"SignedTag":"1.1","Digest":"{TWO}","Signers":[]}}],"Signers":[],"AdministrativeKeys":[]}}]"#
            ),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(expected.clone()), "{text}");
        }
        assert_eq!(parse(b"# none\n"), Ok(HashSet::new()));
        assert_eq!(parse(b"[]"), Ok(HashSet::new()));
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_place() {
        for (text, expected) in [
            (
                format!("sha256:{ONE}\nsha256:12\n"),
                "line 2: expected a digest",
            ),
            ("nginx:latest\n".to_owned(), "line 1: expected a digest"),
            ("{\"a\": ".to_owned(), "it breaks off"),
            (r#"{"Results": []x"#.to_owned(), "line 1 column"),
            (r#"{"name": "web"}"#.to_owned(), "no digest in it"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(parse(b"\xff").is_err() && parse(b"").is_err());
    }
}
