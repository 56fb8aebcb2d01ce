//! What every operator answers for every type: a table of condition, values and answer.

use super::{event, judge};
use crate::program::Truth;

fn check(cases: &[(&str, &str, Truth)]) {
    for (condition, values, expected) in cases {
        assert_eq!(
            judge(condition, &event("open", 0, values)),
            *expected,
            "{condition}   with {values}"
        );
    }
}

use Truth::{False as F, True as T, Unknown as U};

#[test]
fn text_operators() {
    check(&[
        ("t.text = abc", "t.text=abc", T),
        ("t.text == abc", "t.text=abc", T),
        ("t.text = abc", "t.text=ABC", F),
        ("t.text = 'a b'", "t.text=a b", T),
        ("t.text = ''", "t.text=", T),
        ("t.text != abc", "t.text=abd", T),
        ("t.text != abc", "t.text=abc", F),
        ("t.text < 5", "t.text=4", T),
        ("t.text >= 5", "t.text=4", F),
        ("t.text contains b", "t.text=abc", T),
        ("t.text contains B", "t.text=abc", F),
        ("t.text contains ''", "t.text=abc", T),
        ("t.text icontains B", "t.text=abc", T),
        ("t.text icontains b", "t.text=ABC", T),
        ("t.text startswith ab", "t.text=abc", T),
        ("t.text startswith bc", "t.text=abc", F),
        ("t.text startswith ''", "t.text=", T),
        ("t.text endswith bc", "t.text=abc", T),
        ("t.text endswith ab", "t.text=abc", F),
        ("t.text glob a*c", "t.text=a/b/c", T),
        ("t.text glob A*", "t.text=abc", F),
        ("t.text iglob A*", "t.text=abc", T),
        ("t.text regex 'a.c'", "t.text=abc", T),
        ("t.text regex 'a.c'", "t.text=xabc", F),
        ("t.text regex 'a|ab'", "t.text=ab", T),
        ("t.text in (a, abc)", "t.text=abc", T),
        ("t.text in (a, ab)", "t.text=abc", F),
        ("t.text in ()", "t.text=abc", F),
        ("not t.text in ()", "t.text=abc", T),
        ("t.text intersects (a, abc)", "t.text=abc", T),
        ("t.path pmatch (/var, /usr)", "t.path=/var/log", T),
        ("t.path pmatch (/var)", "t.path=/variant", F),
        ("t.path pmatch (/home/*/x)", "t.path=/home/a/x/y", T),
        ("t.path pmatch (/)", "t.path=/a", T),
        ("t.text exists", "t.text=", T),
    ]);
}

#[test]
fn quantified_operators() {
    check(&[
        ("t.text startswith anyof (a, x)", "t.text=abc", T),
        ("t.text startswith allof (a, ab)", "t.text=abc", T),
        ("t.text startswith allof (a, x)", "t.text=abc", F),
        ("t.text startswith oneof (a, x)", "t.text=abc", T),
        ("t.text startswith oneof (a, ab)", "t.text=abc", F),
        ("t.text = oneof (abc, abc)", "t.text=abc", F),
        ("t.text contains anyof ()", "t.text=abc", F),
        ("t.text contains allof ()", "t.text=abc", F),
        ("t.text != allof (a, b)", "t.text=abc", T),
        ("t.text != allof (a, abc)", "t.text=abc", F),
        ("t.text != anyof (a, abc)", "t.text=abc", T),
        ("t.text = anyof", "t.text=anyof", T),
        ("t.text = anyof or t.text = b", "t.text=anyof", T),
        ("t.text startswith allof (a, ab)", "t.text=?", U),
    ]);
}

#[test]
fn byte_operators() {
    check(&[
        ("t.bytes = abc", "t.bytes=abc", T),
        ("t.bytes contains b", "t.bytes=abc", T),
        ("t.bytes bcontains 6263", "t.bytes=abc", T),
        ("t.bytes bcontains 6364", "t.bytes=abc", F),
        ("t.bytes bstartswith 6162", "t.bytes=abc", T),
        ("t.bytes bstartswith 62", "t.bytes=abc", F),
        ("t.bytes startswith a", "t.bytes=abc", T),
        ("t.bytes endswith c", "t.bytes=abc", T),
        ("t.bytes in (x, abc)", "t.bytes=abc", T),
    ]);
}

