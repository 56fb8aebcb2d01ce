//! Arm, act, disarm: the probes on a cgroup of the test's own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Builder, Runtime};
use vigia_event::Event;
use vigia_event::captured::{Call, Captured, What};
use vigia_sensor::hierarchy::Hierarchy;
use vigia_sensor::{Counters, Interest, LoadError, Options, Scope, Sensor, StartError};

use super::actor::{Actor, args};

const AT_FDCWD: i64 = libc::AT_FDCWD as i64;

/// One at a time: the probes see the whole machine.
static TURN: Mutex<()> = Mutex::new(());
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The armed probes, and a cgroup and a folder of the test's own.
pub(crate) struct Rig {
    pub(crate) sensor: Sensor,
    pub(crate) cgroup: Cgroup,
    pub(crate) folder: tempfile::TempDir,
    seen: Seen,
    _runtime: Runtime,
    _turn: MutexGuard<'static, ()>,
}

impl Rig {
    /// Arms everything on a new cgroup; `None`, with the reason printed, where that is not permitted.
    pub(crate) fn arm() -> Option<Self> {
        Self::with(|cgroup| Options {
            scope: Scope::Cgroup(cgroup.path.clone()),
            ..Options::default()
        })
    }

    /// As [`Rig::arm`], with other options.
    pub(crate) fn with(options: impl FnOnce(&Cgroup) -> Options) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: needs root");
            return None;
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let cgroup = Cgroup::make(format!("vigia-test-{}-{number}", std::process::id()).as_ref());
        let runtime = Builder::new_current_thread().enable_io().build().unwrap();
        let guard = runtime.enter();
        let mut sensor = match Sensor::start(&options(&cgroup)) {
            Ok(sensor) => sensor,
            Err(StartError::Load(LoadError::NotPermitted)) => {
                println!("skipped: {}", LoadError::NotPermitted);
                return None;
            }
            Err(error) => panic!("the probes do not start: {error:?}"),
        };
        drop(guard);
        sensor.set_interest(&Interest::everything()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Some(Self {
            sensor,
            cgroup,
            folder,
            seen: Seen::default(),
            _runtime: runtime,
            _turn: turn,
        })
    }

    /// A process in the cgroup, of which nothing was read so far.
    pub(crate) fn actor(&mut self) -> Actor {
        let actor = Actor::start();
        self.cgroup.add(actor.pid());
        self.read();
        actor
    }

    /// An absolute path in the test's folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Everything that was reported since the last read, of all processes. A call's record is in the ring when it
    /// returns, so there is nothing to wait for.
    pub(crate) fn read(&mut self) -> Vec<Captured> {
        let mut all = Vec::new();
        while self.sensor.read(4096, |record| all.push(record.unwrap())) > 0 {}
        all.iter().for_each(|captured| self.seen.add(captured));
        all
    }

    /// What one process did since the last read.
    pub(crate) fn read_of(&mut self, pid: u32) -> Vec<Captured> {
        self.read()
            .into_iter()
            .filter(|captured| captured.task.pid == pid)
            .collect()
    }

    /// The calls of one type that a process made since the last read.
    pub(crate) fn calls(&mut self, pid: u32, name: &str) -> Vec<Call> {
        self.read_of(pid)
            .into_iter()
            .filter_map(call)
            .filter(|call| call.event_type.name() == name)
            .collect()
    }

    /// The only call of one type that a process made since the last read.
    pub(crate) fn only_call(&mut self, pid: u32, name: &str) -> Call {
        let mut calls = self.calls(pid, name);
        assert_eq!(calls.len(), 1, "{name}: {calls:#?}");
        calls.remove(0)
    }

    pub(crate) fn counters(&self) -> Counters {
        self.sensor.counters().unwrap()
    }
}

/// The events of a test, and whether they succeeded; printed in the end for `cargo xtask kernels`, which tells over all
/// tests which one never came, and which one was only ever refused.
#[derive(Default)]
struct Seen(BTreeSet<(&'static str, bool)>);

impl Seen {
    fn add(&mut self, captured: &Captured) {
        if let Some(event_type) = Event::type_of(&captured.what) {
            let is_success = !matches!(&captured.what, What::Call(call) if call.result < 0);
            self.0.insert((event_type.name(), is_success));
        }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        for (name, is_success) in &self.0 {
            let outcome = if *is_success { "success" } else { "failure" };
            println!("@seen {name} {outcome}");
        }
    }
}

pub(crate) fn call(captured: Captured) -> Option<Call> {
    match captured.what {
        What::Call(call) => Some(*call),
        _ => None,
    }
}

/// A cgroup in the hierarchy the probes use, removed in the end.
pub(crate) struct Cgroup {
    /// From the root of the hierarchy.
    pub(crate) path: PathBuf,
    folder: PathBuf,
}

impl Cgroup {
    pub(crate) fn make(path: &Path) -> Self {
        let cgroup = Self::at(path);
        fs::create_dir_all(&cgroup.folder).unwrap();
        cgroup
    }

    /// As [`Cgroup::make`], but made by another process: the probes do not report what their own does.
    pub(crate) fn make_by(actor: &mut Actor, path: &Path) -> Self {
        let cgroup = Self::at(path);
        assert_eq!(
            actor.call(
                libc::SYS_mkdir,
                args![cgroup.folder.to_str().unwrap(), 0o755]
            ),
            0
        );
        cgroup
    }

    fn at(path: &Path) -> Self {
        let proc_root = Path::new("/proc");
        let folder = Hierarchy::choose(proc_root)
            .unwrap()
            .folder(proc_root)
            .join(path);
        Self {
            path: Path::new("/").join(path),
            folder,
        }
    }

    /// The root of the hierarchy, which is never removed.
    pub(crate) fn root() -> Self {
        let proc_root = Path::new("/proc");
        let folder = Hierarchy::choose(proc_root).unwrap().folder(proc_root);
        Self {
            path: "/".into(),
            folder,
        }
    }

    pub(crate) fn add(&self, pid: u32) {
        fs::write(self.folder.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    /// A process moves itself.
    pub(crate) fn join(&self, actor: &mut Actor) {
        let procs = self.folder.join("cgroup.procs");
        let procs = args![AT_FDCWD, procs.to_str().unwrap(), libc::O_WRONLY, 0];
        let fd = actor.call(libc::SYS_openat, procs);
        assert_eq!(actor.call(libc::SYS_write, args![fd, "0", 1]), 1);
        assert_eq!(actor.call(libc::SYS_close, args![fd]), 0);
    }

    /// The id by which the kernel knows it.
    pub(crate) fn id(&self) -> u64 {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(&self.folder).unwrap().ino()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if self.path == Path::new("/") {
            return;
        }
        // Processes of the test are dead or dying; a cgroup goes only when the last has left.
        for _ in 0..200 {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                _ => break,
            }
        }
    }
}
