//! What rules can match is never less than what they do match.

use vigia_event::captured::{GivenPath, What};
use vigia_event::open_paths::{OpenPaths, PathPart};
use vigia_event::secret::{Reader, SecretAccess, SecretKind, SecretRef, SecretSource};
use vigia_event::{Event, EventType, File};

use super::reference::random::Random;
use crate::{Ending, Options, Ruleset, Source, compile};

/// A ruleset with one rule.
fn one_rule(condition: &str) -> Ruleset {
    let options = Options {
        keep_conditions: true,
        ..Options::default()
    };
    compile(
        &[Source::new("r.yaml", super::rule("r", condition))],
        &options,
    )
    .ruleset
    .unwrap_or_else(|| panic!("{condition}"))
}

fn parts(start: &[&str], end: &[&str], folder: &[&str]) -> OpenPaths {
    let boxed = |part: &&str| part.as_bytes().into();
    let start = start.iter().map(boxed).map(PathPart::Start);
    let end = end.iter().map(boxed).map(PathPart::End);
    let folder = folder.iter().map(boxed).map(PathPart::FolderEnd);
    OpenPaths::Of(start.chain(end).chain(folder).collect())
}

#[test]
fn the_paths_of_reads_follow_from_conditions() {
    let none = || parts(&[], &[], &[]);
    for (condition, expected) in [
        ("fd.name = /etc/shadow", parts(&["/etc/shadow"], &[], &[])),
        ("fd.name in (/a, /b)", parts(&["/a", "/b"], &[], &[])),
        ("fd.name startswith /etc/", parts(&["/etc/"], &[], &[])),
        ("fd.name endswith .pem", parts(&[], &[".pem"], &[])),
        ("fd.name glob /etc/*/key", parts(&[], &["/key"], &[])),
        ("fd.name glob /etc/*_key", parts(&["/etc/"], &[], &[])),
        (
            "fd.name glob '/proc/[0-9]*/mem'",
            parts(&[], &["/mem"], &[]),
        ),
        ("fd.name glob *.pem", parts(&[], &[".pem"], &[])),
        (
            "fd.name pmatch (/var/log, /home/*/.ssh)",
            parts(&["/var/log", "/home"], &[], &[]),
        ),
        ("fd.directory = /etc", parts(&["/etc"], &[], &[])),
        (
            "fd.directory endswith /.ssh",
            parts(&[], &["/.ssh"], &["/.ssh"]),
        ),
        ("fd.filename = id_rsa", parts(&[], &["/id_rsa"], &[])),
        (
            "fd.name = /a or fd.name endswith b",
            parts(&["/a"], &["b"], &[]),
        ),
        ("fd.name = /a and proc.name = x", parts(&["/a"], &[], &[])),
        (
            "fd.name in (/a, /b) and fd.filename = c",
            parts(&[], &["/c"], &[]),
        ),
        ("not (fd.name != /a or proc.name = x)", OpenPaths::Any),
        ("not (not fd.name = /a)", parts(&["/a"], &[], &[])),
        ("fd.name = /a or proc.name = x", OpenPaths::Any),
        ("fd.name contains a", OpenPaths::Any),
        ("fd.name startswith ''", OpenPaths::Any),
        ("fd.name glob '[a]'", OpenPaths::Any),
        ("not fd.name = /a", OpenPaths::Any),
        ("fd.filename startswith id_", OpenPaths::Any),
        ("fd.directory endswith /", OpenPaths::Any),
        ("evt.entry = io_uring", none()),
        ("evt.entry in (io_uring, native)", OpenPaths::Any),
        ("evt.entry != io_uring", OpenPaths::Any),
        ("evt.is_open_write = true", none()),
        ("evt.is_open_read = true", OpenPaths::Any),
        ("evt.failed = true", none()),
        ("evt.failed != true", OpenPaths::Any),
        (
            "evt.refused = true or fd.name = /a",
            parts(&["/a"], &[], &[]),
        ),
        ("fd.is_secret = true", none()),
        ("fd.secret.reader in (host, late)", none()),
        ("fd.secret.name exists", none()),
        ("not fd.secret.name exists", OpenPaths::Any),
        ("evt.type = unlinkat", none()),
        (
            "evt.type = openat2 and fd.name = /b",
            parts(&["/b"], &[], &[]),
        ),
    ] {
        let typed = match condition.contains("evt.type") {
            true => condition.to_owned(),
            false => format!("evt.type in (open, openat) and ({condition})"),
        };
        assert_eq!(*one_rule(&typed).read_paths(), expected, "{condition}");
    }
}