#[test]
fn number_operators() {
    check(&[
        ("t.int = -5", "t.int=-5", T),
        ("t.int=5", "t.int=-5", F),
        ("t.int != 5", "t.int=-5", T),
        ("t.int < 0", "t.int=-5", T),
        ("t.int <= -5", "t.int=-5", T),
        ("t.int > -5", "t.int=-5", F),
        ("t.int>=-5", "t.int=-5", T),
        ("t.int in (1, -5, 0x10)", "t.int=16", T),
        ("t.int in (1, -5)", "t.int=16", F),
        ("t.uint = 0xff", "t.uint=255", T),
        ("t.uint = -1", "t.uint=18446744073709551615", T),
        ("t.uint > 0", "t.uint=18446744073709551615", T),
        ("t.port = 22", "t.port=22", T),
        ("t.port = ssh", "t.port=22", T),
        ("t.port in (http, 443)", "t.port=443", T),
        ("t.port < 1024", "t.port=443", T),
        ("t.bool = true", "t.bool=true", T),
        ("t.bool = false", "t.bool=true", F),
        ("t.bool != false", "t.bool=true", T),
        ("t.bool in (true, false)", "t.bool=false", T),
        ("t.bool exists", "t.bool=false", T),
    ]);
}

#[test]
fn address_operators() {
    check(&[
        ("t.ip = 10.0.0.1", "t.ip=10.0.0.1", T),
        ("t.ip != 10.0.0.1", "t.ip=10.0.0.2", T),
        ("t.ip = \"::1\"", "t.ip=::1", T),
        ("t.ip = 10.0.0.1", "t.ip=::1", F),
        ("t.ip != 10.0.0.1", "t.ip=::1", T),
        ("t.ip in (10.0.0.1, 10.0.0.2)", "t.ip=10.0.0.2", T),
        ("t.net = 10.0.0.0/8", "t.net=10.1.2.3", T),
        ("t.net = 10.0.0.0/8", "t.net=11.1.2.3", F),
        ("t.net = 0.0.0.0/0", "t.net=11.1.2.3", T),
        ("t.net in (192.168.0.0/16, 10.0.0.0/8)", "t.net=10.1.2.3", T),
        ("t.net != 10.0.0.0/8", "t.net=11.1.2.3", T),
        ("t.net = fd00::/8", "t.net=fd12::1", T),
        ("t.net = fd00::/8", "t.net=10.0.0.1", F),
        ("t.ends = 10.0.0.1", "t.ends=10.0.0.1|10.0.0.2", T),
        ("t.ends != 10.0.0.1", "t.ends=10.0.0.1|10.0.0.2", F),
        ("t.ends != 10.0.0.3", "t.ends=10.0.0.1|10.0.0.2", T),
    ]);
}

#[test]
fn fields_with_several_values() {
    check(&[
        ("t.list in (a, b, c)", "t.list=a|b", T),
        ("t.list in (a)", "t.list=a|b", F),
        ("t.list in (a)", "t.list=", T),
        ("t.list intersects (b, x)", "t.list=a|b", T),
        ("t.list intersects (x)", "t.list=a|b", F),
        ("t.list intersects (x)", "t.list=", F),
        ("t.list exists", "t.list=a", T),
        ("t.ints in (1, 2)", "t.ints=1|2", T),
        ("t.any = b", "t.any=a|b", T),
        ("t.any != b", "t.any=a|b", T),
        ("t.any in (b, c)", "t.any=a|b", T),
        ("t.any startswith x", "t.any=a|b", F),
        ("t.ancestor = b", "t.ancestor=a|b", T),
        ("t.ancestor[0] = b", "t.ancestor=a|b", F),
        ("t.ancestor[1] = b", "t.ancestor=a|b", T),
        ("t.ancestor[2] = b", "t.ancestor=a|b", F),
        ("t.ancestor[2] exists", "t.ancestor=a|b", F),
        ("t.alias = 5", "t.alias=LOAD|5", T),
        ("t.alias = LOAD", "t.alias=LOAD|5", T),
        ("t.alias != 5", "t.alias=LOAD|5", F),
        ("t.alias != 6", "t.alias=LOAD|5", T),
        ("t.alias != 6", "t.alias=", T),
        ("t.alias = 6", "t.alias=", F),
        ("t.alias startswith LO", "t.alias=LOAD|5", T),
        ("tolower(t.alias) = load", "t.alias=LOAD|5", T),
        ("tolower(t.alias) != load", "t.alias=LOAD|5", F),
        ("len(t.alias) = 4", "t.alias=LOAD|5", T),
        ("concat(t.alias, 'x') = LOADx", "t.alias=LOAD|5", T),
        ("t.text = val(t.alias)", "t.alias=LOAD|5;t.text=5", T),
        ("t.text != val(t.alias)", "t.alias=LOAD|5;t.text=5", F),
        ("t.text != val(t.alias)", "t.alias=LOAD|5;t.text=6", T),
    ]);
}

