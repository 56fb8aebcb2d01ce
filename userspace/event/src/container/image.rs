//! What others found out about an image: a scanner, and whoever signs.

use std::sync::Arc;

use bstr::BString;
use serde::{Deserialize, Serialize};

/// What is known of an image beyond its names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// What a scanner's report says; `None` without one.
    pub vulnerabilities: Option<Arc<Vulnerabilities>>,
    /// Whether the image is on the list of trusted ones; `None` where there is no list.
    pub trusted: Option<bool>,
}

/// What a scanner's report says of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vulnerabilities {
    /// The highest severity; `None` where nothing was found.
    pub highest: Option<Severity>,
    /// How many vulnerabilities there are: of each package each one once.
    pub count: u64,
    /// The packages that have any.
    pub packages: Vec<VulnerablePackage>,
}

/// A package with vulnerabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VulnerablePackage {
    /// Its name; empty where the report does not say which one has them.
    pub name: BString,
    /// Absolute paths of its files, as far as the report says.
    pub files: Vec<BString>,
    /// Ids of its vulnerabilities, as in `CVE-2021-44228`, sorted.
    pub ids: Vec<BString>,
}

/// How bad a vulnerability is, in the words that scanners share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the scanners'")]
pub enum Severity {
    Unknown,
    Negligible,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// The word rules use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Negligible => "negligible",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// From a scanner's word, in any case; what no scanner is known to say is unknown.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        const ALL: [Severity; 5] = [
            Severity::Negligible,
            Severity::Low,
            Severity::Medium,
            Severity::High,
            Severity::Critical,
        ];
        // CycloneDX says `info` and `none` of what others call negligible.
        if word.eq_ignore_ascii_case("info") || word.eq_ignore_ascii_case("none") {
            return Self::Negligible;
        }
        ALL.into_iter()
            .find(|severity| severity.name().eq_ignore_ascii_case(word))
            .unwrap_or(Self::Unknown)
    }
}

impl Vulnerabilities {
    /// The vulnerabilities of what a file belongs to: of a package, or of all that a program was built from.
    pub fn of_file<'v>(&'v self, file: &'v [u8]) -> impl Iterator<Item = &'v BString> {
        self.packages
            .iter()
            .filter(move |package| {
                let mut files = package.files.iter();
                files.any(|one| as_merged(one) == as_merged(file))
            })
            .flat_map(|package| &package.ids)
    }
}

/// A path as it is called where `/bin`, `/sbin` and `/lib` are links into `/usr`: distributions list what they once put there
/// under the old names, and the kernel says the new ones.
fn as_merged(path: &[u8]) -> &[u8] {
    let rest = path.strip_prefix(b"/usr").unwrap_or(path);
    let is_merged = [&b"/bin/"[..], b"/sbin/", b"/lib"]
        .iter()
        .any(|folder| rest.starts_with(folder));
    if is_merged { rest } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_old_and_its_new_name() {
        let listed = |file: &str| Vulnerabilities {
            packages: vec![VulnerablePackage {
                files: vec![file.into()],
                ids: vec!["CVE-1".into()],
                ..VulnerablePackage::default()
            }],
            ..Vulnerabilities::default()
        };
        for (file, runs, expected) in [
            ("/bin/bash", "/usr/bin/bash", 1),
            ("/usr/sbin/nginx", "/sbin/nginx", 1),
            ("/lib64/ld.so", "/usr/lib64/ld.so", 1),
            ("/usr/bin/bash", "/usr/local/bin/bash", 0),
            ("/usr/share/x", "/share/x", 0),
        ] {
            let found = listed(file).of_file(runs.as_bytes()).count();
            assert_eq!(found, expected, "{file} {runs}");
        }
    }

    #[test]
    fn the_words_of_all_scanners_are_known() {
        for (word, expected) in [
            ("CRITICAL", Severity::Critical),
            ("High", Severity::High),
            ("medium", Severity::Medium),
            ("Negligible", Severity::Negligible),
            ("info", Severity::Negligible),
            ("UNKNOWN", Severity::Unknown),
            ("", Severity::Unknown),
            ("terrible", Severity::Unknown),
        ] {
            assert_eq!(Severity::from_word(word), expected, "{word}");
        }
        assert!(Severity::Critical > Severity::High && Severity::Low > Severity::Unknown);
    }
}