#[test]
fn the_paths_of_other_opens_follow_from_conditions() {
    for (condition, expected) in [
        (
            "evt.is_open_read = true and fd.name = /a",
            parts(&["/a"], &[], &[]),
        ),
        (
            "evt.is_open_write = true and fd.name = /a",
            parts(&["/a"], &[], &[]),
        ),
        ("evt.is_open_write = true", OpenPaths::Any),
        ("evt.refused = true", parts(&[], &[], &[])),
        ("fd.is_secret = true", parts(&[], &[], &[])),
    ] {
        let typed = format!("evt.type in (open, openat) and ({condition})");
        assert_eq!(*one_rule(&typed).write_paths(), expected, "{condition}");
    }
}

#[test]
fn the_endings_of_calls_follow_from_conditions() {
    for (condition, expected) in [
        ("proc.name = x", [true, true, true]),
        ("evt.failed = false", [true, false, false]),
        ("evt.failed = true", [false, true, true]),
        ("evt.refused = true", [false, true, false]),
        (
            "evt.failed = false or evt.refused = true",
            [true, true, false],
        ),
        ("not evt.failed = true", [true, false, false]),
        ("evt.res = EROFS", [true, true, true]),
    ] {
        let ruleset = one_rule(&format!("evt.type = mkdir and ({condition})"));
        let ends = |name: &str| {
            let event_type = EventType::from_name(name).expect("a row");
            Ending::ALL.map(|ending| ruleset.can_match(event_type, ending))
        };
        assert_eq!(ends("mkdir"), expected, "{condition}");
        assert_eq!(ends("rmdir"), [false; 3], "{condition}");
    }
}

#[test]
fn rules_of_all_files_and_no_others_count() {
    let rules = [
        super::rule("a", "evt.type = open and fd.name = /a"),
        super::rule("b", "evt.type = openat and fd.name = /b"),
        super::rule("c", "evt.type = openat and proc.name = x") + "  enabled: false\n",
        super::rule("d", "evt.type = unlink and proc.name = x"),
    ];
    let compiled = compile(
        &[Source::new("r.yaml", rules.concat())],
        &Options::default(),
    );
    let ruleset = compiled.ruleset.expect("no errors");
    assert_eq!(*ruleset.read_paths(), parts(&["/a", "/b"], &[], &[]));
    assert_eq!(*one_rule("proc.name = x").read_paths(), OpenPaths::Any);
}

const PATHS: &[&str] = &[
    "/", "/a", "/a/b", "/ab", "/b/a", "/a/.b/c", "/b/.b/ab", "/x/a", "/x/c.b", "/a/b/c.b",
];

const CHECKS: &[&str] = &[
    "fd.name = /a",
    "fd.name in (/a/b, /ab)",
    "fd.name startswith /a",
    "fd.name startswith /b/",
    "fd.name endswith b",
    "fd.name endswith /a",
    "fd.name glob /*/b",
    "fd.name glob '/[ab]*'",
    "fd.name glob '*/.b/*'",
    "fd.name glob '/?/a'",
    "fd.name pmatch (/a, /b/a)",
    "fd.name pmatch (/*/.b)",
    "fd.name contains .b",
    "fd.name icontains A",
    "fd.name regex '/a.*'",
    "fd.name != /a",
    "fd.directory = /a",
    "fd.directory endswith b",
    "fd.directory endswith /",
    "fd.directory in (/, /a/.b)",
    "fd.directory glob '*/.b'",
    "fd.filename in (a, c.b)",
    "fd.name glob '*[/]b'",
    "fd.name glob '/a\\\\/b'",
    "fd.name pmatch (/)",
    "fd.name in ('', /a)",
    "fd.name intersects (/a, /b/a)",
    "fd.directory startswith /b",
    "fd.directory pmatch (/a)",
    "fd.filename = a",
    "fd.filename endswith b",
    "fd.filename startswith c",
    "fd.nameraw contains b",
    "basename(fd.name) = a",
    "fd.name = val(fd.nameraw)",
    "evt.failed = false",
    "evt.failed = true",
    "evt.refused = true",
    "evt.is_open_read = true",
    "evt.is_open_write = true",
    "evt.is_write_call = false",
    "evt.is_open_create = true",
    "fd.is_secret = true",
    "fd.is_secret = false",
    "fd.secret.reader = late",
    "fd.secret.reader != late",
    "fd.secret.name exists",
    "evt.type = openat",
    "evt.type != open",
    "fd.typechar = 'f'",
    "proc.name = cat",
];

