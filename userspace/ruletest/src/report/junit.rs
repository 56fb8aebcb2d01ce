//! Results in the XML form that continuous integration reads as JUnit's.

use std::fmt::Write;

use super::{CaseReport, Report};

/// The report as one XML document: a suite a file, a case a case.
#[must_use]
pub fn junit(report: &Report) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for file in &report.files {
        let failed = file.cases.iter().filter(|case| !case.passed).count();
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\">",
            escaped(&file.file),
            file.cases.len()
        );
        for case in &file.cases {
            one(&mut xml, &file.file, case);
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn one(xml: &mut String, file: &str, case: &CaseReport) {
    let _ = write!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}: {}\" file=\"{}\" line=\"{}\"",
        escaped(&case.rule),
        case.expected,
        escaped(&case.name),
        escaped(file),
        case.line,
    );
    if case.passed {
        xml.push_str("/>\n");
        return;
    }
    let _ = write!(
        xml,
        ">\n      <failure message=\"{}\">",
        escaped(&case.failures.join("; "))
    );
    xml.push_str(&escaped(case.why.as_deref().unwrap_or_default()));
    xml.push_str("</failure>\n    </testcase>\n");
}

/// Text as XML holds it. Most control characters cannot be in XML at all.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            character if character.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            character => escaped.push(character),
        }
    }
    escaped
}
