//! Opens that only read are left in the kernel where nobody asks for their paths, and no others.
//!
//! The files lie on /proc, since what lies in memory is reported whatever its path: it may be a secret.

use std::fs;
use std::os::unix::fs::symlink;

use vigia_event::EventType;
use vigia_event::captured::Call;
use vigia_event::open_paths::{OpenPaths, PathPart};
use vigia_sensor::{Budget, Cause, Class, Interest, Options, Outcomes, Scope};

use super::actor::{Actor, Arg, args};
use super::rig::Rig;

const AT_FDCWD: i64 = libc::AT_FDCWD as i64;

/// An open for reading, and whether its path cannot change when it is made absolute, so that the probes can tell.
struct Open {
    name: &'static str,
    arguments: Vec<Arg>,
    sure: bool,
}

impl Open {
    fn spellings(call: &Call) -> Vec<Vec<u8>> {
        let file = call.file.as_ref().expect("a file");
        let given = call.paths.first().map(|path| path.absolute().to_vec());
        let underlying = file.underlying_path.as_ref().map(|path| path.to_vec());
        [given, Some(file.path.to_vec()), underlying]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The record of it, if there was one.
    fn make(&self, rig: &mut Rig, actor: &mut Actor) -> Option<Call> {
        let number = match self.name {
            "open" => libc::SYS_open,
            "openat2" => libc::SYS_openat2,
            _ => libc::SYS_openat,
        };
        let fd = actor.call(number, &self.arguments);
        assert!(fd >= 0, "{}: {fd}", self.name);
        let mut calls = rig.calls(actor.pid(), self.name);
        assert!(calls.len() < 2, "{calls:#?}");
        assert_eq!(actor.call(libc::SYS_close, args![fd]), 0);
        calls.pop()
    }
}

/// Opens by every kind of path, relative ones below /proc/sys/kernel and its descriptor.
fn opens(rig: &Rig, directory: i64) -> Vec<Open> {
    let long = rig.path(&"n".repeat(100));
    let deep = rig.path(&"directory/".repeat(12));
    fs::create_dir_all(&deep).unwrap();
    let links = [
        rig.path("link"),
        rig.path(".hidden"),
        long,
        format!("{deep}link"),
        rig.path("a..b"),
    ];
    for link in &links {
        symlink("/proc/version", link).unwrap();
    }
    let open = |path: &str, sure| Open {
        name: "open",
        arguments: args![path, libc::O_RDONLY, 0].to_vec(),
        sure,
    };
    let at = |directory: i64, path: &str, sure| Open {
        name: "openat",
        arguments: args![directory, path, libc::O_RDONLY, 0].to_vec(),
        sure,
    };
    let how = [0u64, 0, 0];
    vec![
        open("/proc/version", true),
        open("/proc/mounts", true),
        open("/proc/sys/kernel/ostype", true),
        open("/proc/sys/kernel", true),
        open("/proc/sys/kernel/", false),
        open("/proc/sys/../version", false),
        open("/proc//version", false),
        open("/proc/./version", false),
        open("/", false),
        open("ostype", true),
        open("./ostype", false),
        open("../kernel/ostype", false),
        open("..", false),
        open(".", false),
        open(&links[0], true),
        open(&links[1], true),
        open(&links[2], false),
        open(&links[3], true),
        open(&links[4], true),
        at(AT_FDCWD, "random/uuid", true),
        at(directory, "ostype", true),
        at(directory, "random/uuid", true),
        at(directory, "..", false),
        Open {
            name: "openat2",
            arguments: args![directory, "osrelease", how, 24].to_vec(),
            sure: true,
        },
    ]
}

fn parts(make: fn(Box<[u8]>) -> PathPart, texts: &[&str]) -> OpenPaths {
    let boxed = |text: &&str| text.as_bytes().into();
    OpenPaths::Of(texts.iter().map(boxed).map(make).collect())
}

#[test]
fn reads_are_reported_by_any_spelling_of_their_paths() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    let folder = args!["/proc/sys/kernel", libc::O_RDONLY, 0];
    let directory = actor.call(libc::SYS_open, folder);
    assert_eq!(actor.call(libc::SYS_chdir, args!["/proc/sys/kernel"]), 0);
    rig.read();
    let opens = opens(&rig, directory);
    let temporary = rig.path("");
    let deep = rig.path(&"directory/".repeat(3));

