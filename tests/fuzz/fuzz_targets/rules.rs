//! Rule files of any content, up to three of them: loading ends soon, never panics, and says where what is wrong
//! stands.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vigia_engine::{Options, Source, compile};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    // A byte that no rule file holds starts the next file.
    let sources: Vec<Source> = text
        .splitn(3, '\u{1}')
        .enumerate()
        .map(|(index, text)| Source::new(format!("{index}.yaml"), text))
        .collect();
    let options = Options {
        static_fields: vec![("site".to_owned(), "north".to_owned())],
        ..Options::default()
    };
    let compiled = compile(&sources, &options);
    let has_errors = compiled.diagnostics.iter().any(|found| found.is_error());
    assert_eq!(compiled.ruleset.is_none(), has_errors);
    for found in &compiled.diagnostics {
        assert!(found.line > 0 && found.column > 0 && found.width > 0);
        assert!(found.to_string().len() < 10_000);
    }
});
