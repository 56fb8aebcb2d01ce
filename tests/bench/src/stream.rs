//! The events that are judged: a mix as a node with a dozen containers makes it, the same in every run.
//!
//! Of 100 events 70 open files, 10 execute programs, 10 use the network and 10 do something else. Programs, their
//! ancestors, paths, flags and errors are spread as they are in containers of web servers, databases and scripts at
//! work; next to nothing of it matches a rule. About one open in five has two spellings of its path.

mod dice;
mod recorded;
mod world;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bstr::BString;
use vigia_event::call::named;
use vigia_event::captured::{Call, Captured, Exec, Fork, GivenPath, What};
use vigia_event::process::Ancestors;
use vigia_event::socket::{Protocol, Role, Socket};
use vigia_event::{Descriptor, Event, EventType, File};

use dice::Dice;
use world::{Actor, World};

const O_WRONLY: u64 = 1;
const O_CREAT: u64 = 0o100;
const O_CLOEXEC: u64 = 0o2_000_000;
const ENOENT: i64 = -2;

/// `count` events, ready to be judged.
#[must_use]
pub fn mix(count: usize) -> Vec<Event> {
    let world = World::new();
    let mut dice = Dice::new();
    (1..)
        .take(count)
        .map(|number| {
            let actor = dice.pick(&world.actors);
            let what = match dice.below(100) {
                0..70 => open(&mut dice, actor),
                70..80 => return prepared(executed(&mut dice, &world, actor, number)),
                80..90 => network(&mut dice),
                _ => other(&mut dice, actor),
            };
            prepared(actor.event(&world, what, number))
        })
        .collect()
}

pub use recorded::recorded;

/// Where the events of [`mix`] come from, in a few words.
pub const ORIGIN: &str = "made up: 70 % open, 10 % exec, 10 % network, 10 % other";

/// Events to measure with, and where they come from: recorded ones, else made up ones with the reason.
#[must_use]
pub fn best(count: usize) -> (Vec<Event>, String) {
    match recorded(count) {
        Ok(events) => (events, recorded::ORIGIN.to_owned()),
        Err(error) => (mix(count), format!("{ORIGIN} ({error:#})")),
    }
}

/// The families of the mix, as they are reported.
pub const FAMILIES: [&str; 4] = ["open", "exec", "network", "other"];

/// The family of the mix that an event belongs to: a position in [`FAMILIES`].
#[must_use]
pub fn family(event: &Event) -> usize {
    match event.event_type.name() {
        "open" | "openat" | "openat2" | "creat" => 0,
        "execve" | "execveat" => 1,
        "socket" | "connect" | "accept" | "accept4" | "bind" | "listen" | "sendto" | "sendmsg"
        | "recvfrom" | "recvmsg" => 2,
        _ => 3,
    }
}

fn prepared(mut event: Event) -> Event {
    event.prepare();
    event
}

impl Actor {
    fn event(&self, world: &World, what: What, number: u64) -> Event {
        Event {
            number,
            time_ns: world::NOW_NS + number * 1000,
            event_type: Event::type_of(&what).expect("every event of the mix has a type"),
            captured: Captured {
                cpu: 0,
                sequence: number,
                boot_time_ns: number * 1000,
                in_scope: true,
                is_secret: false,
                task: self.process.task.clone(),
                what,
            },
            process: Arc::clone(&self.process),
            ancestors: Arc::clone(&self.ancestors),
            session_leader: None,
            group_leader: None,
            container: self.container.clone(),
            mounts: Arc::clone(&world.mounts),
            users: Arc::clone(&world.users),
            secret: None,
            node: Arc::clone(&world.node),
            domain_names: Arc::clone(&world.domain_names),
            paths: Default::default(),
        }
    }
}

