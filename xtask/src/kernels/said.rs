//! What a run of the tests said: the test runner's own lines, and marked ones of the guest and of tests.

use std::collections::BTreeMap;

use serde::Serialize;

/// The fact whether the probes load and report with the JIT compiler hardened.
pub(crate) const HARDENED: &str = "hardened";

/// What came out of one run.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Said {
    /// What the guest told of itself.
    pub(crate) facts: BTreeMap<String, String>,
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    /// Tests that passed only because they did nothing, and why.
    pub(crate) skipped: BTreeMap<String, String>,
    /// Tests that failed, and what they said.
    pub(crate) failures: BTreeMap<String, String>,
    /// Whether a kernel has a feature, in the doctor's words.
    pub(crate) features: Vec<(String, String)>,
    /// What was lost where tasks share a processor.
    pub(crate) losses: Vec<Loss>,
    /// The events that came, and whether one of them was a success.
    pub(crate) seen: BTreeMap<String, bool>,
}

impl Said {
    /// Adds the failure of something that is no test of the runner's.
    pub(crate) fn fail(&mut self, name: &str, text: String) {
        self.failed += 1;
        self.failures.insert(name.to_owned(), text);
    }
}

/// One measurement: `@loss` and these words in a line.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Loss {
    /// Programs on the return of system calls.
    pub(crate) dispatchers: u32,
    /// Tasks that shared the processor.
    pub(crate) tasks: u32,
    /// Calls that they made.
    pub(crate) made: u64,
    /// Calls that the probes saw.
    pub(crate) seen: u64,
    /// Calls that the sensor counted as lost.
    pub(crate) counted: u64,
}

/// Reads the output of a run; `None` if the test runner did not come to its end.
pub(crate) fn parse(text: &str) -> Option<Said> {
    let mut said = Said::default();
    let mut ended = false;
    let mut hardened = String::new();
    // The section `---- NAME stdout ----` we are in.
    let mut section = String::new();
    let mut sections: BTreeMap<String, String> = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("---- ") {
            section = rest.strip_suffix(" stdout ----").unwrap_or("").to_owned();
        } else if line == "successes:" || line == "failures:" {
            section.clear();
        } else if let Some(rest) = line.strip_prefix("test result: ") {
            said.passed = count(rest, " passed");
            said.failed = count(rest, " failed");
            ended = true;
        } else if let Some(rest) = line.strip_prefix("@fact ") {
            let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
            said.facts.insert(name.to_owned(), value.trim().to_owned());
        } else if let Some(rest) = line.strip_prefix("@feature ") {
            let (name, value) = rest.split_once(": ").unwrap_or((rest, ""));
            said.features.push((name.to_owned(), value.to_owned()));
        } else if let Some(rest) = line.strip_prefix("@loss ") {
            said.losses.extend(loss(rest));
        } else if let Some(rest) = line.strip_prefix("@seen ") {
            let (name, outcome) = rest.split_once(' ').unwrap_or((rest, ""));
            *said.seen.entry(name.to_owned()).or_default() |= outcome == "success";
        } else if let Some(rest) = line.strip_prefix("@hardened ") {
            hardened.push_str(rest);
            hardened.push('\n');
        } else if !section.is_empty() {
            if let Some(why) = line.strip_prefix("skipped: ") {
                said.skipped.insert(section.clone(), why.to_owned());
            }
            let text = sections.entry(section.clone()).or_default();
            text.push_str(line);
            text.push('\n');
        }
        if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            said.failures.insert(name.to_owned(), String::new());
        }
    }
    for (name, text) in &mut said.failures {
        *text = sections.remove(name).unwrap_or_default();
    }
    said.passed = said
        .passed
        .saturating_sub(u32::try_from(said.skipped.len()).unwrap_or(0));
    if said.facts.get(HARDENED).is_some_and(|fact| fact != "yes") {
        said.fail("the tests with the JIT compiler hardened", hardened);
    }
    ended.then_some(said)
}

/// The number before a word, as in `ok. 32 passed; 0 failed`.
fn count(line: &str, word: &str) -> u32 {
    line.split_once(word)
        .and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok())
        .unwrap_or(0)
}

/// From `dispatchers=1 tasks=2 made=4 seen=3 counted=1`.
fn loss(words: &str) -> Option<Loss> {
    let value = |name: &str| -> Option<u64> {
        words
            .split(' ')
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    };
    Some(Loss {
        dispatchers: value("dispatchers")?.try_into().ok()?,
        tasks: value("tasks")?.try_into().ok()?,
        made: value("made")?,
        seen: value("seen")?,
        counted: value("counted")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
@fact release 5.10.0
@fact preempt none
test a::one ... ok
test a::two ... FAILED
test a::three ... ok

successes:

---- a::one stdout ----
skipped: this kernel has no such thing
---- a::three stdout ----
@feature BTF: yes (12 bytes)
@seen openat failure
@seen openat success
@seen openat failure
@seen reboot failure
@loss dispatchers=2 tasks=4 made=100 seen=99 counted=1

successes:
    a::one

failures:

---- a::two stdout ----
thread panicked
left: 1

failures:
    a::two

test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s
@fact hardened yes
@end 101
";

    #[test]
    fn what_ran_what_failed_and_what_was_skipped_is_told_apart() {
        let said = parse(TEXT).unwrap();
        assert_eq!((said.passed, said.failed, said.skipped.len()), (1, 1, 1));
        assert_eq!(said.skipped["a::one"], "this kernel has no such thing");
        assert!(said.failures["a::two"].contains("left: 1"));
        assert_eq!(said.facts["release"], "5.10.0");
        assert_eq!(said.features, [("BTF".into(), "yes (12 bytes)".into())]);
        let expected = Loss {
            dispatchers: 2,
            tasks: 4,
            made: 100,
            seen: 99,
            counted: 1,
        };
        assert_eq!(said.losses, [expected]);
        let seen = [("openat".to_owned(), true), ("reboot".to_owned(), false)];
        assert_eq!(said.seen, seen.into());
    }

    #[test]
    fn a_failure_with_hardening_is_one_of_the_kernel_and_counts_no_other() {
        let text = TEXT.replace(
            "@fact hardened yes\n",
            "@fact hardened no\n\
             @hardened test a::one ... FAILED\n\
             @hardened test result: FAILED. 0 passed; 7 failed; 0 ignored\n",
        );
        let said = parse(&text).unwrap();
        assert_eq!((said.passed, said.failed, said.skipped.len()), (1, 2, 1));
        let told = &said.failures["the tests with the JIT compiler hardened"];
        assert!(told.contains("test a::one ... FAILED\n"), "{told}");
        assert!(!said.failures.contains_key("a::one"));
    }

    #[test]
    fn a_run_that_breaks_off_is_no_result() {
        let (broken, _) = TEXT.split_once("test result").unwrap();
        assert_eq!(parse(broken), None);
    }
}
