//! Any text as the condition of a rule, its output and a macro: what is wrong is told, and nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vigia_engine::{Options, Source, compile};

fuzz_target!(|text: &str| {
    // In double quotes, where every character can be escaped.
    let quoted: String = text
        .chars()
        .map(|character| match character {
            '"' | '\\' => format!("\\{character}"),
            ' '..='~' => character.to_string(),
            other => format!("\\U{:08x}", u32::from(other)),
        })
        .collect();
    let rules = format!(
        "- list: letters\n  items: [a, b]\n\
         - macro: fuzzed\n  condition: \"{quoted}\"\n\
         - rule: fuzzed\n  desc: d\n  priority: INFO\n  output: \"{quoted}\"\n  \
         condition: \"not fuzzed and ({quoted})\"\n"
    );
    let options = Options {
        keep_conditions: true,
        ..Options::default()
    };
    let compiled = compile(&[Source::new("fuzzed.yaml", rules)], &options);
    let has_errors = compiled.diagnostics.iter().any(|found| found.is_error());
    assert_eq!(compiled.ruleset.is_none(), has_errors);
});
