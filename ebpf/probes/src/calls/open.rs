//! First stage of the open family: the file a successful call made a descriptor for decides what it was.

use core::ptr::{addr_of, addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::calls::interest;
use vigia_abi::counters::{Cause, Class};
use vigia_abi::maps::{Config, config, stage};
use vigia_abi::record::{call, flags};
use vigia_abi::{CallBody, Kind};

use crate::budget::Rank;
use crate::kernel::{Addr, Ptr};
use crate::maps::CALL_STAGES;
use crate::record::LargeScratch;
use crate::{arch, emit, file, scope, secrets};

const OPEN: u32 = 2;
const OPENAT: u32 = 257;
const OPEN_BY_HANDLE_AT: u32 = 304;
const OPENAT2: u32 = 437;
const O_TRUNC: u64 = 0o1000;

/// An open that returned.
struct Opened {
    task: Ptr,
    regs: Ptr,
    number: u32,
    result: i64,
}

/// What the judgement of a call came to.
struct Verdict {
    kind: Kind,
    class: Class,
    flags: u16,
    secret_kind: u32,
    /// The file behind the new descriptor, if any.
    file: Addr,
}

#[btf_tracepoint(function = "sys_exit")]
fn call_open(context: BtfTracePointContext) -> i32 {
    let regs = Ptr::argument(&context, 0);
    let opened = Opened {
        task: Ptr::current_task(),
        regs,
        number: arch::number(regs) as u32,
        result: context.arg(1),
    };
    let (Some(this), Some(config), Some(word)) = (
        super::scratch(),
        emit::config(),
        super::interest_in(opened.number),
    ) else {
        emit::count(Class::Open, Cause::Seen);
        emit::count(Class::Open, Cause::Broken);
        return 0;
    };
    // SAFETY: this program's scratch.
    unsafe {
        let who = addr_of_mut!((*LargeScratch::header(this)).task);
        let found = scope::identify(opened.task, who);
        let verdict =
            if opened.result >= 0 && (*who).tid == read_volatile(addr_of!((*config).learn_tid)) {
                emit::count(Class::SecretKey, Cause::Seen);
                learn(this, &opened, found)
            } else {
                emit::count(Class::Open, Cause::Seen);
                match judge(this, config, word, &opened, found) {
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
        let rank = if verdict.flags & flags::SECRET != 0 {
            Rank::Vital
        } else if super::outcome(opened.result) & interest::REFUSED != 0 {
            Rank::Rare
        } else {
            Rank::Bulk
        };
        if !learning && !emit::admit(config, class, rank, scope::budget_key(who)) {
            return 0;
        }
        LargeScratch::begin::<CallBody>(this);
        super::describe(
            this,
            &context,
            opened.task,
            verdict.kind,
            class,
            verdict.flags,
        );
        let body = LargeScratch::body::<CallBody>(this);
        write_volatile(addr_of_mut!((*body).secret_kind), verdict.secret_kind);
        if opened.number == OPENAT2 {
            let how = addr_of_mut!((*body).open_how);
            if bpf_probe_read_user(how.cast(), 24, arch::args(regs)[2] as *const _) == 0 {
                (*body).flags = call::OPEN_HOW;
            }
        }
        if !verdict.file.is_null() {
            super::describe_file(this, verdict.file, file::Asker::Open);
        }
        CALL_STAGES.tail_call(&context, stage::GATHER);
        emit::count_number(class, Cause::Broken);
    }
    0
}

/// The agent asks by what key the kernel knows a file.
///
/// # Safety
/// `this` must point to the scratch of the running program.
#[inline(always)]
unsafe fn learn(this: *mut LargeScratch, opened: &Opened, found: u16) -> Verdict {
    Verdict {
        kind: Kind::SecretKey,
        class: Class::SecretKey,
        flags: found,
        secret_kind: 0,
        // SAFETY: as the caller promises.
        file: unsafe { opened.file(this) },
    }
}

/// Decides whether an open is reported, and as what. Reads no more than the answer needs: most opens of a host
/// are nobody's business.
///
/// # Safety
/// `this` must point to the scratch of the running program, with the acting task identified.
#[inline(always)]
unsafe fn judge(
    this: *mut LargeScratch,
    config: *const Config,
    word: u32,
    opened: &Opened,
    found: u16,
) -> Result<Verdict, Cause> {
    // SAFETY: as the caller promises; the configuration is a value of an array map.
    let (in_scope, secrets, file) = unsafe {
        let who = addr_of!((*LargeScratch::header(this)).task);
        if scope::is_agent(config, who) {
            return Err(Cause::Agent);
        }
        let in_scope = scope::is_in_scope(config, opened.task, who, found);
        let secrets = read_volatile(addr_of!((*config).flags)) & config::SECRETS != 0;
        if !in_scope && !secrets {
            return Err(Cause::OutOfScope);
        }
        (in_scope, secrets, opened.file(this))
    };
    let secret_kind = if secrets && !file.is_null() {
        secrets::kind(&file::key(file))
    } else {
        0
    };
    if secret_kind == 0 && !in_scope {
        return Err(Cause::OutOfScope);
    }
    let is_wanted = in_scope && word & interest::ALL & opened.outcome(file) != 0;
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
        file,
    })
}

impl Opened {
    /// The file behind the new descriptor; null for a failure, or if it is gone again.
    ///
    /// # Safety
    /// `this` must point to the scratch of the running program.
    #[inline(always)]
    unsafe fn file(&self, this: *mut LargeScratch) -> Addr {
        if self.result < 0 {
            return Addr::NULL;
        }
        // SAFETY: as the caller promises.
        let cell = unsafe { addr_of_mut!((*this).draft.cell) };
        file::of_descriptor(self.task, self.result.cast_unsigned(), cell)
    }

    /// The bit of [`interest`]: a successful open that neither writes nor creates nor truncates is a read.
    #[inline(always)]
    fn outcome(&self, file: Addr) -> u32 {
        let outcome = super::outcome(self.result);
        if outcome != interest::SUCCEEDED {
            return outcome;
        }
        let args = arch::args(self.regs);
        let truncates = match self.number {
            OPEN => args[1] & O_TRUNC != 0,
            OPENAT | OPEN_BY_HANDLE_AT => args[2] & O_TRUNC != 0,
            OPENAT2 => {
                let mut given = 0u64;
                // SAFETY: the helper writes 8 bytes and checks the address.
                unsafe {
                    bpf_probe_read_user((&raw mut given).cast(), 8, args[2] as *const _);
                }
                given & O_TRUNC != 0
            }
            _ => true,
        };
        // A file that is already gone again cannot be told apart: report it as the more interesting of the two.
        if file.is_null() || truncates || file::is_written(file) {
            interest::SUCCEEDED
        } else {
            interest::READ
        }
    }
}