fn condition(random: &mut Random, depth: u32) -> String {
    if depth == 0 || random.one_in(4) {
        return random.pick(CHECKS).to_owned();
    }
    let mut part = || condition(random, depth - 1);
    let (one, other) = (part(), part());
    match random.below(3) {
        0 => format!("({one} and {other})"),
        1 => format!("({one} or {other})"),
        _ => format!("not ({one} and {other})"),
    }
}

/// An open of a path that the kernel has under another, with flags and a result.
fn open(random: &mut Random, flags: u64, result: i64) -> Event {
    let mut event = super::event(random.pick(&["open", "openat"]), result, "");
    let at = usize::from(event.event_type.name() == "openat");
    let What::Call(call) = &mut event.captured.what else {
        panic!("a call")
    };
    call.args[1 + at] = flags;
    call.paths = vec![GivenPath {
        given: random.pick(PATHS).into(),
        changed: None,
        base: None,
        truncated: false,
    }];
    let mode = random.pick(&[0o100_644, 0o040_755]);
    call.file = (result >= 0).then(|| File {
        path: random.pick(PATHS).into(),
        underlying_path: random.one_in(3).then(|| random.pick(PATHS).into()),
        mode,
        ..File::default()
    });
    event.prepare();
    event
}

/// Whether the probes would report an open, by what they know of it.
fn is_reported(ruleset: &Ruleset, event: &Event, flags: u64, result: i64) -> bool {
    const WRITES: u64 = 0o1103;
    let ending = match result {
        0.. => Ending::Done,
        -1 | -13 | -30 => Ending::Refused,
        _ => Ending::Failed,
    };
    let is_read = flags & WRITES == 0;
    let paths = match is_read {
        true => ruleset.read_paths(),
        false => ruleset.write_paths(),
    };
    let spellings = [
        &event.paths.given,
        &event.paths.real,
        &event.paths.underlying,
    ];
    let spellings = spellings.into_iter().flatten().map(|path| path.as_slice());
    ruleset.can_match(event.event_type, ending)
        && (ending != Ending::Done || event.secret.is_some() || paths.hold(spellings))
}

#[test]
fn whatever_matches_was_reported() {
    let mut random = Random::new(7);
    let (mut matched, mut spared) = (0, 0);
    for _ in 0..1000 {
        let condition = format!(
            "evt.type in (open, openat) and {}",
            condition(&mut random, 3)
        );
        let ruleset = one_rule(&condition);
        for _ in 0..20 {
            let flags = random.pick(&[0, 0, 0, 1, 2, 0o100, 0o1000]);
            let result = random.pick(&[3, 3, 3, -2, -13, -30]);
            let mut event = open(&mut random, flags, result);
            if result >= 0 && random.one_in(5) {
                event.secret = Some(Box::new(secret()));
            }
            let found = !super::matches(&ruleset, &event).0.is_empty();
            let reported = is_reported(&ruleset, &event, flags, result);
            assert!(
                reported || !found,
                "{condition}\n{flags:o} {result} {:?} {:?}",
                event.paths,
                ruleset.read_paths()
            );
            matched += u32::from(found);
            spared += u32::from(!reported);
        }
    }
    assert!(matched > 500 && spared > 500, "{matched} {spared}");
}

fn secret() -> SecretAccess {
    SecretAccess {
        secret: SecretRef {
            name: "s".into(),
            path: "/run/secrets/s".into(),
            kind: SecretKind::Secret,
            source: SecretSource::Swarm,
            dev: 0,
            ino: 0,
        },
        reader: Reader::Late,
        reason: String::new(),
        by_container_mount: true,
    }
}

#[test]
fn each_rule_is_judged_by_itself_where_two_share_a_part() {
    let rules = [
        super::rule(
            "a",
            "evt.type = open and (fd.name = /a or proc.name = x) and fd.name = /b",
        ),
        super::rule(
            "b",
            "evt.type = open and (fd.name = /a or proc.name = x) and evt.failed = true",
        ),
    ];
    let compiled = compile(
        &[Source::new("r.yaml", rules.concat())],
        &Options::default(),
    );
    let ruleset = compiled.ruleset.expect("no errors");
    assert_eq!(*ruleset.read_paths(), parts(&["/b"], &[], &[]));
}
