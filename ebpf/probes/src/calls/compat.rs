//! Calls through the 32-bit or x32 entry: told of as such, because few containers make any, and then handed on as the
//! 64-bit call that does the same, so that no rule can be evaded by the entry a program takes.

use core::ptr::{addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::compat;
use vigia_abi::counters::{Cause, Class};
use vigia_abi::record::{call, flags};
use vigia_abi::{CompatBody, Kind};

use crate::budget::Rank;
use crate::kernel::Ptr;
use crate::record::LargeScratch;
use crate::{arch, emit, scope, task};

const CLASS: u32 = Class::Compat as u32;
/// Calls that `socketcall` knows with fewer arguments than the 64-bit call has: send, recv.
const SHORT_SOCKETCALLS: core::ops::RangeInclusive<u64> = 9..=10;

#[btf_tracepoint(function = "sys_exit")]
fn call_compat(context: BtfTracePointContext) -> i32 {
    emit::count(Class::Compat, Cause::Seen);
    report(&context);
    let Some(this) = super::scratch() else {
        return 0;
    };
    let regs = Ptr::argument(&context, 0);
    let entry = arch::number(regs) as u32;
    // SAFETY: this program's scratch.
    unsafe {
        let args = if arch::is_x32(entry) {
            arch::args(regs)
        } else {
            arch::args_32(regs)
        };
        let passed = addr_of_mut!((*this).passed.args).cast::<u64>();
        for (index, &arg) in args.iter().enumerate() {
            write_volatile(passed.add(index), arg);
        }
        if entry == compat::SOCKETCALL {
            // Six 32-bit words, of which shorter calls have fewer.
            let words = addr_of_mut!((*this).passed.bytes).cast::<u32>();
            bpf_probe_read_user(words.cast(), 24, args[1] as *const _);
            for index in 0..6 {
                write_volatile(
                    passed.add(index),
                    u64::from(read_volatile(words.add(index))),
                );
            }
            if SHORT_SOCKETCALLS.contains(&args[0]) {
                write_volatile(passed.add(4), 0);
                write_volatile(passed.add(5), 0);
            }
        }
        let number = arch::translate(entry, args[0]);
        if number != compat::NONE {
            // The dispatcher took it already.
            super::dispatch(&context, u32::from(number), call::COMPAT, || true);
        }
    }
    0
}

/// Tells of the call as one of another table.
#[inline(always)]
fn report(context: &BtfTracePointContext) {
    let (Some(this), Some(config)) = (super::scratch(), emit::config()) else {
        emit::count(Class::Compat, Cause::Broken);
        return;
    };
    let current = Ptr::current_task();
    // SAFETY: this program's scratch.
    unsafe {
        let header = LargeScratch::header(this);
        let who = addr_of_mut!((*LargeScratch::header(this)).task);
        let Some(found) = super::watched(this, config, current, CLASS) else {
            return;
        };
        // A 32-bit program makes nothing but such calls: they must not push anything else out.
        if !emit::admit(config, CLASS, Rank::Bulk, scope::budget_key(who)) {
            return;
        }
        LargeScratch::begin::<CompatBody>(this);
        task::complete(current, who, addr_of_mut!((*this).draft.cell));
        emit::label(header, Kind::CompatCall, CLASS);
        (*header).flags = found | flags::IN_SCOPE;
        let body = LargeScratch::body::<CompatBody>(this);
        write_volatile(
            addr_of_mut!((*body).number),
            arch::number(Ptr::argument(context, 0)) as u32,
        );
        write_volatile(addr_of_mut!((*body).result), context.arg(1));
        super::submit(this);
    }
}