fn open(dice: &mut Dice, actor: &Actor) -> What {
    let number = dice.below(5000);
    let library = *dice.pick(&[
        "libc.so.6",
        "libm.so.6",
        "libssl.so.3",
        "libz.so.1",
        "libpthread.so.0",
    ]);
    let module = *dice.pick(&[
        "json/decoder",
        "asyncio/events",
        "encodings/utf_8",
        "re/_parser",
    ]);
    let package = *dice.pick(&["express", "lodash", "react-dom", "pg", "qs"]);
    let config = *dice.pick(&[
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/nsswitch.conf",
        "/etc/passwd",
        "/etc/localtime",
        "/etc/ld.so.cache",
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/nginx/conf.d/default.conf",
    ]);
    let (given, real, writes) = match dice.below(100) {
        0..14 => (
            format!("/lib/x86_64-linux-gnu/{library}"),
            Some(format!("/usr/lib/x86_64-linux-gnu/{library}")),
            false,
        ),
        14..19 => (
            "/proc/self/status".to_owned(),
            Some(format!("/proc/{}/status", actor.process.task.pid)),
            false,
        ),
        19..34 => (format!("/usr/lib/python3.12/{module}.py"), None, false),
        34..48 => (config.to_owned(), None, false),
        48..64 => (
            format!("/app/node_modules/{package}/lib/{number}.js"),
            None,
            false,
        ),
        64..78 => (
            format!("/var/lib/postgresql/data/base/16384/{number}"),
            None,
            number.is_multiple_of(2),
        ),
        78..83 => (format!("/tmp/work-{number}/chunk"), None, true),
        83..86 => ("/var/log/app/access.log".to_owned(), None, true),
        86..91 => (
            (*dice.pick(&["/dev/null", "/dev/urandom"])).to_owned(),
            None,
            false,
        ),
        91..95 => ("/sys/fs/cgroup/memory.max".to_owned(), None, false),
        95..98 => (format!("../share/locale/{number}.mo"), None, false),
        _ => (format!("/home/app/.cache/pip/{number}"), None, true),
    };
    let fails = real.is_none() && dice.below(100) < 22;
    let flags = if writes { O_WRONLY | O_CREAT } else { 0 } | O_CLOEXEC;
    let path = GivenPath {
        changed: None,
        base: (!given.starts_with('/')).then(|| "/usr/bin".into()),
        given: given.into(),
        truncated: false,
    };
    let real = real.map_or_else(|| path.absolute(), BString::from);
    let file = File {
        path: real,
        mode: 0o100_644,
        dev: 42,
        ino: 131_072 + number,
        created: writes && number.is_multiple_of(5),
        ..File::default()
    };
    let (event_type, place) = match dice.below(20) {
        0 => (named::OPEN, 1),
        _ => (named::OPENAT, 2),
    };
    let mut args = [0; 6];
    args[place] = flags;
    args[place + 1] = if writes { 0o644 } else { 0 };
    What::Call(Box::new(Call {
        paths: vec![path],
        file: (!fails).then_some(file),
        ..call(event_type, args, if fails { ENOENT } else { 5 })
    }))
}

fn executed(dice: &mut Dice, world: &World, parent: &Actor, number: u64) -> Event {
    let (name, args): (&str, &[&str]) = *dice.pick(&[
        ("ls", &["-la", "/srv"][..]),
        ("cat", &["/srv/www/index.html"]),
        ("date", &["+%s"]),
        ("sleep", &["5"]),
        ("grep", &["-c", "processor", "/proc/cpuinfo"]),
        ("sed", &["-i", "s/a/b/", "/srv/app.conf"]),
        ("pg_isready", &["-U", "postgres"]),
        ("redis-cli", &["ping"]),
        ("node", &["/app/server.js", "--port", "8080"]),
        ("python3", &["-m", "gunicorn", "app:app", "--workers", "4"]),
        ("git", &["rev-parse", "HEAD"]),
        ("sh", &["-c", "pg_isready || exit 1"]),
    ]);
    let pid = 20_000 + u32::try_from(number % 40_000).unwrap_or(0);
    let process = world::process(pid, name, &format!("/usr/bin/{name}"), args);
    let ancestors: Ancestors = std::iter::once(Arc::clone(&parent.process))
        .chain(parent.ancestors.iter().cloned())
        .collect();
    let exec = Exec {
        filename: process.exe_path.clone(),
        args: std::iter::once(process.exe.clone())
            .chain(process.args.iter().cloned())
            .collect(),
        cwd: "/srv".into(),
        ..Exec::default()
    };
    let actor = Actor {
        process: Arc::new(process),
        ancestors,
        container: parent.container.clone(),
    };
    actor.event(world, What::Exec(Box::new(exec)), number)
}

