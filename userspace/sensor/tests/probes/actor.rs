#![allow(
    unsafe_code,
    reason = "system calls are made by number, as a program under watch would make them"
)]
//! The process that acts: a copy of this test binary that makes the system calls it is told to.
//!
//! It must be another process, because the probes never report the one that loaded them. It waits for a line,
//! makes one call, and answers with the result, so that a test knows exactly what happened between two reads.

use std::arch::asm;
use std::ffi::{CStr, CString};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use super::acts::{self, Value};

const SWITCH: &str = "VIGIA_TEST_ACTOR";
/// What an answer begins with; the test runner prints lines of its own.
const ANSWER: &str = "= ";

/// One argument of a system call.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    /// A number.
    Int(i64),
    /// A pointer to a string.
    Str(String),
    /// A pointer to an array of words.
    Words(Vec<u64>),
    /// A pointer to bytes.
    Bytes(Vec<u8>),
    /// A pointer to a `struct mmsghdr` (which begins with a `struct msghdr`) of a name and one piece of data.
    Message { name: Vec<u8>, data: Vec<u8> },
    /// A pointer to the `struct file_handle` of a path; of nothing where its file system has none.
    Handle(String),
}

impl From<Vec<u8>> for Arg {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<i32> for Arg {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl From<[u64; 3]> for Arg {
    fn from(words: [u64; 3]) -> Self {
        Self::Words(words.into())
    }
}

/// A request of io_uring; what its addresses point to are arguments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) opcode: u8,
    pub(crate) fd: i64,
    pub(crate) len: u32,
    pub(crate) flags: u32,
    /// A file goes into this fixed slot, counted from 1; 0 for a descriptor.
    pub(crate) slot: u32,
    /// `IOSQE_*`.
    pub(crate) how: u8,
}

/// Arguments of a system call.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { &[$( $crate::probes::actor::Arg::from($arg) ),*] };
}
pub(crate) use args;

