//! The rule files people already have: what they say must be read as they mean it.

use std::path::PathBuf;

use crate::{Options, Problem, Source, compile};

/// The rule files of Falco, where the checkout has them.
fn sources() -> Option<Vec<Source>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/upstream-rules");
    ["falco_rules.yaml", "falco-incubating_rules.yaml"]
        .into_iter()
        .map(|name| {
            Some(Source::new(
                name,
                std::fs::read_to_string(folder.join(name)).ok()?,
            ))
        })
        .collect()
}

#[test]
fn upstream_rule_files_parse_and_resolve() {
    let Some(sources) = sources() else {
        eprintln!("skipped: no upstream rules");
        return;
    };
    for source in sources {
        let compiled = compile(&[source], &Options::default());
        let refused: Vec<String> = compiled
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.is_error())
            // Fields of subjects that the event model does not have yet.
            .filter(|diagnostic| {
                !matches!(
                    diagnostic.problem,
                    Problem::UnknownField { .. } | Problem::UnknownParameter { .. }
                )
            })
            .map(ToString::to_string)
            .collect();
        assert!(refused.is_empty(), "{}", refused.join("\n"));
    }
}