    let sets = [
        OpenPaths::none(),
        parts(PathPart::Start, &["/proc/version"]),
        parts(PathPart::Start, &["/proc/sys/kernel/os"]),
        parts(PathPart::Start, &["/proc/sys/kernel/random/u", "/proc/m"]),
        parts(PathPart::Start, &["/"]),
        parts(PathPart::Start, &[temporary.as_str()]),
        parts(PathPart::Start, &[deep.as_str()]),
        parts(
            PathPart::Start,
            &["/proc/sys/kernel/ostype/and/more/that/is/longer/than/a/key"],
        ),
        parts(PathPart::End, &["ostype"]),
        parts(PathPart::End, &["/kernel/osrelease", "n/version"]),
        parts(PathPart::End, &["/proc/sys/kernel/ostype"]),
        parts(PathPart::End, &["link", "/kernel"]),
        parts(
            PathPart::End,
            &["directory/directory/directory/directory/directory/link"],
        ),
        parts(PathPart::FolderEnd, &["/kernel"]),
        parts(PathPart::FolderEnd, &["/proc"]),
        parts(
            PathPart::FolderEnd,
            &["directory/directory/directory/directory/directory"],
        ),
        parts(PathPart::FolderEnd, &["/proc/sys/kernel/random"]),
        parts(PathPart::Start, &["/proc/version"]).or(parts(PathPart::End, &["uuid"])),
    ];
    let mut interest = Interest::everything();
    rig.sensor.set_interest(&interest).unwrap();
    let spellings: Vec<Vec<Vec<u8>>> = opens
        .iter()
        .map(|open| Open::spellings(&open.make(&mut rig, &mut actor).expect("a record")))
        .collect();
    let (mut reported, mut left) = (0, 0);
    for set in sets {
        interest.read_paths = set.clone();
        rig.sensor.set_interest(&interest).unwrap();
        let before = rig.counters().of(Class::Open, Cause::NoInterest);
        let mut left_now = 0;
        for (open, spellings) in opens.iter().zip(&spellings) {
            let found = open.make(&mut rig, &mut actor).is_some();
            let is_asked = set.hold(spellings.iter().map(Vec::as_slice));
            let spelled = spellings.iter().map(|path| String::from_utf8_lossy(path));
            let spelled: Vec<_> = spelled.collect();
            let what = format!("{set:?}: {:?} {spelled:?}", open.arguments);
            // What is cut short matches more, and must.
            let is_cut = matches!(&set, OpenPaths::Of(parts) if parts.iter().any(is_long));
            if is_asked || !open.sure {
                assert!(found, "not reported: {what}");
            } else if !is_cut {
                assert!(!found, "reported: {what}");
            }
            left_now += u64::from(!found);
            reported += u64::from(found);
        }
        let after = rig.counters().of(Class::Open, Cause::NoInterest);
        assert!(after - before >= left_now);
        left += left_now;
    }
    assert!(reported > 50 && left > 50, "{reported} {left}");
}

fn is_long(part: &PathPart) -> bool {
    let (PathPart::Start(text) | PathPart::End(text) | PathPart::FolderEnd(text)) = part;
    text.len() > vigia_abi::maps::PATH_PART_MAX
}

#[test]
fn what_could_have_changed_something_is_no_read() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    let mut interest = Interest::nothing();
    for name in ["open", "openat2", "creat"] {
        interest.add(EventType::from_name(name).unwrap(), Outcomes::SUCCESS);
    }
    interest.read_paths = OpenPaths::none();
    rig.sensor.set_interest(&interest).unwrap();
    let file = "/proc/self/comm";
    for (flags, is_reported) in [
        (libc::O_RDONLY, false),
        (libc::O_RDONLY | libc::O_CLOEXEC, false),
        (libc::O_PATH, false),
        (libc::O_WRONLY, true),
        (libc::O_RDWR, true),
        (libc::O_ACCMODE, true),
        (libc::O_PATH | libc::O_WRONLY, true),
        (libc::O_RDONLY | libc::O_CREAT, true),
        (libc::O_RDONLY | libc::O_TRUNC, true),
    ] {
        let how = [u64::from(flags.cast_unsigned()), 0, 0];
        for (name, number, arguments) in [
            ("open", libc::SYS_open, args![file, flags, 0].to_vec()),
            (
                "openat2",
                libc::SYS_openat2,
                args![AT_FDCWD, file, how, 24].to_vec(),
            ),
        ] {
            let fd = actor.call(number, &arguments);
            let calls = rig.calls(actor.pid(), name);
            if fd >= 0 {
                assert_eq!(calls.len(), usize::from(is_reported), "{name} {flags:o}");
                actor.call(libc::SYS_close, args![fd]);
            }
        }
    }
}

