//! The form of cases: what they say becomes the values of fields, and what is wrong in them is told with its place.

use vigia_engine::{Options, RuleMatching, Source, Template, compile};
use vigia_event::View;
use vigia_ruletest::{Coverage, Fault, TestFile, judge, read, read_events};

fn read_plain(text: &str) -> Result<TestFile, Vec<Fault>> {
    read(text, &mut |_| Err("no recordings here".to_owned()))
}

#[test]
fn what_a_case_says_is_what_rules_see() {
    for (case, field, expected) in [
        ("{open: /etc/shadow}", "fd.name", "/etc/shadow"),
        ("{open: /etc/shadow}", "evt.is_open_read", "true"),
        ("{open: /etc/shadow}", "proc.name", "nginx"),
        ("{open: /etc/shadow}", "proc.pname", "containerd-shim"),
        ("{open: /etc/shadow}", "container.image.repository", "nginx"),
        (
            "{open: shadow, process: {cwd: /etc}}",
            "fd.name",
            "/etc/shadow",
        ),
        (
            "{open: /x, flags: O_WRONLY|O_CREAT|O_F_CREATED}",
            "evt.is_open_create",
            "true",
        ),
        (
            "{open: {name: /x, flags: O_RDWR, mode: 0644}}",
            "evt.is_open_write",
            "true",
        ),
        ("{open: /x, error: ENOENT}", "evt.res", "ENOENT"),
        (
            "{openat: /tmp/x, real_path: /etc/shadow}",
            "fd.realpath",
            "/etc/shadow",
        ),
        (
            "{open: /x, process: cat -A /x}",
            "proc.cmdline",
            "cat -A /x",
        ),
        (
            "{open: /x, process: {name: sh, parent: {name: cron, args: [-f]}}}",
            "proc.pcmdline",
            "cron -f",
        ),
        (
            "{open: /x, process: {ancestors: [a, b, c]}}",
            "proc.aname[3]",
            "c",
        ),
        ("{open: /x, process: {user: app}}", "user.name", "app"),
        ("{open: /x, process: {uid: 33}}", "user.name", "www-data"),
        ("{open: /x, process: {env: {A: b}}}", "proc.env[A]", "b"),
        (
            "{open: /x, process: {caps: [CAP_NET_RAW]}}",
            "thread.cap_effective",
            "CAP_NET_RAW",
        ),
        ("{execve: /bin/bash -i}", "proc.name", "bash"),
        ("{execve: /bin/bash -i}", "proc.cmdline", "bash -i"),
        ("{execve: /bin/bash, error: EACCES}", "proc.name", "nginx"),
        (
            "{execve: ~, process: {name: x, origin: upper}}",
            "proc.is_exe_upper_layer",
            "true",
        ),
        (
            "{ptrace: PTRACE_ATTACH}",
            "evt.arg.request",
            "PTRACE_ATTACH",
        ),
        (
            "{ptrace: {request: PTRACE_PEEKUSR, pid: 7}}",
            "evt.arg.request",
            "PTRACE_PEEKUSR",
        ),
        ("{unshare: CLONE_NEWUSER}", "evt.arg.flags", "CLONE_NEWUSER"),
        (
            "{renameat2: {oldpath: /a, newpath: /b}}",
            "fs.path.target",
            "/b",
        ),
        ("{rename: /a, target: /b}", "fs.path.target", "/b"),
        (
            "{mount: /mnt, flags: BIND|REC}",
            "evt.arg.flags",
            "BIND|REC",
        ),
        (
            "{chmod: {filename: /x, mode: S_ISUID|S_IXUSR}}",
            "evt.arg.mode",
            "S_IXUSR|S_ISUID",
        ),
        ("{connect: 10.1.2.3:6443}", "fd.sip", "10.1.2.3"),
        ("{connect: 10.1.2.3:6443}", "fd.sport", "6443"),
        (
            "{connect: \"[2001:db8::1]:53\", protocol: udp}",
            "fd.l4proto",
            "udp",
        ),
        ("{accept4: 10.1.2.3:40000}", "fd.cip", "10.1.2.3"),
        (
            "{connect: /var/run/docker.sock}",
            "fd.name",
            "/var/run/docker.sock",
        ),
        ("{dup2: 10.1.2.3:4444}", "fd.type", "ipv4"),
        ("{read: ~, fd: pipe}", "fd.type", "pipe"),
        (
            "{connect: 10.1.2.3:443, dns: {example.com: [10.1.2.3]}}",
            "fd.sip.name",
            "example.com",
        ),
        ("{open: /x, host: true}", "container.id", "host"),
        ("{open: /x, container: host}", "proc.pname", "systemd"),
        (
            "{open: /x, container: {image: \"r.io:5000/a/b:1.2\"}}",
            "container.image.tag",
            "1.2",
        ),
        (
            "{open: /x, container: {privileged: true}}",
            "container.privileged",
            "true",
        ),
        (
            "{open: /x, container: {labels: {a: b}}}",
            "container.label[a]",
            "b",
        ),
        (
            "{open: /x, container: {k8s: {namespace: prod}}}",
            "k8s.ns.name",
            "prod",
        ),
        ("{open: /data/x}", "fd.mount.kind", "volume"),
        (
            "{open: /srv/x, container: {mounts: [{path: /srv, kind: tmpfs}]}}",
            "fd.mount.kind",
            "tmpfs",
        ),
        (
            "{open: /run/secrets/db_password, secret: entered}",
            "fd.secret.reader",
            "entered",
        ),
        (
            "{open: /run/secrets/db_password, secret: entered}",
            "fd.secret.by_container_mount",
            "true",
        ),
        (
            "{open: /x, host: true, secret: {reader: host, source: compose}}",
            "fd.secret.by_container_mount",
            "false",
        ),
        (
            "{open: /x, host: true, secret: {reader: host, by_container_mount: true}}",
            "fd.secret.by_container_mount",
            "true",
        ),
        (
            "{open: /x, at: 2026-02-03T04:05:06Z}",
            "evt.time.iso8601",
            "2026-02-03T04:05:06.000000000+0000",
        ),
    ] {
        let events = read_events(case).unwrap_or_else(|faults| panic!("{case}: {faults:?}"));
        let event = &events[0].1;
        let spelling = event.spellings()[0];
        let seen = Template::field(field)
            .unwrap_or_else(|problem| panic!("{problem}"))
            .render(View { event, spelling });
        assert_eq!(seen, expected, "{field} of {case}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, line, column, message) in [
        ("[]", 1, 1, "there are no tests"),
        ("- rule: R\n", 1, 9, "has no case"),
        (
            "- rule: R\n  fires:\n    - {open: /x, error: ENOENT, result: 3}\n",
            3,
            7,
            "not both",
        ),
        (
            "- rule: R\n  fires:\n    - {open: /x, host: true, container: {image: x}}\n",
            3,
            7,
            "happens in no `container`",
        ),
        (
            "- rule: R\n  fires:\n    - {open: /x, process: {parent: sh, ancestors: [sh]}}\n",
            3,
            27,
            "says it twice",
        ),
        (
            "- rule: R\n  fires:\n    - {setuid: 0, real_path: /x}\n",
            3,
            30,
            "no path",
        ),
        (
            "- rule: R\n  fires:\n    - {execve: \"sh -c 'x\"}\n",
            3,
            16,
            "the quote ' is not closed",
        ),
        (
            "- rule: R\n  fires:\n    - {opne: /x}\n",
            3,
            8,
            "unknown key `opne`, did you mean `open`?",
        ),
        (
            "- rule: R\n  fires:\n    - {process: cat}\n",
            3,
            7,
            "names its event type",
        ),
        (
            "- rule: R\n  fires:\n    - {open: /a, mkdir: /b}\n",
            3,
            18,
            "second event type",
        ),
        (
            "- rule: R\n  fires:\n    - {open: {nmae: /a}}\n",
            3,
            15,
            "did you mean `name`?",
        ),
        (
            "- rule: R\n  fires:\n    - {open: /a, flags: O_REDONLY}\n",
            3,
            25,
            "`O_REDONLY` is neither",
        ),
        (
            "- rule: R\n  fires:\n    - {open: /a, error: EFOO}\n",
            3,
            25,
            "no error",
        ),
        (
            "- rule: R\n  fires:\n    - {open: /a, process: {nam: x}}\n",
            3,
            28,
            "did you mean `name`?",
        ),
        (
            "- rule: R\n  fires:\n    - {open: /a, process: {tty: x}}\n",
            3,
            33,
            "not a number",
        ),
        (
            "- rule: R\n  fires:\n    - {open: /a, container: {engine: dokcer}}\n",
            3,
            38,
            "must be one of docker",
        ),
        (
            "- rule: R\n  fires:\n    - {open: /a, unknown: [proc.name]}\n",
            3,
            28,
            "never on its way",
        ),
        (
            "- rule: R\n  stays_silent:\n    - {open: /a, says: x}\n",
            3,
            7,
            "has none",
        ),
        (
            "- rule: R\n  fires:\n    - {recording: x.vigia}\n",
            3,
            19,
            "no recordings here",
        ),
        ("- fires: []\n", 1, 3, "names its `rule`"),
        ("rules: x\ntets: []\n", 2, 1, "did you mean `tests`?"),
        ("- rule: [R\n", 1, 9, ""),
    ] {
        let faults = read_plain(text).expect_err(text);
        let fault = &faults[0];
        assert_eq!(
            (fault.place.line, fault.place.column),
            (line, column),
            "{text}: {fault:?}"
        );
        assert!(fault.message.contains(message), "{text}: {fault:?}");
    }
    let two = read_plain("- rule: R\n  fires:\n    - {opne: /x}\n    - {open: /x, foo: 1}\n")
        .expect_err("two faults");
    assert_eq!(two.len(), 2);
}

const RULES: &str = "
- rule: A
  desc: d
  condition: evt.type = open and fd.name = /a and container.image.repository = nginx
  output: opened %fd.name
  priority: NOTICE
- rule: B
  desc: d
  condition: evt.type = open and fd.name startswith /
  output: o
  priority: NOTICE
";

fn judged(
    text: &str,
) -> (
    Vec<vigia_ruletest::CaseReport>,
    Coverage,
    vigia_engine::Ruleset,
) {
    let options = Options {
        rule_matching: RuleMatching::All,
        keep_conditions: true,
        ..Options::default()
    };
    let ruleset = compile(&[Source::new("r.yaml", RULES)], &options)
        .ruleset
        .expect("rules");
    let file = read_plain(text).unwrap_or_else(|faults| panic!("{faults:?}"));
    let mut coverage = Coverage::default();
    let cases = judge(&file, &ruleset, &mut coverage).unwrap_or_else(|faults| panic!("{faults:?}"));
    (cases, coverage, ruleset)
}

#[test]
fn expectations_that_do_not_hold_fail_and_say_why() {
    for (case, key, failure) in [
        ("{open: /a}", "fires", ""),
        ("{open: /b}", "fires", "must fire, and does not"),
        ("{open: /a}", "stays_silent", "must stay silent, and fires"),
        (
            "{open: /a, unknown: [container.image.repository]}",
            "undecided",
            "",
        ),
        (
            "{open: /a, unknown: [container.image.repository]}",
            "fires",
            "is undecided",
        ),
        ("{open: /a}", "undecided", "must be undecided, and fires"),
        ("{open: /a, says: opened /a}", "fires", ""),
        ("{open: /a, says: closed}", "fires", "does not say `closed`"),
        ("{open: /a, fields: {fd.name: /a}}", "fires", ""),
        (
            "{open: /a, fields: {fd.name: /b}}",
            "fires",
            "fd.name is `/a`, not `/b`",
        ),
        (
            "{open: /a, only: true}",
            "fires",
            "other rules fire, too: B",
        ),
    ] {
        let (cases, ..) = judged(&format!("- rule: A\n  {key}:\n    - {case}\n"));
        let report = &cases[0];
        assert_eq!(
            report.passed,
            failure.is_empty(),
            "{key} {case}: {report:?}"
        );
        assert!(
            report.failures.join("\n").contains(failure),
            "{key} {case}: {report:?}"
        );
    }
    let (cases, ..) = judged("- rule: A\n  fires:\n    - {open: /b}\n");
    let why = cases[0].why.as_deref().unwrap_or_default();
    assert!(why.contains("fd.name = /a   <- fd.name is /b"), "{why}");
}

#[test]
fn given_keys_are_laid_under_every_case() {
    let text = "
given: {open: /a, process: {name: x, tty: 5}}
tests:
  - rule: A
    given: {process: {tty: 6}}
    fires: [{process: {uid: 7}, fields: {proc.name: x, proc.tty: 6, user.uid: 7}}]
";
    let (cases, ..) = judged(text);
    assert!(cases[0].passed, "{cases:?}");
}

#[test]
fn coverage_tells_what_was_never_tried() {
    let (_, coverage, ruleset) =
        judged("- rule: A\n  fires:\n    - {open: /a}\n  stays_silent:\n    - {open: /b}\n");
    let rules = coverage.of(&ruleset);
    assert!(rules[0].has_both_kinds() && !rules[1].has_both_kinds());
    assert_eq!(
        rules[0].never_false,
        ["evt.type = open", "container.image.repository = nginx"]
    );
    assert!(rules[0].never_true.is_empty());
}

#[test]
fn no_exception_is_borrowed_through_a_link_and_no_two_spellings_mix() {
    let through = "real_path: /etc/shadow";
    for (condition, case, fires) in [
        ("not evt.abspath startswith /data", through, true),
        ("not evt.arg.fd contains /data", through, true),
        ("not evt.arg[0] contains /data", through, true),
        ("not evt.args contains <f>/data", through, true),
        ("not evt.info contains <f>/data", through, true),
        ("not fd.name startswith /data", through, true),
        ("not evt.abspath startswith /data", "", false),
        ("not evt.arg.fd contains /data", "", false),
        (
            "evt.abspath startswith /data and fd.name startswith /etc",
            through,
            false,
        ),
        (
            "evt.arg.fd contains /etc and fd.name startswith /data",
            through,
            false,
        ),
        (
            "evt.abspath = /etc/shadow and evt.arg.fd = <f>/etc/shadow",
            through,
            true,
        ),
        // What was passed is the same whatever it leads to.
        ("not evt.arg.name startswith /data", through, false),
        ("not fd.nameraw startswith /data", through, false),
        (
            "fd.nameraw startswith /data and fd.name startswith /etc",
            through,
            true,
        ),
    ] {
        let rule = format!(
            "- rule: A\n  desc: d\n  output: o\n  priority: INFO\n  condition: evt.type = open and {condition}\n"
        );
        let ruleset = compile(&[Source::new("r.yaml", &rule)], &Options::default())
            .ruleset
            .expect("a rule");
        let key = if fires { "fires" } else { "stays_silent" };
        let test = format!("- rule: A\n  {key}:\n    - {{open: /data/link, {case}}}\n");
        let file = read_plain(&test).unwrap_or_else(|faults| panic!("{faults:?}"));
        let cases = judge(&file, &ruleset, &mut Coverage::default())
            .unwrap_or_else(|faults| panic!("{faults:?}"));
        assert!(cases[0].passed, "{condition}: {cases:?}");
    }
}

#[test]
fn constants_have_the_width_of_their_field() {
    for (condition, uid, fires) in [
        ("user.uid = -1", u32::MAX, Some(true)),
        ("user.uid = 4294967295", u32::MAX, Some(true)),
        ("user.uid in (-2, -1)", u32::MAX, Some(true)),
        ("user.uid = -1", 0, Some(false)),
        ("user.uid = 4294967296", 0, None),
        ("group.gid = -4294967297", 0, None),
    ] {
        let rule = format!(
            "- rule: A\n  desc: d\n  output: o\n  priority: INFO\n  condition: evt.type = open and {condition}\n"
        );
        let compiled = compile(&[Source::new("r.yaml", &rule)], &Options::default());
        let Some(fires) = fires else {
            let said = format!("{:?}", compiled.diagnostics);
            assert!(said.contains("maximum: 4294967295"), "{condition}: {said}");
            assert!(
                said.contains("user.uid") || said.contains("group.gid"),
                "{said}"
            );
            continue;
        };
        let ruleset = compiled.ruleset.expect("a rule");
        let key = if fires { "fires" } else { "stays_silent" };
        let test = format!("- rule: A\n  {key}:\n    - {{open: /x, process: {{uid: {uid}}}}}\n");
        let file = read_plain(&test).unwrap_or_else(|faults| panic!("{faults:?}"));
        let cases = judge(&file, &ruleset, &mut Coverage::default())
            .unwrap_or_else(|faults| panic!("{faults:?}"));
        assert!(cases[0].passed, "{condition}: {cases:?}");
    }
}

#[test]
fn an_address_exists_for_every_descriptor_and_compares_only_for_sockets() {
    for (condition, key) in [
        ("fd.ip exists", "fires"),
        ("fd.net exists", "fires"),
        ("fd.port exists", "stays_silent"),
        ("fd.ip != 1.2.3.4", "stays_silent"),
        ("fd.ip = 1.2.3.4", "stays_silent"),
        ("fd.net != 10.0.0.0/8", "stays_silent"),
    ] {
        let rule = format!(
            "- rule: A\n  desc: d\n  output: o\n  priority: INFO\n  condition: evt.type = open and {condition}\n"
        );
        let ruleset = compile(&[Source::new("r.yaml", &rule)], &Options::default())
            .ruleset
            .expect("a rule");
        let test = format!("- rule: A\n  {key}:\n    - {{open: /x, real_path: /x}}\n");
        let file = read_plain(&test).unwrap_or_else(|faults| panic!("{faults:?}"));
        let cases = judge(&file, &ruleset, &mut Coverage::default())
            .unwrap_or_else(|faults| panic!("{faults:?}"));
        assert!(cases[0].passed, "{condition}: {cases:?}");
    }
}
