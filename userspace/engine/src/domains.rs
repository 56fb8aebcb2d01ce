//! The domain names that rules compare addresses with: somebody resolves them in the background.

use std::collections::BTreeSet;

use bstr::ByteSlice;

use crate::graph::{Const, Graph, Leaf, Node, NodeId};
use crate::operand::Operand;

/// No name that can be resolved is longer.
const LONGEST_NAME: usize = 253;

/// The names that the conditions of these nodes compare fields such as `fd.sip.name` with.
pub(crate) fn compared(graph: &Graph, roots: impl IntoIterator<Item = NodeId>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    graph.below(roots, |_, node| {
        let Node::Leaf(Leaf::Constants { slot, values, .. }) = node else {
            return;
        };
        let is_name = match &graph.slots()[*slot as usize].operand {
            Operand::Field(field) => field.is_domain_name(),
            _ => false,
        };
        if !is_name {
            return;
        }
        for value in values {
            if let Const::Bytes(name) = value
                && let Ok(name) = name.to_str()
                && (1..=LONGEST_NAME).contains(&name.len())
            {
                names.insert(name.to_owned());
            }
        }
    });
    names
}

#[cfg(test)]
mod tests {
    use vigia_event::fields::{ArgumentRule, Availability, FieldRow, Shape, Stability};
    use vigia_event::{Extracted, FieldType};

    use crate::compile::compile_with;
    use crate::fields::Catalogue;
    use crate::{Compiled, Options, Source};

    static NAMES: &[FieldRow] = &[FieldRow {
        name: "fd.sip.name",
        field_type: FieldType::Text,
        shape: Shape::AnyOf,
        argument: ArgumentRule::None,
        stability: Stability::Volatile,
        availability: Availability::Always,
        doc: "Names of the server's address.",
        example: "",
        extract: |view, _| match view.event.process.env.first() {
            None => Extracted::Missing,
            Some(names) => Extracted::Many(
                names
                    .split(|&byte| byte == b' ')
                    .filter(|name| !name.is_empty())
                    .map(vigia_event::Value::text)
                    .collect(),
            ),
        },
    }];

    const CATALOGUE: Catalogue<'_> =
        Catalogue::of(|| Box::new(NAMES.iter().chain(vigia_event::fields::all())));

    fn compile(rules: &str) -> Compiled {
        let options = Options {
            rule_matching: crate::RuleMatching::All,
            keep_conditions: true,
            ..Options::default()
        };
        compile_with(&[Source::new("0.yaml", rules)], &options, CATALOGUE)
    }

    #[test]
    fn the_names_that_active_rules_compare_with_are_known() {
        let rule = crate::tests::rule;
        let rules = [
            "- list: miners\n  items: [b.test, c.test]\n".to_owned(),
            rule("a", "evt.type = connect and fd.sip.name = a.test"),
            rule("b", "evt.type = connect and fd.sip.name in (miners, '')"),
            rule("c", "evt.type = connect and not fd.sip.name != d.test"),
            rule("d", "evt.type = connect and fd.sip.name = off.test") + "  enabled: false\n",
            rule("e", "evt.type = connect and proc.name = no.test"),
        ];
        let ruleset = compile(&rules.concat()).ruleset.expect("no errors");
        let names: Vec<&String> = ruleset.domain_names().iter().collect();
        assert_eq!(names, ["a.test", "b.test", "c.test", "d.test"]);
    }

    #[test]
    fn an_address_has_a_name_or_not() {
        for (condition, matching) in [
            ("fd.sip.name = a.test", &["a.test", "b.test a.test"][..]),
            (
                "fd.sip.name in (a.test, c.test)",
                &["a.test", "b.test a.test"],
            ),
            ("fd.sip.name != a.test", &["", "b.test"]),
            (
                "fd.sip.name exists",
                &["", "a.test", "b.test", "b.test a.test"],
            ),
        ] {
            let condition = format!("evt.type = open and {condition}");
            let rules = crate::tests::rule("r", &condition);
            let ruleset = compile(&rules).ruleset.expect("no errors");
            for names in ["", "a.test", "b.test", "b.test a.test"] {
                // One entry, so that an address without names is not an address that is missing.
                let event = crate::tests::event("open", 0, &format!("{names} "));
                let found = crate::tests::matches(&ruleset, &event).0;
                assert_eq!(
                    !found.is_empty(),
                    matching.contains(&names),
                    "{condition}: {names}"
                );
            }
            let nothing = crate::tests::event("open", 0, "");
            assert!(
                crate::tests::matches(&ruleset, &nothing).0.is_empty(),
                "{condition}"
            );
        }
    }

    #[test]
    fn other_operators_are_refused() {
        for condition in [
            "fd.sip.name contains a",
            "fd.sip.name < 5",
            "tolower(fd.sip.name) = a",
            "fd.sip.name glob *.test",
        ] {
            let compiled = compile(&crate::tests::rule("r", condition));
            assert!(compiled.ruleset.is_none(), "{condition}");
        }
    }
}
