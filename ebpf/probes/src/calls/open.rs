//! First stage of the open family: the file a successful call made a descriptor for decides what it was.

use core::ptr::{addr_of, addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::calls::interest;
use vigia_abi::counters::{Cause, Class};
use vigia_abi::maps::{Config, config, stage};
use vigia_abi::offsets::FILE_FLAGS;
use vigia_abi::record::{call, flags};
use vigia_abi::{CallBody, Kind, Task};

use super::open_paths;
use crate::budget::Rank;
use crate::kernel::{Addr, Ptr};
use crate::maps::CALL_STAGES;
use crate::record::LargeScratch;
use crate::{emit, file, scope, secrets};

const OPEN: u32 = 2;
const OPENAT: u32 = 257;
const OPEN_BY_HANDLE_AT: u32 = 304;
const OPENAT2: u32 = 437;
const O_ACCMODE: u64 = 0o3;
const O_PATH: u64 = 0o1000_0000;
/// `O_ACCMODE` (with both bits a program gets neither access, and yet needs the right to both), `O_CREAT`, `O_TRUNC` and
/// what `O_TMPFILE` has beyond `O_DIRECTORY`.
const MORE_THAN_A_READ: u64 = O_ACCMODE | 0o1100 | 0o2000_0000;

/// An open that returned.
pub(crate) struct Opened {
    pub(crate) task: Ptr,
    pub(crate) result: i64,
    /// The file behind the new descriptor; null for a failure, or if it is gone again.
    pub(crate) file: Addr,
}

/// Where the flags of an open stand.
#[derive(Clone, Copy)]
pub(crate) enum OpenFlags {
    /// Among the arguments of the call of this number.
    Passed { regs: Ptr, number: u32 },
    /// Here.
    Known(u64),
}

/// What the judgement of a call came to.
pub(crate) struct Verdict {
    pub(crate) kind: Kind,
    pub(crate) class: Class,
    pub(crate) flags: u16,
    pub(crate) secret_kind: u32,
    /// Whether its paths decide whether anybody wants to know.
    pub(crate) by_path: bool,
}

#[btf_tracepoint(function = "sys_exit")]
fn call_open(context: BtfTracePointContext) -> i32 {
    let (Some(this), Some(config)) = (super::scratch(), emit::config()) else {
        emit::count(Class::Open, Cause::Seen);
        emit::count(Class::Open, Cause::Broken);
        return 0;
    };
    let regs = Ptr::argument(&context, 0);
    let task = Ptr::current_task();
    let result: i64 = context.arg(1);
    // SAFETY: this program's scratch.
    let number = unsafe { super::number(this) };
    let Some(word) = super::interest_in(number) else {
        return 0;
    };
    // SAFETY: this program's scratch.
    unsafe {
        let who = addr_of_mut!((*LargeScratch::header(this)).task);
        let found = scope::identify(task, who);
        let mut opened = Opened {
            task,
            result,
            file: Addr::NULL,
        };
        let verdict = if result >= 0 && (*who).tid == read_volatile(addr_of!((*config).learn_tid)) {
            emit::count(Class::SecretKey, Cause::Seen);
            opened.resolve(this);
            // The agent asks by what key the kernel knows a file.
            Verdict {
                kind: Kind::SecretKey,
                class: Class::SecretKey,
                flags: found,
                secret_kind: 0,
                by_path: false,
            }
        } else {
            emit::count(Class::Open, Cause::Seen);
            let flags = OpenFlags::Passed { regs, number };
            match judge(who, config, word, &mut opened, found, this, flags) {
                Ok(verdict) => verdict,
                Err(cause) => {
                    emit::count(Class::Open, cause);
                    return 0;
                }
            }
        };
        let class = verdict.class as u32;
        let learning = verdict.class as u32 == Class::SecretKey as u32;
        // Neither a secret nor a refusal is pushed out by ordinary opens, and no secret by refusals.
        let rank = rank(&verdict, result);
        // What its paths decide costs nothing before they have.
        let by_path = verdict.by_path && !open_paths::may_be_secret(opened.file);
        if !learning && !by_path && !emit::admit(config, class, rank, scope::budget_key(who)) {
            return 0;
        }
        LargeScratch::begin::<CallBody>(this);
        write_volatile(addr_of_mut!((*this).draft.by_path), u64::from(by_path));
        super::describe(this, &context, task, verdict.kind, class, verdict.flags);
        let body = LargeScratch::body::<CallBody>(this);
        secrets::describe(body, verdict.secret_kind, opened.file);
        if number == OPENAT2 {
            let how = addr_of_mut!((*body).open_how);
            if bpf_probe_read_user(how.cast(), 24, super::argument(this, regs, 2) as *const _) == 0
            {
                (*body).flags |= call::OPEN_HOW;
            }
            if !opened.file.is_null() {
                // The program may have written something else there since: the file knows what it was opened for.
                const KEPT: u64 = O_ACCMODE | O_PATH;
                let kept: u32 = opened.file.load(FILE_FLAGS);
                let given = read_volatile(how.cast::<u64>());
                write_volatile(how.cast::<u64>(), given & !KEPT | u64::from(kept) & KEPT);
                (*body).flags |= call::OPEN_HOW;
            }
        }
        if !opened.file.is_null() {
            super::describe_file(this, opened.file, file::Asker::Open);
        }
        CALL_STAGES.tail_call(&context, stage::GATHER);
        emit::count_number(class, Cause::Broken);
    }
    0
}

/// How much the record of an open matters: neither a secret nor a refusal is pushed out by ordinary opens, and no
/// secret by refusals.
#[inline(always)]
pub(crate) fn rank(verdict: &Verdict, result: i64) -> Rank {
    if verdict.flags & flags::SECRET != 0 {
        Rank::Vital
    } else if super::outcome(result) & interest::REFUSED != 0 {
        Rank::Rare
    } else {
        Rank::Bulk
    }
}

/// Decides whether an open is reported, and as what. Reads no more than the answer needs: most opens of a host
/// are nobody's business.
///
/// # Safety
/// `who` must be the acting task, identified; `this` must point to the scratch of the running program.
#[inline(always)]
pub(crate) unsafe fn judge(
    who: *const Task,
    config: *const Config,
    word: u32,
    opened: &mut Opened,
    found: u16,
    this: *mut LargeScratch,
    open_flags: OpenFlags,
) -> Result<Verdict, Cause> {
    // SAFETY: as the caller promises; the configuration is a value of an array map.
    let (in_scope, secret_kind) = unsafe {
        if scope::is_agent(config, who) {
            return Err(Cause::Agent);
        }
        let in_scope = scope::is_in_scope(config, opened.task, who, found);
        let flags = read_volatile(addr_of!((*config).flags));
        if !in_scope && flags & (config::SECRETS | config::ENVIRONMENTS) == 0 {
            return Err(Cause::OutOfScope);
        }
        opened.resolve(this);
        (in_scope, secrets::kind_of(opened.file, flags))
    };
    if secret_kind == 0 && !in_scope {
        return Err(Cause::OutOfScope);
    }
    // SAFETY: as the caller promises.
    let outcome = unsafe { opened.outcome(this, open_flags) };
    let is_wanted = in_scope && word & interest::ALL & outcome != 0;
    if secret_kind == 0 && !is_wanted {
        return Err(Cause::NoInterest);
    }
    let mut flags = found;
    if in_scope {
        flags |= flags::IN_SCOPE;
    }
    if secret_kind != 0 {
        flags |= flags::SECRET;
    }
    if !is_wanted {
        flags |= flags::NO_INTEREST;
    }
    Ok(Verdict {
        kind: Kind::Call,
        class: Class::Open,
        flags,
        secret_kind,
        // SAFETY: as the caller promises.
        by_path: secret_kind == 0
            && !opened.file.is_null()
            && unsafe { open_paths::decide(config, outcome) },
    })
}

impl Opened {
    /// Finds the file behind the new descriptor.
    ///
    /// # Safety
    /// `this` must point to the scratch of the running program.
    #[inline(always)]
    unsafe fn resolve(&mut self, this: *mut LargeScratch) {
        if self.result >= 0 && self.file.is_null() {
            // SAFETY: as the caller promises.
            let cell = unsafe { addr_of_mut!((*this).draft.cell) };
            self.file = file::of_descriptor(self.task, self.result.cast_unsigned(), cell);
        }
    }

    /// The bit of [`interest`]: a successful open that can neither have written nor made nor emptied the file is a read.
    ///
    /// # Safety
    /// `this` must point to the scratch of the running program.
    #[inline(always)]
    unsafe fn outcome(&self, this: *const LargeScratch, flags: OpenFlags) -> u32 {
        let outcome = super::outcome(self.result);
        if outcome != interest::SUCCEEDED {
            return outcome;
        }
        // A file that is already gone again cannot be told apart: report it as the more interesting of the two.
        if self.file.is_null() || file::is_written(self.file) {
            return interest::SUCCEEDED;
        }
        // The program may have changed what it passed in memory; the file keeps a part of it.
        let kept = u64::from(self.file.load::<u32>(FILE_FLAGS)) & O_ACCMODE;
        // SAFETY: as the caller promises.
        if (unsafe { flags_of(this, flags) } | kept) & MORE_THAN_A_READ != 0 {
            interest::SUCCEEDED
        } else {
            interest::READ
        }
    }
}

/// The flags of an open; all of them where they cannot be read.
///
/// # Safety
/// `this` must point to the scratch of the running program.
#[inline(always)]
unsafe fn flags_of(this: *const LargeScratch, flags: OpenFlags) -> u64 {
    let (regs, number) = match flags {
        OpenFlags::Passed { regs, number } => (regs, number),
        OpenFlags::Known(flags) => return flags,
    };
    // SAFETY: as the caller promises.
    let arg = |index| unsafe { super::argument(this, regs, index) };
    match number {
        OPEN => arg(1),
        OPENAT | OPEN_BY_HANDLE_AT => arg(2),
        OPENAT2 => {
            let mut given = 0u64;
            // SAFETY: the helper writes 8 bytes and checks the address.
            let failed =
                unsafe { bpf_probe_read_user((&raw mut given).cast(), 8, arg(2) as *const _) != 0 };
            if failed { u64::MAX } else { given }
        }
        _ => u64::MAX,
    }
}