/// Addresses and ports of a service with its clients, its database and its name server.
fn network(dice: &mut Dice) -> What {
    let own = Ipv4Addr::new(10, 0, 3, dice.byte());
    let other = Ipv4Addr::new(10, 0, 4, dice.byte());
    let (name, protocol, role, port) = *dice.pick(&[
        ("connect", Protocol::Tcp, Role::Client, 5432),
        ("connect", Protocol::Tcp, Role::Client, 443),
        ("connect", Protocol::Udp, Role::Client, 53),
        ("accept4", Protocol::Tcp, Role::Server, 8080),
        ("sendto", Protocol::Udp, Role::Client, 53),
        ("recvfrom", Protocol::Tcp, Role::Server, 8080),
        ("sendmsg", Protocol::Tcp, Role::Client, 6379),
        ("bind", Protocol::Tcp, Role::None, 8080),
        ("socket", Protocol::Tcp, Role::None, 0),
    ]);
    let ephemeral = 32_768 + u16::from(dice.byte());
    let (near, far) = match role {
        Role::Client => ((own, ephemeral), Some((other, port))),
        Role::Server => ((own, port), Some((other, ephemeral))),
        Role::None => ((own, port), None),
    };
    let event_type = EventType::from_name(name).expect("a call in the table");
    let socket = Socket {
        connected: far.is_some(),
        name_changed: name == "connect",
        ..Socket::inet(protocol, role, Some(near.into()), far.map(SocketAddr::from))
    };
    What::Call(Box::new(Call {
        descriptor: Some(Descriptor::Socket(Box::new(socket))),
        ..call(event_type, [7, 0, 16, 0, 0, 0], 0)
    }))
}

fn other(dice: &mut Dice, actor: &Actor) -> What {
    let number = dice.below(5000);
    let path = |name: &str| GivenPath {
        given: name.into(),
        ..GivenPath::default()
    };
    let scratch = format!("/tmp/work-{number}/chunk");
    let with_paths = |name: &str, paths: Vec<GivenPath>, args| {
        let event_type = EventType::from_name(name).expect("a call in the table");
        What::Call(Box::new(Call {
            paths,
            ..call(event_type, args, 0)
        }))
    };
    match dice.below(10) {
        0 | 1 => with_paths("unlinkat", vec![path(&scratch)], [0; 6]),
        2 => with_paths(
            "renameat2",
            vec![path(&scratch), path("/srv/data/current")],
            [0; 6],
        ),
        3 => with_paths(
            "mkdirat",
            vec![path("/tmp/work-next")],
            [0, 0, 0o755, 0, 0, 0],
        ),
        4 => with_paths("fchmodat", vec![path(&scratch)], [0, 0, 0o644, 0, 0, 0]),
        5 => with_paths("dup2", Vec::new(), [3, 1, 0, 0, 0, 0]),
        6 | 7 => What::Fork(Fork {
            call: None,
            flags: 0,
            child: actor.process.task.clone(),
            is_thread: false,
        }),
        _ => What::Exit {
            status: 0,
            process_ended: true,
        },
    }
}

fn call(event_type: EventType, args: [u64; 6], result: i64) -> Call {
    Call {
        args,
        ..Call::new(event_type, result)
    }
}
