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

use crate::kernel::{Addr, Ptr};
use crate::maps::CALL_STAGES;
use crate::record::LargeScratch;
use crate::{arch, emit, file, scope, secrets};

const OPEN: u32 = 2;
const OPENAT: u32 = 257;
const OPENAT2: u32 = 437;
const O_TRUNC: u64 = 0o1000;

/// What the judgement of a call came to.
struct Verdict {
    kind: Kind,
    class: Class,
    flags: u16,
    secret_kind: u32,
}

#[btf_tracepoint(function = "sys_exit")]
fn call_open(context: BtfTracePointContext) -> i32 {
    let regs = Ptr::argument(&context, 0);
    let number = arch::number(regs) as u32;
    let result: i64 = context.arg(1);
    let (Some(this), Some(config), Some(word)) =
        (super::scratch(), emit::config(), super::interest_in(number))
    else {
        emit::count(Class::Open, Cause::Seen);
        emit::count(Class::Open, Cause::Broken);
        return 0;
    };
    let current = Ptr::current_task();
    // SAFETY: this program's scratch.
    unsafe {
        let cell = addr_of_mut!((*this).draft.cell);
        let who = addr_of_mut!((*LargeScratch::header(this)).task);
        let open = if result < 0 {
            Addr::NULL
        } else {
            file::of_descriptor(current, result.cast_unsigned(), cell)
        };
        let found = scope::identify(current, who);
        let learning = result >= 0 && (*who).tid == read_volatile(addr_of!((*config).learn_tid));
        emit::count(
            if learning {
                Class::SecretKey
            } else {
                Class::Open
            },
            Cause::Seen,
        );
        let verdict = if learning {
            Ok(Verdict {
                kind: Kind::SecretKey,
                class: Class::SecretKey,
                flags: found,
                secret_kind: 0,
            })
        } else if scope::is_agent(config, who) {
            Err(Cause::Agent)
        } else {
            let in_scope = scope::is_in_scope(config, current, who, found);
            judge(
                config,
                word,
                outcome(regs, number, result, open),
                open,
                found,
                in_scope,
            )
        };
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(cause) => {
                emit::count(Class::Open, cause);
                return 0;
            }
        };
        let class = verdict.class as u32;
        // A secret is never pushed out by ordinary opens.
        let bulk = verdict.flags & flags::SECRET == 0 && !learning;
        if !learning && !emit::admit(config, class, bulk, scope::budget_key(who)) {
            return 0;
        }
        LargeScratch::begin::<CallBody>(this);
        super::describe(this, &context, current, verdict.kind, class, verdict.flags);
        let body = LargeScratch::body::<CallBody>(this);
        write_volatile(addr_of_mut!((*body).secret_kind), verdict.secret_kind);
        if number == OPENAT2 {
            let how = addr_of_mut!((*body).open_how);
            if bpf_probe_read_user(how.cast(), 24, arch::args(regs)[2] as *const _) == 0 {
                (*body).flags = call::OPEN_HOW;
            }
        }
        if !open.is_null() {
            super::describe_file(this, open, file::Asker::Open);
        }
        CALL_STAGES.tail_call(&context, stage::GATHER);
        emit::count_number(class, Cause::Broken);
    }
    0
}

/// Decides whether an open is reported, and as what.
#[inline(always)]
unsafe fn judge(
    config: *const Config,
    word: u32,
    outcome: u32,
    open: Addr,
    found: u16,
    in_scope: bool,
) -> Result<Verdict, Cause> {
    // SAFETY: a value of an array map.
    let secrets = unsafe { read_volatile(addr_of!((*config).flags)) } & config::SECRETS != 0;
    let secret_kind = if secrets && !open.is_null() {
        secrets::kind(&file::key(open))
    } else {
        0
    };
    let wanted = word & interest::ALL & outcome != 0;
    if secret_kind == 0 {
        if !in_scope {
            return Err(Cause::OutOfScope);
        }
        if !wanted {
            return Err(Cause::NoInterest);
        }
    }
    let mut flags = found;
    if in_scope {
        flags |= flags::IN_SCOPE;
    }
    if secret_kind != 0 {
        flags |= flags::SECRET;
    }
    if !(wanted && in_scope) {
        flags |= flags::NO_INTEREST;
    }
    Ok(Verdict {
        kind: Kind::Call,
        class: Class::Open,
        flags,
        secret_kind,
    })
}

/// The bit of [`interest`]: a successful open that neither writes nor creates nor truncates is a read.
#[inline(always)]
fn outcome(regs: Ptr, number: u32, result: i64, open: Addr) -> u32 {
    let outcome = super::outcome(result);
    if outcome != interest::SUCCEEDED {
        return outcome;
    }
    let args = arch::args(regs);
    let truncates = match number {
        OPEN => args[1] & O_TRUNC != 0,
        OPENAT => args[2] & O_TRUNC != 0,
        OPENAT2 => {
            let mut given = 0u64;
            // SAFETY: the helper writes 8 bytes and checks the address.
            unsafe { bpf_probe_read_user((&raw mut given).cast(), 8, args[2] as *const _) };
            given & O_TRUNC != 0
        }
        _ => true,
    };
    // A file that is already gone again cannot be told apart: report it as the more interesting of the two.
    if open.is_null() || truncates || file::is_written(open) {
        interest::SUCCEEDED
    } else {
        interest::READ
    }
}