#[test]
fn a_missing_value_makes_every_comparison_false_and_its_negation_true() {
    for check in [
        "t.text = a",
        "t.text != a",
        "t.text in (a)",
        "t.text exists",
        "t.text contains ''",
        "t.text glob *",
        "t.text regex '.*'",
        "t.path pmatch (/)",
        "t.bytes = a",
        "t.int != 5",
        "t.uint >= 0",
        "t.bool != true",
        "t.port in (22)",
        "t.ip != 10.0.0.1",
        "t.net = 0.0.0.0/0",
        "t.list in (a)",
        "t.list intersects (a)",
        "t.any != a",
        "tolower(t.text) = a",
        "t.text = val(t.other)",
    ] {
        let nothing = event("open", 0, "");
        assert_eq!(judge(check, &nothing), F, "{check}");
        assert_eq!(judge(&format!("not {check}"), &nothing), T, "not {check}");
    }
}

#[test]
fn an_unknown_value_decides_only_together_with_the_rest() {
    for check in [
        "t.text = a",
        "t.text != a",
        "t.text in (a)",
        "t.text exists",
        "t.text glob *",
        "t.text regex '.*'",
        "t.path pmatch (/)",
        "t.bytes = a",
        "t.int != 5",
        "t.uint >= 0",
        "t.bool != true",
        "t.port in (22)",
        "t.ip != 10.0.0.1",
        "t.net = 0.0.0.0/0",
        "t.list in (a)",
        "t.list intersects (a)",
        "t.any != a",
        "len(t.text) = 1",
        "t.text = val(t.other)",
    ] {
        let name = check
            .split([' ', '(', ')'])
            .find(|word| word.starts_with("t."))
            .expect("a field");
        let unknown = event(
            "open",
            0,
            &format!(
                "{name}=?;t.other=o;t.uint={}",
                if name == "t.uint" { "?" } else { "1" }
            ),
        );
        assert_eq!(judge(check, &unknown), U, "{check}");
        assert_eq!(judge(&format!("not {check}"), &unknown), U, "not {check}");
        assert_eq!(
            judge(&format!("{check} and t.other = x"), &unknown),
            F,
            "{check} and false"
        );
        assert_eq!(
            judge(&format!("{check} and t.other = o"), &unknown),
            U,
            "{check} and true"
        );
        assert_eq!(
            judge(&format!("{check} or t.other = o"), &unknown),
            T,
            "{check} or true"
        );
        assert_eq!(
            judge(&format!("{check} or t.other = x"), &unknown),
            U,
            "{check} or false"
        );
    }
}

#[test]
fn transformers() {
    check(&[
        ("tolower(t.text) = abc", "t.text=AbC", T),
        ("toupper(t.text) = ABC", "t.text=AbC", T),
        ("basename(t.path) = c", "t.path=/a/b/c", T),
        ("basename(t.path) = ''", "t.path=/a/b/", T),
        ("basename(t.path) = c", "t.path=c", T),
        ("tolower(basename(t.path)) in (c, d)", "t.path=/a/C", T),
        ("len(t.text) = 3", "t.text=abc", T),
        ("len(t.list) > 1", "t.list=a|b", T),
        ("b64(t.text) = hi", "t.text=aGk", T),
        ("b64(t.text) exists", "t.text=!", F),
        (
            "concat(t.text, '-', t.other) = 'a-b'",
            "t.text=a;t.other=b",
            T,
        ),
        ("concat(t.text, t.other) exists", "t.text=a", F),
        ("join(',', (t.text, 'x')) = 'a,x'", "t.text=a", T),
        ("join(',', t.list) = 'a,b'", "t.list=a|b", T),
        ("toupper(t.list) intersects (B)", "t.list=a|b", T),
        ("getopt(t.list, 'ab:')[b] = x", "t.list=-a|-bx", T),
        ("getopt(t.list, 'ab:')[a] = a", "t.list=-a|-bx", T),
        ("getopt(t.list, 'ab:')[b] exists", "t.list=-a", F),
        ("getopt(t.list, 'ab:') intersects (b)", "t.list=-a|-bx", T),
        ("t.text = val(t.other)", "t.text=a;t.other=a", T),
        ("t.text != val(t.other)", "t.text=a;t.other=b", T),
        ("t.text startswith val(t.other)", "t.text=ab;t.other=a", T),
        ("t.text = toupper(t.other)", "t.text=A;t.other=a", T),
        ("t.text in val(t.other)", "t.text=a;t.other=a", T),
        ("t.text = t.other", "t.text=t.other", T),
    ]);
}
