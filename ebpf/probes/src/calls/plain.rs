//! First stage of calls that need nothing special.

use core::mem::offset_of;
use core::ptr::addr_of_mut;

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::calls::{CallSpec, NONE, RESULT, RESULT_OR_0, interest, note};
use vigia_abi::counters::{Cause, Class};
use vigia_abi::maps::stage;
use vigia_abi::offsets::*;
use vigia_abi::record::flags;
use vigia_abi::{CallBody, Header, Kind};

use crate::budget::Rank;
use crate::kernel::{Addr, Ptr};
use crate::maps::CALL_STAGES;
use crate::record::LargeScratch;
use crate::socket::passed;
use crate::{emit, file, scope, socket, walk};

#[btf_tracepoint(function = "sys_exit")]
fn call_plain(context: BtfTracePointContext) -> i32 {
    let Some(this) = super::scratch() else {
        return 0;
    };
    // SAFETY: this program's scratch.
    let number = unsafe { super::number(this) };
    emit::count_number(u32::from(super::spec(number).class), Cause::Seen);
    report(&context, number);
    0
}

/// Reports the call if it is in scope and somebody is interested in its outcome.
#[inline(always)]
pub(super) fn report(context: &BtfTracePointContext, number: u32) {
    let spec = super::spec(number);
    let class = u32::from(spec.class);
    let (Some(this), Some(config), Some(word)) =
        (super::scratch(), emit::config(), super::interest_in(number))
    else {
        emit::count_number(class, Cause::Broken);
        return;
    };
    if word & interest::ALL & super::outcome(context.arg(1)) == 0 {
        emit::count_number(class, Cause::NoInterest);
        return;
    }
    let current = Ptr::current_task();
    // SAFETY: this program's scratch.
    unsafe {
        let who = addr_of_mut!((*LargeScratch::header(this)).task);
        let Some(found) = super::watched(this, config, current, class) else {
            return;
        };
        // What was refused is what read-only roots are watched for: never pushed out by what succeeds.
        let refused = super::outcome(context.arg(1)) & interest::REFUSED != 0;
        let rank = if class == Class::Change as u32 && !refused {
            Rank::Bulk
        } else {
            Rank::Rare
        };
        if !emit::admit(config, class, rank, scope::budget_key(who)) {
            return;
        }
        LargeScratch::begin::<CallBody>(this);
        super::describe(
            this,
            context,
            current,
            Kind::Call,
            class,
            found | flags::IN_SCOPE,
        );
        let open = of_call(this, current, spec, context.arg(1));
        if !open.is_null() {
            super::describe_file(this, open, file::Asker::Descriptor);
        }
        if spec.note & note::CWD != 0 {
            let fs = current
                .follow(TASK_FS)
                .address(addr_of_mut!((*this).draft.cell));
            let slot = size_of::<Header>() + offset_of!(CallBody, cwd);
            walk::plan(this, fs.member(FS_PWD), slot);
        }
        passed::locate(this, spec, context.arg(1));
        if (!open.is_null() && socket::read(this, open)) || spec.data != NONE {
            socket::recall(this, open);
            CALL_STAGES.tail_call(context, stage::SOCKET);
        } else {
            CALL_STAGES.tail_call(context, stage::GATHER);
        }
    }
    emit::count_number(class, Cause::Broken);
}

/// The file of a call's descriptor, whose arguments are in the record; null for none.
///
/// # Safety
/// `this` must point to the scratch of the running program, with a described call.
#[inline(always)]
pub(super) unsafe fn of_call(
    this: *mut LargeScratch,
    current: Ptr,
    spec: &CallSpec,
    result: i64,
) -> Addr {
    // SAFETY: as the caller promises.
    unsafe {
        let body = LargeScratch::body::<CallBody>(this);
        let fd = match spec.fd {
            NONE => return Addr::NULL,
            RESULT | RESULT_OR_0 if result >= 0 => result.cast_unsigned(),
            RESULT => return Addr::NULL,
            RESULT_OR_0 => super::gather::argument(body, 0),
            arg => super::gather::argument(body, arg),
        };
        let cell = addr_of_mut!((*this).draft.cell);
        file::of_descriptor(current, fd & u64::from(u32::MAX), cell)
    }
}
