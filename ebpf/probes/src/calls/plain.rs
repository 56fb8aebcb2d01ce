//! First stage of calls that need nothing special.

use core::ptr::addr_of_mut;

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::calls::{NONE, interest};
use vigia_abi::counters::{Cause, Class};
use vigia_abi::maps::stage;
use vigia_abi::record::flags;
use vigia_abi::{CallBody, Kind};

use crate::budget::Rank;
use crate::kernel::Ptr;
use crate::maps::CALL_STAGES;
use crate::record::LargeScratch;
use crate::{arch, emit, file, scope};

#[btf_tracepoint(function = "sys_exit")]
fn call_plain(context: BtfTracePointContext) -> i32 {
    let number = arch::number(Ptr::argument(&context, 0)) as u32;
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
        let header = LargeScratch::header(this);
        let who = addr_of_mut!((*header).task);
        let found = scope::identify(current, who);
        if scope::is_agent(config, who) {
            emit::count_number(class, Cause::Agent);
            return;
        }
        if !scope::is_in_scope(config, current, who, found) {
            emit::count_number(class, Cause::OutOfScope);
            return;
        }
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
        if spec.fd != NONE {
            let body = LargeScratch::body::<CallBody>(this);
            let fd = super::gather::argument(body, spec.fd) & u64::from(u32::MAX);
            let open = file::of_descriptor(current, fd, addr_of_mut!((*this).draft.cell));
            if !open.is_null() {
                super::describe_file(this, open, file::Asker::Descriptor);
            }
        }
        CALL_STAGES.tail_call(context, stage::GATHER);
    }
    emit::count_number(class, Cause::Broken);
}