#[test]
fn opens_that_may_change_something_have_paths_of_their_own() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    let comm = || parts(PathPart::End, &["/comm"]);
    for (reads, writes, expected) in [
        (OpenPaths::none(), OpenPaths::none(), [false, false]),
        (OpenPaths::Any, OpenPaths::none(), [true, false]),
        (OpenPaths::none(), OpenPaths::Any, [false, true]),
        (OpenPaths::none(), comm(), [true, true]),
        (comm(), OpenPaths::Any, [true, true]),
        (parts(PathPart::End, &["/version"]), comm(), [true, true]),
        (
            OpenPaths::none(),
            parts(PathPart::End, &["/version"]),
            [false, false],
        ),
    ] {
        let mut interest = Interest::everything();
        (interest.read_paths, interest.write_paths) = (reads, writes);
        rig.sensor.set_interest(&interest).unwrap();
        for (flags, expected) in [libc::O_RDONLY, libc::O_RDWR].into_iter().zip(expected) {
            let path = "/proc/self/comm";
            let fd = actor.call(libc::SYS_open, args![path, flags, 0]);
            assert!(fd >= 0);
            let found = rig.calls(actor.pid(), "open").len();
            assert_eq!(found, usize::from(expected), "{interest:?} {flags:o}");
            actor.call(libc::SYS_close, args![fd]);
        }
    }
}

#[test]
fn a_file_that_may_be_a_secret_is_reported_whatever_its_path() {
    let Some(mut rig) = Rig::arm() else { return };
    let mut actor = rig.actor();
    let mut interest = Interest::everything();
    interest.read_paths = OpenPaths::none();
    rig.sensor.set_interest(&interest).unwrap();
    // A guest has nothing but memory.
    let in_memory = ["/dev/shm", "/tmp"]
        .into_iter()
        .find_map(|folder| tempfile::tempdir_in(folder).ok())
        .unwrap();
    let in_memory = in_memory.path().join("x");
    fs::write(&in_memory, "x").unwrap();
    let mounted = rig.path("mounted");
    fs::write(&mounted, "").unwrap();
    for (path, is_reported) in [
        (in_memory.to_str().unwrap(), true),
        ("/proc/version", false),
    ] {
        let fd = actor.call(libc::SYS_open, args![path, libc::O_RDONLY, 0]);
        assert!(fd >= 0, "{path}");
        let calls = rig.calls(actor.pid(), "open");
        assert_eq!(calls.len(), usize::from(is_reported), "{path}");
    }
    // As engines mount a single file.
    assert_eq!(actor.call(libc::SYS_unshare, args![libc::CLONE_NEWNS]), 0);
    let private = args![
        "none",
        "/",
        "none",
        (libc::MS_REC | libc::MS_PRIVATE).cast_signed(),
        0
    ];
    assert_eq!(actor.call(libc::SYS_mount, private), 0);
    let bind = args![
        "/proc/version",
        mounted.as_str(),
        "none",
        libc::MS_BIND.cast_signed(),
        0
    ];
    assert_eq!(actor.call(libc::SYS_mount, bind), 0);
    rig.read();
    let fd = actor.call(libc::SYS_open, args![mounted.as_str(), libc::O_RDONLY, 0]);
    assert!(fd >= 0);
    let call = rig.only_call(actor.pid(), "open");
    assert_eq!(call.file.unwrap().path, mounted.as_str());
}

#[test]
fn what_is_left_costs_no_budget() {
    const BURST: u32 = 50;
    let Some(mut rig) = Rig::with(|cgroup| Options {
        scope: Scope::Cgroup(cgroup.path.clone()),
        budget: Budget {
            rate_per_s: 1,
            burst: BURST,
        },
        ..Options::default()
    }) else {
        return;
    };
    rig.sensor.add_container_cgroup(rig.cgroup.id()).unwrap();
    let mut actor = rig.actor();
    let mut interest = Interest::everything();
    interest.read_paths = parts(PathPart::End, &["/ostype"]);
    rig.sensor.set_interest(&interest).unwrap();
    rig.sensor.take_over_budget().unwrap();
    let mut read = |path: &str| {
        let fd = actor.call(libc::SYS_open, args![path, libc::O_RDONLY, 0]);
        assert_eq!(actor.call(libc::SYS_close, args![fd]), 0);
    };
    for _ in 0..20 * BURST {
        read("/proc/version");
    }
    for _ in 0..BURST / 2 {
        read("/proc/sys/kernel/ostype");
    }
    let seen = rig.calls(actor.pid(), "open");
    assert_eq!(seen.len(), BURST as usize / 2);
    let over = rig.sensor.take_over_budget().unwrap();
    assert!(
        !over.iter().any(|&(id, _)| id == rig.cgroup.id()),
        "{over:?}"
    );
}