/// The running process.
pub(crate) struct Actor {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Actor {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "probes::actor::act",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(SWITCH, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut actor = Self {
            child,
            input,
            output,
        };
        assert_eq!(actor.ask("ready"), 0);
        actor
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The folder in /proc of the thread that makes the calls. Namespaces are a thread's own.
    pub(crate) fn proc(&mut self) -> String {
        format!(
            "/proc/{}/task/{}",
            self.pid(),
            self.call(libc::SYS_gettid, &[])
        )
    }

    /// Makes a system call; answers with what it returned, `-errno` for a failure.
    pub(crate) fn call(&mut self, number: i64, args: &[Arg]) -> i64 {
        self.ask(&format!("call {number}{}", words(args)))
    }

    /// Makes a call of at most five arguments through the 32-bit entry.
    pub(crate) fn call_32_of(&mut self, number: i64, args: &[Arg]) -> i64 {
        self.ask(&format!("call32 {number}{}", words(args)))
    }

    /// Has io_uring do something, and waits for its completion; answers with the result of the request.
    pub(crate) fn ring(&mut self, request: &Request, args: &[Arg]) -> i64 {
        let Request {
            opcode,
            fd,
            len,
            flags,
            slot,
            how,
        } = request;
        let line = format!(
            "ring {opcode} {fd} {len} {flags} {slot} {how}{}",
            words(args)
        );
        self.ask(&line)
    }

    /// Removes a path over and over that a second thread writes anew all the while, now one and now the other of two
    /// of the same length; answers with the number of attempts.
    pub(crate) fn race(&mut self, one: &str, other: &str, attempts: u32) -> i64 {
        self.ask(&format!("race {one} {other} {attempts}"))
    }

    /// Makes a call through the 32-bit entry.
    pub(crate) fn call_32(&mut self, number: i64, args: [i64; 2]) -> i64 {
        self.ask(&format!("int80 {number} {} {}", args[0], args[1]))
    }

    /// Makes a child that ends at once with a status, and waits for it; answers with its process id.
    pub(crate) fn fork(&mut self, status: i32) -> u32 {
        u32::try_from(self.ask(&format!("fork {status}"))).unwrap()
    }

    /// Makes a child by a call, to which 0 means to go on with the stack of the parent; the child ends at once, and is
    /// waited for. Answers as [`Actor::call`].
    pub(crate) fn fork_by(&mut self, number: i64, args: &[Arg]) -> i64 {
        self.ask(&format!("fork_by {number}{}", words(args)))
    }

    /// Makes a child that becomes user `id` of a new user namespace, opens /dev/null as that, and ends; answers with its
    /// process id, or with `None` where no such namespace can be made.
    pub(crate) fn fork_as_user(&mut self, id: u32) -> Option<u32> {
        u32::try_from(self.ask(&format!("fork_as_user {id}"))).ok()
    }

    /// Becomes another program, and waits for its end.
    pub(crate) fn exec(mut self, command: &[&str]) {
        writeln!(self.input, "exec {}", command.join(" ")).unwrap();
        self.child.wait().unwrap();
    }

    /// Has it come to a [`Meeting`]; open a file that is not there, as fast as it can, between the second and the third;
    /// and come to a fourth. [`Actor::answer`] returns when it is done.
    pub(crate) fn begin_opens(&mut self, count: u64, path: &str, parties: u64) {
        writeln!(self.input, "opens {count} {path} {parties}").unwrap();
    }

    fn ask(&mut self, line: &str) -> i64 {
        writeln!(self.input, "{line}").unwrap();
        self.answer()
    }

    /// Waits for the result of what was asked last.
    pub(crate) fn answer(&mut self) -> i64 {
        loop {
            let mut answer = String::new();
            assert_ne!(
                self.output.read_line(&mut answer).unwrap(),
                0,
                "the actor ended"
            );
            // The runner prints the test's name without a line end before the first answer.
            if let Some((_, result)) = answer.split_once(ANSWER) {
                return result.trim().parse().unwrap();
            }
        }
    }
}

/// Arguments as the actor reads them.
fn words(args: &[Arg]) -> String {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let mut line = String::new();
    for arg in args {
        line += &match arg {
            Arg::Int(number) => format!(" i{number}"),
            Arg::Str(text) => {
                assert!(
                    !text.contains(char::is_whitespace),
                    "the protocol has no quotes: {text:?}"
                );
                format!(" s{text}")
            }
            Arg::Words(words) => {
                let words: Vec<_> = words.iter().map(u64::to_string).collect();
                format!(" w{}", words.join(","))
            }
            Arg::Bytes(bytes) => format!(" b{}", hex(bytes)),
            Arg::Message { name, data } => format!(" m{},{}", hex(name), hex(data)),
            Arg::Handle(path) => format!(" h{}", hex(path.as_bytes())),
        };
    }
    line
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The other side: does nothing unless it was started as an actor.
#[test]
fn act() {
    if std::env::var_os(SWITCH).is_none() {
        return;
    }
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let result = match words[..] {
            ["ready"] => 0,
            ["call", number, ref args @ ..] => call(number.parse().unwrap(), args),
            ["int80", number, first, second] => call_32(
                number.parse().unwrap(),
                [first.parse().unwrap(), second.parse().unwrap()],
            ),
            ["call32", number, ref args @ ..] => acts::call_32(number.parse().unwrap(), args),
            ["ring", opcode, fd, len, flags, slot, how, ref args @ ..] => acts::ring(
                &Request {
                    opcode: opcode.parse().unwrap(),
                    fd: fd.parse().unwrap(),
                    len: len.parse().unwrap(),
                    flags: flags.parse().unwrap(),
                    slot: slot.parse().unwrap(),
                    how: how.parse().unwrap(),
                },
                args,
            ),
            ["race", one, other, attempts] => acts::race(one, other, attempts.parse().unwrap()),
            ["fork", status] => fork(status.parse().unwrap()),
            ["fork_by", number, ref args @ ..] => acts::fork_by(number.parse().unwrap(), args),
            ["fork_as_user", id] => fork_as_user(id),
            ["opens", count, path, parties] => opens(
                count.parse().unwrap(),
                Meeting::at(path, parties.parse().unwrap()),
            ),
            ["exec", program, ref args @ ..] => {
                use std::os::unix::process::CommandExt as _;
                panic!(
                    "{}",
                    Command::new(program).args(args).env_remove(SWITCH).exec()
                )
            }
            _ => panic!("what is {line:?}?"),
        };
        println!("\n{ANSWER}{result}");
    }
}

fn call(number: i64, args: &[&str]) -> i64 {
    let mut values: Vec<Value> = args.iter().map(|arg| Value::read(arg)).collect();
    let mut raw = [0i64; 6];
    for (slot, value) in raw.iter_mut().zip(&mut values) {
        *slot = value.register();
    }
    // SAFETY: the tests pass only calls and arguments that leave this process's memory alone; what pointers point
    // to lives until the end of this function.
    let result = unsafe { libc::syscall(number, raw[0], raw[1], raw[2], raw[3], raw[4], raw[5]) };
    if result == -1 {
        -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap())
    } else {
        result
    }
}

fn call_32(number: i64, args: [i64; 2]) -> i64 {
    let result: i64;
    // SAFETY: the tests call only what takes no pointers; the 32-bit entry clobbers r8 to r11, and rbx, which the
    // compiler keeps for itself, is put back.
    unsafe {
        asm!("xchg rbx, {first}", "int 0x80", "xchg rbx, {first}", first = inout(reg) args[0] => _,
            in("rcx") args[1], inout("rax") number => result,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    result
}

/// Processes that wait for each other without a system call, so that nothing but what they are there for is called
/// between two meetings.
pub(crate) struct Meeting {
    /// How often anybody came, in memory that all share.
    came: &'static AtomicU64,
    parties: u64,
    due: u64,
}

impl Meeting {
    /// Of so many processes, by way of a file of eight zero bytes.
    pub(crate) fn at(path: &str, parties: u64) -> Self {
        use std::os::fd::AsRawFd as _;
        let file = std::fs::File::options()
            .read(true)
            .write(true)
            .open(path)
            .unwrap();
        let (rights, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: new memory, which is never unmapped; the file has room for the counter, which nobody but counters of
        // this type touches.
        let came = unsafe {
            let memory = libc::mmap(std::ptr::null_mut(), 8, rights, shared, file.as_raw_fd(), 0);
            assert_ne!(memory, libc::MAP_FAILED);
            AtomicU64::from_ptr(memory.cast())
        };
        Self {
            came,
            parties,
            due: 0,
        }
    }

    /// Returns when all have come.
    pub(crate) fn wait(&mut self) {
        self.due += self.parties;
        self.came.fetch_add(1, Ordering::SeqCst);
        while self.came.load(Ordering::SeqCst) < self.due {
            std::hint::spin_loop();
        }
    }
}

/// Answers with the number of opens that failed as they must.
fn opens(count: u64, mut meeting: Meeting) -> i64 {
    meeting.wait();
    meeting.wait();
    let mut failed = 0;
    for _ in 0..count {
        // SAFETY: opens nothing; the path is a constant.
        failed += i64::from(unsafe { libc::open(c"nonexistent".as_ptr(), libc::O_RDONLY) } == -1);
    }
    meeting.wait();
    meeting.wait();
    failed
}

/// The child's process id, or `-1`.
fn fork_as_user(id: &str) -> i64 {
    let map = CString::new(format!("{id} 0 1")).unwrap();
    let open = |path: &CStr, flags: i32| {
        // SAFETY: the path is a string.
        unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0) }
    };
    // SAFETY: the child allocates nothing, and calls nothing that other threads could have left in between.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: system calls on memory of this process, and its end.
        unsafe {
            if libc::unshare(libc::CLONE_NEWUSER) != 0 {
                libc::_exit(1);
            }
            let file = open(c"/proc/self/uid_map", libc::O_WRONLY);
            let len = map.as_bytes().len();
            let written = libc::syscall(libc::SYS_write, file, map.as_ptr(), len);
            let opened = open(c"/dev/null", libc::O_RDONLY);
            libc::_exit(i32::from(written <= 0 || opened < 0));
        }
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    if status == 0 { pid.into() } else { -1 }
}

fn fork(status: i32) -> i64 {
    // SAFETY: the child calls nothing but `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: ends this process and nothing else.
        unsafe { libc::_exit(status) };
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    pid.into()
}
